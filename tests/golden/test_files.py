"""Files that torch and safetensors wrote load without them, and theirs load ours where they are."""

from __future__ import annotations

import io

import numpy as np
import pytest

import golden
from tinygrad_rnn import Tensor, load, nn, optim, save, tensor

CASES = golden.load("files")


def at(value, path):
    """What lies at a path as recorded: keys joined by "/"."""
    for key in path.split("/") if path else ():
        value = value[int(key) if isinstance(value, (list, tuple)) or key.isdigit() else key]
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_others_wrote_is_loaded_bit_for_bit(case):
    value = load(io.BytesIO(case.arrays["file"].tobytes()))
    for path, array in case.named("expected").items():
        got = at(value, path)
        is_number = not isinstance(got, Tensor)
        got = np.asarray(got) if is_number else got.detach().numpy()
        assert got.shape == array.shape and np.array_equal(got, array), path
        assert is_number or got.dtype == array.dtype, path


def test_what_is_there_beside_the_numbers():
    (case,) = [case for case in CASES if case.name == "tensors-2"]
    value = load(io.BytesIO(case.arrays["file"].tobytes()))
    assert value["parameter"].requires_grad and not value["float32"].requires_grad
    (case,) = [case for case in CASES if case.name == "training-2"]
    value = load(io.BytesIO(case.arrays["file"].tobytes()))
    assert type(value["model"]) is dict and list(value) == ["model", "optimizer", "epoch"]
    (group,) = value["optimizer"]["param_groups"]
    assert group["betas"] == (0.9, 0.999) and group["foreach"] is None and group["lr"] == 0.01


def test_a_model_of_torch_loads_from_its_file():
    (case,) = [case for case in CASES if case.name == "training-2"]
    model = nn.LSTM(3, 4, num_layers=2)
    model.load_state_dict(load(io.BytesIO(case.arrays["file"].tobytes()))["model"])
    expected = case.named("expected/model")
    assert len(expected) == 8
    assert all(np.array_equal(a, expected[n]) for n, a in model.state_dict().items())


# ------------------------------------------------------------------ where torch is installed


@pytest.fixture
def saved(tmp_path):
    """A file of ours that holds a whole training state, and its model's parameters."""
    model = nn.GRU(3, 4, seed=0)
    adam = optim.Adam(model.parameters())
    model(tensor(np.ones((2, 1, 3))).float())[0].sum().backward()
    adam.step()
    path = tmp_path / "x.safetensors"
    save({"model": model.state_dict(), "adam": adam.state_dict(), "epoch": 3}, path)
    return path, {name: np.asarray(array) for name, array in model.state_dict().items()}


def test_safetensors_reads_our_files(saved):
    numpy_reader = pytest.importorskip("safetensors.numpy")
    safetensors = pytest.importorskip("safetensors")
    path, parameters = saved
    read = numpy_reader.load_file(path)
    assert all(np.array_equal(read[f"model.{n}"], a) for n, a in parameters.items())
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata()["tinygrad_rnn"] == "1"


def test_torch_reads_our_files(saved):
    torch = pytest.importorskip("torch")
    reader = pytest.importorskip("safetensors.torch")
    path, parameters = saved
    read = reader.load_file(path)
    layer = torch.nn.GRU(3, 4)
    layer.load_state_dict({n: read[f"model.{n}"] for n in parameters})
    assert all(np.array_equal(p.detach(), parameters[n]) for n, p in layer.named_parameters())


def test_what_torch_writes_now_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    layer = torch.nn.LSTM(3, 4, bidirectional=True)
    adam = torch.optim.Adam(layer.parameters())
    layer(torch.ones(2, 1, 3))[0].sum().backward()
    adam.step()
    torch.save({"layer": layer.state_dict(), "adam": adam.state_dict()}, tmp_path / "x.pt")
    value = load(tmp_path / "x.pt")
    moments = adam.state_dict()["state"][0]["exp_avg"].numpy()
    assert np.array_equal(value["adam"]["state"][0]["exp_avg"].numpy(), moments)
    for name, array in layer.state_dict().items():
        assert np.array_equal(value["layer"][name].numpy(), array.numpy())
