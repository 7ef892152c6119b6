"use strict";
// The panel: the moment in words and numbers. Every function returns HTML.

const link = (m, id, text = m.title(id)) => `<button class="link" data-go="${models.indexOf(m)},${id}">${esc(text)}</button>`;
const bold = (x) => `<b class="number">${fmt(x)}</b>`;
const bar = (g, most) => (g === null ? "" : `<i class="bar s${app.shade(g)}" style="width:${(100 * g) / most || 1}%"></i>`);
const row = (m, id, name, g, most, more = "") =>
  `<tr${g === null ? ' class="absent"' : ""}><td>${name}<td class="wide">${bar(g, most)}<td class="number">${fmt(g)}${more}`;

/** Norm, range and a small heat map of one array. */
function numbers(m, which, id) {
  const { norm, min, max, mean } = m[which], sample = m.sample(which, id), shape = m.shape(id);
  const count = shape.reduce((a, b) => a * b, 1), width = shape.at(-1) <= 16 ? shape.at(-1) : 16;
  const range = min && count > 1 ? `<small>min ${fmt(min[id])} · mean ${fmt(mean[id])} · max ${fmt(max[id])}</small>` : "";
  if (!sample || count < 2) return `‖·‖ = ${bold(norm[id])} ${range}`;
  const most = Math.max(...sample.map(Math.abs)) || 1;
  const cell = (x) => `<i class="${x < 0 ? "neg" : "pos"}" style="--w:${(90 * Math.abs(x)) / most || 0}%" title="${fmt(x)}">${width <= 5 ? fmt(+(+x).toPrecision(2)) : ""}</i>`;
  const rest = count > sample.length ? `<small>the first ${sample.length} of ${count}</small>` : "";
  return `‖·‖ = ${bold(norm[id])} ${range}<span class="cells" style="--n:${width}">${sample.map(cell).join("")}</span>${rest}`;
}

/** Contributions that meet at a node, one by one; for a parameter, a bar per time step. */
function meeting(m, id, q) {
  const uses = m.incoming(id), here = m.arrived(id, q), name = esc(m.title(id)), param = m.roles[id] === "param";
  if (!uses.length) return "";
  if (param) uses.sort((a, b) => m.step[a[0]] - m.step[b[0]] || a[0] - b[0]);
  const most = Math.max(...uses.map(([c, k]) => +m.flow(c, k) || 0)), flowed = uses.map(([c, k]) => m.flowed(c, k, q));
  const rows = uses.map(([c], i) => row(m, c, param ? link(m, c, m.stepText(c) || m.title(c)) : `+= ${link(m, c)} <small>${m.step[c] === m.step[id] ? "" : m.stepText(c)}</small>`, flowed[i], most));
  const text = param ? `<b>${name} is used ${uses.length}×.</b> ∂L/∂${name} is the SUM of these contributions; <b>${here} of ${uses.length}</b> accumulated so far.`
    : uses.length > 1 ? `Gradients meet here: <b>${here} of ${uses.length}</b> added so far.` : "It comes from its only user:";
  const many = () => `<svg class="bars" viewBox="0 0 ${uses.length} 60" preserveAspectRatio="none">${flowed.map((g, i) => (g === null ? "" : `<rect class="s${app.shade(g)}" x="${i}" width="1" y="${60 - (60 * g) / most}" height="60"/>`)).join("")}</svg><small>one bar per use, ${m.stepText(uses[0][0])} … ${m.step[uses.at(-1)[0]]}; largest ${fmt(most)}</small>`;
  return `<p>${text}${uses.length > 60 ? many() : `<table>${rows.join("")}</table>`}<p class="sum">Σ = ∂L/∂${name}, ‖Σ‖ = ${bold(m.grad(id, q))}`;
}

/** What a node sends down: upstream × local = contribution, a block per parent. */
function sending(m, id, q) {
  const up = m.grad(id, q), blocks = m.parents[id].map((p, k) => {
    if (p === null || m.full.e[id][k] === null) return "";
    if (m.detached.has(`${id}:${k}`)) return `<h4>→ ${link(m, p)} ✂ detached: nothing is sent</h4>`;
    const g = m.flowed(id, k, q), sent = g !== null;
    const line = (up, slope, product) => `<tr><td>${up}<td>×<td>${slope}<td>=<td>${product}`;
    const parts = sent && !m.alt.k ? m.slopes(id, k).map((each) => line(...each.map(fmt))) : [];
    return `<h4>→ ${link(m, p)} <code>${esc(m.words(id, k + 1))}</code></h4><table class="product">${line("upstream", "local", "contribution")}${parts.join("")}
      <tr class="norms">${line(`‖${fmt(sent ? up : null)}‖`, fmt(sent && up ? g / up : null), `‖${bold(g)}‖`).slice(4)}</table>`;
  });
  return blocks.some(Boolean) ? `<h3>It sends to its parents</h3>${blocks.join("")}` : "";
}

function explain(m, id) {
  const { f, q } = app.moment(m), name = esc(m.title(id)), g = m.grad(id, q), op = m.opOf(id);
  const state = g !== null ? (m.alt.k ? `‖·‖ = ${bold(g)}` : numbers(m, "g", id))
    : `– <small>${m.full.g[id] === null ? "no gradient flows here" : m.alt.g[id] === null ? "✂ the cut keeps every gradient away" : "not computed yet"}</small>`;
  return `<h2>${name}</h2><p class="kind">${esc(op ?? m.roles[id])} · ${m.shape(id).join("×") || "scalar"} · ${esc(m.dtypes[m.dtype_of[id]])}<br>${esc(m.where(id))}
    ${op ? `<p class="formula">${name} = ${esc(m.words(id, 0))}` : ""}
    <h3>Value</h3><p id="value">${id < f && m.v.norm[id] !== null ? numbers(m, "v", id) : "–"}
    ${m.order.length ? `<h3>∂L/∂${name}</h3><p id="grad">${state}${meeting(m, id, q)}${sending(m, id, q)}` : ""}`;
}

function overview(m) {
  const { q } = app.moment(m), ids = m.op.map((_, id) => id).filter((id) => m.roles[id] === "param");
  const most = Math.max(...ids.map((id) => +m.alt.g[id] || 0)), cos = m.alt.cos;
  const rows = ids.map((id) => row(m, id, link(m, id), m.grad(id, q), most,
    `<td>${m.arrived(id, q)}/${m.incoming(id).length}${cos ? `<td>${fmt(cos[id])}` : ""}`));
  const note = (text) => `<p class="note">${esc(text)}`;
  return `<h2>${esc(m.heading)}</h2><p class="kind">${m.N} nodes · ${m.order.length} backward steps${m.last ? ` · ${m.last} time steps` : ""}
    ${m.notes.map(note).join("")}${cos ? note(`✂ The state is detached every ${m.alt.k} steps; cos compares with the full gradient.`) : ""}
    <h3>Parameters</h3><table><tr><th>name<th>∂L/∂·<th>‖·‖<th>uses${cos ? "<th>cos" : ""}${rows.join("")}</table>
    <p><small>Click a node, or step with <kbd>,</kbd> <kbd>.</kbd> (all keys: <kbd>?</kbd>)</small>`;
}

/** The nodes of one time step as a table: what a screen reader reads instead of the picture. */
function stepTable(m, id) {
  const { f, q } = app.moment(m), same = m.op.map((_, i) => i).filter((i) => m.step[i] === m.step[id]);
  const rows = same.map((i) => `<tr><td>${link(m, i)}<td>${esc(m.opOf(i) ?? m.roles[i])}<td>${m.shape(i).join("×")}<td class="number">${fmt(i < f ? m.v.norm[i] : null)}<td class="number">${fmt(m.grad(i, q))}`);
  return `<table><caption>${m.stepText(id) || "outside the steps"}<tr><th>node<th>op<th>shape<th>‖value‖<th>‖gradient‖${rows.join("")}</table>`;
}

/** A question about backward step q + 1; null when there is nothing to guess. */
function ask(m, q) {
  const [now, next, ...later] = m.order.slice(Math.max(0, q - 1), q + 8), name = m.title(next), g = m.alt.g[next], before = m.alt.g[now];
  if (q % 2 && g && before) {
    return { text: `Next is ${name}. Is ‖∂L/∂${name}‖ larger or smaller than ‖∂L/∂${m.title(now)}‖ = ${fmt(before)}?`,
      choices: ["larger", "smaller"], right: +(g < before), why: `it is ${fmt(g)}` };
  }
  const ids = [next, ...later.filter((id) => m.title(id) !== name).slice(0, 2)].sort((a, b) => m.title(a).localeCompare(m.title(b)));
  return ids.length < 2 ? null : { text: "Whose gradient rule runs next?", choices: ids.map((id) => m.title(id)),
    right: ids.indexOf(next), why: "the newest node whose users are all done" };
}

const quiz = ({ text, choices }) => `<div class="quiz"><h2>Predict first</h2><p>${esc(text)}<p>${choices.map((c, i) => `<button data-answer="${i}">${esc(c)}</button> `).join("")}</div>`;
