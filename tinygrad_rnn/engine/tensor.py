"""Join an array and the node that made it; all of `functions`, `nn` and `optim` compute with it.

A Tensor is an array plus how it was made: `Tensor.node` points to a `Node`, and nodes point to the
nodes of their inputs. Nodes never point to Tensors, so there are no cycles and an array that no
gradient rule will read is freed as soon as the last Tensor holding it is gone.

One rule keeps every gradient right: **an array is never written after it was wrapped.** Changing a
Tensor binds a new array to it, so the numbers that a graph saved never change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arguments import checked
from .arrays import Array, as_array, library_of
from .context import report_use
from .conversion import Conversion, Hook
from .node import NO_PARAMS, Node
from .shared_memory import SharedMemory, Way, alias, leave, rebind, same_view

bare = object.__new__  # of a class makes an instance without numbers


class Tensor(Conversion):
    """An array plus how it was made. `tensor(data)` makes one; methods have PyTorch's names."""

    __slots__ = ("__weakref__", "_array", "_memory", "_way", "node")
    __array_ufunc__ = None  # so that ndarray * Tensor is a Tensor, never an array of objects
    __hash__ = object.__hash__
    _array: Array
    _memory: SharedMemory  # there only if a Tensor looks at the numbers of another
    _way: Way
    node: Node | None

    def __init__(self, data: Any, dtype: Any = None, device: str | None = None,
                 requires_grad: bool = False, name: str | None = None):  # fmt: skip
        self._array = as_array(data, dtype, device)
        self.node = None
        if requires_grad:
            self.requires_grad_()
        if name is not None:
            self.name = name

    # What it is
    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def dtype(self) -> np.dtype:
        return self._array.dtype

    @property
    def device(self) -> str:
        return library_of(self._array).device

    @property
    def xp(self) -> Any:
        """Return the array library's namespace: numpy or cupy."""
        return library_of(self._array).xp

    @property
    def is_leaf(self) -> bool:
        return self.node is None or self.node.op is None

    @property
    def data(self) -> Tensor:
        """Return the same numbers with no history: what is written into `x.data`, `x` has too."""
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        if isinstance(value, Tensor) and same_view(self, value):
            return  # the last step of `x.data -= y`
        if not self.is_leaf:
            raise RuntimeError("data: only a leaf can be given new data; this one was computed")
        kind = self.dtype, self.device
        shares = isinstance(value, Tensor) and (value.dtype, value.device) == kind
        new = value._array if shares else as_array(value, *kind)
        if new.shape != self.shape:
            raise ValueError(f"data: shape {new.shape} cannot replace shape {self.shape}")
        report_use("changes a Tensor", "data")
        leave(self)
        self._array = new
        if shares:
            alias(self, value)

    # Gradients: where they are kept and whether they flow
    @property
    def requires_grad(self) -> bool:
        return self.node is not None and self.node.needs

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Turn gradients on or off for a leaf and return it; integers have none."""
        if not self.is_leaf:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf tensors; use detach()"
            )
        if requires_grad and self.dtype.kind != "f":
            message = f"only floating point tensors can require gradients (got {self.dtype})"
            raise RuntimeError(message)
        if requires_grad != self.requires_grad:
            old, self.node = self.node, None
            leaf_of(self).needs = requires_grad
            if old is not None and old.name:
                self.name = old.name
            if old is not None and old.parameter:
                leaf_of(self).parameter = True
        return self

    @property
    def grad(self) -> Tensor | None:
        return self.node.grad if self.node is not None else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
        if value is not None and value.dtype != self.dtype:
            raise TypeError(f"grad: dtype {value.dtype} does not fit the tensor's {self.dtype}")
        if value is not None and value.shape != self.shape:
            raise ValueError(f"grad: shape {value.shape} does not fit the tensor's {self.shape}")
        if value is not None or self.node is not None:
            leaf_of(self).grad = value

    def retain_grad(self) -> None:
        """Make backward() leave this tensor's `.grad` too, though it is not a leaf."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        leaf_of(self).retains = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Hook:
        """Run `hook(gradient)` when this tensor's gradient is complete; it may return another."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if not callable(hook):
            raise TypeError(f"register_hook: expected a function, got {type(hook).__name__}")
        node = leaf_of(self)
        node.hooks = node.hooks or {}
        return Hook(node.hooks, hook)

    def detach(self) -> Tensor:
        """Return the values without their history: gradients stop here, writes are shared."""
        new = bare(Tensor)  # not `wrap`, which would be one more call
        new._array, new.node = self._array, None
        return alias(new, self)

    @property
    def name(self) -> str | None:
        """Return a label for drawings and messages."""
        return self.node.name if self.node is not None else None

    @name.setter
    def name(self, value: str | None) -> None:
        leaf_of(self).name = value


@checked
def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False,
           name: str | None = None) -> Tensor:  # fmt: skip
    """Return a new Tensor holding a copy of `data`; float arrays keep their dtype, Python floats
    get the default one (float32 unless `set_default_dtype` said otherwise)."""
    return Tensor(data, dtype, device, requires_grad, name)


def wrap(array: Array, node: Node | None) -> Tensor:
    """Return a Tensor around an array that nobody will write to any more; nothing is copied."""
    new = bare(Tensor)
    new._array = array
    new.node = node
    return new


def assign(x: Tensor, values: Any) -> Tensor:
    """Give a leaf a copy of `values`, which all that look at its memory see; return it."""
    new = as_array(values, x.dtype, x.device)
    if new.shape != x.shape:
        raise ValueError(f"a tensor of shape {x.shape} cannot take values of shape {new.shape}")
    report_use("changes a Tensor", "new values")
    rebind(x, new)
    return x


def leaf_of(x: Tensor) -> Node:
    """Return the node of a Tensor, made now if it had none because nothing was recorded so far."""
    if x.node is None:
        x.node = Node(None, (), (None,), NO_PARAMS, x._array.shape, x._array.dtype, False)
    return x.node
