"""Functions made of primitives: no gradient rule stands here, since each primitive has its own."""
