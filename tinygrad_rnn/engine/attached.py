"""Declare to type checkers the methods that Tensor gets later; `conversion` inherits it.

Type checkers read `attached.pyi` beside it, which tools/write_stubs.py makes of those methods.
"""


class Attached:
    """Tensor's operators and methods, each a function of the same name; empty as written."""

    __slots__ = ()
