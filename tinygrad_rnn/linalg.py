"""`linalg.norm` and `linalg.vector_norm`, under the names NumPy and PyTorch have for them."""

from .functions.reductions import norm, vector_norm

__all__ = ["norm", "vector_norm"]
