"""Products: what a stack may run, a folder each with its vocabulary, its plan and its deployment."""
