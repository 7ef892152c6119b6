"""Run a C compiler that may be absent, broken, slow or talkative, for `c_build`.

A compiler hangs now and then, waiting for a licence or a network folder, and so do the children of
a wrapper. Whatever it does, there is an answer within a limit; who hung is not asked again.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT = 120  # seconds a compiler may take
ANSWER = 10  # seconds a compiler may take to say its version


class CannotBuild(Exception):
    """Say why there is no library: no compiler, what it said, no place to keep it, no way in."""


def command() -> tuple[str, ...]:
    """Return the command of a C compiler: $CC, else cc, gcc or clang, else the ziglang wheel."""
    wanted = os.environ.get("CC", "")
    try:
        words = shlex.split(wanted)
    except ValueError as error:
        raise CannotBuild(f"$CC is no command ({error}): {wanted!r}") from None
    for one in (words, ["cc"], ["gcc"], ["clang"]):
        if one and shutil.which(one[0]):
            return tuple(one)
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc")
    raise CannotBuild("there is no C compiler (cc, $CC or the ziglang wheel)")


HUNG: dict[tuple[str, ...], str] = {}  # compilers that are not asked again, and why


def ask(command: tuple[str, ...], *arguments: str, limit: float, **more: Any) -> str:
    """Return what the compiler prints; CannotBuild says why it does not run, fails or hangs."""
    if command in HUNG:
        raise CannotBuild(HUNG[command])
    pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:  # in a session of its own, so that a wrapper's children can be ended with it
        process = subprocess.Popen([*command, *arguments], start_new_session=True, **pipes, **more)
    except (OSError, ValueError) as error:
        raise CannotBuild(f"{command[0]} does not run: {said(error)}") from None
    with process:
        try:
            out, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            end(process)
            HUNG[command] = f"{command[0]} took longer than {limit:g} s"
            raise CannotBuild(HUNG[command]) from None
        except BaseException:
            end(process)
            raise
    if process.returncode:
        lines = errors.decode("utf-8", "replace").strip().splitlines()[:3]
        reason = plain(" ".join(lines)) or f"status {process.returncode}"
        raise CannotBuild(f"{command[0]} failed: {reason}")
    return out.decode("utf-8", "replace")


def end(process: subprocess.Popen) -> None:
    """Kill a process and, where there are sessions, all that it started."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def said(error: Exception) -> str:
    return plain(getattr(error, "strerror", None) or str(error))


def plain(text: str) -> str:
    """Return one line of bounded length, without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)[:400]


@functools.cache
def machine(command: tuple[str, ...]) -> str:
    """Return what decides the code of -march=native: the compiler's version and the processor."""
    version = ask(command, "--version", limit=ANSWER)
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    flags = [line for line in lines if line.startswith(("flags", "Features", "model name"))][:2]
    return "\n".join([*command, version, platform.machine(), platform.processor(), *flags])
