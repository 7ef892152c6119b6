"""Gather the site's sources in one folder: guides, the book, documents, and the code they link."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import reference, tables

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "tutorials"
PAGES = BOOK / "site"
DOCUMENTS = {  # of the repository: where they stand on the site
    "tutorials/EQUATIONS.md": "notes.md",
    "tutorials/COMPILER.md": "compiler.md",
    "tools/results/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:)([^)#\s]+)(#[^)]*)?(?=\))")
LANGUAGES = {".py": "python", ".json": "json", ".txt": "text", ".md": "markdown"}


def place(path: str) -> str:
    """Return where the site shows a file of the repository, from the site's top."""
    if path in DOCUMENTS:
        return DOCUMENTS[path]
    name = Path(path)
    if name.match("tutorials/[0-9]*_*"):
        return f"book/{name.stem}.ipynb"
    return f"files/{path}" if name.suffix in (".svg", ".png") else f"code/{path}.md"


class Stage:
    """A folder that Sphinx reads; what pages link to is brought along."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(PAGES, folder, ignore=shutil.ignore_patterns("__pycache__", "try"))
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        """Write one page."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        """Return the text of a page."""
        return (self.folder / name).read_text(encoding="utf-8")

    def bring(self, path: str) -> str:
        """Return where a linked file stands, after having put it there."""
        where, source = place(path), ROOT / path
        if where.startswith("files/"):
            (self.folder / where).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, self.folder / where)
        elif where.startswith("code/") and not (self.folder / where).exists():
            self.write(where, listing(path))
        return where

    def relinked(self, text: str, path: str, page: str) -> str:
        """Return the text of the file `path` with links that hold on the page `page`."""

        def moved(found: re.Match) -> str:
            target = (ROOT / path).parent / found[1]
            inside = target.resolve().relative_to(ROOT).as_posix()
            up = "../" * page.count("/")
            return up + self.bring(inside) + (found[2] or "")

        return LINK.sub(moved, text)


def listing(path: str) -> str:
    """Return the page that shows a file whole, with its lines numbered."""
    source = ROOT / path
    language = LANGUAGES.get(source.suffix, "text")
    head = f"---\norphan: true\n---\n\n# {path}\n\n"
    fence = "`" * 6
    options = ":linenos:\n:lineno-start: 1\n"
    code = source.read_text(encoding="utf-8")
    return f"{head}{fence}{{code-block}} {language}\n{options}\n{code}\n{fence}\n"


def chapter(stage: Stage, path: Path) -> str:
    """Return a notebook for the site: links that hold, and the way into the browser."""
    name = f"book/{path.stem}.ipynb"
    made = json.loads(path.read_text(encoding="utf-8"))
    for cell in made["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            cell["source"] = stage.relinked(text, f"tutorials/{path.name}", name)
    made["cells"][-1]["source"] = tables.way_to_run(path.stem)
    made["cells"].insert(1, made["cells"].pop())
    return json.dumps(made)


def drawn(words: str, path: Path) -> None:
    """Draw one picture with the command."""
    tool = [sys.executable, str(ROOT / "tools" / "draw_graph.py"), *words.split()]
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*tool, "-o", str(path)], check=True, cwd=ROOT)


def gallery(folder: Path) -> str:
    """Return the gallery of the Makefile's pictures, after having drawn them."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r"^(\w+)_IS\s*:= (.*)$", makefile, re.MULTILINE)
    for name, words in found:
        drawn(words, folder / f"{name}.svg")
    return tables.gallery(found)


def gather(folder: Path) -> None:
    """Fill the folder with everything that the site consists of."""
    stage = Stage(folder)
    for document, page in DOCUMENTS.items():
        text = (ROOT / document).read_text(encoding="utf-8")
        stage.write(page, stage.relinked(text, document, page))
    for path in sorted(BOOK.glob("[0-9]*_*.ipynb")):
        stage.write(f"book/{path.stem}.ipynb", chapter(stage, path))
    stage.write("gallery.md", gallery(folder / "pictures"))
    drawn("--cell lstm --steps 3", folder / "extra" / "player.html")
    stage.write("benchmarks.md", stage.read("benchmarks.md") + tables.measured(ROOT))
    stage.write("from_torch.md", stage.read("from_torch.md") + tables.absent())
    for name, text in reference.pages():
        stage.write(name, text)
