"""Turn a run into a Graph: what was computed, at which step, by which name; for `drawing`."""
