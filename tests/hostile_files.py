"""Some 300 files made to run code, to fill the memory or to be taken for something else.

`write(folder)` makes them. `python tests/hostile_files.py FOLDER` loads each with an audit hook that
notes whatever Python does, and prints, as JSON, what came of each: an audit hook cannot be taken
off again, and how much memory was used can be told once, so this is a process of its own.
"""

from __future__ import annotations

import io
import itertools
import json
import resource
import struct
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from damage import archive, npz, torch_like

from tinygrad_rnn import CheckpointError, load

# ------------------------------------------------------------------ programs that call something

GLOBALS = [
    "os system", "posix system", "nt system", "os popen", "os execv", "os unlink", "os remove",
    "subprocess Popen", "subprocess call", "builtins eval", "builtins exec", "__builtin__ eval",
    "builtins getattr", "builtins open", "builtins compile", "builtins __import__", "io open",
    "importlib import_module", "runpy run_path", "pty spawn", "webbrowser open", "ctypes CDLL",
    "torch load", "torch.hub load", "torch._utils _rebuild_tensor", "torch.serialization load",
    "numpy load", "numpy.core.multiarray _reconstruct", "numpy.core.multiarray scalar",
    "collections OrderedDict.__init__", "tinygrad_rnn.files.torch_files Storage", "torch Tensor",
    "functools partial", "operator attrgetter", "copyreg _reconstructor", "types FunctionType",
    "torch._utils _rebuild_tensor_v2.__globals__", "shutil rmtree", "pathlib Path", "code interact",
]  # fmt: skip


def text(word: str) -> bytes:
    data = word.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def programs(module: str, name: str) -> Iterator[tuple[str, bytes]]:
    """Every way in which a stack program can call `module.name` with one text."""
    start, argument = b"\x80\x02", text("touch /tmp/hostile")
    named = f"c{module}\n{name}\n".encode()
    yield "reduce", start + named + argument + b"\x85R."
    yield "stack name", start + text(module) + text(name) + b"\x93" + argument + b"\x85R."
    yield "instance", start + b"(" + argument + f"i{module}\n{name}\n".encode() + b"."
    yield "object", start + b"(" + named + argument + b"o."
    yield "new object", start + named + argument + b"\x85\x81."
    yield "build", start + named + b")R}" + text("a") + argument + b"sb."
    yield "only named", start + named + b"."
    yield "in a dict", start + b"}" + text("w") + named + argument + b"\x85Rs."


def torch_archive(program: bytes) -> bytes:
    return archive({"a/data.pkl": program, "a/version": b"3\n", "a/data/0": bytes(24)})


def tensor_program(offset: int, size: tuple, stride: tuple, count: int = 6, kind: str = "Float",
                   key: str = "0") -> bytes:  # fmt: skip
    """The program of one tensor that looks into a storage in the way told."""

    def number(n: int) -> bytes:
        data = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data

    numbers = lambda values: b"(" + b"".join(map(number, values)) + b"t"
    storage = b"(" + text("storage") + f"ctorch\n{kind}Storage\n".encode() + text(key)
    storage += text("cpu") + number(count) + b"tQ"
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset)
        + numbers(size) + numbers(stride) + b"\x89}tR."
    )  # fmt: skip


def torch_files() -> Iterator[tuple[str, bytes]]:
    for at, word in enumerate(GLOBALS):
        made = list(programs(*word.split()))
        for way, program in [made[at % 8], made[(at + 3) % 8], made[0]]:
            yield f"pt {word} {way}", torch_archive(program)
    for way, program in programs("os", "system"):
        yield f"pickle {way}", program
        yield f"pt os system {way}", torch_archive(program)
    views = {
        "beyond the end": (0, (7,), (1,)), "offset beyond": (5, (2,), (1,)), "negative": (-1, (2,), (1,)),
        "negative stride": (5, (2,), (-1,)), "negative size": (0, (-1,), (1,)), "huge": (0, (2**62,), (0,)),
        "overflow": (0, (2**33, 2**33), (2**33, 1)), "expanded": (0, (10**6, 10**6), (0, 0)),
        "uneven": (0, (2, 3), (1,)), "axes": (0, (1,) * 65, (0,) * 65), "wide stride": (0, (2,), (2**61,)),
    }  # fmt: skip
    for name, view in views.items():
        yield f"pt view {name}", torch_archive(tensor_program(*view))
    deep = b"(" + b")" + b"\x85" * 100_000 + b"Nt"
    yield (
        "pt deep key in a pair",
        torch_archive(b"\x80\x02ccollections\nOrderedDict\n" + deep + b"\x85\x85R."),
    )
    yield "pt call of a deep value", torch_archive(b"\x80\x02" + deep + b")R.")
    yield "pt deep storage", torch_archive(b"\x80\x02(" + deep + b"NNNNtQ.")
    yield "pt numbers of a megabyte", torch_archive(tensor_program(0, (1,) * 30, (1,) * 30).replace(
        b"\x8a\x01\x01", b"\x8b" + struct.pack("<I", 1 << 20) + b"\x11" * (1 << 20)))  # fmt: skip
    yield "pt count", torch_archive(tensor_program(0, (6,), (1,), count=2**60))
    yield "pt negative count", torch_archive(tensor_program(0, (0,), (1,), count=-1))
    yield "pt kind", torch_archive(tensor_program(0, (3,), (1,), kind="QInt32"))
    for key in ("1", "../../a", "", "0\0", "../data/0"):
        yield f"pt key {key!r}", torch_archive(tensor_program(0, (6,), (1,), key=key))
    odd = {
        "empty": b"", "stop": b".", "no stop": b"\x80\x02]", "protocol 0": b"\x80\x00N.",
        "protocol 1": b"(lp0\nI1\na.", "two values": b"\x80\x02NN.", "behind the end": b"\x80\x02N.N.",
        "long text": b"\x80\x02X\xff\xff\xff\xffa.", "long number": b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",
        "unknown memory": b"\x80\x02h\x07.", "items of nothing": b"\x80\x02e.", "set": b"\x80\x04\x8f.",
        "a list as key": b"\x80\x02}]Ns.", "append to a dict": b"\x80\x02}Na.", "uneven": b"\x80\x02}(Nu.",
        "persistent text": b"\x80\x02P0\n.", "persistent": b"\x80\x02NQ.", "extension": b"\x80\x02\x82\x01.",
        "marks": b"\x80\x02" + b"(" * 100_000 + b".", "buffer": b"\x80\x05\x97.",
        "deep key": b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"Ns.", "frame": b"\x80\x04\x95" + b"\xff" * 8,
        "name without end": b"\x80\x02cos", "not UTF-8": b"\x80\x02X\x01\0\0\0\xff.",
    }  # fmt: skip
    for name, program in odd.items():
        yield f"pt {name}", torch_archive(program)


# ----------------------------------------------------------------------------- arrays of NumPy


def npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header.encode("latin1") + b"\n"
    form = "<H" if version == b"\1\0" else "<I"
    return b"\x93NUMPY" + version + struct.pack(form, len(text)) + text + data


def literal(descr: object, shape: object, fortran: object = False) -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': {fortran!r}, 'shape': {shape}, }}"


def numpy_files() -> Iterator[tuple[str, bytes]]:
    evil = next(programs("os", "system"))[1]
    float32 = "<f4"
    cases = {
        "objects": npy(literal("|O", (1,)), evil), "objects in fields": npy(literal([("a", "|O")], (1,)), evil),
        "fields": npy(literal([("a", "<f4")], (1,)), bytes(4)), "void": npy(literal("|V4", (1,)), bytes(4)),
        "date": npy(literal("<M8[s]", (1,)), bytes(8)), "negative": npy(literal(float32, (-1,)), b""),
        "negative twice": npy(literal(float32, (-1, -1)), bytes(4)), "nan": npy(literal(float32, "(nan,)")),
        "huge": npy(literal(float32, (2**62,)), bytes(8)), "overflow": npy(literal(float32, (2**33, 2**33))),
        "digits": npy(literal(float32, "(" + "9" * 5000 + ",)")), "too few": npy(literal(float32, (3,)), bytes(8)),
        "too many": npy(literal(float32, (3,)), bytes(16)), "a call": npy(literal(float32, "(print(),)")),
        "parentheses": npy("(" * 9000 + ")" * 9000), "code": npy("__import__('os').system('x')"),
        "no end": npy(literal(float32, (1,)))[:-20], "long header": npy(" " * 60_000, bytes(4)),
        "version": npy(literal(float32, (1,)), bytes(4), b"\4\0"), "minor": npy(literal(float32, (1,)), bytes(4), b"\1\1"),
        "header length": b"\x93NUMPY\2\0\xff\xff\xff\xff{}", "only magic": b"\x93NUMPY", "boolean": npy(literal("|b1", (1,)), b"\2"),
        "character": npy(literal("<U1", (1,)), b"\xff\xff\xff\xff"), "wide text": npy(literal("<U999999999", (1,)), b""),
        "float of 3": npy(literal("<f3", (1,)), bytes(3)), "duplicate": npy("{'descr': '<f4', 'descr': '|O', 'fortran_order': False, 'shape': (1,), }", evil),
    }  # fmt: skip
    for name, data in cases.items():
        yield f"npy {name}", data
        yield f"npz {name}", archive({"w.npy": data})
    yield "npz of text", archive({"w.npy": b"hello"})
    yield "npz with a pickle", archive({"w.npy": evil})


# --------------------------------------------------------------------------------- archives


def archives() -> Iterator[tuple[str, bytes]]:
    bomb = archive({"w.npy": npy(literal("|u1", (200_000_000,)), bytes(200_000_000))},
                   zipfile.ZIP_DEFLATED)  # fmt: skip
    yield "zip bomb", bomb
    yield "pt bomb", archive({"a/data.pkl": bytes(200_000_000)}, zipfile.ZIP_DEFLATED)
    good, directory = npz(), npz().rindex(b"PK\x01\x02")
    yield "zip with a comment", good[:-2] + b"\x05\0hello"
    yield "zip behind a program", b"#!/bin/sh\ntouch /tmp/hostile\n" + good
    yield "zip behind a zip", good + good
    yield "zip of nothing", archive({})
    yield "zip of a text", archive({"readme.txt": b"hello"})
    for name in ("/etc/passwd.npy", "../w.npy", "a/../../w.npy", "a\\b.npy"):
        yield f"zip entry {name}", archive({name: npy(literal("<f4", (1,)), bytes(4))})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as twice:
        for _ in range(2):
            sys.stdout.flush()
            twice.fp.flush()
            twice.NameToInfo.clear()
            twice.writestr("w.npy", npy(literal("<f4", (1,)), bytes(4)))
    yield "zip with one name twice", file.getvalue()
    for offset, what in (
        (10, "method"),
        (8, "flags"),
        (16, "CRC"),
        (20, "packed"),
        (24, "size"),
        (42, "place"),
    ):
        changed = bytearray(good)
        changed[directory + offset] ^= 0x41 if what == "flags" else 0x3F
        yield f"zip other {what}", bytes(changed)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield (
            f"zip method {method}",
            archive({"w.npy": npy(literal("<f4", (1,)), bytes(4))}, method),
        )
    many = bytes(46) * 200_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, len(many), 4, 0)
    yield "zip of many entries", b"PK\3\4" + many.replace(bytes(4), b"PK\1\2", 1) + end
    overlapping = bytearray(archive({"a.npy": npy(literal("<f4", (1,)), bytes(4)), "b.npy": b""}))
    second = bytes(overlapping).rindex(b"PK\x01\x02")
    overlapping[second + 42 : second + 46] = bytes(4)
    yield "zip of overlapping entries", bytes(overlapping)
    yield "torch with another storage", torch_like().replace(b"FloatStorage", b"HalfStorage\n")


# ------------------------------------------------------------------------------ safetensors


def safetensors_files() -> Iterator[tuple[str, bytes]]:
    def plain(header: str | bytes, data: bytes = b"", length: int | None = None) -> bytes:
        header = header.encode() if isinstance(header, str) else header
        return struct.pack("<Q", len(header) if length is None else length) + header + data

    entry = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    for length in (0, 1, 10**6, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"st length {length}", plain("{}", length=length)
    for name in ("a", "../a", "__metadata__"):
        yield f"st twice {name}", plain(f'{{"{name}":{entry},"{name}":{entry}}}', bytes(8))
    for shape in (
        "[-2]",
        "[NaN]",
        "[2.0]",
        '["2"]',
        "null",
        "[2e0]",
        "[[2]]",
        "[true,2]",
        "[1e999]",
    ):
        yield f"st shape {shape}", plain(f'{{"a":{entry.replace("[2]", shape)}}}', bytes(8))
    for offsets in ("[8,0]", "[-8,0]", "[0,9]", "[4,12]", "[0]", "[0,8,8]", "[0.0,8]", "[0,1e1]"):
        yield f"st offsets {offsets}", plain(f'{{"a":{entry.replace("[0,8]", offsets)}}}', bytes(8))
    for code in ("O", "F8_E4M3", "f32", "", "F32\\u0000", "<f4", "object"):
        yield f"st dtype {code}", plain(f'{{"a":{entry.replace("F32", code)}}}', bytes(8))
    yield "st overlap", plain(f'{{"a":{entry},"b":{entry}}}', bytes(8))
    yield "st hole", plain(f'{{"a":{entry}}}', bytes(16))
    yield "st a zip behind", plain(f'{{"a":{entry}}}', bytes(8)) + npz()
    yield "st deep", plain("[" * 200_000 + "]" * 200_000)
    yield "st deep objects", plain('{"a":' * 200_000 + "1" + "}" * 200_000)
    yield "st wide", plain('{"a":[' + "[]," * 2_000_000 + "[]]}")
    yield "st many numbers", plain('{"a":[' + "9," * 2_000_000 + "9]}")
    yield "st digits", plain('{"a":' + "9" * 2_000_000 + "}")
    yield "st surrogate", plain('{"\\ud800":' + entry + "}", bytes(7))
    yield "st UTF-16", plain('{"a":1}'.encode("utf-16"))
    yield "st BOM", plain(b"\xef\xbb\xbf{}")


def others() -> Iterator[tuple[str, bytes]]:
    words = {"empty": b"", "a byte": b"P", "text": b"hello world", "JSON": b'{"w": [1, 2]}',
             "zeros": bytes(1000), "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(99), "gzip": b"\x1f\x8b" + bytes(50),
             "script": b"#!/bin/sh\ntouch /tmp/hostile\n", "ELF": b"\x7fELF" + bytes(99),
             "old torch": b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."}  # fmt: skip
    yield from words.items()


def hostile() -> dict[str, bytes]:
    parts = (torch_files(), numpy_files(), archives(), safetensors_files(), others())
    return dict(itertools.chain(*parts))


# ------------------------------------------------------------------------- loading, watched


def write(folder: Path) -> list[Path]:
    """Write all of them into a folder, and one file that is well."""
    files = {"well": npz(), "well too": torch_like(), **hostile()}
    for k, (name, data) in enumerate(files.items()):
        (folder / f"{k}").write_bytes(data)
        (folder / f"{k}.name").write_text(name, "utf-8")
    return sorted(folder.glob("*.name"), key=lambda path: int(path.stem))


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(folder: Path) -> None:
    """Load what `write` wrote; print what came of each, and all that Python did meanwhile."""
    paths = {path.read_text("utf-8"): path.with_suffix("") for path in folder.glob("*.name")}
    for name in ("well", "well too"):  # what is imported late is imported by now
        load(paths.pop(name))
    events: list[str] = []
    own = ""

    def heard(event: str, arguments: tuple) -> None:
        if (event, *arguments[:2]) != ("open", own, "r"):
            events.append(event)

    sys.addaudithook(heard)
    report = {}
    for name, path in paths.items():
        own, before, begun = str(path), memory(), time.process_time()
        events.clear()
        try:
            ended = f"loaded {load(own)!r:.80}"
        except CheckpointError as error:
            ended = f"refused: {error}"
        except BaseException as error:
            ended = f"{type(error).__name__}: {error}"
        took, seen = time.process_time() - begun, sorted(set(events))
        report[name] = {"ended": ended, "events": seen, "seconds": took,
                        "size": path.stat().st_size, "grown": memory() - before}  # fmt: skip
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
