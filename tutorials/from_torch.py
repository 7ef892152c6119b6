"""Load every kind of torch.nn recurrent layer as it is, and compare outputs and gradients.

python tutorials/from_torch.py        needs PyTorch; nothing else in this project does
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.engine import tensor

OPTIONS: dict[str, list[Any]] = {
    "num_layers": [1, 2],
    "bias": [True, False],
    "batch_first": [False, True],
    "bidirectional": [False, True],
    "proj_size": [0, 2],
    "nonlinearity": ["tanh", "relu"],
}


def option_sets(kind: str) -> list[dict[str, Any]]:
    """Every combination of the options that this kind of layer has."""
    absent = {"RNN": "proj_size", "GRU": "proj_size nonlinearity", "LSTM": "nonlinearity"}[kind]
    names = [name for name in OPTIONS if name not in absent]
    return [dict(zip(names, v)) for v in itertools.product(*(OPTIONS[n] for n in names))]


def difference(torch: Any, kind: str, options: dict[str, Any]) -> float:
    """The largest difference of outputs, states and gradients, each by its largest value or 1."""
    theirs = getattr(torch.nn, kind)(3, 4, **options)
    ours = getattr(nn, kind)(3, 4, **options)
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    leaf, other = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    (a, s), (b, r) = ours(leaf), theirs(other)
    pairs = [(a, b), *zip(s, r)] if kind == "LSTM" else [(a, b), (s, r)]
    sum((p * p).sum() for p, _ in pairs).backward()
    sum((q * q).sum() for _, q in pairs).backward()
    gradients = dict(theirs.named_parameters())
    pairs += [(leaf.grad, other.grad)]
    pairs += [(p.grad, gradients[name].grad) for name, p in ours.named_parameters()]
    arrays = [(p.detach().numpy(), q.detach().numpy()) for p, q in pairs]
    return max(float(abs(p - q).max() / max(1.0, abs(q).max())) for p, q in arrays)


def main() -> int:
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: pip install torch")
        return 2
    torch.manual_seed(0)
    worst = 0.0
    for kind in ("RNN", "GRU", "LSTM"):
        found = [difference(torch, kind, options) for options in option_sets(kind)]
        print(
            f"{kind:5}{len(found):4} combinations of options, largest difference {max(found):.1e}"
        )
        worst = max(worst, *found)
    return 0 if worst < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
