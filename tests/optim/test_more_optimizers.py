"""The optimisers beyond Adam against numbers recorded from PyTorch 2.13; L-BFGS on its classics."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tinygrad_rnn import optim, sin, tensor
from tinygrad_rnn.optim.lbfgs import cubic

# Five steps from (1, −2, 0.5) on Σ w sin(3p) + p²/2 with w = (1, 2, 0.1), in float64.
RECORDED = [
    ("Adadelta", {"lr": 1.0}, [1.0164369262927475, -2.016496555735686, 0.4835800939801212]),
    (
        "Adadelta",
        {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1},
        [1.0060583334705722, -2.0060664992572264, 0.49394507996592957],
    ),
    ("Adamax", {"lr": 0.1}, [1.4285238871450865, -2.4572306453649864, 0.02056189572318147]),
    (
        "Adamax",
        {"betas": (0.8, 0.9), "lr": 0.1, "weight_decay": 0.1},
        [1.4689103368581315, -2.4980640825228835, -0.03139163928770819],
    ),
    ("NAdam", {"lr": 0.1}, [1.3521473841411018, -2.3771547354438893, 0.10739071967289196]),
    (
        "NAdam",
        {"lr": 0.1, "momentum_decay": 0.1, "weight_decay": 0.1},
        [1.347050741571332, -2.374244793259011, 0.11189832175463912],
    ),
    ("Rprop", {"lr": 0.1}, [1.5368000000000002, -2.5368000000000004, -0.2441599999999999]),
    (
        "Rprop",
        {"etas": (0.4, 1.5), "lr": 0.3, "step_sizes": (0.001, 0.4)},
        [1.3, -2.2999999999999994, -0.44000000000000006],
    ),
    ("ASGD", {"lr": 0.1}, [1.4078356885305192, -2.450795157169032, 0.24716016087740833]),
    (
        "ASGD",
        {"alpha": 0.5, "lambd": 0.1, "lr": 0.1, "t0": 2, "weight_decay": 0.1},
        [1.3761781195520775, -2.4300596047570324, 0.2138864920167839],
    ),
    (
        "LBFGS",
        {"lr": 0.1, "max_iter": 3},
        [1.381308693279006, -2.4757006204928476, 0.16481660558671912],
    ),
    (
        "LBFGS",
        {"history_size": 2, "lr": 0.5, "max_iter": 4},
        [1.407957461773855, -2.476184911061511, -0.23085879444956167],
    ),
]

WEIGHTS = np.array([1.0, 2.0, 0.1])


def start():
    return tensor(np.array([1.0, -2.0, 0.5]), requires_grad=True)


def descend(p, optimizer, steps=5):
    def closure():
        optimizer.zero_grad()
        loss = (sin(3 * p) * tensor(WEIGHTS) + p * p / 2).sum()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


@pytest.mark.parametrize(("name", "options", "want"), RECORDED)
def test_five_steps_are_pytorchs(name, options, want):
    p = start()
    descend(p, getattr(optim, name)([p], **options))
    single = name in ("NAdam", "ASGD")  # PyTorch keeps a scalar of these in single precision
    np.testing.assert_allclose(p.detach().numpy(), want, rtol=2e-8 if single else 1e-12)


@pytest.mark.parametrize(("name", "options", "want"), RECORDED)
def test_a_saved_or_copied_run_goes_on_bit_for_bit(name, options, want):
    p = start()
    optimizer = getattr(optim, name)([p], **options)
    descend(p, optimizer, 3)
    saved = copy.deepcopy(optimizer.state_dict())
    q = tensor(p.detach().numpy(), requires_grad=True)
    twin, copied = copy.deepcopy((p, optimizer))
    other = getattr(optim, name)([q])
    other.load_state_dict(saved)
    for leaf, one in ((p, optimizer), (q, other), (twin, copied)):
        descend(leaf, one, 4)
    np.testing.assert_array_equal(q.detach().numpy(), p.detach().numpy())
    np.testing.assert_array_equal(twin.detach().numpy(), p.detach().numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["Adadelta", "Adamax", "NAdam", "Rprop", "ASGD", "LBFGS"])
def test_the_dtype_of_a_parameter_stays(name, dtype):
    p = tensor(np.array([1.0, -2.0, 0.5], dtype), requires_grad=True)
    descend(p, getattr(optim, name)([p]), 2)
    assert p.dtype == dtype


def minimise(f, at, **options):
    """(where L-BFGS ends, how many times the function was computed)."""
    p, count = tensor(np.array(at), requires_grad=True), 0
    optimizer = optim.LBFGS([p], max_iter=200, max_eval=400, **options)

    def closure():
        nonlocal count
        count += 1
        optimizer.zero_grad()
        loss = f(p)
        loss.backward()
        return loss

    optimizer.step(closure)
    return p.detach().numpy(), count


def rosenbrock(p):
    return ((1 - p[:-1]) ** 2 + 100 * (p[1:] - p[:-1] ** 2) ** 2).sum()


def test_a_line_search_finds_the_end_of_rosenbrocks_valley():
    at, count = minimise(rosenbrock, [-1.2, 1.0, -0.5, 0.8], line_search_fn="strong_wolfe")
    np.testing.assert_allclose(at, 1, atol=1e-5)
    assert count < 120


def test_a_quadratic_takes_as_many_directions_as_it_has():
    scales = tensor(np.array([1.0, 10.0, 100.0]))
    found = minimise(lambda p: (scales * (p - 3) ** 2).sum(), [0.0] * 3,
                     line_search_fn="strong_wolfe")  # fmt: skip
    np.testing.assert_allclose(found[0], 3, atol=1e-6)
    assert found[1] < 30


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"line_search_fn": "armijo"}, "strong_wolfe"),
        ({"lr": float("nan")}, "learning rate"),
        ({"tolerance_grad": -1}, "tolerance_grad"),
    ],
)
def test_what_lbfgs_cannot_do_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        optim.LBFGS([start()], **options)


def test_lbfgs_needs_a_closure_and_one_group():
    p = start()
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([p]).step()
    with pytest.raises(ValueError, match="one vector"):
        optim.LBFGS([{"params": [p]}, {"params": [start()]}])


def test_averaging_begins_when_validation_stops_to_improve():
    p = start()
    optimizer = optim.NTASGD([p], lr=0.1, patience=2)
    descend(p, optimizer, 2)
    assert [optimizer.validated(loss) for loss in (3, 2, 1, 1.5, 2.5)] == [False] * 4 + [True]
    seen = []
    for _ in range(4):
        descend(p, optimizer, 1)
        seen.append(p.detach().numpy())
    with optimizer.swapped():
        mean = p.detach().numpy()
    np.testing.assert_allclose(mean, np.mean(seen, 0), rtol=1e-12)
    np.testing.assert_array_equal(p.detach().numpy(), seen[-1])
    other = optim.NTASGD([start()], lr=0.1, patience=2)
    other.load_state_dict(optimizer.state_dict())
    assert other.triggered and other.losses == [3, 2, 1, 1.5, 2.5]


def test_the_lowest_place_of_a_cubic():
    """x³ is level at 0, where PyTorch's line search goes as well; x³ + x nowhere, so the middle."""
    assert cubic((0.0, 0.0, -1.0), (2.0, 2.0, 3.0), 0.0, 2.0) == 0.5  # of x² − x
    assert cubic((-1.0, -1.0, 3.0), (2.0, 8.0, 12.0), -1.0, 2.0) == pytest.approx(0.0)
    assert cubic((-1.0, -2.0, 4.0), (2.0, 10.0, 13.0), -1.0, 2.0) == 0.5
