"""The player in a real Chromium: what it shows is what the engine computed, by keyboard alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from player_browser import Page, find_chromium
from player_graphs import Recorded, recorded

from tinygrad_rnn import scope, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.graph import Graph, GraphNode
from tinygrad_rnn.draw.notebook import NotebookFrame
from tinygrad_rnn.draw.player.cost import cost
from tinygrad_rnn.draw.player.data import model_data
from tinygrad_rnn.draw.player.page import model, player
from tinygrad_rnn.draw.transform.fold import fold_sums

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on PATH (apt: chromium)"),
]
PICTURES = Path(__file__).parents[2] / "build" / "player"

# what the panel says about every node: {title, value, grad, sum}
PANEL = """(() => models.map((m) => m.ids.map((id) => {
  app.pick(m, id);
  const read = (where) => $("panel").querySelector(where)?.textContent ?? null;
  const absent = read("#grad").startsWith("–");
  return [read("#value .number"), absent ? "–" : read("#grad .number")];
})))()"""

# the same texts without showing them one after the other
TEXTS = """(() => models[0].ids.map((id) => {
  const panel = document.createElement("div");
  panel.innerHTML = explain(models[0], id);
  const grad = panel.querySelector("#grad");
  return grad.textContent.startsWith("–") ? "–" : grad.querySelector(".number").textContent;
}))()"""


@cache
def lstm(steps: int = 4) -> Recorded:
    return recorded("lstm", steps)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Page() as opened:
        yield opened


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function from a name to the page of one or more graphs, written once."""
    folder = tmp_path_factory.mktemp("player")

    def path_of(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(player(models_of(name)), encoding="utf-8")
        return path

    return path_of


def models_of(name: str) -> list[Any]:
    if name == "two":
        return [model(recorded("rnn", 30, "last").graph), model(recorded("lstm", 30, "last").graph)]
    if name == "hostile":
        bad = "</script><img src=x onerror=window.hacked=1>"
        nodes = [GraphNode(0, name=bad, role="param"), GraphNode(1, f"<b>{bad}", (0,), name=bad)]
        return [model(Graph(nodes, title=bad, notes=[bad]))]
    if name == "broken":
        return [model(broken())]
    return [model(lstm(int(name)).graph)]


def broken() -> Graph:
    """w → log w → its square, where log w is −∞ and the gradient of w is not a number."""
    inf, nan = float("inf"), float("nan")
    values = ([0.0, 1.0], [-inf, 0.0], [inf, 0.0])
    stats = [{"norm": inf, "min": 0.0, "max": 0.0, "mean": 0.0, "sample": v} for v in values]
    grads = [{"norm": nan, "sample": [nan, 0.0]}, {"norm": inf, "sample": [inf, 0.0]}, None]
    ops = ((None, ()), ("log", (0,)), ("mul", (1, 1)))
    nodes = [
        GraphNode(i, op, parents, (2,), value=stats[i], grad=grads[i])
        for i, (op, parents) in enumerate(ops)
    ]
    nodes[0].name, nodes[0].role = "w", "param"
    return Graph(nodes, edge_grads={"1:0": nan, "2:0": inf, "2:1": 0.0}, order=[2, 1, 0])


def number(text: str | None) -> float | None:
    """The number that a text of the player shows, None for its "–"."""
    return None if text in (None, "–") else float(text.replace("−", "-"))


def place_of(page: Page, selector: str, which: str = "true") -> dict[str, float]:
    """Where the first such element is in the window: x, y, width, height."""
    found = f"[...document.querySelectorAll({selector!r})].find((each) => {which})"
    return page.run(f"{found}.getBoundingClientRect().toJSON()")


def same(text: str | None, exact: float | None) -> bool:
    found = number(text)
    if found is None or exact is None:
        return found is None and exact is None
    return found == pytest.approx(exact, rel=6e-4, abs=1e-30)


def norms(run: Recorded) -> dict[int, float]:
    """‖∂L/∂node‖ straight from the engine's Flow."""
    flow = run.flow.nodes
    return {
        i: float((flow[node].astype("f8") ** 2).sum() ** 0.5)
        for i, node in enumerate(run.nodes)
        if node in flow
    }


# -- numbers


def test_at_the_end_every_gradient_shown_is_the_engines(page: Page, files: Any) -> None:
    run = recorded("lstm", 3, "last")  # one loss: no sums are folded, only transposed weights
    path = files("4").with_name("last.html")
    path.write_text(player(model(run.graph)), encoding="utf-8")
    page.open(path)
    page.press("End")
    exact = norms(run)
    texts = page.run(PANEL)[0]
    firsts = [ids[0] for ids in fold_sums(run.graph).members]
    assert len(texts) == len(firsts)
    for i, (value, grad) in zip(firsts, texts, strict=True):
        assert same(grad, exact.get(i)), f"node {i}: {grad} against {exact.get(i)}"
        assert same(value, float((run.nodes[i].value.astype("f8") ** 2).sum() ** 0.5))


def test_gradients_not_computed_yet_are_absent_never_zero(page: Page, files: Any) -> None:
    page.open(files("4"))
    graph = model(lstm().graph).graph
    rank = {node: place for place, node in enumerate(graph.order, 1)}
    users = graph.children()
    for q in (0, 20, 57):
        page.run(f"app.go({len(graph)} + {q})")
        for i, grad in enumerate(page.run(TEXTS)):
            flowed = [rank[c] for c, k in users[i] if graph.edge_grad(c, k) is not None]
            last = max(flowed, default=rank.get(i, 1))
            known = graph.nodes[i].grad is not None and q >= last
            assert (number(grad) is not None) == known, f"node {i} after {q} steps: {grad}"


def test_parameters_show_what_each_step_gave(page: Page, files: Any) -> None:
    page.open(files("4"))
    graph = model(lstm().graph).graph
    w = next(node for node in graph.nodes if node.name == "Wcᵀ")
    page.run(f"app.p = END; app.pick(models[0], {w.id})")
    assert "Wcᵀ is used 4×" in page.run("$('panel').textContent")
    bars = page.run("[...$('panel').querySelectorAll('tr')].map((r) => r.innerText.split('\\t'))")
    uses = sorted((n.step, graph.edge_grad(n.id, 1)) for n in graph.nodes if w.id in n.parents)
    assert [bar[0] for bar in bars] == [f"t = {step}" for step, _ in uses]
    assert all(same(bar[-1].strip(), norm) for bar, (_, norm) in zip(bars, uses, strict=True))


def test_parameters_count_what_has_arrived(page: Page, files: Any) -> None:
    page.open(files("4"))
    graph = model(lstm().graph).graph
    w = next(node for node in graph.nodes if node.name == "Wcᵀ")
    users = [n.id for n in graph.nodes if w.id in n.parents]
    q = graph.order.index(users[2]) + 1  # backward has passed t = 4 and t = 3
    page.run(f"app.go({len(graph)} + {q}); app.pick(models[0], {w.id})")
    text = page.run("$('panel').innerText")
    assert "2 of 4 accumulated so far" in text
    assert "‖Σ‖ = –" in text
    assert len(page.run("[...$('panel').querySelectorAll('tr.absent')].map((r) => 1)")) == 2


def test_upstream_times_local_is_the_contribution(page: Page, files: Any) -> None:
    page.open(files("4"))
    graph = model(lstm().graph).graph
    rows = page.run(
        "models[0].ids.map((id) => models[0].parents[id].map((_, k) => models[0].slopes(id, k)))"
    )
    checked = 0
    for node, per_slot in zip(graph.nodes, rows, strict=True):
        for slot, lines in enumerate(per_slot):
            sent = graph.edge_samples.get(f"{node.id}:{slot}")
            if lines and sent:
                assert [line[2] for line in lines] == pytest.approx(sent[:4], rel=2e-3, abs=1e-9)
                checked += 1
    assert checked > 60


# -- controls


def test_keyboard_alone_reaches_everything(page: Page, files: Any) -> None:
    page.open(files("4"))
    total = page.run("END")
    page.press("Home", ".", ".", ",")
    assert page.run("$('phase').textContent").startswith("forward 1/")
    page.press("b", ".")
    assert page.run("$('phase').textContent").startswith("backward 1/")
    page.press("p")
    assert "Parameters" in page.run("$('panel').textContent")
    page.press("2")
    assert page.run("app.level") == "cell"
    page.press("4", "f")
    assert page.run("app.level") == "op"
    page.press("?")
    assert page.run("$('keys').open")
    page.press("Escape")
    assert not page.run("$('keys').open")
    page.press("+", "+", "+", "+", "+", "ArrowRight")
    page.wait("stages[0].x === stages[0].goal")
    before = page.run("stages[0].x")
    page.press("ArrowRight")
    page.wait(f"stages[0].x > {before} || stages[0].x === stages[0].inside(1e9)")
    page.press("Home", " ")
    page.wait("app.p > 3")
    page.press(" ")
    assert not page.run("app.playing")
    page.press("End")
    assert page.run("app.p") == total


def test_the_focused_slider_keeps_its_own_arrow_keys(page: Page, files: Any) -> None:
    page.open(files("4"))
    page.press("b")
    page.run("$('slider').focus()")
    at = page.run("app.p")
    page.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert page.run("app.p") == at + 1


def test_search_finds_marks_and_goes_there(page: Page, files: Any) -> None:
    page.open(files("30"))
    page.press("/", *"c3", "Enter")
    assert page.run("$('found').textContent") == "2 hits"
    assert page.run("models[0].names[app.sel]") == "c⟨3⟩"
    page.wait("document.querySelector('.n.hit')")
    page.press("Escape")
    assert page.run("document.activeElement.id") == "stages"
    page.run("$('search').value = 't=5 gate forget sigmoid'; search()")
    assert page.run("$('found').textContent") == "1 hit"
    page.run("$('search').value = 'nothing-like-this'; search(true)")
    assert page.run("$('found').textContent") == "0 hits"


def test_a_link_leads_back_to_the_moment(page: Page, files: Any) -> None:
    page.open(files("4"), "#p=200&l=gate&n=0,25&f=2&k=1")
    assert page.run("[app.p, app.level, app.sel, [...app.folds].join(), models[0].alt.k]") == [
        200, "gate", 25, "2", 1,
    ]  # fmt: skip
    page.press(".")
    page.wait("location.hash.includes('p=201')")
    fragment = page.run("location.hash")
    page.open(files("4"), fragment)
    assert page.run("[app.p, app.level, models[0].alt.k]") == [201, "gate", 1]
    page.open(files("4"), "#p=nonsense&l=nowhere&n=9,9&f=99&k=77&x=a&z=b")
    assert page.run("app.p") == 0


def test_steps_and_gates_fold_and_unfold(page: Page, files: Any) -> None:
    page.open(files("4"))
    count = "document.querySelectorAll('.n').length"
    whole = page.run(count)
    spot = place_of(page, "rect.step", "each.step === 2")
    page.click(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] - 4, clicks=2)
    assert page.run("[...app.folds]") == ["2"]
    assert page.run(count) < whole
    page.run("app.fold('2')")
    gate = place_of(page, "rect.frame", "each.step === '2.forget'")
    page.click(gate["x"] + 3, gate["y"] + gate["height"] / 2, clicks=2)
    assert page.run("[...app.folds]") == ["2.forget"]
    assert page.run("document.querySelectorAll('.n.pill').length") == 1
    page.run("app.fold('2.forget')")
    assert page.run(count) == whole


def test_wires_stay_within_the_picture(page: Page, files: Any) -> None:
    for cell in ("gru", "esn", "brnn"):
        path = files("4").with_name(f"{cell}.html")
        path.write_text(player(model(recorded(cell, 4).graph)), encoding="utf-8")
        page.open(path)
        page.run("app.fit(true); stages[0].look()")
        wires = "[...stages[0].layers[1].querySelectorAll('path')].map((e) => e.getBBox())"
        ends = page.run(f"{wires}.map((box) => box.x + box.width - stages[0].width)")
        assert len(ends) >= 3
        assert max(ends) <= 0, cell


def test_predict_first_asks_before_it_shows(page: Page, files: Any) -> None:
    page.open(files("4"))
    page.run("$('predict').checked = true")
    page.press("b", ".")
    asked = page.run("app.p")
    assert "Predict first" in page.run("$('panel').textContent")
    assert page.run("document.activeElement.dataset.answer") == "0"
    for good in (True, False):
        right = page.run("app.question.right")
        page.run(f"app.answer({right} + {0 if good else 1})")
        assert ("✓ Right" if good else "✗ No") in page.run("$('panel').textContent")
        page.press(".")
    assert page.run("app.p") == asked + 2
    assert page.run("app.score") == [1, 2]


def test_a_cut_shows_truncated_gradients_and_the_grey_region(page: Page, files: Any) -> None:
    run = recorded("lstm", 10, "last")
    path = files("4").with_name("cut.html")
    made = model(run.graph)
    path.write_text(player(made), encoding="utf-8")
    page.open(path)
    assert page.run("[...$('cut').options].map((o) => +o.value)") == [0, 1, 2, 4, 8]
    page.run("$('cut').value = 2; $('cut').onchange(); app.p = END; app.go(END)")
    cut = made.cuts[1]
    for i, (_, grad) in enumerate(page.run(PANEL)[0]):
        assert same(grad, cut.nodes.get(i)), f"node {i}"
    page.run("stages[0].goal = stages[0].x = 0; stages[0].look()")
    assert page.run("document.querySelectorAll('.step.dead').length") >= 2
    page.run("app.cut(0)")
    assert page.run("document.querySelectorAll('.dead').length") == 0
    page.run("app.cutAt(models[0], +document.querySelector('.cross').edges[0][0])")
    assert page.run("models[0].alt.k") == 8


def test_two_models_share_slider_and_colours(page: Page, files: Any) -> None:
    page.open(files("two"))
    assert page.run("stages.length") == 2
    page.press("End")
    moments = page.run("models.map((m) => app.moment(m).q === m.order.length)")
    assert moments == [True, True]
    ratios = page.run("[...document.querySelectorAll('#strips output')].map((o) => o.textContent)")
    values = [number(text.removeprefix("first/last ")) for text in ratios]
    assert values[0] < 1e-6 < values[2], "the RNN forgets what the LSTM's cell state keeps"
    page.run("app.go(F + Math.round(B / 2))")
    halves = page.run("models.map((m) => app.moment(m).q / m.order.length)")
    assert halves == pytest.approx([0.5, 0.5], abs=0.01)


# -- budgets, access, pictures


def test_only_columns_in_sight_are_in_the_document(page: Page, files: Any) -> None:
    count = "document.querySelectorAll('#stages *').length"
    sizes = []
    for name in ("30", "90"):
        page.open(files(name), "#p=300&x=2000")
        sizes.append(page.run(count))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.2)
    assert sizes[1] < 2500
    page.run("for (let i = 0; i < 200; i++) { stages[0].x += 97; stages[0].look(); }")
    assert page.run(count) < 2500


def test_columns_become_those_that_come_into_sight(page: Page, files: Any) -> None:
    page.open(files("90"), "#p=300&x=2000")
    page.run("""(() => {
        window.made = 0;
        const elements = (each) => [...each.addedNodes].filter((node) => node.nodeType === 1);
        const count = (all) => (window.made += all.flatMap(elements).length);
        new MutationObserver(count).observe(stages[0].world, { childList: true, subtree: true });
    })()""")
    op = model_data(model(recorded("lstm", 90).graph))["levels"]["op"]
    _, picture, _, gap, _ = op["S"][5]
    way = 10 * (op["T"][picture]["w"] + gap)  # so that as many columns are in sight as before
    page.run(f"stages[0].x += {way}; stages[0].look()")
    assert page.run("window.made") < 20  # of about 700
    shown = "[...document.querySelectorAll('text.when')].map((t) => t.textContent).sort()"
    labels = page.run(shown)
    page.open(files("90"), f"#p=300&x={2000 + way:.0f}")
    assert page.run(shown) == labels


# what one frame costs, in milliseconds of the page's thread: script, style and layout
FRAMES = """(async (act) => {
    for (let i = 0; i < 60; i++) {
        act(i);
        await new Promise(requestAnimationFrame);
    }
})"""
ACTS = {
    "pan": "(i) => app.pan(stages[0], stages[0].x + 40, true)",
    "slider": "(i) => { $('slider').value = END * (0.6 + i / 400); $('slider').oninput(); }",
    "step": "(i) => app.step(1)",
}


def spent(page: Page) -> float:
    found = {m["name"]: m["value"] for m in page.send("Performance.getMetrics")["metrics"]}
    return sum(found[f"{what}Duration"] for what in ("Script", "RecalcStyle", "Layout"))


@pytest.mark.slow
def test_a_thousand_steps_leave_time_in_every_frame(page: Page, files: Any) -> None:
    page.send("Performance.enable")
    page.open(files("1000"))
    for act in ACTS.values():
        costs = []
        for _ in range(3):  # the best of three: a busy machine is not what is tested
            page.run("app.go(Math.round(F + B / 2))")
            start = spent(page)
            page.run(f"{FRAMES}({act})")
            costs.append((spent(page) - start) * 1000 / 60)
        assert min(costs) < 1000 / 60, act


def test_screen_readers_get_words_and_a_table(page: Page, files: Any) -> None:
    page.open(files("4"), "#p=200")
    page.press(".")
    assert page.run("$('live').textContent").startswith("backward ")
    assert page.run("$('live').getAttribute('aria-live')") == "polite"
    page.run("$('table').open = true")
    page.wait("$('rows').querySelector('table')")
    head = page.run("[...$('rows').querySelectorAll('th')].map((c) => c.textContent)")
    assert head == ["node", "op", "shape", "‖value‖", "‖gradient‖"]
    cells = page.run("[...$('rows').querySelectorAll('td.number')].map((c) => c.textContent)")
    assert "–" in cells and any(number(cell) for cell in cells)
    nameless = page.run(
        "[...document.querySelectorAll('button, select, input')].filter((e) => "
        "!e.textContent.trim() && !e.getAttribute('aria-label') && !e.labels?.length).length"
    )
    assert nameless == 0
    assert page.run("document.querySelector('.stage svg').getAttribute('role')") == "img"


def test_reduced_motion_jumps_instead_of_gliding(page: Page, files: Any) -> None:
    page.media(prefers_reduced_motion="reduce")
    try:
        page.open(files("30"))
        page.press("Home", "ArrowRight")
        assert page.run("stages[0].x === stages[0].goal")
        page.press("b", ".")
        animated = "getComputedStyle(document.querySelector('.e.now')).animationName"
        assert page.run(animated) == "none"
    finally:
        page.media()


def test_hostile_names_do_not_run(page: Page, files: Any) -> None:
    page.open(files("hostile"))
    page.run("app.pick(models[0], 1); $('table').open = true")
    page.wait("$('rows').querySelector('table')")
    assert page.run("window.hacked") is None
    assert page.run("document.querySelectorAll('img').length") == 0
    assert "onerror" in page.run("$('panel').textContent")


def test_numbers_that_are_not_finite_stand_out(page: Page, files: Any) -> None:
    page.open(files("broken"))
    page.press("End")
    shades = page.run(
        "[...document.querySelectorAll('path.e')].map((e) => e.getAttribute('class'))"
    )
    assert sorted(shade.split(" s")[1][0] for shade in shades) == ["n", "n", "z"]
    page.run("app.pick(models[0], 1)")
    text = page.run("$('panel').innerText")
    assert "−∞" in text and "‖·‖ = ∞" in text
    page.run("app.pick(models[0], 0)")
    assert "‖·‖ = NaN" in page.run("$('grad').innerText")
    assert page.problems() == []


def contrast(page: Page, colour: str, paper: str) -> float:
    script = """((a, b) => {
      const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const light = (name) => {
        pen.fillStyle = getComputedStyle(document.body).getPropertyValue(name);
        pen.fillRect(0, 0, 1, 1);
        const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      const [x, y] = [light(a), light(b)];
      return Math.max(x, y) / Math.min(x, y);
    })"""
    return page.run(f"{script}({colour!r}, {paper!r})")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_told_apart_from_the_paper(page: Page, files: Any, scheme: str) -> None:
    page.media(prefers_color_scheme=scheme)
    try:
        page.open(files("4"))
        for colour in ("--s0", "--s5", "--sz", "--pick", "--hit"):
            assert contrast(page, colour, "--panel") >= 3, colour
        for colour in ("--ink", "--faint"):
            assert contrast(page, colour, "--paper") >= 4.5, colour
        page.screenshot(PICTURES / f"lstm-{scheme}.png")
        page.run("$('theme').click()")
        assert page.run("getComputedStyle(document.body).colorScheme") != scheme
    finally:
        page.media()


TEXTS_IN_SIGHT = """(() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parts = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].map((v, i) => v / 255);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((v, i) => v * a + below[i] * (1 - a));
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]) + 0.05;
  const style = getComputedStyle, root = parts(style(document.body).backgroundColor).slice(0, 3);
  const behind = (element) => { // what is painted below a text
    const chain = [];
    for (let e = element; e && e !== document.body; e = e.parentElement) chain.push(e);
    return chain.reverse().reduce((below, e) => {
      if (e.tagName === "g" && e.node !== undefined) {
        const shape = style(e.firstChild), [r, g, b, a] = parts(shape.fill);
        return over([r, g, b, a * shape.opacity], below);
      }
      const inner = parts(style(document.body).getPropertyValue("--inner")).slice(0, 3);
      return e.tagName === "svg" ? inner : over(parts(style(e).backgroundColor), below);
    }, root);
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const box = e.getBoundingClientRect(), hidden = "script, option, title, #live, #live *, defs *";
    if (!own || !box.width || !box.height || e.matches(hidden)) continue;
    const paper = behind(e), svg = e.namespaceURI.endsWith("svg");
    let opacity = 1;
    for (let up = e; up; up = up.parentElement) opacity *= style(up).opacity;
    const [r, g, b, a] = parts(svg ? style(e).fill : style(e).color);
    const ink = over([r, g, b, a * opacity], paper);
    const [x, y] = [light(ink), light(paper)];
    found.push([e.textContent.trim().slice(0, 30), Math.max(x, y) / Math.min(x, y)]);
  }
  return found;
})()"""
MOMENTS = ("", "#p=60", "#p=200", "#l=gate&p=170&k=1", "#p=223&q=c3", "#l=arch&p=100")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(
    page: Page, files: Any, coded: tuple[Graph, Path], scheme: str
) -> None:
    page.media(prefers_color_scheme=scheme)
    try:
        for path, moment in [*((files("4"), one) for one in MOMENTS), (coded[1], "#p=18")]:
            page.open(path, moment)
            page.run("document.querySelector('#code [data-line]')?.focus()")
            page.run("$('table').open = true; app.refresh()")
            texts = page.run(TEXTS_IN_SIGHT)
            assert len(texts) > 40
            assert not [(text, round(ratio, 2)) for text, ratio in texts if ratio < 4.5], moment
    finally:
        page.media()


def test_it_opens_before_the_first_operation_and_says_how_to_move(page: Page, files: Any) -> None:
    page.open(files("30"))
    assert page.run("[app.p, $('phase').textContent]") == [0, "forward 0/793"]
    text = page.run("$('panel').innerText")
    assert "One run, step by step" in text and "slider" in text
    assert page.run("document.querySelector('text.when').getBoundingClientRect().bottom") < 720
    page.press(".")
    assert "One run" not in page.run("$('panel').innerText")


def test_words_and_values_stand_beside_inputs_and_predictions(page: Page, files: Any) -> None:
    page.open(files("4"), "#p=117&x=0")
    shown = page.run("[...document.querySelectorAll('text.value')].map((t) => t.textContent)")
    x, y = lstm().graph.nodes, [node for node in lstm().graph.nodes if node.name == "log ŷ⟨1⟩"]
    first = next(node for node in x if node.name == "x⟨1⟩")
    values = "  ".join(f"{v:.2g}".replace("-", "−") for v in first.value["sample"])
    guess = "  ".join(f"{2.718281828459045**v:.2g}" for v in y[0].value["sample"])
    assert values in shown and f"ŷ = {guess}" in shown
    assert any(text.startswith("1 at ") for text in shown)
    page.run("app.go(0)")
    page.wait("getComputedStyle(document.querySelector('text.value')).display === 'none'")
    path = files("4").with_name("words.html")
    word = GraphNode(0, name="x⟨1⟩", role="input", labels={"step": 1, "word": "Katze"})
    path.write_text(player(model(Graph([word, GraphNode(1, "tanh", (0,))]))), encoding="utf-8")
    page.open(path, "#p=2")
    assert page.run("document.querySelector('text.value').textContent") == "“Katze”"


def turn(x: Any, h: Any, w: Any, u: Any) -> Any:
    z = x @ w + h @ u
    return tanh(z)


def hand_written() -> Any:
    w, u = (tensor(np.eye(3) * k, requires_grad=True) for k in (0.2, 0.3))
    h = tensor(np.zeros((1, 3)))
    for t in range(1, 4):
        with scope("step", step=t):
            h = turn(tensor(np.ones((1, 3)), name=f"x⟨{t}⟩"), h, w, u)
    return (h * h).sum()


MARKED = """[...document.querySelectorAll('.n.lit')].map((g) => g.node).sort((a, b) => a - b)"""
LINES = """[...document.querySelectorAll('#code [data-line]')].map((e) => e.dataset.line)"""


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, Path]:
    """A program by hand, and its page."""
    path = tmp_path_factory.mktemp("code") / "hand.html"
    graph = draw(hand_written).graph
    path.write_text(player(model(graph)), encoding="utf-8")
    return graph, path


def test_pointing_at_a_line_marks_exactly_its_nodes(page: Page, coded: tuple[Graph, Path]) -> None:
    graph, path = coded
    page.open(path)
    page.press("End", "f")
    page.run("app.go(END)")
    assert page.run(MARKED) == []
    lines = page.run(LINES)
    assert len(lines) == len({line for node in graph.nodes for line in node.lines})
    for line in lines:
        spot = place_of(page, "#code [data-line]", f"each.dataset.line === '{line}'")
        page.hover(spot["x"] + 60, spot["y"] + spot["height"] / 2)
        ids = [n.id for n in graph.nodes if tuple(map(int, line.split(":"))) in n.lines]
        assert page.run(MARKED) == ids, line
        norm = sum(graph.nodes[i].grad["norm"] ** 2 for i in ids) ** 0.5
        words = page.run("$('sum').textContent")
        steps = len({graph.nodes[i].step for i in ids} - {None})
        assert words.startswith(f"{len(ids)} nodes in {steps} step")
        assert number(words.rpartition("= ")[2]) == pytest.approx(norm, rel=1e-3)
        arithmetic = sum(cost(graph, graph.nodes[i]) for i in ids)
        assert f"{arithmetic} operations" in words
    page.hover(500, 10)
    assert page.run(MARKED) == []


def test_a_line_is_reached_by_keyboard_and_marks_the_same(
    page: Page, coded: tuple[Graph, Path]
) -> None:
    page.open(coded[1])
    page.press("End", "f")
    page.run("document.querySelector('#code summary').focus()")
    page.press("Tab")
    assert page.run("document.activeElement.dataset.line") == page.run(LINES)[0]
    assert page.run(MARKED) == page.run("[...app.lit].sort((a, b) => a - b)") != []


def test_pointing_at_a_node_marks_its_lines(page: Page, coded: tuple[Graph, Path]) -> None:
    graph, path = coded
    page.open(path)
    page.press("End", "f")
    on = "[...document.querySelectorAll('#code .on')].map((e) => e.dataset.line).sort()"
    for node in graph.nodes:
        if node.op:
            spot = place_of(page, ".n > :first-child", f"each.parentNode.node === {node.id}")
            page.hover(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
            assert page.run(on) == sorted(f"{place}:{line}" for place, line in node.lines)
    page.hover(1100, 20)
    page.run("app.go(F)")  # the line follows the sweep
    assert page.run(on) == [f"{place}:{line}" for place, line in graph.nodes[-1].lines]


def test_a_page_without_code_has_no_panel_for_it(page: Page, files: Any) -> None:
    page.open(files("4"))
    assert page.run("$('code').hidden")


def test_letters_on_chips_are_nine_pixels_high(page: Page, files: Any) -> None:
    page.open(files("30"))
    script = """[...document.querySelectorAll('.stage svg text')].map((t) =>
        parseFloat(getComputedStyle(t).fontSize) * stages[0].zoom)"""
    assert min(page.run(script)) >= 9


def test_every_node_is_reached_by_keyboard(page: Page, files: Any) -> None:
    page.open(files("4"))
    page.press("Tab")
    for _ in range(30):
        if page.run("document.activeElement.id") == "stages":
            break
        page.press("Tab")
    assert page.run("document.activeElement.id") == "stages"
    seen = []
    for _ in range(page.run("F") - 1):
        page.press("Shift+ArrowRight")
        seen.append(page.run("app.sel"))
    assert seen == list(range(1, 117))
    page.wait("document.querySelector('.picked')")
    page.press("Shift+ArrowDown")
    assert page.run("models[0].parents[116].includes(app.sel)")
    page.press("Shift+ArrowUp")
    assert page.run("app.sel") == 116
    page.press("Shift+ArrowLeft")
    assert page.run("app.sel") == 115
    assert page.run("models[0].title(115)") in page.run("$('live').textContent")


def test_models_share_one_zoom(page: Page, files: Any) -> None:
    page.open(files("two"))
    for key in ("", "f", "1", "4"):
        page.press(*key)
        zooms = page.run("stages.map((s) => s.zoom)")
        assert zooms[0] == zooms[1]


def test_paper_shows_the_picture_and_no_buttons(page: Page, files: Any) -> None:
    page.open(files("4"), "#p=170")
    page.run("document.documentElement.dataset.theme = 'dark'")
    page.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        for gone in ("#tools", "#play", "#slider"):
            assert page.run(f"document.querySelector('{gone}').getBoundingClientRect().height") == 0
        assert page.run("stages[0].svg.getBoundingClientRect().height") > 200
        assert page.run("$('panel').scrollHeight <= $('panel').clientHeight + 1")
        pdf = page.send("Page.printToPDF", printBackground=True)["data"]
        assert 1 <= base64.b64decode(pdf).count(b"/Type /Page\n") <= 2
    finally:
        page.send("Emulation.setEmulatedMedia", media="")


def test_a_phone_shows_the_whole_graph_first(page: Page, files: Any) -> None:
    page.size(390, 844)
    try:
        page.open(files("4"))
        assert page.run("stages[0].width * stages[0].zoom") <= 390
        assert page.run("document.querySelectorAll('text.when').length") == 4
        page.screenshot(PICTURES / "phone-whole.png")
    finally:
        page.size(1280, 800)


def test_it_fits_a_phone(page: Page, files: Any) -> None:
    page.size(390, 844)
    try:
        page.open(files("30"), "#p=900")
        assert page.run("document.documentElement.scrollWidth") <= 390
        assert page.run("$('slider').getBoundingClientRect().width") > 150
        page.screenshot(PICTURES / "phone.png")
    finally:
        page.size(1280, 800)


def test_pictures_of_moments_are_kept(page: Page, files: Any) -> None:
    for name, fragment in (("4", "#p=220"), ("30", "#l=cell&p=1200"), ("two", ""), ("30", "#k=4")):
        page.open(files(name), fragment)
        picture = PICTURES / f"{name}{fragment.replace('#', '-').replace('&', '-')}.png"
        page.screenshot(picture)
        assert picture.stat().st_size > 20_000


def test_nothing_was_requested_and_nothing_complained(page: Page, files: Any) -> None:
    page.open(files("4"))
    page.press("Home", " ", "p", "/", "Escape")
    assert page.requests() == []
    assert page.problems() == []


def test_it_plays_inside_a_notebook_cell(page: Page, files: Any) -> None:
    cell = files("4").with_name("cell.html")
    cell.write_text(NotebookFrame(player(model(lstm().graph)), 500)._repr_html_(), encoding="utf-8")
    page.open(cell)
    inner = "document.querySelector('iframe').contentDocument"
    page.wait(f"{inner}?.getElementById('phase')?.textContent.startsWith('forward')")
    page.run(f"{inner}.querySelector('[data-key=\".\"]').click()")
    page.wait(f"{inner}.querySelector('.n.active')")
    assert page.problems() == []


def test_opening_the_table_keeps_the_picture_whole(page: Page, files: Any) -> None:
    page.size(1280, 1500)
    try:
        page.open(files("4"))
        before = page.run("stages[0].zoom")
        page.run("$('table').open = true")
        page.wait(f"stages[0].zoom < {before} && stages[0].host.clientHeight >= 100")
        page.run("$('table').open = false")
        page.wait(f"stages[0].zoom === {before}")
    finally:
        page.size(1280, 800)


def test_data_in_the_page_is_the_models(page: Page, files: Any) -> None:
    page.open(files("4"))
    data = model_data(model(lstm().graph))
    assert page.run("models[0].order") == data["order"]
    assert page.run("models[0].g.norm") == data["g"]["norm"]
