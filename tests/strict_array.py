"""A strict stand-in for CuPy, so that a machine without a GPU finds what would break on one.

`StrictArray` is NumPy underneath and behaves as `cupy.ndarray` does: it takes part in NumPy's
dispatch, never turns into a NumPy array by itself (`get()` does), refuses to meet one, and gives
0-d arrays where NumPy gives scalars. `xp` is the namespace: the names, parameters and ufunc methods
recorded from the real wheel in `golden/cupy_names.txt`, and nothing else. What CuPy does silently
with an index array raises here: wrap entries out of range, write several values to one place.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

RECORD = Path(__file__).parent / "golden" / "cupy_names.txt"
SCALARS = (bool, int, float, complex, np.bool_, np.number)
# What makes an array of host data; every other function takes arrays of this library alone.
MAKERS = {"array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "asnumpy"}
# Python functions about arrays whose answers are no arrays.
PLAIN = {"shape", "ndim", "size", "may_share_memory", "shares_memory", "isscalar", "iscomplexobj"}
ARRAY_PARAMETERS = {"a", "x", "m", "arr", "ary", "condition", "v"}


class SilentWrap(AssertionError):
    """An index array is out of range: CuPy would wrap it and return a wrong number."""


class WrittenTwice(AssertionError):
    """Several values are assigned to one place: CuPy would leave any of them there."""


@functools.cache
def record() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return {name: (kind, its parameters or methods)} of the real CuPy."""
    rows = (line.split() for line in RECORD.read_text().splitlines() if line[0] != "#")
    return {name: (kind, tuple(rest)) for name, kind, *rest in rows}


def operand(x: Any) -> Any:
    """Return the host value of one argument of a ufunc; what CuPy would not take raises."""
    if type(x) is StrictArray:
        return x._host
    if isinstance(x, SCALARS):
        return x
    raise TypeError(f"Unsupported type {type(x)}")


def unwrapped(x: Any) -> Any:
    """Return `x` with the host values of all arrays in it; NumPy arrays in it raise."""
    if type(x) is StrictArray:
        return x._host
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if isinstance(x, list):
        return [unwrapped(item) for item in x]
    return tuple(unwrapped(item) for item in x) if isinstance(x, tuple) else x


def wrapped(y: Any) -> Any:
    """Return `y` with every NumPy array and scalar in it as a StrictArray."""
    if isinstance(y, np.ndarray | np.generic):
        host = np.asarray(y)
        if not host.flags.writeable and host.base is not None:
            host.flags.writeable = True  # NumPy's diagonals and broadcasts are read-only
        return StrictArray(host)
    if isinstance(y, list):
        return [wrapped(item) for item in y]
    return tuple(wrapped(item) for item in y) if isinstance(y, tuple) else y


def finished(y: Any, out: Any) -> Any:
    """Return `out` where the caller gave one, else `y` wrapped."""
    return wrapped(y) if out is None else out


def index_of(key: Any) -> Any:
    """Return an index for the host array; CuPy takes lists and host arrays as indices too."""
    items = key if isinstance(key, tuple) else (key,)
    return tuple(i._host if type(i) is StrictArray else i for i in items)


def guarded(act: Any, host: np.ndarray, key: Any, *value: Any) -> Any:
    """Return `act(host, index, *value)`; see SilentWrap for an index array out of range."""
    index = index_of(key)
    try:
        return act(host, index, *value)
    except IndexError as error:
        if "out of bounds" in str(error) and any(isinstance(i, np.ndarray | list) for i in index):
            raise SilentWrap(f"CuPy would wrap this silently: {error}") from None
        raise


class StrictUfunc:
    """A ufunc as CuPy's: `out`, `dtype` and `casting` are all it knows, and few methods work."""

    def __init__(self, name: str, methods: tuple[str, ...]) -> None:
        self.__name__, self._ufunc, self._methods = name, getattr(np, name), methods

    def __call__(
        self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind"
    ) -> Any:
        targets = args[self._ufunc.nin :] or (() if out is None else (out,))
        hosts = [operand(a) for a in args[: self._ufunc.nin]]
        options = {"out": tuple(operand(t) for t in targets)} if targets else {}
        result = self._ufunc(*hosts, dtype=dtype, casting=casting, **options)
        return finished(result, targets[0] if targets else None)

    def _need(self, method: str) -> None:
        if method not in self._methods:
            raise NotImplementedError(f"`cupy_{self.__name__}.{method}` is not supported yet")

    def at(self, a: StrictArray, indices: Any, b: Any = None) -> None:
        self._need("at")
        if a.dtype.char not in ("iIlLqQefd" if self.__name__ == "add" else "iIlLqQfd"):
            raise TypeError(f"cupy.{self.__name__}.at does not support {a.dtype}")
        guarded(self._ufunc.at, a._host, indices, operand(b))

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):  # type: ignore
        self._need("reduce")
        method = array.sum if self.__name__ == "add" else array.prod
        return method(axis, dtype, out, keepdims)

    def accumulate(self, array, axis=0, dtype=None, out=None):  # type: ignore
        self._need("accumulate")
        method = array.cumsum if self.__name__ == "add" else array.cumprod
        return method(axis, dtype, out)

    def outer(self, a: StrictArray, b: StrictArray, **options: Any) -> Any:
        return self(a.reshape(a.shape + (1,) * b.ndim), b, **options)


def strict_function(name: str, parameters: tuple[str, ...]) -> Any:
    """Return NumPy's function `name` as CuPy has it: its parameters, its arrays, 0-d results."""
    function = functools.reduce(getattr, name.split("."), np)
    variadic = any(p.startswith("**") for p in parameters)
    short = name.rpartition(".")[2]

    def call(*args: Any, **options: Any) -> Any:
        unknown = set(options) - set(parameters)
        if unknown and not variadic:
            raise TypeError(f"cupy.{name}() got an unexpected keyword argument {unknown}")
        if short in MAKERS:
            return made(short, function, *args, **options)
        if args and parameters and parameters[0] in ARRAY_PARAMETERS and short not in PLAIN:
            operand(args[0])
        hosts = {key: unwrapped(value) for key, value in options.items()}
        result = function(*unwrapped(args), **hosts)
        return result if short in PLAIN else finished(result, options.get("out"))

    call.__name__ = call.__qualname__ = short
    return call


def made(name: str, function: Any, data: Any, dtype: Any = None, **options: Any) -> Any:
    """Return a StrictArray of host data (of a StrictArray itself if nothing has to change)."""
    if isinstance(data, list | tuple):
        data = [unwrapped(d) if type(d) is StrictArray else d for d in data]
    host = function(data._host if type(data) is StrictArray else data, dtype, **options)
    if type(data) is StrictArray and host is data._host:
        return data
    # asarray of host data is a copy onto the device: it never shares memory.
    return StrictArray(host if type(data) is StrictArray or name == "array" else host.copy())


class StrictNamespace:
    """CuPy's module as far as it is recorded; any other name is an AttributeError."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        path = self._prefix + name
        kind, rest = record().get(path, ("", ()))
        if path == "ndarray":
            value: Any = StrictArray
        elif path == "asnumpy":
            value = StrictArray.get
        elif any(known.startswith(f"{path}.") for known in record()):
            value = StrictNamespace(f"{path}.")
        elif kind == "ufunc" and hasattr(np, path):
            value = StrictUfunc(path, rest)
        elif kind == "function":
            value = strict_function(path, rest)
        elif kind in ("numpy", "type", "value"):
            value = functools.reduce(getattr, path.split("."), np)
        else:
            raise AttributeError(f"module 'cupy' has no attribute {path!r}")
        setattr(self, name, value)
        return value


xp = StrictNamespace()


def binary(name: str) -> tuple[Any, Any]:
    """Return the operator's two methods, which give way to a type that opts out of ufuncs."""

    def gives_way(other: Any) -> bool:
        return getattr(other, "__array_ufunc__", ...) is None

    def forward(self: Any, other: Any) -> Any:
        return NotImplemented if gives_way(other) else getattr(np, name)(self, other)

    def reflected(self: Any, other: Any) -> Any:
        return NotImplemented if gives_way(other) else getattr(np, name)(other, self)

    return forward, reflected


class StrictArray:
    """An array that behaves as cupy.ndarray does; `StrictArray(host)` takes over a NumPy array."""

    __slots__ = ("__weakref__", "_host")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray) -> None:
        if host.dtype.kind not in "biufc" or host.dtype in (np.longdouble, np.clongdouble):
            raise ValueError(f"Unsupported dtype {host.dtype}")
        self._host = host

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed; use `.get()`")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        known = (*SCALARS, StrictArray, np.ndarray)
        if not all(isinstance(x, known) for x in inputs + options.get("out", ())):
            return NotImplemented
        if "out" in options:
            (options["out"],) = options["out"]
        try:
            function = getattr(xp, ufunc.__name__)
            function = function if method == "__call__" else getattr(function, method)
        except AttributeError:
            return NotImplemented
        return function(*inputs, **options)

    def __array_function__(self, func: Any, types: Any, args: Any, options: Any) -> Any:
        path = [*func.__module__.split(".")[1:], func.__name__]
        try:
            function = functools.reduce(getattr, path, xp)
        except AttributeError:
            return NotImplemented
        if not all(issubclass(t, StrictArray | np.ndarray) for t in types):
            return NotImplemented
        return function(*args, **options)

    def __getattr__(self, name: str) -> Any:
        kind, parameters = record().get(f"ndarray.{name}", ("", ()))
        if not kind:
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        found = getattr(self._host, name)
        if kind == "attribute":
            return wrapped(found) if isinstance(found, np.ndarray) else found

        def method(*args: Any, **options: Any) -> Any:
            if set(options) - set(parameters) and not any("**" in p for p in parameters):
                raise TypeError(f"ndarray.{name}() takes {parameters}, not {tuple(options)}")
            hosts = {key: unwrapped(value) for key, value in options.items()}
            result = found(*unwrapped(args), **hosts)
            return self if result is self._host else finished(result, options.get("out"))

        return method

    @property
    def flags(self) -> SimpleNamespace:
        """Three flags; CuPy's arrays are always writeable and do not say so."""
        names = ("c_contiguous", "f_contiguous", "owndata")
        return SimpleNamespace(**{name: getattr(self._host.flags, name) for name in names})

    @property
    def device(self) -> str:
        return "strict"

    def get(self) -> np.ndarray:
        """Return a NumPy copy: the one explicit way back to the host."""
        return self._host.copy()

    def item(self, *at: int) -> Any:
        return self._host.item(*at)

    def tolist(self) -> Any:
        return self._host.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        return self._host.tobytes(order)

    def __getitem__(self, key: Any) -> StrictArray:
        found = guarded(operator.getitem, self._host, key)
        if isinstance(found, np.generic):  # CuPy gives a 0-d view, through which one can write
            index = index_of(key)
            found = self._host[index if Ellipsis in index else (*index, ...)]
        return wrapped(found)

    def __setitem__(self, key: Any, value: Any) -> None:
        written = np.zeros(self.shape, int)
        guarded(np.add.at, written, key, 1)
        if written.max(initial=0) > 1:
            raise WrittenTwice(f"repeats in {key}")
        guarded(operator.setitem, self._host, key, unwrapped(value))

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[StrictArray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __complex__(self) -> complex:
        return complex(self._host)

    def __index__(self) -> int:
        return operator.index(self._host)

    def __repr__(self) -> str:
        return repr(self._host)

    def __format__(self, spec: str) -> str:
        return format(self._host, spec)

    def __copy__(self) -> StrictArray:
        return StrictArray(self._host.copy())

    def __deepcopy__(self, memo: Any) -> StrictArray:
        return self.__copy__()

    def __neg__(self) -> StrictArray:
        return xp.negative(self)

    def __pos__(self) -> StrictArray:
        return xp.positive(self)

    def __abs__(self) -> StrictArray:
        return xp.absolute(self)

    def __invert__(self) -> StrictArray:
        return xp.invert(self)

    # fmt: off
    __add__, __radd__ = binary("add")
    __sub__, __rsub__ = binary("subtract")
    __mul__, __rmul__ = binary("multiply")
    __truediv__, __rtruediv__ = binary("true_divide")
    __floordiv__, __rfloordiv__ = binary("floor_divide")
    __mod__, __rmod__ = binary("remainder")
    __pow__, __rpow__ = binary("power")
    __matmul__, __rmatmul__ = binary("matmul")
    __and__, __rand__ = binary("bitwise_and")
    __or__, __ror__ = binary("bitwise_or")
    __xor__, __rxor__ = binary("bitwise_xor")
    __lshift__, __rlshift__ = binary("left_shift")
    __rshift__, __rrshift__ = binary("right_shift")
    __lt__, __gt__ = binary("less")[0], binary("greater")[0]
    __le__, __ge__ = binary("less_equal")[0], binary("greater_equal")[0]
    __eq__, __ne__ = binary("equal")[0], binary("not_equal")[0]  # type: ignore[assignment]
    # fmt: on

    def __iadd__(self, other: Any) -> StrictArray:
        return xp.add(self, other, self)

    def __isub__(self, other: Any) -> StrictArray:
        return xp.subtract(self, other, self)

    def __imul__(self, other: Any) -> StrictArray:
        return xp.multiply(self, other, self)

    def __itruediv__(self, other: Any) -> StrictArray:
        return xp.true_divide(self, other, self)
