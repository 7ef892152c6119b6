"""One page of cells: equation, code and picture side by side, all read from each cell's graph.

python tools/cheat_sheet.py out/cheat_sheet.html
python tools/cheat_sheet.py out/cheat_sheet.pdf      printed by a Chromium, if there is one
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tinygrad_rnn import nn, scope, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.engine.atomic_write import atomic_write
from tinygrad_rnn.engine.command_line import run_command
from tinygrad_rnn.nn.cell import parts_of
from tinygrad_rnn.paper import equations, numpy_script

I, H = 2, 3
PER_GATE: dict[str, Any] = {"form": "per_gate", "bias": "single"}
CELLS = {
    "RNN (03)": nn.RNNCell(I, H, form="stacked", bias="single", seed=0),
    "GRU of the notes (09)": nn.GRUCell(I, H, reset="before", update="writes", seed=0, **PER_GATE),
    "LSTM (10)": nn.LSTMCell(I, H, seed=0, **PER_GATE),
    "LSTM with peepholes (11)": nn.LSTMCell(I, H, peephole="full", seed=0, **PER_GATE),
}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIGNS = {r"\langle ": "⟨", r"\rangle": "⟩", r"\circ": "∘", r"\sigma": "σ", r"\Gamma": "Γ",
         r"\tilde c": "c̃", r"\tanh": "tanh", r"\max": "max", "-": "−"}  # fmt: skip
STYLE = """
@page { size: A3 landscape; margin: 8mm }
body { font: 14px/1.35 sans-serif; margin: 0 auto; max-width: 404mm; color: #111 }
h1 { font-size: 19px; margin: 0 0 3px } p { margin: 0 0 4px }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
th:nth-child(3) { width: 32% }
td, th { border-top: 1px solid #999; padding: 3px 8px; vertical-align: top; text-align: left }
.eq { font: italic 16px/1.5 serif } .eq sub, .eq sup { font-size: 75%; line-height: 0 }
pre { font: 11px/1.25 monospace; margin: 0; white-space: pre-wrap }
svg { display: block; width: 100%; height: auto; max-height: 57mm }
"""
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Recurrent cells</title><style>{style}</style>
<h1>Recurrent cells: equation, code, picture</h1>
<p>Read from each cell's graph. Rows are samples, so W x is x @ W.T; ax is [a, x]; d_W is ∂L/∂W.</p>
<table><tr><th>equations</th><th>a step forward, t = 1 … T</th><th>its graph</th>
<th>a step back, t = T … 1: BPTT</th></tr>{rows}</table></html>
"""


def formula(latex: str) -> str:
    """Return an equation of `equations` in HTML."""
    text = html.escape(latex)
    for sign, letter in SIGNS.items():
        text = text.replace(sign, letter)
    text = re.sub(r"\^\{([^}]*)\}", r"<sup>\1</sup>", text)
    return re.sub(r"_(?:\{([^}]*)\}|(\w))", lambda m: f"<sub>{m[1] or m[2]}</sub>", text)


def turns(script: str) -> tuple[str, str]:
    """Return what a script does in a step forward, and in a step backward."""
    loops = re.findall(r"^    for .*?:.*?\n((?:        .*\n)+)", script, re.MULTILINE)
    kept = [[s.strip() for s in loop.splitlines() if "append" not in s] for loop in loops]
    return "\n".join(kept[0]), "\n".join(kept[1])


def picture(cell: nn.Cell) -> str:
    """Return the drawing of one step and a loss; darker edges carry more gradient."""
    x = tensor(np.full((1, I), 0.5, np.float32), name="x⟨t⟩")
    letters = zip(parts_of(cell.start(1, x)), "ac" if isinstance(cell, nn.LSTMCell) else "c")
    state = tuple(tensor(s.numpy(), name=f"{letter}⟨t−1⟩") for s, letter in letters)
    with scope("step", step=0, cell=type(cell).__name__):
        output, _ = cell.step(x, state if len(state) > 1 else state[0])
    loss = (output**2).sum()
    loss.backward(record="norm")
    view = "op" if isinstance(cell, nn.RNNCell) else "gate"
    return draw(loss, view=view, title=" ", legend=False).svg


def page() -> str:
    """Return the whole page."""
    rows = []
    for name, cell in CELLS.items():
        lines = "<br>".join(map(formula, equations(cell).splitlines()))
        forward, backward = map(html.escape, turns(numpy_script(cell)))
        rows.append(
            f'<tr><td><b>{name}</b><div class="eq">{lines}</div></td><td><pre>{forward}</pre></td>'
            f"<td>{picture(cell)}</td><td><pre>{backward}</pre></td></tr>"
        )
    return PAGE.format(style=STYLE, rows="".join(rows))


def printed(text: str) -> bytes | None:
    """Return the page as a PDF, or None where no Chromium is."""
    browser = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if browser is None:
        return None
    with tempfile.TemporaryDirectory() as place:
        source, made = Path(place, "sheet.html"), Path(place, "sheet.pdf")
        source.write_text(text, encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        command = [browser, *flags, f"--user-data-dir={place}/profile", f"--print-to-pdf={made}"]
        subprocess.run([*command, source.as_uri()], check=True, capture_output=True, timeout=120)
        return made.read_bytes()


def main() -> int:
    """Write the sheet as HTML, or as PDF."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=Path("out/cheat_sheet.html"))
    out, text = parser.parse_args().out, page()
    out.parent.mkdir(parents=True, exist_ok=True)
    data: bytes | None = text.encode()
    if out.suffix == ".pdf":
        data = printed(text)
    if data is None:
        print(
            f"no Chromium is installed to print {out}: ask for {out.with_suffix('.html')} instead"
        )
        return 2
    atomic_write(out, data)
    print(f"written: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, "cheat_sheet"))
