"""The page that maps the notes to code: whatever it names exists, and its code runs."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn
from tinygrad_rnn import cross_entropy, init, microscope, nn, tensor

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "tutorials" / "EQUATIONS.md").read_text(encoding="utf-8")
CALLS = sorted(set(re.findall(r"`((?:nn\.|microscope\.|init\.)?\w+\([^`]*?\))", PAGE)))
TESTS = sorted(set(re.findall(r"tests/[\w/]+\.py(?:::\w+)?", PAGE)))


@pytest.mark.parametrize("name", TESTS)
def test_every_test_named_exists(name):
    file, _, function = name.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    assert not function or function in defined


def keywords(made):
    """All keyword arguments of a class and its bases, of a layer's cell too, or of a function."""
    sources = [made]
    if inspect.isclass(made):
        sources = [c.__init__ for c in made.__mro__ if "__init__" in vars(c)]
        if made is nn.RNN:
            sources += [c.__init__ for c in nn.RNNCell.__mro__ if "__init__" in vars(c)]
        if hasattr(made, "cell_class"):
            sources += [c.__init__ for c in made.cell_class.__mro__ if "__init__" in vars(c)]
    return {name for source in sources for name in inspect.signature(source).parameters}


@pytest.mark.parametrize("text", CALLS)
def test_every_class_and_option_named_exists(text):
    call = ast.parse(text.partition(")(")[0].removesuffix(")") + ")", mode="eval").body
    if text.startswith(("backward", "cell")):
        return
    owner = call.func.value.id if isinstance(call.func, ast.Attribute) else "tinygrad_rnn"
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
    module = {"nn": nn, "microscope": microscope, "init": init, "tinygrad_rnn": tinygrad_rnn}[owner]
    assert {k.arg for k in call.keywords} <= keywords(getattr(module, name))


def test_the_page_names_enough():
    assert len(CALLS) > 30 and len(TESTS) > 30
    for section in ("Vanilla RNN", "Loss and BPTT", "Gates, GRU, LSTM", "Deep and bidirectional"):
        assert f"## {section}" in PAGE


def test_the_code_of_the_page_runs():
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT)


@pytest.mark.slow
def test_a_layer_of_pytorch_loads_as_it_is():
    script = ROOT / "tutorials" / "from_torch.py"
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})  # fmt: skip
    if done.returncode == 2:
        pytest.skip("PyTorch is not installed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("combinations of options") == 3


def test_the_probabilities_of_all_sentences_sum_to_one():
    model = nn.Readout(nn.GRU(3, 5, dtype=np.float64, seed=0), 3, dtype=np.float64)
    total = 0.0
    for sentence in itertools.product(range(3), repeat=4):
        words = np.array(sentence)[:, None]
        before = np.concatenate([[[0]], words[:-1]])
        logits, _ = model(tensor(before))
        total += np.exp(-cross_entropy(logits[:, 0], tensor(words[:, 0]), reduction="sum").item())
    assert total == pytest.approx(1, abs=1e-12)
