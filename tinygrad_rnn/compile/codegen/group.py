"""Write one nest of loops over a row's entries, its values in registers, for `row_text`."""

from __future__ import annotations

from typing import Any

from ..passes import is_beside
from ..program import Instr
from . import comments, nests, rows
from .memory import Location
from .rows import ADDED, APART, START, is_number, kind_of, literal, nest


class Group:
    """One nest of loops: instructions of the same sizes, their values in registers."""

    def __init__(self, text: Any, group: list[Instr], stage: list[Instr],
                 pointers: dict[Location, str]):  # fmt: skip
        self.text, self.names, self.group, self.stage = text, text.names, group, stage
        self.sizes, self.pointers = nest(group[0]), pointers
        self.looped = [k for k, n in enumerate(self.sizes) if n > 1]
        self.heads: list[str] = []
        self.loads: dict[str, str] = {}  # operands are read before anything is written over them

    def lines(self) -> list[str]:
        """Return the text of the loops."""
        if self.group[0].op in APART:
            return self.apart(self.group[0])
        body = [line for i in self.group for line in self.statement(i)]
        ends = [i for i in self.group if i.op in START]
        whole = [i for i in ends if is_number(i)]  # the sum of a row is one number
        across = [i for i in ends if i not in whole and self.is_along(i)]
        starts = [f"real {self.names[i]} = {START[i.op]};" for i in whole]
        starts += [line for i in ends if i not in whole for line in self.emptied(i)]
        stored = [line for i in whole for line in self.store(i)]
        loads = list(self.loads.values())
        if not self.looped:  # all threads of a row compute it: they read before one writes
            return [*self.heads, *starts, *loads, "SYNC", *body, *stored]
        added = ", ".join(self.names[i] for i in whole + across)
        each = "EACH_SUM({}, " + added + ")" if added else "EACH({})"
        each = "EACH_MAX({})" if any(i.op != "sum" for i in ends) else each
        gathered = [f"GATHER_{i.op}({self.names[i]});" for i in whole]
        inner = [f"{each.format(self.sizes[self.looped[-1]])} {{",
                 *("  " + line for line in loads + body), "}"]  # fmt: skip
        inner = [f"real {self.names[i]} = {START[i.op]};" for i in across] + inner
        inner += [self.added(i, self.names[i]) for i in across]
        for k in reversed(self.looped[:-1]):
            inner = [f"{nests.count(k, self.sizes[k])} {{", *("  " + line for line in inner), "}"]
        return [*self.heads, *starts, *inner, *gathered, *stored]

    def apart(self, i: Instr) -> list[str]:
        """Return the loops of an operation whose operands and result are in memory."""
        if i.op == "matmul":
            return self.product(i)
        if is_beside(i):
            return [self.text.copy(*at) for at in self.text.memory.missing(i)]
        blank = f"{self.entry(i, self.made_at(i), i.shape[1:])} = 0;"
        emptied = nests.loops(i.shape[1:], [blank]) if i.op == "put" else []
        return self.heads + emptied + [self.text.moved(*piece)
                                       for piece in nests.pieces(self.text.memory, i)]  # fmt: skip

    def statement(self, i: Instr) -> list[str]:
        values = [self.read(a) for a in i.args]
        if i.op in START:
            apart = not is_number(i) and not self.is_along(i)
            named = ADDED[i.op].format(self.names[i], values[0])
            return [self.added(i, values[0]) if apart else named]
        comment = (
            f" /* {comments.comment(i.gate)} */" if i.gate and i.op in ("sigmoid", "tanh") else ""
        )
        line = f"{kind_of(i, 'int')} {self.names[i]} = {rows.formula(i, values)};{comment}"
        return [line, *self.store(i)]

    def is_along(self, i: Instr) -> bool:
        """Return True for a sum along the innermost loop: a register holds it meanwhile."""
        return self.looped[-1] + 1 in rows.axes_of(i)

    def is_over(self, i: Instr) -> bool:
        """Return True for a sum along the innermost loop alone."""
        return [k for k in self.looped if k + 1 in rows.axes_of(i)] == self.looped[-1:]

    def added(self, i: Instr, value: str) -> str:
        """Return what adds a value to a sum in memory."""
        to = self.entry(i, self.made_at(i))
        return f"{to} = {value};" if self.is_over(i) else ADDED[i.op].format(to, value)

    def emptied(self, i: Instr) -> list[str]:
        """Return the loops that set sums in memory to what nothing adds up to."""
        if self.is_over(i):
            return []
        sizes = [1 if k + 1 in rows.axes_of(i) else n for k, n in enumerate(self.sizes)]
        return nests.loops(sizes, [f"{self.entry(i, self.made_at(i), sizes)} = {START[i.op]};"])

    def made_at(self, i: Instr) -> nests.Reach:
        """Return where the loops write a result."""
        return nests.Reach(nests.reach(self.text.memory, i).place,
                           nests.result_strides(self.text.memory, i))  # fmt: skip

    def store(self, i: Instr) -> list[str]:
        stored = i in self.text.stored
        return [f"{self.entry(i, self.made_at(i))} = {self.names[i]};"] if stored else []

    def entry(self, i: Instr, where: tuple, sizes: Any = None) -> str:
        """Return the text of an entry within the loops."""
        place, strides = where
        sizes = self.sizes if sizes is None else sizes
        at = nests.index(nests.against(strides, len(sizes)), sizes)
        return f"{self.pointer(i, place)}[{at}]"

    def pointer(self, i: Instr, place: Location) -> str:
        """Return the name of a pointer to a row."""
        if place not in self.pointers:
            name = self.pointers[place] = f"{self.names[i]}_"
            kind = kind_of(i, "unsigned char")
            self.heads.append(f"{kind} *{name} = {self.text.pointer(place)};")
        return self.pointers[place]

    def read(self, a: Instr) -> str:
        """Return an operand within the loops: a number, a register, or one filled from memory."""
        if a.op == "const" and not a.shape:
            return literal(a.value)
        shown = a in self.text.program.views
        if not shown and (a in self.group or a in self.stage and is_number(a)):
            return self.names[a]
        entry = self.entry(a, nests.reach(self.text.memory, a))
        known = entry.endswith(("[j]", "[0]"))
        local = entry.replace("[", "").rstrip("]") if known else f"{self.names[a]}_at"
        if not self.looped:  # not within braces: another group may read it too, later
            local += f"_{self.stage.index(self.group[0])}"
        self.loads[local] = f"{kind_of(a, 'int')} {local} = {entry};"
        return local

    def product(self, i: Instr) -> list[str]:
        """Return a row's own product: sums along the loop, or columns added to columns."""
        *outer, columns = self.sizes
        depth, dims = i.args[0].shape[-1], len(self.sizes)
        spots = [nests.reach(self.text.memory, v) for v in (*i.args, i)]
        left, right, made = (self.pointer(v, at.place) for v, at in zip((*i.args, i), spots))
        (*down, step), (*along, deep, wide), (*to, apart) = (
            nests.against(at.strides, dims) for at in spots
        )
        plus = lambda strides: "".join(f" + j{k} * {s}" for k, s in enumerate(strides) if s)
        read = f"{left}{plus(down)}, {right}{plus(along)}, {made}{plus(to)}"
        body = [f"row_product({read}, {depth}, {step}, {columns}, {deep}, {wide}, {apart});"]
        for k in [k for k, n in enumerate(outer) if n > 1][::-1]:
            body = [f"{nests.count(k, outer[k])} {{", *("  " + line for line in body), "}"]
        return [*self.heads, *body]
