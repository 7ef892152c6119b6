"""The part of `Tensor` that is attached when `functions/methods.py` is imported.

Type checkers read `attached.pyi` beside it, which tools/write_stubs.py makes of those methods.
"""


class Attached:
    """Tensor's operators and methods, each a function of the same name; empty as written."""

    __slots__ = ()
