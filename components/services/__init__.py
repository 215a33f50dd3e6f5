"""The products that run on the swarm, one module each."""
