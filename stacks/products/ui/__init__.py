"""The page to look at the swarm with."""
