"""Suite `eager`: primitives in a Python loop, forward and backward to the parameters.

Everybody runs the programmes of `problems.py` on L = Σ_t Σ h_t; torch's fused cells stand beside
them as what a C++ kernel per step saves.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from benches.contestants import CPU_AND_GPU, Read, Step, contestant
from benches.problems import Problem, unroll

EAGER = ("lstm", "gru", "rnn")


@contestant("eager", "torch loop", "torch", EAGER, CPU_AND_GPU)
def torch_loop(problem: Problem, device: str) -> tuple[Step, Read]:
    import torch

    v = torch_vocabulary()
    x, state, p = on_torch(problem, device)

    def step() -> Any:
        outputs, _ = unroll(v, problem, x, state, p)
        gradients = torch.autograd.grad(torch.stack(outputs).sum(), list(p.values()))
        wait_for(device)
        return gradients

    return step, lambda g: dict(zip(p, (a.cpu().numpy() for a in g), strict=True))


@contestant("eager", "tinygrad_rnn", "tinygrad_rnn.engine.backward", EAGER, CPU_AND_GPU)
def ours(problem: Problem, device: str) -> tuple[Step, Read]:
    import tinygrad_rnn as tg

    v = our_vocabulary()
    p = {
        n: tg.tensor(a, device=device, requires_grad=True) for n, a in problem.parameters().items()
    }
    x = tg.tensor(problem.inputs(), device=device)
    state = tuple(tg.tensor(s, device=device) for s in problem.states())

    def step() -> Any:
        outputs, _ = unroll(v, problem, x, state, p)
        gradients = tg.grad(tg.stack(outputs).sum(), list(p.values()))
        wait_for(device)
        return gradients

    return step, lambda g: dict(zip(p, (a.numpy() for a in g), strict=True))


@contestant("eager", "torch fused cell", "torch", EAGER, CPU_AND_GPU)
def torch_fused_cell(problem: Problem, device: str) -> tuple[Step, Read]:
    import torch

    cell = fused_cell(problem, device)
    x, state, _ = on_torch(problem, device)
    start = state if problem.cell == "lstm" else state[0]

    def step() -> Any:
        outputs, s = [], start
        for t in range(problem.T):
            s = cell(x[t], s)
            outputs.append(s[0] if problem.cell == "lstm" else s)
        gradients = torch.autograd.grad(torch.stack(outputs).sum(), list(cell.parameters()))
        wait_for(device)
        return gradients

    return step, lambda g: read_fused(problem.cell, g)


@contestant("eager", "HIPS autograd", "autograd", EAGER)
def hips_autograd(problem: Problem, device: str) -> tuple[Step, Read]:
    import autograd
    import autograd.numpy as anp

    # Slices beat anp.split here, and 0.5·(tanh(z/2) + 1) beats 1/(1 + exp(-z)).
    v = SimpleNamespace(
        sigmoid=lambda z: 0.5 * (anp.tanh(0.5 * z) + 1.0),
        tanh=anp.tanh,
        chunk=slices,
    )
    x, state, p = problem.inputs(), tuple(problem.states()), problem.parameters()

    def loss(weights: tuple) -> Any:
        outputs, _ = unroll(v, problem, x, state, dict(zip(p, weights, strict=True)))
        return anp.sum(anp.stack(outputs))

    gradient, weights = autograd.grad(loss), tuple(p.values())
    return lambda: gradient(weights), lambda g: dict(zip(p, g, strict=True))


@contestant("eager", "MyGrad", "mygrad", EAGER)
def my_grad(problem: Problem, device: str) -> tuple[Step, Read]:
    import mygrad as mg
    from mygrad.nnet.activations import sigmoid

    mg.turn_memory_guarding_off()  # its own advice for speed
    v = SimpleNamespace(sigmoid=sigmoid, tanh=mg.tanh, chunk=slices)
    p = {n: mg.tensor(a) for n, a in problem.parameters().items()}
    x, state = problem.inputs(), tuple(problem.states())

    def step() -> Any:
        outputs, _ = unroll(v, problem, x, state, p)
        mg.stack(outputs).sum().backward()
        return [w.grad for w in p.values()]

    return step, lambda g: dict(zip(p, g, strict=True))


@contestant("eager", "tinygrad", "tinygrad", EAGER, slow=True)
def tinygrad(problem: Problem, device: str) -> tuple[Step, Read]:
    from tinygrad import Tensor

    v = SimpleNamespace(sigmoid=Tensor.sigmoid, tanh=Tensor.tanh, chunk=lambda z, n: z.chunk(n, -1))
    p = {n: Tensor(a, device="CPU").realize() for n, a in problem.parameters().items()}
    x = Tensor(problem.inputs(), device="CPU").realize()
    state = tuple(Tensor(s, device="CPU").realize() for s in problem.states())

    def step() -> Any:
        outputs, _ = unroll(v, problem, x, state, p)
        gradients = outputs[0].stack(*outputs[1:]).sum().gradient(*p.values())
        return Tensor.realize(*gradients), gradients

    return step, lambda g: dict(zip(p, (a.numpy() for a in g[1]), strict=True))


def slices(z: Any, n: int) -> list:
    """Returns `z` cut into `n` equal parts along its last axis, for libraries without chunk."""
    width = z.shape[-1] // n
    return [z[:, k * width : (k + 1) * width] for k in range(n)]


def our_vocabulary() -> SimpleNamespace:
    """Returns our names for the words of `problems.py`."""
    import tinygrad_rnn as tg

    return SimpleNamespace(
        sigmoid=tg.sigmoid, tanh=tg.tanh, chunk=lambda z, n: z.chunk(n, -1), split=shares
    )


def shares(z: Any, parts: tuple[int, ...]) -> Any:
    """Returns `z` cut along its last axis into `parts`, given in shares."""
    unit = z.shape[-1] // sum(parts)
    return z.split([k * unit for k in parts], -1)


def torch_vocabulary() -> SimpleNamespace:
    """Returns torch's names for the words of `problems.py`."""
    import torch

    return SimpleNamespace(
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        chunk=lambda z, n: z.chunk(n, -1),
        split=shares,
    )


def on_torch(problem: Problem, device: str) -> tuple[Any, tuple, dict]:
    """Returns x, the initial states and the parameters as torch tensors."""
    import torch

    p = {
        n: torch.tensor(a, device=device, requires_grad=True)
        for n, a in problem.parameters().items()
    }
    state = tuple(torch.tensor(s, device=device) for s in problem.states())
    return torch.tensor(problem.inputs(), device=device), state, p


def fused_cell(problem: Problem, device: str) -> Any:
    """Returns torch's own cell with the problem's weights, bias_hh being 0 where we have one."""
    import torch

    kind = {"lstm": "LSTMCell", "gru": "GRUCell", "rnn": "RNNCell"}[problem.cell]
    cell = getattr(torch.nn, kind)(problem.I, problem.H)
    p = {n: torch.tensor(a) for n, a in problem.parameters().items()}
    with torch.no_grad():
        for name, value in (("weight_ih", p["W"].T), ("weight_hh", p["U"].T), ("bias_ih", p["b"])):
            getattr(cell, name).copy_(value)
        cell.bias_hh.copy_(p.get("d", torch.zeros_like(p["b"])))
    return cell.to(device)


def read_fused(cell: str, gradients: Any) -> dict[str, np.ndarray]:
    """Returns torch's (weight_ih, weight_hh, bias_ih, bias_hh) gradients in our layout."""
    W, U, b, d = (g.cpu().numpy() for g in gradients)
    read = {"W": W.T, "U": U.T, "b": b}
    return {**read, "d": d} if cell == "gru" else read


def wait_for(device: str) -> None:
    """Returns when the GPU has finished all it was given; on the CPU there is nothing to do."""
    if device == "cuda":
        if torch := sys.modules.get("torch"):
            torch.cuda.synchronize()
        if cupy := sys.modules.get("cupy"):
            cupy.cuda.get_current_stream().synchronize()
