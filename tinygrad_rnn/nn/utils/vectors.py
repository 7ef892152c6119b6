"""All parameters of a model as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...engine.tensor import Tensor, assign
from ...functions.shapes import cat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return one vector of all parameters, joined to their graph."""
    return cat([p.reshape(-1) for p in parameters], 0)


def vector_to_parameters(vector: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its part of a vector."""
    given, at = list(parameters), 0
    sizes = [p._array.size for p in given]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"the parameters have {sum(sizes)} numbers, the vector {vector.shape}")
    for p, size in zip(given, sizes):
        assign(p, vector._array[at : at + size].reshape(p.shape))
        at += size
