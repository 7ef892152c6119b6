"""Make the virtual environment `.venv` and install this project into it: `setup_venv.py EXTRAS`.

Needs only Python's standard library and no root. Where Python came without `ensurepip` (as on a
bare Debian) the pip of the calling Python, or the `uv` on the PATH, fills the environment instead;
failing that, the message says what to install.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
OLDEST = (3, 10)
NO_PIP = """
This Python ({python}) comes without ensurepip and pip, so nothing can be installed with it.
One of these helps, then run make again:
    sudo apt install python3-venv        (Debian, Ubuntu)
    make PYTHON=/path/to/another/python
    install uv from https://docs.astral.sh/uv/  (no root needed)"""


def succeeds(*command: object) -> bool:
    """Return whether the command ran and exited with 0; its output is dropped."""
    words = [str(word) for word in command]
    return not subprocess.run(words, capture_output=True, check=False).returncode


def pip_for_venv() -> "list[str]":
    """Return the command that installs into the environment, making that first if need be."""
    inside = [str(PYTHON), "-m", "pip"]
    if PYTHON.exists() and succeeds(*inside, "--version"):
        return inside
    if succeeds(sys.executable, "-m", "venv", VENV) and succeeds(*inside, "--version"):
        return inside
    if succeeds(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV):
        if succeeds(sys.executable, "-m", "pip", "--python", PYTHON, "--version"):
            return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
        uv = shutil.which("uv")
        if uv:
            return [uv, "pip", "--python", str(PYTHON)]
    sys.exit(NO_PIP.format(python=sys.executable))


def main(extras: str) -> None:
    """Fill the environment; pip's own words appear only when it fails."""
    if sys.version_info < OLDEST:
        sys.exit(f"tinygrad_rnn needs Python >= 3.10; {sys.executable} is {sys.version.split()[0]}")
    wanted = f"{ROOT}[{extras}]" if extras else str(ROOT)
    print(f"set up   .venv ({sys.executable}) with {extras or 'numpy'} ...", flush=True)
    pip = pip_for_venv()
    options = [] if pip[1:2] == ["pip"] else ["--disable-pip-version-check"]
    command = [*pip, "install", "-q", *options, "-e", wanted]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)} failed; is there a network?")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
