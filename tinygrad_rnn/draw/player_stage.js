"use strict";
// One model: its data and what is known at a moment (Model), and its drawing (Stage). Only the
// columns inside the window are in the document, so T = 1000 costs what T = 10 does.

class Model {
  constructor(data) {
    Object.assign(this, data);
    this.N = this.op.length;
    this.children = Array.from({ length: this.N }, () => []);
    this.parents.forEach((all, child) => all.forEach((parent, k) => {
      if (parent !== null) this.children[parent].push([child, k]);
    }));
    this.rank = new Int32Array(this.N); // 1-based place in the backward order, 0 = never
    this.order.forEach((id, i) => (this.rank[id] = i + 1));
    this.full = { e: this.e, g: this.g.norm, k: 0, edges: [] };
    this.cut(0);
  }

  /** Uses the gradients of truncated BPTT with the state detached every k steps; 0 = all. */
  cut(k) {
    this.alt = this.cuts.find((each) => each.k === k) || this.full;
    this.detached = new Set(this.alt.edges);
    this.done = this.children.map((uses, id) => {
      const last = Math.max(0, ...uses.map(([c, j]) => (this.flow(c, j) === null ? 0 : this.rank[c])));
      return this.alt.g[id] === null ? Infinity : last || this.rank[id] || 1;
    });
  }

  /** What flows along an edge once its child is processed; null when nothing ever does. */
  flow(child, k) { return this.alt.e[child]?.[k] ?? null; }
  /** The same, null also while it has not flowed after q backward steps. */
  flowed(child, k, q) { return this.rank[child] && this.rank[child] <= q ? this.flow(child, k) : null; }
  /** ‖∂L/∂id‖ after q backward steps; null while contributions are missing. */
  grad(id, q) { return q >= this.done[id] ? this.alt.g[id] : null; }
  /** Uses of a node that send it a gradient, in the order they do. */
  incoming(id) {
    const uses = this.children[id].filter(([c, k]) => this.flow(c, k) !== null);
    return uses.sort((a, b) => this.rank[a[0]] - this.rank[b[0]]);
  }
  opOf(id) { return this.ops[this.op[id]] ?? null; }
  symbol(id) { return this.opOf(id) === null ? this.roles[id] : opRow(this.opOf(id))[0]; }
  title(id) { return this.names[id] || `${this.symbol(id)} #${id}`; }
  label(id) { return this.labels[this.label_of[id]]; }
  stat(which, id) { // value or gradient statistics, null when unknown
    const s = this[which];
    if (s.norm[id] === null || s.norm[id] === undefined) return null;
    return { norm: s.norm[id], min: s.min?.[id], max: s.max?.[id], mean: s.mean?.[id], sample: s.sample[id] };
  }

  /** Formula of a node, written out through unnamed operations down to named things. */
  formula(id, deep = 4, top = true) {
    const op = this.opOf(id);
    if (op === null || (!top && this.names[id])) return [this.title(id), 9];
    if (!deep) return ["…", 9];
    const [, bind, text] = opRow(op);
    const parts = this.parents[id].map((p, k) => {
      const [inner, weight] = p === null ? [this.constant(id, k), 9] : this.formula(p, deep - 1, false);
      return bind < 9 && weight < bind + (k > 0 && "sub div".includes(op)) ? `(${inner})` : inner;
    });
    return [text(...parts), bind];
  }

  /** A constant operand is not a node; where the other operand tells its number, that number. */
  constant(id, k) {
    const y = this.v.sample[id], other = this.v.sample[this.parents[id][1 - k]];
    const undo = { add: (y, b) => y - b, mul: (y, b) => y / b, sub: (y, b) => (k ? b - y : y + b),
      div: (y, b) => (k ? b / y : y * b) }[this.opOf(id)];
    if (!undo || !y || !other || y.length !== other.length) return "□";
    const found = y.map((each, i) => undo(each, other[i])).filter(Number.isFinite);
    const same = found.every((each) => Math.abs(each - found[0]) <= 2e-3 * Math.abs(found[0]));
    return found.length && same ? String(+found[0].toPrecision(3)) : "□";
  }
}

const SVG = "http://www.w3.org/2000/svg";
function draw(parent, tag, attributes = {}, text) {
  const node = parent.appendChild(document.createElementNS(SVG, tag));
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Path through points: cubic curves, or straight lines with round corners. */
function path(points, curve) {
  const [first, ...rest] = points;
  const at = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;
  if (curve) return `M${at(first)}C${rest.map(at).join(" ")}`;
  let d = `M${at(first)}`;
  rest.forEach((b, i) => {
    const a = points[i], c = points[i + 2];
    if (!c) return void (d += `L${at(b)}`);
    const near = (to) => {
      const far = Math.hypot(to[0] - b[0], to[1] - b[1]) || 1, r = Math.min(5, far / 2) / far;
      return [b[0] + (to[0] - b[0]) * r, b[1] + (to[1] - b[1]) * r];
    };
    d += `L${at(near(a))}Q${at(b)} ${at(near(c))}`;
  });
  return d;
}

class Stage {
  constructor(host, model, app) {
    Object.assign(this, { host, model, app, shown: new Map(), x: 0, y: 0, zoom: 1 });
    this.svg = draw(host, "svg", { role: "img", "aria-label": `Graph of ${model.title}` });
    draw(this.svg, "defs").innerHTML = ["f", "w", "0", "1", "2", "3", "4", "5", "z", "n"].map((c) =>
      `<marker id="m${c}" viewBox="0 0 6 6" refX="5.2" refY="3" markerWidth="6.5" markerHeight="6.5"
        markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path class="h${c}" d="M0,.4L6,3L0,5.6z"/></marker>`).join("");
    this.world = draw(this.svg, "g");
    this.back = draw(this.world, "g");
    this.wires = draw(this.world, "g");
    this.front = draw(this.world, "g");
    this.pointer();
  }

  /** Places the columns side by side for the level and folds of the moment. */
  relayout() {
    const { model, app } = this, names = Object.keys(model.levels);
    const usual = model.levels[app.level] ? app.level : names.at(-1);
    const other = usual === names[0] ? names.at(-1) : names[0];
    const bySteps = new Map(model.levels[other].S.map((c) => [c[0], c]));
    this.height = Math.max(...[usual, other].map((n) => model.levels[n].height));
    let x = 0;
    this.columns = model.levels[usual].S.map((column, i, all) => {
      const flip = column[0] !== null && app.folds.has(`${column[0]}`) && bySteps.has(column[0]);
      const name = flip ? other : usual, level = model.levels[name];
      const [step, t, ids] = flip ? bySteps.get(column[0]) : column;
      const place = { step, ids, name, x, tpl: level.T[t], y: (this.height - level.height) / 2 };
      x += place.tpl.w + (i + 1 < all.length ? level.gap : 0);
      return place;
    });
    this.width = x;
    this.home = new Map(); // node id → column index
    this.far = [];
    this.columns.forEach((c, i) => c.ids.forEach((id) => model.roles[id] !== "param" && this.home.set(id, i)));
    this.columns.forEach((c, i) => c.tpl.X.forEach((wire, j) => {
      if (Math.abs(wire[0]) > 1) this.far.push([Math.min(i, i + wire[0]), Math.max(i, i + wire[0]), i, j]);
    }));
    for (const layer of [this.back, this.wires, this.front]) layer.replaceChildren();
    this.shown.clear();
  }

  /** Puts exactly the columns in sight into the document. */
  look() {
    const { zoom, columns } = this, w = this.host.clientWidth, h = this.host.clientHeight;
    const tall = this.height * zoom;
    this.y = tall < h ? (tall - h) / 2 / zoom : Math.min(Math.max(this.y, 0), this.height - h / zoom);
    this.world.setAttribute("transform", `translate(${-this.x * zoom},${-this.y * zoom}) scale(${zoom})`);
    const inside = (c) => c.x + c.tpl.w > this.x - 60 && c.x < this.x + w / zoom + 60;
    let lo = 0, hi = columns.length;
    while (lo < hi) { // first column that ends inside
      const mid = (lo + hi) >> 1;
      if (columns[mid].x + columns[mid].tpl.w > this.x - 60) hi = mid; else lo = mid + 1;
    }
    const want = new Set();
    for (let i = lo; i < columns.length && inside(columns[i]); i++) want.add(i);
    const last = lo + want.size - 1;
    for (const i of [...want]) this.near(i, want);
    if (last + 1 < columns.length) this.near(last + 1, want);
    const lanes = new Set(); // wires that only pass by: one per lane is enough
    for (const [a, b, i, j] of this.far) {
      const lane = Math.round(columns[i].tpl.X[j][4][3]);
      if (b < lo || a > last || (a < lo && b > last && lanes.has(lane))) continue;
      lanes.add(lane);
      want.add(`${i}:${j}`);
    }
    for (const [key, item] of this.shown) if (!want.has(key)) {
      item.layers.forEach((each) => each.remove());
      this.shown.delete(key);
    }
    for (const key of want) if (!this.shown.has(key)) {
      const item = typeof key === "number" ? this.column(key) : this.wire(...key.split(":").map(Number));
      this.shown.set(key, item);
      this.paint(item);
    }
  }

  near(i, want) {
    this.columns[i].tpl.X.forEach((wire, j) => Math.abs(wire[0]) <= 1 && want.add(`${i}:${j}`));
  }

  column(i) {
    const c = this.columns[i], at = { transform: `translate(${c.x},${c.y})` };
    const back = draw(this.back, "g", at), front = draw(this.front, "g", at);
    const item = { layers: [back, front], boxes: [], wires: [], gates: [], c };
    const level = this.model.levels[c.name];
    if (c.step !== null) {
      item.panel = draw(back, "rect", { class: "step", "data-step": c.step, width: c.tpl.w, height: level.height, rx: 8 });
      draw(back, "text", { class: "when", x: c.tpl.w / 2, y: level.height - 7 }, `t = ${c.step}`);
    }
    const folded = c.tpl.C.map((g) => this.app.folds.has(`${c.step}.${g[1]}`) || this.app.folds.has(`*.${g[1]}`));
    const within = (b) => c.tpl.C.findIndex((g, j) => folded[j] && b[0] > g[2] && b[0] < g[2] + g[4] && b[1] > g[3] && b[1] < g[3] + g[5]);
    c.tpl.C.forEach(([label, gate, x, y, w, h]) => {
      draw(back, "rect", { class: "gate", "data-gate": gate, "data-step": c.step, x, y, width: w, height: h, rx: 5 });
      draw(back, "text", { class: "gate", x: x + w / 2, y: y + h - 4 }, label);
    });
    for (const [a, b, curve, flat, edges] of c.tpl.E) {
      const hidden = within(c.tpl.B[a]) >= 0 && within(c.tpl.B[a]) === within(c.tpl.B[b]);
      if (!hidden) item.wires.push(this.line(back, pairs(flat), curve, edges.map(([l, k]) => [c.ids[l], k])));
    }
    c.tpl.B.forEach((b, j) => within(b) < 0 && item.boxes.push(this.box(front, c, b, j)));
    c.tpl.C.forEach(([label, gate, x, y, w, h], j) => {
      if (!folded[j]) return;
      const inside = c.tpl.B.filter((b) => within(b) === j && b[4] !== "chip").flatMap((b) => b[6].map((l) => c.ids[l]));
      const pill = [x + w / 2, y + h / 2, w, h, "pill", [label, "folded"], inside];
      const made = this.box(front, { ...c, ids: inside }, [...pill.slice(0, 6), inside.map((_, l) => l)], -1);
      made.g.setAttribute("data-gate", gate);
      made.g.setAttribute("data-step", c.step);
      item.boxes.push(made);
    });
    return item;
  }

  box(parent, c, [x, y, w, h, kind, text, members], j) {
    const { model } = this, ids = members.map((l) => c.ids[l]), main = Math.max(...ids);
    const g = draw(parent, "g", { "data-id": main, transform: `translate(${x},${y})` });
    if (kind === "circle") draw(g, "circle", { r: w / 2 });
    else draw(g, "rect", { x: -w / 2, y: -h / 2, width: w, height: h, rx: kind === "chip" ? 0 : 6 });
    const name = model.names[main], symbol = model.opOf(main) && model.symbol(main);
    const lines = text || [name, kind === "chip" || name === symbol ? null : symbol].filter(Boolean);
    lines.forEach((line, i) => draw(g, "text", { y: 3.5 + (i - (lines.length - 1) / 2) * 11 }, line));
    const uses = kind === "chip" && c.tpl.E.filter((e) => e[0] === j).flatMap((e) => e[4]).map(([l, k]) => [c.ids[l], k]);
    return { g, ids, main, uses, base: `n ${kind} ${model.roles[main]}` };
  }

  line(parent, points, curve, edges, cross = false) {
    const g = draw(parent, "path", { d: path(points, curve), "data-edge": edges[0].join(":") });
    const cuttable = cross && this.model.cuts.length;
    if (cuttable) draw(g, "title", {}, "click: cut the gradient here (truncated BPTT)");
    return { g, edges, base: `e${cuttable ? " cross" : ""}` };
  }

  wire(i, j) {
    const c = this.columns[i], [offset, a, b, split, flat, local] = c.tpl.X[j];
    const edges = local.map(([l, k]) => [c.ids[l], k]), [child, k] = edges[0];
    const parent = this.model.parents[child][k], s = this.columns[this.home.get(parent)];
    const to = (col, box) => [col.x + box[0], col.y + box[1], box[2] / 2];
    let points = pairs(flat).map(([x, y], n) => [x + (n < split ? s : c).x, y + c.y]), curve = false;
    if (s.name !== c.name) { // a folded neighbour: no lane is prepared, so a plain curve
      const from = s.tpl.B.find((box) => box[6].some((l) => s.ids[l] === parent));
      const [x0, y0, r0] = to(s, from), [x1, y1, r1] = to(c, c.tpl.B[b]), way = Math.sign(x1 - x0);
      const mid = (x0 + x1) / 2;
      points = [[x0 + way * r0, y0], [mid, y0], [mid, y1], [x1 - way * r1, y1]];
      curve = true;
    }
    const g = draw(this.wires, "g"), item = { layers: [g], boxes: [], wires: [this.line(g, points, curve, edges, true)] };
    if (edges.some((e) => this.model.detached.has(e.join(":")))) {
      const [x, y] = points[Math.min(split, points.length - 1)];
      draw(g, "text", { class: "scissors", x, y: y + 5 }, "✂");
    }
    return item;
  }

  /** Shows the moment on everything in the document. */
  update() { for (const item of this.shown.values()) this.paint(item); }

  paint({ boxes, wires, panel, c }) {
    const { model, app } = this, { f, q, active } = app.moment(model), look = app.shown(model);
    const set = (part, name) => part.name !== name && part.g.setAttribute("class", (part.name = name));
    for (const part of boxes) {
      const { ids, main, uses } = part, names = [part.base];
      if (ids.every((id) => id >= f)) names.push("later");
      if (active !== null && ids.includes(active) && !uses) names.push("active");
      if (ids.includes(look)) names.push("picked");
      if (ids.some((id) => app.hits(model).has(id))) names.push("hit");
      const grads = (uses ? uses.map(([n, k]) => model.flowed(n, k, q)) : [model.grad(main, q)]);
      const grad = total(grads);
      if (grad !== null) names.push("done", `s${app.shade(grad)}`);
      else if (!uses && model.incoming(main).some(([n, k]) => model.flowed(n, k, q) !== null)) names.push("partial");
      if (q && model.alt.k && model.full.g[main] !== null && model.alt.g[main] === null) names.push("dead");
      set(part, names.join(" "));
    }
    for (const part of wires) {
      const norm = total(part.edges.map(([n, k]) => model.flowed(n, k, q)));
      const now = q && part.edges.some(([n]) => n === active) ? " now" : "";
      const later = part.edges.every(([n]) => n >= f) ? " later" : "";
      const cut = part.edges.every((e) => model.detached.has(e.join(":"))) ? " cut" : "";
      const shade = norm === null ? "" : ` g s${app.shade(norm)}`;
      set(part, part.base + shade + now + later + cut);
      part.g.style.strokeWidth = norm === null ? "" : `${app.thick(norm).toFixed(2)}px`;
    }
    if (panel) set((c.part ??= { g: panel }, c.part.g = panel, c.part), q && this.unreached(c) ? "step dead" : "step");
  }

  unreached(c) {
    const { alt, full } = this.model;
    const felt = c.ids.filter((id) => this.model.roles[id] !== "param" && full.g[id] !== null);
    return alt.k && felt.length > 0 && felt.every((id) => alt.g[id] === null);
  }

  /** Moves the window so that a node is in it; centre = always, else only when it is outside. */
  reveal(id, centre = false) {
    const c = this.columns[this.home.get(id) ?? this.home.get(this.model.children[id]?.[0]?.[0])];
    if (!c) return;
    const wide = this.host.clientWidth / this.zoom, edge = Math.min(40, wide / 8);
    if (centre || c.x < this.x + edge / 2 || c.x + c.tpl.w > this.x + wide - edge / 2) {
      this.app.pan(this, this.clamp(c.x + c.tpl.w / 2 - wide / 2));
    }
  }

  clamp(x) {
    const wide = this.host.clientWidth / this.zoom;
    return this.width + 40 < wide ? (this.width - wide) / 2 : Math.min(Math.max(x, -20), this.width + 20 - wide);
  }

  fit(all) {
    const { clientWidth: w, clientHeight: h } = this.host;
    const tall = (h - 16) / this.height, wide = (w - 24) / this.width;
    this.zoom = Math.min(1.3, Math.max(all ? Math.min(tall, Math.max(wide, 0.2)) : Math.max(0.62, tall), 0.2));
    this.x = this.clamp(this.x);
  }

  zoomAt(factor, px = this.host.clientWidth / 2, py = this.host.clientHeight / 2) {
    const zoom = Math.min(3, Math.max(0.2, this.zoom * factor));
    this.x += px / this.zoom - px / zoom;
    this.y += py / this.zoom - py / zoom;
    this.zoom = zoom;
    this.app.pan(this, this.clamp(this.x), true);
  }

  pointer() {
    const { svg, app } = this, fingers = new Map();
    let moved = 0;
    svg.addEventListener("pointerdown", (e) => { fingers.set(e.pointerId, e); moved = 0; });
    svg.addEventListener("pointermove", (e) => {
      const was = fingers.get(e.pointerId);
      if (!was) return;
      const dx = e.clientX - was.clientX, dy = e.clientY - was.clientY;
      if ((moved += Math.abs(dx) + Math.abs(dy)) < 4) return;
      svg.setPointerCapture(e.pointerId);
      if (fingers.size === 2) {
        const [a, b] = [...fingers.values()], gap = (p, r) => Math.hypot(p.clientX - r.clientX, p.clientY - r.clientY);
        const still = a.pointerId === e.pointerId ? b : a;
        this.zoomAt(gap(e, still) / (gap(was, still) || 1));
      } else {
        this.y -= dy / this.zoom;
        app.pan(this, this.clamp(this.x - dx / this.zoom), true);
      }
      fingers.set(e.pointerId, e);
    });
    const up = (e) => fingers.delete(e.pointerId);
    svg.addEventListener("pointerup", up);
    svg.addEventListener("pointercancel", up);
    svg.addEventListener("pointerleave", up);
    svg.addEventListener("wheel", (e) => {
      e.preventDefault();
      const box = svg.getBoundingClientRect();
      if (e.ctrlKey || e.metaKey) return this.zoomAt(Math.exp(-e.deltaY / 300), e.clientX - box.x, e.clientY - box.y);
      app.pan(this, this.clamp(this.x + (e.deltaX || e.deltaY) / this.zoom), true);
    }, { passive: false });
    svg.addEventListener("click", (e) => {
      if (moved >= 4) return;
      const { id, edge } = e.target.closest("[data-id],[data-edge]")?.dataset ?? {};
      if (id) app.pick(this.model, +id);
      else if (edge && e.target.closest(".cross")) app.cutAt(this.model, +edge.split(":")[0]);
      else app.pick(this.model, null);
    });
    svg.addEventListener("dblclick", (e) => {
      const { gate, step } = e.target.closest("[data-step]")?.dataset ?? {};
      if (step !== undefined) app.fold(gate ? `${e.shiftKey ? "*" : step}.${gate}` : step);
    });
  }
}

function pairs(flat) {
  const points = [];
  for (let i = 0; i < flat.length; i += 2) points.push([flat[i], flat[i + 1]]);
  return points;
}

/** Norm of what several parts hold together; null when no part is known. */
function total(norms) {
  const known = norms.filter((n) => n !== null);
  if (known.length < 2) return known.length ? known[0] : null;
  const odd = known.find((n) => typeof n === "string");
  return odd ?? Math.hypot(...known);
}
