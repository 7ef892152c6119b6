"""Dead links of a folder of pages, and what its pages would load from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}


class Links(HTMLParser):
    """What a page names (`ids`), where it leads (`ways`), what it loads (`loaded`)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.ways: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.ways.append(given["href"])
        if tag in LOADED and LOADED[tag] in given:
            self.loaded.append(given[LOADED[tag]])


def pages(site: Path) -> dict[Path, Links]:
    """Return every page of a site but JupyterLite's own."""
    found = [p for p in sorted(site.rglob("*.html")) if p.relative_to(site).parts[0] != "lite"]
    return {path.resolve(): Links(path.read_text(encoding="utf-8")) for path in found}


def dead(site: Path) -> Iterator[str]:
    """Yield each link that leads nowhere: "page: link"."""
    known = pages(site)
    for path, links in known.items():
        for way in [*links.ways, *links.loaded]:
            parts = urlsplit(way)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            named = unquote(parts.fragment)
            missing = named and target in known and named not in known[target].ids
            if not target.exists() or (missing and target.name != "try.html"):
                yield f"{path.relative_to(site.resolve())}: {way}"


def foreign(site: Path) -> Iterator[str]:
    """Yield what pages load from other places than the site: "page: address"."""
    for path, links in pages(site).items():
        for address in links.loaded:
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                yield f"{path.relative_to(site.resolve())}: {address}"
