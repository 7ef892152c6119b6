"""Every row of the sample table: values, both derivatives, arrays as Tensors, every library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import golden
import numpy as np
import pytest
from samples import ROWS, Sample

import tinygrad_rnn as tg
from tinygrad_rnn.engine import arrays as backend
from tinygrad_rnn.engine.node import Node
from tinygrad_rnn.engine.primitive import PRIMITIVES
from tinygrad_rnn.engine.tensor import Tensor, wrap

DECLARED = dict(PRIMITIVES)  # before any test declares one of its own
EPS = 1e-6
each_row = pytest.mark.parametrize(
    "sample", ROWS, ids=[f"{s.name}-{i}" for i, s in enumerate(ROWS)]
)


def listed(out: Any) -> list[Tensor]:
    return list(out) if isinstance(out, tuple) else [out]


def leaves(sample: Sample, make: Callable = tg.tensor, dtype: Any = None) -> list[Tensor]:
    """The inputs as Tensors; the real ones ask for gradients, perhaps in another dtype."""
    made = []
    for a in sample.inputs:
        real = a.dtype.kind == "f"
        x = make(a.astype(dtype) if real and dtype else a)
        made.append(x.requires_grad_() if real and sample.order else x)
    return made


def weights(sample: Sample) -> np.random.Generator:
    """The same random numbers for every library and every derivative of a sample."""
    return np.random.default_rng(len(sample.name))


def weighted(outs: list[Tensor], rng: np.random.Generator) -> Tensor:
    """Σ output · fixed random numbers, over the outputs through which gradients may flow."""
    terms = []
    for y in outs:
        w = backend.move(rng.normal(size=y.shape), y.device)
        if y.dtype.kind == "f":
            terms.append((y * wrap(w, None)).sum())
    return tg.stack(terms).sum()


def first(sample: Sample, xs: list[Tensor], create_graph: bool = False) -> list[Tensor]:
    """The gradient of the weighted result with respect to every real input."""
    loss = weighted(listed(sample.call(*xs)), weights(sample))
    ends = [x for x in xs if x.requires_grad]
    if not loss.requires_grad:
        return [x.detach() * 0 for x in ends]
    found = tg.grad(loss, ends, create_graph=create_graph, allow_unused=True)
    return [x.detach() * 0 if g is None else g for x, g in zip(ends, found, strict=True)]


def second(sample: Sample, xs: list[Tensor]) -> list[Tensor]:
    """The gradient of the weighted first gradient."""
    ends = [x for x in xs if x.requires_grad]
    loss = weighted(first(sample, xs, create_graph=True), weights(sample))
    if not loss.requires_grad:
        return [x.detach() * 0 for x in ends]
    found = tg.grad(loss, ends, allow_unused=True)
    return [x.detach() * 0 if g is None else g for x, g in zip(ends, found, strict=True)]


def slopes(value: Callable[[list[Tensor]], float], xs: list[Tensor]) -> list[np.ndarray]:
    """Central differences of `value` with respect to every entry of every real input."""
    found = []
    for x in xs:
        if not x.requires_grad:
            continue
        middle, slope = x._array, np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            ends = []
            for step in (EPS, -EPS):
                x._array = middle.copy()
                x._array[place] += step
                ends.append(value(xs))
            slope[place] = (ends[0] - ends[1]) / (2 * EPS)
        x._array = middle
        found.append(slope)
    return found


def close(found: list[Any], expected: list[np.ndarray], rtol: float, atol: float) -> None:
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x.detach().numpy(), y, rtol=rtol, atol=atol)


@each_row
def test_value(sample):
    if sample.reference is None:
        pytest.skip("its numbers are recorded from torch: test_functions.py")
    expected = sample.reference(*sample.inputs)
    found = listed(sample.call(*leaves(sample)))
    close(found, expected if isinstance(expected, tuple) else [expected], 1e-12, 1e-14)


@each_row
def test_first_derivative_is_the_slope(sample):
    def value(xs: list[Tensor]) -> float:
        return weighted(listed(sample.call(*xs)), weights(sample)).item()

    if sample.order:
        xs = leaves(sample)
        close(first(sample, xs), slopes(value, xs), 1e-5, 1e-7)


@each_row
def test_second_derivative_is_the_slope_of_the_first(sample):
    def value(xs: list[Tensor]) -> float:
        return weighted(first(sample, xs), weights(sample)).item()

    if sample.order == 2:
        xs = leaves(sample)
        close(second(sample, xs), slopes(value, xs), 1e-5, 1e-7)


@each_row
def test_a_rule_gives_on_tensors_what_it_gives_on_arrays(sample):
    if sample.order:
        on_arrays = first(sample, leaves(sample))
        on_tensors = first(sample, leaves(sample), create_graph=True)
        close(on_tensors, [g.numpy() for g in on_arrays], 1e-12, 1e-14)


@each_row
def test_every_library_gets_the_same(sample, library):
    if library.name == "numpy" or not sample.inputs:
        return
    here, there = leaves(sample), leaves(sample, library.tensor)
    outs = listed(sample.call(*there))
    assert all(y.device == library.device for y in outs)
    expected = [y.detach().numpy() for y in listed(sample.call(*here))]
    close(outs, expected, 1e-10, 1e-12)
    if sample.order:
        for derivative in (first, second)[: sample.order]:
            found = derivative(sample, there)
            assert all(g.device == library.device for g in found)
            close(found, [g.numpy() for g in derivative(sample, here)], 1e-9, 1e-11)


@each_row
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_gradient_has_its_leafs_dtype_and_shape(sample, dtype):
    if not sample.order or dtype == "float16" and sample.name in ("transfer", "astype"):
        return
    xs = leaves(sample, dtype=dtype)
    exact = [y.detach().numpy() for y in listed(sample.call(*leaves(sample)))]
    wide = sample.name in ("astype", "float_power")  # these name their result's dtype
    outs = listed(sample.call(*xs))
    assert all(y.dtype == dtype or y.dtype.kind != "f" for y in outs) or wide
    if dtype == "float32":
        close(outs, exact, 2e-4, 2e-5)
    for x, g in zip([x for x in xs if x.requires_grad], first(sample, xs), strict=True):
        assert g.dtype == x.dtype and g.shape == x.shape


def test_the_table_covers_every_public_function():
    made_here = {
        f"tinygrad_rnn.functions.{m}"
        for m in (
            "reductions",
            "elementwise",
            "products",
            "shapes",
            "indexing",
            "losses",
            "windows",
            "creation",
        )
    }
    public = {
        name
        for name, f in vars(tg).items()
        if callable(f) and not isinstance(f, type)
        and (hasattr(f, "op") or f.__module__ in made_here)
    }  # fmt: skip
    assert len(public) > 150
    recorded = {case.name for case in golden.load("forms")}
    assert public - {s.name for s in ROWS} - recorded == set()


def test_the_table_runs_every_primitive():
    run = set()
    for sample in ROWS:
        with tg.trace() as nodes:
            sample.call(*leaves(sample))
        run |= {node.op.name for node in nodes if node.op}
    assert set(DECLARED) - run == set()


# What a primitive keeps
class Absent:
    """Stands for a saved array; any use but of its shape, dtype and ndim is an error."""

    __array_ufunc__ = None

    def __init__(self, a: Any) -> None:
        self.shape, self.dtype, self.ndim = a.shape, a.dtype, a.ndim


def graph_nodes() -> list[tuple[Node, list]]:
    """Every node with a gradient rule that the table makes, with all its arrays (y, *inputs)."""
    found = []
    for sample in ROWS:
        with tg.trace() as nodes:
            sample.call(*leaves(sample))
        for node in nodes:
            if node.op and node.needs and node.op.name in DECLARED and node.op.rules:
                found.append((node, arrays_of(node)))
    return found


def arrays_of(node: Node) -> list:
    given = zip(node.parents, node.saved[1:], strict=True)
    return [node.value, *[p.value if p is not None else s for p, s in given]]


def letters(node: Node) -> list[str]:
    """What each entry of `saved` is called in `keeps`: y, a, b, … or `all` for any number."""
    rule = node.op.rules
    if not isinstance(rule, tuple):
        return ["y"] + ["all"] * len(node.parents)
    return list(rule[0].__code__.co_varnames[1 : 2 + len(node.parents)])


def works_with(node: Node, saved: list) -> bool:
    """True if every rule gives, from `saved`, what it gives from everything."""
    g = np.ones(node.shape, node.dtype)
    for k, parent in enumerate(node.parents):
        if parent is None or parent.dtype.kind != "f":
            continue
        full = shown(node.op.rules[k](g, *arrays_of(node), **node.params))
        try:
            part = shown(node.op.rules[k](g, *saved, **node.params))
        except (AttributeError, TypeError, IndexError, ValueError):
            return False
        if not np.array_equal(full, part, equal_nan=True):
            return False
    return True


def shown(share: Any) -> Any:
    return share.dense() if hasattr(share, "dense") else share


def test_rules_read_only_what_is_kept():
    greedy = set()
    for node, arrays in graph_nodes():
        kept = [
            a if s is not None and not isinstance(s, Node) else Absent(a) if a is not None else None
            for a, s in zip(arrays, node.saved, strict=True)
        ]
        if not works_with(node, kept):
            greedy.add(node.op.name)
    assert not greedy, f"rules that read what their primitive does not keep: {greedy}"


def test_nothing_is_kept_that_no_rule_reads():
    needed: dict[str, set] = {}
    kept: dict[str, set] = {}
    for node, arrays in graph_nodes():
        name = node.op.name
        for i, letter in enumerate(letters(node)):
            parent = node.parents[i - 1] if i else node
            if parent is None or node.saved[i] is None or isinstance(node.saved[i], Node):
                continue
            kept.setdefault(name, set()).add(letter)
            if not works_with(node, [*arrays[:i], Absent(arrays[i]), *arrays[i + 1 :]]):
                needed.setdefault(name, set()).add(letter)
    idle = {name: k - needed.get(name, set()) for name, k in kept.items()}
    assert not {name: k for name, k in idle.items() if k}


def test_what_a_rule_needs_and_is_not_kept_is_found():
    """The check above must fail on a primitive that keeps too little, and on one too much."""
    poor = tg.primitive("poor", np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
    del PRIMITIVES["poor"]
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises((AttributeError, TypeError)):
        poor(x, x).sum().backward()
    with tg.trace() as nodes:
        poor(x, x)
    node = nodes[-1]
    assert not works_with(node, [Absent(node.value), *[Absent(x._array)] * 2])
    assert works_with(node, [Absent(node.value), x._array, x._array])
