"""Pages of the site that are made from what the project holds: pictures, results, names."""

from __future__ import annotations

from pathlib import Path

from tinygrad_rnn.absent import USE

CAPTIONS = {
    "op": "Every operation of three steps; width and colour of an edge: the gradient along it",
    "cell": "One box per step",
    "gate": "One box per gate",
    "rolled": "The loop, not unrolled",
    "flow": "Where the gradient goes: LSTM and RNN on one scale",
    "params": "Each use of a parameter adds to its gradient",
    "arch": "One of the five shapes of sequence problems",
    "backward": "The backward pass is a graph too",
    "diff": "What peepholes add to an LSTM",
}


def way_to_run(stem: str) -> str:
    """Return the line at a chapter's head that leads into the browser."""
    return f'<p class="run"><a href="../try.html#{stem}">▶ Run in the browser</a></p>'


def gallery(pictures: list[tuple[str, str]]) -> str:
    """Return the gallery: each picture above the command that made it."""
    head = "# Gallery\n\nEach picture was made by the command under it when this site was built.\n"
    shown = [
        f"\n## {CAPTIONS[name]}\n\n[![{CAPTIONS[name]}](pictures/{name}.svg)]"
        f"(pictures/{name}.svg)\n\n"
        f"```sh\npython tools/draw_graph.py {words} -o {name}.svg\n```\n"
        for name, words in pictures
    ]
    return head + "".join(shown)


def measured(root: Path) -> str:
    """Return every table of results as it was printed; its first line is its command."""
    tables = sorted((root / "tools" / "results").glob("*.txt"))
    shown = [f"\n### {p.stem}\n\n```text\n{p.read_text(encoding='utf-8')}\n```\n" for p in tables]
    return "\n## The tables\n" + "".join(shown)


def absent() -> str:
    """Return the table of PyTorch's names that are absent, with what to use instead."""
    rows = [
        f"| `torch{module.removeprefix('tinygrad_rnn')}.{name}` | {use} |\n"
        for module, names in USE.items()
        for name, use in names.items()
    ]
    return "\n## Absent, and what to use instead\n\n| PyTorch | here |\n|---|---|\n" + "".join(rows)
