"""Make the page to step through a computation, forward and backward, for `drawing`."""
