"""What threads share is with one of them at a time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from compile.test_loops import layer_of

from tinygrad_rnn import Tensor, grad, tensor
from tinygrad_rnn.compile import compile
from tinygrad_rnn.compile.runtime.pool import Pool


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def at_once(work: Callable[[int], None], many: int = 6) -> None:
    failed: list[BaseException] = []

    def tried(k: int) -> None:
        try:
            work(k)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=tried, args=(k,)) for k in range(many)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed, failed[:3]


def test_a_pool_keeps_the_latest_and_gives_what_fits() -> None:
    pool: Pool[int] = Pool(3)
    for thing in range(5):
        pool.give(thing)
    assert pool.take(lambda thing: thing < 2) is None
    assert pool.take(lambda thing: thing > 2) == 3
    assert sorted(pool.things) == [2, 4]


def test_nobody_gets_what_another_thread_has(hasty: None) -> None:
    pool: Pool[list] = Pool(4)

    def work(k: int) -> None:
        for n in range(20000):
            mine = pool.take(lambda thing, n=n: thing[0] == n % 3) or [n % 3, None]
            assert mine[1] is None and mine[0] == n % 3
            mine[1] = k
            assert mine[1] == k
            mine[1] = None
            pool.give(mine)

    at_once(work)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_a_compiled_layer_serves_threads_at_once(backend: str, hasty: None) -> None:
    layer = layer_of("lstm", 3, 4, np.float64)
    fast = compile(layer, backend, threads=1)
    xs = [np.random.default_rng(T).standard_normal((T, 2, 3)) for T in (1, 2, 3)]

    def run(layer: Callable, x: np.ndarray) -> list[Tensor]:
        given = tensor(x, requires_grad=True)
        y = layer(given)[0]
        return [y, *grad((y**2).sum(), [given, *fast.parameters()])]

    whole = [run(layer, x) for x in xs]

    def work(k: int) -> None:
        for n in range(100):
            found = run(fast, xs[(n + k) % 3])
            for a, b in zip(found, whole[(n + k) % 3], strict=True):
                np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9)

    at_once(work)
