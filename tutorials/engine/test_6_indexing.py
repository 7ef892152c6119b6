"""Step 6: entries come back to where they were taken, as often as they were."""

import numpy as np
import pytest

draw = np.random.default_rng(0).normal
INDICES = {
    "one row": 1,
    "slice": slice(0, 2),
    "backwards": slice(None, None, -1),
    "column": (slice(None), 1),
    "rows": [2, 0],
    "a row twice": [1, 1, 0],
    "an entry twice": ([0, 0, 2], [1, 1, 0]),
}


@pytest.mark.parametrize("name", INDICES)
def test_indexing(agrees, name):
    agrees(lambda a: (a[INDICES[name]] ** 2).sum(), draw(size=(3, 2)))


def test_an_entry_taken_twice_gets_two_gradients(slopes):
    assert slopes(lambda a: a[[0, 0]].sum(), [5.0, 6.0])[0].tolist() == [2, 0]


@pytest.mark.parametrize("axis", [0, 1])
def test_joining_parts_of_different_lengths(engine, agrees, axis):
    shapes = [(1, 2), (3, 2), (2, 2)] if axis == 0 else [(2, 1), (2, 3), (2, 2)]
    weights = draw(size=(6, 2) if axis == 0 else (2, 6))
    agrees(lambda *parts: (engine.concat(list(parts), axis) * weights).sum(),
           *[draw(size=s) for s in shapes])  # fmt: skip


def test_joining_a_value_with_itself(engine, slopes):
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    found = slopes(lambda a: (engine.concat([a, a]) * weights).sum(), [5.0, 6.0])[0]
    assert found.tolist() == [4, 6]
