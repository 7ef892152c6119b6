"""Looking at gradients: derivatives of functions, checks against differences, what a run shows."""
