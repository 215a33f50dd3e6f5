"""The stand-in for the tls provider plugin, on the cryptography package."""
