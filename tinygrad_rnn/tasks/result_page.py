"""Write the page of a training for `command`: numbers, curves, what it says, its graph."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ..draw import Drawing, draw
from ..draw.escapes import xml
from ..draw.render.svg import FONT
from ..engine.atomic_write import atomic_write
from ..engine.context import no_grad
from .figures import lines
from .running import Result, restored
from .task import Task

STYLE = f"""body {{ font: 15px/1.5 {FONT}; max-width: 60em; margin: 2em auto; padding: 0 1em;
color: #1d1d1d; background: #fff }} h1 {{ font-size: 1.6em }} h2 {{ font-size: 1.15em;
margin-top: 2em }} pre {{ background: #f7f7f7; padding: .7em 1em; white-space: pre-wrap;
overflow-wrap: anywhere }} table {{ border-collapse: collapse }} td, th {{ padding: .2em 1em .2em 0;
text-align: left; vertical-align: top }} figure {{ margin: 1em 0; overflow-x: auto }}
nav a {{ margin-right: 1em }} audio {{ display: block; margin: .5em 0 }}"""


def write_page(task: Task, result: Result, out: Path, command: str) -> Path:
    """Write `index.html` and the player beside it; return the page."""
    fresh, model, _ = restored(out)  # what was saved is what is shown, and it is not compiled
    fresh.__dict__ |= {k: v for k, v in vars(task).items() if k not in ("settings", "known")}
    drawing, player = graphs(fresh, model)
    atomic_write(out / "player.html", player.encode())
    with no_grad():
        answers = [(text, fresh.answer(model, text)) for text in fresh.questions()]
        figures, sounds = fresh.figures(model), fresh.sounds(model)
    parts = [
        f"<h1>{xml(task.title)}</h1><p>{xml(task.shape)}. Made by <code>{xml(command)}</code> in "
        f"{result.seconds:.0f} s.</p>", numbers(task, result),
        section("What it says", "".join(f"<p>{xml(q) or 'unasked'}</p><pre>{xml(a)}</pre>"
                                        for q, a in answers)),
        section("What it sounds like", "".join(map(player_of_sound, sounds))),
        section("What it does", "".join(f"<figure>{f}</figure>" for f in figures)),
        section("How it learnt", f"<figure>{curve(result)}</figure>" + on_the_way(result)),
        section("Its graph", f"<figure>{drawing.svg}</figure><p>The trained model over a few "
                'steps, and how the gradient of its loss flows back. <a href="player.html">Step '
                "through it, forward and backward</a>.</p>"),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{xml(task.title)}</title><style>{STYLE}</style>'
    page = f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'
    atomic_write(out / "index.html", page.encode("utf-8", "replace"))
    return out / "index.html"


def player_of_sound(sound: tuple[str, bytes]) -> str:
    title, data = sound
    code = base64.b64encode(data).decode()
    if data[:4] == b"MThd":
        source = f"data:audio/midi;base64,{code}"
        return f'<p><a download="tune.mid" href="{source}">{xml(title)}, a MIDI file</a></p>'
    source = f"data:audio/wav;base64,{code}"
    return f'<p>{xml(title)}<audio controls src="{source}"></audio></p>'


def section(title: str, inside: str) -> str:
    return f"<h2>{title}</h2>{inside}" if inside else ""


def numbers(task: Task, result: Result) -> str:
    """Return the table of what was measured on data that the model has not seen."""
    settings = task.settings
    row = "<tr><th>{}</th><td>{:.4g}</td><td>{}</td></tr>".format
    rows = [row(xml(name), value, goal_of(task, name, result))
            for name, value in result.measured.items()]  # fmt: skip
    size = sum(p.numel() for p in result.model.parameters())
    cell = f"{settings.cell}, " if task.has_cell else ""
    return section("On data it has not seen", f"<table>{''.join(rows)}</table><p>{cell}"
                   f"{settings.hidden} units, {size:,} parameters, {result.run.step:,} steps of "
                   f"{settings.batch}, seed {settings.seed}.</p>")  # fmt: skip


def goal_of(task: Task, name: str, result: Result) -> str:
    if name != task.goal.measure:
        return ""
    told = "reached" if task.goal.reached(result.measured) else "not reached"
    return f"{told}: {xml(str(task.goal))}"


def curve(result: Result) -> str:
    """Return the loss of each step, and on data held out."""
    history = result.run.history
    loss, held = history["loss"], history["validation"]
    return lines("Loss", "step", "loss",
                 {"loss of the batch of each step": (range(1, len(loss) + 1), loss),
                  "loss on data held out": (history["validation_step"], held)},
                 log=min([*loss, *held]) > 0, dots=("loss on data held out",))  # fmt: skip


def on_the_way(result: Result) -> str:
    """Return what it said while it learnt, as rows of a table."""
    rows = [f"<tr><th>step {step:,}</th><td><pre>{xml(text)}</pre></td></tr>"
            for step, text in result.said]  # fmt: skip
    return f"<table>{''.join(rows)}</table>"


def graphs(task: Task, model: Any) -> tuple[Drawing, str]:
    """Return the drawing of the model over a few steps, and the page to step through it."""
    loss = task.loss_of_small(model)
    loss.backward(record="norm")
    title = f"{task.title}: the trained model and how its gradient flows"
    drawing = draw(loss, view="cell", title=title)
    drawing.svg  # noqa: B018 - laid out before the gradients go
    model.zero_grad()
    return drawing, player_of(task)


def player_of(task: Task) -> str:
    """Return the player of the same model with three units: its numbers can be read."""
    small = task.tiny()
    loss = small.loss_of_small(small.build())
    loss.backward(record="full")
    return draw(loss, title=f"{task.title}, three units").html
