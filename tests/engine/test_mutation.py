"""Values changed between forward and backward: every gradient is right, or there is an error.

Every row of the sample table is changed in seven ways, through Tensors and through source arrays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from engine.test_ops import leaves, listed, weighted, weights
from samples import ROWS

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, no_grad, tensor


def by_item(x: Tensor, source: np.ndarray) -> None:
    with no_grad():
        x[...] = 1


def by_data(x: Tensor, source: np.ndarray) -> None:
    x.data[...] = 1


def by_operator(x: Tensor, source: np.ndarray) -> None:
    with no_grad():
        x *= 2
        x -= 3


def by_rebinding(x: Tensor, source: np.ndarray) -> None:
    x.data = np.zeros(x.shape)


def by_source(x: Tensor, source: np.ndarray) -> None:
    source[...] = 0


def by_method(x: Tensor, source: np.ndarray) -> None:
    x.data.add_(1).mul_(2)


def by_view(x: Tensor, source: np.ndarray) -> None:
    with no_grad():
        for row in x if x.ndim else ():
            row.zero_()


MUTATIONS = [by_item, by_data, by_operator, by_rebinding, by_source, by_method, by_view]
REAL = [s for s in ROWS if s.order]


def gradients(loss: Tensor, xs: list[Tensor], create_graph: bool = False) -> list[np.ndarray]:
    if not loss.requires_grad:
        return []
    found = tg.grad(
        loss, [x for x in xs if x.requires_grad], allow_unused=True, create_graph=create_graph
    )
    return [None if g is None else g.detach().numpy() for g in found]


@pytest.mark.parametrize("create_graph", [False, True], ids=["arrays", "tensors"])
@pytest.mark.parametrize("mutate", MUTATIONS)
def test_no_change_after_the_forward_makes_a_gradient_wrong(mutate, create_graph):
    cases = 0
    for sample in REAL:
        expected = None
        for changes in (False, True):
            sources = [a.copy() for a in sample.inputs]
            made = sample._replace(inputs=tuple(sources))
            xs = leaves(made)
            loss = weighted(listed(made.call(*xs)), weights(made))
            for x, source in zip(xs, sources, strict=True) if changes else ():
                try:
                    mutate(x, source)
                except (ValueError, RuntimeError, TypeError):
                    assert x.dtype.kind != "f"
            found = gradients(loss, xs, create_graph)
            if not changes:
                expected = found
        cases += 1
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_array_equal(x, y, err_msg=sample.name)
    assert cases >= 100  # 7 mutations, two ways to run a rule: more than 1,000 cases in all


SOURCES: dict[str, Callable[[Tensor, np.ndarray], Tensor]] = {
    "operand": lambda x, a: x * a,
    "reflected operand": lambda x, a: a * x,
    "matmul": lambda x, a: x @ a,
    "where": lambda x, a: tg.where(a > 0, x, a),
    "index": lambda x, a: x[a.astype(int) % 2],
    "mask": lambda x, a: x[a > 0],
    "gather": lambda x, a: tg.gather(x, 0, np.zeros(2, int)),
    "cat": lambda x, a: tg.cat([x, tensor(a)]) ** 2,
    "index_put": lambda x, a: tg.index_put(x, [0], a[:1]) * x,
    "clamp": lambda x, a: tg.maximum(x, a) * x,
}


@pytest.mark.parametrize("name", SOURCES)
def test_arrays_given_beside_tensors_are_copied(name):
    grads = []
    for change in (False, True):
        x, a = tensor(np.array([1.0, 2.0]), requires_grad=True), np.array([3.0, -4.0])
        y = SOURCES[name](x, a)
        if change:
            a[...] = 100
        y.sum().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1]


def test_an_index_array_changed_later_changes_nothing():
    places = np.array([0, 1, 1])
    for pick in (
        lambda x: x[places],
        lambda x: tg.gather(x, 0, places),
        lambda x: tg.embedding(places, x),
    ):
        places[...] = [0, 1, 1]
        x = tensor(np.ones((3,) if pick(tg.ones(3)).ndim == 1 else (3, 1)), requires_grad=True)
        y = pick(x)
        places[...] = 2
        y.sum().backward()
        assert x.grad.numpy().ravel().tolist() == [1, 2, 0]


def test_what_comes_out_is_a_copy():
    x = tensor(np.ones(3), requires_grad=True)
    (x * x).sum().backward()
    for copy in (x.detach().numpy(), np.asarray(x.detach()), np.array(x.grad)):
        copy[0] = 5
    assert x.tolist() == [1, 1, 1] and x.grad.tolist() == [2, 2, 2]


def test_in_place_on_a_leaf_that_records_is_an_error():
    x = tensor(np.ones(3), requires_grad=True)
    for change in (lambda: x.__iadd__(1), lambda: x.__setitem__(0, 5.0)):
        with pytest.raises(RuntimeError, match=r"no_grad\(\)"):
            change()
    assert x.tolist() == [1, 1, 1]
