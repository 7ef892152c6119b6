"""Move every input entry a little both ways and compare slopes with gradients, for `gradcheck`.

The change of the result, divided by the step, must be what the backward pass says. If the slopes on
the two sides differ, the function has a corner there and there is no gradient to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..engine.arrays import move, to_numpy
from ..engine.backward import grad
from ..engine.context import enable_grad
from ..engine.shared_memory import rebind
from ..engine.tensor import Tensor, wrap


class CheckOptions(NamedTuple):
    """Say how far inputs are moved, and how far slope and gradient may differ."""

    eps: float
    atol: float
    rtol: float
    fast: bool = False

    def agrees(self, a: Any, b: Any) -> Any:
        return np.isclose(a, b, rtol=self.rtol, atol=self.atol, equal_nan=True)

    def __str__(self) -> str:
        return f"tolerance {self.atol:g} + {self.rtol:g}·|numeric|"


class Fault(NamedTuple):
    """An entry at which gradient and slope differ; `kink` says so if there is a corner."""

    output: int
    input: int
    entry: tuple[int, ...]
    analytic: float
    numeric: float
    kink: str

    def size(self) -> float:
        return float(np.nan_to_num(abs(self.analytic - self.numeric), nan=np.inf))

    def __str__(self) -> str:
        where = f"entry {self.entry}: " if self.entry else ""
        numbers = f"analytic {self.analytic:.8g}, numeric {self.numeric:.8g}"
        return f"{where}{numbers}{'; ' + self.kink if self.kink else ''}"


def as_tuple(x: Any) -> tuple:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def real_outputs(y: Any) -> list[Tensor]:
    return [t for t in as_tuple(y) if t.dtype.kind == "f"]


def array_like(numbers: Any, x: Any, device: str) -> Any:
    """Return the numbers as an array (also of no axes) of x's dtype on a device."""
    return move(np.asarray(numbers, x.dtype), device)


def compare(func: Callable, xs: tuple, plan: CheckOptions) -> Fault | None:
    """Return the worst entry at which the gradient of `func` at `xs` is not its slope, or None."""
    with enable_grad():
        outs = real_outputs(func(*xs))
    faults: list[Fault] = []
    with np.errstate(invalid="ignore", over="ignore"):
        for i, x in enumerate(xs):
            if isinstance(x, Tensor) and x.requires_grad and x._array.size:
                faults += (along_one if plan.fast else everywhere)(func, xs, i, outs, plan)
    return max(faults, key=Fault.size, default=None)


def everywhere(
    func: Callable, xs: tuple, i: int, outs: list[Tensor], plan: CheckOptions
) -> Iterator[Fault]:
    """List the wrong entries of the Jacobian with respect to input i."""
    size = xs[i]._array.size
    slopes = [sides(func, xs, i, unit(xs[i].shape, k), outs, plan) for k in range(size)]
    for j, y in enumerate(outs):
        left, right = (np.stack([s[j][side] for s in slopes], 1) for side in (0, 1))
        numeric, analytic = (left + right) / 2, jacobian_of(y, xs[i])
        for place in zip(*np.nonzero(~plan.agrees(analytic, numeric)), strict=True):
            entry = tuple(int(n) for n in np.unravel_index(place[1], xs[i].shape))
            corner = kink(left[place], right[place], plan)
            yield Fault(j, i, entry, float(analytic[place]), float(numeric[place]), corner)


def along_one(
    func: Callable, xs: tuple, i: int, outs: list[Tensor], plan: CheckOptions
) -> Iterator[Fault]:
    """Compare uᵀJv for a random u and v: two evaluations instead of two per entry."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=xs[i].shape)
    for j, (y, ends) in enumerate(zip(outs, sides(func, xs, i, v, outs, plan), strict=True)):
        u = rng.normal(size=y.shape)
        left, right = (float(u.ravel() @ side) for side in ends)
        analytic = float((pulled(y, xs[i], u) * v).sum())
        if not plan.agrees(analytic, (left + right) / 2):
            yield Fault(j, i, (), analytic, (left + right) / 2, kink(left, right, plan))


def unit(shape: tuple[int, ...], k: int) -> np.ndarray:
    e = np.zeros(shape)
    e.flat[k] = 1
    return e


def sides(
    func: Callable, xs: tuple, i: int, v: np.ndarray, outs: list[Tensor], plan: CheckOptions
) -> list[tuple]:
    """Return each output's slope along v, flat: from below and from above.

    The Tensor itself is moved, so a function that uses it without being given it sees it too.
    """
    here = [to_numpy(y._array).ravel() for y in outs]
    low, high = (evaluated(func, xs[i], step * plan.eps * v, xs) for step in (-1, 1))
    return [
        ((h - a) / plan.eps, (b - h) / plan.eps) for a, h, b in zip(low, here, high, strict=True)
    ]


def evaluated(func: Callable, x: Tensor, step: np.ndarray, xs: tuple) -> list[np.ndarray]:
    """Return the outputs, flat, with x moved by `step`; it is put back in any case."""
    kept = x._array
    try:
        rebind(x, array_like(to_numpy(kept) + step, x, x.device))  # its views see it too
        with enable_grad():
            return [to_numpy(y._array).ravel() for y in real_outputs(func(*xs))]
    finally:
        rebind(x, kept)


def jacobian_of(y: Tensor, x: Tensor) -> np.ndarray:
    """Return ∂y/∂x by backward passes, one row per entry of y."""
    rows = [pulled(y, x, unit(y.shape, k)).ravel() for k in range(y._array.size)]
    return np.stack(rows) if rows else np.zeros((0, x._array.size))


def pulled(y: Tensor, x: Tensor, u: np.ndarray) -> np.ndarray:
    """Return uᵀ ∂y/∂x by a backward pass."""
    if not y.requires_grad:
        return np.zeros(x.shape)
    (g,) = grad(y, x, wrap(array_like(u, y, y.device), None), retain_graph=True, allow_unused=True)
    return np.zeros(x.shape) if g is None else to_numpy(g._array)


def kink(left: float, right: float, plan: CheckOptions) -> str:
    """Describe a corner: the slopes on its two sides differ, so no gradient is right there."""
    if plan.agrees(left, right) or not np.isfinite([left, right]).all():
        return ""
    both = f"slope {left:.6g} from below, {right:.6g} from above"
    return f"the function has a kink or a jump here ({both}): check it at another point"


def slope_of(func: Callable, n: int) -> Callable:
    """Return (inputs, weights of the outputs) ↦ gradients of the inputs, differentiable again."""

    def slope(*every: Tensor) -> tuple[Tensor, ...]:
        xs, weights = every[:n], every[n:]
        ends = [x for x in xs if x.requires_grad]
        outs = [y for y in as_tuple(func(*xs)) if y.requires_grad]
        found = grad(outs, ends, list(weights), create_graph=True, allow_unused=True)
        return tuple(x * 0 if g is None else g for x, g in zip(ends, found, strict=True))

    return slope
