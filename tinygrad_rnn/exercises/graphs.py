"""Ask about the chain rule, array gradients, the cell, BPTT: 01–04; `registry` loads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checking import unbroadcast
from .registry import exercise

Rng = np.random.Generator


def sizes(rng: Rng, n: int, low: int = 2, high: int = 6) -> list[int]:
    """Return different sizes, so that no axis can be taken for another."""
    return [int(k) for k in rng.permutation(np.arange(low, max(high, low + n)))[:n]]


# 01 graphs and the chain rule
@exercise(
    "01.1",
    "The gradient of a product",
    "y = a·b. Write (a, b, g) -> (gradient of a, gradient of b), where g is the gradient of y.",
    lambda rng: tuple(rng.normal(size=3).tolist()),
    hints=["∂(a·b)/∂a: hold b still.", "Each share is g times that derivative."],
)
def mul_backward(a: float, b: float, g: float) -> Any:
    return g * b, g * a


mul_backward.mistake("exchanged", "the factors are exchanged: ∂(a·b)/∂a is b, not a.")(
    lambda a, b, g: (g * a, g * b)
)
mul_backward.mistake("missing g", "the upstream gradient g is missing: multiply by it.")(
    lambda a, b, g: (b, a)
)
mul_backward.mistake("added g", "the upstream gradient multiplies, it is not added.")(
    lambda a, b, g: (g + b, g + a)
)


@exercise(
    "01.2",
    "The gradient of tanh",
    "y = tanh(x). Write (y, g) -> gradient of x. You are given y, not x.",
    lambda rng: (np.tanh(rng.normal(size=4)), rng.normal(size=4)),
    hints=["tanh′ can be written with tanh alone.", "cosh² − sinh² = 1, divided by cosh²."],
)
def tanh_backward(y: Any, g: Any) -> Any:
    return g * (1 - y * y)


tanh_backward.mistake("missing g′", "the slope of tanh is missing: the gradient is not g itself.")(
    lambda y, g: g
)
tanh_backward.mistake("tanh twice", "y is tanh(x) already: do not take tanh of it again.")(
    lambda y, g: g * (1 - np.tanh(y) ** 2)
)
tanh_backward.mistake("missing g", "the upstream gradient g is missing: multiply by it.")(
    lambda y, g: 1 - y * y
)
tanh_backward.mistake("sigmoid's slope", "y(1 − y) is the slope of σ; that of tanh is another.")(
    lambda y, g: g * y * (1 - y)
)
tanh_backward.mistake("no square", "1 − y is not the slope: one of the factors is missing.")(
    lambda y, g: g * (1 - y)
)


def _reused(rng: Rng) -> tuple:
    return tuple(rng.normal(size=2).tolist())


@exercise(
    "01.3",
    "A value that is used twice",
    "f = (a + b)·a. Write (a, b) -> (∂f/∂a, ∂f/∂b). The value a has two uses.",
    _reused,
    hints=[
        "What arrives along each use is added up: +=, not =.",
        "One use is the sum, one a factor.",
    ],
)
def reused(a: float, b: float) -> Any:
    return (a + b) + a, a


reused.mistake("= for +=", "only one use of a counts: what arrives twice must be added up (+=).")(
    lambda a, b: (a + b, a)
)
reused.mistake("= for +=", "only one use of a counts: what arrives twice must be added up (+=).")(
    lambda a, b: (a, a)
)
reused.mistake("product of shares", "shares along different uses are added, not multiplied.")(
    lambda a, b: ((a + b) * a, a)
)


def _graph(rng: Rng) -> tuple:
    """Return a random graph: node → its inputs; the last node is the result."""
    n = int(rng.integers(4, 8))
    edges = {k: sorted({int(j) for j in rng.integers(0, k, 2)}) for k in range(1, n)}
    return ({0: [], **edges},)


def _is_reverse_order(order: Any, parents: dict) -> bool:
    at = {node: k for k, node in enumerate(order)}
    return (
        sorted(at) == sorted(parents)
        and len(order) == len(parents)
        and all(at[node] < at[parent] for node, many in parents.items() for parent in many)
    )


@exercise(
    "01.4",
    "The order of the backward pass",
    "`parents` maps each node to the nodes it was computed from. Return all nodes in an order in "
    "which gradients can be passed back: each node after everything that uses it.",
    _graph,
    valid=_is_reverse_order,
    hints=[
        "A node is ready when all its users are done.",
        "Creation order, turned round, will do.",
    ],
)
def reverse_order(parents: dict) -> Any:
    return sorted(parents, reverse=True)


reverse_order.mistake("forward order", "that is the forward order: results come first here.")(
    lambda parents: sorted(parents)
)


@reverse_order.mistake(
    "depth first", "depth first is wrong here: a node is reached before all its users were."
)
def _depth_first(parents: dict) -> Any:
    seen: list[int] = []
    stack = [max(parents)]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.append(node)
            stack += parents[node]
    return seen + [n for n in parents if n not in seen]


# 02 tensors
def _product(rng: Rng) -> tuple:
    n, k, m = sizes(rng, 3)
    return rng.normal(size=(n, k)), rng.normal(size=(k, m)), rng.normal(size=(n, m))


@exercise(
    "02.1",
    "The gradient of a matrix product",
    "Y = A @ B. Write (A, B, G) -> (gradient of A, gradient of B).",
    _product,
    hints=["Only one order of factors has the right shape.", "A's share is G times B transposed."],
)
def matmul_backward(A: Any, B: Any, G: Any) -> Any:
    return G @ B.T, A.T @ G


matmul_backward.mistake("transposed", "each share is the transpose of what it should be.")(
    lambda A, B, G: ((G @ B.T).T, (A.T @ G).T)
)
matmul_backward.mistake("exchanged", "the two results are exchanged.")(
    lambda A, B, G: (A.T @ G, G @ B.T)
)


def _bias(rng: Rng) -> tuple:
    n, m = sizes(rng, 2)
    return rng.normal(size=(n, m)), rng.normal(size=m), rng.normal(size=(n, m))


@exercise(
    "02.2",
    "The gradient of a bias",
    "Y = X + b, with X (N, M) and b (M,). Write (X, b, G) -> (gradient of X, gradient of b).",
    _bias,
    hints=["b was used N times.", "A gradient has the shape of the value it belongs to."],
)
def bias_backward(X: Any, b: Any, G: Any) -> Any:
    return G, G.sum(0)


bias_backward.mistake("not unbroadcast", "b's gradient must have b's shape: sum over the rows.")(
    lambda X, b, G: (G, G)
)
bias_backward.mistake(
    "mean for sum", "b was used in every row: its shares are summed, not meaned."
)(lambda X, b, G: (G, G.mean(0)))
bias_backward.mistake("wrong axis", "you summed over the wrong axis: the rows are axis 0.")(
    lambda X, b, G: (G, G.sum(1))
)
bias_backward.mistake("= for +=", "only one row's share of b is there: add up all of them.")(
    lambda X, b, G: (G, G[-1])
)
bias_backward.mistake("summed everything", "one sum per column is asked for, not one of all.")(
    lambda X, b, G: (G, np.full_like(b, G.sum()))
)


def _broadcast(rng: Rng) -> tuple:
    n, m, k = sizes(rng, 3)
    shape = [(m,), (n, 1, m), (1, k, 1), (k, 1), (n, k, m)][int(rng.integers(5))]
    return rng.normal(size=(n, k, m)), shape


@exercise(
    "02.3",
    "Undo broadcasting",
    "A value of shape `shape` was broadcast to the shape of G. Write (G, shape) -> its gradient.",
    _broadcast,
    hints=["Axes that were added in front are summed away.", "Axes of size 1 are summed and kept."],
)
def unbroadcasted(G: Any, shape: tuple) -> Any:
    return unbroadcast(G, shape)


unbroadcasted.mistake("mean for sum", "each use sends a share: sum over them, no mean.")(
    lambda G, shape: unbroadcast(G, shape) * np.prod(shape) / G.size
)
unbroadcasted.mistake("not unbroadcast", "the gradient still has the broadcast shape.")(
    lambda G, shape: G
)


@unbroadcasted.mistake("leading axes alone", "axes of size 1 were stretched too: sum over them.")
def _leading(G: Any, shape: tuple) -> Any:
    return G.sum(tuple(range(G.ndim - len(shape))))


@unbroadcasted.mistake("= for +=", "you took one of the shares: add all of them up.")
def _one_of_them(G: Any, shape: tuple) -> Any:
    part = G[(0,) * (G.ndim - len(shape))]
    return part[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]


def _classes(rng: Rng) -> tuple:
    n, c = sizes(rng, 2, 3, 7)
    return rng.normal(size=(n, c)), rng.integers(0, c, n)


def _softmax(z: Any, axis: int = 1) -> Any:
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _one_hot(y: Any, c: int) -> Any:
    return np.eye(c)[y]


@exercise(
    "02.4",
    "Softmax and cross-entropy",
    "L = mean over rows of −log softmax(z)[class]. Write (z, classes) -> ∂L/∂z. "
    "z is (N, C), classes (N,).",
    _classes,
    hints=["The gradient is p − y, with y one-hot.", "And the mean over N rows?"],
)
def cross_entropy_backward(z: Any, classes: Any) -> Any:
    return (_softmax(z) - _one_hot(classes, z.shape[1])) / len(z)


cross_entropy_backward.mistake("sum for mean", "L is a mean over the N rows: divide by N.")(
    lambda z, y: _softmax(z) - _one_hot(y, z.shape[1])
)
cross_entropy_backward.mistake("wrong sign", "the sign is wrong: it is p − y, not y − p.")(
    lambda z, y: (_one_hot(y, z.shape[1]) - _softmax(z)) / len(z)
)
cross_entropy_backward.mistake("wrong axis", "softmax is over classes, axis 1, not over rows.")(
    lambda z, y: (_softmax(z, 0) - _one_hot(y, z.shape[1])) / len(z)
)
cross_entropy_backward.mistake(
    "missing one-hot", "the target is missing: subtract 1 at the class."
)(lambda z, y: _softmax(z) / len(z))
cross_entropy_backward.mistake("softmax's slope", "the slope of softmax is in p − y already.")(
    lambda z, y: (_softmax(z) - _one_hot(y, z.shape[1])) * _softmax(z) * (1 - _softmax(z)) / len(z)
)
cross_entropy_backward.mistake(
    "divided by classes", "divide by the number of rows, not of classes."
)(lambda z, y: (_softmax(z) - _one_hot(y, z.shape[1])) / z.shape[1])


@exercise(
    "02.5",
    "logsumexp without overflow",
    "Write x -> log Σ exp(x) for a vector whose entries may be 1000 or −1000.",
    lambda rng: (rng.normal(size=sizes(rng, 1)[0]) + float(rng.choice([-1000, 0, 1000])),),
    hints=["log Σ exp(x) = m + log Σ exp(x − m) for any m.", "Which m keeps exp in bounds?"],
)
def logsumexp(x: Any) -> Any:
    return x.max() + np.log(np.exp(x - x.max()).sum())


@logsumexp.mistake("overflow", "exp(1000) overflows, exp(−1000) is 0: subtract the maximum first.")
def _overflows(x: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.log(np.exp(x).sum())


logsumexp.mistake("maximum forgotten", "what was subtracted must be added again at the end.")(
    lambda x: np.log(np.exp(x - x.max()).sum())
)
logsumexp.mistake("mean for sum", "you took a mean where a sum is asked.")(
    lambda x: x.max() + np.log(np.exp(x - x.max()).mean())
)


# 03 the cell
def _cell(rng: Rng) -> tuple:
    h, i, b = sizes(rng, 3)
    draw = lambda *shape: rng.normal(size=shape)
    return draw(h, h), draw(h, i), draw(h), draw(b, h), draw(b, i)


@exercise(
    "03.1",
    "One step of a recurrent network",
    "a⟨t⟩ = tanh(W_aa a⟨t−1⟩ + W_ax x⟨t⟩ + b_a), for a batch: a (B, H), x (B, I), W_aa (H, H), "
    "W_ax (H, I). Write (W_aa, W_ax, b_a, a, x) -> the next a.",
    _cell,
    hints=["Rows are the batch: W a for each row is a @ W.T."],
)
def rnn_step(W_aa: Any, W_ax: Any, b_a: Any, a: Any, x: Any) -> Any:
    return np.tanh(a @ W_aa.T + x @ W_ax.T + b_a)


rnn_step.mistake("missing g1", "the activation is missing: tanh around it all.")(
    lambda W_aa, W_ax, b_a, a, x: a @ W_aa.T + x @ W_ax.T + b_a
)
rnn_step.mistake("W not transposed", "for rows, W a is a @ W.T; a @ W multiplies by W transposed.")(
    lambda W_aa, W_ax, b_a, a, x: np.tanh(a @ W_aa + x @ W_ax.T + b_a)
)
rnn_step.mistake("missing bias", "the bias b_a is missing.")(
    lambda W_aa, W_ax, b_a, a, x: np.tanh(a @ W_aa.T + x @ W_ax.T)
)
rnn_step.mistake("missing recurrence", "a⟨t−1⟩ is not used: without it nothing is remembered.")(
    lambda W_aa, W_ax, b_a, a, x: np.tanh(x @ W_ax.T + b_a)
)
rnn_step.mistake("tanh of each", "tanh is of the whole sum, not of each part.")(
    lambda W_aa, W_ax, b_a, a, x: np.tanh(a @ W_aa.T) + np.tanh(x @ W_ax.T) + b_a
)


@exercise(
    "03.2",
    "Two forms, one matrix",
    "a⟨t⟩ = tanh(W_a [a⟨t−1⟩, x⟨t⟩] + b_a) is the same cell. Write (W_aa, W_ax) -> W_a.",
    lambda rng: _cell(rng)[:2],
    hints=["[a, x] is a column of H + I numbers.", "W_a is (H, H + I): two blocks side by side."],
)
def stacked(W_aa: Any, W_ax: Any) -> Any:
    return np.concatenate([W_aa, W_ax], 1)


stacked.mistake("order", "the columns are in the other order: a comes before x.")(
    lambda W_aa, W_ax: np.concatenate([W_ax, W_aa], 1)
)
stacked.mistake("transposed", "the result is transposed: W_a is (H, H + I).")(
    lambda W_aa, W_ax: np.concatenate([W_aa, W_ax], 1).T
)


def _sequence(rng: Rng) -> tuple:
    h, i, t = sizes(rng, 3)
    draw = lambda *shape: rng.normal(size=shape) * 0.7
    return draw(h, h), draw(h, i), draw(h), draw(t, i)


def _states(W_aa: Any, W_ax: Any, b_a: Any, xs: Any, start: Any = None) -> Any:
    a = np.zeros(len(W_aa)) if start is None else start
    found = []
    for x in xs:
        a = np.tanh(W_aa @ a + W_ax @ x + b_a)
        found.append(a)
    return np.array(found)


@exercise(
    "03.3",
    "The loop over time",
    "Run the cell over xs (T, I) from a⟨0⟩ = 0. Write (W_aa, W_ax, b_a, xs) -> all a⟨t⟩, (T, H).",
    _sequence,
    hints=[
        "One variable holds a and is replaced in every step.",
        "The same weights in every step.",
    ],
)
def rnn_run(W_aa: Any, W_ax: Any, b_a: Any, xs: Any) -> Any:
    return _states(W_aa, W_ax, b_a, xs)


rnn_run.mistake("state not carried", "each step begins from 0: hand a⟨t⟩ on to the next step.")(
    lambda W_aa, W_ax, b_a, xs: np.tanh(xs @ W_ax.T + b_a)
)
rnn_run.mistake("last state alone", "all states are asked for, (T, H), not the last one.")(
    lambda W_aa, W_ax, b_a, xs: _states(W_aa, W_ax, b_a, xs)[-1]
)
rnn_run.mistake("backwards", "you ran from the last x to the first.")(
    lambda W_aa, W_ax, b_a, xs: _states(W_aa, W_ax, b_a, xs[::-1])
)
rnn_run.mistake("a⟨0⟩ included", "a⟨0⟩ = 0 is no result: T states are asked for.")(
    lambda W_aa, W_ax, b_a, xs: np.concatenate(
        [[np.zeros(len(W_aa))], _states(W_aa, W_ax, b_a, xs)]
    )
)
rnn_run.mistake("started from ones", "a⟨0⟩ is 0, not 1.")(
    lambda W_aa, W_ax, b_a, xs: _states(W_aa, W_ax, b_a, xs, np.ones(len(W_aa)))
)


# 04 back-propagation through time
def _bptt_inputs(rng: Rng) -> tuple:
    h, i, _ = sizes(rng, 3)
    draw = lambda *shape: rng.normal(size=shape) * 0.7
    return draw(h, h), draw(h, i), draw(3, i), draw(3, h)


def _bptt(W: Any, U: Any, xs: Any, gs: Any, *, through_time: bool = True, slope: bool = True,
          shifted: bool = True, keep: bool = False, turned: bool = True) -> Any:  # fmt: skip
    """Return ∂L/∂W of a⟨t⟩ = tanh(W a⟨t−1⟩ + U x⟨t⟩), with gs = ∂L_t/∂a⟨t⟩ directly."""
    a = np.concatenate([[np.zeros(len(W))], _states(W, U, 0.0, xs)])
    total, carried = np.zeros_like(W), np.zeros(len(W))
    for t in range(len(xs), 0, -1):
        g = gs[t - 1] + (carried if through_time else 0)
        d = g * (1 - a[t] ** 2) if slope else g
        share = np.outer(d, a[t - 1] if shifted else a[t])
        total = share if keep else total + share
        carried = (W.T if turned else W) @ d
    return total


@exercise(
    "04.1",
    "BPTT by hand, T = 3",
    "a⟨t⟩ = tanh(W a⟨t−1⟩ + U x⟨t⟩), a⟨0⟩ = 0, and ∂L_t/∂a⟨t⟩ = gs[t] is what each step's own loss "
    "sends. Write (W, U, xs, gs) -> ∂L/∂W, without autograd.",
    _bptt_inputs,
    hints=[
        "Go from t = 3 to 1; carry Wᵀ δ back.",
        "δ⟨t⟩ = (g⟨t⟩ + Wᵀ δ⟨t+1⟩) ∘ (1 − a⟨t⟩²).",
        "∂L/∂W = Σ_t δ⟨t⟩ a⟨t−1⟩ᵀ.",
    ],
)
def bptt(W: Any, U: Any, xs: Any, gs: Any) -> Any:
    return _bptt(W, U, xs, gs)


bptt.mistake("missing Σ over t", "W is used in every step: add up all three shares.")(
    lambda W, U, xs, gs: _bptt(W, U, xs, gs, keep=True)
)
bptt.mistake("missing recursion", "∂L/∂a⟨t⟩ also comes from later steps: carry Wᵀδ back.")(
    lambda W, U, xs, gs: _bptt(W, U, xs, gs, through_time=False)
)
bptt.mistake("missing g′", "tanh's slope 1 − a⟨t⟩² is missing.")(
    lambda W, U, xs, gs: _bptt(W, U, xs, gs, slope=False)
)
bptt.mistake("a⟨t⟩ for a⟨t−1⟩", "W multiplies a⟨t−1⟩: you used a⟨t⟩.")(
    lambda W, U, xs, gs: _bptt(W, U, xs, gs, shifted=False)
)
bptt.mistake("W not transposed", "going back, δ is multiplied by Wᵀ, not by W.")(
    lambda W, U, xs, gs: _bptt(W, U, xs, gs, turned=False)
)
bptt.mistake("last loss alone", "every step has a loss: you used the last one's gradient only.")(
    lambda W, U, xs, gs: _bptt(W, U, xs, gs * (np.arange(3) == 2)[:, None])
)


@exercise(
    "04.2",
    "The immediate derivative",
    "∂⁺a⟨t⟩/∂W holds a⟨t−1⟩ constant. With g = ∂L/∂a⟨t⟩ and a = tanh(W a_prev + u), write "
    "(W, a_prev, u, g) -> g · ∂⁺a/∂W.",
    lambda rng: (
        lambda h: (
            rng.normal(size=(h, h)),
            rng.normal(size=h),
            rng.normal(size=h),
            rng.normal(size=h),
        )
    )(sizes(rng, 1)[0]),
    hints=["It is the gradient of one step as if it were alone."],
)
def immediate(W: Any, a_prev: Any, u: Any, g: Any) -> Any:
    a = np.tanh(W @ a_prev + u)
    return np.outer(g * (1 - a * a), a_prev)


immediate.mistake("missing g′", "tanh's slope 1 − a² is missing.")(
    lambda W, a_prev, u, g: np.outer(g, a_prev)
)
immediate.mistake("transposed", "the result is transposed: rows of W belong to outputs.")(
    lambda W, a_prev, u, g: np.outer(a_prev, g * (1 - np.tanh(W @ a_prev + u) ** 2))
)
immediate.mistake("a⟨t⟩ for a⟨t−1⟩", "W multiplies a⟨t−1⟩: you used a⟨t⟩.")(
    lambda W, a_prev, u, g: np.outer(
        g * (1 - np.tanh(W @ a_prev + u) ** 2), np.tanh(W @ a_prev + u)
    )
)
immediate.mistake("missing g", "the upstream gradient g is missing: multiply by it.")(
    lambda W, a_prev, u, g: np.outer(1 - np.tanh(W @ a_prev + u) ** 2, a_prev)
)


def _truncated_inputs(rng: Rng) -> tuple:
    h, i, _ = sizes(rng, 3)
    draw = lambda *shape: rng.normal(size=shape) * 0.7
    return draw(h, h), draw(h, i), draw(6, i), draw(h), int(rng.integers(2, 5))


def _truncated(W: Any, U: Any, xs: Any, g: Any, steps: int) -> Any:
    a = np.concatenate([[np.zeros(len(W))], _states(W, U, 0.0, xs)])
    total = np.zeros_like(W)
    for t in range(len(xs), max(len(xs) - steps, 0), -1):
        d = g * (1 - a[t] ** 2)
        total += np.outer(d, a[t - 1])
        g = W.T @ d
    return total


@exercise(
    "04.3",
    "Truncated BPTT",
    "Only the last loss counts: ∂L/∂a⟨T⟩ = g. Write (W, U, xs, g, K) -> ∂L/∂W with gradients "
    "passed back through the last K steps only.",
    _truncated_inputs,
    hints=["Stop the walk after K shares."],
)
def truncated(W: Any, U: Any, xs: Any, g: Any, K: int) -> Any:
    return _truncated(W, U, xs, g, K)


truncated.mistake("not truncated", "all steps are in it: stop after K.")(
    lambda W, U, xs, g, K: _truncated(W, U, xs, g, len(xs))
)
truncated.mistake("one step too many", "K steps are asked for: yours has K + 1.")(
    lambda W, U, xs, g, K: _truncated(W, U, xs, g, K + 1)
)
truncated.mistake("one step too few", "K steps are asked for: yours has K − 1.")(
    lambda W, U, xs, g, K: _truncated(W, U, xs, g, K - 1)
)
truncated.mistake("first steps", "the last K steps are meant, not the first K.")(
    lambda W, U, xs, g, K: _truncated(W, U, xs[:K], g, K)
)
