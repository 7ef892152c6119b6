"""Row-wise work: what a loop over the columns of a row computes, and the order it comes in.

The native emitters (C, CUDA) see a step as stages: products with weights, and between them row
stages, in which each row of the batch goes through a few loops over its columns with all values in
registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .ir import Instr, Step, Uncompilable, consumers, depends, make, rebuild
from .passes import columns, substitute, terms, total
from .program import Program

# fmt: off
FORMULA = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}",
    "sigmoid": "sigmoid_of({0})", "tanh": "tanh_of({0})", "exp": "exp_of({0})", "sqrt": "SQRT({0})",
    "log": "LOG({0})", "expm1": "EXPM1({0})", "log1p": "LOG1P({0})", "sin": "SIN({0})",
    "cos": "COS({0})", "erf": "ERF({0})", "power": "POW({0}, {1})", "abs": "ABS({0})",
    "sign": "({0} > 0) - ({0} < 0) + ({0} != {0} ? {0} : 0)", "relu": "{0} < 0 ? 0 : {0}",
    "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}",
    "where": "{0} ? {1} : {2}", "equal": "{0} == {1}", "not_equal": "{0} != {1}",
    "less": "{0} < {1}", "less_equal": "{0} <= {1}", "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}", "logical_and": "{0} && {1}", "logical_or": "{0} || {1}",
    "logical_not": "!{0}", "clone": "{0}", "astype": "{0}", "broadcast_to": "{0}",
}
# fmt: on
REDUCE = {
    "sum": ("0", "{0} += {1};"),
    "amax": ("-INFINITY", "{0} = {1} > {0} || {1} != {1} ? {1} : {0};"),
}
PRODUCTS = ("matmul", "product_add")


def prepare(step: Step, add_to: bool = True) -> Step:
    """Nothing is spread out or kept only to be sliced: that needs memory.

    Slices of element-wise results become results of slices; what is broadcast is read as it is.
    """
    step = rebuild(step, _unspread)
    step = _added_to(step) if add_to else step
    while True:
        readers = consumers(step.order())
        kinds = depends(step)
        sliced = {i for i, by in readers.items() if kinds[i] and by and all(map(is_cut, by))}

        def rule(i: Instr, sliced: set[Instr] = sliced) -> Instr | None:
            return _sunk(i) if is_cut(i) and i.args[0] in sliced else None

        before, step = step, rebuild(step, rule)
        if step.order() == before.order():
            return step


def _sunk(i: Instr) -> Instr | None:
    """f(a, b)[:, c] = f(a[:, c], b[:, c])."""
    source, cut = i.args[0], columns(i, i.params["index"])
    if cut is None or source.op not in FORMULA or source.op in ("broadcast_to", "astype"):
        return None
    wide, index = source.width, (Ellipsis, slice(*cut))
    parts = [make("getitem", a, index=index) if a.width == wide > 1 else a for a in source.args]
    return make(source.op, *parts, gate=i.gate)


def _added_to(step: Step) -> Step:
    """(b + x W) + h U becomes b + (x W + h U): the product over all steps takes on the other
    one."""
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


def is_cut(i: Instr) -> bool:
    return i.op == "getitem" and columns(i, i.params["index"]) is not None


def uncut(i: Instr) -> Instr:
    """What `i` takes columns of, or `i`."""
    while is_cut(i):
        i = i.args[0]
    return i


view = is_cut  # columns are found by their offset; other views are arrays of their own


def follows(i: Instr) -> bool:
    """Columns of biases and the like are found by their offset."""
    return i.op == "getitem" and i.args[0].op != "const" and len(i.args[0].shape) < 3 and is_cut(i)


def light(i: Instr) -> bool:
    """Row-wise work that a loop over columns does while the row is in cache."""
    if len(i.shape) != 2:
        return False
    if i.op == "getitem":
        return is_cut(i)
    if i.op == "concatenate":
        return i.params["axis"] in (-1, 1)
    if i.op in REDUCE:
        return i.params["axis"] in (-1, 1, (-1,), (1,)) and i.params["keepdims"]
    return i.op in FORMULA or i.op == "clamp"


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
                elif ready and is_cut(i):
                    done.add(i)
            done |= set(stage)
            todo = [i for i in todo if i not in done]
            stage = [i for i in stage if not is_cut(i)]
            found += [stage] if stage else []
    return found


def groups(stage: list[Instr], fuse: bool = True) -> list[list[Instr]]:
    """A row stage as loops over columns: equal widths together, as far as the order allows.

    This is the pass `fuse`; without it every instruction has a loop of its own.
    """
    if not fuse:
        return [[i] for i in stage]
    width = lambda i: i.args[0].width if i.op in REDUCE else i.width
    todo, done, found = list(stage), set(), []
    mine = set(stage)
    while todo:
        wide = width(todo[0])
        group: list[Instr] = []
        whole = todo[0].op == "concatenate"
        for i in todo:
            sources = [uncut(a) for a in i.args]
            usable = [s for s in sources if s in mine and s not in done]
            fits = width(i) == wide and (i.op == "concatenate") == whole
            if fits and all(s in group and s.op not in REDUCE for s in usable):
                viewed = any(is_cut(a) and s in group for a, s in zip(i.args, sources))
                if not viewed and not (whole and group):
                    group.append(i)
        if not group:
            raise Uncompilable("the C loops cannot order the row-wise work")
        done |= set(group)
        todo = [i for i in todo if i not in done]
        found.append(group)
    return found
