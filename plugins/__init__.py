"""Provider plugins of our own."""
