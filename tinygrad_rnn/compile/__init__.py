"""Compile a layer's time loop into NumPy calls, C or CUDA; programs call `compile(layer)`."""

from ..functions.sequence_loss import sequence_loss
from .layer import CompiledScan, NotCompiled, compile
from .passes import PASSES

__all__ = ["PASSES", "CompiledScan", "NotCompiled", "compile", "sequence_loss"]
