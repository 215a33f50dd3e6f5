"""A page about a swarm, for people: nodes, services and tasks as the swarm itself tells them. It only reads."""
