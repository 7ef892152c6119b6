"use strict";
// The state of the player and its controls. `app.refresh` shows a moment everywhere.

const $ = (id) => document.getElementById(id);
const models = JSON.parse($("data").textContent).models.map((data) => new Model(data));
const F = Math.max(...models.map((m) => m.N)), B = Math.max(...models.map((m) => m.order.length));
const still = matchMedia("(prefers-reduced-motion: reduce)");
const log = (g) => (typeof g === "number" && g > 0 ? Math.log10(g) : null);

const app = {
  p: F + B, level: "op", sel: null, folds: new Set(), found: new Map(), playing: false, overview: true,
  question: null, score: [0, 0], model: models[0], range: [-6, 0],

  /** Values computed (f), backward steps done (q), and the node at work, for one model. */
  moment(m) {
    const f = Math.round((Math.min(this.p, F) / F) * m.N);
    const q = this.p > F ? Math.ceil(((this.p - F) / B) * m.order.length) : 0;
    return { f, q, active: q ? m.order[q - 1] : f ? f - 1 : null };
  },

  // Colour and width: six shades over at most six decades below the largest gradient.
  rescale() {
    const shown = models.flatMap((m) => {
      const step = m.step[this.moment(m).active ?? 0];
      return $("scale").value ? m.e.filter((_, id) => m.step[id] === step) : m.e;
    }).flat().map(log).filter((x) => x !== null);
    const hi = shown.reduce((a, b) => Math.max(a, b), -300), lo = shown.reduce((a, b) => Math.min(a, b), hi);
    this.range = [Math.min(Math.max(lo, hi - 6), hi - 0.5), hi];
    $("lo").textContent = fmt(+(10 ** this.range[0]).toPrecision(1));
    $("hi").textContent = fmt(+(10 ** hi).toPrecision(1));
  },
  part(g) { return log(g) === null ? 0 : (log(g) - this.range[0]) / (this.range[1] - this.range[0]); },
  shade(g) {
    if (log(g) === null) return g === 0 ? "z" : "n";
    const part = this.part(g);
    return part < -1e-9 ? "0 tiny" : Math.min(5, Math.floor(part * 6));
  },
  thick(g) { return 0.8 + 2.4 * Math.min(1, Math.max(0, this.part(g))); },

  go(p) {
    Object.assign(this, { p: Math.min(F + B, Math.max(0, p)), sel: null, overview: false, question: null });
    if (this.p === F + B) this.playing = false;
    this.refresh(true);
  },
  step(by) {
    const { q } = this.moment(this.model);
    if (by > 0 && $("predict").checked && this.p >= F && this.p < F + B && !this.question) {
      this.question = ask(this.model, q);
      if (this.question) this.playing = false;
      if (this.question) return this.refresh();
    }
    this.go(this.p + by);
  },
  answer(i) {
    const { right, choices, why } = this.question;
    this.score = [this.score[0] + (i === right), this.score[1] + 1];
    const text = `${i === right ? "✓ Right" : `✗ No: ${choices[right]}`}; ${why}. Score ${this.score.join("/")}.`;
    this.go(this.p + 1);
    $("panel").insertAdjacentHTML("afterbegin", `<p class="note ${i === right ? "good" : "bad"}">${esc(text)}`);
    say(text);
    $("stages").focus();
  },
  play() {
    if (!this.playing && this.p === F + B) this.go(0);
    this.playing = !this.playing;
    this.due = performance.now();
    this.refresh();
    frame();
  },
  pick(m, id) {
    Object.assign(this, { model: m, sel: id, overview: id === null, question: null });
    this.refresh();
  },
  fold(key) {
    if (!this.folds.delete(key)) this.folds.add(key);
    this.layout();
  },
  setLevel(name) {
    if (name) this.level = name;
    this.layout(true);
  },
  cut(k) {
    for (const m of models) m.cut(k);
    $("cut").value = k;
    this.layout();
    say(k ? `State detached every ${k} steps` : "full back-propagation through time");
  },
  cutAt(m, child) { // the cut nearest below the clicked wire; a second click heals it
    const k = m.cuts.map((c) => c.k).filter((k) => k <= m.last - m.step[child] + 1).at(-1) ?? m.cuts[0].k;
    this.cut(m.alt.k === k ? 0 : k);
  },
  pan(stage, x, now = still.matches) {
    stage.goal = stage.clamp(x);
    if (now) stage.x = stage.goal;
    frame();
  },
  layout(fit) {
    for (const s of stages) {
      const middle = (s.x + s.host.clientWidth / 2 / s.zoom) / (s.width || 1);
      s.relayout();
      if (fit) s.fit();
      s.x = s.goal = s.clamp(middle * s.width - s.host.clientWidth / 2 / s.zoom);
      s.look();
    }
    this.refresh();
  },

  refresh(follow) {
    const back = this.p > F, m = this.model, id = this.sel ?? this.moment(m).active;
    const phase = ($("phase").textContent = back ? `backward ${this.p - F}/${B}` : `forward ${this.p}/${F}`);
    $("slider").value = this.p;
    $("slider").setAttribute("aria-valuetext", phase);
    document.body.dataset.phase = phase.split(" ")[0];
    $("play").textContent = this.playing ? "❚❚" : "▶";
    for (const b of $("levels").children) b.setAttribute("aria-pressed", b.textContent === this.level);
    if ($("scale").value) this.rescale();
    for (const s of stages) {
      const { active } = this.moment(s.model);
      if (follow && active !== null) s.reveal(active);
      s.update();
    }
    $("panel").innerHTML = this.question ? quiz(this.question) : this.overview || id === null ? overview(m) : explain(m, id);
    if (this.question) $("panel").querySelector("button").focus();
    if (!this.playing) say(this.question?.text ?? `${phase}: ${id === null ? "" : `${m.title(id)}, gradient ${fmt(m.grad(id, this.moment(m).q))}`}`);
    if ($("table").open) $("rows").innerHTML = stepTable(m, id ?? 0);
    strips();
    clearTimeout(this.saving);
    this.saving = setTimeout(save, 200);
  },
};

function say(text) { $("live").textContent = text; }

const stages = models.map((m) => new Stage(Object.assign($("stages").appendChild(document.createElement("div")), { className: "stage" }), m, app));

/** The minimap: per state a strip of log ‖∂L/∂a⟨t⟩‖ over all steps, and the window on it. */
function strips() {
  for (const s of stages) for (const each of s.strips) {
    const { canvas, ids, ratio } = each, { model } = s, { q } = app.moment(model), n = ids.length;
    const width = (canvas.width = canvas.clientWidth), pen = canvas.getContext("2d"), h = canvas.height;
    const css = getComputedStyle(document.body), at = (i) => Math.round((i * width) / n);
    ids.forEach((id, i) => {
      const g = model.grad(id, q);
      if (g === null) return;
      pen.fillStyle = css.getPropertyValue(`--s${app.shade(g)}`.slice(0, 4));
      pen.fillRect(at(i), 0, Math.max(1, at(i + 1) - at(i) - (width / n > 6)), h);
    });
    const [a, b] = [model.grad(ids[0], q), model.grad(ids.at(-1), q)];
    ratio.textContent = a === null || !b ? "" : `first/last ${fmt(+(a / b).toPrecision(2))}`;
    const span = (x) => `${(100 * Math.min(1, Math.max(0, x / s.width))).toFixed(2)}%`;
    each.view.style.left = span(s.x);
    each.view.style.right = span(s.width - s.x - s.host.clientWidth / s.zoom);
  }
}
for (const s of stages) s.strips = s.model.rows.map(({ label, ids }) => {
  const line = $("strips").appendChild(document.createElement("div"));
  line.innerHTML = `<span>${esc(models[1] ? s.model.heading.split(/[ ,]/)[0] : "")} ‖∂L/∂${esc(label)}‖</span><div><canvas height="12"></canvas><i></i></div><output></output>`;
  const [canvas, view] = line.querySelector("div").children;
  const jump = (e) => e.buttons && app.pan(s, (e.offsetX / canvas.clientWidth) * s.width - s.host.clientWidth / s.zoom / 2, true);
  for (const type of ["pointerdown", "pointermove"]) canvas.addEventListener(type, jump);
  return { canvas, view, ids, ratio: line.lastChild };
});

/** One animation frame: windows glide to their goals, the sweep goes on; stops when all rest. */
let asked = false;
function frame() {
  if (!asked) requestAnimationFrame((now) => {
    asked = false;
    let moving = app.playing;
    for (const s of stages) {
      const way = s.goal - s.x;
      s.x = Math.abs(way) < 1 ? s.goal : s.x + way * 0.25;
      if (way) moving = true;
      s.look();
    }
    const steps = Math.floor(((now - app.due) / 1000) * $("speed").value);
    if (app.playing && steps > 0) {
      app.due = now;
      app.step($("predict").checked ? 1 : steps);
    } else if (moving) strips();
    if (moving || app.playing) frame();
  });
  asked = true;
}

function search(next) {
  const words = plain($("search").value).split(/\s+/).filter(Boolean), all = [];
  app.found = new Map(models.map((m) => {
    m.texts ??= m.op.map((_, id) => m.searchText(id));
    const ids = words.length ? m.op.map((_, id) => id).filter((id) => words.every((w) => m.texts[id].includes(w))) : [];
    all.push(...ids.map((id) => [m, id]));
    return [m, new Set(ids)];
  }));
  $("found").textContent = words.length ? `${all.length} hit${all.length === 1 ? "" : "s"}` : "";
  if (next && all.length) {
    const [m, id] = all[(app.hit = ((app.hit ?? -1) + 1) % all.length)];
    app.pick(m, id);
    stages[models.indexOf(m)].reveal(id);
  } else app.hit = -1;
  for (const s of stages) s.update();
}

/** The moment in the address, so that a link leads to it. */
function save() {
  const state = { p: app.p, l: app.level, n: app.sel === null ? null : `${models.indexOf(app.model)},${app.sel}`, f: [...app.folds].join(" "),
    k: +$("cut").value, x: Math.round(stages[0].x), z: +stages[0].zoom.toFixed(2), q: $("search").value, o: +app.overview };
  const used = Object.entries(state).filter(([, value]) => value || value === 0);
  try { history.replaceState(null, "", `#${new URLSearchParams(used)}`); } catch { /* a frame without an address */ }
}
function load() {
  const at = new URLSearchParams(location.hash.slice(1)), number = (key, usual) => (at.has(key) ? +at.get(key) || 0 : usual);
  app.p = Math.min(F + B, Math.max(0, number("p", F + B)));
  app.level = at.get("l") || "op";
  app.folds = new Set((at.get("f") || "").split(" ").filter(Boolean));
  app.overview = !at.has("p") || at.get("o") === "1";
  $("search").value = at.get("q") || "";
  app.cut(number("k", 0));
  app.layout(true);
  const [m, id] = (at.get("n") || "").split(",");
  if (models[m]?.op[id] !== undefined) app.pick(models[m], +id);
  for (const s of stages) {
    if (at.has("z")) s.zoom = Math.min(3, Math.max(0.2, number("z", 1)));
    const { active } = app.moment(s.model);
    if (at.has("x")) app.pan(s, number("x", 0), true);
    else if (app.sel ?? (app.p < F + B ? active : null) !== null) s.reveal(app.sel ?? active);
    s.x = s.goal;
    s.look();
  }
  search();
  strips();
}

const LEVELS = ["arch", "cell", "gate", "op"];
for (const name of LEVELS.filter((name) => models[0].levels[name])) {
  $("levels").appendChild(Object.assign(document.createElement("button"), { textContent: name, onclick: () => app.setLevel(name) }));
}
for (const { k } of models[0].cuts) $("cut").add(new Option(k < models[0].last ? `every ${k}` : "whole", k));
$("cutting").hidden = !models[0].cuts.length;
$("levels").hidden = $("levels").children.length < 2;
$("slider").max = F + B;
document.body.style.setProperty("--turn", `${(100 * F) / (F + B)}%`);

const keys = {
  ".": () => app.step(1), ",": () => app.step(-1), " ": () => app.play(), Home: () => app.go(0), End: () => app.go(F + B), b: () => app.go(F),
  "/": () => $("search").focus(), "?": () => $("keys").showModal(), p: () => app.pick(app.model, null), Escape: () => app.go(app.p),
  f: () => { for (const s of stages) { s.fit(true); s.look(); } strips(); },
  "+": () => stages.forEach((s) => s.zoomBy(1.2)), "-": () => stages.forEach((s) => s.zoomBy(1 / 1.2)),
  ArrowLeft: () => stages.forEach((s) => app.pan(s, s.goal - 160 / s.zoom)),
  ArrowRight: () => stages.forEach((s) => app.pan(s, s.goal + 160 / s.zoom)),
};
LEVELS.forEach((name, i) => (keys[i + 1] = () => models[0].levels[name] && app.setLevel(name)));
addEventListener("keydown", (e) => {
  const own = e.target.matches("input:not([type=checkbox]), select"), press = e.target.matches("button, summary, [type=checkbox]");
  if (e.key === "Escape" && own) return $("stages").focus();
  if (e.key === "Enter" && e.target === $("search")) return search(true);
  if ($("keys").open || e.ctrlKey || e.metaKey || e.altKey || (press && e.key === " ")) return;
  if (own && (e.target !== $("slider") || e.key.startsWith("Arrow"))) return;
  if (!keys[e.key]) return;
  e.preventDefault();
  keys[e.key]();
});
$("back").onclick = keys[","];
$("next").onclick = keys["."];
$("play").onclick = keys[" "];
$("help").onclick = keys["?"];
$("slider").oninput = () => app.go(+$("slider").value);
$("search").oninput = () => search();
$("cut").onchange = () => app.cut(+$("cut").value);
$("scale").onchange = () => { app.rescale(); app.refresh(); };
$("table").ontoggle = () => app.refresh();
$("theme").onclick = () => {
  const dark = getComputedStyle(document.body).colorScheme === "dark";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  strips();
};
document.addEventListener("click", (e) => {
  const { go, answer } = e.target.closest("[data-go],[data-answer]")?.dataset ?? {};
  if (answer) app.answer(+answer);
  if (!go) return;
  const [m, id] = go.split(",").map(Number);
  app.pick(models[m], id);
  stages[m].reveal(id);
});
addEventListener("hashchange", load);
addEventListener("resize", () => { app.layout(true); });
app.rescale();
load();
