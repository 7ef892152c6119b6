"""Whatever a step does in Python, and whatever a cell holds that may change: never wrong numbers.

Each case is a cell's step and, for later calls, a change of what the cell holds; the compiled layer
must give what the unrolled one gives at every call.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from compile.test_layer import inputs

from tinygrad_rnn import Tensor, enable_grad, grad, is_grad_enabled, no_grad, tensor
from tinygrad_rnn.compile import NotCompiled, compile
from tinygrad_rnn.compile.runtime.fingerprint import CellFingerprint
from tinygrad_rnn.engine.primitive import primitive
from tinygrad_rnn.nn import Cell, Recurrent

OUTSIDE = tensor(np.array(2.0))


class Slope:
    def __init__(self, slope: float):
        self.slope = [slope]

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.slope[0]


class Habit(Cell):
    """A cell whose step does something odd with its input, state and belongings first."""

    def __init__(self, odd: Callable):
        super().__init__(3, 3, dtype=np.float64)
        self.odd, self.count, self.log, self.last = odd, 0, [], None
        self.place, self.total = tensor(2), tensor(np.array(0.0))
        self.array, self.number = np.ones(3), np.float32(1)
        self.options = SimpleNamespace(scale=1.0, weight=tensor(np.array(1.0)))
        self.set, self.deque, self.dict = {1}, deque([1.0]), {"few": 1.0}
        self.lists: tuple[list, list] = ([1.0], [])
        self.empty, self.outer = SimpleNamespace(), SimpleNamespace(inner=SimpleNamespace(scale=1))
        self.mixed = [[1.0], tensor(np.array(2.0))]
        self.act: Callable = Slope(1.0)
        weights = [tensor(inputs(3, 3, seed=s), requires_grad=True) for s in (0, 1)]
        self.U, self.V = weights
        self.tied = [*weights, weights[0]]

    def start(self, batch: int, like: Tensor) -> Tensor:
        return self.blank(batch, 3, like)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = (self.odd(self, x, h) + h @ self.U).tanh()
        return new, new


def written(what: Callable) -> Callable:
    def odd(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
        changed = what(x, h)
        changed[:, 1] = 0.5
        return x + h + changed

    return odd


def added(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
    h += x
    return h


def given(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
    h.data = np.zeros(h.shape)
    return x + h


def counted(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
    cell.count += 1
    return x * cell.count


def logged(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
    cell.log.append(1)
    return x * len(cell.log)


def summed(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
    cell.total += 1
    return x * cell.total


def summed_array(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
    cell.array += 1
    return x * cell.array


def remembered(cell: Habit, x: Tensor, h: Tensor) -> Tensor:
    last, cell.last = cell.last, x
    return x if last is None else x - last


IN_STEPS = {
    "a place from the data": (lambda c, x, h: x[:, (x.sum(0) * 9).argmax()].unsqueeze(1), "reads"),
    "a written state": (written(lambda x, h: h), "changes a Tensor"),
    "a written input": (written(lambda x, h: x), "changes a Tensor"),
    "a written value": (written(lambda x, h: h * 2), "changes a Tensor"),
    "a state added to": (added, "changes a Tensor"),
    "a state given data": (given, "changes a Tensor"),
    "a count": (counted, "changes what the cell holds"),
    "a log": (logged, "changes what the cell holds"),
    "a total": (summed, "changes a Tensor"),
    "an array": (summed_array, "changes what the cell holds"),
    "the last input": (remembered, "changes what the cell holds"),
    "a print": (lambda c, x, h: x * len(repr(h)), "reads"),
    "a place held": (lambda c, x, h: x[:, c.place].unsqueeze(1), "reads"),
    "a Tensor from outside": (lambda c, x, h: x * OUTSIDE, "does not hold"),
}


def agree(odd: Callable, backend: str, change: Callable = lambda cell, k: None) -> list[str]:
    """Runs both, in the order and as often as a user would; returns why it ran unrolled."""
    plain, own = Recurrent(Habit(odd)), Recurrent(Habit(odd))
    fast = compile(own, backend)
    for k in range(6):
        found = []
        for layer, run in ((plain, plain), (own, fast)):
            change(layer.cells[0][0], k)
            found.append(run(tensor(inputs(3, 2, 3)))[0].detach().numpy())
        np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12)
    return fast.compiled.notes


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("recorded", [enable_grad, no_grad])
@pytest.mark.parametrize("habit", IN_STEPS)
def test_what_a_step_does_in_python(habit: str, recorded: Callable, backend: str) -> None:
    odd, reason = IN_STEPS[habit]
    written_to = ("a written state", "a written value", "a state given data")
    if recorded is enable_grad and habit in written_to:
        pytest.skip("no Tensor that requires grad is written to: the plain layer raises too")
    with warnings.catch_warnings(), recorded():
        warnings.simplefilter("ignore", NotCompiled)
        (note,) = agree(odd, backend)
    assert reason in note


def tie(cell: Habit, k: int) -> None:
    cell.tied[2] = cell.tied[k % 2]


def rename(cell: Habit, k: int) -> None:
    old, new = ("few", "many")[:: 1 if k % 2 else -1]
    cell.dict[new] = cell.dict.pop(old, 1.0)


CHANGES: dict[str, tuple[Callable, Callable]] = {
    "an option": (lambda c, x, h: x * c.count, lambda c, k: vars(c).update(count=k)),
    "an option of a record": (lambda c, x, h: x * c.options.scale,
                              lambda c, k: vars(c.options).update(scale=k + 0.5)),
    "a Tensor of a record": (lambda c, x, h: x * c.options.weight,
                             lambda c, k: setattr(c.options.weight, "data", np.array(k + 0.5))),
    "another Tensor": (lambda c, x, h: x * c.total,
                       lambda c, k: vars(c).update(total=tensor(np.array(k + 0.5)))),
    "a set": (lambda c, x, h: x * len(c.set), lambda c, k: c.set.add(k)),
    "a deque": (lambda c, x, h: x * c.deque[0], lambda c, k: c.deque.appendleft(k + 0.5)),
    "a name": (lambda c, x, h: x * (1 + ("many" in c.dict)),
               lambda c, k: vars(c).update(dict={("few", "many")[k % 2]: 1.0})),
    "a name in its place": (lambda c, x, h: x * (1 + ("many" in c.dict)), rename),
    "a record in a record": (lambda c, x, h: x * c.outer.inner.scale,
                             lambda c, k: vars(c.outer.inner).update(scale=k)),
    "a record that was empty": (lambda c, x, h: x * len(vars(c.empty)),
                                lambda c, k: setattr(c.empty, f"field{k}", k)),
    "an order": (lambda c, x, h: x * (1 + isinstance(c.mixed[0], list)),
                 lambda c, k: c.mixed.reverse()),
    "a number": (lambda c, x, h: x * c.number, lambda c, k: vars(c).update(number=np.float32(k))),
    "an array": (lambda c, x, h: x * c.array, lambda c, k: c.array.fill(k)),
    "which list": (lambda c, x, h: x * len(c.lists[0]),
                   lambda c, k: vars(c).update(lists=([1.0] * (k % 2), [1.0] * (1 - k % 2)))),
    "which is tied": (lambda c, x, h: x @ c.tied[0] + h @ c.tied[2], tie),
    "a function": (lambda c, x, h: c.act(x),
                   lambda c, k: vars(c).update(act=lambda x, s=k + 0.5: x * s)),
    "an object": (lambda c, x, h: c.act(x), lambda c, k: vars(c).update(act=Slope(k + 0.5))),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_cell_holds_may_change_between_calls(change: str) -> None:
    assert agree(CHANGES[change][0], "numpy", CHANGES[change][1]) == []


def test_a_change_is_seen_and_equal_things_are_equal() -> None:
    cell = Habit(lambda c, x, h: x)
    held = CellFingerprint(cell)
    assert held.unchanged() and CellFingerprint(cell).key == held.key
    cell.array[0] = np.nan
    assert not held.unchanged() and CellFingerprint(cell).key != held.key
    assert CellFingerprint(cell).unchanged()
    cell.array[0] = 1
    assert held.unchanged() and CellFingerprint(cell).key == held.key


@pytest.mark.parametrize("knot", ["itself", "its layer", "a list"])
def test_a_cell_may_hold_what_holds_it(knot: str) -> None:
    cell = Habit(lambda c, x, h: x)
    layer = Recurrent(cell)
    fast = compile(layer, "numpy")
    whole = layer(tensor(inputs(3, 2, 3)))[0]
    cell.log.append({"itself": cell, "its layer": layer, "a list": cell.log}[knot])
    np.testing.assert_allclose(fast(tensor(inputs(3, 2, 3)))[0]._array, whole._array, rtol=1e-12)
    assert fast.compiled.notes == []


def test_an_output_without_axes_runs_unrolled() -> None:
    class Sum(Habit):
        def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            new = super().step(x, h)[0]
            return new.sum(), new

    layer = Recurrent(Sum(lambda c, x, h: x))
    fast, x = compile(layer, "numpy"), tensor(inputs(3, 2, 3), requires_grad=True)
    with pytest.warns(NotCompiled, match="a single number"):
        found = fast(x)[0]
    assert found.shape == (3,) and np.allclose(found._array, layer(x)[0]._array)
    assert np.allclose(*[grad(y.sum(), x)[0]._array for y in (found, layer(x)[0])])


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_a_primitive_declared_twice(backend: str, primitives: dict) -> None:
    """A notebook's cell ran again with another definition; what was made before has the first."""
    first = primitive("bent", lambda a: a * 2, lambda g, y, a: g * 2)
    layer = Recurrent(Habit(lambda c, x, h: first(x)))
    x = tensor(inputs(3, 2, 3))
    primitive("bent", lambda a: a * 0, lambda g, y, a: g * 0)
    whole, found = layer(x)[0], compile(layer, backend)(x)[0]
    np.testing.assert_allclose(found._array, whole._array, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_a_step_may_ask_whether_gradients_are_recorded(backend: str) -> None:
    layer = Recurrent(Habit(lambda c, x, h: x * (2 if is_grad_enabled() else 3)))
    fast, x = compile(layer, backend), tensor(inputs(3, 2, 3))
    for recorded in (enable_grad, no_grad, enable_grad):
        with recorded():
            whole, found = layer(x)[0], fast(x)[0]
        np.testing.assert_allclose(found._array, whole._array, rtol=1e-12)
    assert fast.compiled.notes == []
