"""Ask about GRU, LSTM, peepholes, both directions and depth: 09–12; `registry` loads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graphs import Rng, _states, sizes
from .registry import exercise


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _gru_inputs(rng: Rng) -> tuple:
    h, i = sizes(rng, 2)
    W = {g: rng.normal(size=(h, h + i)) for g in "urc"}
    b = {g: rng.normal(size=h) for g in "urc"}
    return W, b, rng.normal(size=h), rng.normal(size=i)


def _gru(W: Any, b: Any, c: Any, x: Any, *, writes: bool = True, reset: str = "before",
         candidate: Any = np.tanh, gate: Any = sigmoid, order: str = "cx") -> Any:  # fmt: skip
    """Return the notes' GRU with switches for what people confuse."""
    both = lambda s: np.concatenate([s, x] if order == "cx" else [x, s])
    u, r = gate(W["u"] @ both(c) + b["u"]), gate(W["r"] @ both(c) + b["r"])
    if reset == "before":
        new = candidate(W["c"] @ both(r * c) + b["c"])
    elif reset == "none":
        new = candidate(W["c"] @ both(c) + b["c"])
    elif reset == "update":
        new = candidate(W["c"] @ both(u * c) + b["c"])
    else:
        h = len(c)
        new = candidate(r * (W["c"][:, :h] @ c) + W["c"][:, h:] @ x + b["c"])
    return u * new + (1 - u) * c if writes else (1 - u) * new + u * c


@exercise(
    "09.1",
    "A step of the GRU of the notes",
    "Γ_u = σ(W_u [c, x] + b_u), Γ_r = σ(W_r [c, x] + b_r), c̃ = tanh(W_c [Γ_r ∘ c, x] + b_c), "
    "c⟨t⟩ = Γ_u ∘ c̃ + (1 − Γ_u) ∘ c. W and b are dicts with keys 'u', 'r', 'c'. "
    "Write (W, b, c, x) -> c⟨t⟩.",
    _gru_inputs,
    hints=[
        "Here Γ_u = 1 writes, that is, overwrites; PyTorch's z is the opposite.",
        "The relevance gate multiplies c before the matrix product.",
    ],
)
def gru_step(W: Any, b: Any, c: Any, x: Any) -> Any:
    return _gru(W, b, c, x)


gru_step.mistake("update keeps", "here Γ_u = 1 overwrites; keeping at 1 is PyTorch's convention.")(
    lambda W, b, c, x: _gru(W, b, c, x, writes=False)
)
gru_step.mistake("reset after", "Γ_r multiplies c before the product, as the notes have it.")(
    lambda W, b, c, x: _gru(W, b, c, x, reset="after")
)
gru_step.mistake("no relevance gate", "Γ_r is not used: the candidate sees Γ_r ∘ c.")(
    lambda W, b, c, x: _gru(W, b, c, x, reset="none")
)
gru_step.mistake("wrong gate", "the candidate sees Γ_r ∘ c, not Γ_u ∘ c.")(
    lambda W, b, c, x: _gru(W, b, c, x, reset="update")
)
gru_step.mistake("missing tanh", "the candidate is a tanh.")(
    lambda W, b, c, x: _gru(W, b, c, x, candidate=lambda z: z)
)
gru_step.mistake("σ for tanh", "the candidate is a tanh: a σ can never be negative.")(
    lambda W, b, c, x: _gru(W, b, c, x, candidate=sigmoid)
)
gru_step.mistake("tanh for σ", "gates are σ: between 0 and 1.")(
    lambda W, b, c, x: _gru(W, b, c, x, gate=np.tanh)
)


@exercise(
    "09.2",
    "Copy and overwrite",
    "Which update gate makes a GRU of the notes keep c, and which take the candidate? Write "
    "() -> (Γ_u that keeps, Γ_u that overwrites).",
    lambda rng: (),
)
def copy_gate() -> Any:
    return 0.0, 1.0


copy_gate.mistake("exchanged", "that is PyTorch's z; in the notes Γ_u = 1 overwrites.")(
    lambda: (1.0, 0.0)
)


@exercise(
    "09.3",
    "The slope of the state when the gates stand still",
    "c⟨t⟩ = Γ_u ∘ c̃ + (1 − Γ_u) ∘ c with Γ_u and c̃ held constant. Write Γ_u (H,) -> "
    "∂c⟨t⟩/∂c as a matrix.",
    lambda rng: (rng.uniform(0, 1, sizes(rng, 1)[0]),),
)
def gru_slope(u: Any) -> Any:
    return np.diag(1 - u)


gru_slope.mistake("update keeps", "here 1 − Γ_u is what stays of c.")(lambda u: np.diag(u))
gru_slope.mistake("not a matrix", "a matrix (H, H) is asked for: the numbers on its diagonal.")(
    lambda u: 1 - u
)


# 10 LSTM
GATES = "fucoi"


def _lstm_inputs(rng: Rng) -> tuple:
    h, i = sizes(rng, 2)
    W = {g: rng.normal(size=(h, h + i)) for g in ("f", "u", "c", "o")}
    b = {g: rng.normal(size=h) for g in W}
    return W, b, rng.normal(size=h), rng.normal(size=h), rng.normal(size=i)


def _lstm(W: Any, b: Any, a: Any, c: Any, x: Any, *, output: Any = np.tanh, forget: bool = True,
          update: bool = True, coupled: bool = False, candidate: Any = np.tanh,
          swapped: bool = False, opens: bool = True) -> Any:  # fmt: skip
    s = np.concatenate([a, x])
    gate = {g: sigmoid(W[g] @ s + b[g]) for g in "fuo"}
    if swapped:
        gate["f"], gate["u"] = gate["u"], gate["f"]
    new = candidate(W["c"] @ s + b["c"])
    keep = 1 - gate["u"] if coupled else gate["f"] if forget else 1.0
    c = (gate["u"] if update else 1.0) * new + keep * c
    return (gate["o"] if opens else 1.0) * output(c), c


@exercise(
    "10.1",
    "A step of the LSTM",
    "c̃ = tanh(W_c [a, x] + b_c), Γ_u, Γ_f, Γ_o = σ(W_• [a, x] + b_•), c⟨t⟩ = Γ_u ∘ c̃ + Γ_f ∘ c, "
    "a⟨t⟩ = Γ_o ∘ tanh(c⟨t⟩). W, b: dicts with 'f', 'u', 'c', 'o'. Write (W, b, a, c, x) -> "
    "(a⟨t⟩, c⟨t⟩).",
    _lstm_inputs,
    hints=["Four products with [a, x].", "c has no matrix on its way: only the forget gate."],
)
def lstm_step(W: Any, b: Any, a: Any, c: Any, x: Any) -> Any:
    return _lstm(W, b, a, c, x)


lstm_step.mistake("no tanh at the output", "that is variant B: here a = Γ_o ∘ tanh(c).")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x, output=lambda v: v)
)
lstm_step.mistake("no forget gate", "Γ_f is missing: c keeps everything.")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x, forget=False)
)
lstm_step.mistake("coupled gates", "the forget gate is its own, not 1 − Γ_u.")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x, coupled=True)
)
lstm_step.mistake("gates exchanged", "Γ_u belongs to the candidate, Γ_f to the old c.")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x, swapped=True)
)
lstm_step.mistake("σ for tanh", "the candidate is a tanh.")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x, candidate=sigmoid)
)
lstm_step.mistake("no update gate", "Γ_u is missing in front of the candidate.")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x, update=False)
)
lstm_step.mistake("no output gate", "Γ_o is missing in a⟨t⟩.")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x, opens=False)
)
lstm_step.mistake("results exchanged", "a comes first, then c.")(
    lambda W, b, a, c, x: _lstm(W, b, a, c, x)[::-1]
)
lstm_step.mistake("old c at the output", "the output is made of the new c⟨t⟩.")(
    lambda W, b, a, c, x: (
        lambda new: (sigmoid(W["o"] @ np.concatenate([a, x]) + b["o"]) * np.tanh(c), new[1])
    )(_lstm(W, b, a, c, x))
)


def _carousel(rng: Rng) -> tuple:
    t, h = sizes(rng, 2)
    return (rng.uniform(0.2, 1, (t, h)),)


@exercise(
    "10.2",
    "The constant error carousel",
    "c⟨t⟩ = Γ_u ∘ c̃ + Γ_f⟨t⟩ ∘ c⟨t−1⟩ with all gates held constant. The forget gates of all steps "
    "are F (T, H). Write F -> ∂c⟨T⟩/∂c⟨0⟩ as a vector (H,), the diagonal.",
    _carousel,
    hints=["One factor per step."],
)
def carousel(F: Any) -> Any:
    return F.prod(0)


carousel.mistake("sum for product", "each step multiplies: a product over t, not a sum.")(
    lambda F: F.sum(0)
)
carousel.mistake("wrong axis", "the product is over time, axis 0.")(lambda F: F.prod(1))
carousel.mistake("last step alone", "every step has a factor.")(lambda F: F[-1])
carousel.mistake("mean for product", "each step multiplies.")(lambda F: F.mean(0))
carousel.mistake("one step missing", "T factors are asked for.")(lambda F: F[1:].prod(0))


@exercise(
    "10.3",
    "A forget bias for a delay",
    "With nothing else, Γ_f = σ(b). Which b keeps half of c after `steps` steps? Write steps -> b.",
    lambda rng: (int(rng.integers(2, 100)),),
    hints=["σ(b)^steps = ½.", "σ⁻¹(p) = log(p / (1 − p))."],
)
def forget_bias(steps: int) -> Any:
    p = 0.5 ** (1 / steps)
    return float(np.log(p / (1 - p)))


forget_bias.mistake("gate for bias", "that is Γ_f; the bias is σ⁻¹ of it.")(
    lambda steps: 0.5 ** (1 / steps)
)
forget_bias.mistake("chrono's rule", "log(steps) is the chrono rule of thumb: solve the equation.")(
    lambda steps: float(np.log(steps))
)
forget_bias.mistake("wrong sign", "the sign is wrong: that gate forgets.")(
    lambda steps: -float(np.log(0.5 ** (1 / steps) / (1 - 0.5 ** (1 / steps))))
)
forget_bias.mistake("linear", "gates multiply: σ(b) to the power of steps is ½.")(
    lambda steps: float(np.log((1 - 0.5 / steps) / (0.5 / steps)))
)


# 11 peepholes
def _peephole_inputs(rng: Rng) -> tuple:
    W, b, a, c, x = _lstm_inputs(rng)
    p = {g: rng.normal(size=len(a)) for g in "fuo"}
    return W, p, b, a, c, x


def _peephole(W: Any, p: Any, b: Any, a: Any, c: Any, x: Any, *, sees: str = "new",
              open_: bool = True, full: bool = True) -> Any:  # fmt: skip
    s = np.concatenate([a, x])
    look = lambda g, cell: sigmoid(W[g] @ s + (p[g] * cell if open_ else 0) + b[g])
    f, u = look("f", c), look("u", c)
    old = c
    c = u * np.tanh(W["c"] @ s + b["c"]) + f * c
    o = look("o", {"new": c, "old": old}[sees]) if full else sigmoid(W["o"] @ s + b["o"])
    return o * np.tanh(c), c


@exercise(
    "11.1",
    "A step with peepholes",
    "Γ_u, Γ_f = σ(W [a, x] + p ∘ c⟨t−1⟩ + b), Γ_o = σ(W_o [a, x] + p_o ∘ c⟨t⟩ + b_o), else as the "
    "LSTM. W, b as before; p: dict with 'f', 'u', 'o'. Write (W, p, b, a, c, x) -> (a⟨t⟩, c⟨t⟩).",
    _peephole_inputs,
    hints=["The output gate looks last: at the new c."],
)
def peephole_step(W: Any, p: Any, b: Any, a: Any, c: Any, x: Any) -> Any:
    return _peephole(W, p, b, a, c, x)


peephole_step.mistake("old c at the output gate", "Γ_o sees the new c⟨t⟩, not c⟨t−1⟩.")(
    lambda *args: _peephole(*args, sees="old")
)
peephole_step.mistake("no peepholes", "the gates do not see c: p ∘ c is missing.")(
    lambda *args: _peephole(*args, open_=False)
)
peephole_step.mistake("output gate blind", "Γ_o has a peephole too.")(
    lambda *args: _peephole(*args, full=False)
)
peephole_step.mistake("results exchanged", "a comes first, then c.")(
    lambda *args: _peephole(*args)[::-1]
)


@exercise(
    "11.2",
    "What a closed output gate hides",
    "If Γ_o⟨t−1⟩ = 0, which gates of step t can still know c⟨t−1⟩? Write (peepholes: bool) -> the "
    "set of letters among 'f', 'u', 'o'.",
    lambda rng: (bool(rng.integers(2)),),
    hints=[
        "Without peepholes gates see [a⟨t−1⟩, x⟨t⟩]; what is a⟨t−1⟩ then?",
        "The output gate sees c⟨t⟩, which is made of c⟨t−1⟩.",
    ],
)
def hidden(peepholes: bool) -> Any:
    return {"f", "u", "o"} if peepholes else set()


hidden.mistake("all gates", "a⟨t−1⟩ = 0 then: without peepholes nothing is known of c⟨t−1⟩.")(
    lambda peepholes: {"f", "u", "o"}
)
hidden.mistake("output gate left out", "the output gate sees c⟨t⟩, and that holds c⟨t−1⟩.")(
    lambda peepholes: {"f", "u"} if peepholes else set()
)


# 12 both directions, depth
def _both_inputs(rng: Rng) -> tuple:
    h, i, t = sizes(rng, 3)
    draw = lambda *shape: rng.normal(size=shape) * 0.7
    return (draw(h, h), draw(h, i)), (draw(h, h), draw(h, i)), draw(t, i)


def _both(forward: Any, backward: Any, xs: Any, aligned: bool = True, turned: bool = True) -> Any:
    there = _states(forward[0], forward[1], 0.0, xs)
    back = _states(backward[0], backward[1], 0.0, xs[::-1] if turned else xs)
    return np.concatenate([there, back[::-1] if aligned and turned else back], 1)


@exercise(
    "12.1",
    "Both directions",
    "Run one RNN over xs from the first step, another from the last; b = 0, a = 0 at the start. "
    "forward and backward are pairs (W, U). Write (forward, backward, xs) -> (T, 2H): "
    "[a→⟨t⟩, a←⟨t⟩] for each t.",
    _both_inputs,
    hints=["Turn xs round for the second, and its states back again."],
)
def both_directions(forward: Any, backward: Any, xs: Any) -> Any:
    return _both(forward, backward, xs)


both_directions.mistake(
    "not turned back", "the backward states are in the wrong order: turn them back."
)(lambda f, b, xs: _both(f, b, xs, aligned=False))
both_directions.mistake("forward twice", "the second network must read from the last step.")(
    lambda f, b, xs: _both(f, b, xs, turned=False)
)
both_directions.mistake("sum for concatenation", "the two states stand side by side: (T, 2H).")(
    lambda f, b, xs: sum(np.split(_both(f, b, xs), 2, 1))
)
both_directions.mistake("order", "forward comes first.")(
    lambda f, b, xs: np.concatenate(np.split(_both(f, b, xs), 2, 1)[::-1], 1)
)
both_directions.mistake("same weights", "the backward network has weights of its own.")(
    lambda f, b, xs: _both(f, f, xs)
)


def _deep_inputs(rng: Rng) -> tuple:
    h, i, t = sizes(rng, 3)
    draw = lambda *shape: rng.normal(size=shape) * 0.7
    return [(draw(h, h), draw(h, i)), (draw(h, h), draw(h, h))], draw(t, i)


def _deep(layers: Any, xs: Any) -> Any:
    for W, U in layers:
        xs = _states(W, U, 0.0, xs)
    return xs


@exercise(
    "12.2",
    "Two layers",
    "a[l]⟨t⟩ = tanh(W[l] a[l]⟨t−1⟩ + U[l] a[l−1]⟨t⟩), a[0]⟨t⟩ = x⟨t⟩. layers is a list of pairs "
    "(W, U). Write (layers, xs) -> the states of the last layer, (T, H).",
    _deep_inputs,
    hints=["A layer's outputs are the next layer's inputs."],
)
def deep(layers: Any, xs: Any) -> Any:
    return _deep(layers, xs)


deep.mistake("first layer alone", "that is the first layer: the second reads its states.")(
    lambda layers, xs: _deep(layers[:1], xs)
)
deep.mistake("no recurrence above", "the second layer has a state of its own too.")(
    lambda layers, xs: np.tanh(_deep(layers[:1], xs) @ layers[1][1].T)
)
deep.mistake("last state alone", "all states (T, H) are asked for.")(
    lambda layers, xs: _deep(layers, xs)[-1]
)


@exercise(
    "12.3",
    "Through how many matrices",
    "In L layers, how many recurrent or input matrices lie on the shortest path from x⟨k⟩ to "
    "a[L]⟨t⟩, k ≤ t? Write (L, k, t) -> the number.",
    lambda rng: (
        int(rng.integers(1, 5)),
        (k := int(rng.integers(1, 6))),
        k + int(rng.integers(0, 5)),
    ),
    hints=["One input matrix per layer, one recurrent matrix per step."],
)
def path_length(L: int, k: int, t: int) -> Any:
    return L + t - k


path_length.mistake("time alone", "each layer has an input matrix on the way too.")(
    lambda L, k, t: t - k
)
path_length.mistake("every layer in every step", "one may climb first and then walk: they add up.")(
    lambda L, k, t: L * (t - k + 1)
)
path_length.mistake("off by one", "from k to t there are t − k steps.")(
    lambda L, k, t: L + t - k + 1
)
