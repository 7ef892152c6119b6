"""A run goes on bit for bit in whatever holds its numbers: a deep copy, a pickle, a state dict.

Every optimiser, with options that keep every kind of state, takes two steps, is copied in each way,
and both take two more. Each mistake in a saved state leaves the optimiser as it was.
"""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinygrad_rnn import nn, optim, tensor

KINDS: dict[str, tuple[type, dict[str, Any]]] = {
    "SGD": (optim.SGD, {}),
    "SGD, momentum": (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "Adagrad": (optim.Adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    "RMSprop": (optim.RMSprop, {"momentum": 0.9, "centered": True}),
    "Adam": (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    "AdamW": (optim.AdamW, {"betas": (0.8, 0.95)}),
    "Adadelta": (optim.Adadelta, {"rho": 0.8, "weight_decay": 0.1}),
    "Adamax": (optim.Adamax, {"betas": (0.8, 0.95)}),
    "NAdam": (optim.NAdam, {"momentum_decay": 0.1}),
    "Rprop": (optim.Rprop, {"etas": (0.4, 1.5), "step_sizes": (0.01, 0.3)}),
    "ASGD": (optim.ASGD, {"lambd": 0.1, "alpha": 0.5, "t0": 1}),
    "NTASGD": (optim.NTASGD, {"patience": 1, "weight_decay": 0.1}),
    "LBFGS": (optim.LBFGS, {"max_iter": 3, "history_size": 2}),
    "LBFGS, line search": (optim.LBFGS, {"max_iter": 2, "line_search_fn": "strong_wolfe"}),
}
EVERY = [
    kind
    for kind in map(vars(optim).get, optim.__all__)
    if isinstance(kind, type) and issubclass(kind, optim.Optimizer) and kind is not optim.Optimizer
]
X = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)


def pair(name: str, grouped: bool = False) -> tuple[Any, Any]:
    """A model and its optimiser."""
    kind, options = KINDS[name]
    model = nn.Readout(nn.GRU(2, 3, seed=0), 2, seed=1)
    params: Any = model.parameters()
    if grouped:
        params = [
            {"params": model.layer.parameters()},
            {"params": model.linear.parameters(), "lr": 0.3},
        ]
    return model, kind(params, lr=0.1, **options)


def descend(model: Any, optimizer: Any, steps: int = 2) -> None:
    def closure() -> Any:
        optimizer.zero_grad()
        loss = (model(tensor(X))[0] ** 2).mean()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


def loaded(model: Any, optimizer: Any) -> tuple[Any, Any]:
    name = next(n for n, (kind, _) in KINDS.items() if kind is type(optimizer))
    other, fresh = pair(name, len(optimizer.param_groups) > 1)
    other.load_state_dict(model.state_dict())
    fresh.load_state_dict(optimizer.state_dict())
    return other, fresh


def through_json(model: Any, optimizer: Any) -> tuple[Any, Any]:
    other, fresh = loaded(model, optimizer)
    fresh.load_state_dict(
        json.loads(json.dumps(optimizer.state_dict(), default=lambda a: a.tolist()))
    )
    return other, fresh


WAYS = {
    "deepcopy": lambda *both: copy.deepcopy(both),
    "pickle": lambda *both: pickle.loads(pickle.dumps(both)),
    "load": loaded,
    "json": through_json,
}


def same(a: Any, b: Any) -> bool:
    return all(
        np.array_equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values())
    )


def test_every_optimiser_is_here():
    assert {kind for kind, _ in KINDS.values()} == set(EVERY)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_a_copied_run_goes_on_bit_for_bit(name, way, grouped):
    if grouped and name.startswith("LBFGS"):
        pytest.skip("it has one group")
    model, optimizer = pair(name, grouped)
    descend(model, optimizer)
    twin, other = WAYS[way](model, optimizer)
    assert same(model, twin) and len(other.state) == len(optimizer.state)
    descend(model, optimizer)
    assert not same(model, twin)  # what follows moves only the original
    descend(twin, other)
    assert same(model, twin)
    assert other.state.keys() == optimizer.state.keys()


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_groups_added_after_a_copy_keep_the_state_of_those_before(way):
    model, optimizer = pair("Adam")
    descend(model, optimizer)
    twin, other = WAYS[way](model, optimizer)
    for one, its in ((model, optimizer), (twin, other)):
        extra = tensor(np.ones(2, np.float32), requires_grad=True)
        its.add_param_group({"params": extra, "lr": 0.5})
        (extra * 2).sum().backward()
        descend(one, its)
        assert its.state[1, 0]["step"] == 1 if extra.grad is not None else (1, 0) not in its.state
    assert same(model, twin)
    assert [len(g["params"]) for g in other.param_groups] == [6, 1]


def test_a_schedule_goes_on_in_a_copy():
    model, optimizer = pair("SGD")
    schedule = optim.StepLR(optimizer, 2)
    schedule.step()
    twin, other, its = copy.deepcopy((model, optimizer, schedule))
    its.step()
    assert other.param_groups[0]["lr"] == pytest.approx(0.01)
    assert optimizer.param_groups[0]["lr"] == 0.1 and its.optimizer is other and twin is not model
    other.add_param_group({"params": tensor([1.0], requires_grad=True), "lr": 1.0})
    its.step()
    assert [g["lr"] for g in other.param_groups] == pytest.approx([0.01, 0.1])


# A saved state with one thing wrong
def broken(saved: dict[str, Any], what: str) -> Any:
    """The saved state of Adam with a mistake in it."""
    group, entry = saved["param_groups"][0], saved["state"][0]
    if what.startswith("option "):
        _, name, text = what.split(" ", 2)
        group[name] = {"nan": np.nan, "inf": np.inf, "one": (0.9,), "word": "a"}.get(text, text)
        if text.lstrip("-").replace(".", "").isdigit():
            group[name] = float(text)
    elif what == "no groups":
        del saved["param_groups"]
    elif what == "a list":
        return [saved]
    elif what == "a missing option":
        del group["eps"]
    elif what == "an unknown option":
        group["momentun"] = 0.9
    elif what == "another decay":
        group["decoupled_weight_decay"] = True
    elif what == "a parameter more":
        group["params"] = [*group["params"], 9]
    elif what == "a number too large":
        saved["state"][99] = entry
    elif what == "another's state":
        entry["momentum_buffer"] = entry.pop("exp_avg")
    elif what == "another shape":
        entry["exp_avg"] = entry["exp_avg"][:1]
    elif what == "words":
        entry["exp_avg"] = entry["exp_avg"].astype(str)
    elif what == "half a step":
        entry["step"] = 0.5
    return saved


MISTAKES = {
    "option lr nan": "Adam: Invalid learning rate: nan; lr must be a finite number",
    "option lr -1": "Invalid learning rate: -1.0; lr must be .* of at least 0",
    "option lr word": "Adam: lr must be a finite number of at least 0, got 'a'",
    "option eps inf": "Invalid epsilon value: inf",
    "option weight_decay -2": "Invalid weight_decay value: -2.0",
    "option betas one": r"Adam: betas must be two numbers such as \(0.9, 0.999\), got \(0.9,\)",
    "option amsgrad word": "Adam: amsgrad must be True or False, got 'a'",
    "no groups": r"a state dict has state and param_groups, got \['state'\]",
    "a list": "a state dict has state and param_groups, got a list",
    "a missing option": "the saved group lacks eps; it may be of another optimizer",
    "an unknown option": "unknown option 'momentun'",
    "another decay": "the saved weight decay is of another kind",
    "a parameter more": r"groups of \[7\] parameters saved, this optimizer has \[6\]",
    "a number too large": "state of parameter 99: this optimizer has parameters 0 to 5",
    "another's state": "state of parameter 0: 'momentum_buffer' is not kept here",
    "another shape": r"'exp_avg': \(1, 2\) float32 saved, the parameter is \(9, 2\) float32",
    "words": r"'exp_avg': \(9, 2\) <U32 saved",
    "half a step": "step must be a whole number of at least 0, got 0.5",
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_wrong_state_is_refused_and_changes_nothing(what):
    model, optimizer = pair("Adam")
    descend(model, optimizer)
    before = copy.deepcopy(optimizer.state_dict())
    saved = copy.deepcopy(before)
    saved["param_groups"][0]["lr"] = 0.7  # would be taken over
    with pytest.raises((ValueError, TypeError), match=MISTAKES[what]):
        optimizer.load_state_dict(broken(saved, what))
    now = optimizer.state_dict()
    assert (
        now["param_groups"] == before["param_groups"]
        and now["state"].keys() == before["state"].keys()
    )
    for number, entry in now["state"].items():
        for name, value in entry.items():
            np.testing.assert_array_equal(value, before["state"][number][name])


BAD = {"nan": np.nan, "below": -1.5, "a word": "a", "an object": object(), "words": np.array(["a"]),
       "another shape": np.zeros((1, 7))}  # fmt: skip


def mistaken(saved: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every saved state with one thing wrong: an entry gone, added, or no such thing."""
    places = [("param_groups", 0, k) for k in saved["param_groups"][0]]
    places += [("state", 0, k) for k in saved["state"][0]]
    for place in places:
        kind, number, name = place
        for what, bad in [*BAD.items(), ("gone", None)]:
            if kind == "state" and what == "below" and name != "step":
                continue
            wrong = copy.deepcopy(saved)
            wrong[kind][number][name] = bad
            if what == "gone":
                del wrong[kind][number][name]
            yield f"{name}: {what}", wrong
    for kind in ("param_groups", "state"):
        wrong = copy.deepcopy(saved)
        wrong[kind][0]["nothing_known"] = 1.0
        yield "nothing_known: added", wrong
        yield f"{kind}: no dict", {**saved, kind: [5] if kind[0] == "p" else {0: 5}}


OPTIONAL = {"momentum_buffer: gone", "max_exp_avg_sq: gone", "grad_avg: gone"}  # by the options
OPTIONAL.add("dampening: below")


@pytest.mark.parametrize("name", KINDS)
def test_every_mistake_in_a_state_is_told_and_changes_nothing(name):
    model, optimizer = pair(name)
    descend(model, optimizer)
    before = copy.deepcopy(optimizer.state_dict())
    for what, wrong in mistaken(before):
        if what in OPTIONAL or (what == "step: gone" and name.startswith("SGD")):
            continue
        with pytest.raises((ValueError, TypeError)) as caught:
            optimizer.load_state_dict(wrong)
            pytest.fail(f"{what} is taken")
        assert str(caught.value).startswith(type(optimizer).__name__), what
        assert what.split(":")[0] in str(caught.value) or "dict" in str(caught.value), what
        np.testing.assert_equal(optimizer.state_dict(), before)


NUMBERS = [(kind, o) for kind in EVERY for o in inspect.signature(kind).parameters if o != "params"]


@pytest.mark.parametrize(("kind", "option"), NUMBERS, ids=lambda v: getattr(v, "__name__", v))
def test_no_option_takes_what_it_cannot_be(kind, option):
    for bad in [np.nan, -1.5, "a", object(), (1,), (np.nan, 2.0), (-1.0, -2.0), None]:
        if (option, bad) == ("dampening", -1.5) or (bad is None and option in NONE):
            continue
        with pytest.raises((ValueError, TypeError), match=rf"{kind.__name__}.*{option}"):
            kind([tensor([1.0], requires_grad=True)], **{option: bad})
            pytest.fail(f"{bad} is taken")


NONE = ("max_eval", "line_search_fn")
RANGES = [
    ("Rprop", {"etas": (1.2, 0.5)}, r"etas\[0\] must be .* above 0 and below 1, got 1.2"),
    ("Rprop", {"etas": (0.5, 1.0)}, r"etas\[1\] must be a finite number above 1, got 1.0"),
    ("Rprop", {"step_sizes": (2.0, 1.0)}, r"step_sizes\[1\] must be .* at least 2, got 1.0"),
    ("Adadelta", {"rho": 1.0}, "rho must be .* of at least 0 and below 1"),
    ("LBFGS", {"max_iter": 0}, "max_iter must be a whole number of at least 1, got 0"),
    ("LBFGS", {"max_eval": 0}, "max_eval must be a whole number of at least 1, got 0"),
    ("LBFGS", {"history_size": 2.5}, "history_size must be a whole number"),
    ("LBFGS", {"line_search_fn": "strong_wolf"}, "did you mean 'strong_wolfe'"),
    ("ASGD", {"t0": -np.inf}, "t0 must be a finite number of at least 0"),
    ("NTASGD", {"patience": -1}, "patience must be a whole number of at least 0"),
]


@pytest.mark.parametrize(("name", "options", "told"), RANGES)
def test_ranges_of_options_are_told(name, options, told):
    with pytest.raises((ValueError, TypeError), match=told):
        getattr(optim, name)([tensor([1.0], requires_grad=True)], **options)


def test_losses_that_are_none_are_refused():
    model, optimizer = pair("NTASGD")
    descend(model, optimizer)
    for wrong in ("abc", [1.0, "a"], {}):
        with pytest.raises(TypeError, match="NTASGD: losses must be a list of numbers"):
            optimizer.load_state_dict({**optimizer.state_dict(), "losses": wrong})
    with pytest.raises(ValueError, match="a state dict has state"):
        optimizer.load_state_dict([])


def test_a_state_that_pytorch_saved_is_taken():
    model, optimizer = pair("AdamW")
    descend(model, optimizer)
    saved = copy.deepcopy(optimizer.state_dict())
    how = {"foreach": None, "fused": None, "capturable": False, "differentiable": False}
    saved["param_groups"][0] |= {**how, "decoupled_weight_decay": True}
    for entry in saved["state"].values():
        entry["step"] = np.float32(entry["step"])
    other = pair("AdamW")[1]
    other.load_state_dict(saved)
    assert other.state[0, 0]["step"] == 2 and "foreach" not in other.param_groups[0]


def test_a_pickle_of_an_earlier_version_says_what_to_do():
    optimizer = pair("Adam")[1]
    old = {**vars(optimizer), "state": {140_000_000: {"step": 1}}}
    with pytest.raises(ValueError, match=r"an earlier version, .*; load its state_dict"):
        optimizer.__setstate__(old)


def test_it_shows_its_options_and_what_it_moves():
    text = repr(pair("SGD")[1])
    assert text.startswith("SGD(lr=0.1, momentum=0.0") and text.endswith("; 6 Tensors, 71 numbers)")
    lines = repr(pair("Adam", grouped=True)[1]).splitlines()
    assert lines[0] == "Adam(" and lines[2].startswith("  group 1: lr=0.3, betas=(0.9, 0.999)")
    schedule = optim.StepLR(pair("SGD")[1], 5)
    assert repr(schedule) == "StepLR(step_size=5, gamma=0.1, last_epoch=0)"
