"""What the kit needs to know of an engine: some ten lines, written by whoever grades it.

An adapter is a module (or the engine itself) with

    leaf(array) -> value          value(v) -> its array
    backward(v)                   grad(v) -> the gradient of a leaf, after backward

or, of an engine without state, `gradients(f, arrays) -> (result, [gradient, …])`. Operators are
taken from the values; any other operation from the module if it has that name, else from the value
as a method: exp, log, tanh, relu, sum(axis=), mean, max, reshape(shape=), transpose(axes=),
concat(values, axis=). `scalars = True` says that a leaf is one number. A module with a class
`Value` that has `data`, `grad` and `backward()` needs no adapter.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .programs import OPERATORS, Program


class Lacking(Exception):
    """The engine does not offer an operation: nothing is asked of it there."""


class Engine:
    """An engine as its adapter shows it."""

    def __init__(self, module: Any):
        self.module = module
        self.scalars: bool = getattr(module, "scalars", False)
        self.stateless = hasattr(module, "gradients")
        needed = () if self.stateless else ("leaf", "value", "backward", "grad")
        lacking = [n for n in needed if not hasattr(module, n)]
        if lacking and hasattr(module, "Value"):
            self.module, lacking = _plain_adapter(module), []
        if lacking:
            raise TypeError(f"the adapter lacks {', '.join(lacking)}: {__doc__}")

    def leaf(self, array: Any) -> Any:
        return self.module.leaf(float(array) if self.scalars else array)

    def apply(self, op: str, args: tuple, options: dict) -> Any:
        """Apply an operation of the kit to the engine's values."""
        first = args[0]
        if hasattr(self.module, op):
            return getattr(self.module, op)(*args, **options)
        if op in OPERATORS:
            plain = (int, float, np.ndarray, np.generic)  # a value is none of them
            value = next((a for a in args if not isinstance(a, plain)), first)
            if not hasattr(value, f"__{op}__"):
                raise Lacking(OPERATORS[op][0])
            return OPERATORS[op][1](*args)
        if op == "neg":
            return -first
        if op == "getitem":
            if not hasattr(first, "__getitem__"):
                raise Lacking("indexing")
            return first[options["index"]]
        if not hasattr(first, op):
            raise Lacking(op)
        return getattr(first, op)(**options)

    def run(self, program: Program, arrays: Sequence[np.ndarray]) -> tuple[Any, list]:
        """Return the result of a program and the gradient of each input, as the engine has them."""
        if self.stateless:
            f = lambda *xs: program.replay(self.apply, xs)[program.result]
            return self.module.gradients(f, arrays)
        leaves = [self.leaf(a) for a in arrays]
        result = self.forward(program, leaves)
        self.module.backward(result)
        return self.module.value(result), [self.module.grad(x) for x in leaves]

    def forward(self, program: Program, leaves: Sequence[Any]) -> Any:
        return program.replay(self.apply, leaves)[program.result]


def _plain_adapter(module: ModuleType) -> Any:
    """Return the adapter of a module with a class `Value` and functions beside it."""
    made = ModuleType(f"adapter of {module.__name__}")
    vars(made).update({k: v for k, v in vars(module).items() if k == "concat"})
    vars(made).update(leaf=module.Value, value=lambda v: v.data, grad=lambda v: v.grad,
                      backward=lambda v: v.backward())  # fmt: skip
    return made


def load(path: str | Path) -> Engine:
    """Load an adapter, or an engine with a class `Value`, from its file."""
    path = Path(path).resolve()
    sys.path.insert(0, str(path.parent))  # an adapter imports its engine from beside it
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Engine(module)


def ours() -> Engine:
    """Return this project's engine: the kit's reference."""
    import tinygrad_rnn as tg

    reference: Any = ModuleType("reference")
    reference.leaf = lambda a: tg.tensor(np.array(a, np.float64), requires_grad=True)
    reference.value = lambda v: v.detach().numpy()
    reference.grad = lambda v: np.zeros(v.shape) if v.grad is None else v.grad.numpy()
    reference.backward = lambda v: v.backward()
    reference.concat = tg.cat
    reference.max = tg.amax
    reference.reshape = lambda v, shape: v.reshape(shape)
    reference.transpose = lambda v, axes: v.permute(axes)
    return Engine(reference)
