"""Read the stack programs inside torch's files and run nothing, for `torch_files`.

Such a program may name any function of any module and call it: so a file runs foreign code. Here a
name stays two strings and is never imported; to call it is to look it up in the caller's table, and
what is not in the table is refused. All other instructions make numbers, strings, lists, tuples and
dicts; those that make anything else are unknown here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .bounded_file import CheckpointError

PLAIN = (str, int, float, bool, bytes, type(None))  # a key of a dict: its hash runs no code


class Name(NamedTuple):
    """Hold what a program names: a thing of a module."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class StackMachine:
    """One run of a program: `calls` are the functions by name, `outside` gives what it refers to.

    >>> StackMachine(b"\\x80\\x02]q\\x00(K\\x01X\\x01\\x00\\x00\\x00ae.", {}, repr).run()
    [1, 'a']
    """

    def __init__(
        self,
        program: bytes,
        calls: Mapping[str, Callable[..., Any]],
        outside: Callable[[Any], Any],
    ):
        self.program, self.place = program, 0
        self.calls, self.outside = calls, outside
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # a mark puts the stack aside and begins a new one
        self.memory: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the one value the program leaves."""
        while (code := self.take(1)) != b".":
            step = STEPS.get(code)
            if step is None:
                raise CheckpointError(f"instruction {code!r} makes no plain value")
            step(self)
        if len(self.stack) != 1 or self.below or self.place != len(self.program):
            raise CheckpointError("the program does not end with one value")
        value = self.stack.pop()
        _check_plain(value)
        return value

    def take(self, count: int) -> bytes:
        """Return the program's next bytes."""
        data = self.program[self.place : self.place + count]
        self.place += count
        if len(data) != count:
            raise CheckpointError("the program breaks off")
        return data

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.program.find(b"\n", self.place)
        return self.take(end + 1 - self.place if end >= 0 else 1 << 62)[:-1].decode()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise CheckpointError("the program takes a value that is not there")
        return self.stack.pop()

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        if not self.below:
            raise CheckpointError("the program takes values since a mark it did not set")
        items, self.stack = self.stack, self.below.pop()
        return items

    def top(self, kind: type) -> Any:
        """Return the uppermost value and leave it there; it has to be exactly a `kind`."""
        if not self.stack or type(self.stack[-1]) is not kind:
            raise CheckpointError(f"the program treats something as a {kind.__name__}")
        return self.stack[-1]

    def put(self, place: int) -> None:
        if not self.stack:
            raise CheckpointError("the program keeps a value that is not there")
        self.memory[place] = self.stack[-1]

    def get(self, place: int) -> None:
        self.push(self.memory[place])

    def set_items(self, items: list[Any]) -> None:
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            parts = key if type(key) is tuple else (key,)
            if not all(type(part) in PLAIN for part in parts):
                raise CheckpointError(f"a {type(key).__name__} as the key of a dict")
            target[key] = value

    def name(self, module: str, name: str) -> None:
        if type(module) is not str or type(name) is not str:
            raise CheckpointError("the program names something by no string")
        self.push(Name(module, name))

    def call(self) -> None:
        arguments, name = self.pop(), self.pop()
        if type(name) is not Name or type(arguments) is not tuple:
            raise CheckpointError("the file calls something that has no name")
        function = self.calls.get(str(name))
        if function is None:
            raise CheckpointError(
                f"the file calls {name}; only tensors and plain values are loaded"
            )
        self.push(function(*arguments))

    def set_attributes(self) -> None:
        """Leave out the version numbers that a torch state_dict carries as an attribute."""
        self.pop()
        self.top(dict)


def _check_plain(value: Any) -> None:
    """Refuse a value that holds a name: no function or class of any module comes out of a file."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) is Name:
            raise CheckpointError(
                f"the file holds {part}; only tensors and plain values are loaded"
            )
        if type(part) in (list, tuple, dict) and id(part) not in seen:
            seen.add(id(part))
            waiting += part.values() if type(part) is dict else part


def _constant(value: Any) -> Callable[[StackMachine], None]:
    return lambda m: m.push(value)


def _number(form: str) -> Callable[[StackMachine], None]:
    return lambda m: m.push(m.number(form))


def _text(form: str) -> Callable[[StackMachine], None]:
    return lambda m: m.push(m.take(m.number(form)).decode("utf-8", "surrogatepass"))


def _bytes(form: str) -> Callable[[StackMachine], None]:
    return lambda m: m.push(m.take(m.number(form)))


def _long(form: str) -> Callable[[StackMachine], None]:
    return lambda m: m.push(int.from_bytes(m.take(m.number(form)), "little", signed=True))


def _tuple(count: int) -> Callable[[StackMachine], None]:
    def step(m: StackMachine) -> None:
        items = [m.pop() for _ in range(count)]
        m.push(tuple(reversed(items)))

    return step


def _pair(m: StackMachine) -> None:
    value, key = m.pop(), m.pop()
    m.set_items([key, value])


def _append(m: StackMachine) -> None:
    value = m.pop()
    m.top(list).append(value)


def _dotted_name(m: StackMachine) -> None:
    name, module = m.pop(), m.pop()
    m.name(module, name)


def _items(m: StackMachine) -> None:
    items = m.since_mark()
    m.set_items(items)


def _extend(m: StackMachine) -> None:
    items = m.since_mark()
    m.top(list).extend(items)


# The letters are those of Python's protocols 2 to 5.
STEPS: dict[bytes, Callable[[StackMachine], None]] = {
    b"\x80": lambda m: _protocol(m.number("B")),
    b"\x95": lambda m: _skip(m.take(8)),  # how long the next part is; the end is checked anyway
    b"N": _constant(None),
    b"\x88": _constant(True),
    b"\x89": _constant(False),
    b"J": _number("<i"),
    b"K": _number("B"),
    b"M": _number("<H"),
    b"G": _number(">d"),
    b"\x8a": _long("B"),
    b"\x8b": _long("<I"),
    b"X": _text("<I"),
    b"\x8c": _text("B"),
    b"\x8d": _text("<Q"),
    b"B": _bytes("<I"),
    b"C": _bytes("B"),
    b"\x8e": _bytes("<Q"),
    b"(": StackMachine.mark,
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b")": _constant(()),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"a": _append,
    b"e": _extend,
    b"s": _pair,
    b"u": _items,
    b"q": lambda m: m.put(m.number("B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memory)),
    b"h": lambda m: m.get(m.number("B")),
    b"j": lambda m: m.get(m.number("<I")),
    b"c": lambda m: m.name(m.line(), m.line()),
    b"\x93": _dotted_name,
    b"Q": lambda m: m.push(m.outside(m.pop())),
    b"R": StackMachine.call,
    b"b": StackMachine.set_attributes,
}


def _skip(_: bytes) -> None:
    pass


def _protocol(version: int) -> None:
    if not 2 <= version <= 5:
        raise CheckpointError(f"protocol {version}; torch writes 2 to 5")
