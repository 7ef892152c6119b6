"""The site: its guides run, its links lead somewhere, its pages are quiet, its editor draws."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from player_browser import Page, find_chromium
from site_browser import complaints, outside, served, visit

from tools.website import links, page, pyodide

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "tutorials" / "site"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
GUIDES = [p for p in sorted(PAGES.rglob("*.md")) if BLOCK.search(p.read_text(encoding="utf-8"))]
NEEDED = ("sphinx", "myst_nb", "furo", "latex2mathml")
LACKING = [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize("path", GUIDES, ids=lambda p: p.stem)
def test_the_code_of_a_guide_runs(path, tmp_path):
    code = "\n".join(BLOCK.findall(path.read_text(encoding="utf-8")))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_guide_has_code():
    assert {p.stem for p in PAGES.glob("guide/[!i]*.md")} <= {p.stem for p in GUIDES}


def test_a_file_is_taken_only_if_its_hash_is_the_known_one():
    name = "pyodide.js"
    assert pyodide.taken(iter([(name, lambda: b"something else")])) == {}
    assert not pyodide.is_whole({name: b""})


def test_a_lock_file_keeps_nothing_with_another_hash():
    name, right = next(iter(pyodide.HASHES.items()))
    packages = {"a": {"file_name": name, "sha256": right}, "b": {"file_name": name, "sha256": "0"}}
    kept = json.loads(pyodide.lock_of(json.dumps({"packages": packages}).encode()))
    assert list(kept["packages"]) == ["a"]


# The page to try everything in
@pytest.fixture(scope="module")
def program():
    path = PAGES / "try" / "program.py"
    spec = importlib.util.spec_from_file_location("try_program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(program, code, factor=1.0, view="auto", times=0, rate=1.0):
    losses: list = []
    given = program.answer(code, factor, view, times, rate, lambda seen: losses.append(seen[-1]))
    return json.loads(given), losses


def test_the_page_draws_the_readmes_ten_lines(program):
    found, _ = answer(program, page.ten_lines())
    assert not found["error"] and found["text"] == "(11, 32)\n"
    assert "<svg" in found["pictures"][0] and "<script" in found["player"]
    (leaf,) = found["leaves"]
    assert leaf["name"] == "W" and leaf["shape"] == "11 × 32" and leaf["grad"] > 0


def test_a_slider_scales_the_leaves(program):
    (one,), (two,) = (answer(program, page.ten_lines(), f)[0]["leaves"] for f in (1.0, 2.0))
    assert two["norm"] == pytest.approx(2 * one["norm"])


def test_steps_downhill_make_the_loss_smaller(program):
    found, losses = answer(program, page.ten_lines(), times=5)
    assert not found["error"] and losses == sorted(losses, reverse=True) and len(set(losses)) == 5


def test_an_error_names_the_line_of_the_program(program):
    found, _ = answer(program, "x = 1\nx.nothing()\n")
    assert found["error"] and found["text"].startswith("line 2: x.nothing()\nAttributeError")


def test_nothing_stays_changed_after_a_run(program):
    before = program.Tensor.backward, program.Tensor.requires_grad_
    answer(program, "raise ValueError")
    assert before == (program.Tensor.backward, program.Tensor.requires_grad_)


def test_a_page_without_python_asks_for_each_file_by_hash():
    text = page.page({})
    found = json.loads(re.search(r'id="files">(.*?)</script>', text)[1].replace("<\\/", "</"))
    assert set(found["names"]) - set(found["packed"]) == set(page.CORE) == set(found["integrity"])
    assert found["cdn"].startswith("https://") and len(gzip.compress(text.encode())) < 1_500_000


@pytest.mark.parametrize("stem", [name for name in page.programs() if name])
def test_a_chapter_of_the_page_has_no_plot_and_compiles(stem):
    code = page.programs()[stem]
    assert "plt." not in code and "draw(" in code
    compile(code, stem, "exec")


# The whole site
@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Path]:
    if LACKING:
        pytest.skip(f"needs {', '.join(LACKING)}, of the extra site")
    out = tmp_path_factory.mktemp("site")
    tool = [sys.executable, str(ROOT / "tools" / "make_site.py"), "--no-download"]
    command = [*tool, "--out", str(out / "pages"), "--stage", str(out / "stage")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield out / "pages"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    if find_chromium() is None:
        pytest.skip("no Chromium on PATH (apt: chromium)")
    with Page(timeout=120) as opened:
        yield opened


@pytest.mark.slow
def test_no_link_is_dead_and_nothing_is_loaded_from_elsewhere(site):
    assert list(links.dead(site)) == [] and list(links.foreign(site)) == []
    assert len(links.pages(site)) > 80


@pytest.mark.slow
@pytest.mark.browser
def test_pages_complain_of_nothing_and_ask_for_nothing_outside(site, browser):
    chosen = [p for p in links.pages(site) if "_modules" not in p.parts and "code" not in p.parts]
    for path in chosen:
        if path.name != "try.html":
            browser.open(path)
    assert (complaints(browser), outside(browser)) == ([], [])


@pytest.mark.slow
@pytest.mark.browser
def test_the_search_finds(site, browser):
    with served(site) as address:
        visit(browser, f"{address}search.html?q=peephole")
        browser.wait("document.querySelectorAll('ul.search li').length > 2")


@pytest.mark.slow
@pytest.mark.browser
def test_the_editor_draws_in_the_browser_without_a_network(tmp_path, browser):
    files = pyodide.pyodide(fetch=False)
    if not files:
        pytest.skip("NumPy for WebAssembly is not here: make site fetches it")
    text = page.page(files)
    assert len(gzip.compress(text.encode())) <= 10_000_000
    (tmp_path / "try.html").write_text(text, encoding="utf-8")
    browser.events.clear()
    browser.open(tmp_path / "try.html")
    browser.wait(
        "document.querySelector('#pictures svg') && !document.querySelector('#train').disabled"
    )
    browser.run("document.querySelector('#train').click()")
    browser.wait("document.querySelector('#curve polyline')?.points.length === 30")
    browser.wait("!document.querySelector('#train').disabled")
    assert browser.run("document.querySelector('#player').srcdoc.length") > 50_000
    assert browser.run("document.querySelector('#leaves tbody td').textContent") == "W"
    assert (complaints(browser), outside(browser)) == ([], [])
