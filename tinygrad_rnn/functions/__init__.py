"""Make functions of primitives, without rules of their own, for `nn` and programs."""
