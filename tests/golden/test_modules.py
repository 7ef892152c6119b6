"""The small modules and the schedules have PyTorch's values, gradients, rates and momenta."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import golden
import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

CASES = golden.load("modules")
LAYERS = [c for c in CASES if "args" in c.options]
SCHEDULES = [c for c in CASES if "schedule" in c.options]


def tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("case", LAYERS, ids=[f"{c.name}-{k}" for k, c in enumerate(LAYERS)])
def test_a_module_has_torchs_answer_and_gradients(case: golden.Case) -> None:
    layer = getattr(nn, case.name)(*map(tuples, case.options["args"]), **case.options["options"])
    layer = layer.double()
    state = case.named("state")
    assert set(layer.state_dict()) == set(state)
    layer.load_state_dict(state)
    inputs = {k: tg.tensor(a, requires_grad=a.dtype.kind == "f" and f"grad/in/{k}" in case.arrays)
              for k, a in case.named("in").items()}  # fmt: skip
    named = {k: tg.tensor(a) for k, a in case.named("named").items()} | case.options["plain"]
    made = layer(*inputs.values(), **named)
    outs = [y for y in (made if isinstance(made, tuple) else (made,)) if y is not None]
    wanted = case.named("out")
    assert len(outs) == len(wanted)
    for y, right in zip(outs, wanted.values()):
        np.testing.assert_allclose(y.detach().numpy(), right, rtol=1e-9, atol=1e-11)
    loss = sum((y * tg.tensor(np.cos(np.arange(y.numel()) + 0.5).reshape(y.shape))).sum()
               for y in outs)  # fmt: skip
    leaves = {f"in/{k}": x for k, x in inputs.items()} | dict(layer.named_parameters())
    for name, right in case.named("grad").items():
        (found,) = tg.grad(loss, [leaves[name]], retain_graph=True)
        np.testing.assert_allclose(found.numpy(), right, rtol=1e-8, atol=1e-10)


def two_groups() -> optim.SGD:
    zeros = lambda: [tg.zeros(1, requires_grad=True)]
    return optim.SGD([{"params": zeros()}, {"params": zeros(), "lr": 0.02}], lr=0.1, momentum=0.9)


@pytest.mark.parametrize("case", SCHEDULES, ids=[f"{c.name}-{k}" for k, c in enumerate(SCHEDULES)])
def test_a_schedule_has_torchs_rates_and_goes_on_after_loading(case: golden.Case) -> None:
    kind, options = getattr(optim.lr_scheduler, case.name), case.options["schedule"]
    optimizer = two_groups()
    schedule = kind(optimizer, **options)
    for k, (rates, momenta) in enumerate(zip(case.arrays["lr"], case.arrays["momentum"])):
        if k:
            schedule.step()
        if k == 6:  # a fresh one goes on
            other = two_groups()
            fresh = kind(other, **options)
            fresh.load_state_dict(schedule.state_dict())
            optimizer, schedule = other, fresh
        np.testing.assert_allclose(schedule.get_last_lr(), rates, rtol=1e-9, atol=1e-15)
        found = [group["momentum"] for group in optimizer.param_groups]
        np.testing.assert_allclose(found, momenta, rtol=1e-9)


def test_one_schedule_after_the_other_begins_anew() -> None:
    optimizer = two_groups()
    warm = optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=4)
    falling = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    both = optim.lr_scheduler.SequentialLR(optimizer, [warm, falling], [4])
    rates = []
    for _ in range(7):
        rates.append(both.get_last_lr()[0])
        both.step()
    wanted = [0.05, 0.0625, 0.075, 0.0875, 0.1, 0.05, 0.025]  # torch's
    np.testing.assert_allclose(rates, wanted)


def test_schedules_at_once_multiply() -> None:
    optimizer = two_groups()
    one = optim.lr_scheduler.ConstantLR(optimizer, 0.5, 2)
    two = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    both = optim.lr_scheduler.ChainedScheduler([one, two])
    rates = [both.get_last_lr()[0]]
    for _ in range(3):
        both.step()
        rates.append(both.get_last_lr()[0])
    np.testing.assert_allclose(rates, [0.05, 0.045, 0.081, 0.0729])
    with pytest.raises(ValueError, match="CosineAnnealingLR is no factor"):
        optim.lr_scheduler.ChainedScheduler([optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)])
