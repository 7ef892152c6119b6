"""Gradients: walk the graph from the newest node to the oldest, adding up what arrives.

`pull` is the whole of reverse mode. It names no operation, recurses nowhere and keeps adjoints in a
table of its own, so it can run twice, and a failure half-way leaves nothing behind. On arrays the
rules compute; with `create_graph=True` they run on Tensors, and the gradient has a graph itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from .backend import Array, as_array
from .errors import watch
from .ops import Piece, Product, add_at, broadcast_to
from .tensor import MODE, Node, Tensor, leaf_of, mode, wrap

ROWS = 256  # so many rows of postponed products are stacked before they are multiplied
NO_GRAPH = "element 0 of tensors does not require grad and does not have a grad_fn"
FREED = (
    "the graph was already freed by backward() (at {}); pass retain_graph=True to the first call, "
    "or detach() the hidden state for truncated BPTT"
)


class Accumulator:
    """A sum of gradients. It adds in place, but only into an array that it made itself."""

    __slots__ = ("left", "right", "rows", "sum")

    def __init__(self) -> None:
        self.sum: Array | None = None
        self.left: list[Array] = []
        self.right: list[Array] = []
        self.rows = 0

    def add(self, g: Any) -> None:
        if type(g) is Product:
            self.left.append(g.left)
            self.right.append(g.right)
            self.rows += len(g.left)
            if self.rows >= ROWS:
                self.multiply()
        elif type(g) is Piece:
            self.sum = g.dense() if self.sum is None else add_at(self.sum, g.index, g.g)
        elif self.sum is None:
            self.sum = np.copy(g)
        else:
            np.add(self.sum, g, out=self.sum)

    def multiply(self) -> None:
        """Turns the postponed products into one product of stacked rows."""
        left, right, self.left, self.right, self.rows = self.left, self.right, [], [], 0
        product = np.concatenate(left).T @ np.concatenate(right)
        self.sum = product if self.sum is None else np.add(self.sum, product, out=self.sum)

    def dense(self) -> Array:
        if self.left:
            self.multiply()
        return self.sum


POSTPONED = (Accumulator, Product, Piece)


class Flow:
    """What one backward pass carried: `nodes` what met at each node, `edges` what each edge sent.

    With "norm" an entry is a Euclidean norm, with "full" the array; an edge without gradient has
    None. `order` lists the nodes as they were processed.
    """

    def __init__(self, record: str):
        if record not in ("norm", "full"):
            raise ValueError(f"record must be 'norm' or 'full', not {record!r}")
        self.full = record == "full"
        self.order: list[Node] = []
        self.nodes: dict[Node, Any] = {}
        self.edges: dict[Node, tuple] = {}

    def reach(self, node: Node, g: Any) -> None:
        self.order.append(node)
        self.nodes[node] = self._kept(g)
        self.edges[node] = (None,) * len(node.parents)

    def cross(self, node: Node, k: int, share: Any) -> None:
        edges = self.edges[node]
        self.edges[node] = (*edges[:k], self._kept(share), *edges[k + 1 :])

    def _kept(self, g: Any) -> Any:
        array = g._array if isinstance(g, Tensor) else g
        return array if self.full else float((array.astype(np.float64) ** 2).sum()) ** 0.5


def pull(adjoints: dict[Node, Any], order: Sequence[Node], ends: set[Node], as_tensors: bool = False,
         flow: Flow | None = None) -> dict[Node, Any]:  # fmt: skip
    """The gradients of `ends` from those of the results; `order` has the nodes on the way by age."""
    found: dict[Node, Any] = {}
    live = set(order)
    watched = flow is not None or MODE.get().anomaly
    for node in reversed(order):
        g = adjoints.pop(node, None)
        if g is None:
            continue
        if type(g) in POSTPONED and (watched or node in ends or node.extra or not passes(g, node)):
            g = g.dense()
        if node.extra and node.extra.get("hooks"):
            g = hooked(node, g)
        if flow is not None:
            flow.reach(node, g)
        if node in ends:
            found[node] = g
        if node.op is None:
            continue
        saved = node.saved if not as_tensors else on_tensors(node)
        if saved is None:
            raise RuntimeError(FREED.format(node))
        rules, params = node.op.rules, node.params
        for k, parent in enumerate(node.parents):
            if parent not in live:
                continue
            share = rules[k](g, *saved, **params)
            if share.shape != parent.shape or share.dtype is not parent.dtype:
                share = fitted(share, parent)
            if watched:
                share = observed(share, node, k, flow)
            held = adjoints.get(parent)
            if held is None:
                adjoints[parent] = share
            elif as_tensors:
                adjoints[parent] = held + share
            else:
                if type(held) is not Accumulator:
                    adjoints[parent] = held = accumulated(held)
                held.add(share)
    return found


def passes(g: Any, node: Node) -> bool:
    """True if the node's rule takes a postponed product as it is."""
    return type(g) is Product and node.op is not None and node.op.postpones


def accumulated(first: Any) -> Accumulator:
    """A sum that starts with `first`."""
    total = Accumulator()
    total.add(first)
    return total


def fitted(g: Any, node: Node) -> Any:
    """`g` in the shape and dtype of the node's value: summed where the value was broadcast, spread
    where it was reduced. Every rule may therefore ignore both."""
    shape = node.shape
    if g.shape != shape:
        surplus = g.ndim - len(shape)
        if surplus > 0:
            g = g.sum(axis=0 if surplus == 1 else tuple(range(surplus)))
        if g.shape != shape and surplus >= 0:
            axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
            g = g.sum(axis=axes, keepdims=True) if axes else g
        if g.shape != shape:
            g = broadcast_to(g, shape=shape)
    return g if g.dtype == node.dtype else g.astype(node.dtype)


def hooked(node: Node, g: Any) -> Any:
    """The gradient after the user's hooks, each of which may replace it."""
    for hook in list(node.hooks.values()):
        given = g if isinstance(g, Tensor) else wrap(np.asarray(g) if np.isscalar(g) else g, None)
        new = hook(given)
        if new is not None:
            if new.shape != node.shape:
                raise ValueError(f"hook: returned shape {new.shape} for a gradient {node.shape}")
            g = new if isinstance(g, Tensor) else new._array
    return g


def observed(share: Any, node: Node, k: int, flow: Flow | None) -> Any:
    """`share`, multiplied out, after flow and anomaly mode have looked at it."""
    share = share.dense() if type(share) in POSTPONED else share
    if MODE.get().anomaly:
        place = str(node.scope or "")
        watch(node.op.name, place, getattr(share, "_array", share), node.where or "?",  # type: ignore[union-attr]
              f"gradient (of input {k})")  # fmt: skip
    if flow is not None:
        flow.cross(node, k, share)
    return share


def on_tensors(node: Node) -> tuple | None:
    """What the node saved, as Tensors joined to the graph."""
    if node.saved is None:
        return None
    y, *inputs = node.saved
    joined = [
        a if p is None or isinstance(a, Node) else wrap(a, p)
        for a, p in zip(inputs, node.parents, strict=True)
    ]
    return (None if y is None else wrap(y, node), *joined)


def reachable(roots: Iterable[Node], start: int = 0) -> list[Node]:
    """The nodes that gradients reach from `roots`, oldest first; not beyond those made before `start`."""
    stack = [n for n in roots if n.needs]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node.index < start:
            continue
        for parent in node.parents:
            if parent is not None and parent.needs and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("index"))


def seeds(outputs: Sequence[Tensor], given: Sequence[Any], as_tensors: bool) -> dict[Node, Any]:
    """The gradient each output starts with; one without any must be a single number."""
    adjoints: dict[Node, Any] = {}
    for y, g in zip(outputs, given, strict=True):
        if not y.requires_grad:
            raise RuntimeError(NO_GRAPH)
        if g is None and y._array.size != 1:
            raise RuntimeError(f"grad can be implicitly created only for scalar outputs, not {y.shape}")
        if g is None:
            g = y.xp.ones(y.shape, y.dtype)
        if not isinstance(g, Tensor):
            g = wrap(as_array(g, y.dtype, y.device), None)
        if g.shape != y.shape:
            raise RuntimeError(f"Mismatch in shape: grad_output has {g.shape}, output has {y.shape}")
        g = g.astype(y.dtype) if g.dtype != y.dtype else g
        node = leaf_of(y)
        g = g if as_tensors else g._array
        adjoints[node] = adjoints[node] + g if node in adjoints else g
    return adjoints


def free(order: Iterable[Node]) -> None:
    """Lets go of what the nodes saved; the graph can still be drawn, but not walked again."""
    for node in order:
        if node.op is not None:
            node.saved = None


def as_tensor(g: Any) -> Tensor:
    return g if isinstance(g, Tensor) else wrap(np.asarray(g) if isinstance(g, np.generic) else g, None)


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, allow_unused: bool = False) -> tuple:  # fmt: skip
    """The gradients of `outputs` (weighted by `grad_outputs`) with respect to each of `inputs`.

    Returns a tuple of Tensors, None for an unused input if `allow_unused`; `.grad` is not touched.
    """
    outputs, inputs, grad_outputs = _listed(outputs), _listed(inputs), _listed(grad_outputs)
    for k, x in enumerate(inputs):
        if not x.requires_grad:
            raise RuntimeError(f"One of the differentiated Tensors (input {k}) does not require grad")
    ends = {leaf_of(x) for x in inputs}
    with mode(grad=create_graph):
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
    """Those nodes of `order` through which gradients must pass to arrive at `ends`."""
    live: set[Node] = set()
    for node in order:
        if node in ends or not live.isdisjoint(node.parents):
            live.add(node)
    return [n for n in order if n in live]


def backward(self: Tensor, gradient: Any = None, retain_graph: bool | None = None,
             create_graph: bool = False, record: str | None = None) -> Flow | None:  # fmt: skip
    """Adds the gradient of this tensor to `.grad` of every leaf it was made from.

    `record="norm"` or `"full"` keeps the graph and returns a `Flow` of what each edge carried. If a
    rule or hook raises, no `.grad` has changed and the call can be made again.
    """
    flow = Flow(record) if record is not None else None
    with mode(grad=create_graph):
        adjoints = seeds([self], [gradient], create_graph)
        order = reachable(adjoints)
        ends = {n for n in order if n.op is None or (n.extra and n.extra.get("retains"))}
        found = pull(adjoints, order, ends, create_graph, flow)
        for node, g in found.items():
            node.grad = as_tensor(g) if node.grad is None else node.grad + as_tensor(g)
    if not (retain_graph if retain_graph is not None else create_graph or record):
        free(order)
    if flow is not None:
        leaf_of(self).flow = flow
    return flow


def _listed(x: Any) -> list:
    return list(x) if isinstance(x, (list, tuple)) else [] if x is None else [x]


Tensor.backward = backward  # type: ignore[attr-defined]
