"""Train a task of the notes in a clone: `python tools/train.py characters`; `--help` says more."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tinygrad_rnn.tasks.command import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
