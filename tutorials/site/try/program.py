"""Runs what is written in the page's editor, and answers with pictures, gradients and losses.

The program's own code is not touched. Leaves pass through `requires_grad_`, where a slider scales
them and the steps downhill move them; `backward` tells what the loss was.
"""

from __future__ import annotations

import ast
import contextlib
import html
import io
import json
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn import Tensor
from tinygrad_rnn.draw import draw

TURN_ON, BACKWARD = Tensor.requires_grad_, Tensor.backward


class Watch:
    """Sees the leaves and the last loss of a run; `moved` is what training added to each leaf."""

    def __init__(self, factor: float, moved: list[np.ndarray]) -> None:
        self.factor, self.moved = factor, moved
        self.leaves: list[Tensor] = []
        self.loss: Tensor | None = None

    def turn_on(self, leaf: Tensor, requires_grad: bool = True) -> Tensor:
        """Stand in for `requires_grad_`: a new leaf is scaled, and moved as far as training went."""
        if requires_grad and not leaf.requires_grad and leaf.dtype.kind == "f":
            known = self.moved[len(self.leaves) :][:1]
            start = leaf.numpy() * self.factor
            leaf.data = start + known[0] if known and known[0].shape == leaf.shape else start
            self.leaves.append(leaf)
        return TURN_ON(leaf, requires_grad)

    def backward(self, loss: Tensor, *args: Any, **options: Any) -> Any:
        """Stand in for `backward`, with a record to draw."""
        self.loss = loss
        record = BACKWARD(loss, *args, **{"record": "norm", **options})
        return record if options.get("record") else None

    @contextlib.contextmanager
    def over(self, shown: io.StringIO) -> Any:
        """Watch, and take what is printed."""
        Tensor.requires_grad_ = lambda leaf, on=True: self.turn_on(leaf, on)  # type: ignore[assignment]
        Tensor.backward = lambda loss, *a, **o: self.backward(loss, *a, **o)  # type: ignore[method-assign]
        try:
            with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
                yield
        finally:
            Tensor.requires_grad_, Tensor.backward = TURN_ON, BACKWARD  # type: ignore[method-assign]


def cells(code: str) -> list[ast.Module]:
    """Return the program in pieces that end where something is shown: an expression by itself."""
    pieces, body = [], []
    for node in ast.parse(code, "<program>").body:
        body.append(node)
        if isinstance(node, ast.Expr):
            pieces.append(ast.Module(body, []))
            body = []
    return [*pieces, ast.Module(body, [])]


def run(code: str, names: dict[str, Any]) -> list[str]:
    """Run the program; return the pictures that its expressions gave."""
    import linecache

    linecache.cache["<program>"] = (len(code), None, code.splitlines(True), "<program>")
    pictures = []
    for piece in cells(code):
        last = piece.body.pop() if piece.body and isinstance(piece.body[-1], ast.Expr) else None
        exec(compile(piece, "<program>", "exec"), names)
        if last:
            value = eval(compile(ast.Expression(last.value), "<program>", "eval"), names)
            pictures += picture(value)
    return pictures


def picture(value: Any) -> list[str]:
    """Return how a value looks, if it is more than text; text is printed."""
    if hasattr(value, "svg"):
        return [value.svg]
    if hasattr(value, "_repr_html_"):
        return [value._repr_html_()]
    if value is not None:
        print(value)
    return []


def drawing(loss: Tensor, view: str, names: dict[str, Any]) -> Any:
    """Return the drawing of the loss; `draw` finds names among its caller's variables."""
    given = {**names, "_draw": draw, "_loss": loss, "_view": view}
    return eval("_draw(_loss, view=_view)", given)


def leaf_row(leaf: Tensor, names: dict[str, Any], number: int) -> dict[str, Any]:
    """Return name, shape and norms of a leaf."""
    found = [name for name, value in names.items() if value is leaf and not name.startswith("_")]
    grad = leaf.grad
    return {
        "name": leaf.name or (found or [f"leaf {number + 1}"])[0],
        "shape": " × ".join(map(str, leaf.shape)) or "1",
        "norm": float(np.linalg.norm(leaf.detach().numpy())),
        "grad": None if grad is None else float(np.linalg.norm(grad.numpy())),
    }


def downhill(watch: Watch, rate: float) -> list[np.ndarray]:
    """Return how far each leaf has been moved, one step further along its gradient."""
    old = [*watch.moved, *[np.zeros(()) for _ in watch.leaves]]
    grads = [0.0 if leaf.grad is None else leaf.grad.numpy() for leaf in watch.leaves]
    return [old[i] - rate * grad for i, grad in enumerate(grads)]


def train(code: str, factor: float, times: int, rate: float, curve: Callable) -> list[np.ndarray]:
    """Run the program again and again, each time with its leaves a step downhill."""
    losses: list[float] = []
    moved: list[np.ndarray] = []
    for _ in range(times):
        watch = Watch(factor, moved)
        with watch.over(io.StringIO()):
            run(code, {"__name__": "__main__"})
        if watch.loss is None:
            raise RuntimeError("to go downhill the program must call backward()")
        losses.append(watch.loss.item())
        curve(losses)
        moved = downhill(watch, rate)
    return moved


def answer(code: str, factor: float, view: str, times: int, rate: float, curve: Callable) -> str:
    """Return as JSON what the page shows of one run."""
    shown, names = io.StringIO(), {"__name__": "__main__"}
    watch, pictures, player, error = Watch(factor, []), [], "", False
    try:
        moved = train(code, factor, times, rate, curve) if times else []
        watch = Watch(factor, moved)
        with watch.over(shown):
            pictures = run(code, names)
            if watch.loss is not None:
                drawn = drawing(watch.loss, view, names)
                pictures = [drawn.svg if view != "table" else as_text(drawn.text), *pictures]
                player = drawn.html
    except BaseException as problem:
        error = True
        shown.write(told(problem))
    leaves = [leaf_row(leaf, names, i) for i, leaf in enumerate(watch.leaves[:40])]
    found = {"text": shown.getvalue(), "error": error, "pictures": pictures, "player": player}
    return json.dumps({**found, "leaves": leaves})


def as_text(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def told(problem: BaseException) -> str:
    """Return the traceback from the program's own lines on."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if frame.filename == "<program>"]
    lines = [f"line {frame.lineno}: {frame.line}\n" for frame in own]
    return "".join([*lines, *traceback.format_exception_only(type(problem), problem)])
