"""Run cells over time, stacked, in one or both directions; `cell_layers` names the usual ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from ..engine.class_signature import check_call
from ..engine.context import scope
from ..engine.ops import reshape
from ..engine.options import called, choice, flag, probability, whole
from ..engine.tensor import Tensor, tensor
from ..engine.upper import UPPER
from ..functions.losses import dropout
from ..functions.random import Generator
from ..functions.shapes import cat, stack
from ..init import seeded
from .cell import Cell, State, check_input, check_kind, check_parts, map_state, parts_of
from .cell_trace import CellTrace, Traced
from .masks import repeated, time_mask
from .module import Module, check_dtype, weight_of
from .packed import PackedSequence
from .scan import Steps, clean, per_step, scan
from .stacking import built, finished, wrapped

WITHOUT = "a cell of it takes a context in each step: call it with context=…"
UNWANTED = "none of its cells takes a context; nn.AttentionCell is one that does"


class Recurrent(Module):
    """Any cell as a layer over time: deep, in one or both directions.

    `cell` is a class, called as cell(input_size, hidden_size, **options) for every layer and
    direction; or one finished cell; or a list of layers, each a cell or a pair (forward, reverse).
    Returns are always `output, state`: output (T, B, D·H), or (B, T, D·H) with batch_first; each
    part of the state is (layers·directions, B, H), layer by layer, forward before reverse, whatever
    batch_first says.
    """

    label = "recurrent"
    __slots__ = ("loop", "plain")  # of a compiled twin: it shares `__dict__` with the plain layer
    loop: Callable
    plain: Recurrent | None

    def __init__(
        self,
        cell: Any,
        input_size: int | None = None,
        hidden_size: int | None = None,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        merge: str = "concat",
        zoneout: float | tuple[float, ...] = 0.0,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        masked_output: str = "zero",
        stateful: bool = False,
        seed: int | Generator | None = None,
        **options: Any,
    ):
        num_layers = whole(self, "num_layers", num_layers)
        both = flag(self, "bidirectional", bidirectional)
        self.merge = choice(self, "merge", merge, ("concat", "sum", "mul", "ave"))
        self.masked_output = choice(self, "masked_output", masked_output, ("zero", "repeat"))
        self.generator = seeded(self, seed)
        self.batch_first = flag(self, "batch_first", batch_first)
        self.dropout = probability(self, "dropout", dropout)
        self.stateful = flag(self, "stateful", stateful)
        self.zoneout = zoneout
        self.input_dropout, self.recurrent_dropout = input_dropout, recurrent_dropout
        self._observers: list[Callable] = []
        self._state: State | None = None
        if isinstance(cell, Cell) or not callable(cell):
            given: dict[str, Any] = {"input_size": input_size, "hidden_size": hidden_size}
            given |= {"num_layers": num_layers, "bidirectional": both, **options}
            usual = (None, 1, False)
            further = {k: v for k, v in given.items() if k in options or v not in usual}
            cells = finished(self, cell, further)
        else:
            sizes = (input_size, hidden_size)
            cells = built(self, cell, sizes, options, num_layers, 1 + both)
        self.cells = wrapped(self, cells, zoneout, input_dropout, recurrent_dropout)

    # The loop over time
    def __new__(cls, *args: Any, **options: Any) -> Any:
        cell = args[0] if args else options.get("cell")
        known = isinstance(cell, type) and issubclass(cell, Cell)
        check_call(cls, args, options, cell if known else None)
        self = object.__new__(cls)
        self.loop, self.plain = scan, None
        return self

    def with_loop(self, loop: Callable) -> Recurrent:
        """Return this layer with another loop over time; all else the two have in common."""
        twin = object.__new__(type(self))
        twin.__dict__ = self.__dict__  # train(), a kept state, …: a change to one is one to both
        twin.loop, twin.plain = loop, self.plain or self
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.plain is None:
            return super().__reduce_ex__(protocol)
        return Recurrent.with_loop, (self.plain, self.loop)  # a copy has a copy's plain layer

    # Shape of the stack
    @property
    def num_layers(self) -> int:
        return len(self.cells)

    @property
    def bidirectional(self) -> bool:
        return len(self.cells[0]) == 2

    @property
    def input_size(self) -> int:
        return self.cells[0][0].input_size

    @property
    def hidden_size(self) -> int:
        return self.cells[0][0].hidden_size

    @property
    def output_size(self) -> int:
        """Return the size of the output's last axis."""
        return self.width(self.cells[-1])

    def width(self, pair: Sequence[Cell]) -> int:
        """Return the size of what the cells of one layer give together."""
        return sum(c.output_size for c in (pair if self.merge == "concat" else pair[:1]))

    def flat_cells(self) -> list[tuple[str, Cell]]:
        """Return ("_l0", cell), ("_l0_reverse", cell), …: PyTorch's order and endings."""
        return [
            (f"_l{k}" + "_reverse" * d, cell)
            for k, pair in enumerate(self.cells)
            for d, cell in enumerate(pair)
        ]

    def named_tensors(self, prefix: str = "") -> Any:
        for ending, cell in self.flat_cells():
            for name, value in cell.named_tensors():
                yield f"{prefix}{name}{ending}", value

    def __getattr__(self, name: str) -> Any:
        found = re.fullmatch(r"(\w+?)(_l\d+(?:_reverse)?)", name)
        for ending, cell in self.flat_cells() if found and "cells" in vars(self) else ():
            if found and ending == found[2] and hasattr(cell, found[1]):
                return getattr(cell, found[1])
        if name not in Recurrent.__slots__ and name in getattr(self.loop, "offers", ()):
            return getattr(self.loop, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        found = re.fullmatch(r"(\w+?)(_l\d+(?:_reverse)?)", name)
        if found:  # lstm.weight_hh_l0 = w belongs to the cell
            setattr(dict(self.flat_cells())[found[2]], found[1], value)
        else:
            super().__setattr__(name, value)

    def flatten_parameters(self) -> None:
        """Do nothing: cuDNN wants weights in one block, no loop here does."""

    def compile(self, backend: str = "auto", **options: Any) -> Any:
        """Compile this layer's time loop and return it; see `tinygrad_rnn.compile.compile`."""
        return UPPER("compile").compile(self, backend, **options)

    # The run
    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        *,
        lengths: Any = None,
        mask: Any = None,
        trace: bool = False,
        context: Any = None,
    ) -> tuple[Tensor, State]:
        """Return (output, state) over x: (T, B, I), unbatched (T, I), or whole numbers (T, B) or
        (T,).

        lengths (B,) or mask (T, B) mark what is real. A `context` goes to every step of the cells
        that take one, as what an `nn.Attention` remembers of another sequence. With trace=True the
        pair returned also has `.h`, `.c`, `.gate("f")`, … of every step.
        """
        if isinstance(x, PackedSequence):
            return self._packed(x, state, trace=trace, context=context)
        check_kind(x, self)
        check_dtype(self, x, weight_of(self.cells[0][0].core), whole=True)
        xs, alone = self._time_major(x)
        real = time_mask(xs.shape[:2], lengths, mask, self.batch_first and not alone)
        xs = clean(xs, real)
        check_input(xs, self.input_size, self)
        first = self._first_states(state, xs, alone)
        if (context is None) == any(c.takes_context for _, c in self.flat_cells()):
            raise TypeError(f"{type(self).__name__}: {WITHOUT if context is None else UNWANTED}")
        steps, last, runs = self._layers(xs, first, real, trace, context)
        output = self._whole(steps, xs)
        final = self._join(last)
        for observer in self._observers:
            observer(self, state, final)
        if self.stateful:
            self._state = map_state(lambda s: s.detach(), final)
        if alone:
            output, final = output.squeeze(1), map_state(lambda s: s.squeeze(1), final)
        elif self.batch_first:
            output = output.transpose(0, 1)
        return Traced(output, final, runs) if trace else (output, final)

    def _packed(self, x: PackedSequence, state: State | None, **how: Any) -> Any:
        """Return the run over a packed batch, which is time first whatever `batch_first` says."""
        was, self.batch_first = self.batch_first, False
        try:
            found: Any = self.forward(x.padded, state, lengths=x.lengths, **how)
        finally:
            self.batch_first = was
        packed: Any = PackedSequence(found[0], x.lengths)
        return Traced(packed, found[1], found.runs) if how["trace"] else (packed, found[1])

    def _layers(
        self, xs: Steps, first: list[State], real: Any, trace: bool, context: Any
    ) -> tuple[Any, list, list]:
        last: list[State] = []
        runs: list[Any] = []
        for k, pair in enumerate(self.cells):
            if k and self.dropout:
                xs = per_step(self._drop, xs)
            outputs = []
            for d, cell in enumerate(pair):
                run = CellTrace(self.label, k, d, cell) if trace else None
                labels = {"layer": k, "dir": "rev" if d else "fwd", "cell": type(cell).__name__}
                with scope(self.label, **labels):
                    more = (run, context) if cell.takes_context else (run,)
                    steps, end = self.loop(cell, xs, first[len(last)], real, bool(d), *more)
                if self.masked_output == "repeat" and real is not None and len(steps):
                    steps = repeated(steps, real, bool(d))
                outputs.append(steps)
                last.append(end)
                runs.append(run.close() if run else None)
            with scope(self.label, layer=k):
                xs = outputs[0] if len(pair) == 1 else per_step(self._merge, *outputs)
        return xs, last, runs

    def _merge(self, forward: Tensor, reverse: Tensor) -> Tensor:
        if self.merge == "concat":
            return cat((forward, reverse), -1)
        if self.merge == "mul":
            return forward * reverse
        return forward + reverse if self.merge == "sum" else (forward + reverse) / 2

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, training=self.training, generator=self.generator)

    # Shapes in and out
    def _time_major(self, x: Tensor) -> tuple[Tensor, bool]:
        axes = 2 if x.dtype.kind != "f" else 3
        if x.ndim not in (axes - 1, axes):
            order = "B, T" if self.batch_first else "T, B"
            names = f"({order}, I) or (T, I)" if axes == 3 else f"({order}) or (T,) class numbers"
            cure = "" if axes == 3 or x.ndim != 3 else "; if it holds values, call x.float()"
            told = f"expects x as {names}, got shape {x.shape} of {x.dtype}{cure}"
            raise ValueError(f"{type(self).__name__} {told}")
        if x.ndim == axes - 1:
            return x.unsqueeze(1), True
        return (x.transpose(0, 1) if self.batch_first else x), False

    def _whole(self, steps: Steps, xs: Tensor) -> Tensor:
        """Return the outputs of all steps as one Tensor (T, B, width)."""
        if isinstance(steps, Tensor):
            return steps
        if len(steps):
            return stack(list(steps), 0)
        like = self.cells[0][0].like(xs)
        return tensor(
            like.xp.zeros((0, xs.shape[1], self.output_size), like.dtype), device=like.device
        )

    def _first_states(self, state: State | None, xs: Tensor, alone: bool) -> list[State]:
        """Return a first state per cell: zeros, the last call's (stateful) or the one given."""
        state = self._state if state is None and self.stateful else state
        cells = [cell for pair in self.cells for cell in pair]
        blank = [cell.start(xs.shape[1], cell.like(xs)) for cell in cells]
        if state is None:
            return blank
        if isinstance(state, list):  # of cells whose states differ
            check_dtypes(cells, state, blank)
            return state
        if alone and state is not self._state:
            state = map_state(lambda s: s.unsqueeze(1), state)
        check_state(self, state, blank, alone)
        return [map_state(lambda s, k=k: s[k], state) for k in range(len(cells))]

    def _join(self, last: list[State]) -> State:
        """Return the last states stacked part by part; as a list if the cells' states differ."""
        if len(last) == 1:
            return map_state(lambda s: reshape(s, shape=(1, *s.shape)), last[0])
        parts = [parts_of(s) for s in last]
        if len({tuple(p.shape for p in state) for state in parts}) > 1:
            return last
        return map_state(lambda *cells: stack(list(cells), 0), *last)

    def split_state(self, state: State) -> list[list[State]]:
        """Return [layer][direction] → that cell's own state, from h_n or (h_n, c_n)."""
        sides = len(self.cells[0])
        alone = [map_state(lambda s, k=k: s[k], state) for k in range(sides * self.num_layers)]
        return [alone[k : k + sides] for k in range(0, len(alone), sides)]

    def reset_state(self, rows: Any = None) -> None:
        """Forget the kept state (stateful=True), of all sequences or of some rows of the batch."""
        if rows is None or self._state is None:
            self._state = None
            return

        def cleared(s: Tensor) -> Tensor:
            new = s._array.copy()
            new[:, rows] = 0
            return tensor(new, device=s.device)

        self._state = map_state(cleared, self._state)


def check_dtypes(cells: list[Cell], state: list[State], blank: list[State]) -> None:
    """Raise TypeError if a part of a cell's state has another dtype than that of the first one."""
    for cell, given, first in zip(cells, state, blank, strict=False):
        for part, like in zip(parts_of(given), parts_of(first), strict=False):
            check_dtype(cell, part, like, what="state")


def check_state(owner: Recurrent, state: State, blank: list[State], alone: bool) -> None:
    """Raise unless each part is (cells, B, size), in PyTorch's words and ours."""
    wanted, given = parts_of(blank[0]), parts_of(state)
    names = owner.cells[0][0].state_names
    check_parts(owner, names, given, len(wanted))
    for k, (part, like) in enumerate(zip(given, wanted, strict=True)):
        size, got = (len(blank), *like.shape), part.shape
        check_dtype(owner, part, like, what="state")
        if got != size:
            axes = "(L·D, B, H)"
            if alone:
                size, got, axes = size[:1] + size[2:], got[:1] + got[2:], "(L·D, H)"
            told = f"Expected hidden[{k}] size {size}, got {list(got)}"
            raise RuntimeError(f"{called(owner)}: {told}: {names[k]} is {axes}")
