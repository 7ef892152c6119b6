"""Optimisers against numbers recorded from PyTorch 2.13, their state, and their arguments."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tinygrad_rnn import nn, optim, sin, tensor

# Five steps from (1, −2, 0.5) on Σ w sin(3p) + p²/2 with w = (1, 2, 0.1), in float64.
RECORDED = [
    ("SGD", {"lr": 0.1}, [1.4078515157741198, -2.4508025227477557, 0.24717537741527945]),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9},
        [1.3003473986922431, -2.0654167206481318, -0.14588042048529534],
    ),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
        [1.604843919522822, -2.2311098158079368, 0.027509210829289553],
    ),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        [1.406168899810154, -2.3039823245687927, -0.25693124737847645],
    ),
    (
        "SGD",
        {"lr": 0.1, "maximize": True},
        [0.5903667958945132, -1.65806044555262, 0.7671765674681482],
    ),
    ("Adagrad", {"lr": 0.1}, [1.2918879908391003, -2.3096771426763656, 0.184533414670146]),
    (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        [1.2517938889576252, -2.272224903597882, 0.2937878966709753],
    ),
    ("RMSprop", {"lr": 0.01}, [1.2929334824068925, -2.3107925747521607, 0.18327835029920478]),
    (
        "RMSprop",
        {"lr": 0.01, "momentum": 0.9, "centered": True, "weight_decay": 0.1},
        [1.6635683545014808, -2.745337186253761, -0.37295565482809934],
    ),
    ("Adam", {"lr": 0.1}, [1.4731685273087813, -2.4881128434820163, 0.00315531820543187]),
    (
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.1, "amsgrad": True},
        [1.4582128526406315, -2.4807729819276356, 0.00625343833513041],
    ),
    (
        "AdamW",
        {"lr": 0.1, "weight_decay": 0.2},
        [1.3732689465775465, -2.287251300173323, -0.0246230374721553],
    ),
    (
        "Adam",
        {"lr": 0.1, "maximize": True},
        [0.528505505312603, -1.5576471639253768, 1.0013302555459218],
    ),
]
WEIGHTS = np.array([1.0, 2.0, 0.1])


def start():
    return tensor(np.array([1.0, -2.0, 0.5]), requires_grad=True)


def descend(p, optimizer, steps=5):
    for _ in range(steps):
        optimizer.zero_grad()
        (sin(3 * p) * tensor(WEIGHTS) + p * p / 2).sum().backward()
        optimizer.step()


@pytest.mark.parametrize(("name", "options", "want"), RECORDED)
def test_five_steps_are_pytorchs(name, options, want):
    p = start()
    descend(p, getattr(optim, name)([p], **options))
    np.testing.assert_allclose(p.detach().numpy(), want, rtol=1e-12)


@pytest.mark.parametrize(("name", "options", "want"), RECORDED)
def test_a_saved_run_goes_on_bit_for_bit(name, options, want):
    p = start()
    optimizer = getattr(optim, name)([p], **options)
    descend(p, optimizer, 3)
    saved, values = optimizer.state_dict(), p.detach().numpy()
    descend(p, optimizer, 4)
    q = tensor(values, requires_grad=True)
    other = getattr(optim, name)([q], lr=77.0)
    other.load_state_dict(saved)
    descend(q, other, 4)
    np.testing.assert_array_equal(q.detach().numpy(), p.detach().numpy())


def test_a_state_dict_is_numbers_and_arrays_only():
    p = start()
    optimizer = optim.Adam([p])
    descend(p, optimizer)
    plain = json.loads(json.dumps(optimizer.state_dict(), default=lambda a: a.tolist()))
    assert plain["param_groups"][0]["params"] == [0] and plain["state"]["0"]["step"] == 5
    other = optim.Adam([start()])
    other.load_state_dict(optimizer.state_dict())
    assert (
        other.state_dict()["state"][0]["exp_avg"] is optimizer.state_dict()["state"][0]["exp_avg"]
    )


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"])
def test_a_step_writes_into_no_array(name):
    p = start()
    optimizer = getattr(optim, name)([p], lr=0.1)
    y = p * p
    old = p._array
    before = old.copy()
    y.sum().backward(retain_graph=True)
    optimizer.step()
    np.testing.assert_array_equal(old, before)
    assert p._array is not old
    p.grad = None
    y.sum().backward()
    np.testing.assert_array_equal(p.grad.numpy(), 2 * before)


def test_parameters_without_gradient_stay():
    p, q = start(), start()
    (p * p).sum().backward()
    optimizer = optim.Adam([p, q], lr=0.1)
    optimizer.step()
    np.testing.assert_array_equal(q.detach().numpy(), start().detach().numpy())
    assert list(optimizer.state_dict()["state"]) == [0]


def test_groups_have_options_of_their_own():
    p, q = start(), start()
    optimizer = optim.SGD([{"params": p, "lr": 1.0}, {"params": [q]}], lr=0.0)
    (p + q).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(p.detach().numpy(), start().detach().numpy() - 1)
    np.testing.assert_array_equal(q.detach().numpy(), start().detach().numpy())


def test_dtype_and_device_stay(library):
    for dtype in (np.float32, np.float64):
        p = library.tensor(np.ones(3, dtype), requires_grad=True)
        for name in ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW"):
            optimizer = getattr(optim, name)([p], lr=0.1, weight_decay=0.1)
            for _ in range(2):
                (p * p).sum().backward()
                optimizer.step()
            assert p.dtype == dtype and p.device == library.device


def test_the_closures_loss_comes_back():
    p = start()
    optimizer = optim.SGD([p], lr=0.1)

    def closure():
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 5.25


def test_zero_grad_forgets_or_sets_to_zero():
    p = start()
    optimizer = optim.SGD([p])
    (p * p).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0, 0]
    optimizer.zero_grad()
    assert p.grad is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.SGD([p], lr=-1), "Invalid learning rate: -1"),
        (lambda p: optim.Adam([p], lr=math.nan), "Invalid learning rate: nan"),
        (lambda p: optim.Adam([p], lr=math.inf), "Invalid learning rate: inf"),
        (lambda p: optim.Adam([p], betas=(0.9, 1.0)), "Invalid beta parameter at index 1: 1.0"),
        (lambda p: optim.Adam([p], eps=-1), "Invalid epsilon value: -1"),
        (lambda p: optim.AdamW([p], weight_decay=-1), "Invalid weight_decay value: -1"),
        (lambda p: optim.SGD([p], momentum=-0.5), "Invalid momentum value: -0.5"),
        (lambda p: optim.RMSprop([p], alpha=-1), "Invalid alpha value: -1"),
        (lambda p: optim.SGD([p], nesterov=True), "Nesterov momentum requires a momentum"),
        (lambda p: optim.SGD([]), "empty parameter list"),
        (lambda p: optim.SGD([p, p]), "appears more than once"),
        (lambda p: optim.SGD([p * 2]), "can't optimize a non-leaf Tensor"),
        (lambda p: optim.SGD([p.detach()]), "a Tensor without requires_grad"),
        (
            lambda p: optim.SGD([{"params": p, "lrr": 1}]),
            "'lrr'; did you mean 'lr'",
        ),
        (
            lambda p: optim.LinearWarmup(optim.SGD([p]), 0),
            "at least 1, got 0",
        ),
        (
            lambda p: optim.ReduceLROnPlateau(optim.SGD([p]), factor=1.5),
            "factor .* above 0 and below 1",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(start())
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        optim.SGD([np.zeros(3)])


def test_a_state_that_does_not_fit_changes_nothing():
    p = start()
    optimizer = optim.Adam([p], lr=0.1)
    descend(p, optimizer)
    other = optim.Adam([tensor(np.zeros(2), requires_grad=True)], lr=0.5)
    with pytest.raises(
        ValueError, match=r"parameter 0: 'exp_avg': \(3,\) float64 saved, the parameter is \(2,\)"
    ):
        other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == 0.5 and not other.state
    with pytest.raises(
        ValueError,
        match=r"groups of \[1\] parameters saved, .* \[2\]",
    ):
        optim.Adam([start(), start()]).load_state_dict(optimizer.state_dict())


# Schedules: the first four recorded from PyTorch 2.13 with lr 0.5
@pytest.mark.parametrize(
    ("make", "want"),
    [
        (lambda o: optim.StepLR(o, 2, 0.5), [0.5, 0.5, 0.25, 0.25, 0.125]),
        (lambda o: optim.ExponentialLR(o, 0.9), [0.5, 0.45, 0.405, 0.3645, 0.32805]),
        (
            lambda o: optim.CosineAnnealingLR(o, 4, 0.1),
            [0.5, 0.4414213562373095, 0.3, 0.15857864376269054, 0.1],
        ),
        (lambda o: optim.LambdaLR(o, lambda k: 1 / (1 + k)), [0.5, 0.25, 0.5 / 3, 0.125, 0.1]),
        (lambda o: optim.LinearWarmup(o, 4), [0.125, 0.25, 0.375, 0.5, 0.5]),
    ],
)
def test_schedules(make, want):
    optimizer = optim.SGD([start()], lr=0.5)
    schedule = make(optimizer)
    seen = schedule.get_last_lr()
    for _ in range(4):
        schedule.step()
        seen += schedule.get_last_lr()
    np.testing.assert_allclose(seen, want, rtol=1e-12)
    other = optim.SGD([start()], lr=0.5)
    again = make(other)
    again.load_state_dict(schedule.state_dict())
    assert other.param_groups[0]["lr"] == pytest.approx(want[-1])


def test_a_plateau_lowers_the_rate_and_stops_at_its_floor():
    optimizer = optim.SGD([start()], lr=1.0)
    schedule = optim.ReduceLROnPlateau(optimizer, factor=0.1, patience=1, min_lr=0.05)
    rates = []
    for metric in (3, 2, 2, 2, 2, 2, 1):
        schedule.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1, 0.05, 0.05])


def test_training_a_layer_lowers_the_loss():
    layer = nn.GRU(2, 8, dtype=np.float64, seed=0)
    optimizer = optim.Adam(layer.parameters(), lr=0.02)
    x = tensor(np.random.default_rng(0).normal(size=(6, 4, 2)))
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = ((layer(x)[0] - x.sum(-1, keepdims=True).tanh()) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
