"""Python's integers are int64 on every platform.

NumPy's own integer has 32 bits on Windows before NumPy 2 and on wasm32. Here NumPy is changed to be
so, in a process of its own, before the package is imported.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NARROW = '''
import numpy as np

def narrowed(function, always=False):
    """`function` with 32 bits where no dtype is named and no array of 64 bits came in."""
    def call(*args, **options):
        y = function(*args, **options)
        named = [d for d in (*args[1:], *options.values()) if isinstance(d, (np.dtype, type))]
        if named:
            return y.astype(np.int32) if named[0] is int else y
        wide = [a for a in args if getattr(a, "dtype", None) in (np.int64, np.uint64)]
        if y.dtype == np.int64 and (always or not wide):
            y = y.astype(np.int32)
        return y
    call.__name__ = function.__name__
    return call

for name in "array asarray arange full where sum prod cumsum cumprod".split():
    setattr(np, name, narrowed(getattr(np, name)))
for name in "argmax argmin argsort".split():
    setattr(np, name, narrowed(getattr(np, name), always=True))
assert np.asarray([1]).dtype == np.int32 == np.arange(2).dtype
import tinygrad_rnn as tg
x, mask = tg.tensor([[0.5, 2.0], [1.0, 3.0]]), tg.tensor([True, False])
bits = tg.tensor([1, 2], dtype="uint8")
'''
INTEGERS = """tg.tensor(3) tg.tensor([1,2]) tg.tensor([[1],[2]]) tg.tensor(range(3))
tg.tensor((1,2)) tg.tensor([tg.tensor(1),2]) tg.tensor([1],dtype=int)
tg.arange(3) tg.arange(1,7,2) tg.full((2,),3) tg.full_like(tg.tensor(1),5)
tg.zeros(2,dtype=int) tg.arange(2,dtype=int) mask+1 1+mask mask*2 mask-1
tg.where(mask,1,2) bits.sum() mask.sum() bits.prod() bits.prod(0) mask.cumsum(0)
tg.cumprod(mask,0) x.argmax() x.argmax(1) x.argmin(0) x.argsort() x.sort()[1]
tg.topk(x,1)[1] x.max(1)[1] x.min(0)[1] tg.cummax(x,1)[1] x.max(0).indices
tg.tensor(1).argsort() tg.tensor([1,2])[[0]] tg.tensor([1,2])+1 tg.tensor(2)**2
x.astype(int) tg.cat([tg.tensor([1]),tg.tensor([2])]) tg.stack([tg.tensor(1)])
mask.astype(int)""".split()


def test_integers_have_64_bits_where_numpys_have_32() -> None:
    checks = "".join(f"print({code!r}, ({code}).dtype)\n" for code in INTEGERS)
    ran = subprocess.run([sys.executable, "-W", "error", "-c", NARROW + checks], cwd=ROOT,
                         capture_output=True, text=True, timeout=100)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert [line for line in ran.stdout.splitlines() if not line.endswith(" int64")] == []
    assert len(ran.stdout.splitlines()) == len(INTEGERS)


def test_nothing_asks_for_the_platforms_integer() -> None:
    """`astype(int)` and `dtype=int` are what NumPy calls its own integer."""
    sources = sorted((ROOT / "tinygrad_rnn").rglob("*.py"))
    assert sources
    for path in sources:
        lines = re.findall(r".*(?:astype\(int\)|dtype=int\b|np\.int_\b).*", path.read_text("utf-8"))
        assert not [line for line in lines if ">>>" not in line], path.name
