"""A compiled layer behaves like the layer: tape, parameters, shapes, options, and what cannot
be."""

from __future__ import annotations

import copy
import pickle
import shutil
import warnings
from typing import Any

import numpy as np
import pytest
from compile.test_loops import assert_same, layer_of

from tinygrad_rnn import Tensor, cat, detect_anomaly, grad, no_grad, tensor
from tinygrad_rnn.compile import NotCompiled, compile
from tinygrad_rnn.engine.context import trace
from tinygrad_rnn.nn import LSTM, Cell, Recurrent, scan


def inputs(*shape: int, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def test_trace_keeps_the_inputs_that_capture_reads() -> None:
    with trace() as nodes:
        tensor([1.0, 2.0]) + 3.0
    assert [float(a) for a in nodes[-1].inputs[1:]] == [3.0]


def test_parameters_are_read_at_call_time() -> None:
    layer = layer_of("gru", 3, 4, np.float64)
    fast, x = compile(layer, "numpy"), tensor(inputs(4, 2, 3))
    fast(x)
    for p in layer.parameters():
        p.data = p.data * 0.5
    assert np.allclose(fast(x)[0]._array, layer(x)[0]._array, atol=1e-12)
    assert len(fast.compiled.kernels) == 1


def test_steps_may_vary_and_other_shapes_are_bounded() -> None:
    layer = layer_of("rnn", 2, 3, np.float64)
    fast = compile(layer, "numpy")
    for T in (1, 5, 3):
        assert_same(layer, fast, inputs(T, 2, 2))
    assert len(fast.compiled.kernels) == 1
    for batch in range(1, 20):
        fast(tensor(inputs(2, batch, 2)))
    assert len(fast.compiled.kernels) <= 16


def test_one_node_on_the_tape_and_two_runs_do_not_mix() -> None:
    layer = layer_of("lstm", 3, 4, np.float64)
    fast = compile(layer, "numpy")
    x, z = (tensor(inputs(4, 2, 3, seed=s), requires_grad=True) for s in (0, 1))
    a, b = fast(x)[0].sum(), fast(z)[0].sum()
    assert a.node.parents[0].parents[0].op.name == "scan"
    ours = grad(a, x)[0]._array, grad(b, z)[0]._array
    plain = grad(layer(x)[0].sum(), x)[0]._array, grad(layer(z)[0].sum(), z)[0]._array
    assert all(np.allclose(p, q, atol=1e-12) for p, q in zip(ours, plain))


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_a_second_backward_pass_is_right_though_buffers_were_overwritten(backend: str) -> None:
    layer = layer_of("lstm", 3, 4, np.float64)
    x = tensor(inputs(4, 8, 3), requires_grad=True)
    y = (compile(layer, backend)(x)[0] ** 2).sum()
    first = grad(y, x, retain_graph=True)[0]._array
    assert np.array_equal(first, grad(y, x)[0]._array)


def test_second_derivatives_unroll_by_themselves() -> None:
    layer = layer_of("gru", 2, 3, np.float64)

    def curvature(run: Any) -> list[np.ndarray]:
        x = tensor(inputs(3, 2, 2), requires_grad=True)
        (g,) = grad((run(x)[0] ** 2).sum(), x, create_graph=True)
        return [t._array for t in grad((g**2).sum(), [x, *layer.parameters()])]

    for a, b in zip(curvature(layer), curvature(compile(layer, "numpy"))):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-12)


def test_second_derivatives_see_the_masks_that_were_drawn() -> None:
    found = []
    for compiled in (False, True):
        layer = LSTM(2, 3, seed=7, recurrent_dropout=0.5, zoneout=0.3).double()
        run, x = layer.compile("numpy") if compiled else layer, tensor(inputs(3, 2, 2))
        x.requires_grad_()
        (g,) = grad((run(x)[0] ** 2).sum(), x, create_graph=True)
        found.append(grad((g**2).sum(), x)[0]._array)
    assert np.allclose(*found, atol=1e-12)


def test_a_function_exchanged_for_another_is_noticed() -> None:
    layer = layer_of("rnn", 2, 3, np.float64)
    fast, x = compile(layer, "numpy"), tensor(inputs(3, 2, 2))
    fast(x)
    layer.cells[0][0].nonlinearity = lambda a: a * 0.5
    assert np.allclose(fast(x)[0]._array, layer(x)[0]._array, atol=1e-12)


def test_without_gradients_nothing_is_recorded() -> None:
    layer = layer_of("lstm", 3, 4, np.float64)
    fast, x = compile(layer, "numpy"), tensor(inputs(4, 2, 3))
    with no_grad():
        y = fast(x)[0]
    assert not y.requires_grad and np.allclose(y._array, layer(x)[0]._array, atol=1e-12)


def test_hooks_and_anomaly_mode_work() -> None:
    fast = compile(layer_of("gru", 3, 4, np.float64), "numpy")
    x, seen = tensor(inputs(4, 2, 3), requires_grad=True), []
    with detect_anomaly():
        y = fast(x)[0]
        y.register_hook(lambda g: seen.append(g.shape))
        y.sum().backward()
    assert seen == [(4, 2, 4)] and x.grad is not None


@pytest.mark.parametrize("order", [1, 2])
def test_hooks_on_parameters_hear_of_a_gradient_once(order: int) -> None:
    found = []
    for compiled in (False, True):
        layer, x = layer_of("gru", 2, 3, np.float64), tensor(inputs(3, 2, 2), requires_grad=True)
        for p in layer.parameters():
            p.register_hook(lambda g: g * 3)
        loss = ((compile(layer, "numpy") if compiled else layer)(x)[0] ** 2).sum()
        if order == 2:
            loss = (grad(loss, x, create_graph=True)[0] ** 2).sum()
        found.append([g._array for g in grad(loss, list(layer.parameters()))])
    assert all(np.allclose(a, b, atol=1e-12) for a, b in zip(*found))


@pytest.mark.parametrize("options", [
    {"recurrent_dropout": 0.3, "input_dropout": 0.2}, {"candidate_dropout": 0.4}, {"zoneout": 0.3},
])  # fmt: skip
def test_dropout_has_the_unrolled_masks(options: dict) -> None:
    x = inputs(5, 2, 3)
    plain, fast = (LSTM(3, 4, num_layers=2, bidirectional=True, seed=5, **options) for _ in "ab")
    plain.double(), fast.double()
    a, b = tensor(x, requires_grad=True), tensor(x, requires_grad=True)
    y, z = plain(a)[0], compile(fast, "numpy")(b)[0]
    assert np.allclose(y._array, z._array, atol=1e-12)
    y.sum().backward(), z.sum().backward()
    assert np.allclose(a.grad._array, b.grad._array, atol=1e-12)


def test_train_and_eval_are_shared_with_the_layer() -> None:
    layer = LSTM(3, 4, num_layers=2, dropout=0.5, seed=1)
    fast, x = layer.compile("numpy"), tensor(inputs(4, 2, 3, dtype=np.float32))
    layer.eval()
    assert np.allclose(fast(x)[0]._array, layer(x)[0]._array, atol=1e-6)
    fast.train()
    assert layer.training and layer.cells[0][0].training


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("name", ["lstm", "gru of the notes"])
def test_whole_numbers_are_looked_up(name: str, backend: str) -> None:
    layer = layer_of(name, 7, 4, np.float64, num_layers=2, bidirectional=True)
    x = tensor(np.random.default_rng(0).integers(0, 7, (5, 3)))
    found = []
    for run in (layer, compile(layer, backend)):
        y = run(x, lengths=[5, 2, 4])[0]
        found.append([y, *grad((y**2).sum(), list(layer.parameters()))])
    assert not [note for note in run.compiled.notes if "no C compiler" not in note]
    assert all(np.allclose(a._array, b._array, atol=1e-12) for a, b in zip(*found))


@pytest.mark.parametrize("every", [1, 3, 4, 9])
def test_checkpointing_changes_nothing_but_memory(every: int) -> None:
    layer = layer_of("lstm", 3, 4, np.float64, bidirectional=True)
    fast = compile(layer, "numpy", checkpoint_every=every)
    assert_same(layer, fast, inputs(9, 2, 3))
    assert_same(layer, fast, inputs(9, 2, 3), lengths=[9, 2])


class Own(Cell):
    """A cell of the user's: two products per gate, one weight each."""

    def __init__(self, branch: bool = False):
        super().__init__(2, 3)
        rng = np.random.default_rng(0)
        draw = lambda *shape: tensor(rng.standard_normal(shape), requires_grad=True)
        self.U, self.V, self.W, self.b, self.branch = (
            draw(3, 3),
            draw(3, 3),
            draw(2, 3),
            draw(3),
            branch,
        )

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        gate = (h @ self.U + x @ self.W).sigmoid()
        new = (h @ self.V + x @ self.W + self.b).softmax(-1) * gate + (1 - gate) * h
        if self.branch and new.sum() > 1e9:
            new = new * 0
        return new * 2 - x.sum(-1, keepdim=True), new


class ByTheBook(Cell):
    """An LSTM whose gates have matrices of their own."""

    def __init__(self) -> None:
        super().__init__(3, 4, seed=0, dtype=np.float64)
        self.W, self.U = ([self.parameter(n, 4) for _ in "fiog"] for n in (3, 4))

    def start(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        return self.blank(batch, 4, like), self.blank(batch, 4, like)

    def step(self, x: Tensor, state: tuple) -> tuple:
        h, c = state
        f, i, o, g = (x @ W + h @ U for W, U in zip(self.W, self.U))
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_matrices_of_each_gate_cost_one_product_a_loop(backend: str) -> None:
    layer = Recurrent(ByTheBook())
    fast = compile(layer, backend)
    assert_same(layer, fast, inputs(4, 2, 3))
    told = [
        line for line in fast.explain().splitlines() if line.split()[0] in ("forward", "backward")
    ]
    assert len(told) == 2 and all("1 products" in line for line in told)


def test_a_cell_of_ones_own() -> None:
    layer = Recurrent(Own())
    fast = compile(layer, "numpy")
    assert_same(layer, fast, inputs(4, 3, 2))
    assert fast.compiled.notes == []


class TwoWeights(Cell):
    """Cells of one kind that differ in what their step does."""

    def __init__(self, way: str):
        super().__init__(2, 3)
        rng = np.random.default_rng(0)
        self.W = tensor(rng.standard_normal((2, 3)), requires_grad=True)
        self.U = tensor(rng.standard_normal((3, 3)), requires_grad=True)
        self.way = way


class Odd(TwoWeights):
    """Cells that use their two states in unusual ways."""

    def start(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        blank = self.blank(batch, 3, like)
        return blank, blank

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        a, b = state
        new = (x @ self.W + a @ self.U).tanh()
        return {
            "no memory": lambda: (new, ((x @ self.W).tanh(), new)),
            "swapped": lambda: (new, (b, new)),
            "late": lambda: (a, (new, b * 0.5)),
            "cut": lambda: (a[:, 1:] * 2, (new, new)),
            "cleared": lambda: (new + b, (new, b * 0)),
            "input": lambda: (x, (new, b + new)),
            "part": lambda: (new, (cat([new[:, 1:], b[:, :1]], -1), new * b)),
            "outer": lambda: ((new.reshape(-1, 3, 1) * b.reshape(-1, 1, 3)).sum(1), (new, new)),
            "number": lambda: (new - 0.3 * new.sum(), (new * new.sum(), b)),
        }[self.way]()


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("way", ["no memory", "swapped", "late", "cut", "cleared", "input", "part",
                                 "outer", "number"])  # fmt: skip
def test_unusual_uses_of_the_state(way: str, backend: str) -> None:
    layer = Recurrent(Odd(way))
    fast = compile(layer, backend)
    assert_same(layer, fast, inputs(5, 3, 2))
    assert not [note for note in fast.compiled.notes if "unrolled" in note]


class Shaped(TwoWeights):
    """Cells that look at rows in unusual ways."""

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z = x @ self.W + h @ self.U
        new = {
            "along": lambda: z * (x * x).sum(-1).reshape(-1, 1),  # as long as a sum over 2 rows
            "copied": lambda: cat([z, x], -1)[:, :4].reshape(-1, 2, 2).transpose(1, 2),
            "turned": lambda: (x.T * 2).T @ self.W * z,
            "kept turned": lambda: (h.T * (self.W.T @ x.T)).T + z,
            "products": lambda: z @ (h.T @ z),  # mixes rows
            "products of x": lambda: h @ (self.W.T @ x.T) @ h + z,
            "hardly mixed": lambda: z + 1e-11 * (z @ z.T) @ z,
            "hardly summed": lambda: z + 1e-14 * z.sum(),
        }[self.way]()
        new = new.reshape(-1, 4)[:, :3].tanh() if new.ndim == 3 else new.tanh()
        return new, new


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("way", ["along", "copied", "turned", "kept turned", "products",
                                 "products of x", "hardly mixed", "hardly summed"])  # fmt: skip
@pytest.mark.filterwarnings("ignore::tinygrad_rnn.compile.NotCompiled")
def test_unusual_uses_of_rows(way: str, rows: int, backend: str) -> None:
    layer = Recurrent(Shaped(way))
    fast = compile(layer, backend)
    assert_same(layer, fast, inputs(5, rows, 2))
    if way.startswith("hardly"):  # then nothing may be done for T·B rows at once
        (kernel,) = fast.compiled.kernels.values()
        assert not {"before", "after"}.intersection(kernel.program.phase.values())


class Idle(TwoWeights):
    """A cell with a weight that it does not use."""

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = (x @ self.W + h).tanh()
        return new, new


@pytest.mark.parametrize("backend", ["none", "numpy", "auto"])
def test_a_weight_that_is_not_used_has_no_gradient(backend: str) -> None:
    layer = Recurrent(Idle(""))
    run = layer if backend == "none" else compile(layer, backend)
    x = tensor(inputs(4, 2, 2), requires_grad=True)
    run(x)[0].sum().backward()
    cell = layer.cells[0][0]
    assert x.grad is not None and cell.W.grad is not None and cell.U.grad is None
    assert grad(run(x)[0].sum(), [cell.U, x], allow_unused=True)[0] is None
    with pytest.raises(RuntimeError, match="input 0 was not used"):
        grad(run(x)[0].sum(), cell.U)
    dx = grad(run(x)[0].sum(), x, create_graph=True)[0]
    assert grad(dx.sum(), [cell.U, x], allow_unused=True)[0] is None


class Unusual(TwoWeights):
    """Cells that hold, or reach for, more than parameters."""

    def __init__(self, way: str):
        super().__init__(way)
        weight = self.U
        if way == "computed":
            self.U = weight.transpose(0, 1) * 2
            self.both = [weight, self.U]
        self.far = lambda h: h @ weight
        self.near = self.recur
        self.context = tensor(np.ones((2, 1)))  # a row for each row of the batch

    def start(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        return self.blank(batch, 3, like), tensor(np.zeros((batch, 1), np.int64))

    def recur(self, h: Tensor) -> Tensor:
        return h @ self.U + (h @ self.both[0] if self.way == "computed" else h)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        recur = self.far if self.way == "far" else self.near
        new = (x @ self.W + recur(state[0])).tanh()
        new = new * self.context if self.way == "rows" else new
        return new, (new, state[1] + 1)


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ("bound", ""),
        ("computed", ""),
        ("far", "does not hold"),
        ("rows", "fails on random values of 2 or 5 rows"),
    ],
)
def test_cells_that_hold_more_than_parameters(way: str, why: str) -> None:
    layer, x = Recurrent(Unusual(way)), tensor(inputs(3, 2, 2))
    weights = [p for p in layer.parameters() if p.is_leaf]
    fast, found = compile(layer, "numpy"), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotCompiled)
        for run in (layer, fast):
            gradients = grad((run(x)[0] ** 2).sum(), weights, retain_graph=True)
            found.append([g._array for g in gradients])
    assert all(np.allclose(a, b, atol=1e-12) for a, b in zip(*found))
    assert len(fast.compiled.notes) == bool(why) and all(
        why in note for note in fast.compiled.notes
    )


class Batched(TwoWeights):
    """Cells whose rows depend on each other, or on how many there are."""

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = (x @ self.W + h @ self.U).tanh()
        if self.way == "centred":
            new = new - 0.3 * new.sum(0, keepdim=True)
        elif x.shape[0] > 2:
            new = new * 2
        return new, new


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_rows_that_depend_on_each_other_stay_in_numpys_loops(backend: str) -> None:
    layer = Recurrent(Batched("centred"))
    fast = compile(layer, backend)
    assert_same(layer, fast, inputs(4, 3, 2))
    assert "for t in range(T)" in fast.source()


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_branch_on_the_size_of_the_batch_is_never_wrong(batch: int) -> None:
    layer = Recurrent(Batched("counted"))
    fast = compile(layer, "numpy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotCompiled)
        assert_same(layer, fast, inputs(4, batch, 2))


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("name", ["gru of the notes", "lstm peephole full"])
def test_a_long_run_needs_memory_for_all_rows(name: str, backend: str) -> None:
    layer = layer_of(name, 3, 4, np.float64)
    assert_same(layer, compile(layer, backend), inputs(300, 2, 3))


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_results_stay_what_they_are_when_the_layer_runs_again(backend: str) -> None:
    layer = layer_of("gru", 3, 4, np.float64)
    fast, x = compile(layer, backend), tensor(inputs(4, 2, 3), requires_grad=True)
    run = lambda scale: (y := fast(x * scale)[0], *grad(y.sum(), [x, *layer.parameters()]))
    first = [t._array for t in run(1.0)]
    kept = [a.copy() for a in first]
    run(-2.0), run(3.0)
    assert all(np.array_equal(a, b) for a, b in zip(first, kept))


def test_a_branch_on_data_runs_unrolled_with_one_message() -> None:
    layer = Recurrent(Own(branch=True))
    fast = compile(layer, "numpy")
    with pytest.warns(NotCompiled, match="reads a Tensor's values in Python"):
        fast(tensor(inputs(4, 3, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(layer, fast, inputs(4, 3, 2)[:, :, :])
    assert "runs unrolled" in fast.explain()


def test_what_cannot_be_compiled_can_still_run_in_pieces() -> None:
    layer = Recurrent(Own(branch=True))
    fast = compile(layer, "numpy", checkpoint_every=2)
    with pytest.warns(NotCompiled, match="reads a Tensor's values in Python"):
        fast(tensor(inputs(5, 3, 2)))
    assert_same(layer, fast, inputs(5, 3, 2))


@pytest.mark.parametrize("change", ["value", "tensor", "option"])
def test_a_layer_changed_since_has_no_second_derivative(change: str) -> None:
    layer = layer_of("lstm", 3, 4, np.float64)
    fast, cell = compile(layer, "numpy"), layer.cells[0][0]
    x = tensor(inputs(4, 2, 3), requires_grad=True)
    loss = (fast(x)[0] ** 2).sum()
    if change == "value":
        cell.weight_hh.data = cell.weight_hh.data * 1.5
    elif change == "tensor":
        cell.weight_hh = tensor(cell.weight_hh.detach().numpy(), requires_grad=True)
    else:
        cell.candidate_activation = lambda z: z * 0.5
    with pytest.raises(RuntimeError, match="changed since"):
        grad(loss, x, create_graph=True)


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler (cc)")
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_all_of_a_training_step_is_c(name: str) -> None:
    """But for what depends on parameters alone; a weight's gradient is one product of all rows."""
    layer = layer_of(name, 3, 4, np.float64)
    fast = compile(layer, "c")
    assert_same(layer, fast, inputs(5, 2, 3))
    (kernel,) = fast.compiled.kernels.values()
    program = kernel.program
    assert [phase for phase, calls in program.calls.items() if calls] == ["static"]
    assert fast.source().count("  contract(") == 2


def test_explain_and_source_say_what_was_done() -> None:
    fast = compile(layer_of("lstm", 3, 4, np.float64), "numpy")
    with pytest.raises(RuntimeError, match="call the layer once"):
        fast.source()
    fast(tensor(inputs(4, 2, 3), requires_grad=True))
    assert "for t in range(T):" in fast.source() and "hoist" in fast.explain()
    ops = [node.op for node in fast.drawing("captured").graph.nodes]
    assert ops.count("matmul") == 6 and fast.drawing().dot.startswith("digraph")
    with pytest.raises(ValueError, match="no pass 'magic' was run; there are captured, share"):
        fast.drawing("magic")


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="recurrent layer or a cell"):
        compile(3)
    with pytest.raises(ValueError, match="backend must be"):
        compile(layer_of("rnn", 2, 3, np.float64), "fortran")
    layer = layer_of("rnn", 2, 3, np.float64)
    with pytest.raises(ValueError, match=r"a pass in without must be one of .* got 'magic'"):
        compile(layer, without=["magic"])
    with pytest.raises(TypeError, match=r'without must be a list of names such as \["join"\]'):
        compile(layer, without="join")
    for option, value in (("threads", 0), ("checkpoint_every", -1), ("threads", "many")):
        with pytest.raises((ValueError, TypeError), match=f"compile: {option} must be a whole"):
            compile(layer, **{option: value})


@pytest.mark.parametrize("how", ["copied", "copied deeply", "pickled"])
@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 2}])
def test_a_compiled_layer_is_copied_compiled(how: str, options: dict) -> None:
    ways: dict[str, Any] = {"copied": copy.copy, "copied deeply": copy.deepcopy}
    ways["pickled"] = lambda fast: pickle.loads(pickle.dumps(fast))
    layer, x = layer_of("lstm", 3, 4, np.float64), tensor(inputs(5, 2, 3))
    fast = ways[how](compile(layer, "numpy", **options))
    same = lambda: np.allclose(fast(x)[0]._array, layer(x)[0]._array, atol=1e-12)
    assert same() and isinstance(fast, LSTM) and "compiled in" in fast.explain()
    for p in layer.parameters():
        p.data = p.data * 0.5
    assert same() == (how == "copied")  # then it has the very same parameters


def test_a_compiled_layer_is_its_layer_with_another_loop() -> None:
    layer = LSTM(3, 4, seed=0)
    fast, other = layer.compile("numpy"), layer.compile("numpy")
    assert type(fast) is LSTM and fast.cells is layer.cells and fast.loop is not other.loop
    assert layer.loop is scan and not hasattr(layer, "compiled") and not hasattr(layer, "source")
    layer.stateful, fast.batch_first = True, True  # a change to one is one to both
    fast(tensor(inputs(2, 5, 3, dtype=np.float32)))
    assert layer.batch_first and other._state is layer._state is not None
    again = fast.compile("numpy", without=["fuse"])  # compiled anew, not around the first loop
    assert again.plain is layer and again.loop.without == ("fuse",)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_a_layer_and_its_compiled_twin_stay_twins_when_copied_together(how: Any) -> None:
    layer = LSTM(3, 4, dropout=0.5, num_layers=2, seed=0)
    plain, fast = how((layer, layer.compile("numpy", checkpoint_every=2)))
    assert fast.cells is plain.cells and plain.cells is not layer.cells
    plain.eval()
    assert not fast.training and layer.training
    x = tensor(inputs(4, 2, 3, dtype=np.float32))
    assert np.allclose(fast(x)[0]._array, plain(x)[0]._array, atol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_a_batch_without_rows(backend: str) -> None:
    layer = layer_of("lstm", 3, 4, np.float64)
    fast, x = compile(layer, backend), tensor(inputs(5, 0, 3), requires_grad=True)
    y, (h, _) = fast(x)
    assert y.shape == (5, 0, 4) and h.shape == (1, 0, 4)
    dx, dw = grad(y.sum(), [x, layer.weight_hh_l0])
    assert dx.shape == x.shape and not dw._array.any()


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_capture_warns_of_nothing_that_the_data_do_not_do(backend: str) -> None:
    """It runs the step on random numbers, of which some have no logarithm and no root."""

    class Roots(TwoWeights):
        def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            new = x.log() @ self.W + h.sqrt()
            return new, new.exp()

    layer = Recurrent(Roots("roots"))
    fast, x = compile(layer, backend), np.abs(inputs(4, 3, 2)) + 0.5
    with warnings.catch_warnings(), detect_anomaly():
        warnings.simplefilter("error")
        assert np.allclose(fast(tensor(x))[0]._array, layer(tensor(x))[0]._array)
    assert fast.compiled.notes == []
