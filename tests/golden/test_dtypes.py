"""Every function in every dtype: what torch recorded, or a refusal; never another number.

Each case runs as it was recorded and with inputs whose strides are negative. What torch refuses
and we compute has the value that float64 has.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

import golden
import tinygrad_rnn as tg
from golden import test_forms
from golden.test_functions import find

CASES = golden.load("dtypes")
INPUTS = CASES[0].arrays
FORMS = {key.partition(" ")[0] for key in INPUTS}
TOLERANCE = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-12}
# Where we differ on purpose: a call, its dtypes, and the reason
DIFFERENT = [
    ("all|any", "uint8", "truth is a boolean; torch gives bytes of bytes"),
    ("softmax|softmin|log_softmax", "bool|.*int.*", "of no integers is no float, not no integer"),
    ("avg_pool[12]d", "int.*", "a mean is a float; torch divides whole numbers"),
    ("clamp|clip", "uint8", "a bound below all bytes bounds nothing; torch takes -1 for 255"),
    ("mul|multiply", "float16 int(32|64)", "a 0-d integer beyond half precision is infinite"),
]  # fmt: skip
WRAPS = "addcmul sub subtract dot mv mm matmul".split()  # as narrow integers do
REFUSED = [
    ("sign", "bool", "did not contain a loop"),
    ("power", "bool", "none of booleans"),
    ("power", ".*int.*", "negative integer powers"),
    ("power", "bool int.*", "negative integer powers"),
]


def backwards(a: np.ndarray) -> np.ndarray:
    """The same values with negative strides."""
    if not a.ndim:
        return a.copy()
    turn = (slice(None, None, -1),) * a.ndim
    return a[turn].copy()[turn]


def argument(value: Any, dtypes: list[str], turn: list[int], layout: Any) -> Any:
    if isinstance(value, dict):
        if "index" in value:
            return tg.tensor(value["index"])
        return [argument(v, dtypes, turn, layout) for v in value["all"]]
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str) or value.partition(" ")[0] not in FORMS:
        return value
    if value not in INPUTS:
        turn[0] += 1
        value = f"{value} {dtypes[min(turn[0], len(dtypes)) - 1]}"
    x = tg.tensor(0)
    x._array = layout(INPUTS[value])  # tensor() would straighten the strides
    return x


def evaluated(case: golden.Case, dtypes: str, layout: Any) -> Any:
    """Our results as a list of arrays, or the refusal."""
    turn = [0]
    try:
        args = [argument(a, dtypes.split(), turn, layout) for a in case.options["args"]]
        made = find(case.name)(*args, **case.options["keywords"])
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        return error
    return [y.numpy() for y in (made if isinstance(made, (tuple, list)) else (made,))]


def known(table: list, case: golden.Case, dtypes: str) -> list[str]:
    return [why for names, some, why in table
            if re.fullmatch(names, case.name) and re.fullmatch(some or ".*", dtypes)]  # fmt: skip


def is_same(got: np.ndarray, right: np.ndarray) -> bool:
    near = TOLERANCE.get(right.dtype.name, 0)
    least = {"float16": 1e-3, "float32": 1e-7}.get(right.dtype.name, 0)
    wide = got.astype(float), right.astype(float)
    return got.shape == right.shape and np.allclose(*wide, near, least, equal_nan=True)


def difference(case: golden.Case, dtypes: str, layout: Any) -> str:
    """What is wrong with our results, or nothing."""
    right = [a for key, a in case.arrays.items() if key.rpartition("/")[0] == dtypes]
    got = evaluated(case, dtypes, layout)
    if isinstance(got, Exception):
        return "" if any(why in str(got) for why in known(REFUSED, case, dtypes)) else str(got)
    if len(got) != len(right):
        return f"{len(got)} results, not {len(right)}"
    for mine, its in zip(got, right, strict=True):
        if (mine.dtype != its.dtype or not is_same(mine, its)) and not known(
            DIFFERENT, case, dtypes
        ):
            return f"{mine.dtype}{list(mine.shape)} {mine.tolist()}, not {its.dtype} {its.tolist()}"
    return ""


GROUPS = sorted({case.name for case in CASES[1:]})


@pytest.mark.parametrize("layout", [np.array, backwards])
@pytest.mark.parametrize("name", GROUPS)
def test_every_dtype_has_torchs_result(name: str, layout: Any) -> None:
    wrong = []
    with np.errstate(all="ignore"):
        for case in (c for c in CASES[1:] if c.name == name):
            for dtypes in dict.fromkeys(key.rpartition("/")[0] for key in case.arrays):
                told = difference(case, dtypes, layout)
                wrong += [
                    f"{name}{case.options['args']} {case.options['keywords']} of {dtypes}: {told}"
                ] * bool(told)
    assert not wrong, "\n".join(wrong[:5])


@pytest.mark.parametrize("name", GROUPS)
def test_what_torch_refuses_has_the_value_of_float64(name: str) -> None:
    with np.errstate(all="ignore"):
        for case in (c for c in CASES[1:] if c.name == name):
            for dtypes in case.options["refused"]:
                got = evaluated(case, dtypes, np.array)
                if isinstance(got, Exception):
                    assert len(str(got)) > 20
                    continue
                wide = evaluated(case, dtypes, np.float64)
                assert not isinstance(wide, Exception)
                same = (
                    is_same(np.float32(a), np.float32(b)) for a, b in zip(got, wide, strict=True)
                )
                assert all(same) or name in WRAPS, (case.options, dtypes, got, wide)  # bytes wrap


# What is given no tensor of a dtype, is ours alone, or is tested where its name says
ELSEWHERE = """BoolTensor DoubleTensor FloatTensor IntTensor LongTensor allclose arange as_tensor
bernoulli checkpoint dropout empty empty_like eye from_dlpack from_numpy full index_put
initial_seed is_tensor linspace manual_seed masked_softmax is_floating_point multinomial normal
numel one_hot ones rand rand_like randint randn randn_like randperm safe_sqrt zeros""".split()
HOMES = ("tinygrad_rnn.functions.", "tinygrad_rnn.engine.ops")


def test_every_public_function_has_its_dtypes_recorded() -> None:
    public = {n: f for n, f in vars(tg).items() if n[0] != "_" and inspect.isfunction(f)}
    home = {n for n, f in public.items() if f.__module__.startswith(HOMES)}
    new = home - {*GROUPS, *ELSEWHERE, *test_forms.NAMES, *test_forms.ELSEWHERE}
    assert len(home) > 150 and not new, f"add {sorted(new)} to tools/golden/dtypes.py and record"
