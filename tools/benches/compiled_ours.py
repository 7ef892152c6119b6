"""Our part of suite `compiled`: each layer as a user would make it, compiled and unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from benches.contestants import CPU_AND_GPU, Read, Step, contestant
from benches.eager import our_vocabulary, wait_for
from benches.problems import CELLS, Problem, torch_state
from tinygrad_rnn.compile import PASSES

ALL = tuple(CELLS)


@contestant("compiled", "ours NumPy", "tinygrad_rnn.compile", ALL)
def ours_numpy(problem: Problem, device: str) -> tuple[Step, Read]:
    return our_training(problem, device, "numpy")


@contestant("compiled", "ours C", "tinygrad_rnn.compile", ALL)
def ours_c(problem: Problem, device: str) -> tuple[Step, Read]:
    return our_training(problem, device, "c")


@contestant("compiled", "ours CUDA", "tinygrad_rnn.compile", ALL, ("cuda",))
def ours_cuda(problem: Problem, device: str) -> tuple[Step, Read]:
    return our_training(problem, device, "cuda")


@contestant("compiled", "ours unrolled", "tinygrad_rnn.nn", ALL, CPU_AND_GPU)
def ours_unrolled(problem: Problem, device: str) -> tuple[Step, Read]:
    return our_training(problem, device, None)


def our_training(problem: Problem, device: str, backend: str | None,
                 without: Sequence[str] = ()) -> tuple[Step, Read]:  # fmt: skip
    """Returns the step of our layer, compiled for `backend` or, if None, unrolled."""
    import tinygrad_rnn as tg
    from tinygrad_rnn.compile import compile as compiled

    layer = our_layer(problem, device)
    run = layer if backend is None else compiled(layer, backend=backend, without=without)
    x = tg.tensor(problem.inputs(), device=device, requires_grad=True)
    g = tg.tensor(problem.upstream(), device=device)
    names, weights = zip(*layer.named_parameters(), strict=True)

    def step() -> Any:
        gradients = tg.grad(run(x)[0], [x, *weights], g)
        wait_for(device)
        return gradients

    def read(result: Any) -> dict:
        found = {n: a.cpu().numpy() for n, a in zip(["x", *names], result, strict=True)}
        return from_our_layout(problem, found)

    return step, read


for _backend, _pass in product(("C", "NumPy"), [*PASSES, "fuse", "plan"]):
    _name = f"{_backend} without {_pass}"  # what a pass is worth
    _enter = contestant("compiled", _name, "tinygrad_rnn.compile", ALL, slow=True)
    _enter(partial(our_training, backend=_backend.lower(), without=(_pass,)))


def one_way(problem: Problem, device: str, limit: int) -> tuple[Step, Read]:
    """Returns our CUDA step with the limits for loops in one kernel set for it."""
    from tinygrad_rnn.compile.codegen.emit_cuda import CUDALoops

    step, read = our_training(problem, device, "cuda")
    usual = CUDALoops.small, CUDALoops.much
    CUDALoops.small = CUDALoops.much = limit
    step()  # compiles
    CUDALoops.small, CUDALoops.much = usual
    return step, read


for _name, _limit in (("CUDA step by step", -1), ("CUDA in one kernel", 1 << 40)):
    _enter = contestant("compiled", _name, "tinygrad_rnn.compile", ALL, ("cuda",), slow=True)
    _enter(partial(one_way, limit=_limit))


def our_layer(problem: Problem, device: str) -> Any:
    """Returns our layer with the problem's weights; the user's cell is a user's cell here too."""
    from tinygrad_rnn import nn

    if problem.cell == "user":
        return nn.Recurrent(users_cell(problem, device))
    kind, options = OUR_LAYERS[problem.cell]
    layer = getattr(nn, kind)(problem.I, problem.H, **options)
    layer.load_state_dict(torch_state(problem))
    return layer.to(device)


OUR_LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
    "rnn": ("RNN", {}),
    "lstm-b": ("LSTM", {"output_activation": None}),
    "peephole": ("LSTM", {"peephole": "full"}),
    "gru-notes": ("GRU", {"reset": "before", "update": "writes"}),
}


def users_cell(problem: Problem, device: str) -> Any:
    """Returns `problems.user_cell` as the class that a user of ours would write."""
    import tinygrad_rnn as tg
    from tinygrad_rnn.nn import Cell

    v = our_vocabulary()
    p = problem.parameters()

    class UsersCell(Cell):
        def __init__(self) -> None:
            super().__init__(problem.I, problem.H, dtype=problem.dtype, device=device)
            for name, array in p.items():
                setattr(self, name, tg.tensor(array, device=device, requires_grad=True))

        def start(self, batch: int, like: Any) -> tuple:
            blank = self.blank(batch, self.hidden_size, like)
            return blank, blank

        def step(self, x: Any, state: tuple) -> tuple:
            new = CELLS[problem.cell].step(v, x @ vars(self)["W"], state, vars(self))
            return new[0], new

    return UsersCell()


def from_our_layout(problem: Problem, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns gradients that came under PyTorch's names under those of `problems.py`."""
    if problem.cell == "user":
        return {name.removesuffix("_l0"): g for name, g in found.items()}
    U = found["weight_hh_l0"].T
    read = {"x": found["x"], "W": found["weight_ih_l0"].T, "U": U, "b": found["bias_ih_l0"]}
    if problem.cell == "gru":
        read["d"] = found["bias_hh_l0"]
    if problem.cell == "gru-notes":
        read["U"], read["V"] = U[:, : 2 * problem.H], U[:, 2 * problem.H :]
    if problem.cell == "peephole":
        read["P"] = np.concatenate([found["weight_ci_l0"].T, found["weight_cf_l0"].T], 1)
        read["Q"] = found["weight_co_l0"].T
    return read
