"""torch.nn.RNN, GRU, LSTM and their cells in float64: outputs and all gradients, over every option.

The loss is Σ (result · a fixed random array) over everything the layer returns, so its gradient
meets every output. Cases are drawn from one seed, then topped up until each value of each option
is there for each kind of layer.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from record import case

KINDS = ("RNN", "GRU", "LSTM")
OPTIONS: dict[str, tuple[Any, ...]] = {
    "num_layers": (1, 2, 3),
    "bidirectional": (False, True),
    "bias": (True, False),
    "batch_first": (False, True),
    "form": ("batched", "unbatched", "lengths"),
    "given_state": (True, False),
}
EXTRA: dict[str, dict[str, tuple[Any, ...]]] = {
    "RNN": {"nonlinearity": ("tanh", "relu")},
    "LSTM": {"proj_size": (0, 2)},
    "GRU": {},
}
DRAWN = 30  # of each kind, besides one for each pair of option values that these leave out


def choices(kind: str) -> dict[str, tuple[Any, ...]]:
    return OPTIONS | EXTRA[kind]


def pairs(options: dict[str, Any]) -> set[tuple[Any, ...]]:
    return set(itertools.combinations(sorted(options.items()), 2))


def draw(kind: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Option sets in which every pair of values of two options occurs."""
    space = choices(kind)
    every = [dict(zip(space, v, strict=True)) for v in itertools.product(*space.values())]
    chosen = [every[i] for i in rng.choice(len(every), DRAWN, replace=False)]
    left = set().union(*map(pairs, every)) - set().union(*map(pairs, chosen))
    while left:
        best = max(every, key=lambda o: len(pairs(o) & left))
        chosen.append(best)
        left -= pairs(best)
    return chosen


def array(rng: np.random.Generator, *shape: int) -> Any:
    import torch

    return torch.tensor(rng.normal(size=shape), dtype=torch.float64, requires_grad=True)


def randomise(module: Any, rng: np.random.Generator) -> None:
    import torch

    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(rng.normal(0, 0.6, tuple(p.shape))))


def results(
    module: Any, inputs: dict[str, Any], outputs: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """The arrays of a case: weights, inputs, outputs, their weights in the loss, and gradients."""
    import torch

    given = {k: torch.from_numpy(rng.normal(size=tuple(o.shape))) for k, o in outputs.items()}
    sum((outputs[k] * given[k]).sum() for k in outputs).backward()
    arrays = {f"weight/{k}": p.detach() for k, p in module.named_parameters()}
    arrays |= {f"input/{k}": v.detach() for k, v in inputs.items()}
    arrays |= {f"output/{k}": v.detach() for k, v in outputs.items()}
    arrays |= {f"given/{k}": v for k, v in given.items()}
    arrays |= {f"grad/{k}": p.grad for k, p in module.named_parameters()}
    return arrays | {f"grad_input/{k}": v.grad for k, v in inputs.items()}


def layer(kind: str, options: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    import torch

    T, B, I, H = (int(rng.integers(low, high)) for low, high in ((2, 5), (1, 4), (1, 4), (3, 5)))
    made = {k: v for k, v in options.items() if k not in ("form", "given_state")}
    module = getattr(torch.nn, kind)(I, H, dtype=torch.float64, **made)
    randomise(module, rng)
    unbatched, batch_first = options["form"] == "unbatched", options["batch_first"]
    shape = (T, I) if unbatched else (B, T, I) if batch_first else (T, B, I)
    inputs = {"x": array(rng, *shape)}
    if options["given_state"]:
        rows = options["num_layers"] * (2 if options["bidirectional"] else 1)
        middle = () if unbatched else (B,)
        inputs["h0"] = array(rng, rows, *middle, options.get("proj_size", 0) or H)
        if kind == "LSTM":
            inputs["c0"] = array(rng, rows, *middle, H)
    state = (inputs["h0"], inputs["c0"]) if "c0" in inputs else inputs.get("h0")
    extra = {}
    if options["form"] == "lengths":
        extra["lengths"] = rng.permutation([T, *rng.integers(1, T + 1, B - 1)])
    outputs = named_outputs(
        kind, *run(module, inputs["x"], state, extra.get("lengths"), batch_first)
    )
    sizes = {"input_size": I, "hidden_size": H}
    arrays = results(module, inputs, outputs, rng) | extra
    return case(kind, sizes | options, arrays)


def run(
    module: Any, x: Any, state: Any, lengths: np.ndarray | None, batch_first: bool
) -> tuple[Any, Any]:
    if lengths is None:
        return module(x, state)
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    packed = pack_padded_sequence(x, lengths.tolist(), batch_first, enforce_sorted=False)
    packed_output, state = module(packed, state)
    return pad_packed_sequence(packed_output, batch_first)[0], state


def named_outputs(kind: str, output: Any, state: Any) -> dict[str, Any]:
    names = ("output", "h_n", "c_n") if kind == "LSTM" else ("output", "h_n")
    return dict(zip(names, (output, *(state if kind == "LSTM" else (state,))), strict=True))


def cell(kind: str, options: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    import torch

    B, I, H = (int(rng.integers(1, 4)) for _ in range(3))
    made = {k: v for k, v in options.items() if k in ("bias", "nonlinearity")}
    module = getattr(torch.nn, kind + "Cell")(I, H, dtype=torch.float64, **made)
    randomise(module, rng)
    middle = () if options["form"] == "unbatched" else (B,)
    inputs = {"x": array(rng, *middle, I)}
    if options["given_state"]:
        inputs |= {k: array(rng, *middle, H) for k in ("h0", "c0")[: 1 + (kind == "LSTM")]}
    state = (inputs["h0"], inputs["c0"]) if "c0" in inputs else inputs.get("h0")
    new = module(inputs["x"], state)
    outputs = {"h": new[0], "c": new[1]} if kind == "LSTM" else {"h": new}
    sizes = {"input_size": I, "hidden_size": H}
    return case(kind + "Cell", sizes | options, results(module, inputs, outputs, rng))


def record() -> list[dict[str, Any]]:
    rng = np.random.default_rng(2024)
    cases = [layer(kind, options, rng) for kind in KINDS for options in draw(kind, rng)]
    for kind in KINDS:
        for bias, form, given in itertools.product(
            (True, False), ("batched", "unbatched"), (True, False)
        ):
            options = {"bias": bias, "form": form, "given_state": given}
            if kind == "RNN":
                options["nonlinearity"] = "relu" if bias == given else "tanh"
            cases.append(cell(kind, options, rng))
    return cases
