"""Hold all that a reader may wish of a picture; `views`, `layout` and `cli` read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .palette import THEMES, Scale
from .scene import Scene

Kept = tuple[int, int]  # how many steps are shown at the start and at the end


@dataclass(slots=True)
class Settings:
    """The wishes by the names of the command's options; the defaults choose by size.

    `elide` is a wish, "auto", "none" or "FIRST,LAST", until a view decides: then it is the steps
    kept, or None for all. `said` collects what was decided instead of a wish.
    """

    view: str = "auto"
    elide: str | Kept | None = "auto"
    wrap: int = 0
    fold: tuple[str, ...] = ()
    expand: str = ""
    collapse: tuple[str, ...] = ()
    grad: str = "norm"
    values: str = "none"
    params: str = "chips"
    engine: str = "auto"
    palette: str = "cividis"
    theme: str = "light"
    ascii: bool = False
    title: str | None = None
    legend: bool = True
    force: bool = False
    max_px: int = 16_000
    timeout: float = 30.0
    positions: bool = True
    said: list[str] = field(default_factory=list)

    @property
    def kept(self) -> Kept | None:
        """Return the steps that are shown at both ends, None where all are."""
        return self.elide if isinstance(self.elide, tuple) else None

    def keeping(self, kept: Kept | None) -> Settings:
        """Return the same wishes with the steps that a view decided to show."""
        return replace(self, elide=kept)

    def sheet(self, norms: Iterable[float], title: str) -> Scene:
        """Return an empty scene in the wished colours, whose scale spans the norms."""
        scale = Scale.over(norms, self.palette, self.theme)
        return Scene(THEMES[self.theme], scale, self.title or title, legend=self.legend)
