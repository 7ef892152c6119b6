"""Change a Tensor: `x += y`, `x[key] = y`, or refuse to; `methods` and `indexing` call it.

`bind` is all of it: it gives x the result of an operation that made a new Tensor. No array is
written into, so whatever a graph saved stays what it was and every gradient stays right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..engine import ops
from ..engine.context import is_grad_enabled, report_use
from ..engine.shared_memory import is_part_of_a_graph, is_watched, leave, rebind
from ..engine.tensor import Tensor, wrap

if TYPE_CHECKING:
    from .random import Generator

LEAF = (
    "a leaf Tensor that requires grad is being used in an in-place operation; "
    "use no_grad() to change a parameter"
)
KINDS = "buif"  # of dtypes, each can hold those before it
NAMES = (  # of the functions that have an in-place form, which has an underscore at its end
    "mul div neg abs sqrt rsqrt reciprocal square pow exp exp2 expm1 log log2 log10 log1p sin cos "
    "tan asin acos atan sinh cosh tanh sigmoid erf relu sign floor ceil trunc round clamp clip "
    "lerp index_add fmod remainder atan2 hypot xlogy masked_fill index_put scatter scatter_add "
    "cumsum cumprod tril triu logical_and logical_or logical_xor logical_not"
)


def refuse_leaf(x: Tensor, other: str = "") -> None:
    """Raise for a leaf whose gradient is recorded: it would be a leaf no longer."""
    if x.node is not None and x.is_leaf and x.requires_grad and is_grad_enabled():
        raise RuntimeError(f"{LEAF}{other}")


def refuse_recorded_view(x: Tensor, name: str) -> None:
    """Raise for a view that a graph recorded: the write would not reach what it is a view of."""
    if is_part_of_a_graph(x):
        raise RuntimeError(
            f"{name}: the tensor of shape {x.shape} is a view in a graph; writing it would not "
            "change the tensor that it is a view of. Make a new one (x = x + y), write to that "
            "tensor itself, or clone() the view first"
        )


def bind(x: Tensor, y: Tensor, name: str) -> Tensor:
    """Give x the result y, its graph included, and return x; all views of x see the values."""
    new, old = y._array, x._array
    if new.shape != old.shape:
        raise ValueError(f"{name}: the result has shape {y.shape}, the tensor {x.shape}")
    if new.dtype is not old.dtype and new.dtype != old.dtype:
        y = _in_dtype_of(x, y, name)
    shared = hasattr(x, "_way")
    if shared:
        refuse_recorded_view(x, name)
    recorded = (x.node is not None or y.node is not None) and is_grad_enabled()
    if recorded and (x.requires_grad or y.requires_grad):
        if shared:
            _part_from_memory(x, name)
        x._array, x.node = y._array, y.node
        return x
    if shared:
        rebind(x, y._array)
    else:
        x._array = y._array
    if y.node is not None and not x.requires_grad:  # traced: the values are this operation's
        y.node.name = x.name
        x.node = y.node
    return x


def _in_dtype_of(x: Tensor, y: Tensor, name: str) -> Tensor:
    if KINDS.index(y.dtype.kind) > KINDS.index(x.dtype.kind):
        told = f"the result is {y.dtype}, which a tensor of {x.dtype} cannot hold"
        raise TypeError(f"{name}: {told}; use x.float() or the operation that makes a new one")
    return ops.astype(y, dtype=x.dtype)


def _part_from_memory(x: Tensor, name: str) -> None:
    """Part x from its memory: a graph begins in x, which nothing that shares it could join."""
    if is_watched(x):
        raise RuntimeError(
            f"{name}: a graph would begin in a tensor of shape {x.shape} that shares its "
            "memory with others (views, detach(), .data). Make a new one (x = x + y), "
            "clone() it first, or detach() what is written"
        )
    leave(x)


def in_place(function: Callable, name: str) -> Callable:
    """Return the method that gives x the result of `function(x, …)`, and returns x."""

    def apply(x: Tensor, *args: Any, **options: Any) -> Any:
        leaf = x.node is None or x.node.op is None
        if leaf or is_watched(x):
            report_use("changes a Tensor", name)
        try:  # before anything is refused: the function knows which arguments fit
            y = function(x, *args, **options)
        except TypeError:
            fitting(name, function, (x, *args), options)
            raise
        if leaf:
            refuse_leaf(x)
        return bind(x, y, name)

    apply.__name__ = apply.__qualname__ = name
    apply.__wrapped__ = function  # type: ignore[attr-defined]
    apply.__doc__ = sentence(function.__doc__ or f"{name.strip('_')}.")
    return apply


def sentence(doc: str) -> str:
    """Return the sentence for a method that writes: "Return |a|." → "Change x itself: |a|."."""
    first = doc.partition("\n")[0]
    verb = first[:1].lower() + first[1:]
    return f"Change x itself: {verb.removeprefix('return ')}"


def fitting(name: str, function: Callable, args: tuple, options: dict) -> None:
    """Raise TypeError in the words of `misuse` if the arguments do not fit."""
    from inspect import signature

    from ..engine.misuse import misuse

    accepted = signature(function)
    try:
        accepted.bind(*args, **options)
    except TypeError:
        raise misuse(name, accepted, args, options) from None


def add(x: Tensor, y: Any, *, alpha: Any = 1) -> Tensor:
    """Add alpha · y to x."""
    return x + (y if alpha == 1 else y * alpha)


def sub(x: Tensor, y: Any, *, alpha: Any = 1) -> Tensor:
    """Subtract alpha · y from x."""
    return x - (y if alpha == 1 else y * alpha)


def fill(x: Tensor, value: Any) -> Tensor:
    """Return one number everywhere."""
    if x.requires_grad or getattr(value, "requires_grad", False):
        return ops.where(x.xp.ones(x.shape, bool), value, x).astype(x.dtype)
    return copy(x, value)


def zero(x: Tensor) -> Tensor:
    """Set x to 0 everywhere."""
    return fill(x, 0)


def copy(x: Tensor, source: Any) -> Tensor:
    """Return the values of `source`, broadcast and cast to the shape and dtype of x."""
    if not isinstance(source, Tensor):
        source = wrap(x.xp.asarray(source, x.dtype), None)
    source = source.to(x.device)
    return ops.broadcast_to(source.astype(x.dtype) if source.dtype != x.dtype else source,
                            shape=x.shape)  # fmt: skip


def normal(x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill x with numbers from N(mean, std²)."""
    return _source(generator).normal(x.shape, std, mean, dtype=x.dtype, device=x.device)


def uniform(x: Tensor, low: float = 0.0, high: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill x with numbers from U(low, high)."""
    return _source(generator).uniform(x.shape, low, high, dtype=x.dtype, device=x.device)


def _source(generator: Generator | None) -> Generator:
    from .sampling import default_generator

    return generator or default_generator()


OWN = {f.__name__: f for f in (add, sub, fill, zero, copy, normal, uniform)}


def reshaping(function: Callable, name: str) -> Callable:
    """Return `x.function_(…)`, which gives x itself another shape of the same numbers."""

    def apply(x: Tensor, *args: Any, **options: Any) -> Tensor:
        try:  # as in `in_place`: first of all, do the arguments fit
            y = function(x, *args, **options)
        except TypeError:
            fitting(name, function, (x, *args), options)
            raise
        leave(y)
        refuse_leaf(x)
        if is_watched(x):
            cure = f"use {name.strip('_')}() without the underscore, or clone() first"
            raise RuntimeError(f"{name}: other tensors look at the memory of this one; {cure}")
        report_use("changes a Tensor", name)
        leave(x)
        x._array, x.node = y._array, y.node
        return x

    apply.__name__ = apply.__qualname__ = name
    apply.__wrapped__ = function  # type: ignore[attr-defined]
    apply.__doc__ = sentence(function.__doc__ or "")
    return apply


def detach_(x: Tensor) -> Tensor:
    """Part x itself from its graph, and return it."""
    x.node = None
    return x


def attach() -> None:
    """Give Tensor a method `name_` for each function that has an in-place form."""
    for name in NAMES.split():
        setattr(Tensor, f"{name}_", in_place(getattr(Tensor, name), f"{name}_"))
    for name in "squeeze unsqueeze t transpose".split():
        setattr(Tensor, f"{name}_", reshaping(getattr(Tensor, name), f"{name}_"))
    setattr(Tensor, "detach_", detach_)  # noqa: B010 - the stub declares it
    for name, function in OWN.items():
        setattr(Tensor, f"{name}_", in_place(function, f"{name}_"))
