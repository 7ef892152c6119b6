"""What is asked of CUDA, held against a device made of Python: who waits for whom."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tinygrad_rnn.compile.runtime.cuda_device import LANES, Multiplier, Repeated


class Stream:
    """Knows which products are done before whatever it is given next."""

    def __init__(self) -> None:
        self.done: set[Any] = set()

    def wait_event(self, event: Event) -> None:
        self.done |= event.done


class Event:
    def __init__(self) -> None:
        self.done: set[Any] = set()

    def record(self, stream: Stream) -> None:
        self.done = set(stream.done)


@pytest.mark.parametrize("many", [1, 2, LANES, LANES + 3])
def test_products_begin_after_the_stage_before_and_end_before_the_next(many: int) -> None:
    here, used = Stream(), []
    cuda = SimpleNamespace(
        get_current_stream=lambda: here, Stream=lambda non_blocking: Stream(), Event=Event
    )
    multiply = Multiplier(SimpleNamespace(cuda=cuda, empty=lambda *_: object()), None)

    def product(rows: Any, matrix: Any, out: Any, scratch: Any, stream: Stream) -> None:
        used.append((out, scratch, set(stream.done)))
        stream.done.add(out)

    multiply.product = product  # type: ignore[method-assign]
    for stage in range(3):
        before, work = set(here.done), [(None, None, (stage, k)) for k in range(many)]
        multiply(work)
        assert len(before) == stage * many and here.done == before | {out for *_, out in work}
        for out, mine, done in used[-many:]:
            assert before <= done
            shared = {other for other, its, _ in used[-many:] if its is mine and other < out}
            assert shared <= done  # what uses the same scratch is over
    assert len(multiply.lanes) == min(many, LANES)


def test_work_is_recorded_after_it_was_issued_once() -> None:
    happened: list[str] = []

    class Capturing(Stream):
        def __enter__(self) -> None:
            happened.append("enter")

        def __exit__(self, *_: Any) -> None:
            happened.append("exit")

        def begin_capture(self) -> None:
            happened.append("begin")

        def end_capture(self) -> Any:
            return SimpleNamespace(launch=lambda stream: happened.append("launch"))

    cuda = SimpleNamespace(Stream=lambda non_blocking: Capturing(), get_current_stream=lambda: None)
    run, issue = Repeated(cuda), lambda: happened.append("issue")
    run(issue)
    assert happened == ["issue"]
    run(issue)
    run(issue)
    assert happened[1:] == ["enter", "begin", "issue", "exit", "launch", "launch"]
