"""Turn a compiled step into graphs, one before and after each pass, for `drawing`.

A program is one time step, forward and backward; `compiled_graphs` gives the graph of each pass,
so that two of them can be drawn as a difference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..draw_error import DrawError
from ..graph import Graph, GraphNode
from .call_options import options_of
from .statistics import statistics

ROLES = {"x": "input", "state": "state", "param": "param", "const": "const"}
NAMES = {"x": "x", "state": "state", "param": "W", "dy": "∂L/∂y", "dstate": "∂L/∂state"}


def is_compiled(thing: Any) -> bool:
    """Return whether something is a layer whose loop was compiled."""
    return hasattr(getattr(thing, "compiled", None), "kernels")


def compiled_graphs(layer: Any) -> dict[str, Graph]:
    """Return pass → graph of the program after it; "captured" is before all passes."""
    histories = [k.history for k in layer.compiled.kernels.values() if hasattr(k, "history")]
    if not histories:
        raise DrawError("nothing is compiled yet: call the layer once, then draw it")
    title = type(layer).__name__
    return {
        name: program_graph(step, f"{title}: one step after pass '{name}'")
        for name, step in histories[-1]
    }


def drawn(steps: dict[str, Any], after: str, **options: Any) -> Any:
    """Return the drawing of the program that a pass left."""
    from .. import draw

    if after not in steps:
        raise ValueError(f"no pass {after!r} was run; there are {', '.join(steps)}")
    return draw(program_graph(steps[after], f"one step after pass '{after}'"), **options)


def program_graph(step: Any, title: str = "") -> Graph:
    """Return the graph of one program: instructions, results named, forward and backward apart."""
    order = step.order()
    number = {instr: i for i, instr in enumerate(order)}
    forward = step.forward()
    names = _results(step)
    made = Graph(title=title)
    for i, instr in enumerate(order):
        leaf = not instr.args
        node = GraphNode(i, dtype=str(instr.dtype or "number"), shape=tuple(instr.shape))
        if leaf:
            node.name, node.role = _leaf_name(instr, step), ROLES.get(instr.op, "input")
        else:
            node.op, node.name = instr.op, names.get(instr)
            node.parents = tuple(number[a] for a in instr.args)
            node.options = options_of(instr.params)
            node.put(layer=_part(instr in forward), gate=instr.gate or None)
        if instr.value is not None:
            node.value = statistics(np.asarray(instr.value))
        made.nodes.append(node)
    return made.validate()


def _part(forward: bool) -> str:
    return "forward" if forward else "backward"


def _leaf_name(instr: Any, step: Any) -> str:
    if instr.op == "const":
        value = np.asarray(instr.value)
        return f"{value.item():.4g}" if value.size == 1 else "constant"
    place = step.params.index(instr) if instr in step.params else instr.params.get("number")
    return NAMES.get(instr.op, instr.op) + ("" if place is None else f"{place}")


def _results(step: Any) -> dict[Any, str]:
    """Return the names of what a program gives: the output, new states, gradients."""
    found = {step.y: "y"}
    for what, results in (
        ("state'", step.news),
        ("∂L/∂x", step.dxs),
        ("∂L/∂state'", step.dolds),
        ("∂L/∂W", step.dparams),
    ):
        for k, instr in enumerate(results):
            if instr is not None:
                found.setdefault(instr, f"{what}{k}")
    return found
