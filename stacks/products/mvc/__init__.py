"""The MVC application and its database."""
