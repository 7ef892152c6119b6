"""The format itself: foreign files by hand, and every way in which a header can be wrong."""

from __future__ import annotations

import io
import json
import struct
import sys

import numpy as np
import pytest

from tinygrad_rnn import CheckpointError, Tensor, load, save

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def plain(header, data=b""):
    """A safetensors file of anybody: a header (a dict or its text) and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def loaded(content):
    return load(io.BytesIO(content))


def test_a_foreign_file_gives_its_tensors():
    b = np.array([[1, -2, 3]], "<i8")
    header = {
        "b": {"dtype": "I64", "shape": [1, 3], "data_offsets": [8, 32]},
        "a": F32,
        "__metadata__": {"format": "pt", "by": "somebody"},
        "none": {"dtype": "F64", "shape": [0, 4], "data_offsets": [32, 32]},
    }
    got = loaded(plain(header, np.array([0.5, -1], "<f4").tobytes() + b.tobytes()))
    assert list(got) == ["b", "a", "none"] and all(type(x) is Tensor for x in got.values())
    assert np.array_equal(got["a"].numpy(), np.array([0.5, -1], np.float32))
    assert np.array_equal(got["b"].numpy(), b) and got["none"].shape == (0, 4)


def test_bfloat16_is_the_upper_half_of_a_float32():
    values = np.array([1.0, -2.5, 3.140625, np.inf, np.nan, 1e-40, -0.0], np.float32)
    upper = (values.view("<u4") >> 16).astype("<u2")
    header = {"x": {"dtype": "BF16", "shape": [7], "data_offsets": [0, 14]}}
    got = loaded(plain(header, upper.tobytes()))["x"].numpy()
    assert got.dtype == np.float32
    assert np.array_equal(got.view("u4"), (upper.astype("u4") << 16))


def test_numbers_are_little_endian_whatever_the_machine(monkeypatch):
    file = io.BytesIO()
    save({"x": np.array([1, 2], ">i2")}, file)
    assert file.getvalue().endswith(b"\1\0\2\0")
    assert sys.byteorder == "little" or loaded(file.getvalue())["x"].tolist() == [1, 2]


HEADERS = {
    "not JSON": b"{]",
    "an array": b"[1]",
    "a number": b"12",
    "not UTF-8": b'{"\xff": 1}',
    "a NaN": b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}',
    "two names alike": b'{"a": %b, "a": %b}' % ((json.dumps(F32).encode(),) * 2),
    "two dtypes": b'{"a": {"dtype": "F32", "dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}',
    "blanks before": b'  {"a": %b}' % json.dumps(F32).encode(),
    "text behind": b'{"a": %b} x' % json.dumps(F32).encode(),
    "nested without end": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "too many brackets": b'{"a": [' + b"[]," * 410_000 + b"[]]}",
    "a number of many digits": b'{"a": ' + b"9" * 100_000 + b"}",
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_headers_that_are_none(text):
    with pytest.raises(CheckpointError):
        loaded(plain(text, bytes(8)))


ENTRIES = {
    "no dict": 3,
    "no shape": {"dtype": "F32", "data_offsets": [0, 8]},
    "something more": F32 | {"more": 1},
    "unknown dtype": F32 | {"dtype": "F8_E4M3"},
    "dtype a number": F32 | {"dtype": 32},
    "negative": F32 | {"shape": [-2]},
    "negative twice": F32 | {"shape": [-1, -2]},
    "not whole": F32 | {"shape": [2.0]},
    "a bool": F32 | {"shape": [True, 2]},
    "a string": F32 | {"shape": "2"},
    "null": F32 | {"shape": None},
    "overflow": F32 | {"shape": [2**62, 4, 2**62]},
    "huge": F32 | {"shape": [2**61]},
    "too large a number": F32 | {"shape": [2**64, 0]},
    "more than the data": F32 | {"shape": [3], "data_offsets": [0, 12]},
    "less than its shape": F32 | {"shape": [3]},
    "one offset": F32 | {"data_offsets": [0]},
    "offsets swapped": F32 | {"data_offsets": [8, 0]},
    "hole before": F32 | {"data_offsets": [4, 12]},
    "bytes left over": F32 | {"shape": [1], "data_offsets": [0, 4]},
    "many axes": F32 | {"shape": [1] * 40 + [2]},
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_entries_that_cannot_be(entry):
    assert "a" in loaded(plain({"a": F32}, bytes(8)))
    with pytest.raises(CheckpointError):
        loaded(plain({"a": entry}, bytes(8)))


def test_overlaps_and_holes():
    one = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
    for begin in (0, 2, 3, 5):
        other = {"dtype": "U8", "shape": [4], "data_offsets": [begin, begin + 4]}
        with pytest.raises(CheckpointError, match="begins at"):
            loaded(plain({"a": one, "b": other}, bytes(8)))
    with pytest.raises(CheckpointError, match="for them"):
        loaded(plain({"a": one}, bytes(8)))
    with pytest.raises(CheckpointError, match="for them"):
        loaded(plain({}, b"x"))
    assert loaded(plain({})) == {}


@pytest.mark.parametrize("length", [0, 1, 2**24, 2**31, 2**63, 2**64 - 1])
def test_the_length_of_the_header_is_compared_before_it_is_read(length):
    content = struct.pack("<Q", length) + b'{"a": 1}'
    with pytest.raises(CheckpointError, match="a header of"):
        loaded(content)


def test_booleans_are_0_or_1():
    header = {"a": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}
    assert loaded(plain(header, b"\0\1"))["a"].tolist() == [False, True]
    with pytest.raises(CheckpointError, match="neither 0 nor 1"):
        loaded(plain(header, b"\0\2"))


def test_metadata_maps_strings_to_strings():
    for metadata in ([], {"a": 1}, {"a": None}, "x"):
        with pytest.raises(CheckpointError, match="__metadata__"):
            loaded(plain({"__metadata__": metadata}))


@pytest.mark.parametrize("mark", ["checksum", "tinygrad_rnn", "tree", "sha256:a"])
def test_one_mark_of_ours_is_enough_to_ask_for_all(mark):
    with pytest.raises(CheckpointError, match="its checksum is missing"):
        loaded(plain({"__metadata__": {mark: "1"}, "a": F32}, bytes(8)))


def signed(metadata, entries=None, data=b""):
    """A file with the checksum it should have, whatever its header says."""
    import hashlib

    marks = {"checksum": "0" * 64, "tinygrad_rnn": "1"} | metadata
    text = json.dumps({"__metadata__": marks} | (entries or {}), separators=(",", ":")).encode()
    content = plain(text)
    checksum = hashlib.sha256(content).hexdigest().encode()
    return content.replace(b"0" * 64, checksum, 1) + data


def test_a_file_of_a_later_format_says_so():
    with pytest.raises(CheckpointError, match="format '2'; this version reads 1"):
        loaded(signed({"tinygrad_rnn": "2", "tree": "1"}))
    assert loaded(signed({"tree": "[1,null]"})) == [1, None]


TREES = {
    "no JSON": "{",
    "NaN": "NaN",
    "two kinds": '{"int":"0x1","float":"0"}',
    "no kind": "{}",
    "unknown kind": '{"call":"os.system"}',
    "no number": '{"int":"x"}',
    "short float": '{"float":"00"}',
    "int of int": '{"int":1}',
    "no tuple": '{"tuple":1}',
    "no dict": '{"dict":[1]}',
    "uneven pairs": '{"pairs":[[1],[]]}',
    "a list as key": '{"pairs":[[[1]],[1]]}',
    "array of number": '{"array":1}',
    "array of list": '{"array":[]}',
    "array not there": '{"array":"b"}',
    "generator": '{"generator":["cpu",{"dict":{}}]}',
    "complex": '{"complex":[1]}',
    "two names alike": '{"dict":{"a":1,"a":2}}',
    "deep": '{"tuple":[' * 200 + "]}" * 200,
    "deeper": "[" * 100_000 + "]" * 100_000,
    "digits": "9" * 100_000,
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_trees_that_cannot_be(tree):
    with pytest.raises(CheckpointError):
        loaded(signed({"tree": tree}))


def test_every_tensor_is_referred_to_once():
    import hashlib

    data = bytes(8)
    marks = {"sha256:a": hashlib.sha256(data).hexdigest()}
    assert loaded(signed(marks | {"tree": '{"tensor":"a"}'}, {"a": F32}, data)).tolist() == [0, 0]
    for tree in ("1", '[{"tensor":"a"},{"array":"a"}]'):
        with pytest.raises(CheckpointError):
            loaded(signed(marks | {"tree": tree}, {"a": F32}, data))
    for other in ({}, {"sha256:a": "0" * 64}, marks | {"sha256:b": "0"}):
        with pytest.raises(CheckpointError):
            loaded(signed(other | {"tree": '{"tensor":"a"}'}, {"a": F32}, data))
