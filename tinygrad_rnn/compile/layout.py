"""Memory of the native loops: which pointer, and how far behind it, holds the rows of each value.

A value is found by the name of a buffer, by what of time selects in it, by a column and by the
width of the buffer's rows. Values kept for all steps take over the columns of values that nobody
reads any more.
"""

from __future__ import annotations

import numpy as np

from .ir import Instr, Uncompilable, names_of
from .passes import columns
from .phases import RANK
from .plan import Places
from .program import LOOPS, Program
from .rows import PRODUCTS, groups, is_cut, light, stages

TIME = {"steps": "t", "old": "t", "new": "(t + 1)", "came": "((t + 1) & 1)", "goes": "(t & 1)",
        "now": "0"}  # fmt: skip
Place = tuple[str, str, int, int]  # buffer, when ("row" for one shared by all rows), offset, width


class Layout:
    """The buffers of a program's loops and the place of every value in them."""

    def __init__(self, program: Program):
        self.program, self.places = program, Places(program)
        self.rows = program.step.y.shape[0]
        self.real = np.dtype(program.step.y.dtype)
        self.names = names_of(program.order)
        self.buffers: dict[tuple[str, Instr | int], str] = {}  # what each pointer points to
        self.place: dict[Instr, Place] = {}
        self.alias: dict[Instr, tuple[Instr, int]] = {}  # values that took over another's memory
        self._check()
        self.fuse = "fuse" not in program.without
        self.stages = {name: stages(program, program.loop(name)) for name in LOOPS}
        self._reuse()
        self.overwrites = any(program.phase[i] == "backward" for i in self.alias)

    def _check(self) -> None:
        """Refuses what is not row-wise, by name."""
        if self.real not in (np.float32, np.float64):
            raise Uncompilable(f"native loops compute in float32 or float64, not {self.real}")
        for name in LOOPS:
            for i in self.program.loop(name):
                product = i.op in PRODUCTS and all(len(a.shape) == 2 for a in i.args)
                product = product and i.args[-1] not in self.program.varies
                if not (product or light(i)) or i.shape[0] != self.rows:
                    raise Uncompilable(
                        f"native loops have no {i.op} to {i.shape} in the {name} loop"
                    )
                for v in (i, *i.args):
                    if v.dtype is not None and v.dtype not in (self.real, np.bool_):
                        raise Uncompilable(f"native loops have no {v.dtype} (in {i.op})")

    def buffer(self, kind: str, of: Instr | int) -> str:
        """The name of a pointer; asked for the first time, it is added to the table."""
        return self.buffers.setdefault((kind, of), f"{kind}{len(self.buffers)}")

    def where(self, i: Instr) -> Place:
        """Buffer, time, offset and width of the rows that hold `i`."""
        if i not in self.place:
            self.place[i] = self._where(i)
        return self.place[i]

    def _where(self, i: Instr) -> Place:
        p, number = self.program, i.params.get("number", 0)
        if i in self.places.placed:
            whole, at = self.places.placed[i]
            buffer, when, offset, wide = self.where(whole)
            return buffer, when, offset + at, wide
        if is_cut(i) and (i in p.varies or i.args[0].op != "const"):
            buffer, when, offset, wide = self.where(i.args[0])
            start, _ = columns(i, i.params["index"]) or (0, 0)
            return buffer, when, offset + start, wide
        if i not in p.varies:
            when = "now" if len(i.shape) == 2 and i.shape[0] == self.rows > 1 else "row"
            return self.buffer("fixed", i), when, 0, i.width
        if i.op in ("x", "dy"):
            return self.buffer(i.op, i), "steps", 0, i.width
        if i.op == "state" or i in p.home:
            number = p.home.get(i, number)
            return self.buffer("state", number), "new" if i in p.home else "old", 0, i.width
        if i.op == "dstate" or i in self.places.carried:
            number = self.places.carried.get(i, number)
            when = "goes" if i in self.places.carried else "came"
            return self.buffer("carry", number), when, 0, i.width
        if i in p.kept:
            return self.buffer("kept", i), "steps", 0, i.width
        return self.buffer("once", i), "now", 0, i.width

    def pointer(self, place: Place, row: str = "b") -> str:
        """C for the address of a row."""
        buffer, when, offset, wide = place
        tail = f" + {offset}" if offset else ""
        if when == "row":
            return buffer + tail
        time = TIME[when]
        at = row if time == "0" else f"({time} * B + {row})"
        return f"{buffer} + {at} * {wide}{tail}"

    # Memory that is used again
    def _reuse(self) -> None:
        """Values kept for all steps take the place of values that nobody reads any more.

        A row loop reads all its operands of a column before it writes, so what it reads for the
        last time can be overwritten: gates take the place of their pre-activations, gradients that
        of gates.
        """
        p = self.program
        self.reading: dict[Instr, list[Instr]] = {}
        for i in p.order:
            for a in i.args if not is_cut(i) else ():
                self.reading.setdefault(p.source(a), []).append(i)
        sums = [i for i in p.order if i.op == "product_add" and p.phase[i] == "forward"]
        self.gone = {i.args[0] for i in sums}
        for i in sums:
            self._take(i, i.args[0], 0)
        if "plan" in p.without:
            return
        for name in LOOPS:
            for stage in self.stages[name]:
                for group in groups(stage, self.fuse) if stage[0].op not in PRODUCTS else ():
                    self._reuse_in(name, group)

    def _take(self, i: Instr, memory: Instr, at: int) -> None:
        buffer, when, offset, wide = self.where(memory)
        self.place[i] = buffer, when, offset + at, wide
        self.alias[i] = memory, at

    def _reuse_in(self, name: str, group: list[Instr]) -> None:
        inside, kept, placed = set(group), self.program.kept, self.places.placed
        slots = self._slots(name, inside)
        wholes = {placed[i][0]: None for i in group if i in placed}
        for i in [*(w for w in wholes if set(w.args) <= inside), *group]:
            if i not in kept or i in self.place or i in placed or i.dtype != self.real:
                continue
            fitting = [s for s in slots if s[2] - s[1] == i.width]
            if fitting:
                memory, start, stop = fitting[0]
                self._take(i, memory, start)
                slots = [s for s in slots if s[0] is not memory or s[2] <= start or stop <= s[1]]

    def _slots(self, name: str, inside: set[Instr]) -> list[tuple[Instr, int, int]]:
        """(memory, start, stop): columns that nobody reads after the rows of this group."""
        tenants: dict[Instr, list[tuple[Instr, int]]] = {}
        for v in [*self.program.kept, *(i for i in self.alias if i not in self.program.kept)]:
            memory, at = self.alias.get(v, (v, 0))
            if v not in self.gone and v.dtype == self.real and v not in self.places.placed:
                tenants.setdefault(memory, []).append((v, at))
        found: list[tuple[Instr, int, int]] = []
        for memory, those in tenants.items():
            live = [(v, at, readers) for v, at in those if (readers := self._readers(v, name))]
            dying = [(v, at) for v, at, readers in live if set(readers) <= inside]
            for v, at in dying:
                found += [(memory, at + a, at + b) for a, b in self._cuts(v, inside)]
            if dying and len(dying) == len(live):
                found.append((memory, 0, memory.width))
        return found

    def _readers(self, v: Instr, name: str) -> list[Instr | None]:
        """Who reads `v` in a loop or later; None stands for the caller."""
        p = self.program
        late = [i for i in self.reading.get(v, ()) if RANK[p.phase[i]] >= RANK[name]]
        return [*late, *([None] if v in p.step.roots() else [])]

    def _cuts(self, v: Instr, inside: set[Instr]) -> list[tuple[int, int]]:
        """The column ranges of `v` that are read, if they do not overlap."""
        cuts = {columns(a, a.params["index"]) if is_cut(a) else (0, v.width)
                for i in inside for a in i.args if self.program.source(a) is v}  # fmt: skip
        ordered = sorted(c for c in cuts if c)
        apart = all(a[1] <= b[0] for a, b in zip(ordered, ordered[1:]))
        return ordered if apart else []
