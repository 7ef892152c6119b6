"use strict";
// One model: its numbers, and what is known of them after q backward steps. No drawing here.

// Where a rule is element-wise its local slope is a number: upstream × local = contribution.
const SLOPES = {
  add: [() => 1, () => 1],
  sub: [() => 1, () => -1],
  mul: [(y, a, b) => b, (y, a) => a],
  div: [(y, a, b) => 1 / b, (y, a, b) => -y / b],
  neg: [() => -1],
  exp: [(y) => y],
  log: [(y, a) => 1 / a],
  sqrt: [(y) => 0.5 / y],
  tanh: [(y) => 1 - y * y],
  sigmoid: [(y) => y * (1 - y)],
  relu: [(y, a) => +(a > 0)],
};

class Model {
  constructor(data) {
    Object.assign(this, data);
    this.N = this.op.length;
    this.children = this.op.map(() => []);
    this.parents.forEach((all, child) => all.forEach((parent, k) => {
      if (parent !== null) this.children[parent].push([child, k]);
    }));
    this.rank = new Int32Array(this.N); // 1-based place in the backward order, 0 = never
    this.order.forEach((id, i) => (this.rank[id] = i + 1));
    this.full = { k: 0, g: this.g.norm, e: this.e, edges: [] };
    this.cut(0);
  }

  /** Takes the gradients of truncated BPTT with the state detached every k steps; 0 = all. */
  cut(k) {
    this.alt = this.cuts.find((each) => each.k === k) ?? this.full;
    this.detached = new Set(this.alt.edges);
    this.done = this.children.map((uses, id) => {
      if (this.alt.g[id] === null) return Infinity;
      const ranks = uses.map(([c, j]) => (this.flow(c, j) === null ? 0 : this.rank[c]));
      return Math.max(0, ...ranks) || this.rank[id] || 1;
    });
  }

  /** What flows along an edge in the end; null when nothing ever does. */
  flow(child, k) { return this.alt.e[child]?.[k] ?? null; }
  /** The same after q backward steps; null while it has not flowed. */
  flowed(child, k, q) { return this.rank[child] && this.rank[child] <= q ? this.flow(child, k) : null; }
  /** ‖∂L/∂id‖ after q backward steps; null while a contribution is missing. */
  grad(id, q) { return q >= this.done[id] ? this.alt.g[id] : null; }

  /** The uses [child, slot] that send a node its gradient, in the order they do. */
  incoming(id) {
    const uses = this.children[id].filter(([c, k]) => this.flow(c, k) !== null);
    return uses.sort((a, b) => this.rank[a[0]] - this.rank[b[0]]);
  }
  arrived(id, q) { return this.incoming(id).filter(([c, k]) => this.flowed(c, k, q) !== null).length; }

  opOf(id) { return this.ops[this.op[id]][0]; }
  symbol(id) { return this.ops[this.op[id]][1] || this.roles[id]; }
  title(id) { return this.names[id] || `${this.symbol(id)} #${id}`; }
  shape(id) { return this.shapes[this.shape_of[id]]; }
  stepText(id) { return this.step[id] === null ? "" : `t = ${this.step[id]}`; }
  where(id) { return [this.stepText(id), ...this.labels[this.label_of[id]]].filter(Boolean).join(" · "); }
  sample(which, id) { return this[which].sample[id] || null; }

  /** Text 0 is the formula of a node, text k + 1 what its rule sends to parent k. */
  words(id, i) {
    const text = this.wording[this.words_of[id]][i] ?? "";
    return text.replace(/\{(=?)(-?\d+)\}/g, (_, fixed, n) => this.title(fixed ? +n : id + +n));
  }

  /** Rows [upstream, slope, product] of the first components; [] if the rule is not element-wise. */
  slopes(id, k, most = 4) {
    const slope = SLOPES[this.opOf(id)]?.[k], g = this.sample("g", id), y = this.sample("v", id);
    const inputs = this.parents[id].map((p) => (p === null ? null : this.sample("v", p)));
    if (!slope || !g || [y, ...inputs].some((each) => each?.length !== g.length)) return [];
    return g.slice(0, most).map((up, i) => {
      const local = slope(y[i], ...inputs.map((each) => each[i]));
      return [up, local, up * local];
    });
  }

  searchText(id) {
    return plain(`${this.title(id)} ${this.opOf(id) ?? ""} ${this.symbol(id)} ${this.roles[id]} t=${this.step[id]} ${this.where(id)}`);
  }
}

/** Lower case without accents and brackets: "c̃⟨3⟩" and "C3" meet at "c3". */
function plain(text) {
  return text.normalize("NFD").replace(/[\u0300-\u036f⟨⟩<>_]/g, "").replace(/Γ/g, "g").toLowerCase();
}

/** A number for the eye: 4 digits, "–" for what does not exist (never 0 for that). */
function fmt(x) {
  if (typeof x !== "number") return x ?? "–";
  const size = Math.abs(x);
  const text = size && (size < 1e-3 || size >= 1e5) ? x.toExponential(3).replace(/\.?0+e/, "e") : String(+x.toPrecision(4));
  return text.replaceAll("-", "−");
}

/** Norm of several parts together; null when no part is known, a word when one is not finite. */
function total(norms) {
  const known = norms.filter((n) => n !== null);
  if (known.length < 2) return known[0] ?? null;
  return known.find((n) => typeof n === "string") ?? Math.hypot(...known);
}

/** Text made safe for HTML. */
function esc(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
