"""The clouds a platform can stand on, one folder each, behind one protocol."""
