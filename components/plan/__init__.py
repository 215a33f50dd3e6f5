"""Values and arithmetic of the plan: everything that can be decided, and refused, before any resource exists."""
