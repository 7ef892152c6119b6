"""Writes are seen by every Tensor that looks at the same numbers, as by every view in NumPy."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, no_grad, tensor


def numpy_diagonal(a: np.ndarray) -> np.ndarray:
    view = a.diagonal()
    view.flags.writeable = True
    return view


def numpy_windows(a: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(a, 2, 0, writeable=True)[::2]


def numpy_view(a: np.ndarray) -> np.ndarray:
    view = a.reshape(-1)
    if not np.shares_memory(view, a):
        raise AttributeError("only a copy has this shape")
    return view


# Name → (of Tensors, of arrays). What NumPy copies here, PyTorch copies.
TAKEN: dict[str, tuple[Any, Any]] = {
    "x[0]": (lambda x: x[0], lambda a: a[0, ...]),
    "x[-1]": (lambda x: x[-1], lambda a: a[-1, ...]),
    "x[1:]": (lambda x: x[1:], lambda a: a[1:]),
    "x[::2]": (lambda x: x[::2], lambda a: a[::2]),
    "x[..., 0]": (lambda x: x[..., 0], lambda a: a[..., 0]),
    "x[None]": (lambda x: x[None], lambda a: a[None]),
    "x[()]": (lambda x: x[()], lambda a: a[...]),
    "iteration": (lambda x: next(iter(x)), lambda a: a[0, ...]),
    "T": (lambda x: x.T, lambda a: a.T),
    "mT": (lambda x: x.mT, lambda a: a.swapaxes(-1, -2)),
    "permute": (lambda x: x.permute(*range(x.ndim)[::-1]), lambda a: a.T),
    "transpose": (lambda x: x.transpose(0, -1), lambda a: a.swapaxes(0, -1)),
    "swapaxes": (lambda x: x.swapaxes(0, -1), lambda a: a.swapaxes(0, -1)),
    "movedim": (lambda x: x.movedim(0, -1), lambda a: np.moveaxis(a, 0, -1)),
    "view": (lambda x: x.view(-1), numpy_view),
    "reshape": (lambda x: x.reshape(-1), lambda a: a.reshape(-1)),
    "flatten": (lambda x: x.flatten(), lambda a: a.reshape(-1)),
    "ravel": (lambda x: x.ravel(), lambda a: a.reshape(-1) if a.ndim != 1 else a),
    "unsqueeze": (lambda x: x.unsqueeze(1), lambda a: np.expand_dims(a, 1)),
    "squeeze": (lambda x: x.squeeze(), lambda a: a.squeeze()),
    "unflatten": (lambda x: x.unflatten(0, (1, -1)), lambda a: a[None]),
    "narrow": (lambda x: x.narrow(0, 1, 1), lambda a: a[1:2] if len(a) > 1 else a[9]),
    "select": (lambda x: x.select(-1, 0), lambda a: a[..., 0]),
    "split": (lambda x: x.split(1)[-1], lambda a: a[-1:]),
    "chunk": (lambda x: x.chunk(2, -1)[0], lambda a: a[..., : -(-a.shape[-1] // 2)]),
    "unbind": (lambda x: x.unbind(-1)[-1], lambda a: a[..., -1]),
    "expand": (lambda x: x.expand(2, *x.shape), lambda a: np.lib.stride_tricks.as_strided(
        a, (2, *a.shape), (0, *a.strides))),
    "diagonal": (lambda x: x.diagonal(), numpy_diagonal),
    "unfold": (lambda x: x.unfold(0, 2, 2), numpy_windows),
    "detach": (lambda x: x.detach(), lambda a: a[...]),
    "data": (lambda x: x.data, lambda a: a[...]),
    "contiguous": (lambda x: x.contiguous(), lambda a: a if a.flags.c_contiguous else a.copy()),
    "clone": (lambda x: x.clone(), lambda a: a.copy("K")),
    "flip": (lambda x: x.flip(0), lambda a: a[::-1].copy()),
    "roll": (lambda x: x.roll(1, 0), lambda a: np.roll(a, 1, 0)),
    "tile": (lambda x: x.tile(1), lambda a: np.tile(a, 1)),
    "x[[0]]": (lambda x: x[[0]], lambda a: a[[0]]),
    "x[mask]": (lambda x: x[x > 2], lambda a: a[a > 2]),
    "diag": (lambda x: x.diag() if x.ndim == 2 else x[9], lambda a: a.diagonal().copy()
             if a.ndim == 2 else a[9]),
}  # fmt: skip


def scaled(x: Any) -> Any:
    x *= 3
    return x


def shifted(x: Any) -> Any:
    x += 1
    return x


def put(x: Any, key: Any, value: Any) -> None:
    x[key] = value


def put_rows(x: Any) -> None:
    for k in range(len(x)):
        x[k, ...][...] = k


def halve_data(x: Tensor) -> None:
    x.data -= x.data / 2


def raise_first(x: Any) -> None:
    x[0] += 5


WRITTEN: dict[str, tuple[Any, Any]] = {
    "x[0] = 7": (lambda x: put(x, 0, 7.0), lambda a: put(a, 0, 7.0)),
    "x[...] = x * 2": (lambda x: put(x, ..., x * 2), lambda a: put(a, ..., a * 2)),
    "x[:1] = 7": (lambda x: put(x, slice(1), 7.0), lambda a: put(a, slice(1), 7.0)),
    "x[..., -1] = 7": (lambda x: put(x, (..., -1), 7), lambda a: put(a, (..., -1), 7)),
    "x[[0]] = 7": (lambda x: put(x, [0], 7.0), lambda a: put(a, [0], 7.0)),
    "x[x > 4] = -1": (lambda x: put(x, x > 4, -1), lambda a: put(a, a > 4, -1)),
    "x[k][...] = k": (put_rows, put_rows),
    "x[0] += 5": (raise_first, raise_first),
    "x += 1": (shifted, shifted),
    "x *= 3": (scaled, scaled),
    "x.data -= x / 2": (halve_data, lambda a: put(a, ..., a / 2)),
    "x.add_": (lambda x: x.add_(x.clone(), alpha=2), lambda a: put(a, ..., a + 2 * a)),
    "x.mul_": (lambda x: x.mul_(-1), lambda a: put(a, ..., -a)),
    "x.fill_": (lambda x: x.fill_(4), lambda a: put(a, ..., 4)),
    "x.zero_": (lambda x: x.zero_(), lambda a: put(a, ..., 0)),
    "x.copy_": (lambda x: x.copy_(x.clone() + 8), lambda a: put(a, ..., a + 8)),
    "x.clamp_": (lambda x: x.clamp_(2, 5), lambda a: put(a, ..., a.clip(2, 5))),
    "x.masked_fill_": (lambda x: x.masked_fill_(x > 4, 0), lambda a: put(a, a > 4, 0)),
    "x.data[0] = 9": (lambda x: put(x.data, 0, 9), lambda a: put(a, 0, 9)),
}
FAILS = (RuntimeError, ValueError, IndexError, TypeError, AttributeError)


def chain(names: tuple[str, ...], x: Any, side: int) -> list[Any] | None:
    """x, a view of it, a view of that and so on; None if there is no such view."""
    views = [x]
    try:
        for name in names:
            views.append(TAKEN[name][side](views[-1]))
    except FAILS:
        return None
    return views


def overlaps(a: np.ndarray) -> bool:
    return any(step == 0 and n > 1 for step, n in zip(a.strides, a.shape))


def check(names: tuple[str, ...], form: str) -> int:
    """Writes through the last of a chain of views, and compares all of them with NumPy's."""
    start = np.arange(9.0).reshape(3, 3)
    theirs = chain(names, start.copy(), 1)
    if theirs is None:
        return 0
    ours = chain(names, tensor(start), 0)
    assert ours is not None, names
    aside = [ours[0].T, ours[0][1], ours[0].detach()]
    expected = [theirs[0].T, theirs[0][1], theirs[0]]
    try:
        WRITTEN[form][1](theirs[-1])
    except FAILS:
        with pytest.raises(FAILS):
            WRITTEN[form][0](ours[-1])
        return 1
    try:
        WRITTEN[form][0](ours[-1])
    except RuntimeError as error:  # one number stands for many
        assert "clone()" in str(error) and any(map(overlaps, theirs))
        theirs = chain(names, start.copy(), 1)  # nothing has changed
        expected = [start.T, start[1], start]
    for x, a in zip([*ours, *aside], [*theirs, *expected], strict=True):
        np.testing.assert_array_equal(x.detach().numpy(), a, err_msg=f"{names}: {form}")
    return 1


PAIRS = list(itertools.product(TAKEN, TAKEN))


@pytest.mark.parametrize("form", WRITTEN)
def test_a_write_through_views_is_seen_by_all(form):
    at, many = list(WRITTEN).index(form), len(WRITTEN)
    deep = np.random.default_rng(at)
    triples = [tuple(deep.choice(list(TAKEN), 3)) for _ in range(20)]
    chains = [*((name,) for name in TAKEN), *PAIRS[at::many], *triples]
    assert sum(check(names, form) for names in chains) > 80


@pytest.mark.slow
@pytest.mark.parametrize("form", WRITTEN)
def test_every_chain_of_two_views_and_many_of_three(form):
    deep = np.random.default_rng(7)
    triples = [tuple(deep.choice(list(TAKEN), 3)) for _ in range(1000)]
    assert sum(check(names, form) for names in (*PAIRS, *triples)) > 1200


EMPTY = {
    "diagonal": lambda x: x[:0].diagonal(),
    "unfold": lambda x: x.unfold(0, 2, 2)[:0],
    "expand": lambda x: x[:0].expand(2, 0, 3),
    "x[3:]": lambda x: x[3:],
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_view_of_nothing_is_written_in_peace(name):
    x = tg.zeros(3, 3)
    view = EMPTY[name](x)
    view[...] = 7.0
    view.add_(1)
    with pytest.raises((ValueError, RuntimeError), match="shape"):
        view[...] = tg.zeros(5, 5)
    assert x.sum().item() == 0


def test_a_view_outlives_its_base_and_its_siblings():
    view = tg.zeros(3, 2)[1]
    first, rest = view[:1], view[1:]
    rest += 4
    del view
    gc.collect()
    first.fill_(3)
    assert (first.tolist(), rest.tolist()) == ([3], [4])


def test_views_leave_nothing_behind():
    x, gone = tg.zeros(4, 4), []
    for _ in range(200):
        view = x.T[1:].view(-1)
        view[0] = 1
        gone.append(weakref.ref(view))
    del view
    assert not any(r() for r in gone)  # without the cycle collector
    assert len(x._memory) < 60


def test_a_detached_state_does_not_hold_its_graph():
    w = tensor(np.ones(3), requires_grad=True)
    h = w * 2
    node = weakref.ref(h)
    h = h.detach()
    assert node() is None
    h[0] = 7
    assert h.tolist() == [7, 2, 2]


def test_what_a_graph_saved_stays_and_later_uses_see_the_write():
    w = tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = w * w
    row = w.data[:1]
    row[0] = 10
    (y.sum() + w.prod()).backward()
    assert w.tolist() == [10, 2] and w.grad.tolist() == [2 + 2, 4 + 10]


def test_a_new_array_for_data_parts_and_a_tensor_for_data_joins():
    p, q = tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 4.0])
    before = p.data
    p.data = np.array([5, 6])
    p.data = p.data
    assert before.tolist() == [1, 2]
    p.data = q
    q[0] = 7
    p.data[1] = 8
    assert p.tolist() == q.tolist() == [7, 8] and p.requires_grad and before.tolist() == [1, 2]
    p.data = q.double()  # another dtype: the values alone
    q[0] = 0
    assert p.tolist() == [7, 8] and p.dtype == q.dtype


def test_an_optimiser_a_load_and_a_refill_are_seen_by_views():
    layer = tg.nn.Linear(2, 1, seed=0)
    with no_grad():
        row = layer.weight[0]
    state = layer.weight.data
    layer(tg.ones(1, 2)).sum().backward()
    tg.optim.SGD(layer.parameters(), lr=1.0).step()
    assert row.tolist() == state[0].tolist() == layer.weight[0].tolist()
    layer.load_state_dict({"weight": [[3, 4]], "bias": [0]})
    assert row.tolist() == [3, 4]
    tg.init.ones_(layer.weight)
    assert row.tolist() == [1, 1]


GRAPH: dict[str, Any] = {
    "+=": lambda v: v.__iadd__(1),
    "x[0] =": lambda v: v.__setitem__(0, 1.0),
    "add_": lambda v: v.add_(1),
    "data": lambda v: v.data.zero_(),
    "detach": lambda v: v.detach().__setitem__(0, 1.0),
}


@pytest.mark.parametrize("form", GRAPH)
@pytest.mark.parametrize("grad", [True, False])
def test_a_view_in_a_graph_refuses_writes(form, grad):
    x = tensor(np.ones((2, 2)), requires_grad=True) * 1
    for view in (x[0], x.T, x.view(-1), x.unfold(0, 2, 1), x.diagonal(), x[0].unsqueeze(0)):
        refused = pytest.raises(RuntimeError, match=r"is a view in a graph.*clone\(\)")
        with refused, tg.enable_grad() if grad else no_grad():
            GRAPH[form](view)
        assert view.sum().item() in (2, 4)
    for copy in (x.clone(), x.flip(0), x.tile(2), x[[0]], x * 1, x.diag()):
        GRAPH[form](copy)  # these are views of nothing


def test_a_graph_does_not_begin_in_shared_memory():
    w, x = tensor([1.0, 1.0], requires_grad=True), tg.zeros(2, 2)
    row = x[0]
    for write in (lambda: x[0].add_(w), lambda: x.__setitem__(0, w), lambda: x.__iadd__(w)):
        with pytest.raises(RuntimeError, match=r"shares its memory.*clone\(\)"):
            write()
    del row
    x[1] = w  # nobody else looks at x now
    x.sum().backward()
    assert w.grad.tolist() == [1, 1] and x.tolist() == [[0, 0], [1, 1]]


def test_steps_written_into_a_buffer_keep_their_gradients():
    w, out = tensor([2.0], requires_grad=True), tg.zeros(3, 1)
    h = tg.ones(1)
    for t in range(3):
        h = h * w
        out[t] = h
    out.sum().backward()
    assert out.tolist() == [[2], [4], [8]] and w.grad.item() == 1 + 2 * 2 + 3 * 4


def test_in_place_methods_refuse_leaves_shapes_and_dtypes():
    w, k = tensor([1.0, 2.0], requires_grad=True), tensor([1, 2])
    for change in (w.zero_, w.uniform_, lambda: w.mul_(2), lambda: w.copy_([1, 2])):
        with pytest.raises(RuntimeError, match="a leaf Tensor that requires grad"):
            change()
    for change in (lambda: k.add_(0.5), lambda: k.div_(2), lambda: (k > 1).add_(1)):
        with pytest.raises(TypeError, match="cannot hold"):
            change()
    with pytest.raises(ValueError, match="shape"):
        k.add_(tg.zeros(2, 2, dtype=k.dtype))
    assert w.tolist() == k.tolist() == [1, 2]
    with no_grad():
        assert w.normal_(5, 0) is w and w.tolist() == [5, 5] and w.requires_grad


def test_a_trace_sees_what_a_write_left():
    x, row = tg.zeros(2, 2), None
    with tg.trace() as nodes:
        y = x + 1
        row = y[0]
        row *= 3
        z = y * 2
    assert z.tolist() == [[6, 6], [2, 2]] and y.tolist() == [[3, 3], [1, 1]]
    for node in nodes:
        for parent, array in zip(node.parents, node.inputs or ()):
            if parent is not None:
                np.testing.assert_array_equal(parent.value, array)


def test_writes_on_every_array_library(library):
    x = library.tensor(np.arange(6.0).reshape(2, 3))
    views = x.T, x.view(-1), x[1], x.diagonal(), x.unfold(1, 2, 1), x.expand(2, 2, 3)
    x.T[0] = 7
    views[1][1] = 8
    views[3][1:] += 1
    views[4][0, 1, 1] = 9
    views[5][0] += 1
    expected = np.array([[8.0, 9, 10], [8, 6, 6]])
    assert x.tolist() == expected.tolist() and views[0].tolist() == expected.T.tolist()
    with pytest.raises(RuntimeError, match="clone"):
        views[5].add_(1)
