"""Show where gradients went in BPTT and how fast they died; programs call it.

`bptt(loss, model)` runs one backward pass and keeps what flowed along every edge: ‖∂L/∂h_t‖ and
‖∂L/∂c_t‖ for every step, and each parameter's contribution per step, the summands of
∂L/∂W = Σ_t ∂⁺L_t/∂W. `lags(cell, x)` multiplies the Jacobians of single steps and shows
‖∂s_t/∂s_k‖ with its bound c^(t−k), for any cell. `state_leaks(model)` warns of a hidden state that
drags the graphs of earlier batches along. matplotlib is imported by the plots alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.backward import grad
from ..engine.errors import line_of_user
from ..engine.node import Node
from ..engine.tensor import Tensor, tensor
from ..nn.cell import Cell, State, parts_of
from ..nn.module import Module
from ..nn.recurrent import Recurrent
from ..nn.summary import Rows, html_table, text_table
from .plots import BOUND, axes_of, colours, heat, log_lines, words
from .turns import carries_array, loops, recorded, reversed_ones, states

Where = tuple[Any, Any]  # (layer, dir), as the loop over time labels nodes


class Report:
    """Hold what one backward pass did, step by step.

    `states[name, layer, dir]` is {t: ∂L/∂state_t}, `steps[parameter]` {t: its contribution at t}
    (None for uses outside the loop), both as NumPy arrays.
    """

    def __init__(self, states: dict, steps: dict[str, dict], totals: dict[str, np.ndarray]):
        self.states, self.steps, self.totals = states, steps, totals

    def gradient(self, name: str = "h", layer: int = 0, dir: str = "fwd") -> np.ndarray:
        """Return ∂L/∂state_t stacked over time, (T, B, H); 0 where nothing arrived."""
        found = self.states.get((name, layer, dir))
        if not found:
            known = ", ".join(map(str, self.states)) or "none"
            raise KeyError(f"no gradient of state {(name, layer, dir)}; found: {known}")
        empty = np.zeros_like(next(iter(found.values())))
        return np.stack([found.get(t, empty) for t in range(max(found) + 1)])

    def norms(self, name: str = "h", layer: int = 0, dir: str = "fwd") -> np.ndarray:
        """Return ‖∂L/∂state_t‖ for every t."""
        return np.linalg.norm(_flat(self.gradient(name, layer, dir)), axis=1)

    def per_step(self, parameter: str) -> np.ndarray:
        """Return a parameter's gradient split by time step (T, *shape).

        With its part from `outside` the loop they add up to the whole gradient.
        """
        found = {t: g for t, g in self._steps(parameter).items() if t is not None}
        empty = np.zeros_like(self.totals[parameter])
        return np.stack([found.get(t, empty) for t in range(max(found, default=-1) + 1)] or [empty])

    def outside(self, parameter: str) -> np.ndarray:
        """Return what uses of the parameter outside the loop over time contributed."""
        return self._steps(parameter).get(None, np.zeros_like(self.totals[parameter]))

    def step_norms(self, parameter: str) -> np.ndarray:
        """Return ‖contribution of step t‖ for every t."""
        return np.linalg.norm(_flat(self.per_step(parameter)), axis=1)

    def cosines(self, parameter: str) -> np.ndarray:
        """Return the cosine of each step's contribution with the whole gradient; 0 where one of
        them is 0."""
        steps, total = _flat(self.per_step(parameter)), self.totals[parameter].ravel()
        sizes = np.linalg.norm(steps, axis=1) * np.linalg.norm(total)
        return np.divide(steps @ total, sizes, out=np.zeros(len(steps)), where=sizes > 0)

    def _steps(self, parameter: str) -> dict:
        if parameter not in self.steps:
            raise KeyError(f"no parameter {parameter!r} in this pass; it has {list(self.steps)}")
        return self.steps[parameter]

    def plot_states(self, axes: Any = None) -> Any:
        """Draw ‖∂L/∂state_t‖ over t, one line per state and layer, on a logarithmic axis."""
        title = "How much gradient reaches each step"
        axes = axes_of(axes, "step t", "‖∂L/∂state_t‖", title)
        return log_lines({words(k): self.norms(*k) for k in sorted(self.states, key=str)}, axes)

    def plot_steps(self, parameter: str, axes: Any = None) -> Any:
        """Draw the size of each step's contribution, one bar per step."""
        title = f"What each step adds to the gradient of {parameter}"
        axes = axes_of(axes, "step t", "‖contribution of step t‖", title)
        values = self.step_norms(parameter)
        axes.bar(range(len(values)), values, color=colours(1)[0])
        return axes

    def rows(self) -> Rows:
        """Return a table: of each state and parameter the first, largest and last step's norm."""
        norms = {words(k): self.norms(*k) for k in sorted(self.states, key=str)}
        norms |= {name: self.step_norms(name) for name in self.steps}
        show = lambda v: f"{v:.3g}"
        table: Rows = [("gradient of", "steps", "first", "largest", "last")]
        for name, v in norms.items():
            table.append((name, str(len(v)), show(v[0]), show(v.max()), show(v[-1])))
        return table

    def __repr__(self) -> str:
        return text_table(self.rows())

    def _repr_html_(self) -> str:
        return html_table(self.rows())


def bptt(loss: Tensor, model: Module) -> Report:
    """Run loss.backward() and report, by step, what reached each state and each parameter.

    Without steps in the scopes, the turns of loops are the steps, and what goes from turn to turn
    the states: `h`, or `state 1`, `state 2`, … as they are made, where nothing gave a name.

    Gradients are added to `.grad` as always, and the graph stays usable.
    """
    flow = loss.backward(record="full")
    assert flow is not None  # as a record was asked for
    names = {id(p.node): name for name, p in model.named_parameters()}
    labels = {node: node.labels for node in flow.order}
    called = _turns(labels)
    states: dict[tuple, dict] = {}
    steps: dict[str, dict] = {}
    totals: dict[str, np.ndarray] = {}
    for node in flow.order:
        where = labels[node]
        if node.op is None and id(node) in names:
            totals[names[id(node)]] = to_numpy(flow.nodes[node])
        elif node.op is not None and (node.name or node in called) and "step" in where:
            key = (called.get(node) or node.name, where.get("layer"), where.get("dir"))
            states.setdefault(key, {})[where["step"]] = to_numpy(flow.nodes[node])
        for parent, share in zip(node.parents, flow.edges[node]):
            if (
                share is not None
                and parent is not None
                and parent.op is None
                and id(parent) in names
            ):
                found = steps.setdefault(names[id(parent)], {})
                step = where.get("step")
                found[step] = found.get(step, 0) + to_numpy(share)
    return Report(states, steps, totals)


def _turns(labels: dict[Node, dict]) -> dict[Node, str]:
    """Label the turns of a loop written by hand with steps; return the names of its states."""
    if any("step" in where for where in labels.values()):
        return {}
    graph, nodes = recorded(labels)
    found = [loop for loop in loops(graph) if carries_array(graph, loop)]
    against = reversed_ones(graph, found)
    called: dict[Node, str] = {}
    for k, loop in enumerate(found):
        where = {"layer": 0, "dir": "rev" if k in against else "fwd"}
        for i, turn in loop.turns().items():
            step = loop.count - turn if k in against else turn - 1
            labels[nodes[i]] = labels[nodes[i]] | where | {"step": step}
        places = states(graph, loop)
        for number, place in enumerate(places, 1):
            name = "h" if len(places) == 1 else f"state {number}"
            called |= {nodes[i]: nodes[i].name or name for i in loop.columns()[place]}
    return called


def loss_lags(losses: Sequence[Tensor], states: Sequence[Tensor]) -> np.ndarray:
    """Return the matrix G[s, t] = ‖∂L_s/∂h_t‖; states as the loop made them (traced.run().…)."""
    rows = [grad(loss, list(states), retain_graph=True, allow_unused=True) for loss in losses]
    size = lambda g: 0.0 if g is None else float(np.linalg.norm(to_numpy(g._array)))
    return np.array([[size(g) for g in row] for row in rows])


def heat_map(matrix: np.ndarray, axes: Any = None) -> Any:
    """Draw log₁₀ of a matrix of norms (of `loss_lags`, say); zeros stay blank."""
    title = "How much the loss of step s depends on the state of step t"
    axes = axes_of(axes, "step t of the state", "step s of the loss", title)
    return heat(matrix, axes, "‖∂L_s/∂h_t‖")


# The product of Jacobians
class Lags:
    """Hold `matrix[t, k]` = ‖∂s_t/∂s_k‖₂ for k ≤ t (0 above), s_0 being the first state.

    `bound[t, k]` = c^(t−k), c the largest norm of one step's Jacobian; no entry can exceed it.
    """

    def __init__(self, jacobians: np.ndarray):
        self.jacobians = jacobians
        self.c = float(max((np.linalg.norm(j, 2) for j in jacobians), default=0.0))
        size = len(jacobians) + 1
        t, k = np.mgrid[:size, :size]
        self.bound = np.where(t >= k, self.c ** np.maximum(t - k, 0), 0.0)
        self.matrix = np.zeros((size, size))
        for k in range(size):
            product = np.eye(jacobians.shape[1])
            for t in range(k, size):
                self.matrix[t, k] = np.linalg.norm(product, 2)
                product = jacobians[t] @ product if t + 1 < size else product

    def product(self, t: int, k: int) -> np.ndarray:
        """Return ∂s_t/∂s_k = J_t J_{t−1} … J_{k+1}."""
        result = np.eye(self.jacobians.shape[1])
        for j in self.jacobians[k:t]:
            result = j @ result
        return result

    def by_lag(self) -> np.ndarray:
        """Return the mean over t of ‖∂s_t/∂s_{t−lag}‖, for every lag from 0."""
        return np.array([np.diagonal(self.matrix, -lag).mean() for lag in range(len(self.matrix))])

    def plot(self, axes: Any = None) -> Any:
        """Draw the norm against the lag with the line c^lag, on a logarithmic axis."""
        title = "How a state depends on those before it"
        axes = axes_of(axes, "lag t − k", "‖∂s_t/∂s_k‖", title)
        bound = self.bound[:, 0]
        axes.semilogy(bound, "--", color=BOUND, label=f"bound {self.c:.3g}^lag")
        return log_lines({"measured, mean over t": self.by_lag()}, axes)

    def plot_matrix(self, axes: Any = None) -> Any:
        """Draw the triangle log₁₀ ‖∂s_t/∂s_k‖ as a heat map."""
        title = "How the state of step t depends on that of step k"
        return heat(self.matrix, axes_of(axes, "step k", "step t", title), "‖∂s_t/∂s_k‖")

    def rows(self) -> Rows:
        """Return a table of lag, norm and bound, at lags 0, 1, 2, 4, …"""
        by_lag = self.by_lag()
        some = [k for k in range(len(by_lag)) if k & (k - 1) == 0 or k == len(by_lag) - 1]
        table: Rows = [("lag", "‖∂s_t/∂s_k‖", f"bound {self.c:.3g}^lag")]
        return table + [(str(k), f"{by_lag[k]:.3g}", f"{self.bound[k, 0]:.3g}") for k in some]

    def __repr__(self) -> str:
        return text_table(self.rows())

    def _repr_html_(self) -> str:
        return html_table(self.rows())


def lags(cell: Cell, x: Tensor, state: State | None = None) -> Lags:
    """Return the Jacobians of every step of one sequence x (T, I), and their products.

    A state of several parts, (h, c), is taken as one vector, so that every path counts.
    """
    if x.ndim != (2 if x.dtype.kind == "f" else 1):
        raise ValueError(f"lags needs one sequence, (T, I) or (T,) whole numbers, got {x.shape}")
    xs = [x[t : t + 1] for t in range(x.shape[0])]
    like = cell.like(x)
    state = cell.start(1, like) if state is None else state
    found = []
    for step in xs:
        jacobian, state = step_jacobian(cell, step, state)
        found.append(jacobian)
    width = sum(p.shape[-1] for p in parts_of(state))
    return Lags(np.array(found) if found else np.zeros((0, width, width)))


def step_jacobian(cell: Cell, x: Tensor, state: State) -> tuple[np.ndarray, State]:
    """Return (∂s'/∂s, s') of one step with a batch of one, by one backward pass over copies."""
    parts = [p.detach() for p in parts_of(state)]
    width = sum(p.shape[-1] for p in parts)
    copies = [_repeated(p, width).requires_grad_() for p in parts]
    after = cell.step(
        _repeated(x, width), tuple(copies) if isinstance(state, tuple) else copies[0]
    )[1]
    eye, edges = np.eye(width), np.cumsum([0, *(p.shape[-1] for p in parts)])
    seeds = [tensor(eye[:, a:b], p.dtype, p.device) for a, b, p in zip(edges, edges[1:], parts)]
    rows = grad(list(parts_of(after)), copies, seeds, allow_unused=True)
    blocks = [np.zeros(c.shape) if g is None else to_numpy(g._array) for g, c in zip(rows, copies)]
    first = [p[:1].detach() for p in parts_of(after)]
    return np.concatenate(blocks, 1), tuple(first) if isinstance(state, tuple) else first[0]


def _repeated(x: Tensor, rows: int) -> Tensor:
    return tensor(x.xp.broadcast_to(x._array, (rows, *x.shape[1:])), device=x.device)


# States that drag old graphs along
class StateLeakWarning(UserWarning):
    """Warned of if a hidden state still holds the graphs of earlier batches."""


@contextmanager
def state_leaks(model: Module, limit: int = 3) -> Iterator[None]:
    """Warn, within the block, when a layer is given a state whose graph is `limit` batches deep.

    Such a loop grows in memory and time with every batch, or fails in its second backward.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1 batch, got {limit}")
    depths: dict[int, int] = {}  # creation number of a state's node → batches behind it
    warned: set[str] = set()

    def observe(layer: Recurrent, given: State | None, made: State) -> None:
        depth = max(_depth(p.node, depths) for p in parts_of(given)) if given is not None else 0
        for part in parts_of(made):
            if part.node is not None and part.node.needs:
                depths[part.node.index] = depth + 1
        place = line_of_user()
        if depth >= limit and place not in warned:
            warned.add(place)
            name = layer.cells[0][0].state_names[0]
            message = f"{name} at {place} is {depth} batches deep; call {name}.detach()"
            warnings.warn(message, StateLeakWarning, stacklevel=2)

    layers = [m for m in model.modules() if isinstance(m, Recurrent)]
    for layer in layers:
        layer._observers.append(observe)
    try:
        yield
    finally:
        for layer in layers:
            layer._observers.remove(observe)


def _depth(node: Node | None, depths: dict[int, int], reach: int = 1000) -> int:
    """Return the largest known depth among the ancestors of a state, a few steps away."""
    stack, seen, best = [node], set(), 0
    while stack and reach:
        one = stack.pop()
        if one is None or one in seen or not one.needs:
            continue
        seen.add(one)
        reach -= 1
        if one.index in depths:
            best = max(best, depths[one.index])
        else:
            stack.extend(one.parents)
    return best


def _flat(stacked: np.ndarray) -> np.ndarray:
    return stacked.reshape(len(stacked), -1).astype(np.float64)
