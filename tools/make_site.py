"""Builds the site: one folder of static pages that needs no network and no server.

    python tools/make_site.py                 into out/site
    python tools/make_site.py --lite          and JupyterLite with the book, into out/site/lite
    python tools/make_site.py --pyodide PLACE a folder or wheels with Pyodide's files

Needs the extra `site`. A chapter's results are those of its committed notebook (`make tutorials`).
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from website import links, lite, staging  # noqa: E402
from website.page import page  # noqa: E402
from website.pyodide import CARRIER, pyodide  # noqa: E402

from tinygrad_rnn.engine.command_line import run_command  # noqa: E402

NEEDED = ("sphinx", "myst_nb", "furo", "latex2mathml")
NO_PYTHON = f"no Pyodide with the known hashes: not in --pyodide, not installed, not in {CARRIER}"


def build_pages(out: Path, stage: Path) -> int:
    """Gather the sources in `stage` and let Sphinx make pages of them; warnings are errors."""
    from sphinx.cmd.build import build_main

    staging.gather(stage)
    status = build_main(["-q", "-W", "--keep-going", "-E", "-j", "2", str(stage), str(out)])
    for path in out.glob("_modules/**/*.html"):  # an alias's way back leads to its other name
        text = re.sub(r'<a class="viewcode-back".*?</a>', "", path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    return status


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "site")
    parser.add_argument("--stage", type=Path, default=ROOT / "build" / "site", help="its sources")
    parser.add_argument("--lite", action="store_true", help="JupyterLite too; pages only if absent")
    parser.add_argument("--pyodide", type=Path, help="where Pyodide's files are")
    parser.add_argument("--no-download", action="store_true", help="take only what is here")
    return parser.parse_args()


def main() -> int:
    """Build what was asked for and say where it is."""
    given = arguments()
    needed = (*NEEDED, "jupyterlite_core") if given.lite else NEEDED
    if lacking := [name for name in needed if importlib.util.find_spec(name) is None]:
        sys.exit(f"{', '.join(lacking)} missing: make site installs them (the extra `site`)")
    index = given.out / "index.html"
    if not (given.lite and index.exists()) and (status := build_pages(given.out, given.stage)):
        return status
    files = pyodide(given.pyodide, fetch=not given.no_download)
    (given.out / "try.html").write_text(page(files), encoding="utf-8")
    if not files:
        print(f"{NO_PYTHON}: try.html loads it from its public CDN")
    if given.lite and not files:
        sys.exit(f"{NO_PYTHON}: JupyterLite is not built")
    if given.lite:
        lite.build(given.out / "lite", files)
    lite.link(given.out)
    if dead := list(links.dead(given.out)):
        sys.exit("links that lead nowhere:\n" + "\n".join(dead))
    print(f"the site: {index}; to serve it: python -m http.server -d {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, "make_site"))
