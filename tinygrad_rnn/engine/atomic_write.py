"""Write a file whole or not at all; `files` and `drawing` save through it.

A temporary file in the same folder is written, flushed to the disk and renamed, so that a reader
sees the complete old file or the complete new one, whatever ends the program in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: a file that is open there cannot be removed by others
    fcntl = None  # type: ignore[assignment]

Bytes = bytes | bytearray | memoryview
BINARY = getattr(os, "O_BINARY", 0)  # else Windows writes "\n" as "\r\n"


def atomic_write(path: str | Path, data: Bytes | Iterable[Bytes]) -> None:
    """Replace the file at `path` by `data`, bytes or pieces of bytes; an OSError changes nothing.

    A new file's mode follows the umask, a replaced file keeps its mode and owner. A symbolic link
    stays: its target is written. What is no regular file (a device, a FIFO, /dev/stdout) cannot be
    replaced and is written through. One error comes too late to change nothing: that the folder
    could not be flushed after the new file took its place.
    """
    pieces = [data] if isinstance(data, Bytes) else data
    target = Path(os.path.realpath(path))
    try:
        before = os.stat(path)
    except FileNotFoundError:
        before = None
    if before is None:
        _replace(target, pieces, None)
    elif descriptor := _standard_stream(before):
        _write_through(os.dup(descriptor), pieces)
    elif stat.S_ISREG(before.st_mode):
        _replace(target, pieces, before)
    elif stat.S_ISDIR(before.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    else:
        # not by its target: what /dev/stdout leads to, "pipe:[4711]", is no path
        _write_through(os.open(path, os.O_WRONLY | BINARY), pieces)


def _standard_stream(found: os.stat_result) -> int | None:
    """Return 1 or 2 if the file is what stdout or stderr writes to.

    `draw -o /dev/stdout >> log` would lose the log if its file were replaced.
    """
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # closed
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def _write_through(descriptor: int, pieces: Iterable[Bytes]) -> None:
    for stream in (sys.stdout, sys.stderr):  # what was printed before comes first
        if stream is not None:
            stream.flush()
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)


def _replace(target: Path, pieces: Iterable[Bytes], before: os.stat_result | None) -> None:
    if before is not None and not os.access(target, os.W_OK):  # a rename would not ask
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    _remove_stale(target)
    descriptor, temporary = _temporary(target)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            if before is not None:
                _keep_owner_and_mode(temporary, before)
            os.fsync(file.fileno())
            if fcntl is not None:  # renamed under its lock: nobody takes it for stale
                os.replace(temporary, target)
        if fcntl is None:
            os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _temporary(target: Path) -> tuple[int, Path]:
    """Create a locked file beside the target, with the mode that the umask leaves."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY
    while True:
        path = target.with_name(f".{target.name[:50]}.{secrets.token_hex(6)}.tmp")
        try:
            descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            error.filename = str(target)  # the name that the caller knows
            raise
        if fcntl is None:
            return descriptor, path
        if _lock(descriptor) and os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # taken for stale in the moment before it was locked


def _lock(descriptor: int) -> bool:
    """Return False if another process has the lock: it is about to remove the file as stale."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network folders have no locks
        return True
    return True


def _remove_stale(target: Path) -> None:
    """Remove what killed writers of this file left: a living one holds a lock on its own."""
    for path in _leftovers(target):
        with contextlib.suppress(OSError):
            if fcntl is None:
                path.unlink()
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def _leftovers(target: Path) -> Iterator[Path]:
    start = f".{target.name[:50]}."
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            rest = entry.name.removeprefix(start)
            if len(rest) == 16 and rest.endswith(".tmp") and rest != entry.name:
                yield Path(entry.path)


def _keep_owner_and_mode(path: Path, before: os.stat_result) -> None:
    if hasattr(os, "chown"):
        now = os.stat(path)
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            with contextlib.suppress(OSError):  # only root may give files away
                os.chown(path, before.st_uid, before.st_gid)
    os.chmod(path, stat.S_IMODE(before.st_mode))


def _sync_folder(folder: Path) -> None:
    """Flush the rename to the disk too, where folders can be opened and flushed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise  # the new file stands there, but a power cut may take it away
    finally:
        os.close(descriptor)
