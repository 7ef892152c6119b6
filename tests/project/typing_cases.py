# mypy: warn-unused-ignores
"""What a type checker must see of a Tensor; `make types` reads this file, nothing runs it.

An ignored error that mypy does not find is an error itself, so every line here is a test.
"""

from __future__ import annotations

import tinygrad_rnn as t


def methods_are_seen(x: t.Tensor) -> None:
    t.zeros(2).sofmax()  # type: ignore[attr-defined]
    x.softmax(dmi=1)  # type: ignore[call-arg]
    x.exp(x)  # type: ignore[call-arg]
    x.reshape(2, 3).sum(dim=0).foo  # type: ignore[attr-defined]
    (x + 1).bar  # type: ignore[attr-defined]
    x.flatten("a")  # type: ignore[arg-type]
    t.mse_loss(x)  # type: ignore[call-arg]
    t.cat([x, x]).baz  # type: ignore[attr-defined]


def results_have_types(x: t.Tensor) -> t.Tensor:
    y: t.Tensor = (x @ x.T).softmax(dim=0)[0]
    pair: tuple[t.Tensor, ...] = y.chunk(2)
    size: int = len(pair) + x.ndim
    text: str = x.sort().values  # type: ignore[assignment]
    return -y * size + pair[0].T.abs() + text
