"""Step 1: values compute, and remember."""


def test_a_value_computes(engine):
    a, b = engine.Value(2.0), engine.Value(3.0)
    assert (a + b).data == 5 and (a * b).data == 6


def test_a_value_remembers_what_it_was_made_of(engine):
    a, b = engine.Value(2.0), engine.Value(3.0)
    assert list((a * b).parents) == [a, b] and not a.parents
    assert a.grad is None


def test_a_rule_gives_each_parent_its_gradient(engine):
    a, b = engine.Value(2.0), engine.Value(3.0)
    assert [float(g) for g in (a * b).rule(10.0)] == [30, 20]
    assert [float(g) for g in (a + b).rule(10.0)] == [10, 10]


def test_a_number_may_stand_on_either_side(engine):
    a = engine.Value(3.0)
    assert [(a + 2).data, (2 + a).data, (a * 2).data, (2 * a).data] == [5, 5, 6, 6]
