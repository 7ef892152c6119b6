"""Step 1: a number that knows how it was made."""


class Value:
    """A number, the values it was made of, and a rule from its gradient to theirs."""

    def __init__(self, data, parents=(), rule=None):
        raise NotImplementedError("keep data, parents, rule; grad is None")

    def __add__(self, other):
        """Return self + other; its rule(g) returns the gradients of both."""
        raise NotImplementedError

    def __mul__(self, other):
        """Return self * other."""
        raise NotImplementedError


def value_like(x, other):
    """Return x if it is a Value, else a Value of the number x, fit to stand beside `other`."""
    raise NotImplementedError
