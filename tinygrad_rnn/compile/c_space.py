"""The memory of one run of the C loops, and the table of pointers that they are given."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .ir import Instr

if TYPE_CHECKING:
    from .emit_c import CLoops
import ctypes


class CWorkspace:
    """The memory of one run of T steps, and the table of pointers to it."""

    def __init__(self, loops: CLoops, steps: int):
        self.loops, self.steps = loops, steps
        p, real = loops.program, loops.real
        self.table = (ctypes.c_void_p * len(loops.buffers))()
        self.inputs: dict[Instr, Any] = {}
        self.states = [np.empty((steps + 1, *s.shape), real) for s in p.step.states]
        self.carry = [np.empty((2, *s.shape), real) for s in p.step.dstates]
        self.all: dict[Instr, np.ndarray] = {}
        self.held: list[Any] = []
        self.flat: np.ndarray | None = None
        self.slot_of_state = {
            of: n for n, (kind, of) in enumerate(loops.buffers) if kind == "state"
        }
        self.slots: dict[Instr, list[tuple[str, int]]] = {}
        self.dtype = {i: i.dtype or real for _, i in loops.buffers if isinstance(i, Instr)}
        B, threads = loops.rows, loops.threads
        self.cuts = [B * k // threads for k in range(threads + 1)]
        for slot, (kind, of) in enumerate(loops.buffers):
            self._fill(slot, kind, of)
        for i, (memory, at) in loops.alias.items():
            self.all[i] = self.all[memory][..., at : at + i.width]
        for i in p.kept:
            if i in loops.places.placed:
                whole, at = loops.places.placed[i]
                self.all[i] = self.all[whole][..., at : at + i.width]
        self.fixed_env = p.fixed_env(self)
        self.weights: dict[str, Any] = {}  # of the last run, and what was made of them

    def _fill(self, slot: int, kind: str, of: Any) -> None:
        """Memory for one entry of the table; inputs get theirs when they are loaded."""
        if kind in ("x", "dy", "fixed", "packed"):
            self.inputs[of] = None
            self.slots.setdefault(of, []).append((kind, slot))
        if kind in ("x", "dy"):
            return
        wide = self.loops.library.panel_width()
        array = {
            "state": lambda: self.states[of],
            "carry": lambda: self.carry[of],
            "kept": lambda: self.all.setdefault(of, np.empty((self.steps, *of.shape), of.dtype)),
            "once": lambda: np.empty(of.shape, of.dtype),
            "fixed": lambda: np.array(of.value, of.dtype or self.loops.real),
            "packed": lambda: np.empty(of.shape[0] * -(-of.width // wide) * wide, of.dtype),
        }[kind]()
        self.held.append(array)
        self.table[slot] = address(array)
        if of in self.inputs and of.op == "const":
            self.load(of, of.value)

    def load(self, i: Instr, array: Any) -> None:
        """Points the table to an input; weights of products are packed into panels."""
        for kind, slot in self.slots[i]:
            if kind == "packed":
                W = array if array.dtype == self.loops.real else array.astype(self.loops.real)
                strides = [s // W.itemsize for s in W.strides]
                self.loops.library.pack(*W.shape, address(W), *strides, self.table[slot])
            else:
                self.inputs[i] = whole = np.ascontiguousarray(array, dtype=self.dtype[i])
                self.table[slot] = address(whole)

    def begin(self) -> None:
        """If the output is a state, its array becomes the result, new in every run: no copy
        then."""
        p, k = self.loops.program, self.loops.program.home.get(self.loops.program.step.y)
        if k is not None:
            one = self.states[k][0].size
            self.flat = np.empty(
                (self.steps + 1) * one + sum(s[0].size for s in self.states), self.loops.real
            )
            self.states[k] = self.flat[: (self.steps + 1) * one].reshape(self.states[k].shape)
            self.table[self.slot_of_state[k]] = address(self.flat)
            self.fixed_env[p.step.states[k]] = self.states[k][:-1]
            self.fixed_env[p.step.y] = self.states[k][1:]

    def result(self, y: Any) -> Any:
        """`y` and the last states as one flat array of the caller's own."""
        ends = [state[-1].reshape(-1) for state in self.states]
        if self.flat is None:
            return np.concatenate([y.reshape(-1), *ends])
        at = self.flat.size
        for end in reversed(ends):
            self.flat[at - end.size : at] = end
            at -= end.size
        return self.flat[at - y.size :]

    def run(self, name: str) -> None:
        loop = getattr(self.loops.library, name)
        if len(self.cuts) == 2:
            loop(self.steps, self.loops.rows, 0, self.loops.rows, self.table)
        else:
            calls = [(self.steps, self.loops.rows, a, b, self.table)
                     for a, b in zip(self.cuts, self.cuts[1:])]  # fmt: skip
            list(pool().map(lambda call: loop(*call), calls))


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@cache
def pool() -> ThreadPoolExecutor:
    """Threads that take rows; C code runs outside of Python's lock."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="tinygrad_rnn")
