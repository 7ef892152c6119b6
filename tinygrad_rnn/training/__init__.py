"""Train with one loop that can be ended and gone on with at any step; programs call `fit`.

`fit` is read from top to bottom; `run` holds what it changes and saves, `generators` finds the
random numbers, `interrupts` hears Ctrl-C, `progress` and `curves` show how it goes.
"""

from .fit import fit
from .generators import generators_of
from .run import Run

__all__ = ["Run", "fit", "generators_of"]
