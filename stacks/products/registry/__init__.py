"""The users' own registry."""
