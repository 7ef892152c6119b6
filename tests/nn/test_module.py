"""Parameters found by walking, state dictionaries, modes, and the layers without a memory."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tinygrad_rnn import nn, pad, tanh, tensor


class Model(nn.Module):
    def __init__(self):
        self.embed = nn.Embedding(5, 3, seed=0)
        self.layers = [nn.Linear(3, 4, seed=1), {"out": nn.Linear(4, 5, bias=False, seed=2)}]
        self.layers[1]["out"].weight = self.layers[1]["out"].weight
        self.scale = tensor([2.0], requires_grad=True)
        self.register_buffer("table", tensor([1.0, 2.0]))
        self._private = tensor([1.0], requires_grad=True)
        self.result = self.scale * 2
        self.size = 3

    def forward(self, x):
        return self.layers[1]["out"](tanh(self.layers[0](self.embed(x)))) * self.scale


NAMES = ["embed.weight", "layers.0.weight", "layers.0.bias", "layers.1.out.weight", "scale"]


def test_parameters_are_found_by_walking_attributes():
    model = Model()
    assert [n for n, _ in model.named_parameters()] == NAMES
    assert list(model.state_dict()) == [*NAMES, "table"]
    assert [n for n, _ in model.named_modules()] == ["", "embed", "layers.0", "layers.1.out"]


def test_a_shared_tensor_is_one_parameter_under_all_its_names():
    model = Model()
    model.layers[0].weight = tensor(np.zeros((5, 3)), requires_grad=True)
    model.embed.weight = model.layers[0].weight
    assert len(list(model.parameters())) == len(NAMES) - 1
    assert list(model.state_dict()) == [*NAMES, "table"]


def test_train_and_eval_reach_every_module():
    model = nn.Sequential(nn.Dropout(0.5, seed=0), nn.Recurrent(nn.GRUCell(2, 3, seed=0)))
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert len(list(model.modules())) == 4
    assert all(m.training for m in model.train().modules())


def test_zero_grad_forgets_every_gradient():
    model = Model()
    model(tensor(np.array([0, 4]))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_freezing_takes_a_module_out_of_the_parameters():
    model = Model()
    model.layers[0].requires_grad_(False)
    assert [n for n, _ in model.named_parameters()] == [NAMES[0], *NAMES[3:]]
    assert "layers.0.weight" in model.state_dict()
    model.layers[0].requires_grad_()
    assert [n for n, _ in model.named_parameters()] == NAMES


# Loading
def test_what_was_saved_is_loaded_and_the_tensors_stay_the_same():
    a, b = Model(), Model()
    b.load_state_dict({n: v + 1 for n, v in a.state_dict().items()})
    for (name, p), old in zip(b.named_tensors(), a.state_dict().values(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), old + 1, err_msg=name)
    weight = b.embed.weight
    b.load_state_dict(a.state_dict())
    assert b.embed.weight is weight and weight.requires_grad


def test_all_problems_are_reported_at_once_and_nothing_is_loaded():
    model = Model()
    before = {n: v.copy() for n, v in model.state_dict().items()}
    wrong = {n: v + 1 for n, v in model.state_dict().items()}
    wrong["scale"] = np.zeros((2, 2))
    wrong["layers.0.bias"] = np.array(["a", "b", "c", "d"])
    del wrong["table"]
    wrong["extra"] = np.zeros(1)
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(wrong)
    message = str(caught.value)
    assert message.startswith("Error(s) in loading state_dict for Model:")
    assert 'Missing key(s) in state_dict: "table". ' in message
    assert 'Unexpected key(s) in state_dict: "extra". ' in message
    size = "size mismatch for scale: copying a param with shape (2, 2) from checkpoint, "
    assert size + "the shape in current model is (1,)." in message
    assert "layers.0.bias: cannot take over an array of dtype <U1" in message
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_strict_false_returns_what_did_not_match():
    model, state = Model(), Model().state_dict()
    del state["table"]
    missing, unexpected = model.load_state_dict({**state, "extra": np.zeros(1)}, strict=False)
    assert missing == ["table"] and unexpected == ["extra"]
    with pytest.raises(RuntimeError, match="size mismatch for scale"):
        model.load_state_dict({"scale": np.zeros(3)}, strict=False)


class Foreign:
    """A tensor of another library, as PyTorch's look: detach(), cpu(), __array__."""

    def __init__(self, values):
        self.values = values

    def detach(self):
        return self

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


def test_tensors_of_other_libraries_are_taken():
    model = nn.Linear(2, 1, seed=0)
    model.load_state_dict(
        {"weight": Foreign([[1.0, 2.0]]), "bias": tensor([3.0], requires_grad=True)}
    )
    assert model(tensor([1.0, 1.0])).tolist() == [6.0]
    assert model.weight.dtype == np.float32


def test_loading_copies():
    model, state = nn.Linear(1, 1, seed=0), {"weight": np.ones((1, 1)), "bias": np.zeros(1)}
    model.load_state_dict(state)
    state["weight"][0, 0] = 5
    assert model.weight.item() == 1


# Moving
def test_to_moves_the_tensors_themselves(library):
    model = nn.LSTM(2, 3, seed=0)
    weight = model.weight_hh_l0
    model.to(library.device).double()
    assert model.weight_hh_l0 is weight
    assert weight.device == library.device and weight.dtype == np.float64 and weight.requires_grad
    output, _ = model(library.tensor(np.zeros((4, 1, 2))))
    output.sum().backward()
    assert weight.grad.dtype == np.float64
    assert model.to(np.float32).weight_hh_l0.dtype == np.float32


def test_summary_shows_counts_and_the_spectral_radius_of_each_gate():
    model = nn.GRU(2, 3, dtype=np.float64, init={"hh": "orthogonal", "z.hh": 0.0}, seed=0)
    model.bias_hh_l0.requires_grad_(False)
    text = model.summary()
    assert "weight_ih_l0" in text and "9×2" in text and "frozen" in text
    assert text.splitlines()[5].split() == ["learning", str(18 + 27 + 9)]
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[-3:]}
    assert rows["cells.0.0.z"] == ["0.0000", "0.0000"]
    assert rows["cells.0.0.r"][1] == "1.0000"


# Layers without a memory
def test_linear_is_an_affine_map():
    layer = nn.Linear(3, 2, dtype=np.float64, seed=0)
    x = np.random.default_rng(0).normal(size=(4, 5, 3))
    want = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(tensor(x)).detach().numpy(), want, atol=1e-15)
    assert abs(layer.weight.detach().numpy()).max() <= 3**-0.5
    assert nn.Linear(3, 2, bias=False, seed=0).bias is None


def test_the_padding_row_of_an_embedding_stays_zero():
    table = nn.Embedding(4, 2, padding_idx=-1, dtype=np.float64, seed=0)
    rows = table(tensor(np.array([[0, 3], [0, 1]])))
    assert rows.shape == (2, 2, 2) and not rows.detach().numpy()[0, 1].any()
    rows.sum().backward()
    np.testing.assert_array_equal(table.weight.grad.numpy(), [[2, 2], [1, 1], [0, 0], [0, 0]])


def test_dropout_is_off_in_evaluation_and_scales_in_training():
    layer, x = nn.Dropout(0.25, seed=0), tensor(np.ones(10_000))
    kept = layer(x).numpy()
    assert set(np.unique(kept)) == {0, 1 / 0.75} and abs((kept == 0).mean() - 0.25) < 0.02
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="Dropout: p must be a probability between 0 and 1, got 2"):
        nn.Dropout(2)


def test_layer_norm_normalises_the_last_axes():
    x = np.random.default_rng(0).normal(size=(3, 4, 5)) * 7 + 3
    y = nn.LayerNorm((4, 5), dtype=np.float64)(tensor(x)).detach().numpy()
    np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-14)
    np.testing.assert_allclose(y.var((1, 2)), 1, atol=1e-5)
    assert not list(nn.LayerNorm(3, elementwise_affine=False).named_tensors())
    assert [n for n, _ in nn.LayerNorm(3, bias=False).named_tensors()] == ["weight"]


def test_convolutions_are_sums_over_windows():
    rng = np.random.default_rng(0)
    one = nn.Conv1d(2, 3, 2, stride=2, padding=1, dtype=np.float64, seed=0)
    x = rng.normal(size=(1, 2, 5))
    w, b = one.weight.detach().numpy(), one.bias.detach().numpy()
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    want = np.stack([(w * wide[0, :, k : k + 2]).sum((1, 2)) + b for k in (0, 2, 4)], -1)
    np.testing.assert_allclose(one(tensor(x)).detach().numpy()[0], want, atol=1e-14)
    two = nn.Conv2d(2, 3, (3, 2), bias=False, dtype=np.float64, seed=0)
    image = rng.normal(size=(1, 2, 4, 5))
    got = two(tensor(image)).detach().numpy()
    assert got.shape == (1, 3, 2, 4)
    want = (two.weight.detach().numpy() * image[0, :, 1:4, 2:4]).sum((1, 2, 3))
    np.testing.assert_allclose(got[0, :, 1, 2], want, atol=1e-14)


@pytest.mark.parametrize(("kernel", "sides"), [(3, (1, 1)), (4, (1, 2)), (1, (0, 0))])
def test_padding_same_keeps_the_length_and_pads_an_odd_one_at_the_end(kernel, sides):
    x = tensor(np.random.default_rng(0).normal(size=(2, 3, 9)))
    same = nn.Conv1d(3, 4, kernel, padding="same", dtype=np.float64, seed=0)
    bare = nn.Conv1d(3, 4, kernel, padding="valid", dtype=np.float64, seed=0)
    assert same(x).shape == (2, 4, 9)
    np.testing.assert_array_equal(same(x).tolist(), bare(pad(x, sides)).tolist())
    flat = nn.Conv2d(3, 4, (kernel, 2), padding="same", dtype=np.float64, seed=0)
    free = nn.Conv2d(3, 4, (kernel, 2), dtype=np.float64, seed=0)
    image = x.reshape(2, 3, 3, 3)
    want = free(pad(image, (0, 1, *sides)))
    np.testing.assert_allclose(flat(image).tolist(), want.tolist(), atol=1e-15)


def test_sequential_takes_functions_and_names_modules_by_position():
    model = nn.Sequential(nn.Linear(2, 3, seed=0), tanh, nn.Linear(3, 1, seed=1))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    x = tensor(np.ones((1, 2), np.float32))
    assert model(x).item() == model[2](tanh(model[0](x))).item() and len(model) == 3


def test_a_module_shows_the_call_that_makes_it():
    calls = [
        "LSTM(3, 4)",
        "LSTM(3, 4, num_layers=2, bidirectional=True)",
        "LSTM(3, 4, output_activation=None, peephole='full')",
        "GRU(3, 4, bias=False, zoneout=0.2, reset='before', candidate_dropout=0.1)",
        "RNN(3, 4, nonlinearity='relu')",
        "LSTMCell(3, 4, bias='single', form='stacked')",
        "Linear(3, 4, bias=False)",
        "Embedding(3, 4, padding_idx=0)",
        "Conv1d(1, 2, 3, padding='same')",
        "LayerNorm((2, 3), eps=0.1)",
        "Dropout(p=0.2)",
    ]
    for call in calls:
        assert repr(eval(f"nn.{call}")) == call
    assert repr(nn.LSTM(3, 4).compile("numpy")) == "LSTM(3, 4)"


def test_modules_within_are_a_tree_with_counts():
    model = nn.Sequential(nn.Embedding(5, 3, seed=0), nn.Readout(nn.GRU(3, 4), 2, seed=0))
    assert repr(model).splitlines() == [
        "Sequential()                    133",
        "  0: Embedding(5, 3)             15",
        "  1: Readout()                  118",
        "    layer: GRU(3, 4)            108",
        "    linear: Linear(4, 2)         10",
    ]


def test_a_notebook_shows_a_summary_as_tables():
    model = type("<i>", (nn.Module,), {})()
    model.weight = nn.Parameter([[3.0, 4.0]])
    text, html = model.summary(), model.summary()._repr_html_()
    assert text.splitlines()[1].split() == ["weight", "1×2", "2", "5"]
    assert html.startswith("<table>") and "<td>weight</td><td>1×2</td><td>2</td><td>5</td>" in html
    gates = nn.GRU(2, 3).summary()._repr_html_()
    assert gates.count("<table>") == 2 and "<th>spectral radius</th>" in gates


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        type("Empty", (nn.Module,), {})()()


LEFT = {
    "an input": lambda x, y: x,
    "an input that requires grad": lambda x, y: x.detach().requires_grad_(),
    "a result": lambda x, y: y,
    "a result without a graph": lambda x, y: y.detach(),
    "a mask": lambda x, y: x > 0,
    "a list": lambda x, y: [x, y.detach()],
    "a dictionary": lambda x, y: {"h": y.detach(), "more": (x,)},
    "an array": lambda x, y: y.detach().numpy(),
}


class Leaves(nn.Module):
    """Leaves something on itself in each forward."""

    def __init__(self, left):
        self.linear, self.left, self.last = nn.Linear(2, 3, seed=0), left, None
        self.own = tensor([1.0], requires_grad=True)

    def forward(self, x):
        y = self.linear(x) * self.own
        self.last = self.new = self.left(x, y)
        return y


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("frozen", [False, True])
def test_what_a_forward_leaves_is_no_parameter(left, frozen):
    model, before = Leaves(left), Leaves(left).state_dict()
    model.requires_grad_(not frozen)
    model(tensor([[1.0, 2.0]]))
    assert list(model.state_dict()) == list(before) == ["linear.weight", "linear.bias", "own"]
    assert len(list(model.parameters())) == (0 if frozen else 3)
    assert model.load_state_dict(before) == ([], [])
    copied = copy.deepcopy(Leaves(left).requires_grad_(not frozen))
    assert list(copied.state_dict()) == list(before)


def test_buffers_move_and_are_saved_but_do_not_learn():
    model = nn.Sequential(nn.Linear(1, 1, seed=0), nn.Module())
    model[1].register_buffer("mean", tensor([1.0]))
    model[1].register_buffer("cache", tensor([2.0]), persistent=False)
    model[1].register_parameter("scale", nn.Parameter([3.0], requires_grad=False))
    model[1].later = nn.Parameter([4.0])
    model[1].plain = tensor([5.0], requires_grad=True)  # set from outside: nobody said what it is
    assert list(model.state_dict())[2:] == ["1.mean", "1.scale", "1.later"]
    assert [n for n, _ in model.named_buffers()] == ["1.mean", "1.cache"]
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.later"]
    model.double().requires_grad_()
    assert all(b.dtype == np.float64 and not b.requires_grad for b in model.buffers())
    assert model[1].scale.requires_grad and model[1].plain.dtype == np.float32
    for name, value, error in (("a.b", None, ValueError), ("x", 3, TypeError),
                               ("forward", None, KeyError)):  # fmt: skip
        with pytest.raises(error, match="register_buffer"):
            model.register_buffer(name, value)


def test_a_state_dict_cannot_be_written():
    model = nn.Linear(2, 1, seed=0)
    x = tensor([[1.0, 2.0]], requires_grad=True)
    loss, state = model(x).sum(), model.state_dict()
    for array in state.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    loss.backward()
    assert x.grad.tolist() == state["weight"].tolist()
    changed = {name: array.copy() * 0 for name, array in state.items()}
    model.load_state_dict(changed)
    assert state["weight"].any() and not model.state_dict()["weight"].any()
