"""Where the data of services lives."""
