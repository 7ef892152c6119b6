"""C: building source into a library, once per machine, and calling what is in it.

The library lies in the user's cache folder under the hash of all that went into it, beside a hash
of itself: what is damaged is built again. One process builds while the others wait; the file
appears by an atomic rename. Where the cache cannot be written, a temporary folder serves.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import hashlib
import importlib.util
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FLAGS = ["-O3", "-std=gnu11", "-march=native", "-fopenmp-simd", "-fno-math-errno",
         "-fno-trapping-math", "-shared", "-fPIC"]  # fmt: skip
LINE = 64  # bytes
TIMEOUT = 120  # seconds a compiler may take


class CannotBuild(Exception):
    """Why there is no library: no compiler, what it said, no place to keep it, no way in."""


@functools.cache
def compiler() -> tuple[str, ...]:
    """The command of a C compiler: $CC, else cc, gcc or clang, else the ziglang wheel."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        words = shlex.split(name)
        if words and shutil.which(words[0]):
            return tuple(words)
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc")
    raise CannotBuild("there is no C compiler (cc, $CC or the ziglang wheel)")


@functools.cache
def machine() -> str:
    """What decides which code -march=native makes: the compiler's version and the processor."""
    found = subprocess.run(
        [*compiler(), "--version"], capture_output=True, text=True, timeout=TIMEOUT
    )
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    flags = [line for line in lines if line.startswith(("flags", "Features", "model name"))][:2]
    return "\n".join([*compiler(), found.stdout, platform.machine(), platform.processor(), *flags])


def load(source: str, defines: tuple[str, ...]) -> ctypes.CDLL:
    """The library built from `source`, from the cache if it is there and whole."""
    options = [*FLAGS, *(["-mprefer-vector-width=512"] if "86" in platform.machine() else [])]
    options += [f"-D{d}" for d in defines]
    key = hashlib.sha256("\0".join([source, machine(), *options]).encode()).hexdigest()[:32]
    for folder in folders():
        try:
            with locked(folder / f"{key}.lock"):
                path = folder / f"{key}.so"
                if not whole(path):
                    build(source, options, path)
                return ctypes.CDLL(str(path))
        except OSError as error:  # not writable, full, or not loadable from there
            reason = error
    raise CannotBuild(f"the compiled library cannot be stored or loaded: {reason}")


def folders() -> Iterator[Path]:
    """Where libraries may be kept: the user's cache, else a folder that goes with the process."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    yield Path(home) / "tinygrad_rnn"
    yield temporary()


@functools.cache
def temporary() -> Path:
    folder = tempfile.mkdtemp(prefix="tinygrad_rnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time is in the block (where the system has file locks)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            import fcntl
        except ImportError:  # no POSIX: the rename is still atomic, at worst two processes build
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def whole(path: Path) -> bool:
    """True if the library is there and is what was built."""
    try:
        return path.with_suffix(".sha").read_text() == digest(path)
    except OSError:
        return False


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(source: str, options: list[str], path: Path) -> None:
    """Compiles into a temporary file and renames it, so that nobody sees half a library."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        text, made = Path(folder) / "program.c", Path(folder) / "program.so"
        text.write_text(source)
        command = [*compiler(), *options, str(text), "-o", str(made), "-lm", "-pthread"]
        env = {"ZIG_GLOBAL_CACHE_DIR": str(path.parent / "zig"), **os.environ}  # zig keeps its own
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, env=env)
        except subprocess.TimeoutExpired:
            raise CannotBuild(f"{command[0]} took longer than {TIMEOUT} s") from None
        if done.returncode:
            message = done.stderr.strip().splitlines()[:3]
            raise CannotBuild(f"{command[0]} failed: " + " ".join(message))
        mark = Path(folder) / "program.sha"
        mark.write_text(digest(made))
        os.replace(mark, path.with_suffix(".sha"))
        os.replace(made, path)


@functools.cache
def team() -> ctypes.CDLL:
    """Threads for C functions, see threads.c."""
    library = load(Path(__file__).with_name("threads.c").read_text(), ("_GNU_SOURCE",))
    library.together.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 3]
    return library


def shared(library: ctypes.CDLL, name: str, ends: ctypes.Array, args: ctypes.Array) -> Callable:
    """The call of a C function `(long first, long last, long *args)` by as many threads as needed,
    each from one end to the next."""
    function = getattr(library, name)
    function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p]
    if len(ends) == 2:
        return functools.partial(function, *ends, args)
    return functools.partial(team().together, len(ends) - 1, function, ends, args)


def numbers(values: Sequence[int]) -> ctypes.Array:
    """What C reads as an array of longs."""
    return (ctypes.c_long * len(values))(*values)


def processors() -> int:
    """How many threads may run: $OMP_NUM_THREADS, else what this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit():
        return int(named)
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An empty array that begins where a line of the cache does: wide loads do not cross lines."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def address(array: np.ndarray) -> int:
    """Where an array's first entry lies. The short way works for contiguous arrays of one's own."""
    if array.flags.carray and array.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    return array.ctypes.data
