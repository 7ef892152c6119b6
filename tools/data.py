"""List the data that the tasks can use: what is installed, licences, how to get what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tinygrad_rnn.tasks.command import main

if __name__ == "__main__":
    sys.exit(main(["data"]))
