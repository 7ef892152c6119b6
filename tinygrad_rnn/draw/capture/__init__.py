"""A run → Graph: what was computed, in which step, under which name, with which numbers."""
