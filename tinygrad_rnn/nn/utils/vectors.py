"""Join all parameters of a model into one vector, and split it again; programs call it."""

from __future__ import annotations

from collections.abc import Iterable

from ...engine.options import kind
from ...engine.tensor import Tensor, assign
from ...functions.shapes import cat
from ..masks import tensors_of


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return one vector of all parameters, joined to their graph."""
    given = tensors_of("parameters_to_vector", "parameters", parameters)
    return cat([p.reshape(-1) for p in given], 0)


def vector_to_parameters(vector: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its part of a vector."""
    kind("vector_to_parameters", "vector", vector, Tensor, "a Tensor")
    given, at = tensors_of("vector_to_parameters", "parameters", parameters), 0
    sizes = [p._array.size for p in given]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"the parameters have {sum(sizes)} numbers, the vector {vector.shape}")
    for p, size in zip(given, sizes):
        assign(p, vector._array[at : at + size].reshape(p.shape))
        at += size
