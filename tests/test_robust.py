"""What must not happen: stack overflow, leaks, silently wrong gradients, torn state, leaking modes."""

from __future__ import annotations

import asyncio
import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from samples import ROWS
from test_ops import DECLARED, leaves, listed, weighted, weights

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, no_grad
from tinygrad_rnn.tensor import ForEach


def chain(n: int, x: Tensor) -> Tensor:
    """A graph of 2 n operations, one after the other."""
    y = x
    for _ in range(n):
        y = y + y * 1e-6
    return y


def rnn_loss(w: Tensor, u: Tensor, x: Tensor) -> Tensor:
    """A small recurrent network, of primitives."""
    h = tg.zeros(x.shape[1], w.shape[0], dtype=w.dtype)
    for t in range(x.shape[0]):
        h = tg.tanh(x[t] @ u + h @ w)
    return (h * h).mean()


def parameters(seed: int = 0, steps: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    w, u = rng.normal(size=(4, 4)) / 2, rng.normal(size=(3, 4)) / 2
    x = tg.tensor(rng.normal(size=(steps, 2, 3)))
    return tg.tensor(w, requires_grad=True), tg.tensor(u, requires_grad=True), x


# Deep graphs
@pytest.mark.parametrize("n", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("walk", [True, False], ids=["with backward", "dropped"])
def test_a_deep_graph_is_built_walked_and_dropped(n, walk):
    x = tg.tensor(np.ones(1), requires_grad=True)
    start = time.process_time()
    y = chain(n, x)
    if walk:
        y.backward()
        assert x.grad.item() == pytest.approx((1 + 1e-6) ** n, rel=1e-9)
    built = time.process_time()
    del y
    assert time.process_time() - built < 3 and built - start < 60


SMALL = """
import sys, threading
import numpy as np, tinygrad_rnn as tg
def work():
    sys.setrecursionlimit(150)
    x = tg.tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y + y * y * 1e-6
    for made in tg.grad(y, x, create_graph=True):
        made.sum().backward()
    tg.toposort(y.node)
    repr(y)
    print(x.grad.shape)
    del y, made
threading.stack_size(256 * 1024)
t = threading.Thread(target=work)
t.start()
t.join()
"""


def test_neither_recursion_nor_a_small_stack_limits_the_depth():
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "(1,)"


# Memory
def train(steps: int, w: Tensor, u: Tensor, x: Tensor) -> None:
    for _ in range(steps):
        rnn_loss(w, u, x).backward()
        for p in (w, u):
            p.data = p.data - 0.01 * p.grad.data
            p.grad = None


def test_training_makes_no_reference_cycles():
    given = parameters()
    train(5, *given)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        train(500, *given)
        assert len(gc.get_objects()) - before <= 10
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("what", ["hooks", "create_graph", "checkpoint", "grad", "trace", "anomaly", "error"])
def test_nothing_else_makes_cycles_either(what):
    w, u, x = parameters()

    def once() -> None:
        if what == "hooks":
            h = tg.tanh(w)
            handle = h.register_hook(lambda g: g * 2)
            h.retain_grad()
            h.sum().backward()
            handle.remove()
        elif what == "create_graph":
            (g,) = tg.grad(rnn_loss(w, u, x), w, create_graph=True)
            g.sum().backward()
        elif what == "checkpoint":
            tg.checkpoint(rnn_loss, w, u, x).backward()
        elif what == "grad":
            tg.grad(rnn_loss(w, u, x), [w, u])
        elif what == "trace":
            with tg.trace() as nodes:
                rnn_loss(w, u, x)
            assert len(nodes) > 20
        elif what == "anomaly":
            with tg.detect_anomaly():
                rnn_loss(w, u, x).backward()
        else:
            try:
                w @ x[0]
            except ValueError:
                pass

    once()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            once()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_backward_frees_what_was_saved():
    w, u, x = parameters()
    loss = rnn_loss(w, u, x)
    loss.backward()
    assert all(n.saved is None for n in tg.toposort(loss.node) if n.op)


@pytest.mark.slow
def test_truncated_bptt_does_not_grow():
    import resource

    w, u, x = parameters(steps=100)
    peaks = []
    for _ in range(4):
        for _ in range(100):
            rnn_loss(w, u, x).backward()
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    assert peaks[-1] - peaks[0] < 20


# Values changed between forward and backward
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
    x.data = np.zeros_like(x.data)


def by_source(x: Tensor, source: np.ndarray) -> None:
    source[...] = 0


MUTATIONS = [by_item, by_data, by_operator, by_rebinding, by_source]
REAL = [s for s in ROWS if s.order]


def gradients(loss: Tensor, xs: list[Tensor], create_graph: bool = False) -> list[np.ndarray]:
    if not loss.requires_grad:
        return []
    found = tg.grad(loss, [x for x in xs if x.requires_grad], allow_unused=True, create_graph=create_graph)
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
                    assert mutate is by_data or x.dtype.kind != "f"
            found = gradients(loss, xs, create_graph)
            if not changes:
                expected = found
        cases += 1
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_array_equal(x, y, err_msg=sample.name)
    assert cases >= 100  # 5 mutations, two ways to run a rule: more than 1,000 cases in all


SOURCES: dict[str, Callable[[Tensor, np.ndarray], Tensor]] = {
    "operand": lambda x, a: x * a,
    "reflected operand": lambda x, a: a * x,
    "matmul": lambda x, a: x @ a,
    "where": lambda x, a: tg.where(a > 0, x, a),
    "index": lambda x, a: x[a.astype(int) % 2],
    "mask": lambda x, a: x[a > 0],
    "gather": lambda x, a: tg.gather(x, 0, np.zeros(2, int)),
    "cat": lambda x, a: tg.cat([x, tg.tensor(a)]) ** 2,
    "index_put": lambda x, a: tg.index_put(x, [0], a[:1]) * x,
    "clamp": lambda x, a: tg.maximum(x, a) * x,
}


@pytest.mark.parametrize("name", SOURCES)
def test_arrays_given_beside_tensors_are_copied(name):
    grads = []
    for change in (False, True):
        x, a = tg.tensor(np.array([1.0, 2.0]), requires_grad=True), np.array([3.0, -4.0])
        y = SOURCES[name](x, a)
        if change:
            a[...] = 100
        y.sum().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1]


def test_an_index_array_changed_later_changes_nothing():
    places = np.array([0, 1, 1])
    for pick in (lambda x: x[places], lambda x: tg.gather(x, 0, places), lambda x: tg.embedding(places, x)):
        places[...] = [0, 1, 1]
        x = tg.tensor(np.ones((3,) if pick(tg.ones(3)).ndim == 1 else (3, 1)), requires_grad=True)
        y = pick(x)
        places[...] = 2
        y.sum().backward()
        assert x.grad.numpy().ravel().tolist() == [1, 2, 0]


def test_what_comes_out_cannot_be_written_into():
    x = tg.tensor(np.ones(3), requires_grad=True)
    (x * x).sum().backward()
    for view in (x.data, x.grad.data, (x * 2).data):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 5
    for copy in (x.detach().numpy(), np.asarray(x.detach()), np.array(x.grad)):
        copy[0] = 5
    assert x.tolist() == [1, 1, 1] and x.grad.tolist() == [2, 2, 2]


def test_in_place_on_a_leaf_that_records_is_an_error():
    x = tg.tensor(np.ones(3), requires_grad=True)
    for change in (lambda: x.__iadd__(1), lambda: x.__setitem__(0, 5.0)):
        with pytest.raises(RuntimeError, match=r"no_grad\(\)"):
            change()
    assert x.tolist() == [1, 1, 1]


# Walking twice
def test_a_freed_graph_says_so_and_what_to_do():
    w, u, x = parameters()
    loss = rnn_loss(w, u, x)
    loss.backward()
    before = w.grad.tolist()
    for again in (loss.backward, lambda: tg.grad(loss, w)):
        with pytest.raises(RuntimeError, match=r"already freed.*retain_graph=True.*detach\(\)"):
            again()
    assert w.grad.tolist() == before


def test_the_hidden_state_carried_over_without_detach_is_an_error():
    w, u, x = parameters()
    h = tg.tanh(x[0] @ u)
    (h @ w).sum().backward()
    with pytest.raises(RuntimeError, match=r"detach\(\) the hidden state"):
        tg.tanh(h @ w).sum().backward()
    tg.tanh(h.detach() @ w).sum().backward()


def test_two_backwards_of_one_graph_add_up():
    w, u, x = parameters()
    loss = rnn_loss(w, u, x)
    loss.backward(retain_graph=True)
    once = w.grad.numpy()
    loss.backward()
    np.testing.assert_array_equal(w.grad.numpy(), 2 * once)


# An exception in the middle of a backward pass
class Countdown:
    """Raises `error` in place of the k-th gradient rule that is run."""

    def __init__(self) -> None:
        self.left, self.error = -1, MemoryError

    def tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error("on purpose")

    def around(self, rule: Callable) -> Callable:
        def counted(*args: Any, **params: Any) -> Any:
            self.tick()
            return rule(*args, **params)

        return counted


@pytest.fixture
def countdown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Countdown]:
    bomb = Countdown()
    for op in DECLARED.values():
        if isinstance(op.rules, ForEach):
            monkeypatch.setattr(op, "rules", ForEach(bomb.around(op.rules.rule)))
        else:
            monkeypatch.setattr(op, "rules", tuple(bomb.around(r) for r in op.rules))
    yield bomb
    bomb.left = -1


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("options", [{}, {"create_graph": True}, {"record": "norm"}], ids=str)
def test_after_an_exception_a_rerun_is_bit_for_bit_the_clean_run(countdown, error, options):
    given = parameters(steps=16)
    w, u = given[:2]
    rnn_loss(*given).backward(**options)
    clean = [p.grad.numpy() if not p.grad.requires_grad else p.grad.detach().numpy() for p in (w, u)]
    countdown.error, failed = error, 0
    w.grad = u.grad = None
    loss = rnn_loss(*given)
    for k in range(1, 200 if not options else 60):
        countdown.left = k
        try:
            loss.backward(**options)
        except error:
            failed += 1
            assert w.grad is None and u.grad is None and tg.is_grad_enabled()
            continue
        countdown.left = -1
        break
    assert failed > 50
    if w.grad is None:
        loss.backward(**options)
    for p, expected in zip((w, u), clean, strict=True):
        np.testing.assert_array_equal(p.grad.detach().numpy(), expected)


def test_an_exception_in_a_hook_leaves_no_gradient():
    w, u, x = parameters()
    h = tg.tanh(x[0] @ u)
    handle = h.register_hook(lambda g: 1 / 0)
    loss = (h @ w).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert w.grad is None and u.grad is None
    handle.remove()
    loss.backward()
    assert w.grad is not None and u.grad is not None


def test_an_exception_in_a_checkpoint_leaves_generators_and_mode_alone():
    source, calls = tg.Generator(0), []
    x = tg.tensor(np.ones(4), requires_grad=True)

    def fails_when_run_again(x: Tensor) -> Tensor:
        calls.append(1)
        y = tg.dropout(x, 0.5, generator=source)
        if len(calls) == 2:
            raise MemoryError("on purpose")
        return y * x

    y = tg.checkpoint(fails_when_run_again, x)
    state = source.state
    with pytest.raises(MemoryError):
        y.sum().backward()
    assert source.state == state and tg.is_grad_enabled() and x.grad is None
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * y.detach().numpy())


# Modes stay where they are
def test_threads_have_modes_of_their_own():
    w, u, x = parameters()
    (expected,) = tg.grad(rnn_loss(w, u, x), w)
    wrong: list[Any] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        own = [tg.tensor(p.data, requires_grad=True) for p in (w, u)]
        for _ in range(60):
            if rng.random() < 0.5:
                with no_grad():
                    wrong.append(1) if rnn_loss(*own, x).requires_grad else None
            else:
                loss = rnn_loss(*own, x)
                loss.backward()
                wrong.append(2) if own[0].grad.tolist() != expected.tolist() else None
                own[0].grad = own[1].grad = None
            if not tg.is_grad_enabled():
                wrong.append(3)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    with no_grad():  # of this thread only
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert not tg.is_grad_enabled()
    assert not wrong


def test_asyncio_tasks_have_modes_of_their_own():
    async def task(i: int) -> list[bool]:
        seen = []
        if i % 2:
            with no_grad():
                await asyncio.sleep(0)
                seen.append(tg.is_grad_enabled())
                with tg.enable_grad(), tg.scope("task", step=i):
                    await asyncio.sleep(0)
                    seen.append(tg.is_grad_enabled())
                    y = tg.tensor(1.0, requires_grad=True) * 2
                    await asyncio.sleep(0)
                    assert y.node.labels == {"step": i}
                seen.append(tg.is_grad_enabled())
        await asyncio.sleep(0)
        return [*seen, tg.is_grad_enabled()]

    async def main() -> list[list[bool]]:
        return await asyncio.gather(*(task(i) for i in range(100)))

    for i, seen in enumerate(asyncio.run(main())):
        assert seen == ([False, True, False, True] if i % 2 else [True])


def test_a_mode_ends_with_its_block_even_by_an_exception():
    for block, probe in itertools.product(
        (no_grad, tg.enable_grad, tg.detect_anomaly, tg.trace, lambda: tg.scope("x")), range(2)
    ):
        with pytest.raises(KeyError), block():
            raise KeyError(probe)
        assert tg.is_grad_enabled()
        assert (tg.tensor(1.0, requires_grad=True) * 2).node.path == ()


def test_no_grad_decorates_a_function():
    @no_grad()
    def predict(x: Tensor) -> Tensor:
        return x * 2

    x = tg.tensor(1.0, requires_grad=True)
    assert not predict(x).requires_grad and (x * 2).requires_grad
    assert not predict(x).requires_grad  # also the second time
