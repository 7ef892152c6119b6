"""Check a gradient against differences and name the operation whose rule is wrong; for programs.

Every entry of every input is moved a little both ways; the change of the result must be what the
gradient says. When it is not, the function is traced, and each node of the graph is put to the same
test by itself, on the values it had: the first that fails is named with its scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.context import enable_grad, trace
from ..engine.node import Node
from ..engine.primitive import apply_primitive
from ..engine.tensor import Tensor, wrap
from .numeric_slopes import CheckOptions, array_like, as_tuple, compare, real_outputs, slope_of

SINGLE = (5e-3, 1e-2, 2e-2)  # the least eps, atol and rtol at which float32 tells right from wrong


class GradcheckError(RuntimeError):
    """Raised if a gradient is not the slope; the message names the operation."""


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Return True if the gradient of `func` with respect to `inputs` is its slope.

    Otherwise GradcheckError says where, and which operation's rule is at fault (or returns False
    with raise_exception=False). Float32 inputs are checked with a larger eps and looser tolerances,
    since their slopes have few digits. `fast_mode` compares along one random direction only.
    """
    xs = as_tuple(inputs)
    plan = _plan(xs, eps, atol, rtol, fast_mode)
    return _verdict(
        "gradcheck", func, xs, plan, raise_exception, lambda: first_order(func, xs, plan)
    )


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Return the same of the gradient of the gradient; `grad_outputs` are random unless given."""
    xs = as_tuple(inputs)
    plan = _plan(xs, eps, atol, rtol, fast_mode)
    given = grad_outputs if grad_outputs is None else as_tuple(grad_outputs)
    slope = slope_of(func, len(xs))
    if given is None:
        with enable_grad():
            outs = [y for y in as_tuple(func(*xs)) if y.requires_grad]
        given = tuple(_random(y).requires_grad_() for y in outs)
    every = (*xs, *given)
    return _verdict("gradgradcheck", slope, every, plan, raise_exception,
                    lambda: second_order(func, xs, plan))  # fmt: skip


def _random(y: Tensor) -> Tensor:
    return wrap(array_like(np.random.default_rng(0).normal(size=y.shape), y, y.device), None)


def _plan(xs: Sequence[Any], eps: float, atol: float, rtol: float, fast: bool) -> CheckOptions:
    checked = [k for k, x in enumerate(xs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, "
                         "but none of them have requires_grad=True.")  # fmt: skip
    half = [k for k in checked if xs[k].dtype == np.float16]
    if half:
        raise ValueError(f"gradcheck: input {half[0]} is float16, whose slopes have no digits to "
                         "compare; pass float64")  # fmt: skip
    if any(xs[k].dtype == np.float32 for k in checked):
        eps, atol, rtol = (
            max(v, least) for v, least in zip((eps, atol, rtol), SINGLE, strict=True)
        )
    return CheckOptions(eps, atol, rtol, fast)


def _verdict(name: str, func: Callable, xs: tuple, plan: CheckOptions, raises: bool,
             search: Callable) -> bool:  # fmt: skip
    """Return True, or a text that names the fault and the cause that `search` finds."""
    try:
        told = unsteady(func, xs)
        fault = None if told else compare(func, xs, plan)
        if fault is not None:
            told = (f"the gradient of output {fault.output} with respect to input {fault.input} is "
                    f"wrong: {fault} ({plan})\n  {next(search(), REST)}")  # fmt: skip
    except Exception as error:
        culprit = next(search(), None)
        if culprit is None:
            raise
        told = f"the backward pass raised {type(error).__name__}: {error}\n  {culprit}"
    if told and raises:
        raise GradcheckError(f"{name}: {told}")
    return not told


REST = (
    "every operation's own rule is right, so a part is cut off from the graph (detach, no_grad, "
    "numpy), or the function depends on something besides its inputs"
)


def unsteady(func: Callable, xs: tuple) -> str:
    """Return what to say if two calls with the same inputs differ: such a function has no slope."""
    with enable_grad():
        first, second = (real_outputs(func(*xs)) for _ in range(2))
    for k, (a, b) in enumerate(zip(first, second, strict=True)):
        if not np.array_equal(to_numpy(a._array), to_numpy(b._array), equal_nan=True):
            return (
                f"output {k} differs between two calls with the same inputs; draw at random outside"
            )
    return ""


# Which operation
def first_order(func: Callable, xs: tuple, plan: CheckOptions) -> Iterator[str]:
    """Return a sentence for each node of the graph of `func` whose own rule is not its slope."""
    nodes = nodes_of(func, xs)
    for node in filter(checkable, nodes):
        yield from blamed(node, *alone(node), plan, "its rule")
    yield from cuts(nodes)


def second_order(func: Callable, xs: tuple, plan: CheckOptions) -> Iterator[str]:
    """Yield the nodes whose gradient rule, itself differentiated, disagrees with slopes."""
    nodes = nodes_of(func, xs)
    for node in filter(checkable, nodes):
        yield from blamed(node, *alone(node), plan, "its rule")
    for node in filter(checkable, nodes):
        own, given = alone(node)
        ones = wrap(array_like(np.ones(node.shape), node, given[0].device), None).requires_grad_()
        slope = slope_of(own, len(given))
        yield from blamed(node, slope, (*given, ones), plan, "the gradient of its rule")
    yield from cuts(nodes)


def nodes_of(func: Callable, xs: tuple) -> list[Node]:
    """Return the graph of `func` at `xs`, as far as it came."""
    with trace() as nodes, enable_grad(), suppress(Exception):
        func(*xs)
    return nodes


def checkable(node: Node) -> bool:
    return node.op is not None and node.needs and node.inputs is not None


def alone(node: Node) -> tuple[Callable, tuple]:
    """Isolate one node: return (f, inputs) such that f(*inputs) re-runs its operation."""
    free = movable(node)
    leaves = tuple(wrap(node.inputs[k], None).requires_grad_() for k in free)

    def own(*given: Tensor) -> Tensor:
        inputs = list(node.inputs)
        for k, x in zip(free, given, strict=True):
            inputs[k] = x
        return apply_primitive(node.op, tuple(inputs), node.params)  # type: ignore[arg-type]

    return own, leaves


def movable(node: Node) -> list[int]:
    """Return which of the node's inputs are Tensors of real numbers."""
    return [k for k, p in enumerate(node.parents) if p is not None and p.dtype.kind == "f"]


def blamed(node: Node, own: Callable, given: tuple, plan: CheckOptions, what: str) -> Iterator[str]:
    """Say of one node what is wrong with it, if anything is."""
    try:
        fault = compare(own, given, plan._replace(fast=False))
    except Exception as error:
        yield f"{named(node)}: {what} raises {type(error).__name__}: {error}"
        return
    if fault is not None:
        free = movable(node)
        argument = free[fault.input] if fault.input < len(free) else "g"
        yield f"{named(node)}: {what} is not its slope for argument {argument}, {fault}"


def named(node: Node) -> str:
    """Return a node's name for messages: 'mul' (node 7, in lstm.layer=0.gate=forget)."""
    what = node.op.name if node.op else node.name or "input"
    place = ".".join([*node.path, *(f"{k}={v}" for k, v in node.labels.items())])
    return f"'{what}' (node {node.index}{', in ' * bool(place)}{place})"


def cuts(nodes: list[Node]) -> Iterator[str]:
    """List the places where a value with a gradient enters the graph again without it, as after
    detach()."""
    known = {id(n.value): n for n in nodes if n.needs}
    for node in nodes:
        for k, parent in enumerate(node.parents):
            if parent is not None and not parent.needs and id(parent.value) in known:
                source = named(known[id(parent.value)])
                cut = f"{named(node)} takes its argument {k}, the value of {source}, without its"
                yield f"every operation's own rule is right, but {cut} gradient (detach or no_grad)"
