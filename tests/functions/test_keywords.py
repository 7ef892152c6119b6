"""PyTorch's keywords and other names of arguments: each gives what the plain form gives."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as t
from tinygrad_rnn import nn, optim
from tinygrad_rnn.nn import functional as F

X = t.tensor([[-3.5, 2.0, 0.5], [4.0, -1.0, 2.5]])
N = t.tensor([[-7, 2, 5], [4, -1, 3]])
LSTM, ROW = nn.LSTM(3, 2, seed=0), t.zeros(4, 1, 3)
ZERO = (t.zeros(1, 1, 2), t.zeros(1, 1, 2))
RAMP = t.tensor([[1.0, 2.0, 3.0, 4.0]])
SAME = {  # name: (with the keyword, what it must equal)
    "add alpha": (lambda: t.add(X, X, alpha=3), lambda: X + 3 * X),
    "x.add alpha": (lambda: X.add(X, alpha=3), lambda: X + 3 * X),
    "sub alpha": (lambda: X.sub(1.0, alpha=2), lambda: X - 2.0),
    "div floor": (lambda: X.div(2, rounding_mode="floor"), lambda: (X / 2).floor()),
    "div trunc": (lambda: t.div(X, 2, rounding_mode="trunc"), lambda: (X / 2).trunc()),
    "integers trunc": (lambda: N.div(2, rounding_mode="trunc"),
        lambda: t.tensor([[-3, 1, 2], [2, 0, 1]])),
    "sum dtype": (lambda: X.sum(dim=1, dtype=t.float64), lambda: X.double().sum(1)),
    "mean dtype": (lambda: N.mean(dtype=t.float64), lambda: N.double().mean()),
    "prod dtype": (lambda: X.prod(0, dtype=t.float64), lambda: X.double().prod(0)),
    "cumsum dtype": (lambda: N.cumsum(1, dtype=t.float32), lambda: N.float().cumsum(1)),
    "cumprod dtype": (lambda: N.cumprod(1, dtype=t.float32), lambda: N.float().cumprod(1)),
    "softmax dtype": (lambda: F.softmax(X, dim=1, dtype=t.float64), lambda: X.double().softmax(1)),
    "log_softmax dtype": (lambda: F.log_softmax(N, 1, dtype=t.float32),
        lambda: N.float().log_softmax(1)),
    "var unbiased": (lambda: X.var(1, unbiased=False), lambda: X.var(1, correction=0)),
    "std unbiased": (lambda: t.std(X, dim=0, unbiased=True), lambda: X.std(0)),
    "sort stable": (lambda: X.sort(dim=1, stable=True).values, lambda: X.sort(1).values),
    "topk sorted": (lambda: X.topk(2, sorted=True).values, lambda: X.topk(2).values),
    "softplus threshold": (lambda: F.softplus(X, 1, 1.0), lambda: t.where(X > 1, X, F.softplus(X))),
    "like device": (lambda: t.zeros_like(X, device="cpu"), lambda: X * 0),
    "pad reflect": (lambda: F.pad(RAMP, (2, 1), mode="reflect"),
        lambda: t.tensor([[3.0, 2, 1, 2, 3, 4, 3]])),
    "pad replicate": (lambda: F.pad(RAMP, (2, 1), mode="replicate"),
        lambda: t.tensor([[1.0, 1, 1, 2, 3, 4, 4]])),
    "pad circular": (lambda: F.pad(RAMP, (2, 1), mode="circular"),
        lambda: t.tensor([[3.0, 4, 1, 2, 3, 4, 1]])),
    "cat of tensor([])": (lambda: t.cat([t.tensor([]), X]), lambda: X),
    "input=": (lambda: t.softmax(input=X, dim=1), lambda: X.softmax(1)),
    "zeros size=": (lambda: t.zeros(size=(2, 3)), lambda: t.zeros(2, 3)),
    "full size=": (lambda: t.full(size=(2,), fill_value=1.5), lambda: t.full((2,), 1.5)),
    "transpose dim0": (lambda: X.transpose(dim0=0, dim1=1), lambda: X.T),
    "permute dims": (lambda: X.permute(dims=(1, 0)), lambda: X.T),
    "split size": (lambda: t.split(X, split_size_or_sections=1)[1], lambda: X[1:]),
    "lstm input hx": (lambda: LSTM(input=ROW, hx=ZERO)[0], lambda: LSTM(ROW, ZERO)[0]),
    "lstm hx": (lambda: LSTM(ROW, hx=ZERO)[0], lambda: LSTM(ROW, ZERO)[0]),
    "linear input": (lambda: nn.Linear(3, 2, seed=0)(input=X), lambda: nn.Linear(3, 2, seed=0)(X)),
    "to dtype": (lambda: X.to(dtype=t.float64), lambda: X.double()),
    "to both": (lambda: X.to("cpu", t.float64, non_blocking=True), lambda: X.double()),
    "to like": (lambda: X.to(N), lambda: X.long()),
    "index_add": (lambda: X.index_add(1, t.tensor([0, 0]), t.ones(2, 2), alpha=2),
        lambda: X + t.tensor([4.0, 0, 0])),
    "baddbmm": (lambda: t.baddbmm(X, X.unsqueeze(0), t.eye(3).unsqueeze(0), beta=2),
        lambda: (3 * X).unsqueeze(0)),
    "addcmul": (lambda: t.addcmul(X, X, X, value=2), lambda: X + 2 * X * X),
    "clamp_min": (lambda: X.clamp_min(0), lambda: X.clamp(min=0)),
    "max_pool1d": (lambda: F.max_pool1d(RAMP.unsqueeze(0), 2), lambda: t.tensor([[[2.0, 4.0]]])),
    "AvgPool1d": (lambda: nn.AvgPool1d(2)(RAMP.unsqueeze(0)), lambda: t.tensor([[[1.5, 3.5]]])),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_the_keyword_gives_what_the_plain_form_gives(name):
    found, wanted = (f() for f in SAME[name])
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("call", [
    lambda: t.softmax(X, input=X),
    lambda: LSTM(ROW, hx=ZERO, state=ZERO),
    lambda: t.zeros(2, sizze=3),
    lambda: nn.Linear(3, 2, seed=0)(inputs=X),
])  # fmt: skip
def test_other_names_do_not_hide_mistakes(call):
    with pytest.raises(TypeError):
        call()


def test_a_forward_of_ones_own_keeps_its_names():
    class Net(nn.Module):
        """Takes x."""

        def forward(self, x):
            return x

    with pytest.raises(TypeError, match="input"):
        Net()(input=X)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_gradients_of_padding_are_sums_over_the_copies(mode):
    x = t.tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    t.gradcheck(lambda x: F.pad(x, (2, 1, 1, 0), mode=mode), (x,))


def test_padding_refuses_more_than_there_is():
    with pytest.raises(ValueError, match="at most 3"):
        F.pad(RAMP, (4, 0), mode="reflect")


def test_grad_modes_as_functions_blocks_and_decorators():
    try:
        t.set_grad_enabled(False)
        assert not t.is_grad_enabled()
    finally:
        t.set_grad_enabled(True)
    with t.set_grad_enabled(False):
        assert not t.is_grad_enabled()
    assert t.is_grad_enabled()
    f = t.set_grad_enabled(False)(t.is_grad_enabled)
    assert t.is_grad_enabled() and not f()
    assert not t.inference_mode()(t.is_grad_enabled)() and not t.inference_mode(t.is_grad_enabled)()
    with t.no_grad(), t.inference_mode(False):
        assert t.is_grad_enabled()


class Tree(nn.Module):
    """Layers at several depths."""

    def __init__(self):
        self.rnn = nn.GRU(3, 4, seed=0)
        self.more = nn.ModuleList([nn.Sequential(nn.Linear(4, 4, seed=0), nn.Tanh())])

    def forward(self, x):
        return self.more[0](self.rnn(x)[0])


def test_walking_hooks_and_compiling_a_module():
    net, seen = Tree(), []
    assert [n for n, _ in net.named_children()] == ["rnn", "more"]
    assert next(net.children()) is net.rnn
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net and seen[-1] == "Tree"
    handle = net.register_forward_hook(lambda module, args, out: out * 2)
    twice = net(ROW).detach().numpy()
    handle.remove()
    once = net(ROW).detach().numpy()
    np.testing.assert_array_equal(twice, 2 * once)
    fast = net.compile("numpy")
    assert fast is net and net.rnn.loop is not nn.scan
    np.testing.assert_allclose(net(ROW).detach().numpy(), once, rtol=1e-6)
    net.rnn.flatten_parameters()
    net.add_module("head", nn.Linear(4, 1, seed=0))
    assert "head.weight" in net.state_dict()
    with pytest.raises(TypeError, match="must be a Module"):
        net.add_module("wrong", X)
    (net(ROW) ** 2).sum().backward()
    net.zero_grad(set_to_none=False)
    assert (net.rnn.weight_ih_l0.grad == 0).all()


def test_batch_norm_by_its_formula():
    rng = np.random.default_rng(0)
    for shape in ((6, 3), (4, 3, 5)):
        norm, x = nn.BatchNorm1d(3), rng.normal(2, 3, shape).astype(np.float32)
        axes = (0,) if len(shape) == 2 else (0, 2)
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        y = norm(t.tensor(x)).detach().numpy()
        np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-4, atol=1e-5)
        n = x.size // 3
        np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * mean.ravel(), rtol=1e-5)
        unbiased = var.ravel() * n / (n - 1)
        np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * unbiased, rtol=1e-5)
        still = norm.eval()(t.tensor(x)).detach().numpy()
        m, v = (b.numpy().reshape(1, 3, *(1,) * (len(shape) - 2)) for b in norm.buffers())
        np.testing.assert_allclose(still, (x - m) / np.sqrt(v + 1e-5), rtol=1e-4, atol=1e-5)
    mean = t.zeros(3)
    F.batch_norm(t.tensor(x), mean, t.ones(3), training=True)
    np.testing.assert_allclose(mean.numpy(), 0.1 * x.mean((0, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match="no variance"):
        nn.BatchNorm1d(3)(t.zeros(1, 3))
    assert set(nn.BatchNorm1d(3).state_dict()) == {"weight", "bias", "running_mean", "running_var"}


def test_functional_dropout_draws_from_the_default_generator():
    t.manual_seed(3)
    first = F.dropout(t.ones(50), 0.5).tolist()
    t.manual_seed(3)
    assert F.dropout(t.ones(50), p=0.5, training=True).tolist() == first
    assert F.dropout(X, 0.5, training=False) is X


def test_pretrained_embeddings_are_frozen_unless_told():
    table = t.arange(6.0).reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table)
    assert layer(t.tensor([2])).tolist() == [[4, 5]] and not list(layer.parameters())
    assert len(list(nn.Embedding.from_pretrained(table, freeze=False).parameters())) == 1
    assert list(layer.state_dict()) == ["weight"]


def test_an_optimiser_sets_gradients_to_none_on_request():
    optim.SGD(LSTM.parameters(), lr=0.1).zero_grad(set_to_none=True)
