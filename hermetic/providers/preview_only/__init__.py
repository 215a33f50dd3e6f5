"""Stand-ins for the plugins of clouds where nobody has an account: they check and preview, and change nothing."""
