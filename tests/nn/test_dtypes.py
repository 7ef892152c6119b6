"""A layer computes in its parameters' dtype: input or a state of another one is refused."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from tinygrad_rnn import Tensor, nn, tensor

T, B, I, H = 3, 2, 4, 4
CASTS = {"float16": "half", "float32": "float", "float64": "double"}
FLOATS = [np.float16, np.float32, np.float64]
CELLS = [nn.RNNCell, nn.GRUCell, nn.LSTMCell, nn.MGUCell]
LAYERS = [nn.RNN, nn.GRU, nn.LSTM, nn.MGU]


class Own(nn.Cell):
    """A cell of one's own, whose parameters lie in modules in a list."""

    def __init__(self):
        super().__init__(I, H, seed=0)
        self.steps = [nn.Linear(I, H, seed=0), nn.Linear(H, H, seed=0)]

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        h = (self.steps[0](x) + self.steps[1](state)).tanh()
        return h, h


# name → (module, shape of its input, whether whole numbers are an input too)
MODULES: dict[str, tuple[Callable, tuple[int, ...], bool]] = {
    "Linear": (lambda: nn.Linear(I, H, seed=0), (B, I), False),
    "Conv1d": (lambda: nn.Conv1d(I, H, 2, seed=0), (B, I, 5), False),
    "Conv2d": (lambda: nn.Conv2d(I, H, 2, seed=0), (B, I, 5, 5), False),
    "LayerNorm": (lambda: nn.LayerNorm(I), (B, I), False),
    "EchoState": (lambda: nn.EchoState(I, H, 2, seed=0), (T, B, I), False),
    "Readout": (lambda: nn.Readout(nn.GRU(I, H, seed=0), 2), (T, B, I), True),
    "Sequential": (lambda: nn.Sequential(nn.Linear(I, H, seed=0)), (B, I), False),
    "Own": (Own, (B, I), False),
    "Zoneout": (lambda: nn.Zoneout(nn.GRUCell(I, H, seed=0), 0.1), (B, I), True),
    "WeightDrop": (lambda: nn.WeightDrop(nn.LSTMCell(I, H, seed=0), 0.5), (B, I), True),
    "stacked": (lambda: nn.LSTM(I, H, 2, bidirectional=True, seed=0), (T, B, I), True),
    "compiled": (lambda: nn.LSTM(I, H, seed=0).compile("numpy"), (T, B, I), True),
    "Recurrent(Own)": (lambda: nn.Recurrent(Own()), (T, B, I), False),
}
MODULES |= {c.__name__: (lambda c=c: c(I, H, seed=0), (B, I), True) for c in CELLS}
MODULES |= {c.__name__: (lambda c=c: c(I, H, seed=0), (T, B, I), True) for c in LAYERS}


@pytest.mark.parametrize("dtype", [*FLOATS, np.int64, np.uint8, np.bool_], ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", MODULES)
def test_a_module_takes_its_parameters_dtype_alone(name, dtype):
    build, shape, whole = MODULES[name]
    for own in FLOATS[1:]:
        layer = build().to(dtype=own)
        integers = np.dtype(dtype).kind in "iu"
        if dtype is own or (whole and integers):
            x = tensor(np.ones(shape[: -1 if integers else None], dtype))
            output = layer(x)
            first = output[0] if isinstance(output, tuple) else output
            assert first.dtype == own
            continue
        with pytest.raises((TypeError, ValueError)) as told:
            layer(tensor(np.ones(shape, dtype)))
        if np.dtype(dtype).kind == "f":
            mismatch = f"the input is {dtype.__name__}, the parameters are {own.__name__}"
            cure = f"x.{CASTS[own.__name__]}() or layer.{CASTS[dtype.__name__]}()"
            assert mismatch in str(told.value) and cure in str(told.value)
        elif integers:
            assert re.search(r"x\.(float|double)\(\)", str(told.value))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("cure", ["x", "layer"])
def test_both_cures_that_the_message_names_help(name, cure):
    build, shape, _ = MODULES[name]
    layer, x = build(), tensor(np.ones(shape))
    with pytest.raises(TypeError, match=re.escape("use x.float() or layer.double()")):
        layer(x)
    layer(x.float()) if cure == "x" else layer.double()(x)


@pytest.mark.parametrize("name", MODULES)
def test_an_array_is_no_tensor(name):
    build, shape, _ = MODULES[name]
    with pytest.raises(TypeError, match="must be a Tensor"):
        build()(np.ones(shape, np.float32))


@pytest.mark.parametrize("make", [*CELLS, *LAYERS], ids=lambda c: c.__name__)
@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("input_dtype", [np.float32, np.int64])
def test_a_state_of_another_dtype_is_refused(make, wrong, input_dtype):
    layer = make(I, H, seed=0)
    lead = () if make in CELLS else (T,)
    shape = (*lead, B) if input_dtype is np.int64 else (*lead, B, I)
    x = tensor(np.zeros(shape, input_dtype))
    parts = 2 if "LSTM" in make.__name__ else 1
    if wrong >= parts:
        return
    size = (1,) * len(lead) + (B, H)
    state = [tensor(np.zeros(size, np.float64 if k == wrong else np.float32)) for k in range(parts)]
    message = "the state is float64, the parameters are float32; use state.float()"
    with pytest.raises(TypeError, match=re.escape(message)):
        layer(x, tuple(state) if parts == 2 else state[0])
    good = [s.float() for s in state]
    layer(x, tuple(good) if parts == 2 else good[0])


def test_states_of_unlike_cells_are_checked_each():
    layer = nn.Recurrent([nn.LSTMCell(I, 3, seed=0), nn.GRUCell(3, 2, seed=0)])
    state = layer(tensor(np.zeros((T, B, I), np.float32)))[1]
    state[1] = state[1].double()
    with pytest.raises(TypeError, match="the state is float64"):
        layer(tensor(np.zeros((T, B, I), np.float32)), state)


def test_scan_by_hand_is_checked_too():
    cell = nn.GRUCell(I, H, seed=0)
    with pytest.raises(TypeError, match="the input is float64"):
        nn.scan(cell, tensor(np.zeros((T, B, I))), tensor(np.zeros((B, H), np.float32)))


@pytest.mark.parametrize("make", [
    lambda: nn.Embedding(5, 3, seed=0),
    lambda: nn.LanguageModel(5, 4, seed=0),
])  # fmt: skip
def test_symbols_are_whole_numbers(make):
    with pytest.raises(TypeError, match=re.escape("call input.long()")):
        make()(tensor(np.zeros((T, B), np.float32)))


def test_symbols_of_seq2seq_are_whole_numbers():
    model, ids = nn.Seq2Seq(5, 5, 4, attention=True, seed=0), tensor(np.zeros((T, B), np.int64))
    for pair in ((ids.float(), ids), (ids, ids.float())):
        with pytest.raises(TypeError, match=re.escape("call input.long()")):
            model(*pair)


@pytest.mark.parametrize("make", [
    lambda: nn.DotAttention(H),
    lambda: nn.GeneralAttention(H, H, seed=0),
    lambda: nn.AdditiveAttention(H, H, 3, seed=0),
])  # fmt: skip
def test_attention_compares_one_dtype(make):
    attention = make()
    encoded = tensor(np.ones((T, B, H), np.float32))
    memory = attention.memory(encoded)
    with pytest.raises(TypeError, match="float64"):
        attention(tensor(np.ones((B, H))), memory)
    assert attention(tensor(np.ones((B, H), np.float32)), memory)[0].dtype == np.float32


def test_a_crf_takes_emissions_of_its_dtype():
    with pytest.raises(TypeError, match=r"the emissions is float64.*use emissions.float\(\)"):
        nn.CRF(3, seed=0).decode(tensor(np.zeros((T, B, 3))))


def test_a_cell_with_whole_numbers_in_its_state_or_buffers_works():
    class Counting(nn.Cell):
        """h and how many steps there were."""

        state_names = ("h", "n")

        def __init__(self):
            self.register_buffer("period", tensor(np.array([2])))
            super().__init__(I, H, seed=0)
            self.weight = self.parameter(H, I)

        def start(self, batch, like):
            return super().start(batch, like), tensor(np.zeros((batch, 1), np.int64))

        def step(self, x, state):
            h, n = state
            return x @ self.weight.T, (x @ self.weight.T + h, n + 1)

    layer = nn.Recurrent(Counting())
    x = tensor(np.ones((T, B, I), np.float32))
    state = layer(x, layer(x)[1])[1]
    assert state[1].tolist() == [[[6], [6]]]


@pytest.mark.parametrize("shape", [(B, I), (B, I, 1)])
def test_whole_numbers_with_an_axis_of_features_are_refused_by_cells(shape):
    with pytest.raises(ValueError, match=r"expects x as \(B,\) or \(\) class.*call x.float"):
        nn.LSTMCell(I, H, seed=0)(tensor(np.ones(shape, np.int64)))


def test_a_cell_refuses_a_sequence():
    with pytest.raises(ValueError, match=r"LSTMCell expects x as \(B, I\) or \(I,\), got"):
        nn.LSTMCell(I, H, seed=0)(tensor(np.ones((T, B, I), np.float32)))
