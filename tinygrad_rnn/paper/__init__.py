"""Put a cell on paper, for programs: its equations, its passes in NumPy, its single numbers.

All are read from the graph of one step, so they say what runs.
"""

from .equations import equations
from .numpy_script import numpy_script
from .scalar_twin import ScalarTwin, scalar_twin

__all__ = ["ScalarTwin", "equations", "numpy_script", "scalar_twin"]
