"""The stand-in for CuPy refuses what CuPy refuses; else the tests on it would prove nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from strict_array import SilentWrap, StrictArray, WrittenTwice, record, xp


@pytest.fixture
def a() -> StrictArray:
    return xp.asarray(np.arange(6.0).reshape(2, 3))


class OptsOut:
    """A type that, like Tensor, wants an array's operators to give way to its own."""

    __array_ufunc__ = None

    def __radd__(self, other: object) -> str:
        return "mine"

    def __gt__(self, other: object) -> str:
        return "greater"


def test_operators_and_numpy_functions_stay_in_the_library(a):
    for got, host in [
        (a + 1, np.arange(6.0).reshape(2, 3) + 1),
        (2.0 - a, 2.0 - np.arange(6.0).reshape(2, 3)),
        (np.float64(3) * a, 3 * np.arange(6.0).reshape(2, 3)),
        (np.exp(a), np.exp(np.arange(6.0).reshape(2, 3))),
        (np.concatenate([a, a]), np.concatenate([np.arange(6.0).reshape(2, 3)] * 2)),
        (a @ a.T, np.array([[5.0, 14.0], [14.0, 50.0]])),
        (np.einsum("ij->ji", a), np.arange(6.0).reshape(2, 3).T),
        (a[:, [0, 2]], np.array([[0.0, 2.0], [3.0, 5.0]])),
        (a > 2, np.arange(6.0).reshape(2, 3) > 2),
        (xp.where(a > 2, a, 0.0), np.array([[0.0, 0, 0], [3, 4, 5]])),
    ]:
        assert type(got) is StrictArray
        np.testing.assert_array_equal(got.get(), host)


def test_reductions_and_items_are_0d_arrays(a):
    for y in (a.sum(), xp.sum(a), np.max(a), a[1, 2], a.mean(), xp.linalg.norm(a)):
        assert type(y) is StrictArray and y.shape == ()
    assert (float(a[1, 2]), a[1, 2].item(), a.tolist()[1]) == (5.0, 5.0, [3.0, 4.0, 5.0])


@pytest.mark.parametrize(
    "mix",
    [
        lambda a, h: a + h,
        lambda a, h: h + a,
        lambda a, h: np.add(h, a),
        lambda a, h: np.add(a, 1.0, out=h),
        lambda a, h: a + np.array(1.0),
        lambda a, h: np.concatenate([a, h]),
        lambda a, h: xp.concatenate([h, h]),
        lambda a, h: xp.matmul(a, h.T),
        lambda a, h: xp.sum(h),
        lambda a, h: a.__setitem__(0, h[0]),
        lambda a, h: xp.add([1.0, 2.0, 3.0], a),
    ],
)
def test_mixing_with_numpy_raises(a, mix):
    with pytest.raises(TypeError, match="Unsupported type"):
        mix(a, np.ones((2, 3)))


def test_nothing_converts_by_itself(a):
    for convert in (np.asarray, np.array, np.zeros(6).reshape(2, 3).__iadd__):
        with pytest.raises(TypeError):
            convert(a)


def test_asarray_of_host_data_never_shares_memory():
    host = np.zeros(3)
    device = xp.asarray(host)
    host[0] = 7
    assert device.tolist() == [0, 0, 0]
    assert xp.asarray(device) is device
    device.get()[0] = 9
    assert device.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "name", ["erf", "frompyfunc", "errstate", "vecdot", "longdouble", "nothing"]
)
def test_names_that_cupy_lacks_are_lacking(name):
    with pytest.raises(AttributeError, match=name):
        getattr(xp, name)


def test_parameters_that_cupy_lacks_are_refused(a):
    for call in (
        lambda: xp.sum(a, initial=1.0),
        lambda: a.max(initial=0.0),
        lambda: np.exp(a, where=a > 1),
        lambda: xp.sort(a, stable=True),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(NotImplementedError):
        np.maximum.reduce(a)
    with pytest.raises(AttributeError):
        a.setflags(write=False)
    with pytest.raises(AttributeError):
        a.flags.writeable


def test_unsupported_dtypes_are_refused():
    for data in (np.array([None]), np.array(["a"]), np.zeros(2, np.longdouble)):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            xp.asarray(data)


def test_scatter_adds_repeated_indices(a):
    xp.add.at(a, (xp.asarray([0, 0]), slice(None)), 1.0)
    assert a.tolist() == [[2, 3, 4], [3, 4, 5]]
    with pytest.raises(TypeError, match="does not support"):
        xp.add.at(a > 1, 0, True)


def test_out_of_range_indices_do_not_wrap_silently(a):
    with pytest.raises(SilentWrap):
        a[xp.asarray([0, 2])]
    with pytest.raises(IndexError):
        a[2]


def test_no_place_is_assigned_two_values(a):
    a[xp.asarray([0, 1]), 0] = 7.0
    assert a[:, 0].tolist() == [7, 7]
    with pytest.raises(WrittenTwice):
        a[xp.asarray([0, 0])] = 1.0


def test_operators_give_way_to_a_type_that_opts_out(a):
    assert a + OptsOut() == "mine"
    assert (a < OptsOut()) == "greater"


def test_in_place_writes_and_out_reach_the_array(a):
    b = a[0]
    a *= 2
    assert np.add(a, 1, out=a) is a
    assert b.tolist() == [1, 3, 5]
    a[0] = 0.0
    assert b.tolist() == [0, 0, 0]


def test_copies_are_apart_and_hashing_fails(a):
    twin = copy.deepcopy(a)
    twin[...] = 0
    assert a.sum() == 15
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_truth_len_and_iteration(a):
    with pytest.raises(ValueError, match="ambiguous"):
        bool(a)
    with pytest.raises(TypeError, match="0-d"):
        iter(a.sum())
    assert len(a) == 2 and [row.shape for row in a] == [(3,), (3,)]


def test_the_record_is_of_the_real_wheel():
    names = record()
    assert len(names) > 500 and names["add"] == ("ufunc", ("at", "reduce", "accumulate"))
    assert "keepdims" in names["sum"][1] and "initial" not in names["sum"][1]
    assert "cupyx.scipy.special.erf" in names and "erf" not in names
