"""Make a virtual environment and install this project into it: `setup_venv.py [EXTRAS]`.

`--venv FOLDER` is where, instead of `.venv`; one that another Python made is made anew.
`--numpy 1.26.*` asks for that NumPy instead of the newest.

Needs only Python's standard library and no root. Where Python came without `ensurepip` (as on a
bare Debian) the pip of the calling Python, or the `uv` on the PATH, fills the environment instead;
failing that, the message says what to install.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
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


def is_of_this_python(python: Path) -> bool:
    """Return whether an environment's interpreter is there, has pip, and is of our version."""
    same = f"import sys; sys.exit(sys.version_info[:3] != {sys.version_info[:3]})"
    return python.exists() and succeeds(python, "-c", same) and succeeds(python, "-m", "pip", "-V")


def pip_for(venv: Path) -> "list[str]":
    """Return the command that installs into the environment, making that first if need be."""
    python = venv / PYTHON
    inside = [str(python), "-m", "pip"]
    if is_of_this_python(python):
        return inside
    if succeeds(sys.executable, "-m", "venv", "--clear", venv) and is_of_this_python(python):
        return inside
    if succeeds(sys.executable, "-m", "venv", "--clear", "--without-pip", venv):
        if succeeds(sys.executable, "-m", "pip", "--python", python, "--version"):
            return [sys.executable, "-m", "pip", "--python", str(python)]
        uv = shutil.which("uv")
        if uv:
            return [uv, "pip", "--python", str(python)]
    sys.exit(NO_PIP.format(python=sys.executable))


def main() -> None:
    """Fill the environment; pip's own words appear only when it fails."""
    if sys.version_info < OLDEST:
        sys.exit(f"tinygrad_rnn needs Python >= 3.10; {sys.executable} is {sys.version.split()[0]}")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extras", nargs="?", default="")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--numpy", help="a version, such as 1.26.*")
    a = parser.parse_args()
    wanted = ["-e", f"{ROOT}[{a.extras}]" if a.extras else str(ROOT)]
    wanted += [f"numpy=={a.numpy}"] if a.numpy else []
    print(f"set up   {a.venv} ({sys.executable}) with {a.extras or 'numpy'} ...", flush=True)
    pip = pip_for(a.venv)
    options = [] if pip[1:2] == ["pip"] else ["--disable-pip-version-check"]
    command = [*pip, "install", "-q", *options, *wanted]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)} failed; is there a network?")


if __name__ == "__main__":
    main()
