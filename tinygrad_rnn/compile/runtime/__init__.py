"""Running what was emitted: building C, launching CUDA, workspaces, the node on the tape."""
