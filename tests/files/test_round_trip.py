"""What is saved comes back: types, bits, order, names; and a run that was saved goes on."""

from __future__ import annotations

import io
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn import CheckpointError, Generator, Tensor, load, nn, optim, save, tensor
from tinygrad_rnn.files.safetensors import CODES


def through(value):
    file = io.BytesIO()
    save(value, file)
    return load(file)


def bits(value):
    """A value as types and bytes, so that equal means the same to the last bit."""
    if isinstance(value, Tensor):
        return Tensor, value.requires_grad, bits(value.detach().numpy())
    if isinstance(value, (np.ndarray, np.generic)):
        return type(value), value.dtype.newbyteorder("="), value.shape, value.tobytes()
    if isinstance(value, float):
        return float, struct.pack(">d", value)
    if isinstance(value, complex):
        return complex, bits(value.real), bits(value.imag)
    if isinstance(value, dict):
        return dict, [(bits(k), bits(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [bits(v) for v in value]
    if isinstance(value, Generator):
        return Generator, value.device, value.initial_seed(), value.state
    return type(value), value


DTYPES = sorted(str(dtype.newbyteorder("=")) for dtype in CODES)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**40), 10**40), st.floats(),
    st.complex_numbers(), st.binary(max_size=9),
    st.text(st.characters(exclude_categories=()), max_size=6),  # lone surrogates among them
)  # fmt: skip
arrays = st.builds(
    lambda kind, shape, seed: np.frombuffer(
        np.random.default_rng(seed).bytes(math.prod(shape) * np.dtype(kind).itemsize), kind
    ).reshape(shape),
    st.sampled_from([d for d in DTYPES if d != "bool"]),
    st.lists(st.integers(0, 4), max_size=3).map(tuple),
    st.integers(0, 9),
)
keys = st.one_of(st.text(max_size=4), st.integers(-3, 3), st.tuples(st.integers(0, 3), st.text()))
values = st.recursive(
    scalars | arrays,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(st.sampled_from(["a", "a.b", "b", ""]), inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(values)
def test_any_nesting_comes_back_bit_for_bit(value):
    assert bits(through(value)) == bits(value)


PAYLOAD = struct.unpack(">d", bytes.fromhex("7ff8dead0000beef"))[0]  # one of many NaN
CORNERS = [
    0.0, -0.0, 5e-324, -1.5, 1e308, math.inf, -math.inf, math.nan, PAYLOAD,
    True, 1, 1.0, 2**53, 2**53 + 1, -(2**63), 2**63, 10**5000, -(10**5000), complex(math.nan, -0.0),
    "", "\0", "𝔸\ud800é", b"", b"\0\xff", "x" * 100_000, [], (), {}, [[]], ((),), {"": {"": []}},
    {1: "one", "1": "string", (1, ("x",)): None, None: 2}, {True: 1, 2.5: 3},
    [0.1] * 64, [math.nan] * 65, [1] * 64, [2**62] * 64, [2**63] * 64, [True] * 64, [1, 1.0] * 40,
    (0.5,) * 99, np.float32(1.5), np.int8(-3), np.bool_(True), np.float64(math.pi),
]  # fmt: skip


@pytest.mark.parametrize("value", CORNERS, ids=range(len(CORNERS)))
def test_corners_come_back(value):
    assert bits(through(value)) == bits(value)
    assert bits(through({"a": [value, (value,)]})) == bits({"a": [value, (value,)]})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_every_dtype_and_shape_comes_back(dtype, shape):
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    assert bits(through(array)) == bits(array)


def test_any_memory_layout_comes_back_contiguous_and_native():
    base = np.arange(24.0).reshape(2, 3, 4)
    for array in (base.T, base[::-1, :, ::2], base[:, 1], np.broadcast_to(base[0, 0], (5, 4)),
                  base.astype(">f8"), np.asfortranarray(base)):  # fmt: skip
        again = through(array)
        assert np.array_equal(again, array) and again.dtype == np.float64
        assert again.flags["C_CONTIGUOUS"] and again.flags["WRITEABLE"]


def test_tensors_keep_whether_they_learn():
    learns, fixed, whole = tensor([1.5, 2.0], requires_grad=True), tensor([1.0]), tensor([1, 2])
    again = through([learns, fixed, whole])
    assert [bits(x) for x in again] == [bits(x) for x in (learns, fixed, whole)]
    assert all(x.is_leaf for x in again)


def test_tensors_of_any_library_come_to_the_host(library):
    x = library.tensor([1.0, 2.0])
    again = through({"x": x, "array": x._array})
    assert isinstance(again["x"], Tensor) and again["x"].device == "cpu"
    assert np.array_equal(again["array"], [1.0, 2.0]) and type(again["array"]) is np.ndarray


def test_map_location_says_where_tensors_go(library):
    file = io.BytesIO()
    save({"x": tensor([1.0, 2.0]), "array": np.ones(2)}, file)
    again = load(file, map_location=library.tensor([0.0]).device)
    assert again["x"].device == library.tensor([0.0]).device
    assert type(again["array"]) is np.ndarray
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        load(file, map_location="tpu")


def test_generators_go_on_where_they_were():
    generator = Generator(seed=7)
    generator.normal((5,))
    again = through({"draw": generator})["draw"]
    assert bits(again) == bits(generator)
    assert np.array_equal(again.normal((9,)).numpy(), generator.normal((9,)).numpy())


def test_states_of_numpys_own_generators_come_back():
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        source = np.random.Generator(kind(3))
        source.random(5)
        other = np.random.Generator(kind(4))
        other.bit_generator.state = through(source.bit_generator.state)
        assert np.array_equal(source.random(9), other.random(9))


def test_a_flat_state_dict_has_its_own_names_in_the_file():
    from tinygrad_rnn.files.bounded_file import BoundedFile
    from tinygrad_rnn.files.safetensors import read_header

    state, file = nn.LSTM(2, 3, seed=0).state_dict(), io.BytesIO()
    save(state, file)
    assert list(read_header(BoundedFile(file)).entries) == list(state)


def test_tied_weights_stand_under_both_names():
    shared = np.ones(3, np.float32)
    again = through({"a": shared, "b": shared})
    assert np.array_equal(again["a"], again["b"])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"net": {"f": print}}, "'net.f' is a builtin_function_or_method"),
        ({"net": nn.Linear(2, 2)}, r"'net' is a Linear; save its state_dict\(\)"),
        ([{1, 2}], "'0' is a set"),
        (object(), "the value is a object; a file holds Tensors"),
        ({"x": np.array(["a"])}, "'x' has dtype <U1; a file holds float64"),
        ({"x": np.array([None])}, "'x' has dtype object"),
        ({"x": np.zeros(2, "g")}, "'x' has dtype (float128|longdouble)"),
        ({object(): 1}, "'key' is a object"),
    ],
)  # fmt: skip
def test_what_no_file_holds_is_named_before_anything_is_written(value, said, tmp_path):
    path = tmp_path / "x"
    with pytest.raises(TypeError, match=said):
        save(value, path)
    assert not path.exists()


def test_a_list_that_holds_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(ValueError, match="does it hold itself"):
        save(endless, io.BytesIO())
    deep: list = []
    for _ in range(99):
        deep = [deep]
    assert through(deep) == deep


def test_weights_only_false_is_refused():
    with pytest.raises(ValueError, match="weights_only=False"):
        load(io.BytesIO(), weights_only=False)


def test_what_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        save({}, tmp_path / "none" / "x")


def test_the_error_names_the_file(tmp_path):
    path = tmp_path / "notes.txt"
    for content in (b"", b"Dear diary", b"{}", b"\x80\x04]."):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"notes\.txt: "):
            load(path)


def _train(model, optimizer, generator, steps):
    losses = []
    for _ in range(steps):
        x = generator.normal((4, 2, 3))
        loss = model(x)[0].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "adagrad": lambda p: optim.Adagrad(p),
    "rmsprop": lambda p: optim.RMSprop(p, momentum=0.5, centered=True),
    "adam": lambda p: optim.Adam(p, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_saved_run_goes_on_bit_for_bit(kind, tmp_path):
    def start(seed):
        model = nn.GRU(3, 4, num_layers=2, seed=seed)
        optimizer = OPTIMIZERS[kind](model.parameters())
        return model, optimizer, optim.StepLR(optimizer, 2), Generator(seed)

    model, optimizer, schedule, generator = start(1)
    _train(model, optimizer, generator, 3)
    schedule.step()
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    state = {name: part.state_dict() for name, part in parts.items()}
    save(state | {"generator": generator}, tmp_path / "run")
    expected = _train(model, optimizer, generator, 3)

    saved = load(tmp_path / "run")
    model, optimizer, schedule, _ = start(2)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    assert _train(model, optimizer, saved["generator"], 3) == expected
