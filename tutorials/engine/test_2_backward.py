"""Step 2: gradients arrive, summed over all users, in the right order."""

import pytest


def test_parents_come_first_and_each_once(engine):
    a = engine.Value(2.0)
    b = a * 3
    c = b * b + a
    order = engine.in_order(c)
    assert len(order) == len({id(v) for v in order}) and order[-1] is c
    place = {id(v): k for k, v in enumerate(order)}
    assert all(place[id(p)] < place[id(v)] for v in order for p in v.parents)


def test_the_product_rule(slopes):
    assert [float(g) for g in slopes(lambda a, b: a * b, 2.0, 3.0)] == [3, 2]


def test_two_uses_give_two_gradients(slopes):
    assert float(slopes(lambda a: a * a, 3.0)[0]) == 6
    assert float(slopes(lambda a: a + a + a, 3.0)[0]) == 3


@pytest.mark.parametrize("last", [lambda b: b * b + b, lambda b: b + b * b])
def test_a_value_waits_for_all_its_users(slopes, last):
    assert float(slopes(lambda a: last(a * 2), 3.0)[0]) == 26


def test_a_long_chain_needs_no_recursion(slopes):
    def chain(a):
        for _ in range(3000):
            a = a + 1
        return a

    assert float(slopes(chain, 1.0)[0]) == 1


def test_a_value_is_walked_once_not_once_per_path(slopes):
    def doubled(a):
        for _ in range(60):
            a = a + a
        return a

    assert float(slopes(doubled, 1.0)[0]) == 2**60
