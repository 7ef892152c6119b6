"""Rewrite a step program into a cheaper one, function by function; `compile.layer` runs them.

They are the known hand optimisations of recurrent kernels, found by the machine for any cell. A
pass says which instruction stands for another; `Step.rewritten` compares the values, so a pass
cannot change what a program computes. To add a pass, write one function and put it into `PASSES`.
When something runs, in the time loops or outside of them, is decided afterwards, in `phases.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..engine.accumulate import is_basic
from .phases import PHASES, assign_phases
from .program import Instr, Step, const, consumers, depends, make
from .runtime.c_build import address


def share(step: Step) -> Step:
    """Compute equal sub-expressions once, and drop what changes nothing."""
    seen: dict[Any, Instr] = {}
    new: dict[Instr, Instr] = {}
    for i in step.order():
        args = [id(new.get(a, a)) for a in i.args]
        args = sorted(args) if i.op in ("add", "mul") else args
        held = [np.asarray(v).tobytes() for v in i.values] if i.op == "const" else ()
        key = (i.op, *args, repr(i.params), i.shape, i.dtype, *held)
        one = _without_effect(i) or seen.setdefault(key, i)
        if one is not i:
            new[i] = new.get(one, one)
    return step.rewritten(new)


def _without_effect(i: Instr) -> Instr | None:
    """Return the operand that `i` hands on unchanged, if it does."""
    first = i.args[0] if i.args else i
    if i.op == first.op == "transpose":
        axes = tuple(first.params["axes"][a] for a in i.params["axes"])
        return first.args[0] if axes == tuple(range(len(axes))) else None
    # of a batch of one row the shape alone would not say that rows are meant
    same = (i.shape, i.batch, i.dtype) == (first.shape, first.batch, first.dtype)
    return first if same and i.op in ("reshape", "broadcast_to", "astype", "clone") else None


def gather(step: Step) -> Step:
    """Turn slices' gradients (zeros with a piece put in, added up) into one concatenation."""
    readers = consumers(step.order())
    inner = {i for i, by in readers.items() if by and all(r.op == "add" for r in by)}
    new: dict[Instr, Instr] = {}
    for i in readers:
        if i.op == "put" or i.op == "add" and i not in inner:
            parts = terms(i)
            pieces = [(*cut, t) for t in parts if t.op == "put" and (cut := columns(t))]
            pieces.sort(key=lambda piece: piece[0])
            ends = [end for start, stop, _ in pieces for end in (start, stop)]
            if pieces and ends == sorted(ends):
                placed = [t for _, _, t in pieces]
                new[i] = total([_side_by_side(pieces), *(t for t in parts if t not in placed)])
    return step.rewritten(new)


def _side_by_side(pieces: list[tuple[int, int, Instr]]) -> Instr:
    """Return the pieces in a row from one column to another, zeros where nothing is put."""
    like = pieces[0][2]
    *rows, width = like.params["shape"]
    blank = const(np.zeros((1,) * len(like.shape), like.dtype))
    zeros = lambda n: [make("broadcast_to", blank, shape=(*rows, n))] if n else []
    parts, at = [], 0
    for start, stop, put in pieces:
        parts += [*zeros(start - at), put.args[0]]
        at = stop
    parts += zeros(width - at)
    return make("concatenate", *parts, axis=-1) if len(parts) > 1 else parts[0]


def split(step: Step) -> Step:
    """Split a product with a concatenation into a sum of products, so that the part that belongs to
    the input need not wait for the state; a slice of a concatenation may be one of its parts."""
    kinds = depends(step.order())
    new: dict[Instr, Instr] = {}
    for i in kinds:
        both = i.args[0] if i.op in ("matmul", "getitem") else i
        if both is i or not is_beside(both):
            continue
        cuts = spans(both.args)
        if i.op == "getitem":
            part = dict(zip(cuts, both.args)).get(columns(i) or (0, 0))
            new |= {i: part} if part else {}
        elif len({bool(kinds[a] & {"state", "dstate"}) for a in both.args}) == 2:
            rows = [make("getitem", i.args[1], index=(slice(*cut),)) for cut in cuts]
            new[i] = total(make("matmul", a, w, gate=i.gate) for a, w in zip(both.args, rows))
    return step.rewritten(new)


def spans(parts: Sequence[Instr]) -> list[tuple[int, int]]:
    """Return the columns of each part, side by side."""
    ends = np.cumsum([0, *(part.width for part in parts)]).tolist()
    return list(zip(ends, ends[1:]))


def is_beside(i: Instr) -> bool:
    """Return True for rows put side by side."""
    beside = i.op == "concatenate" and i.batch == [0] and len(i.shape) == 2
    return beside and i.params["axis"] in (-1, 1)


def is_product(i: Instr) -> bool:
    """Return a product of rows with a matrix."""
    return i.op == "matmul" and [a.batch for a in i.args] == [[0], []] and len(i.shape) == 2


def merge(step: Step) -> Step:
    """Merge a @ U, a @ V into slices of a @ [U V], for products that run at the same time."""
    phase = assign_phases(step)
    groups: dict[Any, list[Instr]] = {}
    for i in step.order():
        if is_product(i) and phase[i.args[1]] == "static":
            groups.setdefault((i.args[0], phase[i]), []).append(i)
    new: dict[Instr, Instr] = {}
    for (a, _), products in groups.items():
        if len(products) > 1:
            wide = make("concatenate", *[p.args[1] for p in products], axis=1)
            whole = make("matmul", a, wide)
            for p, span in zip(products, spans(products)):
                new[p] = make("getitem", whole, index=(slice(None), slice(*span)), gate=p.gate)
    return step.rewritten(new)


def join(step: Step) -> Step:
    """Join a @ U + b @ V to [a b] @ [U; V], for products that run at the same time, unless a and b
    stand beside others already: they cannot be in two places."""
    phase, readers = assign_phases(step), consumers(step.order())
    new: dict[Instr, Instr] = {}
    for i in readers:
        groups: dict[Any, list[Instr]] = {}
        for t in terms(i) if i.op == "add" and {r.op for r in readers[i]} != {"add"} else []:
            fits = is_product(t) and phase[t.args[1]] == "static" and len(readers[t]) == 1
            fits = fits and not any(map(is_beside, readers[t.args[0]]))
            groups.setdefault(phase[t] if fits else len(groups), []).append(t)
        if any(len(found) > 1 for found in groups.values()):
            new[i] = total(g[0] if len(g) == 1 else beside(g) for g in groups.values())
    return step.rewritten(new)


def beside(products: list[Instr]) -> Instr:
    """Return a sum of products as one."""
    left, right = zip(*(p.args for p in products))
    return make("matmul", make("concatenate", *left, axis=-1), make("concatenate", *right, axis=0))


def hoist(step: Step) -> Step:
    """Add sums in the order in which their terms become known, so that little waits.

    (W x + b) + (U h + d) = ((b + d) + W x) + U h: all but the last addition leaves the time loop.
    """
    phase = assign_phases(step)
    readers = consumers(step.order())
    inner = {a for i in readers if i.op == "add" for a in i.args if len(readers[a]) == 1}
    new: dict[Instr, Instr] = {}
    for i in readers:
        if i.op == "add" and i not in inner:
            parts = terms(i, inner)
            if len(parts) > 2 and len({phase[t] for t in parts}) > 1:
                new[i] = total(sorted(parts, key=lambda t: PHASES.index(phase[t])))
    return step.rewritten(new)


def defer(step: Step) -> Step:
    """Lay weights' gradients out as the weights: (a @ b)ᵀ = bᵀ @ aᵀ. They then are one product of
    T·B rows after the loop, as `phases.assign_phases` sees to."""
    new: dict[Instr, Instr] = {}
    for i in step.order():
        if i.op == "transpose" and i.params["axes"] == (1, 0) and i.args[0].op == "matmul":
            turned = [make("transpose", a, axes=(1, 0)) for a in reversed(i.args[0].args)]
            new[i] = Instr("matmul", tuple(turned), {}, i.values)
    return step.rewritten(new)


def terms(i: Instr, inner: set[Instr] | None = None) -> list[Instr]:
    """Return the terms that a tree of additions adds up. Without `inner`, which names the additions
    to look through, these are the ones that need no broadcasting."""
    found, stack = [], [i]
    while stack:
        t = stack.pop()
        through = all(a.shape == t.shape for a in t.args) if inner is None else t is i or t in inner
        if t.op == "add" and t.shape == i.shape and through:
            stack.extend(reversed(t.args))
        else:
            found.append(t)
    return found


def total(parts: Iterable[Instr]) -> Instr:
    return reduce(lambda a, b: make("add", a, b), parts)


def columns(i: Instr) -> tuple[int, int] | None:
    """Return (start, stop) if a slice, or a put, takes whole rows and one range of columns, else
    None."""
    if i.op not in ("getitem", "put") or not is_basic(i.params["index"]):
        return None
    whole = np.empty(i.shape if i.op == "put" else i.args[0].shape, np.bool_)
    part = whole[i.params["index"]]
    if part.shape[:-1] != whole.shape[:-1] or part.strides != whole.strides or not part.size:
        return None
    start = address(part) - address(whole)
    return start, start + part.shape[-1]


PASSES = {one.__name__: one for one in (share, gather, split, merge, join, hoist, defer)}


def optimise(step: Step, without: Iterable[str] = ()) -> tuple[Step, list[tuple[str, Step]]]:
    """Return the rewritten step and what each pass left; `without` names passes to skip."""
    history = [("captured", step)]
    for name, one in PASSES.items():
        if name not in without:
            step = share(one(step)) if "share" not in without else one(step)
            history.append((name, step))
    return step, history
