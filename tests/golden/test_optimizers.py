"""What PyTorch's optimisers saved is loaded, and the run goes on as PyTorch's did."""

from __future__ import annotations

import io

import numpy as np
import pytest

import golden
import tinygrad_rnn
from tinygrad_rnn import Tensor, load, optim

CASES = golden.load("optimizers")
WEIGHTS = np.array([[1.0, 2.0], [0.1, 0.3]]), np.array([0.5, 1.0, -0.2])
FLAGS = {"foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"}


def descend(optimizer: optim.Optimizer, parameters: list[Tensor], steps: int) -> None:
    def closure() -> Tensor:
        optimizer.zero_grad()
        terms = [
            ((3 * p).sin() * tinygrad_rnn.tensor(w) + p * p / 2).sum()
            for p, w in zip(parameters, WEIGHTS)
        ]
        loss = terms[0] + terms[1]
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_run_that_pytorch_saved_goes_on(case: golden.Case) -> None:
    saved = load(io.BytesIO(case.arrays["file"].tobytes()))
    assert saved["state"]
    then, later = (list(case.named(name).values()) for name in ("then", "later"))
    parameters = [tinygrad_rnn.tensor(a, requires_grad=True) for a in then]
    optimizer = getattr(optim, case.options["kind"])(parameters, lr=0.7)
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert not FLAGS & optimizer.param_groups[0].keys()
    descend(optimizer, parameters, 3)
    single = case.options["kind"] in ("NAdam", "ASGD")  # some numbers of these are kept as float32
    for p, a in zip(parameters, later, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), a, rtol=1e-6 if single else 1e-12)


def test_every_optimiser_that_pytorch_has_too_is_recorded() -> None:
    ours = {n for n in optim.__all__ if isinstance(getattr(optim, n), type)
            and issubclass(getattr(optim, n), optim.Optimizer)}  # fmt: skip
    assert {case.options["kind"] for case in CASES} == ours - {"Optimizer", "NTASGD"}
