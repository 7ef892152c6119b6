"""Look at gradients: derivatives, checks against differences, what a run did; for programs."""
