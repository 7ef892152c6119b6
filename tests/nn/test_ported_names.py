"""PyTorch's modules that are one function each, lists of modules, packed sequences, nn.utils."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as t
from tinygrad_rnn import nn, tensor
from tinygrad_rnn.nn import functional as F
from tinygrad_rnn.nn.activations import Activation
from tinygrad_rnn.nn.criteria import Loss
from tinygrad_rnn.nn.utils import parameters_to_vector, rnn, vector_to_parameters

RNG = np.random.default_rng(0)
X = tensor(RNG.normal(size=(3, 4)))
SCORES, CLASSES, REAL = X, tensor([0, 3, 1]), tensor(RNG.uniform(0.1, 0.9, (3, 4)))
TARGETS = {"NLLLoss": (SCORES, CLASSES), "CrossEntropyLoss": (SCORES, CLASSES),
           "BCELoss": (REAL, REAL), "BCEWithLogitsLoss": (SCORES, REAL),
           "KLDivLoss": (SCORES, REAL), "MarginRankingLoss": (X, REAL, X),
           "CosineEmbeddingLoss": (X, REAL, 2 * CLASSES.clamp(0, 1) - 1),
           "TripletMarginLoss": (X, REAL, X), "GaussianNLLLoss": (X, REAL, REAL),
           "MultiMarginLoss": (SCORES, CLASSES)}  # fmt: skip


@pytest.mark.parametrize("kind", Activation.__subclasses__(), ids=lambda c: c.__name__)
def test_an_activation_is_its_function(kind):
    module = nn.Sequential(kind())
    np.testing.assert_array_equal(module(X).numpy(), kind.function(X, **kind.takes).numpy())
    assert not list(module.parameters()) and kind.__doc__
    with pytest.raises(TypeError, match=rf"{kind.__name__}\(\) has no argument"):
        kind(surplus=1)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("kind", Loss.__subclasses__(), ids=lambda c: c.__name__)
def test_a_loss_is_its_function(kind, reduction):
    given = TARGETS.get(kind.__name__, (X, REAL))
    found, wanted = kind(reduction=reduction)(*given), kind.function(*given, reduction=reduction)
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    with pytest.raises(ValueError, match=f"{kind.__name__}: reduction"):
        kind(reduction="average")


def test_a_loss_with_class_weights_learns_nothing():
    loss = nn.CrossEntropyLoss(weight=tensor([1.0, 2.0, 1.0, 1.0]))
    assert not loss.state_dict() and not list(loss.parameters())


class Net(nn.Module):
    def __init__(self):
        self.layers = nn.ModuleList([nn.Linear(4, 4, seed=k) for k in range(2)])
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 2, seed=2)})
        self.heads["b"] = nn.Linear(4, 3, seed=3)

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return {name: head(x) for name, head in self.heads.items()}


def test_lists_and_dictionaries_have_pytorchs_state_dict():
    net = Net()
    names = [f"layers.{k}.{w}" for k in range(2) for w in ("weight", "bias")]
    names += [f"heads.{k}.{w}" for k in "ab" for w in ("weight", "bias")]
    assert list(net.state_dict()) == names
    assert net(X.float())["b"].shape == (3, 3)
    assert len(net.layers[:1]) == 1 and "a" in net.heads and list(net.heads) == ["a", "b"]
    with pytest.raises(TypeError, match="ModuleList holds Modules, got a function"):
        net.layers.append(lambda x: x)
    with pytest.raises(TypeError, match="ModuleDict holds Modules"):
        net.heads["c"] = 3


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_packed_sequences_are_lengths(kind, batch_first):
    layer = kind(4, 5, num_layers=2, bidirectional=True, batch_first=batch_first, seed=0)
    x, lengths = tensor(RNG.normal(size=(6, 3, 4))).float(), [2, 6, 4]
    x = x.transpose(0, 1) if batch_first else x
    packed = rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    output, state = layer(packed)
    padded, sizes = rnn.pad_packed_sequence(output, batch_first)
    wanted, last = layer(x, lengths=lengths)
    np.testing.assert_array_equal(padded.detach().numpy(), wanted.detach().numpy())
    assert sizes.numpy().tolist() == lengths and layer.batch_first == batch_first
    first = lambda s: (s[0] if isinstance(s, tuple) else s).detach().numpy()
    np.testing.assert_array_equal(first(state), first(last))


def test_packed_data_lies_as_in_pytorch():
    sequences = [tensor(np.arange(n) + 10.0 * n) for n in (1, 3, 2)]
    packed = rnn.pack_sequence(sequences, enforce_sorted=False)
    assert packed.data.numpy().tolist() == [30, 20, 10, 31, 21, 32]
    assert packed.batch_sizes.numpy().tolist() == [3, 2, 1]
    back = rnn.unpack_sequence(packed)
    assert [b.numpy().tolist() for b in back] == [s.numpy().tolist() for s in sequences]
    padded, _ = rnn.pad_packed_sequence(packed, True, -1.0, total_length=4)
    assert padded.numpy()[0].tolist() == [10, -1, -1, -1]
    with pytest.raises(RuntimeError, match="enforce_sorted=False"):
        rnn.pack_sequence(sequences)
    with pytest.raises(ValueError, match="lengths must be positive"):
        rnn.pack_padded_sequence(X, [3, 0, 1, 1], enforce_sorted=False)


def test_parameters_to_a_vector_and_back():
    net, other = nn.Linear(3, 2, seed=0), nn.Linear(3, 2, seed=1)
    vector = parameters_to_vector(net.parameters())
    assert vector.requires_grad and vector.shape == (8,)
    vector_to_parameters(vector, other.parameters())
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    with pytest.raises(ValueError, match="8 numbers"):
        vector_to_parameters(vector[:5], other.parameters())


def test_flatten_unflatten_and_identity():
    x = t.zeros(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Unflatten(1, (3, 1))(x).shape == (2, 3, 1, 4)
    assert nn.Identity(54, unused=True)(x) is x
