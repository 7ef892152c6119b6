"""Turn a rewritten step into NumPy calls, C or CUDA from one memory plan, for `compile.layer`."""
