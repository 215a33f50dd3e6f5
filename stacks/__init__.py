"""The stack: its settings, how they are read, and the page that wires them into components."""
