"""Every task from data to page in a few steps: trained, kept, asked again, drawn and checked."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from player_browser import Page, find_chromium

from tinygrad_rnn.engine.context import no_grad
from tinygrad_rnn.tasks import TASKS, restored, task_of, train
from tinygrad_rnn.tasks.command import main, slope_error
from tinygrad_rnn.tasks.result_page import write_page
from tinygrad_rnn.tasks.running import keep, made
from tinygrad_rnn.tasks.task import Goal

FEW = {"steps": 2, "hidden": 6, "batch": 3, "compiled": False}


def few(name: str):
    """Return a task that is trained in a moment."""
    kind = task_of(name)
    task = kind(replace(kind.defaults, **FEW))
    task.quick = True
    return task


@pytest.fixture(scope="module", params=TASKS)
def trained(request, tmp_path_factory):
    """Each task, trained for two steps into a folder of its own."""
    out = tmp_path_factory.mktemp(request.param)
    task = few(request.param)
    result = train(task, None, out)
    keep(task, result, out)
    return task, result, out


def test_it_measures_what_its_goal_names(trained):
    task, result, _ = trained
    assert task.goal.measure in result.measured
    assert all(np.isfinite(value) for value in result.measured.values())
    assert len(result.run.history["loss"]) == 2 and result.said


def test_it_is_asked_again_from_its_folder(trained):
    task, result, out = trained
    fresh, model, measured = restored(out)
    fresh.quick = task.quick
    assert measured == result.measured and fresh.settings.hidden == 6
    with no_grad():
        for text in task.questions():
            assert fresh.answer(model, text, seed=3) == task.answer(result.model, text, seed=3)


def test_its_page_is_whole_and_needs_no_network(trained):
    task, result, out = trained
    text = write_page(task, result, out, "a command").read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text
    pictures = ["<svg" + part.partition("</svg>")[0] + "</svg>" for part in text.split("<svg")[1:]]
    assert len(pictures) >= 2
    for picture in pictures:
        ET.fromstring(picture)  # well formed
    assert (out / "player.html").stat().st_size > 10_000


@pytest.fixture(scope="module")
def browser():
    """One tab of a Chromium for all pages."""
    if find_chromium() is None:
        pytest.skip("no Chromium on PATH (apt: chromium)")
    with Page() as opened:
        opened.send("Network.emulateNetworkConditions", offline=True, latency=0,
                    downloadThroughput=-1, uploadThroughput=-1)  # fmt: skip
        yield opened


PLOTS = """[...document.querySelectorAll("figure svg")].slice(0, -1).map((svg) =>
  [svg.querySelector("title")?.textContent ?? "",
   [...svg.querySelectorAll("text")].map((t) => t.textContent),
   svg.getBoundingClientRect().width,
   [...svg.querySelectorAll("text")].every((t) => {
     const [a, b] = [t.getBBox(), svg.viewBox.baseVal];
     return t.hasAttribute("transform") || (a.x >= -1 && a.x + a.width <= b.width + 1); })])"""


@pytest.mark.browser
def test_its_pages_open_in_a_browser_without_a_word_in_the_console(trained, browser):
    """Offline; every plot has its title, names of its axes, numbers and a legend in the paper."""
    task, result, out = trained
    page = write_page(task, result, out, "a command")
    browser.open(page)
    plots = browser.run(PLOTS)
    assert plots, "the loss at least is drawn"
    for title, words, wide, inside in plots:
        named = [word for word in words if re.search("[A-Za-z]", word)]
        assert title in words and wide > 100 and inside, title
        assert len(named) >= 4, f"{title}: title, two axes and a legend are wanted, got {named}"
    assert browser.run("[...document.images].every((i) => i.complete && i.naturalWidth)")
    browser.open(out / "player.html")
    assert browser.problems() == [] and browser.requests() == []


def test_its_gradient_is_the_slope_of_its_loss(trained):
    task, _, _ = trained
    small = task.tiny()
    assert slope_error(small, small.build().double()) < 1e-5


def test_compiled_it_learns_the_same(trained):
    task, result, _ = trained
    again = few(task.name)
    again.settings = replace(again.settings, compiled=True)
    compiled = train(again, None)
    np.testing.assert_allclose(compiled.run.history["loss"], result.run.history["loss"], rtol=2e-4)


def test_a_seed_says_everything(trained):
    task, result, _ = trained
    assert train(few(task.name), None).run.history["loss"] == result.run.history["loss"]


# The command
def test_every_help_has_an_example(capsys):
    for verb in ([], ["train"], ["sample"], ["draw"], ["check"], ["data"]):
        assert main([*verb, "--help"]) == 0
        assert "tinygrad-rnn" in capsys.readouterr().out.partition("example")[2]


def test_the_command_from_training_to_drawing(tmp_path, capsys):
    out = str(tmp_path / "it")
    small = ["--steps", "2", "--hidden", "4", "--cell", "gru", "--no-compile", "--out", out]
    assert main(["train", "characters", *small]) == 0
    said = capsys.readouterr().out
    assert "bits per character" in said and f"sample {out}" in said
    assert main(["sample", out, "In the", "--count", "2"]) == 0
    assert capsys.readouterr().out.count("In the") == 2
    assert main(["draw", out, "-o", str(tmp_path / "it.svg")]) == 0
    ET.parse(tmp_path / "it.svg")
    assert main(["check", out]) == 0
    assert f"train characters {' '.join(small)}" in (tmp_path / "it/index.html").read_text("utf-8")


def test_a_run_goes_on(tmp_path):
    task = few("characters")
    whole = train(task, None, None)
    first = few("characters")
    first.read(None)
    model = made(first)
    assert sum(p.numel() for p in model.parameters()) > 0
    (tmp_path / "a").mkdir()
    train(few("characters"), None, tmp_path / "a")
    gone_on = train(few("characters"), None, tmp_path / "a", resume=True)
    assert gone_on.run.history["loss"] == whole.run.history["loss"] and gone_on.said


@pytest.mark.parametrize("arguments, told", [
    (["train", "caracters"], "did you mean characters?"),
    (["train", "zzz"], "tasks: characters"),
    (["train", "characters", "--steps", "0"], "--steps must be at least 1"),
    (["sample", "nowhere"], "no trained model there"),
    (["check", "nothing"], "there is no task"),
])  # fmt: skip
def test_what_cannot_be_is_one_line(arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    assert main(["sample", str(tmp_path)]) == 2
    assert "model.safetensors" in capsys.readouterr().err


def test_a_goal_knows_both_directions():
    assert Goal("x", least=0.5).reached({"x": 0.5}) and not Goal("x", most=2).reached({"x": 2.1})
    assert str(Goal("x", most=2)) == "x ≤ 2"
