"""Run the drawing command as `python -m tinygrad_rnn.draw`; people type it."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
