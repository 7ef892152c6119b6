"""Modes and scopes: every thread and asyncio task has its own, and they end with their block."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any

import numpy as np
import pytest
from engine.test_robust import parameters, rnn_loss

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, no_grad


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
    with again, pytest.raises(RuntimeError, match=r"scope cell\.layer=0 is entered already"), again:
        pass
    assert (x * 2).node.path == ()


def test_no_grad_decorates_a_function():
    @no_grad()
    def predict(x: Tensor) -> Tensor:
        return x * 2

    x = tg.tensor(1.0, requires_grad=True)
    assert not predict(x).requires_grad and (x * 2).requires_grad
    assert not predict(x).requires_grad  # also the second time
