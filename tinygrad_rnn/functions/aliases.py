"""Give functions their second names, NumPy's and PyTorch's spellings, for programs.

>>> import tinygrad_rnn as t
>>> t.zeros(2, dtype=t.long).dtype == t.int64
True
"""

from __future__ import annotations

import numpy as np

from ..engine import ops
from ..engine.tensor import Tensor
from . import methods
from .arithmetic import div, sub
from .shapes import cat, movedim, swapaxes, vstack

float16, float32, float64 = half, float, double = np.float16, np.float32, np.float64
uint8, int8, int16, int32, int64 = np.uint8, np.int8, np.int16, np.int32, np.int64
short, int, long, bool = int16, int32, int64, np.bool_
eq, ne, lt, le = ops.equal, ops.not_equal, ops.less, ops.less_equal
gt, ge = ops.greater, ops.greater_equal
true_divide, divide, multiply, subtract, concat = div, div, ops.mul, sub, cat
floor_divide = methods.floor_divide
negative, absolute, sgn, fix = ops.neg, ops.abs, ops.sign, ops.trunc
arcsin, arccos, arctan, arctan2 = ops.asin, ops.acos, ops.atan, ops.atan2
arcsinh, arctanh = ops.asinh, ops.atanh
concatenate, row_stack = cat, vstack
moveaxis, swapdims = movedim, swapaxes
SECOND = """true_divide divide multiply subtract negative absolute sgn fix arcsin arccos arctan
arctan2 arcsinh arctanh moveaxis swapdims""".split()

DTYPES = """float16 float32 float64 half float double uint8 int8 int16 int32 int64 short int long
bool""".split()
FUNCTIONS = "eq ne lt le gt ge concat floor_divide concatenate row_stack".split()
__all__ = [*DTYPES, *FUNCTIONS, *SECOND]
for _name in SECOND:
    setattr(Tensor, _name, globals()[_name])
