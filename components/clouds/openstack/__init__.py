"""The cloud on OpenStack: the same machine contract, rendered in its own resources."""
