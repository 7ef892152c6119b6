"""Run what was emitted: build C, launch CUDA, keep workspaces, for `compile.layer`."""
