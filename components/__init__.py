"""The typed components that make up a platform: clouds, swarm, storage and services."""
