"""Show the player in a notebook cell, in a frame of its own, for `drawing`."""

from __future__ import annotations

import html


class NotebookFrame:
    """A page shown in an <iframe>; notebooks show it by its HTML."""

    def __init__(self, page: str, height: int) -> None:
        self.page, self.height = page, height

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.page, quote=True)}" width="100%" '
            f'height="{self.height}" style="border:0" title="explore the graph"></iframe>'
        )
