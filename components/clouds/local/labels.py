"""The label by which everything that a stack makes on the user's Docker is found."""

STACK_LABEL = "flotilla.stack"
"""Its value is the stack's prefix, for instance `flotilla-dev`."""
