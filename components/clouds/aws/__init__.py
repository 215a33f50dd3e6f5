"""The cloud on Amazon EC2: the same machine contract, rendered in its own resources."""
