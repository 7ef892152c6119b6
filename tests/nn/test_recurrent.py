"""Layers over time: shapes, stacking, directions, state, traces, and cells of one's own."""

from __future__ import annotations

import copy
import doctest
import inspect

import numpy as np
import pytest

from tinygrad_rnn import nn, sigmoid, tanh, tensor, trace
from tinygrad_rnn.engine.backward import grad

T, B, I, H = 5, 2, 3, 4
KINDS = [nn.RNN, nn.GRU, nn.LSTM, nn.MGU]


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def data(*shape, seed=0):
    return tensor(np.random.default_rng(seed).normal(size=shape))


def close(a, b, atol=1e-13):
    arrays = [getattr(v, "detach", lambda v=v: v)() for v in (a, b)]
    np.testing.assert_allclose(*(np.asarray(v) for v in arrays), rtol=0, atol=atol)


def by_hand(cell, x, reverse=False):
    """Outputs (T, …) and the last state of a cell, from a plain loop."""
    state, outputs = cell.start(x.shape[1], x), [None] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        outputs[t], state = cell.step(x[t], state)
    return np.stack([o.detach().numpy() for o in outputs]), parts(state)


class Decay(nn.Cell):
    """A cell of one's own: it forgets at a learned rate."""

    def __init__(self, input_size, hidden_size, **options):
        super().__init__(input_size, hidden_size, **options)
        self.W = self.parameter(hidden_size, input_size)
        self.U = self.parameter(hidden_size, hidden_size)
        self.rate = self.parameter(hidden_size)

    def step(self, x, h):
        keep = sigmoid(self.rate)
        h = keep * h + (1 - keep) * tanh(x @ self.W.T + h @ self.U.T)
        return h, h


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("directions", [1, 2])
def test_shapes_are_torchs(kind, directions):
    layer = kind(I, H, 3, bidirectional=directions == 2, dtype=np.float64, seed=0)
    output, state = layer(data(T, B, I))
    assert output.shape == (T, B, directions * H)
    assert all(s.shape == (3 * directions, B, H) for s in parts(state))
    output, state = layer(data(T, I))
    assert output.shape == (T, directions * H)
    assert all(s.shape == (3 * directions, H) for s in parts(state))


@pytest.mark.parametrize("kind", KINDS)
def test_deep_and_bidirectional_are_loops_over_loops(kind):
    layer, x = kind(I, H, 2, bidirectional=True, dtype=np.float64, seed=0), data(T, B, I)
    output, state = layer(x)
    below, last = x, []
    for pair in layer.cells:
        sides = [by_hand(cell, below, reverse=d == 1) for d, cell in enumerate(pair)]
        below = tensor(np.concatenate([out for out, _ in sides], -1))
        last += [end for _, end in sides]
    close(output, below)
    for k, end in enumerate(last):
        for whole, part in zip(parts(state), end, strict=True):
            close(whole[k], part)


def test_merge_by_sum():
    x = data(T, B, I)
    layer = nn.GRU(I, H, 2, bidirectional=True, merge="sum", dtype=np.float64, seed=0)
    output, _ = layer(x)
    assert output.shape == (T, B, H) and layer.output_size == H
    assert layer.cells[1][0].input_size == H
    one = nn.Recurrent([layer.cells[0]], merge="sum")(x)[0]
    forward, reverse = (by_hand(cell, x, d == 1)[0] for d, cell in enumerate(layer.cells[0]))
    close(one, forward + reverse)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_first_transposes_x_and_output_but_not_the_state(kind):
    layer = kind(I, H, dtype=np.float64, seed=0)
    other = kind(I, H, batch_first=True, dtype=np.float64, seed=0)
    x = data(T, B, I)
    a, s = layer(x)
    b, r = other(x.transpose(0, 1))
    close(a, b.transpose(0, 1))
    for p, q in zip(parts(s), parts(r), strict=True):
        close(p, q)


@pytest.mark.parametrize("kind", KINDS)
def test_no_steps_give_an_empty_output_and_the_state_as_it_was(kind):
    layer = kind(I, H, 2, bidirectional=True, dtype=np.float64, seed=0)
    first = tuple(
        data(4, B, H, seed=k).requires_grad_() for k in range(len(parts(layer(data(T, B, I))[1])))
    )
    output, state = layer(data(0, B, I), first if len(first) > 1 else first[0])
    assert output.shape == (0, B, 2 * H)
    for given, got in zip(first, parts(state), strict=True):
        close(given, got)
        (g,) = grad(got.sum(), [given])
        close(g, np.ones((4, B, H)))


def test_whole_numbers_are_one_hot_steps():
    layer, index = nn.LSTM(I, H, dtype=np.float64, seed=0), np.array([[0, 2], [1, 1], [2, 2]])
    close(layer(tensor(index))[0], layer(tensor(np.eye(I)[index]))[0])
    close(layer(tensor(index[:, 0]))[0], layer(tensor(index))[0][:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_may_be_run_in_pieces(kind):
    layer, x = kind(I, H, 2, dtype=np.float64, seed=0), data(T, B, I)
    whole, end = layer(x)
    first, state = layer(x[:2])
    second, state = layer(x[2:], state)
    close(whole[:2], first), close(whole[2:], second)
    for p, q in zip(parts(end), parts(state), strict=True):
        close(p, q)


def test_stateful_layers_go_on_where_they_stopped_without_a_graph():
    layer = nn.LSTM(I, H, dtype=np.float64, stateful=True, seed=0)
    plain = nn.LSTM(I, H, dtype=np.float64, seed=0)
    x = data(T, B, I)
    first, second = layer(x[:2])[0], layer(x[2:])[0]
    close(second, plain(x)[0][2:])
    second.sum().backward()
    assert not any(s.requires_grad for s in layer._state)
    layer.reset_state(rows=[1])
    kept, fresh = layer(x[:1])[0][0], plain(x[:1])[0][0]
    close(kept[1], fresh[1])
    assert abs(kept[0].detach().numpy() - fresh[0].detach().numpy()).max() > 1e-3
    layer.reset_state()
    close(layer(x[:1])[0], plain(x[:1])[0])
    assert first.shape == (2, B, H)


@pytest.mark.parametrize("kind", KINDS)
def test_trace_keeps_every_gate_and_state_and_the_arity(kind):
    layer = kind(I, H, 2, bidirectional=True, dtype=np.float64, seed=0)
    x = data(T, B, I)
    traced = layer(x, trace=True)
    output, state = traced
    plain_output, plain_state = layer(x)
    close(output, plain_output)
    close(parts(state)[0], parts(plain_state)[0])
    close(
        np.concatenate([traced.h.detach(), traced.states("h", reverse=True).detach()], -1), output
    )
    for gate in layer.cells[0][0].gate_names:
        if kind is not nn.RNN:
            values = traced.gate(gate, layer=0, reverse=True)
            assert values.shape == (T, B, H) and abs(values.detach().numpy()).max() <= 1
    assert layer.cells[0][0]._record is None


def test_traced_gates_are_the_lstms_own_and_carry_gradients():
    layer = nn.LSTM(I, H, dtype=np.float64, seed=0)
    run = layer(data(T, B, I), trace=True)
    i, f, g, o = (run.gate(k).detach().numpy() for k in layer.cells[0][0].gate_names)
    c = run.c.detach().numpy()
    before = np.concatenate([np.zeros((1, B, H)), c[:-1]])
    close(c, f * before + i * g)
    close(run.h, o * np.tanh(c))
    close(run.c[-1], run[1][1][0])
    run.gate("f").sum().backward()
    assert layer.weight_hh_l0.grad is not None


def test_dropout_acts_between_layers_in_training_only():
    x = data(T, B, I)
    layer = nn.GRU(I, H, 2, dropout=1.0, dtype=np.float64, seed=0)
    silent = nn.Recurrent(layer.cells[1][0])(tensor(np.zeros((T, B, H))))[0]
    close(layer(x)[0], silent)
    below = nn.Recurrent(layer.cells[0][0])(x)[0]
    close(layer.eval()(x)[0], nn.Recurrent(layer.cells[1][0])(below)[0])
    single = nn.GRU(I, H, 1, dropout=1.0, dtype=np.float64, seed=0)
    close(single(x)[0], single.eval()(x)[0])


MERGES = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


@pytest.mark.parametrize("masked", ["zero", "repeat"])
@pytest.mark.parametrize("merge", MERGES)
def test_both_directions_are_merged(merge, masked):
    options = {"dtype": np.float64, "seed": 0, "merge": merge, "masked_output": masked}
    layer = nn.LSTM(I, H, 2, bidirectional=True, **options)
    x, lengths = data(T, B, I), [5, 2]
    below = [nn.Recurrent([pair], merge=merge) for pair in layer.cells]
    middle = below[0](x, lengths=lengths)[0]
    sides = []
    for reverse, cell in enumerate(layer.cells[1]):
        mask = np.arange(T)[:, None] < lengths
        steps, _ = nn.scan(cell, middle, cell.start(B, x), mask, bool(reverse))
        sides.append(np.stack([s.detach().numpy() for s in steps]))
    if masked == "repeat":  # nothing was put out before the first step from the end
        sides[0][2:, 1] = sides[0][1, 1]
    close(layer(x, lengths=lengths)[0], MERGES[merge](*sides))
    assert layer.output_size == (2 * H if merge == "concat" else H)
    twin = layer.compile("numpy")
    close(twin(x, lengths=lengths)[0], layer(x, lengths=lengths)[0])


def test_a_layer_is_of_its_own_kind_and_tells_all_that_it_takes():
    for kind in KINDS:
        others = [k for k in KINDS if k is not kind]
        assert isinstance(kind(I, H), nn.Recurrent) and not isinstance(kind(I, H), tuple(others))
        options = inspect.signature(kind).parameters
        told = {word.strip(",") for line in kind.__doc__.splitlines() for word in line.split()}
        assert {"input_size", "hidden_size"} <= told
        assert not [name for name in options if name not in told], kind
        (example,) = doctest.DocTestFinder(recurse=False).find(kind, kind.__name__)
        assert example.examples and not doctest.DocTestRunner().run(example).failed
    assert "gate_activation" not in inspect.signature(nn.RNN).parameters
    assert list(inspect.signature(nn.LSTM).parameters)[:4] == [
        "input_size", "hidden_size", "num_layers", "bias",
    ]  # fmt: skip


def test_finished_cells_ignore_nothing():
    cell = nn.GRUCell(I, H, seed=0)
    with pytest.raises(TypeError, match="input_size=3, num_layers=2 would be ignored"):
        nn.Recurrent(cell, I, num_layers=2)
    with pytest.raises(TypeError, match="form='stacked' would be ignored"):
        nn.Recurrent(cell, form="stacked")
    for bad in (3, [], [[nn.Linear(2, 3)]], nn.Linear):
        with pytest.raises(TypeError, match="Recurrent: cell must be a class of cells, a cell"):
            nn.Recurrent(bad, 2, 3)


def test_nodes_are_labelled_with_step_layer_and_direction():
    layer = nn.LSTM(I, H, 2, bidirectional=True, seed=0)
    with trace() as nodes:
        layer(tensor(np.zeros((T, B, I), np.float32)))
    seen = {(n.labels.get("layer"), n.labels.get("dir"), n.labels.get("step")) for n in nodes}
    assert {(layer, way, t) for layer in (0, 1) for way in ("fwd", "rev") for t in range(T)} <= seen
    assert {"h", "c"} <= {n.name for n in nodes}
    assert {n.path[:2] for n in nodes if "step" in n.labels} == {("lstm", "step")}


# A cell of one's own
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_cell_of_ones_own_stacks_runs_both_ways_masks_and_traces(bidirectional):
    layer = nn.Recurrent(Decay, I, H, 2, bidirectional=bidirectional, dtype=np.float64, seed=0)
    x = data(T, B, I)
    run = layer(x, lengths=[5, 2], trace=True)
    short = layer(x[:2, 1:])[0]
    close(run[0][:2, 1:], short)
    assert not run[0].detach().numpy()[2:, 1].any()
    assert run.h.shape == (T, B, H)
    names = [n for n, _ in layer.named_parameters()]
    assert names[:3] == ["W_l0", "U_l0", "rate_l0"] and ("W_l0_reverse" in names) == bidirectional
    run[0].sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_a_cell_without_options_works_too():
    class Sum(nn.Cell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)

        def step(self, x, h):
            h = h + x.sum(-1, keepdims=True)
            return h, h

    x = data(T, B, I)
    output, _ = nn.Recurrent(Sum, I, H, 2)(x)
    want = np.cumsum(H * np.cumsum(x.numpy().sum(-1), 0), 0)
    close(output[..., 0], want)


def test_cells_of_different_kinds_stack():
    layer = nn.Recurrent([nn.LSTMCell(I, H, seed=0), nn.GRUCell(H, 2, seed=0)])
    output, state = layer(tensor(np.zeros((T, B, I), np.float32)))
    assert output.shape == (T, B, 2) and isinstance(state, list)
    assert isinstance(state[0], tuple) and state[1].shape == (B, 2)
    again, _ = layer(tensor(np.zeros((T, B, I), np.float32)), state)
    assert again.shape == (T, B, 2)


def test_readout_is_g2_of_a_linear_map():
    layer = nn.LSTM(I, H, bidirectional=True, dtype=np.float64, seed=0)
    model = nn.Readout(layer, 3, "softmax", dtype=np.float64)
    y, state = model(data(T, B, I))
    a, _ = layer(data(T, B, I))
    z = (
        a.detach().numpy() @ model.linear.weight.detach().numpy().T
        + model.linear.bias.detach().numpy()
    )
    close(y, np.exp(z) / np.exp(z).sum(-1, keepdims=True))
    assert {"layer.weight_ih_l0", "linear.bias"} <= set(model.state_dict()) and len(state) == 2


# Names and mistakes
def test_parameters_have_torchs_names_and_can_be_reached_by_them():
    layer = nn.LSTM(I, H, 2, bidirectional=True, proj_size=2, seed=0)
    names = [f"{p}_{q}_l0" for p in ("weight", "bias") for q in ("ih", "hh")] + ["weight_hr_l0"]
    assert [n for n, _ in layer.named_parameters()][:5] == names
    assert layer.weight_hh_l1_reverse is layer.cells[1][1].weight_hh
    layer.bias_ih_l0 = layer.bias_ih_l0.detach().requires_grad_()
    assert layer.cells[0][0].bias_ih is layer.bias_ih_l0
    with pytest.raises(AttributeError, match="no attribute 'weight_xx_l0'"):
        layer.weight_xx_l0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        layer.nothing


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m(data(T, B, 5)), RuntimeError, r"Expected 3, got 5"),
        (lambda m: m(data(T, B, I, 1)), ValueError, r"expects x as \(T, B, I\) or \(T, I\)"),
        (
            lambda m: m(data(T, B, I), (data(1, 3, H), data(1, B, H))),
            RuntimeError,
            r"Expected hidden\[0\] size \(1, 2, 4\), got \[1, 3, 4\]",
        ),
        (lambda m: m(data(T, B, I), data(1, B, H)), ValueError, "the state has 2 parts, got 1"),
        (
            lambda m: m(np.zeros((T, B, I))),
            TypeError,
            "whole numbers, got a numpy.ndarray",
        ),
        (lambda m: m(tensor(np.ones((T, B), bool))), TypeError, "got a Tensor of bool"),
        (lambda m: nn.Recurrent(nn.GRUCell), TypeError, "input_size must be .*, got None"),
        (lambda m: nn.LSTM(I, H, 0), ValueError, "LSTM: num_layers must be .* at least 1, got 0"),
        (
            lambda m: nn.LSTM(I, H, merge="max"),
            ValueError,
            r"LSTM: merge must be one of .*, got .max.",
        ),
        (
            lambda m: nn.GRU(I, H, dropout=-1),
            ValueError,
            "GRU: dropout must .* 0 and 1, got -1",
        ),
    ],
)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(nn.LSTM(I, H, dtype=np.float64, seed=0))


def test_a_state_splits_by_layer_and_direction():
    layer = nn.LSTM(I, H, 2, bidirectional=True, dtype=np.float64, seed=0)
    output, (h, c) = layer(data(T, B, I))
    split = layer.split_state((h, c))
    assert [len(pair) for pair in split] == [2, 2]
    close(split[1][0][0], output[-1, :, :H])
    close(split[1][1][0], output[0, :, H:])
    close(split[0][1][1], c[1])


def test_a_layer_can_be_copied_deeply():
    layer = nn.LSTM(I, H, 2, bidirectional=True, zoneout=0.1, dtype=np.float64, seed=0).eval()
    twin = copy.deepcopy(layer)
    close(twin(data(T, B, I))[0], layer(data(T, B, I))[0])
    twin.weight_hh_l0.data = twin.weight_hh_l0.data * 0
    assert layer.weight_hh_l0.detach().numpy().any()


def test_a_step_that_raises_leaves_the_layer_as_it_was():
    layer = nn.LSTM(I, H, dtype=np.float64, recurrent_dropout=0.5, seed=0)
    cell, calls = layer.cells[0][0].core, []

    def failing(x, state):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return nn.LSTMCell.step(cell, x, state)

    cell.step = failing
    with pytest.raises(KeyboardInterrupt):
        layer(data(T, B, I), trace=True)
    assert cell._record is None and cell._mask is None


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bits_and_layers_differ(kind):
    a, b, c = (kind(I, H, 2, bidirectional=True, seed=s) for s in (5, 5, 6))
    for (name, p), q, r in zip(
        a.state_dict().items(), b.state_dict().values(), c.state_dict().values()
    ):
        np.testing.assert_array_equal(p, q)
        assert (p != r).all(), name
    assert (a.weight_hh_l0.detach().numpy() != a.weight_hh_l0_reverse.detach().numpy()).all()
    assert all(abs(p).max() <= H**-0.5 for p in a.state_dict().values())


def test_layers_run_on_every_array_library(library):
    there = nn.LSTM(I, H, 2, bidirectional=True, dtype=np.float64, seed=0)
    here = nn.LSTM(I, H, 2, bidirectional=True, dtype=np.float64, device=library.device, seed=1)
    here.load_state_dict(there.state_dict())
    x = np.random.default_rng(0).normal(size=(T, B, I))
    results = []
    for layer, make in ((here, library.tensor), (there, tensor)):
        leaf = make(x, requires_grad=True)
        output, (h, c) = layer(leaf, lengths=[5, 3], trace=True)
        (output.sum() + (h * c).sum()).backward()
        results.append([library.numpy(v) if layer is here else v.detach().numpy() for v in (
            output, c, leaf.grad, layer.weight_hh_l1_reverse.grad)])  # fmt: skip
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)
