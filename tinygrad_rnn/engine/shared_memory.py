"""Let all Tensors that look at one memory see what is written to it; `in_place` calls it.

An array is never written after it was wrapped. A write therefore makes a new array for the whole
memory, and every living Tensor that looks at the memory takes its view of it anew. A Tensor knows
its `Memory` and the way there: the view operations that lead from the whole to what it shows.

    x = zeros(2, 3);  row = x[1];  row[0] = 5      # x[1, 0] is 5 now, and x.T[0, 1] too

Nothing is kept for results that a graph recorded: these keep the values that they were given.
"""

from __future__ import annotations

from _thread import allocate_lock as Lock
from typing import TYPE_CHECKING, Any
from weakref import ref

from .accumulate import is_basic
from .arrays import Array, library_of

if TYPE_CHECKING:
    from .tensor import Tensor

Way = Any  # (a function of an array, its options, the way before it), or None for the whole
ALL = (Ellipsis,)
ROOM = 64  # dead viewers that a memory may list before it looks for them
LOCK = Lock()  # for what is rare: the first view of a Tensor, and forgetting the dead
OVERLAPS = (
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location; clone() the tensor before the write"
)


class SharedMemory(list):
    """The whole array that some Tensors look at, and a list of who they are.

    They are referred to weakly: a view keeps the numbers alive, but not the Tensor they came from,
    whose graph may be long.
    """

    __slots__ = ("array", "limit", "partial")

    def __init__(self, base: Tensor):
        self.append(ref(base))
        self.partial = is_part_of_a_graph(base)
        self.array: Array = base._array
        self.limit = ROOM

    def forget_the_dead(self) -> None:
        if LOCK.acquire(blocking=False):
            try:  # what others append meanwhile stands behind the part that is replaced
                count = len(self)
                self[:count] = [r for r in self[:count] if r() is not None]
                self.limit = 2 * len(self) + ROOM
            finally:
                LOCK.release()

    def living(self) -> list[Tensor]:
        """Return the Tensors that look at this memory now."""
        viewers = [r() for r in self]
        return [x for x in viewers if x is not None and getattr(x, "_memory", None) is self]

    def bind(self, whole: Array) -> None:
        """Put another array in the place of the whole; all viewers take their view of it."""
        self.array = whole
        for x in self.living():
            x._array = seen(whole, x._way)
            if x.node is not None and x.node.op is not None and not x.node.needs:
                x.node = None  # a trace must not take the new values for the operation's result


def alias(view: Tensor, base: Tensor, show: Any = None, params: Any = None) -> Tensor:
    """Join `view`, whose array is show(base, **params), to the memory of `base`; return it."""
    try:
        memory = base._memory
    except AttributeError:
        memory = memory_of(base)
    view._memory = memory
    view._way = base._way if show is None else (show, params, base._way)
    memory.append(ref(view))
    if len(memory) > memory.limit:
        memory.forget_the_dead()
    return view


def memory_of(base: Tensor) -> SharedMemory:
    """Return the memory of a Tensor, made now if nothing else looked at its array so far."""
    with LOCK:
        if not hasattr(base, "_memory"):
            memory = SharedMemory(base)
            base._way = None
            base._memory = memory
        return base._memory


def seen(whole: Array, way: Way) -> Array:
    """Return what the way shows of the whole array."""
    steps = []
    while way is not None:
        steps.append(way)
        way = way[2]
    for show, params, _ in reversed(steps):
        index = params.get("index")
        whole = show(whole, **params) if index is None else whole[to_a_view(index)]
    return whole


def to_a_view(index: tuple) -> tuple:
    """Return the index with an Ellipsis: a[0, 1] of NumPy is a number, a[0, 1, ...] a view."""
    return index if any(k is Ellipsis for k in index) else (*index, Ellipsis)


def written(whole: Array, way: Way, key: tuple, values: Any) -> Array:
    """Return a copy of the whole array with values at `key` of what the way shows."""
    new = whole.copy()
    part, xp = seen(new, way), library_of(new).xp
    slices = is_basic(key)
    if not part.size:
        xp.empty_like(part)[key] = values  # nothing but a check of shapes; `part` may be read-only
    elif xp.may_share_memory(part, new) and getattr(part.flags, "writeable", True):
        target = part[to_a_view(key)] if slices else part
        if any(n > 1 and step == 0 for n, step in zip(target.shape, target.strides)):
            raise RuntimeError(OVERLAPS)
        part[key] = values
    else:  # NumPy's repeated numbers and diagonals are read-only: find the places by their numbers
        places = seen(xp.arange(new.size).reshape(new.shape), way)[key]
        if slices and len(xp.unique(places)) < places.size:
            raise RuntimeError(OVERLAPS)
        new[xp.unravel_index(places, new.shape)] = values
    return new


def rebind(x: Tensor, array: Array) -> None:
    """Give `x` new values of its shape and dtype; all that look at its memory see them."""
    memory = getattr(x, "_memory", None)
    if memory is None:
        x._array = array
    elif x._way is None:
        memory.bind(array)
    else:
        memory.bind(written(memory.array, x._way, ALL, array))


def leave(x: Tensor) -> None:
    """Part `x` from its memory: it keeps its values, writes elsewhere no longer reach it."""
    if hasattr(x, "_memory"):
        del x._memory
    if hasattr(x, "_way"):
        del x._way


def same_view(x: Tensor, y: Tensor) -> bool:
    """Return True if both show the same places of one memory, as x and x.data do."""
    memory = getattr(x, "_memory", None)
    return memory is not None and memory is getattr(y, "_memory", None) and x._way is y._way


def is_watched(x: Tensor) -> bool:
    """Return True if another living Tensor looks at the memory of `x`."""
    memory = getattr(x, "_memory", None)
    return memory is not None and any(y is not x for y in memory.living())


def is_part_of_a_graph(x: Tensor) -> bool:
    """Return True for a view that a graph recorded, and what shares its memory: such a Tensor has
    no memory that could be written."""
    memory = getattr(x, "_memory", None)
    return memory.partial if memory is not None else hasattr(x, "_way")
