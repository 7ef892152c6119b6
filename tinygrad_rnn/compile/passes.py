"""The rewrites that make a step program cheap, each one function from Step to Step.

They are the known hand optimisations of recurrent kernels, found by the machine for any cell. Every
rewrite builds its replacement with `make`, and `rebuild` compares the values, so a pass cannot
change what a program computes. To add a pass, write one function and put it into `PASSES`. When
something runs (in the time loops or outside of them) is decided afterwards, in `phases.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .ir import Instr, Step, assert_same, const, consumers, depends, make, rebuild, toposort
from .phases import RANK, place

COMMUTE = ("add", "mul")


def share(step: Step) -> Step:
    """Equal sub-expressions are computed once; what changes nothing goes."""
    seen: dict[Any, Instr] = {}

    def rule(i: Instr) -> Instr | None:
        i = _without_effect(i) or i
        args = tuple(id(a) for a in i.args)
        if i.op in COMMUTE:
            args = tuple(sorted(args))
        held = (
            (type(i.value), str(i.dtype), np.asarray(i.value).tobytes()) if i.op == "const" else ()
        )
        return seen.setdefault((i.op, args, repr(i.params), i.shape, held), i)

    return rebuild(step, rule)


def _without_effect(i: Instr) -> Instr | None:
    """The operand that `i` hands on unchanged, if it does."""
    if i.op == "neg" and i.args[0].op == "neg":
        return i.args[0].args[0]
    if i.op == "transpose" and i.args[0].op == "transpose":
        inner = i.args[0].params["axes"]
        axes = tuple(inner[a] for a in i.params["axes"])
        return i.args[0].args[0] if axes == tuple(range(len(axes))) else None
    same = bool(i.args) and i.shape == i.args[0].shape and i.dtype == i.args[0].dtype
    if i.op in ("reshape", "broadcast_to", "astype", "clone") and same:
        return i.args[0]
    for a, b in (i.args, i.args[::-1]) if i.op in ("add", "mul") else ():
        neutral = 0 if i.op == "add" else 1
        if b.op == "const" and not b.shape and b.value == neutral and a.shape == i.shape:
            return a if a.dtype == i.dtype else None
    return None


def gather(step: Step) -> Step:
    """Slices' gradients (zeros with a piece put in, added up) become one concatenation."""
    readers = consumers(step.order())
    inner = {
        i for i, by in readers.items() if i.op == "add" and by and all(r.op == "add" for r in by)
    }
    new: dict[Instr, Instr] = {}
    for i in step.order():
        if i.op in ("add", "put") and i not in inner:
            pieces = [(columns(t, t.params["index"]), t) for t in terms(i) if t.op == "put"]
            cuts = [c for c, _ in pieces if c]
            if pieces and len(cuts) == len(pieces) and not _overlap(cuts):
                rest = [t for t in terms(i) if t.op != "put"]
                if all(t.shape == i.shape for t in rest):
                    new[i] = total([_laid_out(pieces, i), *rest])
    return substitute(step, new)


def _laid_out(pieces: list[tuple], like: Instr) -> Instr:
    """The pieces side by side, with zeros where there is none."""
    parts, at = [], 0
    rows = like.shape[:-1]
    for (start, stop), put in sorted(pieces, key=lambda piece: piece[0]):
        if start > at:
            parts.append(const(np.zeros((*rows, start - at), like.dtype)))
        parts.append(put.args[0])
        at = stop
    if at < like.width:
        parts.append(const(np.zeros((*rows, like.width - at), like.dtype)))
    return make("concatenate", *parts, axis=-1) if len(parts) > 1 else parts[0]


def split(step: Step) -> Step:
    """A product with a concatenation is a sum of products, and a slice of a product is a product
    with a slice: the part that belongs to the input then need not wait for the state."""
    kinds = depends(step)

    def rule(i: Instr) -> Instr | None:
        if i.op == "getitem":
            return _slice_of(i)
        if i.op != "matmul" or i.args[0].op != "concatenate" or i.args[1].value.ndim != 2:
            return None
        both, weights = i.args
        waits = {"state" in kinds.get(a, ()) or "dstate" in kinds.get(a, ()) for a in both.args}
        if len(waits) == 1 or both.params["axis"] not in (-1, len(both.shape) - 1):
            return None
        parts, at = [], 0
        for a in both.args:
            rows = make("getitem", weights, index=(slice(at, at + a.width),))
            parts.append(make("matmul", a, rows, gate=i.gate))
            at += a.width
        return total(parts)

    return rebuild(_split_gradients(step), rule)


def _split_gradients(step: Step) -> Step:
    """(g @ W)[:, a:b] = g @ W[:, a:b], where the slices of one product go different ways."""
    kinds = depends(step)
    carried = set(toposort([d for d in step.dolds if d is not None]))
    new = {}
    for i, readers in consumers(step.order()).items():
        sliced = [columns(r, r.params.get("index", ())) for r in readers if r.op == "getitem"]
        apart = len({r in carried for r in readers}) == 2
        only = i.op == "matmul" and len(sliced) == len(readers) and not kinds[i.args[1]]
        if only and apart and all(sliced):
            for cut, r in zip(sliced, readers):
                index = (slice(None), slice(*(cut or ())))
                new[r] = make("matmul", i.args[0], make("getitem", i.args[1], index=index))
    return substitute(step, new)


def _slice_of(i: Instr) -> Instr | None:
    """A slice of a concatenation that is one of its parts."""
    cut, source = columns(i, i.params["index"]), i.args[0]
    if cut and source.op == "concatenate" and source.params["axis"] in (-1, len(source.shape) - 1):
        at = 0
        for part in source.args:
            if cut == (at, at + part.width):
                return part
            at += part.width
    return None


def merge(step: Step) -> Step:
    """Products that share an operand become one product, as do sums of products."""
    for one in (_merge_left, _merge_sums, _merge_right):
        step = substitute(step, one(step))
    return step


def _merge_left(step: Step) -> dict[Instr, Instr]:
    """a @ U, a @ V → slices of a @ [U V], for products that run at the same time."""
    phase = place(step)
    groups: dict[Any, list[Instr]] = {}
    for i in step.order():
        if i.op == "matmul" and len(i.shape) == 2 and phase[i.args[1]] == "static":
            groups.setdefault((i.args[0], phase[i]), []).append(i)
    new: dict[Instr, Instr] = {}
    for (a, when), products in groups.items():
        if len(products) > 1 and when != "static":
            wide = make("concatenate", *[p.args[1] for p in products], axis=1)
            new |= _slices(make("matmul", a, wide), products)
    return new


def _merge_sums(step: Step) -> dict[Instr, Instr]:
    """a @ U + b @ V → [a b] @ [U over V], where a and b are made in the same loop."""
    phase = place(step)
    inner = {t for i in step.order() if i.op == "add" for t in i.args if t.op == "add"}
    new = {}
    for i in step.order():
        if i.op != "add" or i in inner or phase[i] not in ("backward", "after"):
            continue
        products = [t for t in terms(i) if t.op == "matmul" and phase[t.args[1]] == "static"]
        products = [p for p in products if p.args[0].args and len(p.args[0].shape) == 2]
        rest = [t for t in terms(i) if t not in products]
        lefts = [p.args[0] for p in products]
        alike = len(set(lefts)) > 1 and all(phase[a] == "backward" for a in lefts)
        if alike and all(t.shape == i.shape for t in rest):
            wide = make("concatenate", *lefts, axis=-1)
            tall = make("concatenate", *[p.args[1] for p in products], axis=0)
            new[i] = total([make("matmul", wide, tall), *rest])
    return new


def _merge_right(step: Step) -> dict[Instr, Instr]:
    """aᵀ @ g, aᵀ @ h → slices of aᵀ @ [g h], where [g h] is there anyway (weights' gradients)."""
    place_of = {}
    for wide in step.order():
        if wide.op == "concatenate" and wide.params["axis"] in (-1, 1) and len(wide.shape) == 2:
            at = 0
            for part in wide.args:
                place_of[part] = (wide, at)
                at += part.width
    groups: dict[Any, list[Instr]] = {}
    for i in step.order():
        if i.op == "matmul" and i.args[1] in place_of and i.args[0].op == "transpose":
            groups.setdefault((i.args[0], place_of[i.args[1]][0]), []).append(i)
    new: dict[Instr, Instr] = {}
    for (a, wide), products in groups.items():
        if len(products) > 1:
            whole = make("matmul", a, wide)
            for p in products:
                at = place_of[p.args[1]][1]
                new[p] = make("getitem", whole, index=(slice(None), slice(at, at + p.width)))
    return new


def _slices(whole: Instr, products: list[Instr]) -> dict[Instr, Instr]:
    new, at = {}, 0
    for p in products:
        index = (slice(None), slice(at, at + p.width))
        new[p] = make("getitem", whole, index=index, gate=p.gate)
        at += p.width
    return new


def hoist(step: Step) -> Step:
    """Sums are added in the order in which their terms become known, so that little waits.

    (W x + b) + (U h + d) = ((b + d) + W x) + U h: all but the last addition leaves the time loop.
    """
    phase = place(step)
    readers = consumers(step.order())
    inner = {a for i in readers if i.op == "add" for a in i.args if len(readers[a]) == 1}
    new = {}
    for i in readers:
        if i.op == "add" and i not in inner:
            parts = terms(i, inner)
            ranks = [RANK[phase[t]] for t in parts]
            if len(parts) > 2 and len(set(ranks)) > 1:
                ordered = [t for _, t in sorted(zip(ranks, parts), key=lambda pair: pair[0])]
                new[i] = total(ordered)
    return substitute(step, {i: t for i, t in new.items() if t.shape == i.shape})


def defer(step: Step) -> Step:
    """The sum over time of a parameter's gradient moves inwards, to where it is one product.

    Σ_t (h_tᵀ g_t)ᵀ = (Σ_t h_tᵀ g_t)ᵀ, and Σ_t h_tᵀ g_t is one product of T·B rows after the loop.
    """
    step = share(rebuild(step, _turned))
    kinds = depends(step)
    done: dict[Instr, Instr] = {}

    def summed(i: Instr) -> Instr:
        return done.setdefault(i, make("accumulate", i))

    for i in step.order():
        if i.op in ("transpose", "reshape", "neg", "sum", "put", "getitem", "astype"):
            done[i] = make(i.op, summed(i.args[0]), **i.params)
        elif i.op == "add" and all(a.shape == i.shape for a in i.args):
            done[i] = make("add", *map(summed, i.args))
        elif i.op == "mul" and i.args[0].shape == i.shape and not kinds[i.args[1]]:
            done[i] = make("mul", summed(i.args[0]), i.args[1])
    new = [None if d is None else summed(d) for d in step.dparams]
    return step.with_dparams(new)


def _turned(i: Instr) -> Instr | None:
    """(a @ b)ᵀ = bᵀ @ aᵀ, so that a weight's gradient comes out in the weight's own layout."""
    product = i.args[0] if i.op == "transpose" and i.params["axes"] == (1, 0) else i
    if i.op != "transpose" or product.op != "matmul" or len(product.shape) != 2:
        return None
    return make("matmul", *[make("transpose", a, axes=(1, 0)) for a in product.args[::-1]])


def substitute(step: Step, new: dict[Instr, Instr]) -> Step:
    """The step with each key of `new` exchanged for its value, wherever it is read."""
    if not new:
        return step
    for old, instr in new.items():
        assert_same(instr, old)
    built: dict[Instr, Instr] = {}
    stack = list(step.roots())
    while stack:
        i = stack[-1]
        target = new.get(i, i)
        missing = [a for a in target.args if a not in built]
        if i in built or not missing:
            stack.pop()
            if i not in built:
                args = tuple(built[a] for a in target.args)
                same = all(a is b for a, b in zip(args, target.args))
                again = Instr(target.op, args, target.params, target.value, target.gate)
                built[i] = target if same else again
        stack.extend(missing)
    return step.replaced(built)


def terms(i: Instr, inner: set[Instr] | None = None) -> list[Instr]:
    """What a tree of additions adds up. Without `inner`, which names the additions to look through,
    these are the ones that need no broadcasting."""
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
    first, *rest = parts
    for part in rest:
        first = make("add", first, part)
    return first


def columns(i: Instr, index: Any) -> tuple[int, int] | None:
    """(start, stop) if `index` takes whole rows and one range of columns, else None."""
    wide = i.shape if i.op == "put" else i.args[0].shape
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in [k for k in index if k is Ellipsis]:
        at = next(k for k, v in enumerate(index) if v is Ellipsis)
        fill = (slice(None),) * (len(wide) - len(index) + 1)
        index = (*index[:at], *fill, *index[at + 1 :])
    whole = [isinstance(s, slice) and s.indices(n) == (0, n, 1) for s, n in zip(index, wide)]
    if len(index) != len(wide) or not all(whole[:-1]) or not isinstance(index[-1], slice):
        return None
    start, stop, by = index[-1].indices(wide[-1])
    return (start, stop) if by == 1 and stop > start else None


def _overlap(cuts: list[tuple[int, int]]) -> bool:
    cuts = sorted(cuts)
    return any(a[1] > b[0] for a, b in zip(cuts, cuts[1:]))


PASSES: dict[str, Callable[[Step], Step]] = {
    "share": share, "gather": gather, "split": split, "merge": merge, "hoist": hoist,
    "defer": defer,
}  # fmt: skip


def optimise(step: Step, without: Iterable[str] = ()) -> tuple[Step, list[tuple[str, Step]]]:
    """The rewritten step, and what each pass left, in order. `without` names passes to skip."""
    history = [("captured", step)]
    for name, one in PASSES.items():
        if name not in without:
            step = share(one(step)) if "share" not in without else one(step)
            history.append((name, step))
    return step, history
