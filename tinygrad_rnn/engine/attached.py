"""Declare to type checkers the methods that Tensor gets later; `conversion` inherits it.

Type checkers read `attached.pyi` beside it, which tools/write_stubs.py makes of those methods.
"""


class Attached:
    """Hold Tensor's operators and methods, each a function; empty until they are attached."""

    __slots__ = ()
