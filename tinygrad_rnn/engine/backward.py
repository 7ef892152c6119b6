"""Walk the graph from the newest node to the oldest, adding up gradients; `autograd` calls it.

`pull` is the whole of reverse mode. It names no operation, recurses nowhere and keeps adjoints in a
table of its own, so it can run twice, and a failure half-way leaves nothing behind. On arrays the
rules compute; with `create_graph=True` they run on Tensors, and the gradient has a graph itself.
"""

from __future__ import annotations

from _thread import allocate_lock as Lock
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from operator import attrgetter
from typing import Any, NoReturn

import numpy as np

from .accumulate import DELAYED, Accumulator
from .arrays import as_array
from .context import MODE, mode
from .errors import FREED, NO_GRAPH
from .node import Node
from .ops import broadcast_to
from .record import BackwardRecord, Watch, arrived, numbers_alone
from .tensor import Tensor, leaf_of, wrap

Adjoints = dict[Node, Any]  # the gradient of each node, while and where it is known
ARRIVING = Lock()  # threads may have leaves in common: what both add to .grad must arrive


def pull(adjoints: Adjoints, order: Sequence[Node], ends: Collection[Node],
         as_tensors: bool = False, record: BackwardRecord | None = None) -> Adjoints:  # fmt: skip
    """Return the gradients of `ends` from those of the results; `order` has all between by age."""
    found, live = {}, set(order)
    watch = Watch(record) if record is not None or MODE.get().anomaly else None
    for node in reversed(order):
        if (g := adjoints.pop(node, None)) is not None:
            if watch or node.special or type(g) in DELAYED or g.dtype is not node.dtype:
                g = arrived(g, node, node in ends, watch)
            if node in ends:
                found[node] = g
            saved = saved_tensors(node) if as_tensors else node.saved or was_freed(node)
            if node.parents:
                send(node, g, saved, adjoints, live, watch)
    return found


def send(node: Node, g: Any, saved: tuple, adjoints: Adjoints, live: set[Node],
         watch: Watch | None) -> None:  # fmt: skip
    """Add to the gradient of each parent what the rules make of the node's own."""
    rules, params = node.op.rules, node.params  # type: ignore[union-attr]
    for k, parent in enumerate(node.parents):
        if parent in live:
            share = rules[k](g, *saved, **params) if params else rules[k](g, *saved)
            if share is None:
                continue
            share = share if share.shape == parent.shape else fitted(share, parent.shape)
            share = watch.share(node, k, share) if watch else share
            held = adjoints.get(parent)
            adjoints[parent] = share if held is None else joined(held, share)


def joined(held: Any, share: Any) -> Any:
    """Return the sum of both: added in place, but never into what others hold too."""
    if type(held) is Accumulator:
        held.add(share)
        return held
    return held + share if isinstance(held, Tensor) else Accumulator(held, share)


def fitted(g: Any, shape: tuple[int, ...]) -> Any:
    """Bring `g` to the shape of its value: summed where that was broadcast, spread where it was
    reduced. So no rule has to think of either."""
    surplus = g.ndim - len(shape)
    if surplus > 0:
        g = g.sum(axis=0 if surplus == 1 else tuple(range(surplus)))
    if g.shape != shape and surplus >= 0:
        axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
        g = g.sum(axis=axes, keepdims=True) if axes else g
    return g if g.shape == shape else broadcast_to(g, shape=shape)


def was_freed(node: Node) -> NoReturn:
    raise RuntimeError(FREED.format(node))


def saved_tensors(node: Node) -> tuple:
    """Return what the node saved, as Tensors joined to the graph."""
    y, *inputs = node.saved or was_freed(node)
    joined = [
        a if p is None or isinstance(a, Node) else wrap(a, p)
        for a, p in zip(inputs, node.parents, strict=True)
    ]
    return (None if y is None else wrap(y, node), *joined)


def reachable(roots: Iterable[Node], start: int = 0) -> list[Node]:
    """Return the nodes that gradients reach from `roots`, oldest first; not beyond those older than
    `start`."""
    found = [n for n in roots if n.needs]
    seen = set(found)
    for node in found:  # grows while we walk
        if node.index >= start:
            for parent in node.parents:
                if parent is not None and parent.needs and parent not in seen:
                    seen.add(parent)
                    found.append(parent)
    return sorted(found, key=attrgetter("index"))


def seeds(outputs: Sequence[Tensor], given: Sequence[Any], as_tensors: bool) -> dict[Node, Any]:
    """Return the gradient each output starts with; one without any must be a single number."""
    adjoints: dict[Node, Any] = {}
    for y, g in zip(outputs, given, strict=True):
        if not y.requires_grad:
            raise RuntimeError(NO_GRAPH)
        if g is None and y._array.size != 1:
            message = "grad can be implicitly created only for scalar outputs"
            raise RuntimeError(f"{message}, not {y.shape}")
        if g is None:
            g = wrap(np.ones_like(y._array), None)
        elif not isinstance(g, Tensor):
            g = wrap(as_array(g, y.dtype, y.device), None)
        if g.shape != y.shape:
            message = f"grad_output has {g.shape}, output has {y.shape}"
            raise RuntimeError(f"Mismatch in shape: {message}")
        node = leaf_of(y)
        g = g if as_tensors else g._array
        adjoints[node] = adjoints[node] + g if node in adjoints else g
    return adjoints


def free(order: Iterable[Node]) -> None:
    """Let go of what the nodes saved; the graph can still be drawn, but not walked again."""
    for node in order:
        if node.op is not None:
            node.saved = None if all(node.parents) else numbers_alone(node)


def as_tensor(g: Any) -> Tensor:
    if isinstance(g, Tensor):
        return g
    return wrap(np.asarray(g) if isinstance(g, np.generic) else g, None)


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, allow_unused: bool = False) -> tuple:  # fmt: skip
    """Return the gradients of `outputs` (weighted by `grad_outputs`) with respect to each of
    `inputs`.

    Returns a tuple of Tensors, None for an unused input if `allow_unused`; `.grad` is not touched.
    """
    outputs, inputs, grad_outputs = _listed(outputs), _listed(inputs), _listed(grad_outputs)
    for k, x in enumerate(inputs):
        if not x.requires_grad:
            raise RuntimeError(
                f"One of the differentiated Tensors (input {k}) does not require grad"
            )
    ends = {leaf_of(x) for x in inputs}
    with mode(grad=True) if create_graph else nullcontext():
        adjoints = seeds(outputs, grad_outputs or [None] * len(outputs), create_graph)
        order = leading_to(ends, reachable(adjoints))
        found = pull(adjoints, order, ends, create_graph)
    if not (create_graph if retain_graph is None else retain_graph):
        free(order)
    missing = [k for k, x in enumerate(inputs) if x.node not in found]
    if missing and not allow_unused:
        raise RuntimeError(f"input {missing[0]} was not used in the graph; set allow_unused=True "
                           "to get None for it")  # fmt: skip
    return tuple(as_tensor(found[x.node]) if x.node in found else None for x in inputs)


def leading_to(ends: set[Node], order: list[Node]) -> list[Node]:
    """Return those nodes of `order` through which gradients must pass to arrive at `ends`."""
    if ends.issuperset([n for n in order if n.op is None]):
        return order  # all leaves are wanted, and everything leads to a leaf
    live, way = set(ends), []
    for node in order:
        if node in ends or not live.isdisjoint(node.parents):
            live.add(node)
            way.append(node)
    return way


def backward(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, record: str | None = None,
) -> BackwardRecord | None:  # fmt: skip
    """Add the gradient of this tensor to `.grad` of every leaf it was made from.

    `record="norm"` or `"full"` keeps the graph and returns a `BackwardRecord` of what each edge
    carried. If a rule or hook raises, no `.grad` has changed and the call can be made again.
    """
    recorded = BackwardRecord(record) if record is not None else None
    with mode(grad=create_graph):
        adjoints = seeds([self], [gradient], create_graph)
        order = reachable(adjoints)
        ends = {n for n in order if n.op is None or (n.special and n.special.get("retains"))}
        found = pull(adjoints, order, ends, create_graph, recorded)
        with ARRIVING:
            for node, g in found.items():
                node.grad = as_tensor(g) if node.grad is None else node.grad + as_tensor(g)
    if not (retain_graph if retain_graph is not None else create_graph or record):
        free(order)
    if recorded is not None:
        leaf_of(self).record = recorded
    return recorded


def _listed(x: Any) -> list:
    return list(x) if isinstance(x, (list, tuple)) else [] if x is None else [x]


Tensor.backward = backward  # type: ignore[method-assign, assignment]
