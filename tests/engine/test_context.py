"""Modes and scopes: every thread and asyncio task has its own, and they end with their block."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from typing import Any

import numpy as np
import pytest
from engine.test_robust import parameters, rnn_loss

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, no_grad
from tinygrad_rnn.engine.context import MODE, SCOPE, mode


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


def test_a_scope_used_again_keeps_what_it_labelled_before():
    x, again = tg.tensor(1.0, requires_grad=True), tg.scope("cell", layer=0)
    made = []
    for step in range(3):
        with tg.scope("loop", step=step), again:
            made.append((x * 2).node)
    assert [n.labels for n in made] == [{"step": k, "layer": 0} for k in range(3)]
    assert all(n.path == ("loop", "cell") for n in made)
    with again, again:
        assert (x * 2).node.path == ("cell", "cell")
    assert (x * 2).node.path == ()


def test_no_grad_decorates_a_function():
    @no_grad()
    def predict(x: Tensor) -> Tensor:
        return x * 2

    x = tg.tensor(1.0, requires_grad=True)
    assert not predict(x).requires_grad and (x * 2).requires_grad
    assert not predict(x).requires_grad  # also the second time


BLOCKS: dict[str, tuple[Any, Any]] = {  # how to make one, and what is seen inside and outside
    "no_grad": (no_grad, lambda: not tg.is_grad_enabled()),
    "mode": (lambda: mode(grad=False, anomaly=True), lambda: not tg.is_grad_enabled()),
    "detect_anomaly": (tg.detect_anomaly, lambda: MODE.get().anomaly),
    "trace": (tg.trace, lambda: MODE.get().nodes is not None),
    "scope": (lambda: tg.scope("inner"), lambda: SCOPE.get() is not None),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_decorated_generator_has_its_block_only_while_it_runs(name):
    make, on = BLOCKS[name]
    seen: list[bool] = []

    @make()
    def steps(n: int) -> Any:
        try:
            for k in range(n):
                seen.append(on())
                got = yield k
                seen.append(on() and got == k * 10)
        except ValueError:
            seen.append(on())
            yield "caught"
        finally:
            seen.append(on())
        return "end"

    source = steps(2)
    assert next(source) == 0 and not on()
    assert source.send(0) == 1 and not on()
    with pytest.raises(StopIteration) as ended:
        source.send(10)
    assert ended.value.value == "end" and not on()
    thrown, closed = steps(2), steps(2)
    assert (next(thrown), next(closed)) == (0, 0)
    assert thrown.throw(ValueError()) == "caught" and not on()
    thrown.close()
    closed.close()
    assert all(seen) and len(seen) == 10 and not on()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_decorated_coroutine_has_its_block_only_while_it_runs(name):
    make, on = BLOCKS[name]
    seen: list[bool] = []
    block = make()

    @block
    async def work(n: int) -> int:
        for _ in range(n):
            seen.append(on())
            await asyncio.sleep(0)
        return n

    @block
    async def values(n: int) -> Any:
        for k in range(n):
            seen.append(on())
            await asyncio.sleep(0)
            yield k
        seen.append(on())

    async def main() -> None:
        assert [k async for k in values(3) if not on()] == [0, 1, 2]
        assert await asyncio.gather(work(3), work(2)) == [3, 2] and not on()

    asyncio.run(main())
    by_hand = work(1)
    by_hand.send(None)
    assert not on()
    with pytest.raises(StopIteration):
        by_hand.send(None)
    assert all(seen) and len(seen) == 10 and not on()


@pytest.mark.parametrize("name", BLOCKS)
def test_one_block_object_serves_many(name):
    make, on = BLOCKS[name]
    block, wrong = make(), []
    with block:
        with block:
            assert on()
        assert on()
    assert not on()

    def work() -> None:
        for _ in range(200):
            with block, block:
                wrong.append(1) if not on() else None
            wrong.append(2) if on() else None

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong and not on()


def test_gradients_of_all_threads_arrive():
    leaves = [tg.tensor(np.zeros(50), requires_grad=True) for _ in range(3)]

    def work() -> None:
        for _ in range(30):
            (leaves[0] + 2 * leaves[1] + 3 * leaves[2]).sum().backward()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
    finally:
        sys.setswitchinterval(interval)
    assert [x.grad.tolist() for x in leaves] == [[240.0 * k] * 50 for k in (1, 2, 3)]
