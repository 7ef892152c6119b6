"""Padding: nothing in it, NaN included, reaches a value or a gradient."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_rnn import nn, tensor

MODELS = {
    (kind, two): kind(2, 3, bidirectional=two, dtype=np.float64, seed=1)
    for kind in (nn.RNN, nn.GRU, nn.LSTM)
    for two in (False, True)
}
CASES, GROUPS = 1000, 10


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def padded(rng, T, B):
    lengths = rng.integers(0, T + 1, size=B)
    x = rng.normal(size=(T, B, 2))
    for b, n in enumerate(lengths):
        x[n:, b] = np.nan
    return x, lengths


def gradients(layer):
    got = [p.grad.numpy() if p.grad is not None else np.zeros(p.shape) for p in layer.parameters()]
    layer.zero_grad()
    return got


def one_by_one(layer, x, lengths, weights, first):
    """Outputs, last states and gradients from running each sequence alone, unpadded."""
    outputs, leaves, total = [], [], 0
    for b, n in enumerate(lengths):
        leaf = tensor(x[:n, b : b + 1], requires_grad=True)
        state = tuple(tensor(s[:, b : b + 1]) for s in first)
        out, end = layer(leaf, state if len(state) > 1 else state[0])
        total = (
            total
            + (out * tensor(weights[:n, b : b + 1])).sum()
            + sum((s * s).sum() for s in parts(end))
        )
        outputs.append((out, parts(end)))
        leaves.append(leaf)
    if total.requires_grad:
        total.backward()
    return outputs, leaves


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_padded_batch_is_its_sequences_one_by_one(group):
    rng = np.random.default_rng(group)
    for case in range(CASES // GROUPS):
        layer = list(MODELS.values())[case % len(MODELS)]
        T, B = rng.integers(1, 6), rng.integers(1, 4)
        x, lengths = padded(rng, T, B)
        weights = rng.normal(size=(T, B, layer.output_size))
        first = [rng.normal(size=s.shape) for s in parts(layer(tensor(np.zeros((1, B, 2))))[1])]
        leaf = tensor(x, requires_grad=True)
        state = tuple(tensor(s) for s in first)
        output, end = layer(leaf, state if len(state) > 1 else state[0], lengths=lengths)
        loss = (output * tensor(weights)).sum() + sum((s * s).sum() for s in parts(end))
        if loss.requires_grad:
            loss.backward()
        together = gradients(layer)
        alone, leaves = one_by_one(layer, x, lengths, weights, first)
        for a, b in zip(together, gradients(layer), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
        values = output.detach().numpy()
        for b, n in enumerate(lengths):
            np.testing.assert_allclose(
                values[:n, b], alone[b][0].detach().numpy()[:, 0], atol=1e-12
            )
            assert not values[n:, b].any()
            for whole, part in zip(parts(end), alone[b][1], strict=True):
                np.testing.assert_allclose(
                    whole.detach().numpy()[:, b], part.detach().numpy()[:, 0], atol=1e-12
                )
            if leaf.grad is not None:
                assert (leaf.grad.numpy()[n:, b] == 0).all()
                if n:
                    np.testing.assert_allclose(
                        leaf.grad.numpy()[:n, b], leaves[b].grad.numpy()[:, 0], atol=1e-12
                    )


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_deep_and_zoned_layers_mask_too(kind):
    rng = np.random.default_rng(0)
    layer = kind(2, 3, 2, bidirectional=True, zoneout=0.1, dtype=np.float64, seed=0).eval()
    x, lengths = padded(rng, 6, 4)
    output, _ = layer(tensor(x, requires_grad=True), lengths=lengths)
    output.sum().backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())
    for b, n in enumerate(lengths):
        alone = layer(tensor(x[:n, b : b + 1]))[0].detach().numpy()
        np.testing.assert_allclose(output.detach().numpy()[:n, b], alone[:, 0], atol=1e-12)


def test_a_mask_may_have_holes_and_both_layouts():
    rng = np.random.default_rng(0)
    mask = np.array([[1, 1], [0, 1], [1, 0], [0, 1]], bool)
    x = np.where(mask[..., None], rng.normal(size=(4, 2, 2)), np.nan)
    layer = nn.LSTM(2, 3, bidirectional=True, dtype=np.float64, seed=0)
    other = nn.LSTM(2, 3, bidirectional=True, batch_first=True, dtype=np.float64, seed=0)
    output, (h, _) = layer(tensor(x), mask=mask)
    for b in range(2):
        alone, (end, _) = layer(tensor(x[mask[:, b], b][:, None]))
        np.testing.assert_allclose(
            output.detach().numpy()[mask[:, b], b], alone.detach().numpy()[:, 0]
        )
        np.testing.assert_allclose(h.detach().numpy()[:, b], end.detach().numpy()[:, 0])
    again, _ = other(tensor(x.transpose(1, 0, 2)), mask=tensor(mask.T))
    np.testing.assert_array_equal(
        again.detach().numpy().transpose(1, 0, 2), output.detach().numpy()
    )


def test_padding_of_whole_numbers_may_be_out_of_range():
    layer = nn.GRU(5, 3, seed=0)
    words = np.array([[1, 2], [3, -1], [4, 99]])
    output, _ = layer(tensor(words), lengths=[3, 1])
    alone, _ = layer(tensor(words[:1, 1:]))
    np.testing.assert_allclose(output.tolist()[0][1], alone.tolist()[0][0])
    with pytest.raises(IndexError, match="index -1 is out of range"):
        layer(tensor(words))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lengths": [5, 1]}, ValueError, r"lengths\[0\]=5 exceeds the sequence length 4"),
        ({"lengths": [1, -2]}, ValueError, r"lengths\[1\]=-2 is negative"),
        ({"lengths": [1.5, 2.0]}, ValueError, "lengths must be whole numbers, got float64"),
        (
            {"lengths": [1, 2, 3]},
            ValueError,
            r"lengths has shape \(3,\), the batch has 2 sequences",
        ),
        ({"mask": np.ones((4, 2))}, TypeError, "mask must hold booleans, True on real steps"),
        (
            {"mask": np.ones((2, 4), bool)},
            ValueError,
            r"mask is \(2, 4\) as \(T, B\), the input \(4, 2\)",
        ),
        (
            {"mask": np.ones((4, 2), bool), "lengths": [1, 1]},
            ValueError,
            "lengths or mask, not both",
        ),
    ],
)
def test_bad_lengths_and_masks_are_named(options, error, message):
    with pytest.raises(error, match=message):
        nn.LSTM(2, 3, seed=0)(tensor(np.zeros((4, 2, 2), np.float32)), **options)


def test_pad_and_unpad_are_inverse():
    rng = np.random.default_rng(0)
    lengths = [3, 0, 5]
    pieces = [tensor(rng.normal(size=(n, 2)), requires_grad=True) for n in lengths]
    for batch_first in (False, True):
        whole = nn.pad_sequence(pieces, batch_first, padding_value=np.nan)
        assert whole.shape == ((3, 5, 2) if batch_first else (5, 3, 2))
        back = nn.unpad_sequence(whole, lengths, batch_first)
        for a, b in zip(pieces, back, strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    sum(b.sum() for b in back).backward()
    np.testing.assert_array_equal(pieces[0].grad.numpy(), np.ones((3, 2)))
