"""Return an option's value if it fits, or say whose option does not; `nn` and `optim` call it.

Classes with options (layers, cells, optimisers) call these in their constructors. A message names
the class, the option, the values that fit and the one given. A wrong type is a TypeError, a value
out of range a ValueError.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .arrays import is_device

OWN = __name__.partition(".")[0]
Owner = Any  # an object, a class, or its name


def called(owner: Owner) -> str:
    """Return the name of a class, from itself or one of its objects."""
    return owner if isinstance(owner, str) else getattr(owner, "__name__", type(owner).__name__)


def unfit(owner: Owner, option: str, wanted: str, value: Any, kind: type = ValueError) -> Exception:
    """Return the error that says what an option must be.

    >>> print(unfit("LSTM", "num_layers", "a whole number of at least 1", 0))
    LSTM: num_layers must be a whole number of at least 1, got 0
    """
    return kind(f"{called(owner)}: {option} must be {wanted}, got {shown(value)}")


def shown(value: Any) -> str:
    """Return a value as a message shows it: short, and of which type if that is the trouble.

    >>> shown(3), shown("a"), shown(np.zeros(3))
    ('3', "'a'", 'a numpy.ndarray of shape (3,)')
    """
    if value is None or isinstance(value, (bool, int, float, str, tuple)):
        return repr(value)
    home, name = type(value).__module__, type(value).__qualname__
    name = name if home.partition(".")[0] in ("builtins", OWN) else f"{home}.{name}"
    shape = getattr(value, "shape", None)
    return f"a {name}" + (f" of shape {tuple(shape)}" if shape is not None else "")


def whole(owner: Owner, option: str, value: Any, least: float = 1, most: float = math.inf) -> int:
    """Return a whole number within bounds.

    >>> whole("Linear", "in_features", 0)
    Traceback (most recent call last):
    ValueError: Linear: in_features must be a whole number of at least 1, got 0
    """
    wanted = "a whole number" + bounds(least, most)
    if isinstance(value, (bool, np.bool_)):
        raise unfit(owner, option, wanted, value, TypeError)
    try:
        number = operator.index(value)
    except TypeError:
        raise unfit(owner, option, wanted, value, TypeError) from None
    if not least <= number <= most:
        raise unfit(owner, option, wanted, value)
    return number


def real(owner: Owner, option: str, value: Any, least: float = -math.inf, most: float = math.inf,
         above: float = -math.inf, below: float = math.inf, words: str = "") -> float:  # fmt: skip
    """Return a finite number, least ≤ value ≤ most and above < value < below.

    >>> real("RNNCell", "leak", 0, above=0, most=1)
    Traceback (most recent call last):
    ValueError: RNNCell: leak must be a finite number above 0 and at most 1, got 0
    """
    wanted = words or "a finite number" + bounds(least, most, above, below)
    odd = isinstance(value, (bool, np.bool_, str)) or bool(getattr(value, "ndim", 0))
    if odd or not hasattr(value, "__float__"):
        raise unfit(owner, option, wanted, value, TypeError)
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise unfit(owner, option, wanted, value, TypeError) from None
    if not (math.isfinite(number) and least <= number <= most and above < number < below):
        raise unfit(owner, option, wanted, value)
    return value if isinstance(value, (int, float)) else number


def flag(owner: Owner, option: str, value: Any) -> bool:
    """Return True or False; anything else might be meant otherwise than Python takes it.

    >>> flag("LSTM", "batch_first", "no")
    Traceback (most recent call last):
    TypeError: LSTM: batch_first must be True or False, got 'no'
    """
    if not isinstance(value, (bool, np.bool_)):
        raise unfit(owner, option, "True or False", value, TypeError)
    return bool(value)


def probability(owner: Owner, option: str, value: Any) -> float:
    """Return a number between 0 and 1, both included."""
    return float(real(owner, option, value, 0, 1, words="a probability between 0 and 1"))


def choice(owner: Owner, option: str, value: Any, known: Iterable[Any]) -> Any:
    """Return one of the known values.

    >>> choice("RNN", "nonlinearity", "tahn", ["relu", "tanh"])
    Traceback (most recent call last):
    ValueError: RNN: nonlinearity must be one of 'relu', 'tanh', got 'tahn'; did you mean 'tanh'?
    """
    known = list(known)
    if any(type(value) is type(one) and value == one for one in known):
        return value
    error = unfit(owner, option, f"one of {', '.join(map(repr, known))}", value)
    raise type(error)(f"{error}{nearest(value, known)}")


def nearest(word: Any, known: Iterable[Any]) -> str:
    """Return `; did you mean 'tanh'?`, or nothing if no known word is near."""
    from difflib import get_close_matches

    words = {one.lower(): one for one in known if isinstance(one, str)}
    near = get_close_matches(word.lower(), words, 1, 0.5) if isinstance(word, str) else []
    return f"; did you mean {words[near[0]]!r}?" if near else ""


def kind(owner: Owner, option: str, value: Any, wanted: type | tuple, words: str) -> Any:
    """Return an object of the wanted kind."""
    if not isinstance(value, wanted):
        raise unfit(owner, option, words, value, TypeError)
    return value


def several(owner: Owner, option: str, values: Any, one: Callable[[Owner, str, Any], Any],
            words: str) -> list:  # fmt: skip
    """Return a list of values of which each fits.

    >>> several("MultiStepLR", "milestones", 3, whole, "whole numbers")
    Traceback (most recent call last):
    TypeError: MultiStepLR: milestones must be a list of whole numbers, got 3
    """
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise unfit(owner, option, f"a list of {words}", values, TypeError)
    return [one(owner, option, value) for value in values]


def made_by(owner: Owner, option: str, value: Any, words: str) -> Callable:
    """Return a class or function that makes something."""
    if not callable(value):
        raise unfit(owner, option, words, value, TypeError)
    return value


def floating(owner: Owner, option: str, value: Any,
             words: str = "a floating dtype such as float32") -> np.dtype:  # fmt: skip
    """Return a floating dtype.

    >>> floating("Linear", "dtype", "int32")
    Traceback (most recent call last):
    ValueError: Linear: dtype must be a floating dtype such as float32, got 'int32'
    """
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind != "f":
        raise unfit(owner, option, words, value)
    return dtype


def device(owner: Owner, value: Any) -> str | None:
    """Return the name of a known device, or None for the default one."""
    if value is not None and not is_device(value):
        raise unfit(owner, "device", 'a device such as "cpu" or "cuda"', value)
    return value


def explained_by(owner: Owner, option: str, function: Callable, *values: Any) -> Any:
    """Return function(*values); if it refuses them, the error says of which option."""
    try:
        return function(*values)
    except (TypeError, ValueError, KeyError) as error:
        kind = ValueError if isinstance(error, KeyError) else type(error)
        raise kind(f"{called(owner)}: {option}: {error.args[0]}") from None


def bounds(least: float, most: float, above: float = -math.inf, below: float = math.inf) -> str:
    """Return the words for a range, nothing for none.

    >>> bounds(1, math.inf), bounds(0, 1)
    (' of at least 1', ' of at least 0 and at most 1')
    """
    words = [f"above {above:g}"] if above > -math.inf else []
    words += [f"of at least {least:g}"] if least > -math.inf else []
    words += [f"below {below:g}"] if below < math.inf else []
    words += [f"at most {most:g}"] if most < math.inf else []
    return " " + " and ".join(words) if words else ""
