"""Metrics of a swarm that no package of Debian gives, in Prometheus' text format, by Python's own library alone."""
