"""Membership of the swarm and the way into it."""
