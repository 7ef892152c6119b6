"""Split row-wise work into loops over a row's columns, in order, for `emit_c` and `row_text`.

The native emitters (C, CUDA) see a phase as stages: products with weights, and between them row
stages, in which each row goes through a few loops over its columns with all values in registers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..passes import columns, is_beside
from ..phases import Program
from ..program import Instr, Step, Uncompilable, consumers, depends, make, splits

FUNCTIONS = "sqrt log expm1 log1p sin cos tan asin acos atan sinh cosh erf floor ceil trunc"
# fmt: off
FORMULA = {name: name + "({0})" for name in FUNCTIONS.split()} | {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}",
    "power": "pow({0}, {1})", "atan2": "atan2({0}, {1})", "hypot": "hypot({0}, {1})",
    "fmod": "fmod({0}, {1})", "remainder": "remainder_of({0}, {1})", "sigmoid": "sigmoid_of({0})",
    "tanh": "tanh_of({0})", "exp": "exp_of({0})", "relu": "{0} < 0 ? 0 : {0}", "abs": "fabs({0})",
    "sign": "({0} > 0) - ({0} < 0) + ({0} != {0} ? {0} : 0)", "clone": "{0}", "astype": "{0}",
    "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}", "where": "{0} ? {1} : {2}",
    "equal": "{0} == {1}", "not_equal": "{0} != {1}", "less": "{0} < {1}", "broadcast_to": "{0}",
    "less_equal": "{0} <= {1}", "greater": "{0} > {1}", "greater_equal": "{0} >= {1}",
    "logaddexp": "{0} == {1} ? {0} + (real)0.6931471805599453 : {0} > {1} ? "
    "{0} + log1p(exp_of({1} - {0})) : {1} + log1p(exp_of({0} - {1}))",  # ∞ − ∞ would be NaN
    "logical_and": "{0} && {1}", "logical_or": "{0} || {1}", "logical_not": "!{0}",
}
# fmt: on
APART = (
    "concatenate",
    "stack",
    "put",
    "matmul",
)  # what reads and writes memory in loops of its own
VIEWS = ("getitem", "reshape", "transpose")
START = {"sum": "0", "amax": "-INFINITY", "amin": "INFINITY"}
ADDED = {
    "sum": "{0} += {1};",
    "amax": "{0} = {1} > {0} || {1} != {1} ? {1} : {0};",
    "amin": "{0} = {1} < {0} || {1} != {1} ? {1} : {0};",
}


def is_cut(i: Instr) -> bool:
    return i.op == "getitem" and columns(i) is not None


def summed(i: Instr) -> list[Instr]:
    """Return the matrices over whose rows `i` is a sum: of aᵀ @ b, a weight's gradient, both; a
    bias's gradient has one."""
    turned = i.op == "matmul" and i.args[0].op == "transpose" and len(i.shape) == 2
    found = [i.args[0].args[0], i.args[1]] if turned else [*i.args] if i.op == "sum" else []
    rows = [a.batch == [0] and len(a.shape) == 2 for a in found]
    return found if all(rows) and not i.batch and i.shape == tuple(a.width for a in found) else []


def light(i: Instr) -> bool:
    """Tell whether work is row-wise and cheap, so that a loop does it while the row is in cache."""
    if len(i.shape) != 2 or i.batch != [0] or i.op == "matmul":
        return False
    if i.op in ("getitem", "concatenate"):
        return is_cut(i) or is_beside(i)
    if i.op in START:
        return i.params["axis"] in (-1, 1, (-1,), (1,)) and i.params["keepdims"]
    return i.op in FORMULA or i.op == "clamp"


def prepare(step: Step) -> Step:
    """Turn f(a)[:, c] into f(a[:, c]), so that nothing is kept only to be sliced, and write a
    softmax as what it is made of."""
    soft = [i for i in step.order() if i.op in ("softmax", "log_softmax")]
    step = step.rewritten({i: softened(i) for i in soft})
    while True:
        readers = consumers(step.order())
        kinds = depends(readers)
        sliced = {i for i, by in readers.items() if kinds[i] and by and all(map(is_cut, by))}
        new = {i: one for i in readers if is_cut(i) and i.args[0] in sliced and (one := _sunk(i))}
        if not new:
            return step
        step = step.rewritten(new)


def softened(i: Instr) -> Instr:
    """Return a softmax, or its logarithm, as maximum, exponentials and sum."""
    along: Any = {"axis": (i.params["axis"],), "keepdims": True}
    below = make("sub", i.args[0], make("amax", i.args[0], **along))
    e = make("exp", below)
    total = make("sum", e, **along)
    if i.op == "softmax":
        return make("div", e, total)
    return make("sub", below, make("log", total))


def _sunk(i: Instr) -> Instr | None:
    """Rewrite f(a, b)[:, c] as f(a[:, c], b[:, c])."""
    source, cut = i.args[0], columns(i)
    if cut is None or source.op not in FORMULA or source.op in ("broadcast_to", "astype"):
        return None
    wide, index = source.width, (Ellipsis, slice(*cut))
    parts = [make("getitem", a, index=index) if a.width == wide > 1 else a for a in source.args]
    return make(source.op, *parts, gate=i.gate)


def check(program: Program, real: np.dtype) -> None:
    """Refuse what is not row-wise, by name."""
    if real not in (np.float32, np.float64):
        raise Uncompilable(f"native loops compute in float32 or float64, not {real}")
    for name, made in program.native.items():
        for i in made:
            if dtypes := odd(i, real):
                raise Uncompilable(f"native loops have no {dtypes[0]} (in {i.op})")
            if not program.able(i):
                raise Uncompilable(f"native loops have no {i.op} to {i.shape} in the {name} loop")


def odd(i: Instr, real: Any) -> list[Any]:
    """List the dtypes that an instruction reads or makes and that registers do not hold."""
    values = [v for v in (i, *i.args) if v.shape or v.op != "const"]  # no plain numbers
    return [v.dtype for v in values if v.dtype not in (real, np.bool_, None)]


def formula(i: Instr, values: list[str]) -> str:
    if i.op == "power" and values[1] == literal(2):
        return f"{values[0]} * {values[0]}"
    if i.op == "clamp":
        text = values[0]
        for bound, beyond in ((i.params["low"], "<"), (i.params["high"], ">")):
            to = None if bound is None else literal(bound)
            text = f"({text} {beyond} {to} ? {to} : {text})" if to else text
        return text
    if i.op == "reshape":
        return values[0]
    return FORMULA[i.op].format(*values)


def literal(value: Any) -> str:
    """Return a number in C, exact."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    text = repr(float(value))
    return {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}.get(text, f"(real){text}")


def stages(instrs: list[Instr], program: Program) -> list[list[Instr]]:
    """Return a phase's work as alternating lists of products and of row-wise instructions."""
    level: dict[Instr, int] = {}  # products run at even levels, after all they read
    product, views = program.emitter.is_product, program.views
    for i in instrs:
        before = max((level[a] for a in i.args if a in level), default=-1)
        level[i] = before + 2 - before % 2 if product(i) else max(before | 1, 1)
        level[i] = before if i in views else level[i]
    last = max(level.values(), default=-1)
    found = [[i for i in instrs if level[i] == k and i not in views] for k in range(last + 1)]
    return [stage for stage in found if stage]


def groups(stage: list[Instr], program: Program, slow: Sequence[str]) -> list[list[Instr]]:
    """Return a row stage as nests of loops: those of equal sizes together, as far as the order
    allows.

    This is the pass `fuse`; without it every instruction has a loop of its own. A product is alone.
    What is `slow` does not wait for another slow one in the same loop, so that columns overlap.
    """
    if "fuse" in program.without or program.emitter.is_product(stage[0]):
        return [[i] for i in stage]
    todo, found = list(stage), []
    while todo:
        first, waiting = todo[0], set(todo)
        group: list[Instr] = []
        late: set[Instr] = set()
        for i in todo:
            waits = not late.isdisjoint(i.args)
            ready = all(program.source(a) not in waiting or a in group and a.op not in START
                        for a in i.args)  # fmt: skip
            alone = group and not {i.op, first.op}.isdisjoint(APART)
            if ready and nest(i) == nest(first) and not alone and not (waits and i.op in slow):
                group.append(i)
                late |= {i} if waits or i.op in slow else set()
        todo = [i for i in todo if i not in group]
        found.append(group)
    return found


def nest(i: Instr) -> tuple[int, ...]:
    """Return the sizes of the loops that compute a row of `i`: its own, or its operand's."""
    return (i.args[0] if i.op in START or is_merge(i) else i).shape[1:]


def axes_of(i: Instr) -> tuple[int, ...]:
    """Return the axes that a sum or a maximum goes over."""
    axis, count = i.params["axis"], len(i.args[0].shape)
    axes = range(count) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(a % count for a in axes))


def in_place(unit: list[Instr]) -> bool:
    """Return True if loops read each entry of a row right where they write it, and once."""
    apart = any(i.op in APART for i in unit)
    return not apart and all(len(v.shape) < 3 and (columns(v) or v.op not in VIEWS)
                             for i in unit for v in (i, *i.args))  # fmt: skip


def is_merge(i: Instr) -> bool:
    """Return True for a reshape that makes one axis of several, read one by one."""
    return i.op == "reshape" and same_rows(i) and splits(i, i.args[0])


def same_rows(i: Instr) -> bool:
    """Return True if row b of a view shows what is in row b of its operand, of some axes each."""
    both, axes = (i, i.args[0]), i.params.get("axes", (0,))
    fits = all(v.batch == [0] and len(v.shape) > 1 for v in both) and axes[0] == 0
    return fits and all(len(v) == len(a) for v, a in zip(i.values, i.args[0].values))


def is_number(i: Instr) -> bool:
    """Return True for one entry per row, which stays in a register."""
    return math.prod(i.shape[1:]) == 1


def kind_of(i: Any, flag: str) -> str:
    """Return the C type of a value or a buffer; `flag` is the one for truth values."""
    return flag if getattr(i, "dtype", None) == np.bool_ else "real"
