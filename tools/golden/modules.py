"""Record what PyTorch's small modules answer, and the learning rates of its schedules.

A module's case has its constructor's arguments, its weights, inputs, outputs and the gradients of
all of them; a schedule's has the rate (and momentum) of two groups after each of 14 steps.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from record import case

STEPS = 14
TARGETS = """SoftMarginLoss HingeEmbeddingLoss MarginRankingLoss CosineEmbeddingLoss
MultiLabelSoftMarginLoss PoissonNLLLoss""".split()  # whose last input has no gradient


def modules(rng: np.random.Generator) -> list[tuple[str, list, dict, list]]:
    """Return (class, arguments, options, inputs); an input is an array, or (name, array)."""
    real: Any = lambda *shape: rng.normal(size=shape)
    sign: Any = lambda *shape: rng.choice([-1.0, 1.0], shape)
    x, y, z = (real(3, 4) for _ in range(3))
    q, k, v = real(5, 2, 8), real(7, 2, 8), real(7, 2, 8)
    hidden = np.array([[0, 0, 0, 0, 0, 1, 1], [0] * 7], bool)
    later = np.triu(np.ones((5, 7), bool), 2)
    attention: list[tuple[list, dict, list]] = [
        ([8, 2], {}, [q, k, v]),
        ([8, 4], {"bias": False}, [q, k, v, ("attn_mask", later)]),
        ([8, 2], {"batch_first": True}, [a.swapaxes(0, 1) for a in (q, k, v)]
         + [("key_padding_mask", hidden)]),
        ([8, 2], {"kdim": 3, "vdim": 5}, [q, real(7, 2, 3), real(7, 2, 5)]),
        ([8, 2], {}, [q[:, 0], k[:, 0], v[:, 0], ("attn_mask", real(5, 7))]),
        ([8, 2], {}, [q, k, v, ("average_attn_weights", False)]),
        ([8, 2], {}, [q, k, v, ("attn_mask", real(4, 5, 7)), ("key_padding_mask", hidden)]),
    ]  # fmt: skip
    found: list[tuple[str, list, dict, list]] = [("MultiheadAttention", *a) for a in attention]
    small: list[tuple[str, list, dict]] = [
        ("SELU", [], {}), ("CELU", [], {"alpha": 0.5}), ("Hardshrink", [], {}),
        ("Softshrink", [0.3], {}), ("Hardswish", [], {}), ("Threshold", [0.1, 20.0], {}),
        ("PReLU", [], {}), ("PReLU", [4], {"init": 0.1}), ("RMSNorm", [4], {}),
        ("RMSNorm", [[3, 4]], {"eps": 0.1, "elementwise_affine": False}),
        ("GroupNorm", [2, 4], {}), ("GroupNorm", [1, 4], {"affine": False, "eps": 0.1}),
    ]  # fmt: skip
    for name, args, options in small:
        found.append((name, args, options, [2 * x]))
    found += [
        ("Bilinear", [4, 4, 5], {}, [x, y]), ("CosineSimilarity", [], {"dim": 1}, [x, y]),
        ("PairwiseDistance", [], {"p": 1, "keepdim": True}, [x, y]),
        ("AdaptiveAvgPool1d", [3], {}, [real(2, 3, 7)]),
        ("AdaptiveMaxPool1d", [3], {}, [real(2, 3, 7)]),
        ("ZeroPad1d", [(1, 2)], {}, [x]), ("ConstantPad1d", [2, 1.5], {}, [x]),
        ("ReflectionPad1d", [1], {}, [x]), ("ReplicationPad1d", [(2, 0)], {}, [x]),
        ("CircularPad1d", [1], {}, [real(2, 3, 4)]),
    ]  # fmt: skip
    for r in ("mean", "sum", "none"):
        o = {"reduction": r}
        found += [
            ("SoftMarginLoss", [], o, [x, sign(3, 4)]),
            ("HingeEmbeddingLoss", [], o | {"margin": 0.5}, [x, sign(3, 4)]),
            ("MarginRankingLoss", [], o | {"margin": 0.3}, [x[0], y[0], sign(4)]),
            ("CosineEmbeddingLoss", [], o | {"margin": 0.1}, [x, y, sign(3)]),
            ("TripletMarginLoss", [], o | {"margin": 2.0, "swap": True}, [x, y, z]),
            ("MultiMarginLoss", [], o | {"p": 2}, [x, np.array([0, 3, 1])]),
            ("MultiLabelSoftMarginLoss", [], o, [x, (y > 0).astype(float)]),
            ("PoissonNLLLoss", [], o | {"full": True}, [x, np.abs(4 * y).round()]),
            ("GaussianNLLLoss", [], o | {"full": True}, [x, y, z**2 + 0.1]),
        ]
    return found


def answered(name: str, args: list, options: dict[str, Any], inputs: list) -> dict[str, Any]:
    """Return the case of one module."""
    import torch

    layer = getattr(torch.nn, name)(*args, **options).double()
    arrays: dict[str, Any] = {f"state/{k}": p.detach().numpy().copy()
                              for k, p in layer.state_dict().items()}  # fmt: skip
    given, named, leaves = [], {}, dict(layer.named_parameters())
    for k, one in enumerate(inputs):
        word, value = one if isinstance(one, tuple) else (f"in/{k}", one)
        if not isinstance(value, np.ndarray):
            named[word] = value
            continue
        arrays[word if word.startswith("in/") else f"named/{word}"] = value
        x = torch.tensor(value)
        if word.startswith("in/"):
            target = name in TARGETS and k == len(inputs) - 1
            given.append(x.requires_grad_(x.is_floating_point() and not target))
            leaves |= {word: x} if x.requires_grad else {}
        else:
            named[word] = x
    made = layer(*given, **named)
    outs = [y for y in (made if isinstance(made, tuple) else (made,)) if y is not None]
    arrays |= {f"out/{k}": y.detach().numpy() for k, y in enumerate(outs)}
    loss = sum(
        (y * torch.cos(torch.arange(y.numel()).double() + 0.5).reshape(y.shape)).sum() for y in outs
    )
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    arrays |= {f"grad/{n}": g.numpy() for n, g in zip(leaves, found) if g is not None}
    plain = {k: v for k, v in named.items() if not isinstance(v, torch.Tensor)}
    return case(name, {"args": args, "options": options, "plain": plain}, arrays)


def schedules() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("StepLR", {"step_size": 3}), ("ExponentialLR", {"gamma": 0.8}),
        ("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.01}),
        ("MultiStepLR", {"milestones": [2, 5, 5], "gamma": 0.5}),
        ("ConstantLR", {}), ("ConstantLR", {"factor": 0.25, "total_iters": 3}),
        ("LinearLR", {}), ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 8}),
        ("PolynomialLR", {"total_iters": 9, "power": 2.0}),
        ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
        ("CosineAnnealingWarmRestarts", {"T_0": 4}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 3, "step_size_down": 4}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2, "mode": "triangular2"}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2, "mode": "exp_range",
                      "gamma": 0.9, "cycle_momentum": False}),
        ("OneCycleLR", {"max_lr": 0.5, "total_steps": 15}),
        ("OneCycleLR", {"max_lr": [0.5, 0.2], "epochs": 3, "steps_per_epoch": 5,
                        "anneal_strategy": "linear", "three_phase": True, "pct_start": 0.4}),
    ]  # fmt: skip


def followed(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the case of one schedule."""
    import torch

    groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)], "lr": 0.02}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    schedule = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    rates, momenta = [], []
    for k in range(STEPS + 1):
        if k:
            optimizer.step()
            schedule.step()
        rates.append([g["lr"] for g in optimizer.param_groups])
        momenta.append([g["momentum"] for g in optimizer.param_groups])
    return case(name, {"schedule": options}, {"lr": np.array(rates), "momentum": np.array(momenta)})


def record() -> list[dict[str, Any]]:
    """Return the cases of all modules, then those of the schedules."""
    import torch

    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    made = [answered(*row) for row in modules(np.random.default_rng(3))]
    return made + [followed(*row) for row in schedules()]
