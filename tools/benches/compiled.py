"""Suite `compiled`: training steps of whole layers, forward and backward to inputs and parameters.

L = Σ h∘G for a fixed G. The other libraries' ways of making any cell fast stand beside the stock
layers, and beside `floor`: the matrix products that no LSTM can do without, alone.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benches.contestants import CPU_AND_GPU, Read, Step, contestant
from benches.eager import (
    fused_cell,
    on_torch,
    read_fused,
    torch_vocabulary,
    wait_for,
)
from benches.problems import CELLS, Problem, torch_state, unroll

STOCK, ALL = ("lstm", "gru", "rnn"), tuple(CELLS)


@contestant("compiled", "torch loop", "torch", ALL, CPU_AND_GPU)
def torch_loop(problem: Problem, device: str) -> tuple[Step, Read]:
    import torch

    v = torch_vocabulary()
    x, state, p = on_torch(problem, device)

    def forward(x: Any) -> Any:
        # unbind: the gradient of x[t] would be a whole (T, B, I) of zeros for every step
        return torch.stack(unroll(v, problem, x.unbind(0), state, p)[0])

    return torch_training(problem, device, forward, x, list(p.values())), reader(list(p))


@contestant("compiled", "torch nn", "torch", STOCK, CPU_AND_GPU)
def torch_layer(problem: Problem, device: str) -> tuple[Step, Read]:
    import torch

    layer = getattr(torch.nn, problem.cell.upper())(problem.I, problem.H).to(device)
    layer.load_state_dict({k: torch.tensor(a) for k, a in torch_state(problem).items()})
    x = torch.tensor(problem.inputs(), device=device)
    step = torch_training(problem, device, lambda x: layer(x)[0], x, list(layer.parameters()))
    return step, read_stock(problem)


@contestant("compiled", "torch fused cell", "torch", STOCK, CPU_AND_GPU)
def torch_fused_cell(problem: Problem, device: str) -> tuple[Step, Read]:
    import torch

    cell = fused_cell(problem, device)
    x, start, _ = on_torch(problem, device)

    def forward(x: Any) -> Any:
        outputs, state = [], start if problem.cell == "lstm" else start[0]
        for x_t in x.unbind(0):
            state = cell(x_t, state)
            outputs.append(state[0] if problem.cell == "lstm" else state)
        return torch.stack(outputs)

    return torch_training(problem, device, forward, x, list(cell.parameters())), read_stock(problem)


@contestant("compiled", "TorchScript", "torch", ALL, CPU_AND_GPU)
def torch_script(problem: Problem, device: str) -> tuple[Step, Read]:

    x, state, p = on_torch(problem, device)
    h, c = state[0], state[-1]
    loop = script_loop(problem, p, (x[0], h, c))
    step = torch_training(problem, device, lambda x: loop(x, h, c), x, list(p.values()))
    return step, reader(list(p))


def script_loop(problem: Problem, p: dict, example: tuple) -> Any:
    """Returns TorchScript's loop over the traced programme; `p` are its parameters."""
    import warnings

    import torch

    v, programme = torch_vocabulary(), CELLS[problem.cell]

    class OneStep(torch.nn.Module):
        def forward(self, x: Any, h: Any, c: Any) -> Any:
            new = programme.step(v, x @ p["W"], (h, c)[: programme.states], p)
            return new if len(new) == 2 else (*new, c)

    class Loop(torch.nn.Module):
        def __init__(self, one_step: Any) -> None:
            super().__init__()
            self.one_step = one_step

        def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
            outputs = []
            for x_t in x.unbind(0):
                h, c = self.one_step(x_t, h, c)
                outputs.append(h)
            return torch.stack(outputs)

    one_step = OneStep()
    for name, weight in p.items():  # tracing takes constants only where they are attributes
        p[name] = torch.nn.Parameter(weight.detach())
        setattr(one_step, name, p[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both are deprecated, and still what there is
        return torch.jit.script(Loop(torch.jit.trace(one_step, example)))


@contestant("compiled", "jax scan", "jax", ALL, CPU_AND_GPU)
def jax_scan(problem: Problem, device: str) -> tuple[Step, Read]:
    return jax_training(problem, device, hoisted=False)


@contestant("compiled", "jax scan hoisted", "jax", ALL, CPU_AND_GPU)
def jax_scan_hoisted(problem: Problem, device: str) -> tuple[Step, Read]:
    return jax_training(problem, device, hoisted=True)


def jax_training(problem: Problem, device: str, hoisted: bool) -> tuple[Step, Read]:
    """Returns the jitted step; `hoisted` takes x @ W out of the scan by hand."""
    import jax
    import jax.numpy as jnp

    v = SimpleNamespace(
        sigmoid=jax.nn.sigmoid,
        tanh=jnp.tanh,
        chunk=lambda z, n: jnp.split(z, n, -1),
        split=lambda z, parts: jnp.split(z, cuts(z, parts), -1),
    )
    where = jax.devices("gpu" if device == "cuda" else "cpu")[0]
    put = lambda a: jax.device_put(a, where)
    p = {n: put(a) for n, a in problem.parameters().items()}
    x, g, state = put(problem.inputs()), put(problem.upstream()), tuple(map(put, problem.states()))
    programme = CELLS[problem.cell].step

    def loss(x: Any, p: dict) -> Any:
        def body(state: tuple, x_t: Any) -> tuple:
            new = programme(v, x_t if hoisted else x_t @ p["W"], state, p)
            return new, new[0]

        return (jax.lax.scan(body, state, x @ p["W"] if hoisted else x)[1] * g).sum()

    gradients = jax.jit(jax.grad(loss, (0, 1)))

    def read(result: tuple) -> dict:
        return {"x": np.asarray(result[0]), **{n: np.asarray(a) for n, a in result[1].items()}}

    return lambda: jax.block_until_ready(gradients(x, p)), read


@contestant("compiled", "NumPy floor", "numpy", ALL)
def numpy_floor(problem: Problem, device: str) -> tuple[Step, None]:
    return floor(problem, np.asarray, np.empty, np.matmul, lambda: None), None


@contestant("compiled", "torch floor", "torch", ALL, CPU_AND_GPU)
def torch_floor(problem: Problem, device: str) -> tuple[Step, None]:
    import torch

    def put(a: np.ndarray) -> Any:
        return torch.tensor(a, device=device)

    def empty(shape: tuple, dtype: str) -> Any:
        return torch.empty(shape, dtype=getattr(torch, dtype), device=device)

    step = floor(problem, put, empty, torch.matmul, lambda: wait_for(device))
    return step, None


def floor(
    problem: Problem, put: Callable, empty: Callable, matmul: Callable, wait: Callable
) -> Step:
    """Returns a step of the unavoidable products: those with W at once, the others every time."""
    T, B, dtype = problem.T, problem.B, problem.dtype
    p = {n: put(a) for n, a in problem.parameters().items() if a.ndim == 2}
    x, W = put(problem.inputs().reshape(T * B, problem.I)), p.pop("W")
    d = empty((T * B, W.shape[1]), dtype)
    d[:] = 0.5
    loops = []
    for M in p.values():
        rows = [put(np.full((n, k), 0.5, dtype)) for n in (B, T * B) for k in M.shape]
        loops.append((M, *rows, empty((B, M.shape[1]), dtype), empty((B, M.shape[0]), dtype)))

    def step() -> None:
        x @ W
        for M, a, g, _, _, forward, backward in loops:
            for _ in range(T):
                matmul(a, M, out=forward)
            for _ in range(T):
                matmul(g, M.T, out=backward)
        for _, _, _, all_a, all_g, _, _ in loops:
            all_a.T @ all_g
        x.T @ d
        d @ W.T
        wait()

    return step


def torch_training(problem: Problem, device: str, forward: Callable, x: Any, weights: list) -> Step:
    """Returns the step (∂L/∂x, ∂L/∂weights …) of a torch forward function."""
    import torch

    x = x.requires_grad_()
    g = torch.tensor(problem.upstream(), device=device)

    def step() -> Any:
        gradients = torch.autograd.grad(forward(x), [x, *weights], g)
        wait_for(device)
        return gradients

    return step


def reader(names: list[str]) -> Read:
    """Returns what turns (∂L/∂x, ∂L/∂weights …) into a dictionary."""
    return lambda g: {n: a.cpu().numpy() for n, a in zip(["x", *names], g, strict=True)}


def read_stock(problem: Problem) -> Read:
    """Returns what turns ∂L/∂x and torch's four weight gradients into our layout."""
    return lambda g: {"x": g[0].cpu().numpy(), **read_fused(problem.cell, g[1:])}


def cuts(z: Any, parts: tuple[int, ...]) -> list[int]:
    """Returns where to cut the last axis of `z` into `parts`, given in shares."""
    return [int(n) * z.shape[-1] // sum(parts) for n in np.cumsum(parts)[:-1]]
