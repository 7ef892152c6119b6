"""Build C source into a library, once per machine, and call what is in it, for `emit_c`.

The library lies in a folder of the user's alone, under the hash of all that went into it, beside a
hash of itself: what is damaged is built again. One process builds while the others wait; the file
appears by an atomic rename. Where the cache cannot be used, a temporary folder serves. Whatever
goes wrong is a `CannotBuild` within a bounded time; the caller then runs without C.
"""

from __future__ import annotations

import _ctypes
import atexit
import contextlib
import ctypes
import errno
import functools
import hashlib
import math
import os
import platform
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from . import compiler
from .compiler import CannotBuild, said

try:
    import fcntl
except ImportError:  # no POSIX: the rename is still atomic, at worst two processes build
    fcntl = None  # type: ignore[assignment]

FLAGS = ["-O3", "-std=gnu11", "-march=native", "-fopenmp-simd", "-fno-math-errno",
         "-fno-trapping-math", "-shared", "-fPIC"]  # fmt: skip
LINE = 64  # bytes
PATIENCE = 150  # seconds to wait for another process that builds
STALE = 3600  # seconds after which a folder that a killed process built in is removed
# POSIX alone has these: neither links nor FIFOs are followed, nothing leaks to a child
CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def load(source: str, defines: tuple[str, ...] = (), symbols: Sequence[str] = ()) -> ctypes.CDLL:
    """Return the library built from `source`, from the cache if it is there, whole, and has the
    `symbols`."""
    command, flags = compiler.command(), [*options(), *(f"-D{d}" for d in defines)]
    parts = [source, compiler.machine(command), *flags]
    key = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
    for folder in (cache, temporary):
        try:
            path = private(folder()) / f"{key}.so"
            with locked(path.with_suffix(".lock")):
                known = whole(path)
                if known:
                    with contextlib.suppress(OSError):  # another machine's, or without a symbol
                        return opened_library(path, symbols)
                build(command, flags, source, path)
                return opened_library(path, symbols)
        except OSError as error:  # not ours, not writable, full, locked, or not loadable from there
            reason = error
    raise CannotBuild(f"the compiled library cannot be stored or loaded: {said(reason)}")


def options() -> list[str]:
    return FLAGS + (["-mprefer-vector-width=512"] if "86" in platform.machine() else [])


def opened_library(path: Path, symbols: Sequence[str]) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    missing = [name for name in symbols if not hasattr(library, name)]
    if missing:
        # while it is open, the one built next would be taken for it: they have the same name
        close: Any = getattr(_ctypes, "dlclose", None) or getattr(_ctypes, "FreeLibrary")  # noqa: B009
        close(library._handle)
        raise OSError(errno.ENOEXEC, f"the library has no {missing[0]}", str(path))
    return library


def cache() -> Path:
    """Return the folder in the user's cache; what XDG calls relative, and invalid, is ignored."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(home):  # nobody's home is known
        raise OSError(errno.ENOENT, "there is no home for a cache")
    return Path(home) / "tinygrad_rnn"


@functools.cache
def temporary() -> Path:
    """Return a folder that goes with the process."""
    folder, owner = tempfile.mkdtemp(prefix="tinygrad_rnn-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked child leaves it to its parent
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return Path(folder)


def private(folder: Path) -> Path:
    """Return the folder, made for us alone; an OSError if somebody else may put code there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.ENOTDIR, f"{folder} is a link, not a folder")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"{folder} belongs to another user")
    if os.name == "posix" and found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def opened(path: Path, flags: int = os.O_RDONLY) -> int:
    """Return the descriptor of a regular file: what a link or a FIFO leads to is not opened."""
    descriptor = os.open(path, flags | CAREFUL, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path} is no regular file")
    return descriptor


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let only one process at a time into the block, where the system has file locks."""
    descriptor, until = opened(path, os.O_RDWR | os.O_CREAT), time.monotonic() + PATIENCE
    try:
        while fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(errno.ETIMEDOUT, f"{path} stays locked") from None
                time.sleep(0.02)
            except OSError:  # this file system has no locks
                break
        yield
    finally:
        os.close(descriptor)


def whole(path: Path) -> bool:
    """Return whether the library is there and is what was built."""
    try:
        return content(path.with_suffix(".sha")) == digest(path)
    except OSError:
        return False


def content(path: Path) -> bytes:
    with os.fdopen(opened(path), "rb") as file:
        return file.read()


def digest(path: Path) -> bytes:
    return hashlib.sha256(content(path)).hexdigest().encode()


def build(command: tuple[str, ...], flags: list[str], source: str, path: Path) -> None:
    """Compile into a temporary folder and rename, so that nobody sees half a library."""
    remove_stale(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as folder:
        text, made = Path(folder) / "program.c", Path(folder) / "program.so"
        text.write_text(source, "utf-8", "replace")
        env = {"ZIG_GLOBAL_CACHE_DIR": str(path.parent / "zig"), **os.environ}  # zig keeps its own
        compiler.ask(
            command, *flags, str(text), "-o", str(made), "-lm", "-pthread",
            limit=compiler.TIMEOUT, env=env,
        )  # fmt: skip
        if not made.is_file():
            raise CannotBuild(f"{command[0]} failed: it left no library")
        mark = Path(folder) / "program.sha"
        mark.write_bytes(digest(made))
        os.replace(mark, path.with_suffix(".sha"))
        os.replace(made, path)


def remove_stale(folder: Path) -> None:
    """Remove the temporary folders of processes that were killed while they built."""
    for old in folder.glob("tmp*"):
        with contextlib.suppress(OSError):
            if time.time() - old.lstat().st_mtime > STALE:
                shutil.rmtree(old, ignore_errors=True)


def packaged(package: str, name: str) -> str:
    """Return the text of a file of the package, also where that is a zip file."""
    return files(package).joinpath(name).read_text("utf-8")


@functools.cache
def thread_pool() -> ctypes.CDLL:
    """Return the pool of threads for C functions, see threads.c."""
    library = load(packaged(__package__, "threads.c"), ("_GNU_SOURCE",), ["run_parallel"])
    library.run_parallel.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 3]
    return library


def bind_parallel(
    library: ctypes.CDLL, name: str, ends: ctypes.Array, args: ctypes.Array
) -> Callable:
    """Bind a C function `(long first, long last, long *args)` to as many threads as needed, each
    from one end to the next."""
    function = getattr(library, name)
    function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p]
    if len(ends) == 2:
        return functools.partial(function, *ends, args)
    return functools.partial(thread_pool().run_parallel, len(ends) - 1, function, ends, args)


def numbers(values: Sequence[int]) -> ctypes.Array:
    """Return what C reads as an array of longs."""
    return (ctypes.c_long * len(values))(*values)


def processors() -> int:
    """Return how many threads may run: $OMP_NUM_THREADS, else what this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isascii() and named.isdigit():  # "²" is a digit too, and no number
        return int(named[:9])
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an empty array that begins where a line of the cache does: wide loads do not cross
    lines."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def address(array: np.ndarray) -> int:
    """Return the address of an array's first entry."""
    if array.flags.carray and array.size:  # quicker than `ctypes.data`, but only here
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    return array.ctypes.data
