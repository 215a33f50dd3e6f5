"""Machines as containers on the user's own Docker."""
