"""Step 7: state, memory and types."""

import numpy as np


def test_a_second_pass_adds_the_same_gradient(engine):
    a = engine.Value(2.0)
    loss = (a * a) * 3
    loss.backward()
    loss.backward()
    assert float(a.grad) == 24


def test_two_losses_of_one_value(engine):
    a = engine.Value(2.0)
    shared = a * a
    (shared * 3).backward()
    (shared * 5).backward()
    assert float(a.grad) == 32


def test_a_value_keeps_its_own_copy(engine):
    source = np.array([1.0, 2.0])
    a = engine.Value(source)
    loss = (a * a).sum()
    source[:] = 100
    loss.backward()
    assert a.grad.tolist() == [2, 4]


def test_no_two_gradients_are_one_array(engine, slopes):
    one, other = slopes(lambda a, b: (a + b).sum(), [1.0, 2.0], [3.0, 4.0])
    one *= 10
    assert other.tolist() == [1, 1]


def test_shared_gradients_are_not_written_to(slopes):
    one, other = slopes(lambda a, b: ((a + b) + a).sum(), [1.0, 2.0], [3.0, 4.0])
    assert one.tolist() == [2, 2] and other.tolist() == [1, 1]


def test_float32_stays_float32(engine):
    a = engine.Value(np.array([1, 2], np.float32))
    loss = (2.0 * a.tanh() + 1.0).sum()
    loss.backward()
    assert loss.data.dtype == a.grad.dtype == np.float32


def test_whole_numbers_have_gradients_that_are_none(engine):
    a = engine.Value(np.array([1, 2]))
    (a * 0.5).sum().backward()
    assert a.grad.tolist() == [0.5, 0.5]
