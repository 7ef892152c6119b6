"""Graph → Graph: folding, rolling, comparing, choosing; nothing here knows a Tensor or a pixel."""
