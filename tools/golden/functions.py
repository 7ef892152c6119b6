"""Functions that NumPy lacks, or whose gradient has a trap: torch's values and gradients in
float64.

`calls()` is the table: each row is a name in `torch` or `torch.nn.functional`, the arguments, and
the keywords. Float arguments get gradients, keywords none. The loss is Σ (result · a fixed random
array), for every result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from record import case

Call = tuple[str, list[Any], dict[str, Any]]
NAN, INF = float("nan"), float("inf")


class Draw:
    """Random arguments, short to write: `d(2, 3)` normal, `d.unit` in (0, 1), `d.int(high, …)`."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self.rng.normal(size=shape)

    def unit(self, *shape: int) -> np.ndarray:
        return self.rng.uniform(0.05, 0.95, shape)

    def int(self, high: int, *shape: int) -> np.ndarray:
        return self.rng.integers(0, high, shape)


def activations(d: Draw) -> list[Call]:
    plain = "gelu mish silu elu leaky_relu softplus softsign logsigmoid hardtanh hardsigmoid relu6"
    plain += " tanhshrink sigmoid tanh relu erf"
    calls: list[Call] = [(name, [3 * d(3, 4)], {}) for name in plain.split()]
    calls += [
        ("gelu", [d(5)], {"approximate": "tanh"}),
        ("elu", [d(5)], {"alpha": 0.5}),
        ("leaky_relu", [d(5)], {"negative_slope": 0.2}),
        ("softplus", [d(5)], {"beta": 2.0}),
        ("hardtanh", [d(9)], {"min_val": -0.5, "max_val": 0.25}),
        ("clamp", [d(9)], {"min": -0.5}),
        ("clamp", [d(9)], {"min": -0.5, "max": 0.5}),
        ("glu", [d(3, 4)], {}),
        ("glu", [d(4, 3)], {"dim": 0}),
    ]
    for name in ("softmax", "log_softmax", "softmin"):
        calls += [(name, [d(3, 4)], {"dim": dim}) for dim in (0, -1)]
    return calls


def losses(d: Draw) -> list[Call]:
    calls: list[Call] = []
    for reduction in ("mean", "sum", "none"):
        r = {"reduction": reduction}
        calls += [
            ("mse_loss", [d(3, 4), d(3, 4)], r),
            ("l1_loss", [d(3, 4), d(3, 4)], r),
            ("smooth_l1_loss", [2 * d(3, 4), d(3, 4)], r),
            ("smooth_l1_loss", [2 * d(3, 4), d(3, 4)], r | {"beta": 0.3}),
            ("huber_loss", [2 * d(3, 4), d(3, 4)], r | {"delta": 0.7}),
            ("binary_cross_entropy", [d.unit(3, 4), d.unit(3, 4).round()], r),
            ("binary_cross_entropy", [d.unit(3, 4), d.unit(3, 4)], r | {"weight": d.unit(4)}),
            ("binary_cross_entropy_with_logits", [9 * d(3, 4), d.unit(3, 4).round()], r),
            (
                "binary_cross_entropy_with_logits",
                [d(3, 4), d.unit(3, 4)],
                r | {"pos_weight": d.unit(4), "weight": d.unit(3, 1)},
            ),
            ("nll_loss", [d(5, 3), d.int(3, 5)], r),
            ("nll_loss", [d(5, 3), np.array([0, 2, 1, 1, 2])], r | {"ignore_index": 1}),
            ("nll_loss", [d(2, 3, 4), d.int(3, 2, 4)], r | {"weight": d.unit(3)}),
            ("kl_div", [d(3, 4), d.unit(3, 4)], r),
            ("kl_div", [d(3, 4), d(3, 4)], r | {"log_target": True}),
        ]
        calls += cross_entropies(d, r)
    calls += [("kl_div", [d(3, 4), d.unit(3, 4)], {"reduction": "batchmean"})]
    return calls


def cross_entropies(d: Draw, r: dict[str, Any]) -> list[Call]:
    ignored = np.array([0, -100, 2, 1, -100])
    return [
        ("cross_entropy", [d(5, 3), d.int(3, 5)], r),
        ("cross_entropy", [d(3), np.array(1)], r),
        ("cross_entropy", [d(2, 3, 4), d.int(3, 2, 4)], r),
        ("cross_entropy", [1e4 * d(5, 3), d.int(3, 5)], r),
        ("cross_entropy", [d(5, 3), ignored], r),
        ("cross_entropy", [d(5, 3), np.array([0, 2, 1, 1, 2])], r | {"ignore_index": 1}),
        ("cross_entropy", [d(5, 3), d.int(3, 5)], r | {"weight": d.unit(3)}),
        ("cross_entropy", [d(5, 3), d.int(3, 5)], r | {"label_smoothing": 0.1}),
        (
            "cross_entropy",
            [d(5, 3), ignored],
            r | {"label_smoothing": 0.2, "weight": d.unit(3)},
        ),
        ("cross_entropy", [d(5, 3), d.unit(5, 3)], r),
        (
            "cross_entropy",
            [d(5, 3), d.unit(5, 3)],
            r | {"label_smoothing": 0.1, "weight": d.unit(3)},
        ),
    ]


def layers(d: Draw) -> list[Call]:
    return [
        ("linear", [d(2, 3), d(4, 3), d(4)], {}),
        ("linear", [d(5, 2, 3), d(4, 3)], {}),
        ("linear", [d(3), d(4, 3), d(4)], {}),
        ("embedding", [d.int(5, 2, 3), d(5, 4)], {}),
        ("embedding", [np.array([1, 1, 4, 1]), d(5, 2)], {}),
        ("layer_norm", [d(3, 4), [4]], {}),
        ("layer_norm", [d(2, 3, 4), [3, 4], d(3, 4), d(3, 4)], {"eps": 1e-3}),
        ("layer_norm", [np.ones((2, 4)), [4], d(4), d(4)], {}),
        ("normalize", [d(3, 4)], {}),
        ("normalize", [d(3, 4)], {"p": 1.0, "dim": 0}),
        ("cosine_similarity", [d(3, 4), d(3, 4)], {}),
        ("cosine_similarity", [d(3, 4), d(1, 4)], {"dim": -1}),
        ("conv1d", [d(2, 3, 7), d(4, 3, 3), d(4)], {}),
        ("conv1d", [d(2, 3, 7), d(4, 3, 2)], {"stride": 2, "padding": 1}),
        ("conv1d", [d(1, 4, 9), d(6, 2, 3), d(6)], {"dilation": 2, "groups": 2, "padding": 2}),
        ("conv2d", [d(2, 3, 5, 6), d(4, 3, 3, 2), d(4)], {}),
        ("conv2d", [d(2, 3, 5, 6), d(4, 3, 3, 3), d(4)], {"stride": 2, "padding": 1}),
        ("conv2d", [d(1, 4, 6, 6), d(4, 2, 2, 3)], {"groups": 2, "dilation": (1, 2)}),
        ("conv2d", [d(1, 2, 5, 5), d(3, 2, 2, 2)], {"stride": (2, 1), "padding": (0, 1)}),
        ("max_pool2d", [d(2, 3, 4, 6), 2], {}),
        ("max_pool2d", [d(2, 2, 5, 5), 3], {"stride": 1}),
        ("max_pool2d", [d(2, 2, 5, 5), 3], {"stride": 2, "padding": 1}),
        ("avg_pool2d", [d(2, 3, 4, 6), 2], {}),
        ("avg_pool2d", [d(2, 2, 5, 5), 3], {"stride": 2, "padding": 1}),
        ("dropout", [d(3, 4)], {"p": 0.0}),
        ("dropout", [d(3, 4)], {"p": 1.0}),
        ("dropout", [d(3, 4)], {"p": 0.5, "training": False}),
    ]


def reductions(d: Draw) -> list[Call]:
    zeros = np.array([[2.0, 0.0, 3.0, 0.0], [1.0, 4.0, 0.0, 2.0]])
    calls: list[Call] = [
        ("prod", [zeros], {"dim": 1}),
        ("prod", [zeros[1:]], {}),
        ("cumprod", [zeros], {"dim": 1}),
        ("cumprod", [d(2, 4)], {"dim": 0}),
        ("cumsum", [d(2, 4)], {"dim": 1}),
        ("cummax", [d(3, 4)], {"dim": 0}),
        ("logsumexp", [d(3, 4)], {"dim": 1}),
        ("logsumexp", [d(2, 3, 4)], {"dim": (0, 2), "keepdim": True}),
        ("norm", [d(3, 4)], {}),
        ("linalg.vector_norm", [d(3, 4)], {"ord": 1, "dim": 1}),
        ("linalg.vector_norm", [d(3, 4)], {"ord": 3.0, "dim": (0, 1)}),
        ("linalg.vector_norm", [d(3, 4)], {"ord": INF, "dim": 0}),
        ("topk", [d(3, 5), 2], {}),
        ("sort", [d(3, 5)], {"dim": 0, "descending": True}),
        ("max", [d(3, 4)], {"dim": 1}),
        ("min", [d(3, 4)], {"dim": 0, "keepdim": True}),
        ("amax", [d(2, 3, 4)], {"dim": (0, 2)}),
        ("amin", [d(2, 3, 4)], {}),
    ]
    for name in ("var", "std", "var_mean", "std_mean"):
        calls += [(name, [d(3, 4)], {}), (name, [d(3, 4)], {"dim": 1, "correction": 0})]
    return calls


def indexing(d: Draw) -> list[Call]:
    repeated = np.array([[0, 0, 2], [1, 0, 1]])
    return [
        ("gather", [d(3, 4), 1, d.int(4, 3, 2)], {}),
        ("gather", [d(3, 3), 0, repeated], {}),
        ("scatter_add", [d(3, 3), 0, repeated, d(2, 3)], {}),
        ("scatter", [d(3, 4), 1, np.array([[0, 2], [3, 1], [2, 0]]), d(3, 2)], {}),
        ("index_select", [d(3, 4), 1, np.array([0, 0, 3])], {}),
        ("take_along_dim", [d(3, 4), np.array([[1], [0], [0]])], {"dim": 1}),
        ("masked_select", [d(3, 4), d(3, 4) > 0], {}),
        ("masked_fill", [d(3, 4), d(4) > 0, 2.0], {}),
        ("roll", [d(3, 4), 1], {"dims": 1}),
        ("roll", [d(3, 4), (1, -2)], {"dims": (0, 1)}),
        ("pad", [d(2, 3), (1, 2)], {}),
        ("pad", [d(2, 3), (1, 0, 2, 1)], {"value": 3.0}),
        ("tril", [d(3, 4)], {"diagonal": 1}),
        ("triu", [d(3, 4)], {"diagonal": -1}),
        ("diag", [d(3)], {"diagonal": 1}),
        ("diag", [d(3, 4)], {}),
        ("diagonal", [d(3, 4)], {"offset": 1}),
        ("einsum", ["bij,bjk->bik", d(2, 3, 4), d(2, 4, 2)], {}),
        ("einsum", ["ij,ij,j", d(3, 4), d(3, 4), d(4)], {}),
        ("einsum", ["...ij->...ji", d(2, 3, 4)], {}),
        ("tensordot", [d(2, 3, 4), d(3, 4, 2)], {"dims": 2}),
        ("addmm", [d(4), d(2, 3), d(3, 4)], {"beta": 0.5, "alpha": 2.0}),
        ("lerp", [d(3), d(3), 0.3], {}),
    ]


def traps() -> list[Call]:
    """Points where libraries differ; the product follows torch."""

    def at(*values: float) -> np.ndarray:
        return np.array(values)

    one = {
        "abs": at(0.0, -0.0, -2.0),
        "relu": at(0.0, NAN),
        "leaky_relu": at(0.0, -INF),
        "elu": at(0.0, 1000.0, -1000.0),
        "hardtanh": at(-1.0, 1.0),
        "relu6": at(0.0, 6.0),
        "hardsigmoid": at(-3.0, 3.0),
        "sqrt": at(0.0),
        "rsqrt": at(0.0),
        "log": at(0.0, -1.0),
        "log1p": at(-1.0),
        "norm": at(0.0, 0.0),
        "max": at(1.0, 3.0, 3.0),
        "amax": at(1.0, 3.0, 3.0),
        "min": at(1.0, 1.0, 3.0),
        "sigmoid": at(1000.0, -1000.0),
        "logsigmoid": at(1000.0, -1000.0),
        "softplus": at(1000.0, -1000.0),
        "tanh": at(1000.0, -1000.0),
        "sign": at(0.0, 2.0),
        "round": at(0.5, 1.5, -2.5),
        "floor": at(0.5, -0.5),
        "trunc": at(0.5, -0.5),
        "std": at(2.0, 2.0, 2.0),
    }
    calls: list[Call] = [(name, [x], {}) for name, x in one.items()]
    calls += [("clamp", [at(-1.0, 1.0, NAN)], {"min": -1.0, "max": 1.0})]
    calls += [("softmax", [at(1.0, -INF, 1e4)], {"dim": 0})]
    calls += [("log_softmax", [at(1e4, -1e4, 0.0)], {"dim": 0})]
    calls += [("logsumexp", [at(1e4, -INF, 9e3)], {"dim": 0})]
    calls += [("max", [np.array([[1.0, 1.0], [0.0, 2.0]])], {"dim": 1})]
    calls += [("pow", [at(0.0, 0.0, -2.0, 0.0), p], {}) for p in (0, 0.0, 2, 3.0)]
    calls += [("pow", [at(0.0, 0.0, 0.0, 2.0), at(0.0, 1.0, 2.0, -1.0)], {})]
    wrong_side = {"target": at(1.0, 0.0, 1.0)}
    calls += [("binary_cross_entropy", [at(0.0, 1.0, 0.5)], wrong_side)]
    calls += [("pow", [2.0, at(0.0, 3.0)], {})]
    two = {
        "maximum": (at(1.0, 2.0), at(1.0, 3.0)),
        "minimum": (at(1.0, 2.0), at(1.0, 3.0)),
        "hypot": (at(3.0, 0.0), at(4.0, 2.0)),
        "atan2": (at(0.0, 1.0, -1.0), at(0.0, -1.0, -1.0)),
        "xlogy": (at(0.0, 0.0, 2.0), at(0.0, 3.0, 3.0)),
        "fmod": (at(5.5, 5.5, -5.5), at(2.0, -2.0, 2.0)),
        "remainder": (at(5.5, 5.5, -5.5), at(2.0, -2.0, 2.0)),
        "logaddexp": (at(1e4, -1e4, 0.0), at(0.0, 0.0, 0.0)),
        "binary_cross_entropy_with_logits": (at(1e3, -1e3, 0.0), at(0.0, 1.0, 1.0)),
    }
    return calls + [(name, list(args), {}) for name, args in two.items()]


def calls() -> list[Call]:
    d = Draw(7)
    return [*activations(d), *losses(d), *layers(d), *reductions(d), *indexing(d), *traps()]


def find(name: str) -> Any:
    import torch

    if name.startswith("linalg."):
        return getattr(torch.linalg, name.removeprefix("linalg."))
    module = torch.nn.functional if hasattr(torch.nn.functional, name) else torch
    return getattr(module, name)


def evaluate(call: Call, rng: np.random.Generator) -> dict[str, Any]:
    """The call made with torch: how to make it again, its results, and its gradients."""
    import torch

    name, args, keywords = call
    arrays: dict[str, Any] = {}
    leaves: dict[str, Any] = {}

    def bind(key: str, value: Any) -> tuple[Any, Any]:
        if not isinstance(value, np.ndarray):
            return value, value
        arrays[key] = value
        tensor = torch.tensor(value)
        if value.dtype.kind == "f" and key.startswith("arg/"):
            tensor.requires_grad_()
            leaves[key] = tensor
        return tensor, {"array": key}

    bound = [bind(f"arg/{i}", a) for i, a in enumerate(args)]
    named = {k: bind(f"keyword/{k}", v) for k, v in keywords.items()}
    made = find(name)(*(b[0] for b in bound), **{k: b[0] for k, b in named.items()})
    total: Any = 0.0
    for i, out in enumerate(made if isinstance(made, tuple) else (made,)):
        arrays[f"result/{i}"] = out.detach()
        if out.requires_grad:
            arrays[f"given/{i}"] = given = rng.normal(size=tuple(out.shape))
            total = total + (out * torch.from_numpy(np.asarray(given))).sum()
    total.backward()
    arrays |= {f"grad/{k}": x.grad for k, x in leaves.items() if x.grad is not None}
    options = {"args": [b[1] for b in bound], "keywords": {k: b[1] for k, b in named.items()}}
    return case(name, options, arrays)


def record() -> list[dict[str, Any]]:
    rng = np.random.default_rng(11)
    return [evaluate(call, rng) for call in calls()]
