"""In which forms PyTorch's functions are called, and what they answer: values, slopes, dtypes.

The forms are those PyTorch tests itself with (its table of operators, which needs `expecttest`):
dims as numbers, tuples and from the end, kept axes, scalars beside tensors, broadcasting, options.
Each is recorded by place, and once more with every argument named. Of a result and of each gradient
two weighted sums are kept, with shape and dtype: enough to tell any difference, and small.
"""

from __future__ import annotations

import itertools
import math
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from record import case

PER_FUNCTION = 16  # forms of one function
MOST = 220  # entries of one tensor
RANDOM = """alpha_dropout bernoulli cauchy dropout dropout1d dropout2d dropout3d empty empty_like
exponential geometric log_normal multinomial new_empty normal rand_like randint randint_like randn
randn_like resize_ rrelu uniform gumbel_softmax scaled_dot_product_attention item
is_tensor device eye full arange linspace logspace""".split()


def known(name: str) -> list[str]:
    """Return where this library has a function of the name: in "", "F" or "Tensor"."""
    import tinygrad_rnn as tg

    homes = {"": tg, "F": tg.nn.functional, "Tensor": tg.Tensor}
    if name.startswith("linalg."):
        homes, name = {"linalg": tg.linalg}, name.removeprefix("linalg.")
    return [home for home, thing in homes.items() if hasattr(thing, name)]


def theirs(name: str) -> dict[str, Any]:
    """Return PyTorch's functions of the name by the places where this library has them too."""
    import torch

    homes = {"": torch, "F": torch.nn.functional, "Tensor": torch.Tensor, "linalg": torch.linalg}
    raw = name in ("embedding", "binary_cross_entropy_with_logits", "triplet_margin_loss")
    found = {home: getattr(homes[home], name.rpartition(".")[2], None) for home in known(name)}
    return {home: f for home, f in found.items() if callable(f) and not (raw and not home)}


def operators() -> Iterator[tuple[str, Any]]:
    """Yield (name, operator) of all that this library has too, under second names as well."""
    from torch.testing._internal import common_methods_invocations as table

    small()
    for op in table.op_db:
        path = op.name.replace("nn.functional.", "")
        if not path.startswith("linalg.") and "." in path:
            continue
        names = [path, *(a.name for a in op.aliases if "." not in a.name)]
        for name in dict.fromkeys(names):
            if known(name) and name not in RANDOM:
                yield name, op


def small() -> None:
    """Let PyTorch draw small tensors: its sizes are names in its modules."""
    for path, module in list(sys.modules.items()):
        if path.startswith("torch.testing._internal") and hasattr(module, "S"):
            vars(module).update(S=3, M=4, L=5)


class Unwritable(Exception):
    """An argument that this library has no word for: complex numbers, layouts, functions."""


def written(value: Any, arrays: dict[str, Any]) -> Any:
    """Return an argument as JSON, its tensors put into `arrays`."""
    import torch

    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.numel() > MOST or value.layout != torch.strided:
            raise Unwritable
        key = f"in/{len(arrays)}"
        arrays[key] = value.detach().numpy()
        return {"tensor": key, "grad": value.requires_grad}
    if isinstance(value, tuple):
        return {"tuple": [written(v, arrays) for v in value]}
    if isinstance(value, list):
        return [written(v, arrays) for v in value]
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, torch.dtype):
        if value.is_complex or value == torch.bfloat16:
            raise Unwritable
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise Unwritable


def rounded(value: Any) -> Any:
    """Return an argument with its floats cut to 1/256, which takes little room, and contiguous."""
    import torch

    if isinstance(value, torch.Tensor) and value.is_floating_point():
        needs = value.requires_grad
        return (value.detach() * 256).round().div(256).contiguous().requires_grad_(needs)
    if isinstance(value, (tuple, list)):
        return type(value)(rounded(v) for v in value)
    return value.contiguous() if isinstance(value, torch.Tensor) else value


def tensors(value: Any) -> Iterator[Any]:
    """Yield the tensors of nested arguments or results, in order."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from tensors(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from tensors(v)


def digest(array: np.ndarray) -> list[float]:
    """Return two weighted sums of the finite entries, and how many are NaN, ∞ and −∞."""
    flat = array.astype(np.float64).ravel()
    odd = [np.isnan(flat).sum(), (flat == np.inf).sum(), (flat == -np.inf).sum()]
    flat, k = np.where(np.isfinite(flat), flat, 0), np.arange(flat.size)
    sums = (flat * np.cos(0.7 * k + 0.3)).sum(), (flat * np.sin(1.3 * k + 0.1)).sum()
    return [float(v) for v in (*sums, *odd)]


def shown(x: Any) -> list[Any]:
    """Return dtype, shape and digest of a result."""
    if x.is_complex() or x.layout is not type(x.layout) and str(x.layout) != "torch.strided":
        raise Unwritable
    array = x.detach().numpy()
    return [array.dtype.name, list(array.shape), digest(array)]


def answered(function: Any, args: tuple, options: dict[str, Any]) -> dict[str, Any]:
    """Return results and gradients of one call, digested."""
    import torch

    made = function(*args, **options)
    outs = list(tensors(made))
    if not outs:
        plain = list(made) if isinstance(made, (tuple, list)) else made
        if not isinstance(plain, (bool, int, float, list)):
            raise Unwritable
        return {"plain": plain}
    loss: Any = 0.0
    for out in outs:
        if out.requires_grad:
            k = torch.arange(out.numel(), dtype=torch.float64)
            loss = loss + (out.reshape(-1) * torch.cos(k + 0.5)).sum()
    leaves = [x for x in tensors([args, options]) if x.requires_grad]
    found = []
    if isinstance(loss, torch.Tensor) and leaves:
        found = torch.autograd.grad(loss, leaves, allow_unused=True)
        found = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found)]
    return {"outs": [shown(o) for o in outs], "grads": [digest(g.numpy()) for g in found]}


def named(name: str, args: tuple, options: dict[str, Any]) -> dict[str, Any] | None:
    """Return all arguments by name as PyTorch's schema has them, or None if none fits."""
    import torch

    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}"):
        names = [a.name for a in schema.arguments if not a.kwarg_only]
        every = {a.name for a in schema.arguments}
        if len(args) > len(names) or not options.keys() <= every or schema.overload_name == "out":
            continue
        given = {("input" if n == "self" else n): v for n, v in zip(names, args)} | options
        try:
            getattr(torch, name)(**given)
        except Exception:  # another overload may fit
            continue
        return given
    return None


def form(value: Any) -> Any:
    """Return what makes two calls of one form: kinds of arguments, not their numbers."""
    import torch

    if isinstance(value, torch.Tensor):
        return ("tensor", value.ndim, value.dtype, value.numel() > 0)
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, *(form(v) for v in value))
    if isinstance(value, dict):
        return tuple((k, form(v)) for k, v in value.items())
    if isinstance(value, (bool, str)) or value is None:
        return value
    return (type(value).__name__, value < 0) if isinstance(value, (int, float)) else str(value)


def samples(op: Any) -> list[tuple[tuple, dict[str, Any]]]:
    """Return calls of different form: of floats, then a few of whole numbers."""
    import torch

    found: dict[Any, tuple] = {}
    few: list[tuple] = []
    for dtype in (torch.float64, torch.int64):
        if dtype not in op.dtypes:
            continue
        needs = dtype.is_floating_point and op.supports_autograd
        kind: dict[Any, tuple] = {}
        try:
            for s in itertools.islice(op.sample_inputs("cpu", dtype, requires_grad=needs), 400):
                args, options = (
                    rounded((s.input, *s.args)),
                    {k: rounded(v) for k, v in s.kwargs.items()},
                )
                kind.setdefault((form(args), form(options)), (args, options))
        except Exception as error:  # a size that does not fit a sample of PyTorch's
            print(f"{op.name}: {error}"[:120], file=sys.stderr)
        calls = list(kind.values())
        most = PER_FUNCTION if dtype.is_floating_point else 4
        few += calls[:: max(1, math.ceil(len(calls) / most))]
        found |= kind
    return few


def evaluate(name: str, op: Any) -> Iterator[dict[str, Any]]:
    """Yield every form of one function by place, and with names where PyTorch takes them."""
    homes = theirs(name)
    for args, options in samples(op):
        ways = [(args, options)]
        if "" in homes and (all_named := named(name, args, options)):
            ways.append(((), all_named))
        for way, given in ways:
            arrays: dict[str, Any] = {}
            try:
                call = {
                    "args": written(list(way), arrays),
                    "options": {k: written(v, arrays) for k, v in given.items()},
                }
                answers = everywhere(homes, way, given)
            except Unwritable:
                continue
            if answers:
                same = [h for h in answers if str(answers[h]) == str(next(iter(answers.values())))]
                yield case(name, call | next(iter(answers.values())) | {"homes": same}, arrays)


def everywhere(homes: dict[str, Any], args: tuple, options: dict[str, Any]) -> dict[str, Any]:
    """Return the answer at each place that takes the call; a method takes its tensor by place."""
    answers = {}
    for home, function in homes.items():
        if home == "Tensor" and not (args and hasattr(args[0], "detach")):
            continue
        try:
            answers[home] = answered(function, args, options)
        except (TypeError, RuntimeError, ValueError, IndexError):
            continue
    return answers


def record() -> list[dict[str, Any]]:
    warnings.simplefilter("ignore")
    import torch

    torch.manual_seed(0)
    return [c for name, op in operators() for c in evaluate(name, op)]
