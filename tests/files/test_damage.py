"""100,000 damaged files: none is loaded wrong, all raise one error, none takes long or much memory.

Files of ours are refused whatever changed in them. In zip archives some bytes mean nothing (dates,
say); there what loads has to equal the original.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import damage
import pytest
from damage import Verdict, in_bytes, mutants
from peak_memory import PEAK

from tinygrad_rnn import CheckpointError, load

ROOT = Path(__file__).parents[2]
OURS = {"flat": damage.flat, "training": damage.training, "large": damage.large}
ARCHIVES = {"npz": damage.npz, "compressed": damage.compressed, "torch": damage.torch_like}


def same(a, b):
    """Whether two results of `load` on these archives are equal."""
    told = lambda value: {k: (str(x.dtype), x.shape, x.tolist()) for k, x in value.items()}
    return told(a) == told(b)


def check_ours(name, count, seed):
    data, verdict = in_bytes(OURS[name]()), Verdict()
    for mutant in mutants(data, count, seed):
        verdict.load(mutant)
    assert not verdict.values, f"{len(verdict.values)} damaged files were loaded"
    assert verdict.slowest < 0.05
    assert verdict.grown <= 2 * len(data) + (64 << 20)


def check_archive(name, count, seed):
    data, verdict = ARCHIVES[name](), Verdict()
    for mutant in mutants(data, count, seed):
        verdict.load(mutant)
    original = load(io.BytesIO(data))
    wrong = [value for _, value in verdict.values if not same(value, original)]
    assert not wrong, f"{len(wrong)} damaged files were loaded wrong"
    assert verdict.slowest < 0.05
    assert verdict.grown <= 2 * len(data) + (64 << 20)


@pytest.mark.parametrize("name", OURS)
def test_damaged_files_of_ours_are_refused(name):
    check_ours(name, 1000, seed=0)


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives_are_refused_or_right(name):
    check_archive(name, 500, seed=0)


@pytest.mark.parametrize("make", [damage.flat, damage.npz, damage.torch_like])
def test_every_truncation_is_refused(make):
    data = make() if isinstance(make(), bytes) else in_bytes(make())
    for length in range(len(data)):
        with pytest.raises(CheckpointError):
            load(io.BytesIO(data[:length]))


def test_every_bit_of_a_header_counts():
    data = in_bytes({"w": damage.flat()["weight_ih_l0"], "step": 3})
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(CheckpointError):
            load(io.BytesIO(flipped))


def test_the_check_would_see_what_is_loaded_wrong(monkeypatch):
    from tinygrad_rnn.files import safetensors

    monkeypatch.setattr(safetensors, "_compare_checksum", lambda head: None)
    with pytest.raises(AssertionError, match="were loaded"):
        check_ours("training", 1500, seed=1)


MEMORY = (
    PEAK
    + """
import sys
import numpy as np
from tinygrad_rnn import load, save
memory = lambda: peak() / 1024
path, value = sys.argv[1], {"w": np.ones((5, 1_000_000)), "v": np.ones((1_000_000, 2)).T}
save([1], path), load(path)
begun = memory()
save(value, path)
saved = memory()
del value
again = load(path)
print(saved - begun, memory() - saved)
"""
)


def test_a_file_takes_the_memory_of_its_arrays_alone(tmp_path):
    """56 megabytes; of them 16 lie transposed and are copied alone."""
    done = subprocess.run([sys.executable, "-c", MEMORY, tmp_path / "x"], capture_output=True,
                          text=True, env={"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    saving, loading = map(float, done.stdout.split())
    assert saving < 16 + 8 and loading < 8


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("seed", range(1, 5))
def test_100_000_damaged_files_of_ours_are_refused(name, seed):
    check_ours(name, 100_000 // 12 + 1, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHIVES)
def test_30_000_damaged_archives_are_refused_or_right(name):
    check_archive(name, 10_000, seed=1)
