"""Offer `linalg.norm` and `linalg.vector_norm`, as NumPy and PyTorch name them, to programs."""

from .functions.reductions import norm, vector_norm

__all__ = ["norm", "vector_norm"]
