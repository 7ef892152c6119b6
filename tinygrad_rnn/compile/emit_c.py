"""The loops in C: one function per direction, with the element-wise work of a step fused.

A step is a list of stages: matrix products with packed weights, and row stages, in which every row of
the batch runs through a few loops over its columns with all values in registers. Rows do not depend on
each other, so threads take some rows each through the whole of time.
"""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import native
from .ir import Instr, Step, Uncompilable, consumers, depends, make, names_of, rebuild
from .passes import columns, substitute, terms, total
from .phases import RANK
from .plan import Places
from .program import LOOPS, Program

# fmt: off
FORMULA = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}",
    "sigmoid": "sigmoid_of({0})", "tanh": "tanh_of({0})", "exp": "exp_of({0})", "sqrt": "SQRT({0})",
    "log": "LOG({0})", "expm1": "EXPM1({0})", "log1p": "LOG1P({0})", "sin": "SIN({0})",
    "cos": "COS({0})", "erf": "ERF({0})", "power": "POW({0}, {1})", "abs": "ABS({0})",
    "sign": "({0} > 0) - ({0} < 0) + ({0} != {0} ? {0} : 0)", "relu": "{0} < 0 ? 0 : {0}",
    "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}", "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}",
    "where": "{0} ? {1} : {2}", "equal": "{0} == {1}", "not_equal": "{0} != {1}",
    "less": "{0} < {1}", "less_equal": "{0} <= {1}", "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}", "logical_and": "{0} && {1}", "logical_or": "{0} || {1}",
    "logical_not": "!{0}", "clone": "{0}", "astype": "{0}", "broadcast_to": "{0}",
}
TIME = {"steps": "t", "old": "t", "new": "(t + 1)", "came": "((t + 1) & 1)", "goes": "(t & 1)",
        "now": "0"}
# fmt: on
REDUCE = {"sum": ("0", "{0} += {1};"), "amax": ("-INFINITY", "{0} = {1} > {0} || {1} != {1} ? {1} : {0};")}
PRODUCTS = ("matmul", "product_add")
Place = tuple[str, str, int, int]  # buffer, when ("row" for one shared by all rows), offset, width


def prepare(step: Step) -> Step:
    """Nothing is spread out or kept only to be sliced: that needs memory.

    Slices of element-wise results become results of slices; what is broadcast is read as it is.
    """
    step = _added_to(rebuild(step, _unspread))
    while True:
        readers = consumers(step.order())
        kinds = depends(step)
        sliced = {i for i, by in readers.items() if kinds[i] and by and all(map(_cut, by))}

        def rule(i: Instr) -> Instr | None:
            source = i.args[0] if i.op == "getitem" else None
            if source is None or not _cut(i) or source not in sliced or source.op not in FORMULA:
                return None
            wide = source.shape[-1]
            index = (Ellipsis, slice(*columns(i, i.params["index"])))
            parts = [
                make("getitem", a, index=index) if a.width == wide > 1 else a for a in source.args
            ]
            if source.op in ("broadcast_to", "astype", "clamp"):
                return None
            return make(source.op, *parts, gate=i.gate)

        before, step = step, rebuild(step, rule)
        if step.order() == before.order():
            return step


def _added_to(step: Step) -> Step:
    """(b + x W) + h U becomes b + (x W + h U): the product over all steps takes on the other one."""
    readers, new = consumers(step.order()), {}
    kinds, forward = depends(step), step.forward()
    for i in readers:
        parts = terms(i, {a for a in i.args if a.op == "add" and len(readers[a]) == 1})
        products = [t for t in parts if t.op == "matmul" and t.shape == i.shape and t in forward]
        early = [t for t in products if "state" not in kinds[t] and len(readers[t]) == 1]
        late = [t for t in products if "state" in kinds[t] and len(readers[t]) == 1]
        if i.op == "add" and early and late and not kinds[late[0].args[1]] and kinds[early[0]]:
            both = make("product_add", early[0], *late[0].args, gate=i.gate)
            new[i] = total([*(t for t in parts if t not in (early[0], late[0])), both])
    return substitute(step, {i: t for i, t in new.items() if t.shape == i.shape})


def _unspread(i: Instr) -> Instr | None:
    """`a + broadcast(b)` is `a + b` where the shape of `a` says enough."""
    spread = [a.op == "broadcast_to" for a in i.args]
    if i.op not in FORMULA or not any(spread) or len(i.shape) != 2:
        return None
    args = [a.args[0] if s else a for a, s in zip(i.args, spread)]
    enough = any(a.shape == i.shape for a in args)
    return make(i.op, *args, gate=i.gate, **i.params) if enough else None


def _cut(i: Instr) -> bool:
    return i.op == "getitem" and columns(i, i.params["index"]) is not None


def follows(i: Instr) -> bool:
    """Columns of biases and the like are found by their offset."""
    return i.op == "getitem" and i.args[0].op != "const" and len(i.args[0].shape) < 3 and _cut(i)


def light(i: Instr) -> bool:
    """Row-wise work that a loop over columns does while the row is in cache."""
    if len(i.shape) != 2:
        return False
    if i.op == "getitem":
        return _cut(i)
    if i.op == "concatenate":
        return i.params["axis"] in (-1, 1)
    if i.op in REDUCE:
        return i.params["axis"] in (-1, 1, (-1,), (1,)) and i.params["keepdims"]
    return i.op in FORMULA or i.op == "clamp"


class CLoops:
    """The two loops as one C library."""

    name = "c"

    def __init__(self, program: Program, threads: int | None = None):
        self.program, self.places = program, Places(program)
        self.rows = program.step.y.shape[0]
        self.real = np.dtype(program.step.y.dtype)
        self.names = names_of(program.order)
        self.buffers: dict[tuple[str, Instr | int], str] = {}  # what each pointer points to
        self.place: dict[Instr, Place] = {}
        self._check()
        self.stages = {name: stages(program, program.loop(name)) for name in LOOPS}
        self.alias: dict[Instr, tuple[Instr, int]] = {}  # values that took over another's memory
        self._reuse()
        self.overwrites = any(program.phase[i] == "backward" for i in self.alias)
        self.code = "\n".join([HEAD, *(self._function(name) for name in LOOPS)])
        single = self.real == np.float32
        defines = (f"REAL={'float' if single else 'double'}", f"SINGLE={int(single)}")
        text = Path(__file__).with_name("kernels.h").read_text()
        self.library = native.load(text + self.code, defines)
        size, pointer = ctypes.c_long, ctypes.c_void_p
        self.library.pack.argtypes = [size, size, pointer, size, size, pointer]
        for name in LOOPS:
            getattr(self.library, name).argtypes = [size, size, size, size, pointer]
        wide = os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))
        self.threads = max(1, min(threads or int(wide), self.rows // 4))

    def _check(self) -> None:
        """Refuses what is not row-wise, by name."""
        if self.real not in (np.float32, np.float64):
            raise Uncompilable(f"the C loops compute in float32 or float64, not {self.real}")
        for name in LOOPS:
            for i in self.program.loop(name):
                product = i.op in PRODUCTS and all(len(a.shape) == 2 for a in i.args)
                product = product and i.args[-1] not in self.program.varies
                if not (product or light(i)) or i.shape[0] != self.rows:
                    raise Uncompilable(f"the C loops have no {i.op} to {i.shape} in the {name} loop")
                for v in (i, *i.args):
                    if v.dtype is not None and v.dtype not in (self.real, np.bool_):
                        raise Uncompilable(f"the C loops have no {v.dtype} (in {i.op})")

    # Memory
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
        if _cut(i) and (i in p.varies or i.args[0].op != "const"):
            buffer, when, offset, wide = self.where(i.args[0])
            return buffer, when, offset + columns(i, i.params["index"])[0], wide
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

        A row loop reads all its operands of a column before it writes, so what it reads for the last
        time can be overwritten: gates take the place of their pre-activations, gradients that of gates.
        """
        p = self.program
        self.reading: dict[Instr, list[Instr]] = {}
        for i in p.order:
            for a in i.args if not _cut(i) else ():
                self.reading.setdefault(p.source(a), []).append(i)
        sums = [i for i in p.order if i.op == "product_add" and p.phase[i] == "forward"]
        self.gone = {i.args[0] for i in sums}
        for i in sums:
            self._take(i, i.args[0], 0)
        for name in LOOPS:
            for stage in self.stages[name]:
                for group in groups(stage, set(p.loop(name))) if stage[0].op not in PRODUCTS else ():
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
        cuts = {columns(a, a.params["index"]) if _cut(a) else (0, v.width)
                for i in inside for a in i.args if self.program.source(a) is v}  # fmt: skip
        ordered = sorted(c for c in cuts if c)
        apart = all(a[1] <= b[0] for a, b in zip(ordered, ordered[1:]))
        return ordered if apart else []

    # Text
    def _function(self, name: str) -> str:
        body = [line for stage in self.stages[name] for line in self._stage(name, stage)]
        body += self._copies(name)
        order = "t = 0; t < T; t++" if name == "forward" else "t = T - 1; t >= 0; t--"
        used = [b for b in self.buffers.items() if any(b[1] in line for line in body)]
        heads = [f"  {self._type(k)} *{b} = p[{self._index(b)}];" for k, b in used]
        lines = [f"void {name}(long T, long B, long first, long last, void **p) {{", *heads]
        return "\n".join([*lines, f"  for (long {order}) {{", *body, "  }", "}"])

    def _index(self, name: str) -> int:
        return list(self.buffers.values()).index(name)

    def _type(self, key: tuple[str, Instr | int]) -> str:
        boolean = isinstance(key[1], Instr) and key[1].dtype == np.bool_
        return "unsigned char" if boolean else "real"

    def _stage(self, name: str, stage: list[Instr]) -> list[str]:
        if stage[0].op in PRODUCTS:
            return [line for i in stage for line in self._product(i)]
        needed = self._stored(name, stage)
        lines = ["    for (long b = first; b < last; b++) {"]
        pointers: dict[Place, str] = {}
        for group in groups(stage, set(self.program.loop(name))):
            one = Group(self, group, needed, stage, pointers)
            lines += ["      " + line for line in one.lines()]
        return [*lines, "    }"]

    def _product(self, i: Instr) -> list[str]:
        a, w = i.args[-2:]
        left, to = (self.pointer(self.where(v), "first") for v in (a, i))
        sizes = f"last - first, {i.width}, {a.width}"
        packed = self.buffer("packed", w)
        step = f"{left}, {self.where(a)[3]}, {packed}, {to}, {self.where(i)[3]}, {len(i.args) - 2}"
        return [f"    product({sizes}, {step}); /* {self.names[i]} */"]

    def _stored(self, name: str, stage: list[Instr]) -> set[Instr]:
        """What must be in memory: read by another stage or outside the loop, or part of a whole."""
        p = self.program
        inside = {i: k for k, group in enumerate(groups(stage, set(p.loop(name)))) for i in group}
        keep = {i for i in stage if i in p.kept or i in p.home or i in self.places.carried}
        keep |= {i for i in stage if i in self.places.placed}
        keep |= {self.places.owner(i) for _, i in self.places.copies(name) if i is not None}
        for i in p.loop(name):
            for a in i.args:
                other = i not in inside or (inside[i] != inside.get(a) and a.width > 1)
                if other or _cut(i):
                    keep |= {a, p.source(a)}
                if _cut(a):
                    keep.add(p.source(a))
        return keep

    def _copies(self, name: str) -> list[str]:
        lines = []
        for k, i in self.places.copies(name):
            kind, when = ("state", "new") if name == "forward" else ("carry", "goes")
            state = self.program.step.states[k]
            to = self.pointer((self.buffer(kind, k), when, 0, state.width))
            value = "0" if i is None else f"({self.pointer(self.where(i))})[{'j' if i.width > 1 else 0}]"
            loop = f"for (long j = 0; j < {state.width}; j++) ({to})[j] = {value};"
            lines += ["    for (long b = first; b < last; b++)", f"      {loop}"]
        return lines

    def source(self) -> str:
        return self.code

    def workspace(self, steps: int) -> CWorkspace:
        return CWorkspace(self, steps)


class Group:
    """One loop over columns: instructions of one width, their values in registers."""

    def __init__(self, loops: CLoops, group: list[Instr], needed: set[Instr], stage: list[Instr],
                 pointers: dict[Place, str]):  # fmt: skip
        self.loops, self.group, self.needed, self.stage = loops, group, needed, set(stage)
        self.inside = set(group)
        self.wide = group[0].args[0].width if group[0].op in REDUCE else group[0].width
        self.pointers = pointers  # of the whole stage: a row's addresses are taken once
        self.heads: list[str] = []
        self.loads: dict[str, str] = {}  # operands are read before anything is written over them

    def lines(self) -> list[str]:
        body = [line for i in self.group for line in self.statement(i)]
        body = [*self.loads.values(), *body]
        sums = [i for i in self.group if i.op in REDUCE]
        ends = [self.store(i, "0") for i in sums if i in self.needed]
        starts = [f"real {self.loops.names[i]} = {REDUCE[i.op][0]};" for i in sums]
        heads = [*self.heads, *starts]
        if self.wide == 1 or self.group[0].op == "concatenate":
            return heads + body
        added = ", ".join(self.loops.names[i] for i in sums if i.op == "sum")
        simd = f"#pragma omp simd{f' reduction(+ : {added})' if added else ''}"
        vector = [] if any(i.op == "amax" for i in sums) else [simd]
        loop = [f"for (long j = 0; j < {self.wide}; j++) {{", *("  " + line for line in body), "}"]
        return heads + vector + loop + ends

    def statement(self, i: Instr) -> list[str]:
        name = self.loops.names[i]
        if i.op == "concatenate":
            return self.gather(i)
        values = [self.read(a) for a in i.args]
        if i.op in REDUCE:
            return [REDUCE[i.op][1].format(name, values[0])]
        kind = "int" if i.dtype == np.bool_ else "real"
        comment = f" /* {i.gate} */" if i.gate and i.op in ("sigmoid", "tanh") else ""
        lines = [f"{kind} {name} = {formula(i, values)};{comment}"]
        if i in self.needed:
            lines.append(self.store(i, "j" if self.wide > 1 else "0"))
        return lines

    def gather(self, i: Instr) -> list[str]:
        """Parts of a concatenation that were not computed in their place."""
        lines, at = [], 0
        buffer, when, offset, wide = self.loops.where(i)
        for part in i.args:
            if self.loops.places.placed.get(part) != (i, at):
                to = self.loops.pointer((buffer, when, offset + at, wide))
                value = "0" if not part.shape else f"({self.loops.pointer(self.loops.where(part))})[k]"
                lines.append(f"for (long k = 0; k < {part.width}; k++) ({to})[k] = {value};")
            at += part.width
        return lines

    def store(self, i: Instr, column: str) -> str:
        return f"{self.at(i)}[{column}] = {self.loops.names[i]};"

    def at(self, i: Instr) -> str:
        """The name of a pointer to the row of `i`."""
        place = self.loops.where(i)
        if place not in self.pointers:
            kind = "unsigned char" if i.dtype == np.bool_ else "real"
            self.pointers[place] = name = f"{self.loops.names[i]}_"
            self.heads.append(f"{kind} *{name} = {self.loops.pointer(place)};")
        return self.pointers[place]

    def read(self, a: Instr) -> str:
        names = self.loops.names
        if a.op == "const" and not a.shape:
            return literal(a.value)
        row_value = a in self.stage and a.width == 1
        if (a in self.inside and not _cut(a)) or (row_value and not _cut(a)):
            return names[a]
        pointer, column = self.at(a), "j" if a.width > 1 else "0"
        local = f"{pointer}{column}"
        kind = "int" if a.dtype == np.bool_ else "real"
        self.loads[local] = f"{kind} {local} = {pointer}[{column}];"
        return local


def formula(i: Instr, values: list[str]) -> str:
    if i.op == "power" and values[1] in ("2.0f", "2.0", "2"):
        return f"{values[0]} * {values[0]}"
    if i.op == "clamp":
        low, high = i.params["low"], i.params["high"]
        text = values[0]
        text = text if low is None else f"({text} < {literal(low)} ? {literal(low)} : {text})"
        return text if high is None else f"({text} > {literal(high)} ? {literal(high)} : {text})"
    return FORMULA[i.op].format(*values)


def literal(value: Any) -> str:
    """A number in C, exact."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        return {"inf": "INFINITY", "-inf": "-INFINITY"}.get(str(number), "NAN")
    return f"(real){number!r}"


def stages(program: Program, loop: list[Instr]) -> list[list[Instr]]:
    """The loop's work as alternating lists of products and of row-wise instructions."""
    inside, done, found = set(loop), set(), []
    todo = list(loop)
    while todo:
        for product in (True, False):
            stage = []
            for i in todo:
                ready = all(a not in inside or a in done for a in i.args)
                if ready and (i.op in PRODUCTS) == product:
                    stage.append(i)
                    if not product:
                        done.add(i)
                elif ready and _cut(i):
                    done.add(i)
            done |= set(stage)
            todo = [i for i in todo if i not in done]
            stage = [i for i in stage if not _cut(i)]
            found += [stage] if stage else []
    return found


def groups(stage: list[Instr], inside: set[Instr]) -> list[list[Instr]]:
    """A row stage as loops over columns: equal widths together, as far as the order allows."""
    width = lambda i: i.args[0].width if i.op in REDUCE else i.width
    todo, done, found = list(stage), set(), []
    mine = set(stage)
    while todo:
        wide, group = width(todo[0]), []
        whole = todo[0].op == "concatenate"
        for i in todo:
            sources = [a.args[0] if _cut(a) else a for a in i.args]
            usable = [s for s in sources if s in mine and s not in done]
            fits = width(i) == wide and (i.op == "concatenate") == whole
            if fits and all(s in group and s.op not in REDUCE for s in usable):
                viewed = any(_cut(a) and s in group for a, s in zip(i.args, sources))
                if not viewed and not (whole and group):
                    group.append(i)
        if not group:
            raise Uncompilable("the C loops cannot order the row-wise work")
        done |= set(group)
        todo = [i for i in todo if i not in done]
        found.append(group)
    return found


class CWorkspace:
    """The memory of one run of T steps, and the table of pointers to it."""

    def __init__(self, loops: CLoops, steps: int):
        self.loops, self.steps = loops, steps
        p, real = loops.program, loops.real
        self.table = (ctypes.c_void_p * len(loops.buffers))()
        self.inputs: dict[Instr, Any] = {}
        self.states = [np.empty((steps + 1, *s.shape), real) for s in p.step.states]
        self.carry = [np.empty((2, *s.shape), real) for s in p.step.dstates]
        self.all: dict[Instr, np.ndarray] = {}
        self.held: list[Any] = []
        self.flat: np.ndarray | None = None
        self.slot_of_state = {of: n for n, (kind, of) in enumerate(loops.buffers) if kind == "state"}
        self.slots: dict[Instr, list[tuple[str, int]]] = {}
        self.dtype = {i: i.dtype or real for _, i in loops.buffers if isinstance(i, Instr)}
        B, threads = loops.rows, loops.threads
        self.cuts = [B * k // threads for k in range(threads + 1)]
        for slot, (kind, of) in enumerate(loops.buffers):
            self._fill(slot, kind, of)
        for i, (memory, at) in loops.alias.items():
            self.all[i] = self.all[memory][..., at : at + i.width]
        for i in p.kept:
            if i in loops.places.placed:
                whole, at = loops.places.placed[i]
                self.all[i] = self.all[whole][..., at : at + i.width]
        self.fixed_env = p.fixed_env(self)
        self.weights: dict[str, Any] = {}  # of the last run, and what was made of them

    def _fill(self, slot: int, kind: str, of: Any) -> None:
        """Memory for one entry of the table; inputs get theirs when they are loaded."""
        if kind in ("x", "dy", "fixed", "packed"):
            self.inputs[of] = None
            self.slots.setdefault(of, []).append((kind, slot))
        if kind in ("x", "dy"):
            return
        wide = self.loops.library.panel_width()
        array = {
            "state": lambda: self.states[of],
            "carry": lambda: self.carry[of],
            "kept": lambda: self.all.setdefault(of, np.empty((self.steps, *of.shape), of.dtype)),
            "once": lambda: np.empty(of.shape, of.dtype),
            "fixed": lambda: np.array(of.value, of.dtype or self.loops.real),
            "packed": lambda: np.empty(of.shape[0] * -(-of.width // wide) * wide, of.dtype),
        }[kind]()
        self.held.append(array)
        self.table[slot] = address(array)
        if of in self.inputs and of.op == "const":
            self.load(of, of.value)

    def load(self, i: Instr, array: Any) -> None:
        """Points the table to an input; weights of products are packed into panels."""
        for kind, slot in self.slots[i]:
            if kind == "packed":
                W = array if array.dtype == self.loops.real else array.astype(self.loops.real)
                strides = [s // W.itemsize for s in W.strides]
                self.loops.library.pack(*W.shape, address(W), *strides, self.table[slot])
            else:
                self.inputs[i] = whole = np.ascontiguousarray(array, dtype=self.dtype[i])
                self.table[slot] = address(whole)

    def begin(self) -> None:
        """If the output is a state, its array becomes the result, new in every run: no copy then."""
        p, k = self.loops.program, self.loops.program.home.get(self.loops.program.step.y)
        if k is not None:
            one = self.states[k][0].size
            self.flat = np.empty((self.steps + 1) * one + sum(s[0].size for s in self.states), self.loops.real)
            self.states[k] = self.flat[: (self.steps + 1) * one].reshape(self.states[k].shape)
            self.table[self.slot_of_state[k]] = address(self.flat)
            self.fixed_env[p.step.states[k]] = self.states[k][:-1]
            self.fixed_env[p.step.y] = self.states[k][1:]

    def result(self, y: Any) -> Any:
        """`y` and the last states as one flat array of the caller's own."""
        ends = [state[-1].reshape(-1) for state in self.states]
        if self.flat is None:
            return np.concatenate([y.reshape(-1), *ends])
        at = self.flat.size
        for end in reversed(ends):
            self.flat[at - end.size : at] = end
            at -= end.size
        return self.flat[at - y.size :]

    def run(self, name: str) -> None:
        loop = getattr(self.loops.library, name)
        if len(self.cuts) == 2:
            loop(self.steps, self.loops.rows, 0, self.loops.rows, self.table)
        else:
            calls = [(self.steps, self.loops.rows, a, b, self.table)
                     for a, b in zip(self.cuts, self.cuts[1:])]  # fmt: skip
            list(pool().map(lambda call: loop(*call), calls))


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@cache
def pool() -> ThreadPoolExecutor:
    """Threads that take rows; C code runs outside of Python's lock."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="tinygrad_rnn")


HEAD = """
#if SINGLE
#define SQRT sqrtf
#define LOG logf
#define EXPM1 expm1f
#define LOG1P log1pf
#define SIN sinf
#define COS cosf
#define ERF erff
#define POW powf
#define ABS fabsf
#else
#define SQRT sqrt
#define LOG log
#define EXPM1 expm1
#define LOG1P log1p
#define SIN sin
#define COS cos
#define ERF erf
#define POW pow
#define ABS fabs
#endif
"""


Loops = CLoops
