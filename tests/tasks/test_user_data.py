"""Data of users, of any script, line end and size: read right, or refused in one line."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from peak_memory import PEAK

from tinygrad_rnn.tasks import TASKS, task_of
from tinygrad_rnn.tasks.command import main
from tinygrad_rnn.text import TextError

SCRIPTS = {
    "latin": "Ein Bär läuft. ", "greek": "Το γράμμα. ", "arabic": "مرحبا بالعالم ",
    "hebrew": "שלום עולם ", "chinese": "你好世界。", "hindi": "नमस्ते दुनिया ",
    "emoji": "🙂👍🏽 ok ", "combined": "e\u0301a\u0308 ",
}  # fmt: skip
FORMS = {
    "plain": lambda text: text.encode(),
    "bom": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "empty lines": lambda text: text.replace("\n", "\n\n\n").encode(),
}


def read(name: str, path: Path):
    """Return a task that has read a file."""
    kind = task_of(name)
    task = kind(replace(kind.defaults, steps=1, hidden=4, batch=4, compiled=False))
    task.read(path)
    return task


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_text_of_any_script_is_read_to_the_letter(script, form, tmp_path):
    text = "\n".join([SCRIPTS[script] * 5] * 20)
    (tmp_path / "text.txt").write_bytes(FORMS[form](text))
    task = read("characters", tmp_path / "text.txt")
    letters = task.known.vocabularies["letters"]
    expected = text.replace("\n", "\n\n\n") if form == "empty lines" else text
    assert set(letters.tokens) - {"<UNK>"} == set(expected)
    whole = task.learnt[0 : len(task.learnt)], task.held[0 : len(task.held)]
    assert letters.decode(np.concatenate(whole)) == expected


PAIRS = "".join(f"{k} one\t{k}\n" for k in range(30))
TUNE = "M:3/4\nK:D\nFED F2A | def d3 |\n\n"
WORDS = "".join(f"word{chr(97 + k)}\n" for k in range(26))
CONLL = "Ada NNP B-PER\nslept VBD O\n. . O\n\n" * 12


TABLES = {
    "dates": PAIRS, "entities": CONLL, "sentiment": PAIRS, "music": TUNE * 9, "words": TUNE * 9,
    "spelling": WORDS, "ocr": WORDS, "series": "\n".join(map(str, range(60))),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name, text", TABLES.items())
def test_tables_are_read_in_every_form(name, text, form, tmp_path):
    (tmp_path / "table").write_bytes(FORMS[form](text))
    if form == "cr" and name in ("dates", "sentiment"):
        with pytest.raises(TextError, match="line 1: a CR inside of it"):
            read(name, tmp_path / "table")
        return
    task = read(name, tmp_path / "table")
    loss = task.loss(task.build(), next(iter(task.batches())) if task.carries else task.batch(0))
    assert np.isfinite((loss[0] if task.carries else loss).item())


WRONG = {  # name: (task, bytes, what is told)
    "columns": ("dates", PAIRS.encode() + b"a\tb\tc\n" * 10, "line 31: 3 columns instead of 2"),
    "no column": ("numbers", b"x\n" * 40, "line 1: 1 columns instead of 2"),
    "few pairs": ("dates", b"a\tb\n", "1 pairs are too few"),
    "no tag": ("entities", CONLL.encode() + b"Bob\n", "line 49: a word and its tag are wanted"),
    "unknown tag": ("entities", b"Bob NNP PERSON\n", "line 1: tags are O, or begin with B- or I-"),
    "few sentences": ("entities", b"Bob B-PER\n\n", "1 sentences are too few"),
    "no number": ("series", b"1\n2\nx\n", "line 3: a number is wanted, got 'x'"),
    "one class": ("intent", b"a\tb\n" * 40, "40 examples of 1 classes are too few"),
    "no words": ("spelling", b"a\nb\n" * 40, "0 words of 4 to 14 letters"),
    "no letters": ("ocr", "мир\n".encode() * 40, "0 words of 3 to 9 letters"),
    "few words": ("words", b"a b\n" * 9, "27 words are too few"),
    "not finite": ("series", b"nan\n" * 50, "all finite"),
    "short": ("characters", b"abc", "too few"),
    "not UTF-8": ("characters", b"ok\n" * 99 + b"\xff\xfe\n", "line 100: byte 0xff is not UTF-8"),
    "UTF-16": ("characters", "text".encode("utf-16") * 99, "looks like UTF-16"),
}


@pytest.mark.parametrize("name, data, told", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(name, data, told, tmp_path, capsys):
    path = tmp_path / "data"
    path.write_bytes(data)
    options = ["--steps", "1", "--hidden", "3", "--no-compile", "--out", str(tmp_path / "out")]
    assert main(["train", name, "--data", str(path), *options]) == 2
    said = capsys.readouterr().err
    assert told in said and str(path) in said and said.count("\n") == 1


ALONE = [name for name in TASKS if task_of(name).takes.startswith("nothing")]


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ALONE])
def test_no_file_an_empty_one_and_a_folder_are_refused(name, tmp_path, capsys):
    (tmp_path / "empty").touch()
    for path, told in ((tmp_path / "none", "no such file"), (tmp_path / "empty", "is empty"),
                       (tmp_path, "is a folder")):  # fmt: skip
        assert main(["train", name, "--data", str(path), "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert told in said and said.count("\n") == 1


@pytest.mark.parametrize("name", ALONE)
def test_a_task_that_makes_its_own_data_says_so(name, tmp_path, capsys):
    assert main(["train", name, "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "takes no --data" in capsys.readouterr().err


MEMORY = f"""{PEAK}
import sys
from dataclasses import replace
from pathlib import Path
from tinygrad_rnn.tasks.characters import Characters
task = Characters(replace(Characters.defaults, hidden=4, compiled=False))
task.read(Path(sys.argv[1]))
model, batches = task.build(), task.batches()
for k in (0, len(batches) // 2):
    task.loss(model, batches.batch(k))[0].backward()
print(peak())
"""


@pytest.mark.slow
def test_a_gigabyte_is_read_in_300_megabytes(tmp_path):
    path = tmp_path / "large.txt"
    piece = ("It was a bright cold day in April, and the clocks were striking.\n" * 16_000).encode()
    with path.open("wb") as file:
        for _ in range(1_000):
            file.write(piece)
    assert path.stat().st_size > 10**9
    command = [sys.executable, "-c", MEMORY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    most = int(done.stdout) / 1024
    assert most < 300, f"{most:.0f} MB"
