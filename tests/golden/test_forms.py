"""Every form in which PyTorch's functions are called: the recorded answer, or a known refusal.

Value, gradients, shape and dtype are compared at every place where a program may find the function:
at the top, in `nn.functional`, and as a method.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import golden
import tinygrad_rnn as tg

CASES = golden.load("forms")
NAMES = sorted({case.name for case in CASES})
HOMES = {"": tg, "F": tg.nn.functional, "linalg": tg.linalg, "Tensor": tg.Tensor}
# Forms that are not taken, or differ on purpose: functions, what is said, and why
KNOWN = [
    ("addmv|addbmm|baddbmm", "gives float32", "whole numbers times a fraction are floats"),
    ("avg_pool[12]d", "gives float32", "a mean is a float; torch divides whole numbers"),
    ("hardtanh", "gives float32", "bounds between whole numbers; torch cuts them off"),
    ("kthvalue|topk", r"other numbers: \[\[\[?\d, ", "of equal values ours come in their order"),
    ("hardsigmoid", "another gradient", "torch takes 1/6 in half the digits"),
    ("equal", "is ambiguous", "entry by entry as NumPy's; all at once is allclose()"),
    ("trace", "it records a block", "the name is taken; x.trace() is a method"),
    ("__rpow__", "negative integer powers", "their values are no integers"),
    ("quantile", "no gradient flows to q", ""),
    ("pad", "circular cuts nothing off", ""),
    ("batch_norm", r"input must be \(B, C, …\)", ""),
    (".*norm", "numpy.linalg.svd|numpy.linalg.norm", "no singular values here"),
    (".*matrix_power", "needs an inverse", "no inverses here"),
]  # fmt: skip


def read(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return an argument as it was given."""
    if isinstance(value, list):
        return [read(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(read(value["tuple"], arrays))
    if "tensor" in value:
        return tg.tensor(arrays[value["tensor"]], requires_grad=value["grad"])
    if "slice" in value:
        return slice(*value["slice"])
    if "dtype" in value:
        return getattr(tg, value["dtype"])
    return Ellipsis if "ellipsis" in value else float(value["float"])


def tensors(value: Any) -> Iterator[tg.Tensor]:
    """Yield the Tensors of nested arguments or results, in order."""
    if isinstance(value, tg.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from tensors(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from tensors(v)


def digest(array: np.ndarray) -> tuple[np.ndarray, float]:
    """Return what the recorder kept of an array, and how large its numbers are."""
    flat = array.astype(np.float64).ravel()
    odd = [np.isnan(flat).sum(), (flat == np.inf).sum(), (flat == -np.inf).sum()]
    flat, k = np.where(np.isfinite(flat), flat, 0), np.arange(flat.size)
    sums = (flat * np.cos(0.7 * k + 0.3)).sum(), (flat * np.sin(1.3 * k + 0.1)).sum()
    return np.array([*sums, *odd]), float(np.abs(flat).sum())


def unlike(array: np.ndarray, kept: list[float], near: float) -> bool:
    found, size = digest(array)
    return not np.allclose(found, kept, rtol=near, atol=near * (size + 1))


def difference(function: Any, case: golden.Case) -> str:
    """What is wrong with our answer to one call, or nothing."""
    args = [read(a, case.arrays) for a in case.options["args"]]
    options = {k: read(v, case.arrays) for k, v in case.options["options"].items()}
    made = function(*args, **options)
    if "plain" in case.options:
        plain = list(made) if isinstance(made, (tuple, list)) else made
        return "" if plain == case.options["plain"] else f"gives {made}"
    outs = list(tensors(made))
    if len(outs) != len(case.options["outs"]):
        return f"gives {len(outs)} results, not {len(case.options['outs'])}"
    for out, (dtype, shape, kept) in zip(outs, case.options["outs"]):
        if str(out.dtype) != dtype or list(out.shape) != shape:
            return f"gives {out.dtype}{list(out.shape)}, not {dtype}{shape}"
        near = 1e-9 if dtype == "float64" else 1e-5
        if unlike(out.detach().numpy(), kept, near):
            return f"gives other numbers: {out.tolist()}"
    return slopes_differ(outs, [x for x in tensors([args, options]) if x.requires_grad], case)


def slopes_differ(outs: list[tg.Tensor], leaves: list[tg.Tensor], case: golden.Case) -> str:
    """Return which gradient differs, or nothing."""
    if not case.options["grads"]:
        return ""
    weights = [tg.tensor(np.cos(np.arange(math.prod(o.shape)) + 0.5)) for o in outs]
    terms = [(o.reshape(-1) * w).sum() for o, w in zip(outs, weights) if o.requires_grad]
    if not terms:
        return "" if not np.any(case.options["grads"]) else "gives no gradient"
    found = tg.grad(sum(terms[1:], terms[0]), leaves, allow_unused=True)
    for k, (x, g, kept) in enumerate(zip(leaves, found, case.options["grads"])):
        array = np.zeros(x.shape) if g is None else g.numpy()
        near = 1e-9 if x.dtype == np.float64 else 1e-5
        if array.shape != x.shape or unlike(array, kept, near):
            return f"gives another gradient of argument {k}: {array.tolist()}"
    return ""


def told(case: golden.Case, home: str) -> str:
    """Return the trouble with one call as a sentence, or nothing."""
    try:
        wrong = difference(getattr(HOMES[home], case.name.rpartition(".")[2]), case)
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    if any(re.fullmatch(names, case.name) and re.search(said, wrong) for names, said, _ in KNOWN):
        return ""
    call = {k: case.options[k] for k in ("args", "options")}
    shapes = {k: a.shape for k, a in case.arrays.items()}
    return f"{home}.{case.name}{call} {shapes}: {wrong}" if wrong else ""


# Of chance, of memory, or ours alone
ELSEWHERE = """BoolTensor DoubleTensor FloatTensor IntTensor LongTensor bernoulli checkpoint
dropout empty empty_like from_dlpack from_numpy initial_seed is_tensor manual_seed masked_softmax
multinomial normal rand rand_like randint randn randn_like randperm safe_sqrt numel eye full
arange linspace
logspace as_tensor zeros ones is_floating_point is_complex is_nonzero gumbel_softmax result_type
scaled_dot_product_attention embedding broadcast_shapes chain_matmul is_same_size narrow
triplet_margin_with_distance_loss vander""".split()


def test_every_public_function_is_in_the_table() -> None:
    functions = [n for n, f in vars(tg).items() if n[0] != "_" and inspect.isfunction(f)]
    home = [n for n in functions if getattr(tg, n).__module__.startswith("tinygrad_rnn.functions.")]
    recorded = {case.name.rpartition(".")[2] for case in golden.load("functions")}
    told = {*NAMES, *ELSEWHERE, *recorded}
    named = {n for n in home if n not in told and not any(
        getattr(tg, m, None) is getattr(tg, n) for m in told)}  # fmt: skip
    assert len(home) > 250 and not named, f"record {sorted(named)}: tools/golden/forms.py"


@pytest.mark.parametrize("name", NAMES)
def test_every_form_has_torchs_answer(name: str) -> None:
    wrong = []
    with np.errstate(all="ignore"):
        for case in (c for c in CASES if c.name == name):
            for home in case.options["homes"]:
                wrong += [t for t in [told(case, home)] if t]
    assert not wrong, f"{len(wrong)} forms:\n" + "\n".join(wrong[:6])
