"""From a captured and rewritten step to code: NumPy calls, C or CUDA from one memory plan."""
