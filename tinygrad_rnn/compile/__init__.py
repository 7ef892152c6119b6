"""The step compiler: a layer's time loop as NumPy calls, C or CUDA, found from one captured
step."""

from ..functions.sequence_loss import sequence_loss
from .layer import CompiledScan, NotCompiled, compile
from .passes import PASSES

__all__ = ["PASSES", "CompiledScan", "NotCompiled", "compile", "sequence_loss"]
