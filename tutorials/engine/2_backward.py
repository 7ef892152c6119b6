"""Step 2: one sweep back."""


class Value:
    def backward(self):
        """Add to each leaf's grad the slope of this value in it."""
        raise NotImplementedError


def in_order(root):
    """Return the values that root was made of and root itself, parents first, each once."""
    raise NotImplementedError
