"""One picture of a race: for each problem, how long each contestant takes next to the reference."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from benches.tables import key, took_part, unique

COLOURS = ("#00224e", "#2a6f97", "#8a8678", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00",
           "#555555", "#b2b2b2")  # fmt: skip


def save_plot(rows: list[dict], reference: str, file: Path) -> None:
    """Writes one panel per thread count and cell; a bar is a minimum over the reference's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from tinygrad_rnn.engine.atomic_write import atomic_write

    panels = unique(rows, lambda r: (r["threads"], r["cell"]))
    figure, axes = pyplot.subplots(len(panels), 1, squeeze=False, layout="constrained",
                                   figsize=(9, 2.1 * len(panels) + 0.8))  # fmt: skip
    others = (n for n in unique(rows, lambda r: r["contestant"]) if n != reference)
    names = [n for n in others if took_part(rows, n)]
    for (threads, cell), ax in zip(panels, axes[:, 0], strict=True):
        panel(
            ax, [r for r in rows if (r["threads"], r["cell"]) == (threads, cell)], names, reference
        )
        ax.set_title(f"{cell}, {threads} thread{'s' * (threads > 1)}", loc="left", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8)
    data = io.BytesIO()
    figure.savefig(data, format=file.suffix[1:])
    atomic_write(file, data.getvalue())


def panel(ax: Any, rows: list[dict], names: list[str], reference: str) -> None:
    """Draws the bars of one cell; the line at 1 is the reference."""
    leaves = unique(rows, key)
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        times = {key(r): r["min_ms"] for r in rows if r["contestant"] == name and "min_ms" in r}
        base = {key(r): r["min_ms"] for r in rows if r["contestant"] == reference and "min_ms" in r}
        bars = [(i, times[leaf] / base[leaf]) for i, leaf in enumerate(leaves)
                if leaf in times and leaf in base]  # fmt: skip
        ax.bar([i + k * width for i, _ in bars], [ratio for _, ratio in bars], width,
               color=COLOURS[k % len(COLOURS)], label=name)  # fmt: skip
    ax.axhline(1, color="black", linewidth=0.8)
    ax.set_yscale("log")
    ax.set_ylabel(f"time / {reference}", fontsize=8)
    ticks = [i + 0.4 - width / 2 for i in range(len(leaves))]
    ax.set_xticks(ticks, [f"T{leaf[1]} B{leaf[2]} H{leaf[4]}" for leaf in leaves], fontsize=8)
