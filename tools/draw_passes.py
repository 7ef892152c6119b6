"""Draw what each pass of the compiler changes in one step of an LSTM: `draw_passes.py FOLDER`.

Writes pass-NAME.svg for each pass that changes something, the step before and after it as one
picture, and prints the number of instructions and matrix products after each.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from tinygrad_rnn import nn, tensor
from tinygrad_rnn.compile import compile
from tinygrad_rnn.compile.listing import counts
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.capture.programs import program_graph
from tinygrad_rnn.engine.command_line import run_command


def main(folder: Path) -> None:
    """Compiles a small LSTM and draws its history."""
    fast = compile(nn.LSTM(3, 4, seed=0), "numpy")
    x = np.random.default_rng(0).standard_normal((2, 2, 3)).astype(np.float32)
    fast(tensor(x, requires_grad=True))
    (kernel,) = fast.compiled.kernels.values()
    before: tuple[str, str, object] | None = None
    for name, step in kernel.history:
        graph, text = program_graph(step, name), str([i.op for i in step.order()])
        print(f"{name:10s}{counts(step.order())}")
        if before is not None and text != before[1]:
            drawing = draw(
                before[2], against=graph, view="diff", title=f"{name}: before ◧, after ◨"
            )
            if any(box.mark for box in drawing.scene.boxes):  # not just a sum in another order
                drawing.save(folder / f"pass-{name}.svg")
        before = name, text, graph


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    sys.exit(run_command(lambda: main(folder), "draw_passes"))
