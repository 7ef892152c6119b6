"use strict";
// One model: its numbers, and what is known of them after q backward steps. No drawing here.

class Model {
	constructor(data) {
		Object.assign(this, data);
		this.ids = this.op.map((_, id) => id);
		this.lines = (this.chains ?? []).map((chain) => new Set(chain.map((line) => line.join(":"))));
		this.texts = []; // what the search looks through
		this.params = this.ids.filter((id) => this.roles[id] === "param");
		this.children = this.ids.map(() => []);
		for (const id of this.ids) this.parents[id].forEach((p, k) => p === null || this.children[p].push([id, k]));
		this.rank = new Int32Array(this.ids.length); // 1-based place in the backward order, 0 = never
		this.order.forEach((id, i) => (this.rank[id] = i + 1));
		this.full = { k: 0, g: this.g.norm, e: this.e, edges: [] };
		this.cut(0);
	}

	/** Takes the gradients of truncated BPTT, state detached every k steps; 0 = all. */
	cut(k) {
		this.alt = this.cuts.find((each) => each.k === k) ?? this.full;
		this.detached = new Set(this.alt.edges);
		// the uses [child, slot] that send a node its gradient, in the order they do
		this.incoming = this.children.map((uses) => uses.filter(([c, j]) => this.rank[c] && this.flow(c, j) !== null)
			.sort((a, b) => this.rank[a[0]] - this.rank[b[0]]));
		this.done = this.incoming.map((uses, id) => (uses.length ? this.rank[uses.at(-1)[0]] : this.rank[id] || 1));
	}

	/** What flows along an edge; null where nothing ever does. */
	flow(child, k) { return this.alt.e[child][k] ?? null; }
	/** The same after q backward steps; null while it has not flowed. */
	flowed(child, k, q) { return this.rank[child] && this.rank[child] <= q ? this.flow(child, k) : null; }
	/** ‖∂L/∂id‖ after q backward steps; null while a contribution is missing. */
	grad(id, q) { return q >= this.done[id] ? this.alt.g[id] : null; }
	dull(id) { return this.roles[id] === "param" || this.full.g[id] === null; }
	arrived(id, q) { return this.incoming[id].filter(([c]) => this.rank[c] <= q).length; }

	opOf(id) { return this.ops[this.op[id]][0]; }
	kind(id) { return this.opOf(id) ?? this.roles[id]; }
	symbol(id) { return this.ops[this.op[id]][1] || this.roles[id]; }
	shape(id) { return this.shapes[this.shape_of[id]]; }
	time(id) { return this.step[id] === null ? "" : `t = ${this.step[id]}`; }
	where(id) { return [this.time(id), ...this.labels[this.label_of[id]]].filter(Boolean).join(" · "); }
	/** What an input, a target or a prediction is, in a word or a few numbers; "" for other nodes. */
	shown(id) {
		const word = this.labels[this.label_of[id]].find((label) => label.startsWith("word ")), guess = /softmax$/.test(this.opOf(id));
		if (word) return `“${word.slice(5)}”`;
		if (!guess && this.opOf(id) || !["input", "target", "op"].includes(this.roles[id])) return "";
		const all = (this.sample("v", id) ?? []).map((x) => (this.opOf(id) === "log_softmax" ? Math.exp(x) : x)), n = all.length;
		const at = all.indexOf(1), hot = n > 1 && at >= 0 && all.every((x, i) => x === +(i === at));
		return n < 1 || n > 5 || this.shape(id).reduce((a, b) => a * b, 1) > n ? "" : hot ? `1 at ${at}` : (guess ? "ŷ = " : "") + all.map((x) => fmt(isNaN(x) ? x : +x.toPrecision(2))).join("  ");
	}
	sample(which, id) { return this[which].sample[id] || null; }

	/** The lines of code that made a node, the innermost first, each "function:line". */
	chain(id) { return this.code.length ? this.chains[this.chain_of[id]].map((line) => line.join(":")) : []; }
	/** The nodes that a line made, in all steps. */
	madeBy(line) { return this.ids.filter((id) => this.code.length && this.lines[this.chain_of[id]].has(line)); }

	/** A node's own name; else its formula where that is short; else its sign and number. */
	title(id) {
		if (this.names[id]) return this.names[id];
		const text = this.words(id, 0, (n) => this.names[n] || `#${n}`);
		return text && text.length < 20 ? text : `${this.symbol(id)} #${id}`;
	}
	/** Text 0 is the formula of a node, text k + 1 what its rule sends to parent k; {1.0} is the first input of its second. */
	words(id, i, name = (n) => this.title(n)) {
		return (this.wording[this.words_of[id]][i] ?? "").replace(/\{([\d.]*)\}/g, (way) => name((way.match(/\d+/g) ?? []).reduce((at, k) => this.parents[at][k], id)));
	}

	/** Rows [upstream, slope, product] of the first components; [] if the rule is not element-wise. */
	slopes(id, k) {
		const up = this.sample("g", id) ?? [], local = this.local?.[id][k] ?? [];
		return local.slice(0, up.length).map((slope, i) => [up[i], slope, up[i] * slope]);
	}
}

/** Lower case without accents and brackets: "c̃⟨3⟩" and "C3" meet at "c3". */
function plain(text) {
	return text.normalize("NFD").replace(/[\u0300-\u036f⟨⟩<>_]/g, "").replaceAll("Γ", "g").toLowerCase();
}

/** A number for the eye: 4 digits, "–" for what does not exist (never 0 for that). */
function fmt(x) {
	if (typeof x !== "number") return x ?? "–";
	const small = x && Math.abs(x) < 1e-3, text = small || Math.abs(x) >= 1e5 ? x.toExponential(3).replace(/\.?0+e/, "e") : `${+x.toPrecision(4)}`;
	return text.replaceAll("-", "−");
}

/** Norm of several parts together; null when no part is known, a word when one is not finite. */
function total(norms) {
	const known = norms.filter((n) => n !== null);
	return known.length < 2 ? known[0] ?? null : known.find((n) => typeof n === "string") ?? Math.hypot(...known);
}

/** Text made safe for HTML. */
function esc(text) {
	return `${text}`.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const $ = (id) => document.getElementById(id);
const models = JSON.parse($("data").textContent).models.map((data) => new Model(data));
