"""The page to step through a computation, forward and backward; needs no network."""
