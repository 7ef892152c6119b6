"""Give Tensor its operators and methods, once, when the package `tinygrad_rnn` is imported.

Operators that write in place (`+=`, and the methods with a final underscore) are in `in_place.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import ops
from ..engine.arguments import checked
from ..engine.arrays import is_array, named_dtype
from ..engine.dtypes import divided
from ..engine.errors import explained
from ..engine.tensor import Tensor, wrap
from . import elementwise as functions
from . import indexing, reductions, shapes, sizes
from .in_place import attach, in_place
from .later import promise
from .memory_views import viewed

BINARY = {"add": ops.add, "sub": ops.sub, "mul": ops.mul, "truediv": ops.div, "pow": ops.power,
          "matmul": ops.matmul, "mod": ops.remainder}  # fmt: skip
COMPARE = {"eq": ops.equal, "ne": ops.not_equal, "lt": ops.less, "le": ops.less_equal,
           "gt": ops.greater, "ge": ops.greater_equal}  # fmt: skip
LOGIC = {"and": ops.logical_and, "or": ops.logical_or, "xor": ops.logical_xor}
METHODS = {
    ops: " ".join([*ops.__all__, "transfer"]),
    reductions: (
        "sum mean var std var_mean std_mean prod max min amax amin argmax argmin logsumexp all "
        "any norm cumsum cumprod cummax softmax log_softmax"
    ),
    functions: (
        "square pow float_power reciprocal rsqrt exp2 log2 log10 lerp clamp clip round softplus "
        "logsigmoid"
    ),
    shapes: (
        "reshape view flatten ravel unflatten permute transpose swapaxes movedim unsqueeze "
        "squeeze expand expand_as broadcast_to tile repeat flip roll narrow split "
        "split_with_sizes chunk unbind unfold pad contiguous diagonal diag tril triu"
    ),
    indexing: (
        "index_put take_along_dim gather scatter_add scatter index_select select masked_select "
        "masked_fill argsort sort topk index_add scatter_reduce"
    ),
    sizes: (
        "size dim numel nelement ndimension is_contiguous stride t type type_as view_as "
        "element_size new_tensor new_zeros new_ones new_full "
        "new_empty repeat_interleave"
    ),
}


def reflected(function: Callable, name: str) -> Callable:
    """Return `function` for `b ∘ a` where b is no Tensor."""

    def apply(a: Tensor, b: Any) -> Any:
        return function(b, a)

    apply.__name__ = apply.__qualname__ = name
    return apply


def astype(x: Tensor, dtype: Any) -> Tensor:
    """Return the values in another dtype, gradients in the old one."""
    dtype = named_dtype(dtype)
    if dtype.kind not in "fiub":
        raise TypeError(f"astype: a tensor holds real numbers or booleans, not {dtype}")
    if x.dtype == dtype:
        return x
    if dtype.kind != "f":
        x = wrap(x._array, None)  # whole numbers have no slope
    return ops.astype(x, dtype=dtype)


def as_float32(x: Tensor) -> Tensor:
    """Return the values as float32."""
    return astype(x, np.float32)


def as_float64(x: Tensor) -> Tensor:
    """Return the values as float64."""
    return astype(x, np.float64)


def itself(x: Tensor) -> Tensor:
    """Return the same Tensor."""
    return x


def matrix_t(x: Tensor) -> Tensor:
    """Return the last two axes exchanged."""
    return x.swapaxes(-1, -2)


def reversed_axes(x: Tensor) -> Tensor:
    """Return all axes reversed."""
    axes = (1, 0) if x._array.ndim == 2 else tuple(range(x.ndim))[::-1]
    return viewed(x, ops.transpose, axes=axes)


def where_method(x: Tensor, condition: Any, other: Any) -> Tensor:
    """Return the tensor's values where the condition holds, else those of `other`."""
    return ops.where(condition, x, other)


def of_numbers(function: Callable) -> Callable:
    """Make == or != an operator that leaves to Python what is no number: `x == None` is False."""

    def apply(a: Tensor, b: Any) -> Any:
        fits = isinstance(b, (Tensor, int, float, np.generic)) or is_array(b)
        return function(a, b) if fits else NotImplemented

    return apply


def of_booleans(function: Callable, name: str) -> Callable:
    """Make `function` the operator & | ^ or ~, of whole numbers the bits; floats are refused."""

    def apply(*inputs: Any) -> Any:
        if all(_kind(x) == "b" for x in inputs):
            return function(*inputs)
        for x in inputs:
            if _kind(x) not in "biu":
                told = (
                    f"{name} is for booleans and bits, not {getattr(x, 'dtype', type(x).__name__)}"
                )
                raise TypeError(f"{told}; use logical_{name.strip('_')}() or compare first")
        return bits(getattr(np, BITS[name.strip("_")]), *inputs)

    apply.__name__ = apply.__qualname__ = name
    return apply


BITS = {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "not": "bitwise_not"}


def _kind(x: Any) -> str:
    """Return the kind of a number's or Tensor's dtype; "O" of anything else."""
    return np.dtype(getattr(x, "dtype", type(x) if type(x) in (bool, int) else "O")).kind


def bits(function: Any, *inputs: Any) -> Tensor:
    """Return NumPy's function of the bits of whole numbers; no gradient flows."""
    return wrap(np.asarray(function(*(getattr(x, "_array", x) for x in inputs))), None)


def as_float16(x: Tensor) -> Tensor:
    """Return the values as float16."""
    return astype(x, np.float16)


def as_int16(x: Tensor) -> Tensor:
    """Return the values as int16; no gradient."""
    return astype(x, np.int16)


def as_int8(x: Tensor) -> Tensor:
    """Return the values as int8; no gradient."""
    return astype(x, np.int8)


def as_uint8(x: Tensor) -> Tensor:
    """Return the values as uint8; no gradient."""
    return astype(x, np.uint8)


def as_int64(x: Tensor) -> Tensor:
    """Return the values as int64, cut off behind the point; no gradient."""
    return astype(x, np.int64)


def as_int32(x: Tensor) -> Tensor:
    """Return the values as int32, cut off behind the point; no gradient."""
    return astype(x, np.int32)


def as_bool(x: Tensor) -> Tensor:
    """Return True where a value is not 0; no gradient."""
    return astype(x, np.bool_)


def on_gpu(x: Tensor) -> bool:
    """Return True if x lies on a GPU."""
    return x.device == "cuda"


def turned_round(x: Tensor) -> Tensor:
    """Return x with its first axis turned round: what `reversed(x)` gives."""
    return shapes.flip(x, 0)


@checked
def floor_divide(x: Any, other: Any) -> Tensor:
    """Return ⌊x / other⌋: `x // other`; whole numbers stay whole, and no gradient flows."""
    try:
        y = np.floor_divide(*divided([getattr(v, "_array", v) for v in (x, other)]))
    except Exception as error:
        raise explained("floor_divide", (x, other), error) from error
    return wrap(y if is_array(y) else np.asarray(y), None)


OTHERS: dict[str, Any] = {
    "__neg__": ops.neg, "__pos__": itself, "__abs__": ops.abs, "__setitem__": indexing.set_items,
    "__invert__": of_booleans(ops.logical_not, "__not__"), "where": where_method,
    "__getitem__": indexing.take.__wrapped__,  # type: ignore[attr-defined]
    "astype": astype, "float": as_float32, "double": as_float64,
    "T": property(reversed_axes), "mT": property(matrix_t), "is_cuda": property(on_gpu),
    "half": as_float16, "short": as_int16, "char": as_int8, "byte": as_uint8,
    "H": property(reversed_axes), "long": as_int64, "int": as_int32, "bool": as_bool,
    "__floordiv__": floor_divide, "__rfloordiv__": reflected(floor_divide, "__rfloordiv__"),
    "__ifloordiv__": in_place(floor_divide, "__ifloordiv__"),
    "__reversed__": turned_round, "floor_divide": floor_divide,
}  # fmt: skip
for _name, _function in BINARY.items():
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", reflected(_function, _name))
    setattr(Tensor, f"__i{_name}__", in_place(_function, f"__i{_name}__"))
for _name, _function in COMPARE.items():
    setattr(Tensor, f"__{_name}__", _function if _name[0] in "lg" else of_numbers(_function))
for _name, _function in COMPARE.items():  # as methods and functions under their short names too
    setattr(Tensor, _name, _function)
for _name, _function in LOGIC.items():
    _function = of_booleans(_function, f"__{_name}__")
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", reflected(_function, _name))
    setattr(Tensor, f"__i{_name}__", in_place(_function, f"__i{_name}__"))
for _module, _names in METHODS.items():
    for _name in _names.split():
        setattr(Tensor, _name, getattr(_module, _name))

for _name, _function in OTHERS.items():
    setattr(Tensor, _name, _function)
Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]
attach()
promise()
