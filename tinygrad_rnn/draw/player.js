"use strict";
// The state of the player, its controls, and the panel that explains the moment in words.
const $ = (id) => document.getElementById(id);
const models = JSON.parse($("data").textContent).models.map((data) => new Model(data));
const F = Math.max(...models.map((m) => m.N)), B = Math.max(...models.map((m) => m.order.length));
const still = matchMedia("(prefers-reduced-motion: reduce)");
const size = (g) => (typeof g === "number" && g > 0 ? Math.log10(g) : null);

const app = {
  p: F + B, level: "op", sel: null, view: "overview", folds: new Set(), k: 0, local: false,
  query: "", found: new Map(), playing: false, score: [0, 0], question: null, model: models[0],

  /** f values computed, q backward steps done, and the node at work, for one of the models. */
  moment(m) {
    const f = Math.round((Math.min(this.p, F) / F) * m.N);
    const q = this.p > F ? Math.round(((this.p - F) / B) * m.order.length) : 0;
    return { f, q, active: q ? m.order[q - 1] : f ? f - 1 : null };
  },
  shown(m) { return m === this.model ? this.sel : null; },
  hits(m) { return this.found.get(m) ?? new Set(); },
  range: [-6, 0],
  rescale() {
    const all = models.flatMap((m) => {
      const step = m.step[this.moment(m).active ?? 0];
      return this.local ? m.e.filter((_, id) => m.step[id] === step).flat() : m.e.flat();
    }).map(size).filter((x) => x !== null);
    const hi = all.reduce((a, b) => Math.max(a, b), -300), lo = all.reduce((a, b) => Math.min(a, b), hi);
    this.range = all.length ? [Math.min(Math.max(lo, hi - 6), hi - 0.5), hi] : [-6, 0];
    const [a, b] = this.range.map((x) => `1e${x.toFixed(1).replace(".0", "").replace("-", "−")}`);
    $("lo").textContent = a;
    $("hi").textContent = b;
  },
  part(g) { return (size(g) - this.range[0]) / (this.range[1] - this.range[0]); },
  shade(g) {
    if (size(g) === null) return g === 0 ? "z" : "n";
    const part = this.part(g);
    return part < -1e-9 ? "0 tiny" : Math.min(5, Math.max(0, Math.floor(part * 6)));
  },
  thick(g) { return 0.8 + 2.4 * Math.min(1, Math.max(0, size(g) === null ? 0 : this.part(g))); },

  go(p, follow = true) {
    this.p = Math.min(F + B, Math.max(0, p));
    if (follow) { this.sel = null; this.view = "node"; }
    if (this.p === F + B) this.playing = false;
    this.refresh(follow);
  },
  step(by) {
    if (by > 0 && $("predict").checked && this.p >= F && this.p < F + B && !this.question) {
      this.playing = false;
      this.question = ask(this.model, this.moment(this.model).q);
      if (this.question) return this.refresh(false);
    }
    this.question = null;
    this.go(this.p + by);
  },
  pick(m, id) {
    [this.model, this.sel, this.view] = [m, id, id === null ? "overview" : "node"];
    this.refresh(false);
  },
  fold(key) {
    if (!this.folds.delete(key)) this.folds.add(key);
    this.layout();
  },
  cut(k) {
    this.k = k;
    for (const m of models) m.cut(k);
    $("cut").value = k;
    this.layout();
    say(k ? `State detached every ${k} steps.` : "Full back-propagation through time.");
  },
  cutAt(m, child) { // the alternative whose last cut is nearest below the clicked edge
    const away = m.last - m.step[child] + 1, ks = m.cuts.map((c) => c.k).filter((k) => k <= away);
    const k = ks.length ? Math.max(...ks) : m.cuts[0].k;
    this.cut(this.k === k ? 0 : k);
  },
  pan(stage, x, now = still.matches) {
    stage.goal = x;
    if (now) { stage.x = x; }
    frame();
  },
  layout() {
    for (const s of stages) { s.relayout(); s.x = s.goal = s.clamp(s.x); s.look(); }
    this.refresh(false);
  },
  refresh(follow) {
    const back = this.p > F;
    $("slider").value = this.p;
    $("slider").setAttribute("aria-valuetext", ($("phase").textContent =
      back ? `backward ${this.p - F}/${B}` : `forward ${this.p}/${F}`));
    document.body.dataset.phase = back ? "backward" : "forward";
    $("play").textContent = this.playing ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", this.playing ? "pause" : "play");
    for (const b of document.querySelectorAll("[data-level]")) b.setAttribute("aria-pressed", b.dataset.level === this.level);
    if (this.local) this.rescale();
    for (const s of stages) {
      const { active } = this.moment(s.model);
      if (follow && active !== null) s.reveal(active);
      s.update();
    }
    panel();
    strips();
    remember();
  },
};

// ---- the panel ---------------------------------------------------------------------------------
const bar = (g, most) => `<i class="bar s${app.shade(g)}" style="width:${Math.max(1, (100 * g) / most) || 0}%"></i>`;
const link = (m, id) => `<button class="link" data-go="${models.indexOf(m)},${id}">${esc(m.title(id))}</button>`;
const times = (n) => (n === 1 ? "once" : `${n}×`);

function cells(sample, shape) {
  if (!sample?.length) return "";
  const most = Math.max(...sample.map(Math.abs)) || 1, all = shape.reduce((a, b) => a * b, 1);
  const wide = shape.at(-1) > 0 && shape.at(-1) <= 16 ? shape.at(-1) : 16;
  const cell = (x) => `<i style="--w:${Math.round((85 * Math.abs(x)) / most)}%" class="${x < 0 ? "neg" : "pos"}" title="${fmt(x)}">${wide <= 6 ? fmt(+x.toPrecision(2)) : ""}</i>`;
  const more = all > sample.length ? `<small>first ${sample.length} of ${all}</small>` : "";
  return `<div class="cells" style="--n:${Math.min(wide, sample.length)}">${sample.map(cell).join("")}</div>${more}`;
}

function numbers(stat, shape) {
  const range = stat.min === undefined || shape.length === 0 ? "" : ` <small>min ${fmt(stat.min)}, mean ${fmt(stat.mean)}, max ${fmt(stat.max)}</small>`;
  return `‖·‖ = <b class="number">${fmt(stat.norm)}</b>${range}${cells(stat.sample, shape)}`;
}

/** Contributions that meet at a node, added one by one; for a parameter a bar per time step. */
function meeting(m, id, q) {
  const all = m.incoming(id), here = all.filter(([c, k]) => m.flowed(c, k, q) !== null).length;
  const param = m.roles[id] === "param", total = fmt(m.grad(id, q));
  if (!all.length) return "";
  const rows = param ? [...all].sort((a, b) => (m.step[a[0]] ?? 0) - (m.step[b[0]] ?? 0)) : all;
  const most = Math.max(...rows.map(([c, k]) => +m.flow(c, k) || 0)) || 1;
  const draw = ([c, k]) => {
    const g = m.flowed(c, k, q), at = m.step[c] === null ? "" : `t = ${m.step[c]}`;
    const name = param && at ? `<button class="link" data-go="${models.indexOf(m)},${c}">${at}</button>` : link(m, c);
    return `<tr class="${g === null ? "absent" : ""}"><td>${param ? "" : "+= "}${name}<td class="wide">${g === null ? "" : bar(g, most)}<td class="number">${fmt(g)}`;
  };
  const told = param
    ? `<p><b>${esc(m.title(id))} is used ${times(m.children[id].length)}.</b> ∂L/∂${esc(m.title(id))} is the SUM of these contributions; <b>${here} of ${all.length}</b> accumulated so far.`
    : all.length > 1 ? `<p>Gradients meet here: <b>${here} of ${all.length}</b> added so far.` : "";
  const text = rows.length > 60 ? columns(rows.map(([c, k]) => m.flowed(c, k, q)), most) : `<table>${rows.map(draw).join("")}</table>`;
  return `${told}${text}<p class="sum">Σ = ∂L/∂${esc(m.title(id))}, ‖Σ‖ = <b class="number">${total}</b>`;
}

function columns(norms, most) { // many steps: one picture instead of a thousand rows
  const n = norms.length, rect = (g, i) => (g === null ? "" : `<rect class="s${app.shade(g)}" x="${i}" y="${60 - (58 * g) / most}" width="1" height="${(58 * g) / most}"/>`);
  return `<svg class="columns" viewBox="0 0 ${n} 60" preserveAspectRatio="none" role="img" aria-label="contribution per time step">${norms.map(rect).join("")}</svg><small>t = 1 … ${n}, largest ${fmt(most)}</small>`;
}

/** What a node sends down: upstream × local = contribution, one block per parent. */
function sending(m, id, q) {
  const op = m.opOf(id), up = m.grad(id, q);
  if (op === null || !m.rank[id]) return "";
  const names = m.parents[id].map((p, k) => (p === null ? m.constant(id, k) : m.title(p)));
  const samples = m.parents[id].map((p) => (p === null ? null : m.v.sample[p]));
  const blocks = m.parents[id].map((p, k) => {
    if (p === null || m.full.e[id]?.[k] == null) return "";
    const edge = `${id}:${k}`, rule = esc(ruleText(op, k, m.title(id), names));
    if (m.detached.has(edge)) return `<h4>→ ${link(m, p)} ✂ detached: nothing is sent</h4>`;
    const g = m.flowed(id, k, q), gain = g === null || !up ? null : g / up;
    const parts = g === null || m.alt.k ? [] : slopes(op, k, m.g.sample[id], m.v.sample[id], samples);
    const lines = parts.map((row) => `<tr><td>${row.map(fmt).join("<td>× <td>").replace(/× <td>([^×]*)$/, "= <td>$1")}`).join("");
    return `<h4>→ ${link(m, p)} <code>${rule}</code></h4><table class="product"><tr><td>upstream<td>×<td>local<td>=<td>contribution${lines}<tr class="norms"><td>‖${fmt(g === null ? null : up)}‖<td>×<td>${fmt(gain)}<td>=<td>‖<b class="number">${fmt(g)}</b>‖</table>`;
  });
  return `<h3>It sends to its parents</h3>${blocks.join("")}`;
}

function explain(m, id) {
  const { f, q } = app.moment(m), leaf = m.opOf(id) === null, shape = m.shapes[m.shape_of[id]];
  const where = [m.step[id] === null ? "" : `t = ${m.step[id]}`, ...Object.values(m.label(id))].filter(Boolean).join(" · ");
  const kind = `${leaf ? m.roles[id] : m.opOf(id)} · ${shape.join("×") || "scalar"} · ${m.dtypes[m.dtype_of[id]]}`;
  const value = m.stat("v", id), g = m.grad(id, q), grads = m.stat("g", id);
  const known = g === null ? "– <small>not computed yet</small>" : m.alt.k || !grads ? `‖·‖ = <b class="number">${fmt(g)}</b>` : numbers(grads, shape);
  const never = m.order.length && m.alt.g[id] === null;
  const why = m.full.g[id] !== null ? "– <small>✂ the cut keeps every gradient away</small>" : "– <small>no gradient flows here</small>";
  return `<h2>${esc(m.title(id))}</h2><p class="kind">${esc(kind)}${where ? `<br>${esc(where)}` : ""}
    ${leaf ? "" : `<p class="formula">${esc(m.title(id))} = ${esc(m.formula(id)[0])}`}
    <h3>Value</h3><p id="value">${id >= f || !value ? "–" : numbers(value, shape)}
    ${m.order.length ? `<h3>∂L/∂${esc(m.title(id))}</h3><p id="grad">${never ? why : known}${meeting(m, id, q)}${sending(m, id, q)}` : ""}`;
}

function overview(m) {
  const { q } = app.moment(m), ids = m.roles.flatMap((role, id) => (role === "param" ? [id] : []));
  const most = Math.max(...ids.map((id) => +m.alt.g[id] || 0)) || 1;
  const rows = ids.map((id) => {
    const all = m.incoming(id), here = all.filter(([c, k]) => m.flowed(c, k, q) !== null).length, g = m.grad(id, q);
    const cosine = m.alt.cos?.[id];
    return `<tr class="${g === null ? "absent" : ""}"><td>${link(m, id)}<td class="wide">${g === null ? "" : bar(g, most)}<td class="number">${fmt(g)}<td>${here}/${all.length}${cosine === undefined ? "" : `<td>${fmt(cosine)}`}`;
  });
  const alt = m.alt.k ? `<p class="note">✂ Truncated: the state is detached every ${m.alt.k} steps. The last column is the cosine with the full gradient.` : "";
  return `<h2>${esc(m.title_text ?? m.title.call ? m.heading : "")}</h2><p class="kind">${m.N} nodes · ${m.order.length} backward steps${m.last ? ` · ${m.last} time steps` : ""}
    ${m.notes.map((n) => `<p class="note">${esc(n)}`).join("")}${alt}
    <h3>Parameters</h3><table><tr><th>name<th>∂L/∂·<th>‖·‖<th>uses${m.alt.k ? "<th>cos" : ""}${rows.join("")}</table>
    <p><small>Click a node, or step with <kbd>,</kbd> <kbd>.</kbd> — <kbd>?</kbd> lists all keys.</small>`;
}

// ---- predict first -----------------------------------------------------------------------------
function ask(m, q) {
  const next = m.order[q], now = m.order[q - 1], g = +m.alt.g[next], before = +m.alt.g[now];
  if (q % 2 && g && before) {
    const text = `Next: ${m.title(next)}. Will ‖∂L/∂${m.title(next)}‖ be larger or smaller than ‖∂L/∂${m.title(now)}‖ = ${fmt(before)}?`;
    return { text, choices: ["larger", "smaller"], right: g >= before ? 0 : 1, why: `it is ${fmt(g)}` };
  }
  const others = [...new Set([...m.order.slice(q + 1, q + 9)])].filter((id) => m.title(id) !== m.title(next)).slice(0, 2);
  const ids = [next, ...others].sort((a, b) => (a * 7919) % 101 - (b * 7919) % 101);
  return others.length ? { text: "Whose gradient rule runs next?", choices: ids.map((id) => m.title(id)), right: ids.indexOf(next),
    why: "all its users are done, and reverse creation order decides" } : null;
}

function answer(i) {
  const { right, choices, why } = app.question, good = i === right;
  app.score[0] += good;
  app.score[1] += 1;
  const said = `${good ? "✓ Right" : `✗ No: ${choices[right]}`} — ${why}. Score ${app.score.join("/")}.`;
  app.step(1);
  $("panel").insertAdjacentHTML("afterbegin", `<p class="note ${good ? "good" : "bad"}">${esc(said)}`);
  say(said);
}

function panel() {
  const m = app.model, id = app.sel ?? app.moment(m).active, quiz = app.question;
  const text = app.view === "overview" || id === null ? overview(m) : explain(m, id);
  $("panel").innerHTML = quiz ? `<div class="quiz"><h2>Predict first</h2><p>${esc(quiz.text)}${quiz.choices.map((c, i) => `<button data-answer="${i}">${esc(c)}</button>`).join("")}</div>` : text;
  if (quiz) $("panel").querySelector("button").focus();
  if (!app.playing) say(quiz ? quiz.text : `${$("phase").textContent}: ${id === null ? "nothing computed" : `${m.title(id)}, gradient ${fmt(m.grad(id, app.moment(m).q))}`}`);
  if ($("table").open) table(m, id);
}

function table(m, id) {
  const { f, q } = app.moment(m), step = m.step[id ?? 0];
  const rows = m.step.flatMap((s, i) => (s === step ? [i] : [])).map((i) => `<tr><td>${link(m, i)}<td>${esc(m.opOf(i) ?? m.roles[i])}<td>${m.shapes[m.shape_of[i]].join("×")}<td class="number">${fmt(i < f ? m.v.norm[i] : null)}<td class="number">${fmt(m.grad(i, q))}`);
  $("rows").innerHTML = `<table><caption>${step === null ? "outside the steps" : `t = ${step}`}<tr><th>node<th>op<th>shape<th>‖value‖<th>‖gradient‖${rows.join("")}</table>`;
}

function say(text) { $("live").textContent = text; }
