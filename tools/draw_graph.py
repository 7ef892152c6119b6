"""Draw the unrolled graph of a recurrent network; `--help` lists what and how.

python tools/draw_graph.py --cell lstm --steps 3 -o lstm.svg -o lstm.html
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tinygrad_rnn.draw.cli import main

if __name__ == "__main__":
    sys.exit(main())
