"""Text of every kind becomes the right numbers, or one error that names file and line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peak_memory import PEAK

from tinygrad_rnn import load, save, text
from tinygrad_rnn.text import (
    Batches,
    ByteVocabulary,
    CharVocabulary,
    Columns,
    Lines,
    Streams,
    TextError,
    Vocabulary,
    WordVocabulary,
    batches,
    reading,
)

ROOT = Path(__file__).parents[2]
SCRIPTS = "Straße 漢字 नमस्ते עברית ﷽ 🏳️‍🌈 e\u0301 \u2028 \x85 \x0c \x1c tab\tend"
VOCABULARIES = [CharVocabulary, WordVocabulary, ByteVocabulary]


@pytest.fixture
def written(tmp_path):
    """A function that writes bytes to a file and returns its path."""

    def write(data, name="text.txt"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


# ------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_text_is_the_same_however_it_is_cut(piece, end, bom, written, monkeypatch):
    monkeypatch.setattr(reading, "PIECE", piece)
    lines = ["", SCRIPTS, "", "b", "\ufeffnot at the beginning", ""]
    path = written(bom + end.join(lines))
    assert "".join(text.read_text(path)) == "\n".join(lines)
    assert list(text.read_lines(path)) == lines[:-1]


@pytest.mark.parametrize("piece", [1, 4, 100])
def test_wrong_bytes_are_told_by_file_and_line(piece, written, monkeypatch):
    monkeypatch.setattr(reading, "PIECE", piece)
    for wrong, said in [(b"\xff", "0xff"), (b"\xe9t\xe9", "0xe9"), (b"\xed\xa0\x80", "0xed"),
                        (b"\xc0\x80", "0xc0"), (b"\xf0\x9f", "0xf0")]:  # fmt: skip
        path = written(b"one\r\ntwo\n" + "漢".encode() + b" \n" + wrong, "latin.txt")
        with pytest.raises(TextError, match=rf"latin\.txt, line 4: byte {said} is not UTF-8"):
            list(text.read_text(path))
        with pytest.raises(TextError, match=rf"latin\.txt, line 4: byte {said} is not UTF-8"):
            Lines(path)[3]


def test_utf16_is_recognised(written):
    with pytest.raises(TextError, match=r"line 1: .*UTF-16"):
        list(text.read_text(written("hello".encode("utf-16"))))


def test_what_is_no_text_file(written, tmp_path):
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        CharVocabulary.of_file(tmp_path)
    with pytest.raises(FileNotFoundError, match="none"):
        CharVocabulary.of_file(tmp_path / "none")
    for kind in (CharVocabulary, WordVocabulary):
        with pytest.raises(TextError, match=r"text\.txt: no token"):
            kind.of_file(written(b""))
    with pytest.raises(TextError, match=r"text\.txt: no token"):
        CharVocabulary("abc").encode_file(written(b""))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([b"", b"a", b"b c", "é漢".encode(), b"  ", b"\t"]), max_size=90))
def test_lines_are_a_sequence_of_the_lines(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("lines") / "x"
    path.write_bytes(b"".join(part + b"\r\n" for part in parts))
    expected = [part.decode() for part in parts]
    assert list(Lines(path)) == expected == list(text.read_lines(path))
    kept = Lines(path, skip_empty=True)
    assert list(kept) == [line for line in expected if line.strip()]
    assert kept[-3:] == [line for line in expected if line.strip()][-3:]
    with pytest.raises(IndexError):
        Lines(path)[len(parts)]


def test_columns_name_the_line_that_lacks_one(written):
    path = written("\ufeffgood\t1\r\n\r\nbad\t0\r\nonly one\r\n")
    rows = Columns(path, 2)
    assert len(rows) == 3 and rows[0] == ("good", "1") and rows[1] == ("bad", "0")
    with pytest.raises(TextError, match=r"text\.txt, line 4: 1 columns instead of 2"):
        rows[2]


# --------------------------------------------------------------------------- vocabularies


def test_specials_come_first_then_the_most_frequent():
    words = WordVocabulary.of(["b a b\n", "c b a"])
    assert words.tokens == ["<PAD>", "<UNK>", "<BOS>", "<EOS>", "b", "a", "c"]
    assert (words.pad, words.unk, words.bos, words.eos) == (0, 1, 2, 3)
    assert words.encode("c x", bos=True, eos=True).tolist() == [2, 6, 1, 3]
    assert words.encode("", bos=True).tolist() == [2]
    assert WordVocabulary.of("b a b c b a", min_count=2).tokens[4:] == ["b", "a"]
    assert WordVocabulary.of("b a b c b a", max_size=5).tokens[4:] == ["b"]
    assert WordVocabulary.of("a", specials=()).tokens == ["a"]


def test_what_is_unknown_without_unk_is_named():
    with pytest.raises(KeyError, match="'x' is not in the vocabulary, which has no <UNK>"):
        CharVocabulary("ab", specials=()).encode("abx")


def test_wrong_vocabularies_are_refused():
    with pytest.raises(ValueError, match=r"twice in the vocabulary: \['a'\]"):
        CharVocabulary("aba")
    with pytest.raises(ValueError, match="unknown specials"):
        CharVocabulary("ab", specials=["<pad>"])


@given(st.text(st.characters(exclude_categories=())))
@settings(max_examples=80, deadline=None)
def test_characters_and_bytes_come_back(sample):
    assert CharVocabulary.of(sample).decode(CharVocabulary.of(sample).encode(sample)) == sample
    if not any("\ud800" <= c <= "\udfff" for c in sample):
        assert ByteVocabulary().decode(ByteVocabulary().encode(sample)) == sample


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
@pytest.mark.parametrize("kind", VOCABULARIES)
def test_a_file_in_pieces_gives_the_same_numbers_as_its_text(kind, piece, written, monkeypatch):
    monkeypatch.setattr(reading, "PIECE", piece)
    content = f"{SCRIPTS}\n\n  the cat\tthe\n{SCRIPTS}"
    path = written("\ufeff" + content.replace("\n", "\r\n"))
    vocabulary = kind.of_file(path)
    if kind is WordVocabulary:
        content = content.replace("\n", " <EOS> ")
    assert vocabulary.encode_file(path)[:].tolist() == vocabulary.encode(content).tolist()
    assert vocabulary == kind.of(content)


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_vocabularies_are_saved_as_json(kind, tmp_path):
    vocabulary = kind.of(SCRIPTS + '"\\\n\ud800 \0')
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary
    save(vocabulary.state_dict(), tmp_path / "v")
    assert Vocabulary.from_state_dict(load(tmp_path / "v")) == vocabulary


NONE = ["", "[]", "{", "null", '{"kind": "x"}', '{"kind": "char"}', '{"kind": []}', "[" * 100_000]
NONE += [
    '{"kind": "char", "specials": [], "tokens": "ab"}',
    '{"kind": "char", "specials": [], "tokens": [1]}',
    '{"kind": "char", "specials": ["x"], "tokens": []}',
    '{"kind": "char", "specials": [], "tokens": ["a", "a"]}',
]


@pytest.mark.parametrize("content", NONE, ids=range(len(NONE)))
def test_a_file_that_holds_no_vocabulary_is_named(content, written):
    with pytest.raises(ValueError, match=r"v\.json: "):
        Vocabulary.load(written(content, "v.json"))


# -------------------------------------------------------------------------------- streams


@given(st.integers(2, 60), st.integers(1, 5), st.integers(1, 7), st.booleans())
def test_streams_are_contiguous_and_predict_the_next(count, batch, steps, drop_last):
    length = (count - 1) // batch
    if length < (steps if drop_last else 1):
        with pytest.raises(ValueError, match="too few"):
            Streams(np.arange(count), batch, steps, drop_last)
        return
    streams = Streams(np.arange(count), batch, steps, drop_last)
    pairs = list(streams)
    assert len(pairs) == len(streams)
    xs = np.concatenate([x.numpy() for x, _ in pairs])
    ys = np.concatenate([y.numpy() for _, y in pairs])
    assert np.array_equal(ys, xs + 1) and ys.max() < count
    used = length // steps * steps if drop_last else length
    assert np.array_equal(xs, np.arange(batch) * length + np.arange(used)[:, None])
    assert all(len(x) == steps for x, _ in pairs[: None if drop_last else -1])


def makers():
    examples = [[k] * (k % 5 + 1) for k in range(23)]
    yield lambda: Streams(np.arange(101), 3, 7)
    for bucket in (False, True):
        for shuffle in (False, True):
            yield lambda b=bucket, s=shuffle: Batches(
                examples, 4, bucket=b, shuffle=s, collate=lambda batch: [x[0] for x in batch]
            )


def told(batch):
    return batch if isinstance(batch, list) else [part.tolist() for part in batch]


@pytest.mark.parametrize("make", list(makers()))
def test_batches_go_on_from_any_place(make):
    whole, passes = make(), 3
    expected = [told(batch) for _ in range(passes) for batch in whole]
    for place in range(len(expected)):
        first, seen = make(), []
        while len(seen) < place:
            for batch in first:
                seen.append(told(batch))
                if len(seen) == place:
                    break
        state = json.loads(json.dumps(first.state_dict()))
        second = make()
        second.load_state_dict(state)
        while second.epoch < passes:
            seen += [told(batch) for batch in second]
        assert seen == expected


def test_a_pass_that_was_left_is_begun_anew():
    streams = Streams(np.arange(50), 2, 4)
    next(iter(streams))
    assert len(list(streams)) == len(streams) and streams.epoch == 2


def test_a_place_in_other_data_is_refused():
    state = Streams(np.arange(50), 2, 4).state_dict()
    with pytest.raises(ValueError, match="the place was saved with"):
        Streams(np.arange(51), 2, 4).load_state_dict(state)


# -------------------------------------------------------------------------------- batches


@pytest.mark.parametrize("bucket", [False, True])
@pytest.mark.parametrize("count", [1, 7, 200, 1003])
def test_every_pass_gives_each_example_once_in_another_order(bucket, count):
    made = Batches([[k] * (k % 9 + 1) for k in range(count)], 8, bucket=bucket,
                   collate=lambda batch: [x[0] for x in batch])  # fmt: skip
    orders = [[k for batch in made for k in batch] for _ in range(2)]
    assert all(sorted(order) == list(range(count)) for order in orders)
    assert count < 9 or orders[0] != orders[1] != list(range(count))
    again = Batches(made.examples, 8, bucket=bucket, collate=made.collate)
    assert [k for batch in again for k in batch] == orders[0]
    other = Batches(made.examples, 8, bucket=bucket, collate=made.collate, seed=1)
    assert count < 9 or [k for batch in other for k in batch] != orders[0]


def test_buckets_pad_little():
    source = np.random.default_rng(0)
    examples = [np.ones(n) for n in source.integers(1, 100, 2000)]
    share = {}
    for bucket in (False, True):
        padded = [b.values.numpy() for b in Batches(examples, 16, bucket=bucket)]
        share[bucket] = 1 - sum(p.sum() for p in padded) / sum(p.size for p in padded)
    assert share[True] < 0.06 < 0.4 < share[False]


@pytest.mark.parametrize("count", [5, 2**16, 2**16 + 1, 100_003, 2**20])
def test_a_shuffled_row_is_a_permutation(count):
    places = np.arange(count)
    row = batches.shuffled(places, count, (3, 1))
    assert np.array_equal(np.sort(row), places)
    assert np.array_equal(
        batches.shuffled(places[7:2:-1] % count, count, (3, 1)), row[places[7:2:-1] % count]
    )
    assert count == 5 or not np.array_equal(row, batches.shuffled(places, count, (3, 2)))


def test_a_long_shuffled_row_looks_random():
    """Neighbours, quarters and fixed points are as in rows shuffled by NumPy."""
    count = 100_003
    row = batches.shuffled(np.arange(count), count, (0, 0))
    assert (row == np.arange(count)).sum() <= 6
    assert abs(np.corrcoef(row[:-1], row[1:])[0, 1]) < 0.015
    table = np.histogram2d(np.arange(count), row, bins=16)[0]
    expected = count / 256
    assert ((table - expected) ** 2 / expected).sum() < 320  # χ² with 225 degrees: p ≈ 2e-5


def test_padding_and_collating():
    padded = text.pad([np.ones((2, 3)), np.ones((1, 3))], value=-1)
    assert padded.values.shape == (2, 2, 3) and padded.lengths == [2, 1]
    assert padded.values[1, 1].tolist() == [-1, -1, -1]
    assert text.pad([[], []]).values.shape == (0, 2)
    assert text.pad([[], [1.5]]).values.tolist() == [[0, 1.5]]
    words, label, weight = text.collate([([1], 2, 0.5), ([3, 4], 0, 1.0)])
    assert words.values.T.tolist() == [[1, 0], [3, 4]] and label.tolist() == [2, 0]
    assert weight.tolist() == [0.5, 1.0]
    with pytest.raises(TypeError, match="encode text by a vocabulary first"):
        text.collate(["a", "b"])
    with pytest.raises(TypeError, match="encode text by a vocabulary first"):
        text.pad([["a"], ["b"]])
    with pytest.raises(ValueError, match="different shapes"):
        text.pad([np.ones((1, 2)), np.ones((1, 3))])


def test_batches_on_any_device(library):
    device = library.tensor([0.0]).device
    x, y = next(iter(Streams(range(9), 2, 2, device=device)))
    assert x.device == y.device == device
    words, label = next(iter(Batches([([1], 2), ([3, 4], 0)], 2, device=device)))
    assert words.values.device == label.device == device and words.lengths in ([1, 2], [2, 1])


@pytest.mark.parametrize("arguments", [([], 2), ([1], 0), ([1], -1)])
def test_no_batches_at_all(arguments):
    with pytest.raises(ValueError, match="there is none"):
        Batches(*arguments)


def test_lines_of_a_file_in_batches(written):
    path = written("".join(f"{'ab' * (k % 7)} {k}\n" for k in range(100)))
    words = WordVocabulary.of_file(path)
    encoded = [words.encode(line, eos=True) for line in Lines(path)]
    made = Batches(encoded, 8, bucket=True)
    assert sum(len(batch.lengths) for batch in made) == 100


# --------------------------------------------------------------------------------- memory

LARGE = (
    PEAK
    + """
import sys
from tinygrad_rnn import text
memory = lambda: peak() / 1024
path, kind, before = sys.argv[1], getattr(text, sys.argv[2]), memory()
text.tokens.IN_MEMORY = 1 << 20
vocabulary = kind.of_file(path)
streams = text.Streams(vocabulary.encode_file(path), 32, 64)
taken = [next(iter(streams)) for _ in range(3)]
lines = text.Lines(path)
batches = text.Batches(lines, 4, collate=lambda batch: batch)
for _, batch in zip(range(20), batches):
    assert len(batch) == 4
print(len(vocabulary), len(streams), len(lines), memory(), memory() - before)
"""
)


def large(tmp_path, megabytes, kind):
    block = "".join(f"Zeile {k} 漢字 the quick brown fox\n" for k in range(2000)).encode()
    path = tmp_path / "large.txt"
    with open(path, "wb") as file:
        for _ in range(megabytes * 1_000_000 // len(block) + 1):
            file.write(block)
    done = subprocess.run([sys.executable, "-c", LARGE, path, kind], capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert path.stat().st_size >= megabytes * 1_000_000
    return [float(word) for word in done.stdout.split()]


def test_a_file_of_30_megabytes_takes_none(tmp_path):
    *_, grown = large(tmp_path, 30, "CharVocabulary")
    assert grown < 60


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "megabytes"), [("CharVocabulary", 1000), ("WordVocabulary", 300)])
def test_a_gigabyte_takes_less_than_300_megabytes(tmp_path, kind, megabytes):
    *_, total, _ = large(tmp_path, megabytes, kind)
    assert total < 300
