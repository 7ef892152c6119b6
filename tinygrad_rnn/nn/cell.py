"""Define a recurrent cell: a first state and one time step; `recurrent` and `scan` run it.

Subclass `Cell`, say `hidden_size`, make parameters in `__init__` and write `step`. Every layer then
works with it: stacked, in both directions, masked, traced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.arrays import get_default_dtype
from ..engine.options import called, floating, shown, whole
from ..engine.options import device as checked_device
from ..engine.tensor import Tensor, tensor, wrap
from ..functions.random import Generator
from ..init import seeded, uniform
from .module import Module, check_dtype, weight_of

State = Any  # a Tensor or a tuple of Tensors


class Cell(Module):
    """One time step. Subclass it and write `step`; every layer then works with it."""

    gate_names: tuple[str, ...] = ()
    state_names: tuple[str, ...] = ("h",)
    takes_context = False  # True: step(x, state, context), the context of all steps
    _record: dict[str, list] | None = None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        seed: int | Generator | None = None,
        device: str | None = None,
        dtype: Any = None,
    ):
        self.input_size = whole(self, "input_size", input_size)
        self.hidden_size = whole(self, "hidden_size", hidden_size)
        self.generator, self.device = seeded(self, seed), checked_device(self, device)
        self.dtype = floating(self, "dtype", dtype or get_default_dtype())

    def parameter(self, *shape: int) -> Tensor:
        """Return a new parameter drawn from U(−1/√H, 1/√H), PyTorch's start for everything
        recurrent."""
        bound = self.hidden_size**-0.5
        values = uniform(shape, -bound, bound, generator=self.generator, dtype=self.dtype)
        return tensor(values, device=self.device, requires_grad=True)

    @property
    def output_size(self) -> int:
        return self.hidden_size

    @property
    def core(self) -> Cell:
        """Return the cell itself; of a wrapped cell the innermost one."""
        return self

    def blank(self, batch: int, size: int, like: Tensor) -> Tensor:
        """Return zeros (batch, size) of the dtype and device of `like`."""
        return wrap(like.xp.zeros((batch, size), like.dtype), None)

    def start(self, batch: int, like: Tensor) -> State:
        """Return the state before the first step: zeros (B, H)."""
        return self.blank(batch, self.hidden_size, like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return (output, next state) of one time step; x is (B, I), or (B,) whole numbers."""
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def begin(self, batch: int, like: Tensor) -> None:
        """Draw what stays the same for a whole sequence; called before its first step."""

    def end(self) -> None:
        """Let go of what was drawn for a sequence; called after its last step."""

    def keep(self, name: str, value: Tensor) -> Tensor:
        """Return the value; when the loop runs with trace=True it is kept under that name too."""
        if self._record is not None:
            self._record.setdefault(name, []).append(value)
        return value

    def record(self, into: dict[str, list] | None) -> None:
        """Write the values of each step into these lists, for a trace; None ends it."""
        self._record = into

    def like(self, x: Tensor) -> Tensor:
        """Return what first states resemble: x, or the parameters where x is whole numbers."""
        weight = None if x.dtype.kind == "f" else weight_of(self.core)
        return x if weight is None else weight

    def forward(self, x: Tensor, state: State | None = None, context: Any = None) -> State:
        """Return the next state, as PyTorch's cells return it; x is (B, I) or unbatched (I,)."""
        check_kind(x, self)
        check_dtype(self, x, weight_of(self.core), whole=True)
        check_input(x, self.input_size, self)
        alone = is_alone(x, self)
        x = x.unsqueeze(0) if alone else x
        if state is None:
            state = self.start(x.shape[0], self.like(x))
        else:
            check_parts(self, self.state_names, parts_of(state), len(self.state_names))
            state = map_state(lambda s: s.unsqueeze(0), state) if alone else state
            check_state(self, x, state, alone)
        new = self.step(x, state, *(() if context is None else (context,)))[1]
        return map_state(lambda s: s.squeeze(0), new) if alone else new


def map_state(function: Callable, *states: State) -> State:
    """Apply a function to every part of a state (a Tensor or a tuple), in the state's own
    structure."""
    if isinstance(states[0], tuple):
        return tuple(function(*parts) for parts in zip(*states, strict=True))
    return function(*states)


def parts_of(state: State) -> tuple[Tensor, ...]:
    """Return the Tensors of a state, which may be one alone."""
    return state if isinstance(state, tuple) else (state,)


def check_state(owner: Cell, x: Tensor, state: State, alone: bool) -> None:
    """Raise unless each part of a state is (B, size): another batch might broadcast in silence."""
    wanted, given = parts_of(owner.start(x.shape[0], owner.like(x))), parts_of(state)
    check_parts(owner, owner.state_names, given, len(wanted))
    for name, part, like in zip(owner.state_names, given, wanted):
        check_dtype(owner, part, like, what="state")
        if part.shape != like.shape:
            axes = "(B, H)" if not alone else "(H,)"
            fits, got = (like.shape, part.shape) if not alone else (like.shape[1:], part.shape[1:])
            told = f"{name} has shape {got}, expected {axes} = {fits}"
            raise RuntimeError(f"{called(owner)}: the state's {told} for x {x.shape}")


def check_parts(owner: Any, names: tuple[str, ...], given: tuple, wanted: int) -> None:
    """Raise unless a state has as many parts as it should, each a Tensor."""
    if len(given) != wanted:
        cure = f"give ({', '.join(names)})" if wanted > 1 else "give one Tensor"
        told = f"the state has {wanted} part{'s' * (wanted > 1)}, got {len(given)}"
        raise ValueError(f"{called(owner)}: {told}: {cure}")
    for name, part in zip(names, given):
        if not isinstance(part, Tensor):
            got = shown(part)
            raise TypeError(f"{called(owner)}: the state's {name} must be a Tensor, got {got}")


def check_kind(x: Any, owner: Any) -> None:
    """Raise TypeError unless x is a Tensor of floats or whole numbers."""
    if isinstance(x, Tensor) and x.dtype.kind in "fiu":
        return
    wanted = f"{called(owner)}: x must be a Tensor of floats or whole numbers"
    if isinstance(x, Tensor):
        raise TypeError(f"{wanted}, got a Tensor of {x.dtype}; call x.float()")
    cure = "tensor(x.numpy())" if type(x).__module__.startswith("torch") else "tensor(x)"
    raise TypeError(f"{wanted}, got {shown(x)}; make one of it: tinygrad_rnn.{cure}")


def is_alone(x: Tensor, owner: Any) -> bool:
    """Return whether x is one row without a batch; ValueError if it has more axes than a batch."""
    axes = 2 if x.dtype.kind == "f" else 1
    if x.ndim not in (axes - 1, axes):
        names = "(B, I) or (I,)" if axes == 2 else "(B,) or () class numbers"
        cure = "" if axes == 2 else "; if it holds values, call x.float()"
        told = f"expects x as {names}, got shape {x.shape} of {x.dtype}{cure}"
        raise ValueError(f"{called(owner)} {told}")
    return x.ndim == axes - 1


def check_input(x: Tensor, input_size: int, owner: Any) -> None:
    """Raise unless the last axis, or the largest index, fits."""
    if x.dtype.kind == "f":
        if x.shape[-1:] != (input_size,):
            got = x.shape[-1] if x.ndim else "a scalar"
            message = "input.size(-1) must be equal to input_size."
            told = f"{message} Expected {input_size}, got {got}"
            raise RuntimeError(f"{called(owner)}: {told} (x is {x.shape})")
    elif x._array.size and not ((low := x._array.min()) >= 0 and x._array.max() < input_size):
        bad = low if low < 0 else x._array.max()
        raise IndexError(
            f"{called(owner)}: index {bad} is out of range for input_size={input_size}; "
            "if x holds values and no class numbers, call x.float()"
        )
