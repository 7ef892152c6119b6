"""`python -m tinygrad_rnn.draw`: the same command as tools/draw_graph.py."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
