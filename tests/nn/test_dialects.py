"""Weights to and from PyTorch, Keras and ONNX, against numbers recorded from each."""

from __future__ import annotations

from types import SimpleNamespace

import golden
import numpy as np
import pytest

from tinygrad_rnn import nn, relu, stack, tensor
from tinygrad_rnn.nn import dialects

I, H, T, B = 3, 4, 5, 2
TORCH = [c for c in golden.load("torch_recurrent") if not c.name.endswith("Cell")]
KERAS = [c for c in golden.load("keras_recurrent") if c.options["direction"] == "forward"]
ONNX = [c for c in golden.load("onnx_recurrent") if "activations" not in c.options]


def label(case):
    return "-".join([case.name, *(f"{v}" for v in case.options.values())])


def data(*shape):
    return tensor(np.random.default_rng(0).normal(size=shape))


def same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], err_msg=name)


class Module(SimpleNamespace):
    """What `from_torch` reads of a torch.nn.LSTM."""

    def state_dict(self):
        return self.state


def as_torch(case):
    defaults = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
    defaults |= {"bidirectional": False, "proj_size": 0, "nonlinearity": "tanh"}
    kind = type(case.name, (Module,), {})
    return kind(**(defaults | case.options), state=case.named("weight"))


@pytest.mark.parametrize("case", TORCH, ids=label)
def test_a_torch_layer_comes_and_goes_back(case):
    layer = dialects.from_torch(as_torch(case))
    assert (layer.batch_first, layer.num_layers) == (
        case.options.get("batch_first", False),
        case.options.get("num_layers", 1),
    )
    same(dialects.to_torch(layer), case.named("weight"))


@pytest.mark.parametrize("case", KERAS, ids=label)
def test_keras_weights_give_keras_outputs_and_go_back(case):
    weights = case.named("weight")
    options = {"nonlinearity": case.options["activation"]} if case.name == "SimpleRNN" else {}
    if case.name == "GRU":
        options["reset"] = "after" if case.options["reset_after"] else "before"
    for given in (weights, list(weights.values())):
        cell = dialects.from_keras(case.name, given, **options)
        mask = case.arrays.get("mask")
        x = tensor(case.arrays["input/x"])
        masked = "repeat" if case.options.get("repeat") else "zero"
        output, _ = nn.Recurrent(cell, batch_first=True, masked_output=masked)(x, mask=mask)
        np.testing.assert_allclose(
            output.detach().numpy(), case.arrays["output/output"], rtol=1e-7, atol=1e-9
        )
        same(dialects.to_keras(cell), weights)


@pytest.mark.parametrize("case", ONNX, ids=label)
def test_onnx_weights_give_onnx_outputs_and_go_back(case):
    inputs, reset = case.named("input"), case.options.get("linear_before_reset", 0)
    cells = dialects.from_onnx(case.name, inputs, reset)
    x, lengths = tensor(inputs["X"]), inputs.get("sequence_lens")
    states = [inputs[k] for k in ("initial_h", "initial_c") if k in inputs]
    first = [cell.start(x.shape[1], x) for cell in cells]
    if states:
        first = [tuple(tensor(s[d]) for s in states) for d in range(len(cells))]
        first = [s if len(s) > 1 else s[0] for s in first]
    mask = None if lengths is None else np.arange(len(x))[:, None] < lengths
    back = case.options["direction"] == "reverse"
    runs = [
        nn.scan(cell, x, first[d], mask, reverse=back or d == 1)[0] for d, cell in enumerate(cells)
    ]
    got = stack([stack(list(run)) for run in runs], 1).detach().numpy()
    tolerance = 1e-9 if got.dtype == np.float64 else 2e-6
    np.testing.assert_allclose(got, case.arrays["output/Y"], rtol=tolerance, atol=tolerance)
    made = dialects.to_onnx(nn.Recurrent([cells]))
    if case.name == "GRU":
        assert made.pop("linear_before_reset") == reset
    same(made, {k: inputs[k] for k in ("W", "R", "B", "P") if k in inputs})


def test_a_gate_that_writes_becomes_one_that_keeps():
    for target in ("keras", "onnx"):
        ours = nn.GRUCell(I, H, reset="before", update="writes", dtype=np.float64, seed=0)
        if target == "keras":
            theirs = dialects.from_keras("GRU", dialects.to_keras(ours))
        else:
            made = dialects.to_onnx(nn.Recurrent(ours))
            theirs = dialects.from_onnx("GRU", made, made["linear_before_reset"])[0]
        assert theirs.update == "keeps" and theirs.reset == "before"
        x, h = data(B, I), data(B, H)
        want = ours(x, h).detach().numpy()
        np.testing.assert_allclose(theirs(x, h).detach().numpy(), want, atol=1e-15)


def test_the_stacked_form_and_the_single_bias_are_laid_out_as_torch_has_them():
    for options in ({"form": "stacked"}, {"bias": "single"}):
        ours = nn.LSTM(I, H, dtype=np.float64, seed=0, **options)
        theirs = nn.LSTM(I, H, dtype=np.float64, seed=1)
        theirs.load_state_dict(dialects.to_torch(ours))
        x = data(T, B, I)
        np.testing.assert_allclose(
            theirs(x)[0].detach().numpy(), ours(x)[0].detach().numpy(), atol=1e-15
        )


@pytest.mark.parametrize(
    ("export", "message"),
    [
        (
            lambda: dialects.to_torch(nn.GRU(I, H, reset="before")),
            "torch has no GRUCell with reset='before'",
        ),
        (
            lambda: dialects.to_torch(nn.LSTM(I, H, peephole="full")),
            "LSTMCell with peephole='full'",
        ),
        (lambda: dialects.to_torch(nn.RNN(I, H, nonlinearity="elu")), "nonlinearity='elu'"),
        (lambda: dialects.to_keras(nn.LSTMCell(I, H, peephole="diagonal")), "peephole='diagonal'"),
        (lambda: dialects.to_keras(nn.LSTMCell(I, H, proj_size=2)), "proj_size=2"),
        (lambda: dialects.to_keras(nn.LSTMCell(I, H, output_activation=None)), "output_activation"),
        (
            lambda: dialects.to_keras(nn.GRUCell(I, H, gate_activation=relu)),
            "gate_activation='relu'",
        ),
        (lambda: dialects.to_onnx(nn.LSTM(I, H, coupled=True)), "coupled=True"),
        (lambda: dialects.to_onnx(nn.LSTM(I, H, 2)), "one layer, this has 2"),
        (
            lambda: dialects.from_keras("GRU", [np.zeros((2, 7)), np.zeros((2, 7))], reset="after"),
            "not those of 3 gates",
        ),
    ],
)
def test_what_a_dialect_cannot_say_raises(export, message):
    with pytest.raises(ValueError, match=message):
        export()


def test_a_gru_of_keras_without_bias_does_not_tell_its_reset():
    weights = [np.ones((I, 3 * H)), np.ones((H, 3 * H))]
    with pytest.raises(ValueError, match=r'does not tell its reset_after: pass reset="after"'):
        dialects.from_keras("GRU", weights)
    cells = [dialects.from_keras("GRU", weights, reset=r) for r in ("after", "before")]
    assert [c.reset for c in cells] == ["after", "before"]
    assert dialects.from_keras("GRU", [*weights, np.ones((2, 3 * H))]).reset == "after"
    assert dialects.from_keras("GRU", [*weights, np.ones(3 * H)]).reset == "before"


def test_dropouts_are_no_weights():
    noisy = nn.LSTM(I, H, zoneout=0.1, input_dropout=0.1, candidate_dropout=0.2, seed=0)
    plain = nn.LSTM(I, H, seed=1)
    plain.load_state_dict(dialects.to_torch(noisy))
    for name, array in noisy.state_dict().items():
        np.testing.assert_array_equal(plain.state_dict()[name], array)
    assert set(dialects.to_onnx(noisy)) == {"W", "R", "B"}
    assert set(dialects.to_keras(noisy.cells[0][0])) == {"kernel", "recurrent_kernel", "bias"}


@pytest.mark.parametrize("form", ["separate", "per_gate"])
def test_diagonal_peepholes_of_any_form_go_to_onnx_and_back(form):
    ours = nn.LSTM(I, H, form=form, peephole="diagonal", bias="single", dtype=np.float64, seed=0)
    (theirs,) = dialects.from_onnx("LSTM", dialects.to_onnx(ours))
    x = data(T, B, I)
    want = ours(x)[0].detach().numpy()
    np.testing.assert_allclose(nn.Recurrent(theirs)(x)[0].detach().numpy(), want, atol=1e-15)


def test_unknown_kinds_raise():
    with pytest.raises(ValueError, match="one of 'RNN', 'GRU', 'LSTM', got 'Lstm'; did you mean"):
        dialects.from_keras("Lstm", [])
    with pytest.raises(TypeError, match="no dialect knows MGUCell; they know RNN, GRU, LSTM"):
        dialects.to_keras(nn.MGUCell(I, H))
    with pytest.raises(TypeError, match="not SimpleNamespace"):
        dialects.from_torch(SimpleNamespace())
