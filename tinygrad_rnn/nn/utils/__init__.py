"""Offer clipping and packed sequences where ported programs look for them: `nn.utils`."""

from ..clipping import clip_grad_norm_, clip_grad_value_
from . import rnn
from .vectors import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]
