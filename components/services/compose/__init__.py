"""Compose files in and out: what they say as typed values, what a swarm makes of it, and the way back."""
