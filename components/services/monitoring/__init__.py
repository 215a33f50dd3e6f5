"""Monitoring of a swarm: what is measured, what is shown, when somebody is told, and the services that do it."""
