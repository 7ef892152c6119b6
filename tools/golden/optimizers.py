"""What PyTorch's optimisers save after three steps, and where three more lead."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

KINDS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "weight_decay": 0.1},
    "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.5},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {"betas": (0.8, 0.95)},
    "Adadelta": {"rho": 0.8},
    "Adamax": {"weight_decay": 0.1},
    "NAdam": {"momentum_decay": 0.1},
    "Rprop": {"etas": (0.4, 1.5), "step_sizes": (0.001, 0.4)},
    "ASGD": {"alpha": 0.5, "lambd": 0.1, "t0": 1},
    "LBFGS": {"history_size": 4, "max_iter": 3},
}
FORMS = {"separate": (), "together": ("foreach",), "capturable": ("capturable",)}
START = np.array([[1.0, -2.0], [0.5, 0.3]]), np.array([0.7, -0.4, 1.1])
WEIGHTS = np.array([[1.0, 2.0], [0.1, 0.3]]), np.array([0.5, 1.0, -0.2])


def descend(library: Any, optimizer: Any, parameters: list[Any], steps: int) -> None:
    """Take steps down Σ w sin(3p) + p²/2."""
    weights = [library.tensor(w) for w in WEIGHTS]

    def closure() -> Any:
        optimizer.zero_grad()
        loss = sum(((3 * p).sin() * w + p * p / 2).sum() for p, w in zip(parameters, weights))
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


def recorded(name: str, options: dict[str, Any], form: str) -> dict[str, Any]:
    import torch
    from record import case

    parameters = [torch.tensor(a, requires_grad=True) for a in START]
    how = dict.fromkeys(FORMS[form], True)
    optimizer = getattr(torch.optim, name)(parameters, lr=0.1, **options, **how)
    descend(torch, optimizer, parameters, 3)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    arrays = {"file": np.frombuffer(file.getvalue(), np.uint8)}
    arrays |= {f"then/{k}": p.detach().numpy().copy() for k, p in enumerate(parameters)}
    descend(torch, optimizer, parameters, 3)
    arrays |= {f"later/{k}": p.detach().numpy() for k, p in enumerate(parameters)}
    return case(f"{name}, {form}", {"kind": name, "options": options}, arrays)


def record() -> list[dict[str, Any]]:
    """Return one case for each optimiser and each of the ways it runs."""
    found = []
    for name, options in KINDS.items():
        for form in FORMS:
            try:
                found.append(recorded(name, options, form))
            except (TypeError, AssertionError, RuntimeError):  # it has no such way here
                if form == "separate":
                    raise
    return found
