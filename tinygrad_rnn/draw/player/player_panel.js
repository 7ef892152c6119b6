// The panel: the moment in words and numbers. Every function returns HTML; texts stand in player.html.

const fill = (id, values = {}) => $(id).innerHTML.replace(/\[\[(\w+)\]\]/g, (_, key) => values[key] ?? "");
const link = (m, id, text = m.title(id)) => `<button class="link" data-go="${models.indexOf(m)},${id}">${esc(text)}</button>`;
const bold = (x) => `<b class="number">${fmt(x)}</b>`;
const bar = (g, most) => (g === null ? "" : `<i class="bar s${app.shade(g)}" style="width:${(100 * g) / most || 1}%"></i>`);
const row = (name, g, most, more = "") => `<tr${g === null ? ' class="absent"' : ""}><td>${name}<td class="wide">${bar(g, most)}<td class="number">${fmt(g)}${more}`;

/** Norm, range and a small heat map of one array. */
function numbers(m, which, id) {
	const { norm, min, max, mean } = m[which], sample = m.sample(which, id), shape = m.shape(id);
	const count = shape.reduce((a, b) => a * b, 1), n = shape.at(-1) <= 16 ? shape.at(-1) : 16;
	const range = min && count > 1 ? `<small>min ${fmt(min[id])} · mean ${fmt(mean[id])} · max ${fmt(max[id])}</small>` : "";
	if (!sample || count < 2) return `‖·‖ = ${bold(norm[id])} ${range}`;
	const most = Math.max(...sample.map(Math.abs)) || 1;
	const cell = (x) => `<i class="${x < 0 ? "neg" : "pos"}" style="--w:${(50 * Math.abs(x)) / most || 0}%" title="${fmt(x)}">${n < 6 ? fmt(isNaN(x) ? x : +x.toPrecision(2)) : ""}</i>`;
	const rest = count > sample.length ? `<small>the first ${sample.length} of ${count}</small>` : "";
	return `‖·‖ = ${bold(norm[id])} ${range}<span class="cells" style="--n:${n}">${sample.map(cell).join("")}</span>${rest}`;
}

/** Contributions that meet at a node, one by one; for a parameter, a bar per time step. */
function meeting(m, id, q) {
	const uses = [...m.incoming[id]], param = m.roles[id] === "param";
	if (!uses.length) return "";
	if (param) uses.sort((a, b) => m.step[a[0]] - m.step[b[0]] || a[0] - b[0]);
	const most = Math.max(...uses.map(([c, k]) => +m.flow(c, k) || 0)), flowed = uses.map(([c, k]) => m.flowed(c, k, q));
	const name = (c) => (param ? link(m, c, m.time(c) || m.title(c)) : `+= ${link(m, c)} <small>${m.step[c] === m.step[id] ? "" : m.time(c)}</small>`);
	const rect = (g, i) => (g === null ? "" : `<rect class="s${app.shade(g)}" x="${i}" width="1" y="${60 - (60 * g) / most}" height="60"/>`);
	const n = uses.length, values = { name: esc(m.title(id)), n, here: m.arrived(id, q), sum: bold(m.grad(id, q)) };
	values.rows = n <= 60 ? `<table>${uses.map(([c], i) => row(name(c), flowed[i], most)).join("")}</table>`
		: `<svg class="bars" viewBox="0 0 ${n} 60" preserveAspectRatio="none">${flowed.map(rect).join("")}</svg>` + fill("t-bars", { most: fmt(most), from: m.time(uses[0][0]), to: m.step[uses[n - 1][0]] });
	return fill(param ? "t-uses" : n > 1 ? "t-meet" : "t-one", values) + (n > 1 ? fill("t-sum", values) : "");
}

/** What a node sends down: upstream × local = contribution, a block per parent. */
function sending(m, id, q) {
	const up = m.grad(id, q), line = (...cells) => `<td>${cells.join("<td>×<td>").replace(/×(?!.*×)/, "=")}`;
	const all = m.parents[id], most = all.length > 12 ? 8 : 12; // Σ over a thousand steps sends the same to each
	const blocks = all.slice(0, most).map((p, k) => {
		if (p === null || m.full.e[id][k] === null) return "";
		if (m.detached.has(`${id}:${k}`)) return fill("t-detached", { to: link(m, p) });
		const g = m.flowed(id, k, q), sent = g !== null, parts = sent && !m.alt.k ? m.slopes(id, k) : [];
		const rows = parts.length && [line("upstream", "slope", "contribution"), ...parts.map((each) => line(...each.map(fmt)))].map((each) => `<tr>${each}`).join("");
		return fill("t-send", { to: link(m, p), rule: esc(m.words(id, k + 1)) }) + (rows ? `<table class="product">${rows}</table>` : "")
			+ fill("t-norms", { up: fmt(sent ? up : null), g: bold(g), ratio: sent && up ? `, ${fmt(g / up)} times as large` : "" });
	}).join("");
	return blocks && fill("t-sends") + blocks + (all.length > most ? fill("t-more", { n: all.length - most }) : "");
}

function explain(m, id) {
	const { f, q } = app.moment(m), g = m.grad(id, q), name = esc(m.title(id));
	const why = m.full.g[id] === null ? "t-never" : m.alt.g[id] === null ? "t-cut" : "t-later";
	return fill("t-node", { name, kind: esc(m.kind(id)), shape: m.shape(id).join("×") || "scalar", dtype: esc(m.dtypes[m.dtype_of[id]]), where: esc(m.where(id)),
		formula: m.opOf(id) && (m.names[id] ? `${name} = ` : "") + esc(m.words(id, 0)), value: id < f && m.v.norm[id] !== null ? numbers(m, "v", id) : "–",
		grad: g === null ? fill(why) : m.alt.k ? `‖·‖ = ${bold(g)}` : numbers(m, "g", id), rest: q ? meeting(m, id, q) + sending(m, id, q) : "" });
}

function overview(m) {
	const { q } = app.moment(m), most = Math.max(...m.params.map((id) => +m.alt.g[id] || 0)), { cos, k } = m.alt;
	const rows = m.params.map((id) => row(link(m, id), m.grad(id, q), most, `<td>${m.arrived(id, q)}/${m.incoming[id].length || m.children[id].length}${cos ? `<td>${fmt(cos[id])}` : ""}`));
	const notes = m.notes.map((text) => `<p class="note">${esc(text)}`).join("") + (cos ? fill("t-truncated", { k }) : "");
	const hello = app.p ? "" : fill(m.order.length ? "t-hello" : "t-forward");
	return hello + fill("t-overview", { heading: esc(m.heading), nodes: m.ids.length, back: m.order.length, steps: m.last || "no", notes,
		table: `<table><tr><th>name<th>∂L/∂·<th>‖·‖<th>uses${cos ? "<th>cos" : ""}${rows.join("")}</table>` });
}

/** The functions that made a model's nodes; a line that made some is a button. */
function source(m) {
	const making = new Set(m.lines.flatMap((chain) => [...chain])), own = m.code.some((one) => !one.library);
	const functions = m.code.map(({ file, name, first, text, library }, i) => {
		const lines = text.split("\n").map((line, n) => {
			const tag = making.has(`${i}:${first + n}`) ? "button" : "div";
			return `<${tag} ${tag === "button" ? `data-line="${i}:${first + n}"` : ""}><i>${first + n}</i>${esc(line)}</${tag}>`;
		});
		return fill("t-function", { name: esc(name), file: esc(file), open: own && library ? "" : "open", lines: lines.join("") });
	});
	return m.code.length ? fill("t-code", { functions: functions.join("") }) : "";
}
/** What the nodes of one line are together: how many, their cost, and the norm of their gradients. */
function sums(m, ids) {
	const { q } = app.moment(m), steps = new Set(ids.map((id) => m.step[id]).filter((t) => t !== null)).size;
	const n = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`, when = steps ? `in ${n(steps, "step")}` : "outside the steps";
	return fill("t-line", { nodes: n(ids.length, "node"), when, cost: fmt(ids.reduce((sum, id) => sum + m.cost[id], 0)), norm: fmt(total(ids.map((id) => m.grad(id, q)))) });
}

/** The nodes of one time step as a table: what a screen reader reads instead of the picture. */
function stepTable(m, id) {
	const { f, q } = app.moment(m), same = m.ids.filter((i) => m.step[i] === m.step[id]);
	const rows = same.slice(0, 200).map((i) => `<tr><td>${link(m, i)}<td>${esc(m.kind(i))}<td>${m.shape(i).join("×")}<td class="number">${fmt(i < f ? m.v.norm[i] : null)}<td class="number">${fmt(m.grad(i, q))}`);
	return `<table><caption>${m.time(id) || "outside the steps"}${same.length > 200 ? `: the first 200 of ${same.length} nodes` : ""}<tr><th>node<th>op<th>shape<th>‖value‖<th>‖gradient‖${rows.join("")}</table>`;
}

/** A question about backward step q + 1; null when there is nothing to guess. */
function ask(m, q) {
	const names = m.order.slice(q, q + 9).map((id) => m.title(id)), name = names[0], [before, g] = [m.order[q - 1], m.order[q]].map((id) => m.alt.g[id]);
	if (q % 2 && g && before) {
		return { text: fill("t-larger", { name, now: m.title(m.order[q - 1]), before: fmt(before) }), choices: ["larger", "smaller"], right: +(g < before), why: `it is ${fmt(g)}` };
	}
	const choices = [...new Set(names)].slice(0, 3).sort();
	return choices.length > 1 && { text: fill("t-next"), choices, right: choices.indexOf(name), why: fill("t-order") };
}
const quiz = ({ text, choices }) => fill("t-quiz", { text: esc(text), choices: choices.map((c, i) => `<button data-answer="${i}">${esc(c)}</button> `).join("") });
