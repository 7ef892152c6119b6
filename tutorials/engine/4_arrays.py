"""Step 4: arrays, sums, broadcasting."""


class Value:
    def sum(self, axis=None, keepdims=False):
        """Return the sum over all entries or along one axis."""
        raise NotImplementedError

    def mean(self, axis=None, keepdims=False):
        raise NotImplementedError

    def max(self, axis=None):
        """Return the largest entry, of all or along one axis."""
        raise NotImplementedError


def unbroadcast(g, shape):
    """Return g summed over the axes along which an array of this shape was repeated."""
    raise NotImplementedError
