"""What a Tensor is to its user: how it is made, read, converted, printed, copied, labelled."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, scope, tensor
from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.node import Node, toposort
from tinygrad_rnn.engine.primitive import primitive


# Making
@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1, "int64", ()), (1.5, "float32", ()), (True, "bool", ()), ([1, 2], "int64", (2,)),
        ([[1.0], [2.0]], "float32", (2, 1)), ([], "float32", (0,)), (range(3), "int64", (3,)),
        ((1, 2.5), "float32", (2,)), (np.float64(2), "float64", ()), (np.ones(2), "float64", (2,)),
        (np.ones(2, np.float16), "float16", (2,)), (np.arange(3, dtype=np.int32), "int32", (3,)),
        ([np.float64(1), np.float64(2)], "float64", (2,)), ([[True, False]], "bool", (1, 2)),
    ],
)  # fmt: skip
def test_the_dtype_follows_the_data(data, dtype, shape):
    x = tensor(data)
    assert (x.dtype, x.shape, x.ndim, x.device) == (dtype, shape, len(shape), "cpu")


def test_python_floats_follow_the_default_dtype():
    tg.set_default_dtype("float64")
    assert tensor([1.0]).dtype == tg.zeros(2).dtype == (tensor([1]) / 2).dtype == np.float64
    with pytest.raises(TypeError, match="int64"):
        tg.set_default_dtype(np.int64)


def test_a_tensor_copies_its_data(library):
    a = library.asarray(np.ones(2))
    x = tensor(a)
    a[0] = 5
    assert x.tolist() == [1, 1] and x.device == library.device
    y = tensor(x)
    assert y._array is not x._array and y.tolist() == [1, 1]


def test_a_list_of_tensors_becomes_one():
    assert tensor([tensor(1.0), tensor(2.0)]).tolist() == [1, 2]
    with pytest.raises(ValueError, match="differ in length"):
        tensor([[1.0, 2.0], [3.0]])


def test_dtype_and_name_and_gradient_can_be_asked_for():
    x = tensor([1, 2], dtype=np.float64, requires_grad=True, name="weights")
    assert x.dtype == np.float64 and x.requires_grad and x.is_leaf and x.name == "weights"
    assert tensor([1.0]).name is None
    with pytest.raises(TypeError, match="real numbers"):
        tensor(np.array([1j]))
    with pytest.raises(TypeError):
        tensor("text")


def test_creation_knows_devices_and_dtypes(library):
    for x in (
        tg.zeros(2, 3, device=library.device), tg.ones((2, 3), device=library.device),
        tg.full((2, 3), 1.5, device=library.device), tg.zeros_like(library.tensor(np.ones((2, 3)))),
        tg.linspace(0, 1, 6, device=library.device).reshape(2, 3),
            tg.eye(2, 3, device=library.device),
        tg.arange(6.0, device=library.device).reshape(2, 3),
            tg.full_like(library.tensor(np.ones((2, 3))), 2),
    ):  # fmt: skip
        assert x.device == library.device and x.shape == (2, 3) and x.dtype.kind == "f"
    assert tg.arange(3).dtype == np.int64 and tg.full((1,), True).dtype == np.bool_
    assert tg.zeros(2, requires_grad=True).requires_grad


# Leaving Tensors
def test_numbers_come_out():
    x = tensor(2.5)
    assert (float(x), int(x), bool(x), x.item(), f"{x:.1f}") == (2.5, 2, True, 2.5, "2.5")
    assert [10, 20, 30][tensor(1)] == 20 and tensor([[3.0]]).item() == 3
    assert len(tensor([1, 2])) == 2 and [v.item() for v in tensor([1, 2])] == [1, 2]


def test_numpy_comes_out_only_without_gradients(library):
    x = library.tensor(np.arange(3.0))
    assert isinstance(x.numpy(), np.ndarray) and x.numpy().tolist() == x.tolist() == [0, 1, 2]
    x.requires_grad_()
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        x.numpy()
    assert x.detach().numpy().tolist() == [0, 1, 2]


def test_dlpack_goes_both_ways():
    x = tensor(np.arange(3.0))
    assert np.from_dlpack(x).tolist() == [0, 1, 2]
    a = np.ones(2)
    y = tg.from_dlpack(a)
    a[0] = 9
    assert y.tolist() == [1, 1]
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(x.requires_grad_())


def test_what_is_printed():
    assert repr(tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(tensor([1, 2])) == "tensor([1, 2])"
    assert "dtype=float64" in repr(tensor(np.ones(1)))
    x = tensor([1.0], requires_grad=True)
    assert "requires_grad=True" in repr(x) and "grad_fn=<mul>" in repr(x * 2)
    assert "..." in repr(tg.zeros(2000)) and "mul" in repr((x * 2).node)


def test_a_leaf_is_copied_deeply_and_pickled():
    x = tensor([1.0, 2.0], requires_grad=True, name="w")
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert (
            y.tolist() == [1, 2] and y.requires_grad and y.name == "w" and y._array is not x._array
        )
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        copy.deepcopy(x * 2)


def test_tensors_are_hashed_by_identity():
    a, b = tensor([1.0]), tensor([1.0])
    assert len({a, b, a}) == 2


@pytest.mark.parametrize(("call", "error"), [
    (lambda x: bool(x), RuntimeError), (lambda x: x.item(), ValueError),
        (lambda x: float(x), ValueError),
    (lambda x: len(tensor(1.0)), TypeError), (lambda x: iter(tensor(1.0)), TypeError),
    (lambda x: [0, 1][tensor(1.0)], TypeError),
])  # fmt: skip
def test_what_has_no_answer_raises(call, error):
    with pytest.raises(error):
        call(tensor([1.0, 2.0]))


# Changing
def test_data_can_be_assigned(library):
    x = library.tensor(np.ones(2), requires_grad=True)
    old = x._array
    x.data = np.array([3, 4]) if library.name == "numpy" else library.asarray([3, 4])
    assert (
        x.tolist() == [3, 4] and x.dtype == np.float64 and x._array is not old and x.requires_grad
    )
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        x.data = library.asarray(np.ones(3))
    with pytest.raises(RuntimeError, match="leaf"):
        (x * 2).data = library.asarray(np.ones(2))


def test_assignment_outside_the_graph():
    x = tensor(np.arange(4.0))
    alias = x.detach()
    x[1:3] = 9
    x[0] = tensor(7.0)
    x[x > 8] = 1
    assert x.tolist() == [7, 1, 1, 3] and alias.tolist() == x.tolist()


def test_in_place_operators_keep_the_dtype_and_the_tensor():
    x = tensor(np.ones(2, np.float32))
    same = x
    x += np.float64(1)
    x *= tensor(np.full(2, 3.0))
    assert same is x and x.tolist() == [6, 6] and x.dtype == np.float32
    with pytest.raises(ValueError, match="shape"):
        x += tg.ones(3, 2)


def test_in_place_on_what_was_computed_goes_on_with_the_graph():
    w = tensor(np.ones(2), requires_grad=True)
    y = w * 2
    same, square = y, y * y
    y += 1
    assert y is same and same.tolist() == [3, 3] and not y.is_leaf
    (y + square).sum().backward()  # 2 of y, and 2 · 2 · 2 of the square of what y was
    assert w.grad.tolist() == [10, 10]


def test_logic_operators_are_for_booleans_and_the_bits_of_integers():
    b, c = tensor([True, False]), tensor([True, True])
    assert ((b & c).tolist(), (b | c).tolist(), (b ^ c).tolist()) == ([1, 0], [1, 1], [0, 1])
    assert (~b).tolist() == [False, True] and (True & b).tolist() == [True, False]
    assert (~tensor([1])).tolist() == [-2] and (tensor([6]) & tensor([3])).tolist() == [2]
    with pytest.raises(TypeError):
        tensor([1.0]) | 1


def test_comparing_with_what_is_no_number_is_python_s_answer():
    x = tensor([1.0, 2.0])
    assert (x == None) is False and (x != "a") is True  # noqa: E711
    assert x in (None, x) and (x == np.array([1.0, 3.0])).tolist() == [True, False]


def test_whole_numbers_carry_no_gradient():
    x = tensor([1.5, 2.5], requires_grad=True)
    for dtype in (np.int64, bool):
        assert not x.astype(dtype).requires_grad
    (x * x.astype(np.int64)).sum().backward()
    assert x.grad.tolist() == [1, 2]


# Devices
def test_moving_there_and_back(library):
    x = tensor(np.arange(3.0), requires_grad=True)
    there = x.to(library.device)
    assert there.device == library.device and there.xp is library.xp
    back = (there * 2).cpu()
    back.sum().backward()
    assert back.device == "cpu" and x.grad.tolist() == [2, 2, 2] and x.grad.device == "cpu"
    assert x.to("cpu") is x and x.to(np.float32).dtype == x.float().dtype == np.float32
    assert tg.get_array_module(there, 3) is library.xp and tg.get_array_module(2.0) is np


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match="'tpu'"):
        tensor([1.0], device="tpu")


# Views of the graph
def test_nodes_know_how_they_were_made():
    x = tensor([1.0], requires_grad=True, name="x")
    with scope("lstm", layer=0, step=1), scope(gate="forget", step=2):
        y = x * 2
    n = y.node
    assert n.op.name == "mul" and n.parents == (x.node, None) and n.shape == (1,) and n.needs
    assert n.labels == {"layer": 0, "step": 2, "gate": "forget"} and n.path == ("lstm",)
    assert str(n.scope) == "gate=forget.step=2" and (x + 1).node.scope is None
    assert x.node.name == "x" and n.index > x.node.index


def test_toposort_has_parents_first():
    x = tensor(2.0, requires_grad=True)
    a = x * x
    y = a + a * x
    order = toposort(y.node)
    assert len(order) == 4 and order[0] is x.node and order[-1] is y.node
    place = {n: i for i, n in enumerate(order)}
    assert all(place[p] < place[n] for n in order for p in n.parents if p)


def test_nothing_is_recorded_that_needs_no_gradient():
    x = tensor([1.0])
    assert (x * 2).node is None and x.node is None
    w = tensor([1.0], requires_grad=True)
    with tg.no_grad():
        assert (w * 2).node is None
    assert (w > 0).node is None or not (w > 0).requires_grad


def test_a_trace_has_everything_with_its_values():
    x, w = tensor([1.0, 2.0]), tensor([3.0, 4.0], requires_grad=True)
    for _ in range(2):  # a second trace knows the leaves too
        with tg.trace() as nodes:
            y = (x * 2 + w).sum()
        assert [n.op.name if n.op else "leaf" for n in nodes] == [
            "leaf",
            "mul",
            "leaf",
            "add",
            "sum",
        ]
        assert nodes[-1].value is y._array and nodes[0].value is x._array
        assert [n.index for n in nodes if n.op] == sorted(n.index for n in nodes if n.op)
    assert (x * 2).node is None


def test_a_trace_survives_an_exception():
    with pytest.raises(ValueError, match="matmul"), tg.trace() as nodes:
        a = tg.ones(2, 3) * 2
        a @ a
    assert [n.op.name for n in nodes if n.op] == ["mul"]


# Extending
def test_a_primitive_in_five_lines(primitives):
    cube = primitive("cube", lambda a: a**3, lambda g, y, a: 3 * g * a * a, keeps="a")
    x = tensor(np.array([1.0, 2.0]), requires_grad=True)
    cube(x).sum().backward()
    assert x.grad.tolist() == [3, 12] and cube(np.array(2.0)) == 8
    assert tg.gradcheck(cube, x) and tg.gradgradcheck(cube, x)


def test_a_primitive_declared_again_leaves_the_first_what_it_was(primitives):
    double = primitive("scaled", lambda a: a * 2, lambda g, y, a: g * 2)
    triple = primitive("scaled", lambda a: a * 3, lambda g, y, a: g * 3)
    assert primitives["scaled"] is triple.op
    assert primitives[double.op.name] is double.op and double(np.ones(1)) == 2
    with pytest.raises(ValueError, match="'tanh' is one of the engine's own"):
        primitive("tanh", np.sin, lambda g, y, a: g)
    assert primitives["tanh"] is ops.tanh.op


def test_a_primitive_on_arrays_records_nothing(library):
    a = library.asarray(np.ones(3))
    y = ops.exp(a)
    assert type(y) is type(a) and not isinstance(y, Tensor)


# Names
FUNCTIONS = [n for n, f in vars(tg).items() if inspect.isfunction(f) and hasattr(Tensor, n)]


def test_most_functions_are_methods_too():
    assert len(FUNCTIONS) > 100


@pytest.mark.parametrize(
    "name", ["exp", "sum", "reshape", "softmax", "max", "gather", "T", "mT", "abs"]
)
def test_a_method_is_the_function(name):
    x = tensor(np.random.default_rng(0).uniform(1, 2, (2, 3)))
    calls: dict[str, Any] = {
        "reshape": lambda f: f(x, 3, 2), "gather": lambda f: f(x, 1, tensor([[0], [1]])),
        "T": lambda f: x.T, "mT": lambda f: x.mT, "max": lambda f: f(x, 1).values,
    }  # fmt: skip
    call = calls.get(name, lambda f: f(x))
    function = getattr(tg, name, None)
    assert call(getattr(Tensor, name)).tolist() == call(function).tolist()


def test_a_node_is_small():
    assert not hasattr(tensor([1.0], requires_grad=True).node, "__dict__")
    assert isinstance(tensor([1.0], requires_grad=True).node, Node)
