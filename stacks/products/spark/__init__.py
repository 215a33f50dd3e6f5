"""Spark standalone."""
