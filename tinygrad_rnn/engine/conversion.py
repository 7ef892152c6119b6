"""Show a Tensor to Python, NumPy and people: numbers, loops, copies, print; for `tensor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array, get_default_dtype, is_array, is_device, library, library_of
from .attached import Attached
from .context import report_use
from .errors import different_devices

if TYPE_CHECKING:
    from .node import Node
    from .tensor import Tensor


class Conversion(Attached):
    """The part of `Tensor` that leaves Tensors behind: copies and Python numbers come out."""

    __slots__ = ()
    if TYPE_CHECKING:
        _array: Array
        node: Node | None
        requires_grad: bool
        name: str | None

        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def ndim(self) -> int: ...
        @property
        def dtype(self) -> np.dtype: ...
        @property
        def device(self) -> str: ...
        @property
        def is_leaf(self) -> bool: ...
        def detach(self) -> Tensor: ...

    def _read(self, way: str) -> Array:
        report_use("reads a Tensor's values in Python", way)
        return self._array

    def numpy(self) -> np.ndarray:
        """Return the values as a NumPy array of your own (a copy)."""
        if self.requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        return library_of(self._array).to_numpy(self._read("numpy"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def item(self) -> Any:
        """Return the single value as a Python number; ValueError if there is not exactly one."""
        if self._array.size != 1:
            raise ValueError(
                f"item: only a tensor of one element has one value; shape {self.shape}"
            )
        return self._read("item").item()

    def tolist(self) -> Any:
        return self._read("tolist").tolist()

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("a Tensor that requires grad does not export; use detach() first")
        return self._read("dlpack").copy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise RuntimeError("only leaves can be copied deeply or pickled; use detach() first")
        values = library_of(self._array).to_numpy(self._read("pickle"))
        return (type(self), (values, None, self.device, self.requires_grad, self.name))

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError(
                f"Boolean value of Tensor with shape {self.shape} is ambiguous: use any() or all()"
            )
        return bool(self._read("bool").item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise TypeError(f"only an integer tensor of one element is an index, not {self.dtype}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else format(repr(self), spec)

    def __repr__(self) -> str:
        numbers = np.array2string(library_of(self._array).to_numpy(self._read("repr")), 88, 4,
                                  separator=", ", prefix="tensor(")  # fmt: skip
        tail = (
            ""
            if self.dtype in (get_default_dtype(), np.int64, np.bool_)
            else f", dtype={self.dtype}"
        )
        tail += "" if self.device == "cpu" else f", device={self.device!r}"
        if self.requires_grad:
            made = self.node.op.name if self.node and self.node.op else ""
            tail += f", grad_fn=<{made}>" if made else ", requires_grad=True"
        return f"tensor({numbers}{tail})"

    # To other devices and dtypes
    def to(self, target: Any = None, other: Any = None, *, device: Any = None, dtype: Any = None,
           non_blocking: bool = False, copy: bool = False) -> Tensor:  # fmt: skip
        """Return the Tensor on another device (`"cuda"`, `"cpu"`), with another dtype, or both;
        gradients flow back.

        `non_blocking` changes nothing: there is one stream.
        """
        if other is device is dtype is None and type(target) is str and not copy:
            return self._moved(target)
        told = [t for t in (target, other, device, dtype) if t is not None]
        if not told or len(told) > 2:
            raise TypeError(f"to: give a device, a dtype or both, got {told or 'nothing'}")
        moved = self
        for one in told:
            like = isinstance(one, Conversion)
            for target in (one.device, one.dtype) if like else (one,):
                moved = moved._moved(target)
        return moved.clone() if copy and moved is self else moved  # type: ignore[attr-defined, return-value]

    def _moved(self, target: Any) -> Any:
        if is_device(target):
            there = library(target).device == self.device
            return self if there else self.transfer(device=target)  # type: ignore[return-value]
        if isinstance(target, str):
            try:
                np.dtype(target)
            except TypeError:
                kinds = 'neither a device such as "cpu" or "cuda" nor a dtype such as "float32"'
                raise ValueError(f"to: {target!r} is {kinds}") from None
        return self.astype(target)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self) -> Tensor:
        return self.to("cuda")


class Hook:
    """Take a hook away again by `remove()`; `register_hook` returns it."""

    __slots__ = ("hooks", "key")

    def __init__(self, hooks: dict, function: Callable):
        self.hooks, self.key = hooks, object()  # not itself as the key: that would be a cycle
        hooks[self.key] = function

    def remove(self) -> None:
        self.hooks.pop(self.key, None)


def get_array_module(*values: Any) -> Any:
    """Return the namespace (numpy or cupy) the given Tensors or arrays live in; mixing raises."""
    arrays = [getattr(v, "_array", v) for v in values]
    found = {library_of(a).device: library_of(a).xp for a in arrays if is_array(a)}
    if len(found) > 1:
        raise TypeError(different_devices("get_array_module", arrays))
    return next(iter(found.values()), np)
