"""JupyterLite: notebooks of the book run to their end in a browser, from this machine alone."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from player_browser import Page, find_chromium
from site_browser import WatchedPage, complaints, outside, served, visit

from tools.website import lite, pyodide

NEEDED = ("jupyterlite_core", "jupyterlite_pyodide_kernel", "jupyter_server")
LACKING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
KERNEL_LOADS = ("ssl", "sqlite3", "jedi", "ipython", "matplotlib", "numpy")  # from the lock file
NOTEBOOK = "window.jupyterapp.shell.currentWidget"
CODE = f"{NOTEBOOK}.content.widgets.filter((cell) => cell.model.type === 'code')"
SECONDS = 600  # for one notebook; they take 60 to 120 on two busy cores


def test_pyodide_has_what_the_kernel_loads_and_what_that_needs():
    wheels = {name.split("-")[0].lower() for name in pyodide.HASHES}
    assert {*KERNEL_LOADS, "parso", "openssl"} <= wheels


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    if LACKING:
        pytest.skip(f"needs {', '.join(LACKING)}, of the extra site")
    if find_chromium() is None:
        pytest.skip("no Chromium on PATH (apt: chromium)")
    files = pyodide.pyodide(fetch=False)
    if not files:
        pytest.skip("NumPy for WebAssembly is not here: make lite fetches it")
    out = tmp_path_factory.mktemp("lite") / "lite"
    try:
        lite.build(out, files)
    except subprocess.CalledProcessError:
        pytest.skip("no wheel of comm, which the kernel needs: no registry answers")
    settings = out / "jupyter-lite.json"
    told = json.loads(settings.read_text(encoding="utf-8"))
    told["jupyter-config-data"]["exposeAppInBrowser"] = True
    settings.write_text(json.dumps(told), encoding="utf-8")
    return out


@pytest.fixture
def page() -> Iterator[Page]:
    with WatchedPage(1400, 1000, timeout=SECONDS) as opened:
        yield opened


def run_all(page: Page) -> list[dict[str, Any]]:
    """Run every cell of the open notebook and return what its code cells hold then."""
    page.wait(f"window.jupyterapp && {NOTEBOOK}?.content?.widgets.length > 3")
    connection = f"{NOTEBOOK}.sessionContext.session?.kernel?.connectionStatus"
    page.wait(f"{connection} === 'connected'")
    page.run(
        "(window.jupyterapp.commands.execute('notebook:run-all-cells')"
        ".finally(() => { window.finished = true; }), 0)"
    )
    page.wait("window.finished")
    return page.run(f"{CODE}.map((cell) => cell.model.toJSON())")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("stem", ["01_graphs", "03_rnn_cell", "10_lstm"])
def test_a_notebook_runs_to_its_end_in_the_browser_without_a_network(built, page, stem):
    with served(built.parent) as address:
        visit(page, f"{address}lite/notebooks/index.html?path={stem}.ipynb")
        cells = run_all(page)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)
    asked = [event for event in page.events if event.get("method") == "Network.requestWillBeSent"]
    assert any("pyodide.asm.wasm" in event["params"]["request"]["url"] for event in asked)
    assert (outside(page), complaints(page)) == ([], [])
