"""What torch makes of every dtype: each function on booleans, integers and floats, with axes,
without and empty; two operands in every pair of dtypes, broadcast, 0-d on either side, and numbers.

`unary`, `binary`, `with_numbers`, `placed`, … are the table: names and arguments, where a string
such as "matrix" stands for the input of that name in the dtype of the case.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
from record import case

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
WHOLE = {
    "bool": [1, 0, 1, 1, 0, 1],
    "uint8": [0, 1, 200, 255, 7, 3],
    "int8": [-128, 100, 101, -3, 0, 7],
    "int16": [-32768, 300, 301, -3, 0, 7],
    "int32": [-(2**31), 70000, 70001, -3, 0, 7],
    "int64": [-(2**40), 2**33, 70001, -3, 0, 7],
}
FLOAT = [-2.5, 0.0, 0.75, 3.0, -0.5, 1.5]
SHAPES = {
    "matrix": (2, 3), "row": (3,), "column": (2, 1), "0-d": (), "empty": (2, 0), "none": (0,),
    "square": (2, 2), "block": (1, 2, 2), "cube": (1, 2, 3), "image": (1, 1, 2, 3),
}  # fmt: skip
OURS = {
    "power": "pow", "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le",
    "greater": "gt", "greater_equal": "ge", "vector_norm": "linalg.vector_norm",
}  # fmt: skip
ELEMENTWISE = """abs acos asin atan ceil clone cos cosh elu erf exp exp2 expm1 floor gelu
hardsigmoid hardtanh isfinite isinf isnan leaky_relu log log10 log1p log2 logical_not
logsigmoid mish neg reciprocal relu relu6 round rsqrt sigmoid sign silu sin sinh softplus
softsign sqrt square tan tanh tanhshrink trunc""".split()
REDUCTIONS = """all amax amin any argmax argmin logsumexp max mean min norm prod std std_mean
sum var var_mean vector_norm""".split()
SCANS = "cumsum cumprod cummax softmax softmin log_softmax sort argsort".split()
TWO = """add sub mul div power maximum minimum fmod remainder atan2 hypot logaddexp xlogy equal
not_equal less less_equal greater greater_equal logical_and logical_or logical_xor""".split()


ALSO = (
    "subtract multiply divide true_divide floor_divide copysign eq ne lt le gt ge isclose".split()
)


def given() -> dict[str, np.ndarray]:
    """Every input by its name and dtype, as "matrix int8"."""
    inputs = {}
    for dtype, (name, shape) in itertools.product(DTYPES, SHAPES.items()):
        values = np.array(WHOLE.get(dtype, FLOAT)).astype(dtype)
        start = 1 if name in ("row", "column") else 2
        flat = (
            values if len(values) == np.prod(shape) else values[start : start + int(np.prod(shape))]
        )
        inputs[f"{name} {dtype}"] = flat.reshape(shape)
    return inputs


def unary() -> list[tuple]:
    """(name, arguments, keywords) of functions of one tensor."""
    forms = [["matrix"], ["0-d"], ["empty"]]
    calls: list[tuple] = [(n, f, {}) for n in ELEMENTWISE for f in forms]
    calls += [(n, f, {}) for n in REDUCTIONS if n != "logsumexp" for f in forms]
    calls += [(n, [f], {"dim": d}) for n in REDUCTIONS for f, d in
              [("matrix", 1), ("matrix", 0), ("0-d", 0), ("empty", 0)]]  # fmt: skip
    calls += [(n, ["matrix"], {"dim": 1, "keepdim": True}) for n in REDUCTIONS]
    calls += [(n, [f], {"dim": d}) for n in SCANS for f, d in
              [("matrix", 1), ("matrix", 0), ("0-d", 0), ("empty", 1)]]  # fmt: skip
    calls += [("vector_norm", [f], {"ord": p}) for p in (0, 1, 3, float("inf"), float("-inf"))
              for f in ("matrix", "0-d")]  # fmt: skip
    for bounds in ({"min": 0}, {"max": 2.5}, {"min": -1, "max": 1}, {"min": True}, {"max": 0.0}):
        calls += [(n, f, bounds) for n in ("clamp", "clip") for f in forms]
    calls += [
        ("float_power", ["matrix", 2], {}),
        ("glu", ["square"], {}),
        ("pow", ["row", 2.0], {}),
    ]
    return calls


def placed() -> list[tuple]:
    """Functions that move values: the dtype stays, the values too."""
    m, index = ["matrix"], [[1, 0], [0, 1]]
    return [
        *[(n, m, {}) for n in ("tril triu ravel flatten contiguous squeeze diag diagonal".split())],
        *[(n, [f], {}) for n in ("zeros_like", "ones_like") for f in ("matrix", "0-d", "empty")],
        ("full_like", ["matrix", 1], {}), ("flip", ["matrix", [0]], {}),
        ("roll", ["matrix", 1, 1], {}), ("reshape", ["matrix", [3, 2]], {}),
        ("permute", ["matrix", [1, 0]], {}), ("transpose", ["matrix", 0, 1], {}),
        ("swapaxes", ["matrix", 0, 1], {}), ("movedim", ["matrix", 0, 1], {}),
        ("unsqueeze", ["matrix", 1], {}), ("broadcast_to", ["column", [2, 3]], {}),
        ("tile", ["row", [2, 2]], {}), ("narrow", ["matrix", 1, 1, 2], {}),
        ("split", ["matrix", 2, 1], {}), ("chunk", ["matrix", 2, 1], {}), ("unbind", m, {}),
        ("select", ["matrix", 1, 1], {}), ("unflatten", ["matrix", 1, [3, 1]], {}),
        ("pad", ["matrix", [1, 2]], {}), ("pad", ["matrix", [1, 0]], {"value": 1}),
        ("gather", ["matrix", 1, {"index": index}], {}),
        ("take_along_dim", ["matrix", {"index": index}, 1], {}),
        ("take_along_dim", ["matrix", {"index": [[2], [0]]}, 1], {}),
        ("take_along_dim", ["matrix", {"index": [[1, 0]]}, 1], {}),
        ("take_along_dim", ["matrix", {"index": [[1]]}, 0], {}),
        ("take_along_dim", ["column", {"index": [[0, 0, 1]]}, 0], {}),
        ("index_select", ["matrix", 1, {"index": [2, 2]}], {}),
        ("masked_select", ["matrix", "matrix bool"], {}),
        ("masked_fill", ["matrix", "matrix bool", 1], {}),
        ("repeat_interleave", ["matrix", 2, 1], {}), ("nonzero", ["matrix"], {}),
        ("unique", ["matrix"], {}), ("nan_to_num", ["matrix"], {}),
        ("topk", ["matrix", 2], {}), ("expand", ["row", 2, 3], {}), ("view", ["matrix", 6], {}),
        ("expand_as", ["row", "matrix"], {}), ("repeat", ["row", 2, 2], {}),
        ("split_with_sizes", ["matrix", [1, 2], 1], {}), ("unfold", ["matrix", 1, 2, 1], {}),
        ("scatter_add", ["matrix", 1, {"index": index}, "square"], {}),
        ("scatter", ["matrix", 1, {"index": index}, "square"], {}),
    ]  # fmt: skip


def binary() -> list[tuple]:
    forms = [["matrix", "row"], ["column", "row"], ["matrix", "0-d"], ["0-d", "matrix"],
             ["0-d", "0-d"], ["empty", "column"]]  # fmt: skip
    calls: list[tuple] = [(n, f, {}) for n in TWO for f in forms]
    calls += [(n, f, {}) for n in ALSO for f in forms[1:3]]
    calls += [("where", ["matrix bool", *f], {}) for f in forms[:4]]
    calls += [("matmul", ["square", "matrix"], {}), ("matmul", ["matrix", "row"], {}),
              ("dot", ["row", "row"], {}), ("outer", ["row", "row"], {}),
              ("mv", ["matrix", "row"], {}), ("mm", ["square", "matrix"], {})]  # fmt: skip
    return calls


def gathered() -> list[tuple]:
    """Functions of a sequence of tensors."""
    pairs = [["matrix", "square"], ["matrix", "empty"]]
    calls: list[tuple] = [(n, [{"all": f}, 1], {}) for n in ("cat", "concat") for f in pairs]
    stacked = ["matrix", "matrix"]
    return calls + [("stack", [{"all": ["0-d", "0-d"]}], {})] + [
        (n, [{"all": stacked}], {}) for n in ("stack", "hstack", "vstack")
    ]  # fmt: skip


def with_numbers() -> list[tuple]:
    return [(n, f, {}) for n in TWO if not n.startswith(("logical", "maximum", "minimum", "hypot",
            "logaddexp", "atan2")) for k in (True, 2, 2.5) for f in (["matrix", k], ["0-d", k])] + [
            ("where", ["matrix bool", "matrix", k], {}) for k in (True, 2, 2.5)]  # fmt: skip


def fitted() -> list[tuple]:
    """Losses and layers: what of them takes integers."""
    same = ["matrix", "matrix"]
    calls: list[tuple] = [
        (n, same, {}) for n in "mse_loss l1_loss huber_loss smooth_l1_loss".split()
    ]
    calls += [("cosine_similarity", f, {}) for f in (same, ["matrix", "column"], ["row", "matrix"])]
    calls += [("layer_norm", ["matrix", [3]], {}), ("normalize", ["matrix"], {})]
    calls += [("embedding", [{"index": [[1, 0], [0, 0]]}, "matrix"], {})]
    calls += [("cross_entropy", ["matrix", {"index": [2, 0]}], {})]
    calls += [("nll_loss", ["matrix", {"index": [2, 0]}], {})]
    calls += [(n, same, {}) for n in ("kl_div", "binary_cross_entropy_with_logits", "linear")]
    calls += [("binary_cross_entropy", ["column", "column"], {}), ("bmm", ["block", "cube"], {})]
    calls += [("addmm", ["matrix", "square", "matrix"], {}), ("inner", ["matrix", "row"], {})]
    calls += [("tensordot", ["square", "square", 1], {}), ("conv1d", ["cube", "cube"], {})]
    calls += [("einsum", ["ij,jk->ik", "square", "matrix"], {}), ("lerp", [*same, 0.3], {})]
    calls += [("conv2d", ["image", "image"], {}), ("lerp", [*same, "matrix"], {})]
    calls += [(n, ["image", 2], {}) for n in ("avg_pool2d", "max_pool2d")]
    calls += [(n, ["cube", 2], {}) for n in ("avg_pool1d", "max_pool1d")]
    calls += [(n, ["matrix", "matrix", "row"], {}) for n in ("addcmul", "addcdiv")]
    calls += [(n, ["matrix", 1], {}) for n in ("clamp_min", "clamp_max")]
    calls += [("baddbmm", ["cube", "block", "cube"], {})]
    calls += [("index_add", ["matrix", 1, {"index": [2, 2]}, "square"], {})]
    return calls


def find(name: str) -> Any:
    import torch

    place, name = torch, OURS.get(name, name)
    if name.startswith("linalg."):
        return getattr(torch.linalg, name.removeprefix("linalg."))
    functional = (
        "binary_cross_entropy_with_logits",
        "kl_div",
        "embedding",
        "pad",
        "softmin",
        "softsign",
        "gelu",
        "mish",
        "glu",
    )
    if name in ("expand", "view", "repeat", "unfold"):
        return getattr(torch.Tensor, name)
    if not hasattr(torch, name) or name in functional or name.endswith(("_loss", "entropy")):
        place = torch.nn.functional
    return getattr(place, name) if hasattr(place, name) else getattr(torch.Tensor, name)


def bound(
    argument: Any, dtypes: tuple[str, ...], inputs: dict[str, np.ndarray], turn: list[int]
) -> Any:
    """The argument as torch takes it; `turn` counts the inputs, each of which has its own dtype."""
    import torch

    if isinstance(argument, dict):
        if "index" in argument:
            return torch.tensor(argument["index"])
        return [bound(a, dtypes, inputs, turn) for a in argument["all"]]
    if not isinstance(argument, str):
        return argument
    if argument.partition(" ")[0] not in SHAPES:  # a word, not an input
        return argument
    if argument in inputs:
        return torch.tensor(inputs[argument])
    turn[0] += 1
    return torch.tensor(inputs[f"{argument} {dtypes[min(turn[0], len(dtypes)) - 1]}"])


def evaluate(call: tuple, pairs: list, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """One case: a call in all dtypes, with its results, and with the dtypes that torch refuses."""
    import torch

    name, args, keywords = call
    arrays, refused = {}, []
    for dtypes in pairs:
        turn = [0]
        try:
            made = find(name)(*(bound(a, dtypes, inputs, turn) for a in args), **keywords)
        except (RuntimeError, TypeError, NotImplementedError, IndexError, ValueError):
            refused.append(" ".join(dtypes))
            continue
        outs = [made] if isinstance(made, torch.Tensor) else list(made)
        for k, out in enumerate(outs):
            array = out.contiguous().numpy()
            if np.array_equal(
                array.astype(float).astype(array.dtype), array, equal_nan=array.dtype.kind == "f"
            ):
                arrays[f"{' '.join(dtypes)}/{k}"] = array  # else beyond what the fixture holds
    return case(name, {"args": args, "keywords": keywords, "refused": refused}, arrays)


def record() -> list[dict[str, Any]]:
    warnings.simplefilter("ignore")
    inputs = given()
    one = [(d,) for d in DTYPES]
    two = list(itertools.product(DTYPES, DTYPES))
    cases = [case("inputs", {}, inputs)]
    cases += [evaluate(c, one, inputs) for c in [*unary(), *placed(), *with_numbers(), *fitted()]]
    cases += [evaluate(c, two, inputs) for c in [*binary(), *gathered()]]
    return [c for c in cases if c["arrays"]]  # what torch refuses in every dtype says nothing
