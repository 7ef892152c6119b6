"""Plot what the `microscope` measured, in the drawings' colours: cividis, dark = large.

matplotlib is imported when something is drawn, never before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

BOUND = "#d55e00"
STYLES = ("-", "--", ":", "-.")  # colour alone is not seen by everybody
DIRECTIONS = {"fwd": "forward", "rev": "reverse", None: ""}


def axes_of(axes: Any, x: str, y: str, title: str) -> Any:
    """Return the axes, or new ones, with labels and a title."""
    if axes is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError('plots need matplotlib: pip install "tinygrad_rnn[train]"') from error
        axes = plt.figure(layout="constrained").add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)  # there is no step 2.5
    return axes


def colours(count: int) -> list[Any]:
    """Return so many colours of the darker two thirds of cividis, which stand out on paper."""
    from matplotlib import colormaps

    return [colormaps["cividis"](0.65 * k / max(count - 1, 1)) for k in range(count)]


def words(key: tuple) -> str:
    """Return a state's key in words: ("h", 0, "fwd") is "h of layer 0, forward"."""
    name, layer, direction = key
    where = [f"layer {layer}"] if layer is not None else []
    where += [DIRECTIONS.get(direction, str(direction))] if direction else []
    return f"{name} of {', '.join(where)}" if where else str(name)


def log_lines(lines: Mapping[str, np.ndarray], axes: Any) -> Any:
    """Draw lines on a logarithmic axis; a 0 is left out, for it has no logarithm."""
    for k, (colour, (label, values)) in enumerate(zip(colours(len(lines)), lines.items())):
        shown = np.where(values > 0, values, np.nan)
        axes.semilogy(range(len(values)), shown, STYLES[k % len(STYLES)], color=colour,
                      marker="." if len(values) < 50 else None, label=label)  # fmt: skip
    axes.legend(frameon=False)
    return axes


def heat(matrix: np.ndarray, axes: Any, what: str) -> Any:
    """Draw log₁₀ of a matrix of norms with its colour bar; zeros stay blank."""
    logs = np.log10(matrix, out=np.full(matrix.shape, np.nan), where=matrix > 0)
    image = axes.imshow(logs, cmap="cividis_r")  # dark = large, as in drawings
    axes.figure.colorbar(image, ax=axes, label=f"log₁₀ {what}")
    return axes
