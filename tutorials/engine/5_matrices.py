"""Step 5: matrices, shapes, permutations."""


class Value:
    def __matmul__(self, other):
        """Return the product of matrices, of batches of them, or with a vector."""
        raise NotImplementedError

    def reshape(self, shape):
        raise NotImplementedError

    def transpose(self, axes):
        """Return the array with its axes in the order given."""
        raise NotImplementedError
