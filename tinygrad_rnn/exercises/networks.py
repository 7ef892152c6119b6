"""Ask about shapes, vanishing, its remedies and reservoirs: 05–08; `registry` loads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graphs import Rng, sizes
from .registry import exercise


# 05 five architectures
def _losses(rng: Rng) -> tuple:
    shapes = ["many to one", "synced", "one to many", "encoder-decoder"]
    return str(rng.choice(shapes)), int(rng.integers(3, 7)), int(rng.integers(2, 6))


def _steps_with_loss(shape: str, T_x: int, T_y: int) -> list[int]:
    return {"many to one": [T_x], "synced": list(range(1, T_x + 1)),
            "one to many": list(range(1, T_y + 1)),
            "encoder-decoder": list(range(T_x + 1, T_x + T_y + 1))}[shape]  # fmt: skip


@exercise(
    "05.1",
    "Where the losses are",
    "Steps count from 1; an encoder–decoder reads T_x steps, then writes T_y. Write "
    "(shape, T_x, T_y) -> the list of steps that have a loss, for shape in 'many to one', "
    "'synced', 'one to many', 'encoder-decoder'.",
    _losses,
    hints=["A loss is where an output is asked for."],
)
def loss_steps(shape: str, T_x: int, T_y: int) -> Any:
    return _steps_with_loss(shape, T_x, T_y)


loss_steps.mistake("counted from 0", "steps count from 1 here.")(
    lambda s, x, y: [t - 1 for t in _steps_with_loss(s, x, y)]
)
loss_steps.mistake("encoder has losses", "while the encoder reads, nothing is asked of it.")(
    lambda s, x, y: list(range(1, x + y + 1)) if s[0] == "e" else _steps_with_loss(s, x, y)
)
loss_steps.mistake("loss everywhere", "many to one has a single loss: at the last step.")(
    lambda s, x, y: list(range(1, x + 1)) if s == "many to one" else _steps_with_loss(s, x, y)
)


def _generated(rng: Rng) -> tuple:
    h, _, t = sizes(rng, 3)
    return rng.normal(size=(h, h)), rng.normal(size=(h, h)), rng.normal(size=h), t


def _generate(W: Any, U: Any, x: Any, T: int, fed: bool = True, state: bool = True) -> Any:
    a, rows = np.zeros(len(W)), []
    for _ in range(T):
        new = np.tanh(W @ a + U @ x)
        a = new if state else a
        x = new if fed else x
        rows.append(new)
    return np.array(rows)


@exercise(
    "05.2",
    "One to many: the output is the next input",
    "a⟨t⟩ = tanh(W a⟨t−1⟩ + U x⟨t⟩); x⟨1⟩ = x, afterwards x⟨t⟩ = a⟨t−1⟩. "
    "Write (W, U, x, T) -> all a⟨t⟩, (T, H).",
    _generated,
    hints=["Two things are replaced in each step: the state and the input."],
)
def one_to_many(W: Any, U: Any, x: Any, T: int) -> Any:
    return _generate(W, U, x, T)


one_to_many.mistake("not fed back", "x⟨t⟩ is the output before, not the same x in every step.")(
    lambda W, U, x, T: _generate(W, U, x, T, fed=False)
)
one_to_many.mistake("state not carried", "each step begins from 0: hand a⟨t⟩ on.")(
    lambda W, U, x, T: _generate(W, U, x, T, state=False)
)
one_to_many.mistake("last state alone", "all T outputs are asked for.")(
    lambda W, U, x, T: _generate(W, U, x, T)[-1]
)


# 06 vanishing and exploding
def _jacobian_inputs(rng: Rng) -> tuple:
    h, t = int(rng.integers(3, 5)), 6
    states = np.tanh(rng.normal(size=(t, h)))
    k = int(rng.integers(1, 4))
    return rng.normal(size=(h, h)), states, k, k + int(rng.integers(1, 3))


def _jacobians(W: Any, a: Any, k: int, t: int, *, slope: bool = True, first: int = 1,
               turned: bool = False, reverse: bool = False) -> Any:  # fmt: skip
    order = range(k + first, t + first)
    J = np.eye(len(W))
    for i in order:
        one = (np.diag(1 - a[i] ** 2) if slope else np.eye(len(W))) @ (W.T if turned else W)
        J = J @ one if reverse else one @ J
    return J


@exercise(
    "06.1",
    "The product of Jacobians",
    "a⟨i⟩ = tanh(W a⟨i−1⟩ + …); `a` holds the states, a[i] = a⟨i⟩. Write (W, a, k, t) -> "
    "∂a⟨t⟩/∂a⟨k⟩ for k < t.",
    _jacobian_inputs,
    hints=["∂a⟨i⟩/∂a⟨i−1⟩ = diag(1 − a⟨i⟩²) W.", "t − k factors, the latest to the left."],
)
def jacobian_product(W: Any, a: Any, k: int, t: int) -> Any:
    return _jacobians(W, a, k, t)


jacobian_product.mistake("missing g1′", "tanh's slope is missing: diag(1 − a²) in each factor.")(
    lambda W, a, k, t: _jacobians(W, a, k, t, slope=False)
)
jacobian_product.mistake("a⟨i−1⟩ for a⟨i⟩", "the slope is that at a⟨i⟩, one step later.")(
    lambda W, a, k, t: _jacobians(W, a, k, t, first=0)
)
jacobian_product.mistake("W transposed", "that is the product that gradients see, its transpose.")(
    lambda W, a, k, t: _jacobians(W, a, k, t).T
)
jacobian_product.mistake("wrong order", "matrices do not commute: the latest factor is leftmost.")(
    lambda W, a, k, t: _jacobians(W, a, k, t, reverse=True)
)
jacobian_product.mistake("W not transposed in place", "W stands as it is in ∂a⟨t⟩/∂a⟨k⟩.")(
    lambda W, a, k, t: _jacobians(W, a, k, t, turned=True)
)


@exercise(
    "06.2",
    "The bound c^(t−k)",
    "c = ‖W‖·max g1′, with the largest singular value as norm, g1 = tanh. "
    "Write (W, lag) -> the bound on ‖∂a⟨t⟩/∂a⟨k⟩‖ for lag = t − k.",
    lambda rng: ((rng.normal(size=(4, 4)) * 0.6), int(rng.integers(2, 6))),
    hints=["max tanh′ is 1.", "np.linalg.norm(W, 2) is the largest singular value."],
)
def bound(W: Any, lag: int) -> Any:
    return float(np.linalg.norm(W, 2) ** lag)


bound.mistake(
    "Frobenius norm", "that is the Frobenius norm, which is larger: the spectral is meant."
)(lambda W, lag: float(np.linalg.norm(W) ** lag))
bound.mistake(
    "spectral radius", "the largest |eigenvalue| is no bound for a matrix that is not normal."
)(lambda W, lag: float(np.abs(np.linalg.eigvals(W)).max() ** lag))
bound.mistake("times lag", "each step multiplies by c: a power, not a multiple.")(
    lambda W, lag: float(np.linalg.norm(W, 2) * lag)
)
bound.mistake("sigmoid's slope", "max tanh′ is 1; ¼ is that of σ.")(
    lambda W, lag: float((np.linalg.norm(W, 2) / 4) ** lag)
)


# 07 remedies
def _gradients(rng: Rng) -> tuple:
    shapes = [(3, 2), (4,), (2, 2)]
    scale = float(rng.choice([0.1, 5.0]))
    return [rng.normal(size=s) * scale for s in shapes], float(rng.uniform(0.5, 2))


def _norm(grads: Any) -> float:
    return float(np.sqrt(sum((g**2).sum() for g in grads)))


@exercise(
    "07.1",
    "Clip the norm",
    "Write (grads, θ) -> the list of gradients scaled so that the norm of all of them together is "
    "at most θ; unchanged if it is already.",
    _gradients,
    hints=["One norm over all arrays.", "The direction must not change: one factor for all."],
)
def clip_norm(grads: Any, theta: float) -> Any:
    scale = min(1.0, theta / _norm(grads))
    return [g * scale for g in grads]


clip_norm.mistake("norm of each", "one norm of all arrays together, so that the direction stays.")(
    lambda grads, theta: [g * min(1.0, theta / _norm([g])) for g in grads]
)
clip_norm.mistake("clipped values", "that caps each number and changes the direction.")(
    lambda grads, theta: [np.clip(g, -theta, theta) for g in grads]
)
clip_norm.mistake("always scaled", "small gradients stay as they are: min(1, θ/‖g‖).")(
    lambda grads, theta: [g * theta / _norm(grads) for g in grads]
)
clip_norm.mistake("square of the norm", "the root is missing in the norm.")(
    lambda grads, theta: [g * min(1.0, theta / _norm(grads) ** 2) for g in grads]
)
clip_norm.mistake("normalised", "θ is missing: the result has norm 1.")(
    lambda grads, theta: [g / _norm(grads) for g in grads]
)


def _is_orthogonal(Q: Any, n: int, seed: int) -> bool:
    Q = np.asarray(Q)
    return Q.shape == (n, n) and np.allclose(Q @ Q.T, np.eye(n), atol=1e-8)


def _draw(n: int, seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=(n, n))


@exercise(
    "07.2",
    "An orthogonal matrix",
    "Write (n, seed) -> a random orthogonal matrix (n, n): QᵀQ = 1.",
    lambda rng: (int(rng.integers(3, 7)), int(rng.integers(1000))),
    valid=_is_orthogonal,
    hints=["np.linalg.qr of a random matrix.", "Which of its two results?"],
)
def orthogonal(n: int, seed: int) -> Any:
    return np.linalg.qr(_draw(n, seed))[0]


orthogonal.mistake("R for Q", "qr returns Q and R: Q is orthogonal, R is triangular.")(
    lambda n, seed: np.linalg.qr(_draw(n, seed))[1]
)
orthogonal.mistake("not orthogonal", "a random matrix is not orthogonal by itself.")(
    lambda n, seed: _draw(n, seed)
)
orthogonal.mistake("columns scaled alone", "columns of length 1 are not yet at right angles.")(
    lambda n, seed: _draw(n, seed) / np.linalg.norm(_draw(n, seed), axis=0)
)


@exercise(
    "07.3",
    "Weight decay's share",
    "L′ = L + λ ‖W‖². Write (W, g, λ) -> ∂L′/∂W, with g = ∂L/∂W.",
    lambda rng: (rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), float(rng.uniform(0.1, 1))),
    hints=["∂‖W‖²/∂W = 2 W."],
)
def decayed(W: Any, g: Any, lam: float) -> Any:
    return g + 2 * lam * W


decayed.mistake("missing 2", "the derivative of W² is 2 W.")(lambda W, g, lam: g + lam * W)
decayed.mistake("missing W", "the penalty's gradient is proportional to W.")(
    lambda W, g, lam: g + 2 * lam
)
decayed.mistake("wrong sign", "the penalty pulls W to 0 when one descends: add its gradient.")(
    lambda W, g, lam: g - 2 * lam * W
)
decayed.mistake("sign for W", "that is the gradient of λ‖W‖₁.")(
    lambda W, g, lam: g + lam * np.sign(W)
)


# 08 reservoirs
@exercise(
    "08.1",
    "Scale to a spectral radius",
    "Write (W, ρ) -> W scaled so that its largest |eigenvalue| is ρ.",
    lambda rng: (rng.normal(size=(6, 6)), float(rng.uniform(0.5, 1.3))),
    hints=["np.linalg.eigvals; they may be complex."],
)
def spectral(W: Any, rho: float) -> Any:
    return W * rho / np.abs(np.linalg.eigvals(W)).max()


spectral.mistake("largest singular value", "that is the norm of W, not its spectral radius.")(
    lambda W, rho: W * rho / np.linalg.norm(W, 2)
)
spectral.mistake("radius 1", "ρ is missing: your radius is 1.")(
    lambda W, rho: W / np.abs(np.linalg.eigvals(W)).max()
)
spectral.mistake("real parts", "eigenvalues are complex: their absolute value counts.")(
    lambda W, rho: W * rho / np.linalg.eigvals(W).real.max()
)
spectral.mistake("not scaled", "multiplying by ρ is not enough: divide by the radius W has.")(
    lambda W, rho: W * rho
)


def _ridge_inputs(rng: Rng) -> tuple:
    n, t = int(rng.integers(3, 6)), 20
    return rng.normal(size=(t, n)), rng.normal(size=(t, 2)), float(rng.uniform(0.5, 2))


@exercise(
    "08.2",
    "Ridge regression",
    "States A (T, N), targets Y (T, K). Write (A, Y, λ) -> W (N, K) that minimises "
    "‖A W − Y‖² + λ ‖W‖².",
    _ridge_inputs,
    hints=["Set the gradient to 0.", "(AᵀA + λ·1) W = Aᵀ Y."],
)
def ridge(A: Any, Y: Any, lam: float) -> Any:
    return np.linalg.solve(A.T @ A + lam * np.eye(A.shape[1]), A.T @ Y)


ridge.mistake("no penalty", "that is least squares: λ is missing.")(
    lambda A, Y, lam: np.linalg.lstsq(A, Y, rcond=None)[0]
)
ridge.mistake("λ everywhere", "λ belongs to the diagonal: λ times the unit matrix.")(
    lambda A, Y, lam: np.linalg.solve(A.T @ A + lam, A.T @ Y)
)
ridge.mistake("transposed", "the result is transposed: W is (N, K).")(
    lambda A, Y, lam: np.linalg.solve(A.T @ A + lam * np.eye(A.shape[1]), A.T @ Y).T
)
ridge.mistake("mean for sum", "λ is added to the sum AᵀA, not to its mean.")(
    lambda A, Y, lam: np.linalg.solve(A.T @ A / len(A) + lam * np.eye(A.shape[1]), A.T @ Y / len(A))
)


@exercise(
    "08.3",
    "A leaky step",
    "a⟨t⟩ = (1 − α) a⟨t−1⟩ + α tanh(W a⟨t−1⟩ + u). Write (W, a, u, α) -> a⟨t⟩.",
    lambda rng: (
        rng.normal(size=(4, 4)),
        rng.normal(size=4),
        rng.normal(size=4),
        float(rng.uniform(0.1, 0.9)),
    ),
)
def leaky(W: Any, a: Any, u: Any, alpha: float) -> Any:
    return (1 - alpha) * a + alpha * np.tanh(W @ a + u)


leaky.mistake("α exchanged", "α is the share of the new: the old keeps 1 − α.")(
    lambda W, a, u, alpha: alpha * a + (1 - alpha) * np.tanh(W @ a + u)
)
leaky.mistake("no leak", "the old state's share (1 − α) a⟨t−1⟩ is missing.")(
    lambda W, a, u, alpha: alpha * np.tanh(W @ a + u)
)
leaky.mistake("leak inside", "tanh is of W a + u alone: the leak is outside.")(
    lambda W, a, u, alpha: np.tanh((1 - alpha) * a + alpha * (W @ a + u))
)
leaky.mistake("missing g1", "the activation is missing.")(
    lambda W, a, u, alpha: (1 - alpha) * a + alpha * (W @ a + u)
)
