"""Writes a file so that its path always holds all of the old bytes or all of the new ones.

The new bytes go to a temporary file in the same folder, are forced to the disk, and take the place
of the old ones by one rename; then the folder is forced to the disk too. A process killed midway
leaves at most its temporary file, which the next save to the same path removes.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: there an open file cannot be removed, which does as well
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replaced_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write; at the end of the block it takes the place of what is at `path`.

    An exception in the block leaves the old file and no other. The mode of the old file is kept,
    links are followed, and what is no regular file (/dev/null, a pipe) is written to directly.
    """
    target = Path(os.path.realpath(path))
    old = _status(target)
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(target, "wb") as file:
            yield file
        return
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "the file is write-protected", str(target))
    _remove_stale(target)
    temporary, handle = _create_locked(target, old)
    try:
        with os.fdopen(handle, "wb") as file:
            if old is not None:
                _keep_owner_and_mode(handle, old)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows renames no open file
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _create_locked(target: Path, old: os.stat_result | None) -> tuple[Path, int]:
    """Create a temporary file beside `target`, locked for as long as this process has it open."""
    mode = 0o666 if old is None else stat.S_IMODE(old.st_mode)
    while True:
        path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.saving")
        handle = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode
        )
        if not _locked(handle) or _status(path) is None:  # seen unlocked, another save removed it
            os.close(handle)
            continue
        return path, handle


def _keep_owner_and_mode(handle: int, old: os.stat_result) -> None:
    if not hasattr(os, "fchown"):
        return
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):  # only root may give files away
            os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _locked(handle: int) -> bool:
    """Lock an open file for this process; False if another has it. Death unlocks, even by KILL."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk of a network may have no locks: then nothing stale is removed
        return True
    return True


def _remove_stale(target: Path) -> None:
    """Remove temporary files of `target` that no living process is writing."""
    for path in target.parent.glob(f".{_literal(target.name)}.*.saving"):
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            stale = _locked(handle)
            if fcntl is None:
                os.close(handle)
            if stale:
                os.unlink(path)
            if fcntl is not None:
                os.close(handle)  # not before: between the two another could lock it


def _literal(name: str) -> str:
    """Return a file name with the signs that `glob` would read as a pattern put into brackets."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _sync_folder(folder: Path) -> None:
    """Force the rename to the disk; without this a power cut may bring the old name back."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
