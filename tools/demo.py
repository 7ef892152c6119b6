"""The main job in one minute: draw an LSTM's unrolled graph, train one, check its BPTT by hand.

The task: read sixteen bits one by one and say after each whether the ones so far are odd in number.
One forgotten bit spoils every answer behind it, so the gradient has to travel through time. What
trained the model is then held against back-propagation through time derived by hand, in NumPy.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinygrad_rnn import Tensor, cross_entropy, nn, no_grad, optim, tensor
from tinygrad_rnn.draw import DrawError, draw
from tinygrad_rnn.engine.command_line import run_command

STEPS, BATCH, HIDDEN = 16, 32, 24
Arrays = dict[str, np.ndarray]


class Parity(nn.Module):
    """One LSTM and a linear read-out: (T, B, 1) bits to (T, B, 2) scores of even and odd."""

    def __init__(self, seed: int) -> None:
        self.lstm = nn.LSTM(1, HIDDEN, forget_bias=1.0, seed=seed)
        self.readout = nn.Linear(HIDDEN, 2, seed=seed + 1)

    def forward(self, bits: Tensor) -> Tensor:
        states, _ = self.lstm(bits)
        return self.readout(states)

    def loss(self, bits: Tensor, odd: np.ndarray) -> Tensor:
        return cross_entropy(self(bits).reshape(-1, 2), tensor(odd.reshape(-1)))


def sequences(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return bits (T, B, 1) and whether their running sum is odd (T, B)."""
    bits = random.integers(0, 2, (STEPS, BATCH, 1))
    return bits.astype(np.float32), bits[..., 0].cumsum(axis=0) % 2


def watched(total: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (i, words) for i < total; the words put into the list appear beside a moving bar."""
    live, words = sys.stdout.isatty(), [""]
    for i in range(total):
        yield i, words
        last = i + 1 == total
        if last or (i + 1) % (5 if live else max(1, total // 8)) == 0:
            bar = "█" * (24 * (i + 1) // total)
            line = f"         {bar:░<24} {i + 1:4d}/{total}  {words[0]}"
            print(f"\r{line}" if live else line, end="" if live and not last else "\n", flush=True)


def train(model: Parity, iterations: int, random: np.random.Generator) -> float:
    """Train in place and return the share of right answers on fresh sequences."""
    optimiser = optim.Adam(model.parameters(), lr=1e-2)
    for _, words in watched(iterations):
        bits, odd = sequences(random)
        loss = model.loss(tensor(bits), odd)
        model.zero_grad()
        loss.backward()
        optimiser.step()
        words[0] = f"loss {loss.item():.4f}"
    bits, odd = sequences(random)
    with no_grad():
        return float((model(tensor(bits)).numpy().argmax(-1) == odd).mean())


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def bptt_by_hand(p: Arrays, x: np.ndarray, odd: np.ndarray) -> Arrays:
    """Return ∂L/∂θ of every parameter, derived by hand: nothing of the library is used here.

    Gates, PyTorch's order: i, f, o = σ(z), g = tanh(z), with z = W_ih x_t + W_hh h_{t−1} + b.
    State: c_t = f c_{t−1} + i g, h_t = o tanh(c_t).  Loss: mean of −log softmax(V h_t + d).
    """
    T, B, _ = x.shape
    W, U = p["lstm.weight_ih_l0"], p["lstm.weight_hh_l0"]
    bias = p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]
    h, c = np.zeros((B, HIDDEN)), np.zeros((B, HIDDEN))
    past: list[tuple[np.ndarray, ...]] = []
    for t in range(T):
        z = x[t] @ W.T + h @ U.T + bias
        i, f, o = (sigmoid(z[:, k * HIDDEN : (k + 1) * HIDDEN]) for k in (0, 1, 3))
        g = np.tanh(z[:, 2 * HIDDEN : 3 * HIDDEN])
        h_before, c_before = h, c
        c = f * c + i * g
        h = o * np.tanh(c)
        past.append((h_before, c_before, i, f, g, o, c, h))

    grads = {name: np.zeros_like(value) for name, value in p.items()}
    dh, dc = np.zeros((B, HIDDEN)), np.zeros((B, HIDDEN))
    for t in reversed(range(T)):
        h_before, c_before, i, f, g, o, c, h = past[t]
        scores = h @ p["readout.weight"].T + p["readout.bias"]
        share = np.exp(scores - scores.max(1, keepdims=True))
        dy = (share / share.sum(1, keepdims=True) - np.eye(2)[odd[t]]) / (T * B)
        grads["readout.weight"] += dy.T @ h
        grads["readout.bias"] += dy.sum(0)

        dh = dh + dy @ p["readout.weight"]  # from the loss at t, and from all later steps
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        di, df, dg, do = dc * g, dc * c_before, dc * i, dh * np.tanh(c)
        gates = di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)
        dz = np.concatenate(gates, axis=1)
        grads["lstm.weight_ih_l0"] += dz.T @ x[t]
        grads["lstm.weight_hh_l0"] += dz.T @ h_before
        grads["lstm.bias_ih_l0"] += dz.sum(0)
        grads["lstm.bias_hh_l0"] += dz.sum(0)
        dh, dc = dz @ U, dc * f
    return grads


def check(model: Parity, random: np.random.Generator) -> float:
    """Print the engine's gradients beside the derived ones; return the largest difference."""
    model.double()
    bits, odd = sequences(random)
    model.zero_grad()
    model.loss(tensor(bits.astype(np.float64)), odd).backward()
    p = {name: q.numpy() for name, q in ((n, q.detach()) for n, q in model.named_parameters())}
    expected = bptt_by_hand(p, bits.astype(np.float64), odd)
    worst = 0.0
    for name, parameter in model.named_parameters():
        scale = np.abs(expected[name]).max()
        assert parameter.grad is not None
        apart = float(np.abs(parameter.grad.numpy() - expected[name]).max() / scale)
        worst = max(worst, apart)
        print(
            f"         {name:20} {list(parameter.shape)!s:9} largest {scale:.1e}, apart {apart:.0e}"
        )
    return worst


def draw_unrolled(model: Parity, out: Path) -> list[tuple[Path, str]]:
    """Draw three steps of the model and its loss; return the files and what each is for."""
    bits, odd = sequences(np.random.default_rng(1))
    loss = model.loss(tensor(bits[:3]), odd[:3])
    loss.backward(record="full")  # what flows along each edge is drawn too
    picture = draw(loss, title="LSTM, three steps and their loss")
    picture.save(out / "lstm.svg")
    picture.save(out / "lstm.html")
    uses = "the unrolled graph", "the same to step through, forward and backward"
    return [(out / "lstm.svg", uses[0]), (out / "lstm.html", uses[1])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is drawn")
    parser.add_argument("--iterations", type=int, default=400)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    begun = time.perf_counter()

    print("draw     an LSTM unrolled over three time steps, down to its operations")
    model = Parity(seed=0)
    try:
        files = draw_unrolled(model, options.out)
    except DrawError as error:  # the disk is full, or the folder somebody else's
        sys.exit(f"demo: {error}")
    print(f"train    an LSTM of {HIDDEN} units to tell the parity of {STEPS} bits as they arrive")
    right = train(model, options.iterations, random)
    print(f"         right on fresh sequences: {right:.1%}")
    print("check    its gradients against BPTT derived by hand, f64, relative to the largest entry")
    worst = check(model, random)
    passed = right > 0.95 and worst < 1e-10
    print(f"{'done' if passed else 'FAILED'}     in {time.perf_counter() - begun:.1f} s; look at")
    for file, use in files:
        print(f"         {file!s:16}  {use}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(run_command(main, "demo"))
