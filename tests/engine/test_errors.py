"""More than 300 wrong calls: each raises the documented exception, naming what came and what fits.

A row is (call, exception, what the message must contain). Texts with a number or shape in them are
the point: whoever reads the message must see the offending value and the expected one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, tensor


def real(*shape: int) -> Tensor:
    return tensor(np.arange(float(np.prod(shape, dtype=int))).reshape(shape), requires_grad=True)


Row = tuple[str, Callable, type, tuple[str, ...]]
ROWS: list[Row] = []


def wrong(call: Callable, error: type, *texts: str, name: str = "") -> None:
    ROWS.append((name or f"{len(ROWS)}", call, error, texts))


# Shapes that do not broadcast: the operation and both shapes
BINARY = (
    "add sub mul div power maximum minimum fmod remainder atan2 hypot logaddexp xlogy equal less "
    "greater"
).split()
for name in BINARY:
    for a, b in [((2,), (3,)), ((2, 3), (2,)), ((4, 1, 3), (2, 2)), ((0,), (2,))]:
        wrong(lambda f=name, a=a, b=b: getattr(tg, f)(real(*a), real(*b)), ValueError,
              f"{name}:", f"{a}", f"{b}", name=f"{name}{a}{b}")  # fmt: skip
for a, b, inner in [((2, 3), (4, 5), "3 ≠ 4"), ((3,), (4,), "3 ≠ 4"), ((2, 3), (2,), "3 ≠ 2"),
                    ((3,), (2, 3), "3 ≠ 2"), ((5, 2, 3), (4, 3), "3 ≠ 4"),
                        ((2, 0), (1, 2), "0 ≠ 1")]:  # fmt: skip
    wrong(lambda a=a, b=b: real(*a) @ real(*b), ValueError, "matmul", f"{a}", f"{b}", inner)
wrong(lambda: real(2, 3, 4) @ real(3, 4, 5), ValueError, "matmul", "(2, 3, 4)", "(3, 4, 5)")
for a, b in [((), (2,)), ((2,), ())]:
    wrong(lambda a=a, b=b: real(*a) @ real(*b), ValueError, "matmul", f"{a}", f"{b}")
wrong(lambda: tg.where(tensor([True, False]), real(3), 0.0), ValueError, "where", "(2,)", "(3,)")

# Axes that are not there: PyTorch's words, the range and what came
RANGE = "Dimension out of range (expected to be in range of [-2, 1], but got {})"
ALONG: dict[str, Callable] = {
    n: lambda x, d, n=n: getattr(tg, n)(x, d)
    for n in "sum mean var std amax amin max min argmax argmin logsumexp cumsum cumprod "
    "cummax softmax softmin log_softmax sort argsort squeeze flip unbind "
    "all any var_mean std_mean".split()
}  # fmt: skip
ALONG |= {
    "prod": lambda x, d: tg.prod(x, d), "norm": lambda x, d: tg.norm(x, 2, d), "glu": tg.glu,
    "flatten": lambda x, d: tg.flatten(x, d), "permute": lambda x, d: tg.permute(x, 0, d),
    "transpose": lambda x, d: tg.transpose(x, 0, d), "swapaxes": lambda x, d: tg.swapaxes(x, d, 0),
    "movedim": lambda x, d: tg.movedim(x, d, 0), "roll": lambda x, d: tg.roll(x, 1, d),
    "cat": lambda x, d: tg.cat([x, x], d), "narrow": lambda x, d: tg.narrow(x, d, 0, 1),
    "select": lambda x, d: tg.select(x, d, 0), "split": lambda x, d: tg.split(x, 1, d),
    "chunk": lambda x, d: tg.chunk(x, 2, d), "unfold": lambda x, d: tg.unfold(x, d, 1, 1),
    "diagonal": lambda x, d: tg.diagonal(x, 0, 0, d), "unflatten": lambda x,
        d: tg.unflatten(x, d, (1, -1)),
    "gather": lambda x, d: tg.gather(x, d, tensor([[0]])), "topk": lambda x, d: tg.topk(x, 1, d),
    "index_select": lambda x, d: tg.index_select(x, d, tensor([0])), "sum of two": lambda x,
        d: tg.sum(x, (0, d)),
    "take_along_dim": lambda x, d: tg.take_along_dim(x, tensor([[0]]), d),
}  # fmt: skip
for name, call in ALONG.items():
    for d in (2, -3, 7):
        wrong(
            lambda c=call, d=d: c(real(2, 3), d),
            IndexError,
            RANGE.format(d),
            name=f"{name} dim={d}",
        )
for name in ("unsqueeze", "stack"):
    for d in (3, -4):
        call = tg.unsqueeze if name == "unsqueeze" else lambda x, d: tg.stack([x, x], d)
        wrong(
            lambda c=call, d=d: c(real(2, 3), d),
            IndexError,
            "[-3, 2]",
            f"got {d}",
            name=f"{name} dim={d}",
        )
wrong(lambda: tg.sum(real(2, 3), (0, 0)), ValueError, "twice", "(0, 0)")

# Shapes that do not fit the number of values
for shape in [(4,), (-1, 4), (2, 2), (7, -1), (-1, -1), (0,), (0, -1), (-2, 3)]:
    wrong(lambda s=shape: real(6).reshape(*s), ValueError, f"{list(shape)}", "input of size 6")
for shape in [(2, 4), (3,), (4, 2, 2)]:
    wrong(lambda s=shape: tg.broadcast_to(real(2, 3), s), ValueError, "(2, 3)", f"{shape}")
wrong(lambda: real(2, 3).expand(3), ValueError, "[3]", "(2, 3)")
wrong(lambda: real(2, 3).expand(-1, 2, 3), ValueError, "[-1, 2, 3]", "(2, 3)")
wrong(lambda: tg.flatten(real(2, 3), 1, 0), ValueError, "start_dim cannot come after end_dim")
wrong(lambda: tg.unflatten(real(6), 0, (4, 2)), ValueError, "[4, 2]", "6")
wrong(lambda: tg.unflatten(real(6), 0, (4, -1)), ValueError, "[4, -1]", "6")
wrong(lambda: tg.permute(real(2, 3), 0, 0), ValueError, "(0, 0)", "(2, 3)")
wrong(lambda: tg.permute(real(2, 3), 0), ValueError, "(0,)", "(2, 3)")
wrong(lambda: tg.movedim(real(2, 3), (0, 1), 0), ValueError, "(0, 1)", "0")
wrong(lambda: tg.repeat(real(2, 3), 2), ValueError, "(2,)", "(2, 3)")
wrong(lambda: tg.split(real(6), 0), ValueError, "positive", "0")
wrong(lambda: tg.split(real(6), [2, 3]), ValueError, "[2, 3]", "6")
wrong(lambda: tg.split(real(6), [7, -1]), ValueError, "[7, -1]", "6")
wrong(lambda: tg.chunk(real(6), 0), ValueError, "greater than 0", "0")
wrong(lambda: tg.narrow(real(6), 0, 4, 3), IndexError, "(4)", "(3)", "(6)")
wrong(lambda: tg.narrow(real(6), 0, -7, 1), IndexError, "(6)")
wrong(lambda: tg.unfold(real(4), 0, 5, 1), ValueError, "size 5", "size 4")
wrong(lambda: tg.unfold(real(4), 0, 2, 0), ValueError, "step 0")
wrong(lambda: tg.pad(real(2), (1,)), ValueError, "[1]", "(2,)")
wrong(lambda: tg.pad(real(2), (1, 1, 1, 1)), ValueError, "[1, 1, 1, 1]", "(2,)")
wrong(lambda: tg.pad(real(2), (1, 1), mode="mirror"), ValueError, "'mirror'", "'constant'")
wrong(lambda: tg.diag(real(2, 2, 2)), ValueError, "1D or 2D", "3D")
wrong(lambda: tg.cat([]), ValueError, "non-empty")
wrong(lambda: tg.stack([]), ValueError, "non-empty")
wrong(lambda: tg.cat([real(2, 3), real(2, 2)]), ValueError, "concatenate", "(2, 3)", "(2, 2)")
wrong(lambda: tg.stack([real(2), real(3)]), ValueError, "stack", "(2,)", "(3,)")
wrong(lambda: tg.roll(real(3), (1, 2), 0), ValueError, "roll", "(1, 2)")
wrong(lambda: tg.glu(real(3)), ValueError, "even", "(3,)")
wrong(lambda: tg.topk(real(3), 4), ValueError, "k=4", "3")
wrong(lambda: tg.topk(real(3), -1), ValueError, "k=-1", "3")

# The extreme of nothing
for name in ("max", "min", "amax", "amin", "argmax", "argmin"):
    wrong(lambda n=name: getattr(tg, n)(real(3, 0), 1), ValueError, "empty axis", "(3, 0)", "dim 1")
    wrong(lambda n=name: getattr(tg, n)(real(0)), ValueError, "empty axis", "(0,)")

# Indexing
for key in (5, -4, (0, 9), (slice(None), 4), [0, 7], [-9], (0, 0, 0)):
    wrong(lambda k=key: real(3, 3)[k], IndexError, "(3, 3)", name=f"index {key}")
for key in (1.5, "a", [0.5], None):
    if key is not None:
        wrong(lambda k=key: real(3)[k], (IndexError, TypeError, ValueError), name=f"index {key!r}")
wrong(lambda: real(3)[tensor([True, False])], IndexError, "(2,)", "(3,)")
wrong(lambda: tg.gather(real(3, 3), 0, tensor([0])), ValueError, "1 axes", "2")
wrong(lambda: tg.gather(real(3, 3), 0, tensor([[5]])), IndexError, "5", "size 3")
wrong(lambda: tg.gather(real(3, 3), 0, tensor([[-5]])), IndexError, "-5", "size 3")
wrong(lambda: tg.scatter_add(real(3), 0, tensor([3]), real(1)), IndexError, "3", "size 3")
wrong(lambda: tg.take_along_dim(real(3, 3), tensor([1]), 0), ValueError, "1 axes")
wrong(lambda: tg.index_select(real(3), 0, tensor([4])), IndexError, "4", "3")
wrong(lambda: tg.embedding(tensor([0, 3]), real(3, 2)), IndexError, "[0, 3]", "3 rows")
wrong(lambda: tg.embedding(tensor([-1]), real(3, 2)), IndexError, "-1", "3 rows")
wrong(lambda: tg.embedding(tensor([0.5]), real(3, 2)), TypeError, "integers", "float32")
wrong(lambda: tg.index_put(real(3), [0, 1], np.ones(3)), ValueError, "(3,)", "(2,)")
wrong(lambda: real(3).__setitem__(0, 1.0), RuntimeError, "no_grad", "index_put")

# What is no number
for other in ("text", None, object(), {}, [1, 2], 1j):
    for op in (
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.matmul,
        operator.pow,
    ):
        for flip in (False, True):
            wrong(lambda op=op, y=other, flip=flip: op(y, real(2)) if flip else op(real(2), y),
                TypeError,
                  name=f"{op.__name__} {other!r:.8} {flip}")  # fmt: skip
for data in ("text", {"a": 1}, object(), [object()], [1, "a"], np.array(["a"]), np.array([1j])):
    wrong(lambda d=data: tensor(d), TypeError, "real numbers", name=f"tensor {data!r:.12}")
wrong(lambda: tensor([[1.0], [1.0, 2.0]]), ValueError, "differ in length")
wrong(lambda: tensor([1.0], dtype="complex64"), TypeError, "real numbers", "complex64")
wrong(lambda: tensor([1, 2], requires_grad=True), RuntimeError, "floating point", "int64")
wrong(lambda: tensor([1.0], device="gpu0"), ValueError, "'gpu0'", "cpu")
wrong(lambda: real(2).to("nowhere"), (TypeError, ValueError), "nowhere")
wrong(lambda: tg.zeros(2, device="tpu"), ValueError, "'tpu'", "cpu")
wrong(lambda: tg.zeros(-1), ValueError, "-1")
wrong(lambda: tg.arange(0, 3, 0), ValueError, "step", "nonzero")
wrong(lambda: tg.linspace(0, 1, -2), ValueError, "non-negative", "-2")
wrong(lambda: tg.set_default_dtype(np.int32), TypeError, "floating-point", "int32")
wrong(lambda: tg.set_default_dtype("complex64"), TypeError, "floating-point", "complex64")

wrong(lambda: real(2).astype("complex64"), TypeError, "astype", "complex64")
wrong(lambda: real(2).to(object), TypeError, "astype", "object")
wrong(lambda: real(6).reshape(3.5, 2), TypeError, "float")
wrong(lambda: tg.where(real(2), 1.0, 0.0), TypeError, "where", "booleans", "float64")
wrong(lambda: tg.masked_fill(real(2), tensor([0, 1]), 0.0), TypeError, "booleans", "int64")
wrong(lambda: ~tensor([1.0, 2.0]), TypeError, "booleans", "float32", "logical_not")
wrong(lambda: real(2).register_hook(3), TypeError, "function", "int")
wrong(lambda: tg.Generator(0).bernoulli((2,), 1.5), ValueError, "between 0 and 1", "1.5")
wrong(lambda: tg.Generator(0).permutation(-1), ValueError, "-1")
wrong(lambda: tg.conv2d(real(1, 1, 4, 4), real(1, 1, 3, 3), padding="some"), ValueError, "'some'")
wrong(lambda: tg.conv2d(real(1, 1, 4, 4), real(1, 1, 3, 3), stride=2, padding="same"), ValueError,
      "'same'", "stride")  # fmt: skip

# Losses
LOSSES = (
    "mse_loss",
    "l1_loss",
    "huber_loss",
    "smooth_l1_loss",
    "kl_div",
    "binary_cross_entropy_with_logits",
)
for name in LOSSES:
    for a, b in [((3,), (4,)), ((4,), (4, 1)), ((2, 3), (3,))]:
        wrong(lambda n=name, a=a, b=b: getattr(tg, n)(real(*a), real(*b)), ValueError,
              f"{a}", f"{b}", name=f"{name}{a}{b}")  # fmt: skip
    wrong(lambda n=name: getattr(tg, n)(real(2), real(2), reduction="average"), ValueError,
          "'average'", "none, mean or sum", name=f"{name} reduction")  # fmt: skip
for name in ("cross_entropy", "nll_loss"):
    f = getattr(tg, name)
    for target in (3, -1, 100, -101):
        wrong(lambda f=f, t=target: f(real(2, 3), tensor([0, t])), IndexError,
              f"target {target}", "3 classes", "(1,)", name=f"{name} {target}")  # fmt: skip
    wrong(lambda f=f: f(real(2, 3), tensor([0, 1, 2])), ValueError, "(2,)", "(2, 3)", "(3,)")
    wrong(lambda f=f: f(real(2, 3), tensor([[0], [1]])), ValueError, "(2,)", "(2, 1)")
    wrong(lambda f=f: f(real(2, 3), tensor([0, 1]), reduction="avg"), ValueError, "'avg'")
wrong(lambda: tg.nll_loss(real(2, 3), tensor([0.0, 1.0])), TypeError, "integers", "float32")
wrong(
    lambda: tg.cross_entropy(real(2, 3), tensor([0, 1]), label_smoothing=1.5),
    ValueError,
    "1.5",
    "between 0.0 and 1.0",
)
wrong(lambda: tg.cross_entropy(real(2, 3), real(2, 2)), ValueError, "(2, 3)", "(2, 2)")
wrong(lambda: tg.binary_cross_entropy(tensor([1.5]), tensor([1.0])), ValueError, "between 0 and 1")
wrong(lambda: tg.binary_cross_entropy(tensor([-0.1]), tensor([1.0])), ValueError, "between 0 and 1")
wrong(lambda: tg.huber_loss(real(2), real(2), delta=0), ValueError, "positive", "0")
wrong(lambda: tg.huber_loss(real(2), real(2), delta=-1.0), ValueError, "positive", "-1.0")

# Layers' functions
for p in (-0.1, 1.1, float("nan")):
    wrong(
        lambda p=p: tg.dropout(real(2), p, generator=tg.Generator(0)),
        ValueError,
        "between 0 and 1",
        f"{p}",
    )
wrong(lambda: tg.layer_norm(real(2, 3), 2), ValueError, "(2, 3)", "(2,)")
wrong(lambda: tg.layer_norm(real(2, 3), (2, 2)), ValueError, "(2, 3)", "(2, 2)")
wrong(lambda: tg.linear(real(2, 3), real(4, 5)), ValueError, "(2, 3)", "3 ≠ 5")
wrong(
    lambda: tg.conv2d(real(1, 3, 4, 4), real(2, 2, 2, 2)),
    ValueError,
    "(1, 3, 4, 4)",
    "(2, 2, 2, 2)",
)
wrong(
    lambda: tg.conv2d(real(1, 2, 2, 2), real(2, 2, 3, 3)),
    ValueError,
    "(3, 3)",
    "larger",
    "(1, 2, 2, 2)",
)
wrong(lambda: tg.conv2d(real(2, 2), real(2, 2, 1, 1)), ValueError, "(2, 2)")
wrong(lambda: tg.conv1d(real(1, 3, 4), real(2, 2, 2)), ValueError, "2")
wrong(lambda: tg.max_pool2d(real(1, 1, 4, 4), 2, padding=2), ValueError, "half")
wrong(lambda: tg.avg_pool2d(real(1, 1, 2, 2), 3), ValueError, "(3, 3)", "larger")
wrong(lambda: tg.gelu(real(2), "fast"), ValueError, "'fast'", "'tanh'")
wrong(lambda: tg.clamp(real(2)), ValueError, "At least one of 'min' or 'max'")

# Products
for name, a, b in [("mm", (2,), (2, 2)), ("mv", (2, 2), (2, 2)), ("dot", (2, 2), (2,)),
    ("bmm", (2, 2), (2, 2)),
                   ("bmm", (2, 2, 3), (3, 3, 2)), ("dot", (2,), (3,)), ("mm", (2, 3), (2, 3)),
                       ("mv", (2, 3), (2,)),
                   ("inner", (2, 3), (2, 4)), ("tensordot", (2, 3), (3, 3))]:  # fmt: skip
    wrong(lambda n=name, a=a, b=b: getattr(tg, n)(real(*a), real(*b)), ValueError, f"{a}", f"{b}")
wrong(lambda: tg.einsum("ij,jk", real(2, 3)), ValueError, "2 terms", "1 operands")
wrong(lambda: tg.einsum("ijk->i", real(2, 3)), ValueError, "'ijk'", "(2, 3)")
wrong(lambda: tg.einsum("ij,jk->ik", real(2, 3), real(4, 5)), ValueError, "(2, 3)", "(4, 5)")
wrong(lambda: tg.einsum("i->j", real(2)), ValueError, "j")
wrong(lambda: tg.einsum("ii->i", real(2, 3)), ValueError, "(2, 3)")

# Gradients
wrong(lambda: real(2).backward(), RuntimeError, "scalar outputs", "(2,)")
wrong(lambda: tensor([1.0]).backward(), RuntimeError, "does not require grad")
wrong(lambda: real(2).sum().backward(tensor([1.0, 2.0])), RuntimeError, "(2,)", "()")
wrong(lambda: real(1).backward(record="all"), ValueError, "'all'", "'norm'", "'full'")
wrong(lambda: tg.grad(real(1), tensor([1.0])), RuntimeError, "input 0", "does not require grad")
wrong(lambda: tg.grad(real(1) * 2, real(1)), RuntimeError, "input 0", "allow_unused=True")
wrong(lambda: tg.grad(real(2), real(2)), RuntimeError, "scalar outputs")
wrong(lambda: tensor([1.0]).retain_grad(), RuntimeError, "requires_grad=False")
wrong(lambda: tensor([1.0]).register_hook(print), RuntimeError, "doesn't require gradient")
wrong(lambda: (real(2) * 2).requires_grad_(False), RuntimeError, "leaf", "detach()")
wrong(lambda: real(2).numpy(), RuntimeError, "requires grad", "detach().numpy()")
wrong(lambda: np.asarray(real(2)), RuntimeError, "detach")
wrong(lambda: setattr(real(2), "grad", real(3)), ValueError, "(3,)", "(2,)")
wrong(lambda: setattr(real(2), "grad", np.ones(2)), TypeError, "Tensor", "ndarray")
wrong(lambda: setattr(real(2), "grad", tg.ones(2)), TypeError, "float32", "float64")
wrong(lambda: tg.tril(real(2)), ValueError, "tril", "(2,)")
wrong(lambda: setattr(real(2), "data", np.ones(3)), ValueError, "(3,)", "(2,)")
wrong(lambda: setattr(real(2) * 2, "data", np.ones(2)), RuntimeError, "leaf")
wrong(lambda: real(2).__iadd__(1), RuntimeError, "in-place", "no_grad()")
wrong(lambda: tg.hessian(lambda x: x * x, tensor([1.0, 2.0])), (RuntimeError, ValueError), "scalar")
wrong(
    lambda: tg.hvp(lambda x: x * x, tensor([1.0, 2.0]), tensor([1.0, 2.0])),
    (RuntimeError, ValueError),
    "scalar",
)
wrong(lambda: tg.vjp(lambda x: x * x, tensor([1.0, 2.0])), RuntimeError, "scalar")
wrong(lambda: tg.gradcheck(tg.exp, tensor([1.0])), ValueError, "requires_grad")
wrong(lambda: bool(real(2)), RuntimeError, "(2,)", "any()")
wrong(lambda: real(2).item(), ValueError, "one", "(2,)")
wrong(lambda: len(tensor(1.0)), TypeError, "0-d")
wrong(lambda: list(tensor(1.0)), TypeError, "0-d")
wrong(lambda: range(tensor(1.0)), TypeError, "float32")


@pytest.mark.parametrize(
    ("call", "error", "texts"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_a_wrong_call_is_explained(call, error, texts):
    with pytest.raises(error) as caught:
        call()
    told = str(caught.value)
    assert told and all(text in told for text in texts), f"{told!r} lacks one of {texts}"
    assert tg.is_grad_enabled()


def test_there_are_enough():
    assert len(ROWS) >= 300


def test_a_labelled_tensor_is_called_by_its_name():
    x, w = tensor(np.ones((32, 128)), name="x"), tensor(np.ones((64, 512)), name="weight_ih")
    with pytest.raises(
        ValueError, match=r"matmul: x \(32, 128\) and weight_ih \(64, 512\): .*128 ≠ 64"
    ):
        x @ w


def test_the_cause_is_kept():
    with pytest.raises(ValueError) as caught:
        tg.ones(2) + tg.ones(3)
    assert caught.value.__cause__ is not None and re.match("add: ", str(caught.value))


def test_a_failed_call_leaves_no_trace(library):
    x: Any = library.tensor(np.ones(2)).requires_grad_()
    before = x._array, x.node, x.grad
    for bad in (lambda: x + library.tensor(np.ones(3)), lambda: x[7], lambda: x.reshape(3)):
        with pytest.raises((ValueError, IndexError)):
            bad()
    assert (x._array, x.node, x.grad) == before
