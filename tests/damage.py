"""Files to damage, ways to damage them, and what a reader did: shared by the tests of `load`."""

from __future__ import annotations

import io
import random
import resource
import time
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from tinygrad_rnn import CheckpointError, Generator, load, nn, optim, save


def in_bytes(value) -> bytes:
    file = io.BytesIO()
    save(value, file)
    return file.getvalue()


def flat() -> dict:
    return nn.LSTM(3, 4, seed=0).state_dict()


def training() -> dict:
    """What a run saves: model, optimiser, generator, numbers, a history."""
    model = nn.GRU(3, 4, num_layers=2, bidirectional=True, seed=1)
    optimizer = optim.Adam(model.parameters())
    generator = Generator(5)
    model(generator.normal((4, 2, 3)))[0].square().sum().backward()
    optimizer.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": generator,
        "epoch": 7,
        "best": float("inf"),
        "history": [0.5 / (k + 1) for k in range(100)],
        "words": ["<PAD>", "öß", "𝔸", ""],
        "shape": (1, (2**70, None), b"\0\xff"),
    }


def large() -> dict:
    source = np.random.default_rng(2)
    kinds = "f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1".split()
    return {kind: source.integers(0, 100, (40, 30)).astype(kind) for kind in kinds} | {
        "mask": source.integers(0, 2, 900).astype(bool),
        "empty": np.zeros((0, 3)),
    }


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, w=np.arange(300.0), b=np.arange(5, dtype=np.int8), name=np.array(["a", "bc"]))
    return file.getvalue()


def compressed() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, w=np.arange(300) // 7, b=np.arange(5, dtype=np.int8))
    return file.getvalue()


Mutation = Callable[[bytes, random.Random], bytes]


def _bit(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]


def _byte(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + draw.randbytes(1) + data[place + 1 :]


def _header_byte(data: bytes, draw: random.Random) -> bytes:
    """Most bytes are numbers; those of a header deserve more attempts."""
    place = draw.randrange(min(len(data), 2000))
    return data[:place] + draw.choice([b"0", b"9", b'"', b",", b"}", b" "]) + data[place + 1 :]


def _block(data: bytes, draw: random.Random) -> bytes:
    length = 1 << draw.randrange(1, 12)
    place, other = draw.randrange(len(data)), draw.randrange(len(data))
    new = [bytes(length), b"\xff" * length, draw.randbytes(length), data[other : other + length]]
    return data[:place] + draw.choice(new) + data[place + length :]


def _insert(data: bytes, draw: random.Random) -> bytes:
    place, other = draw.randrange(len(data) + 1), draw.randrange(len(data))
    new = draw.choice([b" ", b"\0", draw.randbytes(8), data[other : other + draw.randrange(1, 99)]])
    return data[:place] + new + data[place:]


def _delete(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + data[place + draw.choice([1, 8, draw.randrange(1, 999)]) :]


def _truncate(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _length(data: bytes, draw: random.Random) -> bytes:
    number = draw.choice([0, 1, 2**63, 2**64 - 1, len(data), draw.randrange(2**20)])
    return number.to_bytes(8, "little") + data[8:]


def _swap(data: bytes, draw: random.Random) -> bytes:
    a, b = sorted(draw.randrange(len(data)) for _ in range(2))
    length = draw.choice([1, 4, 64])
    return (
        data[:a]
        + data[b : b + length]
        + data[a + length : b]
        + data[a : a + length]
        + data[b + length :]
    )


MUTATIONS: list[Mutation] = [
    _bit, _bit, _byte, _header_byte, _block, _insert, _delete, _truncate, _length, _swap,
]  # fmt: skip


def mutants(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` files that differ from `data`."""
    draw = random.Random(seed)
    while count:
        new = draw.choice(MUTATIONS)(data, draw)
        if new != data:
            count -= 1
            yield new


class Verdict:
    """What loading did: values that came back, by themselves, and the slowest and largest load."""

    def __init__(self) -> None:
        self.values: list[tuple[bytes, object]] = []
        self.slowest, self.first_memory = 0.0, _memory()

    def load(self, data: bytes) -> None:
        """Load; keep what came back. Any exception but CheckpointError goes through."""
        begun = time.process_time()
        try:
            self.values.append((data, load(io.BytesIO(data))))
        except CheckpointError:
            pass
        self.slowest = max(self.slowest, time.process_time() - begun)

    @property
    def grown(self) -> int:
        """By how many bytes the most memory this process ever had has grown."""
        return _memory() - self.first_memory


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def torch_like() -> bytes:
    """An archive as torch writes them, by hand: {"w": float32 (2, 3)}."""
    program = (
        b"\x80\x02}q\x00X\x01\x00\x00\x00wq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02"
        b"((X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05"
        b"X\x03\x00\x00\x00cpuq\x06K\x06tq\x07QK\x00K\x02K\x03\x86q\x08K\x03K\x01\x86q\x09\x89"
        b"ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0ds."
    )
    numbers = np.arange(6, dtype="<f4").tobytes()
    entries = {"data.pkl": program, "byteorder": b"little", "data/0": numbers, "version": b"3\n"}
    return archive({f"a/{name}": data for name, data in entries.items()})


def archive(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return file.getvalue()
