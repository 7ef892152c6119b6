"""torch's ctc_loss: losses and gradients at T = 500, ragged, with every reduction.

Recorded in float64: torch's own float32 gradient is off by 5e-4 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from record import case

SIZES = {
    "long": (500, 2, 6, [500, 430], [40, 7]),
    "short": (12, 4, 4, [12, 9, 12, 3], [5, 3, 0, 4]),
}


def record() -> list[dict[str, Any]]:
    """Cases of (T, B, C) inputs; the last text of "short" is too long for its sequence."""
    import torch

    cases = []
    for name, (steps, batch, classes, times, lengths) in SIZES.items():
        rng = np.random.default_rng(steps)
        x = rng.normal(size=(steps, batch, classes)).astype(np.float32)
        targets = rng.integers(1, classes, (batch, max(lengths)))
        for reduction in ("none", "mean", "sum"):
            leaf = torch.tensor(x.astype(np.float64), requires_grad=True)
            loss = torch.nn.functional.ctc_loss(
                leaf.log_softmax(-1), torch.tensor(targets), torch.tensor(times),
                torch.tensor(lengths), reduction=reduction, zero_infinity=True)  # fmt: skip
            loss.sum().backward()
            arrays = {"x": x, "targets": targets, "loss": loss.detach(), "grad": leaf.grad.float()}
            options = {"reduction": reduction, "times": times, "lengths": lengths}
            cases.append(case(f"ctc {name} {reduction}", options, arrays))
    return cases
