"use strict";
// The drawing of one model. Only columns in sight are in the document: T = 1000 costs what T = 10 does.

const SVG = "http://www.w3.org/2000/svg";
function draw(parent, tag, attributes = {}, text) {
  const node = parent.appendChild(document.createElementNS(SVG, tag));
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  return node;
}

class Stage {
  constructor(host, model, app) {
    Object.assign(this, { host, model, app, shown: new Map(), x: 0, y: 0, zoom: 1, goal: 0 });
    this.svg = draw(host, "svg", { role: "img", "aria-label": `Graph of ${model.heading}` });
    draw(this.svg, "defs").innerHTML = ["f", "0", "1", "2", "3", "4", "5", "z", "n"].map((c) =>
      `<marker id="m${c}" viewBox="0 0 6 6" refX="5.4" refY="3" markerWidth="6.5" markerHeight="6.5"
      markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path class="h${c}" d="M0,.4L6,3L0,5.6z"/></marker>`).join("");
    this.world = draw(this.svg, "g");
    [this.back, this.wires, this.front] = ["back", "wires", "front"].map((name) => draw(this.world, "g", { class: name }));
    this.listen();
  }

  /** Puts the columns side by side, for the level and the folds of the moment. */
  relayout() {
    const { model, app } = this, names = Object.keys(model.levels);
    const usual = model.levels[app.level] ? app.level : names.at(-1), other = usual === names[0] ? names.at(-1) : names[0];
    const folded = new Map(model.levels[other].S.map((c) => [`${c[0]}`, c]));
    this.height = Math.max(model.levels[usual].height, app.folds.size ? model.levels[other].height : 0);
    this.home = new Map(); // node → column
    this.far = []; // wires that run past other columns
    let x = 0;
    this.columns = model.levels[usual].S.map((own, i) => {
      const flip = own[0] !== null && app.folds.has(`${own[0]}`) && folded.has(`${own[0]}`);
      const name = flip ? other : usual, level = model.levels[name];
      const [step, picture, ids, gap, label] = flip ? folded.get(`${own[0]}`) : own;
      const c = { step, ids, label, name, x, y: (this.height - level.height) / 2, art: level.T[picture] };
      x += c.art.w + Math.max(gap, own[3]);
      ids.forEach((id) => model.roles[id] !== "param" && this.home.set(id, i));
      c.art.X.forEach(([offset], j) => Math.abs(offset) > 1 && this.far.push([Math.min(i, i + offset), Math.max(i, i + offset), i, j]));
      return c;
    });
    this.width = x;
    for (const layer of [this.back, this.wires, this.front]) layer.replaceChildren();
    this.shown.clear();
  }

  /** Brings exactly the columns in sight, and their wires, into the document. */
  look() {
    const { zoom, columns } = this, w = this.host.clientWidth / zoom, h = this.host.clientHeight / zoom;
    this.y = this.height < h ? (this.height - h) / 2 : Math.min(Math.max(this.y, 0), this.height - h);
    this.world.setAttribute("transform", `translate(${-this.x * zoom},${-this.y * zoom}) scale(${zoom})`);
    let first = 0, end = columns.length;
    while (first < end) { // by bisection: the first column that ends in sight
      const mid = (first + end) >> 1;
      if (columns[mid].x + columns[mid].art.w > this.x - 60) end = mid; else first = mid + 1;
    }
    const want = new Set(), lanes = new Set();
    while (end < columns.length && columns[end].x < this.x + w + 60) want.add(end++);
    for (let i = first; i <= end && i < columns.length; i++) {
      columns[i].art.X.forEach(([offset], j) => Math.abs(offset) < 2 && want.add(`${i}:${j}`));
    }
    for (const [from, to, i, j] of this.far) { // of those that only pass by, one per target is enough
      const passing = from < first && to >= end;
      if (to < first || from >= end || (passing && lanes.has(i))) continue;
      if (passing) lanes.add(i);
      want.add(`${i}:${j}`);
    }
    for (const [key, item] of this.shown) if (!want.has(key)) {
      item.layers.forEach((each) => each.remove());
      this.shown.delete(key);
    }
    for (const key of want) if (!this.shown.has(key)) {
      const item = typeof key === "number" ? this.column(key) : this.crossing(...key.split(":").map(Number));
      this.shown.set(key, item);
      this.paint(item);
    }
  }

  column(i) {
    const c = this.columns[i], { art, step, ids } = c, at = { transform: `translate(${c.x},${c.y})` };
    const back = draw(this.back, "g", at), front = draw(this.front, "g", at);
    const item = { layers: [back, front], boxes: [], wires: [], c };
    if (art.P) {
      const [y, height] = art.P;
      item.panel = { g: draw(back, "rect", { y, height, width: art.w, rx: 8, "data-step": step }) };
      draw(back, "text", { class: "when", x: art.w / 2, y: y + height - 8 }, c.label);
    }
    const gates = art.C.map(([label, kind, x, y, width, height, middle]) => {
      const gate = { label, x, y, width, height, key: kind === "gate" ? `${step}.${label}` : "" };
      gate.shut = gate.key && (this.app.folds.has(gate.key) || this.app.folds.has(`*.${label}`));
      draw(back, "rect", { class: "frame", x, y, width, height, rx: 5, "data-step": gate.key || step });
      draw(back, "text", { class: "frame", x: middle, y: y + height - 4 }, label);
      return gate;
    });
    const within = art.B.map(([x, y]) => gates.findIndex((g) => g.shut && x > g.x && x < g.x + g.width && y > g.y && y < g.y + g.height));
    for (const [, a, b, , flat, edges] of art.E) {
      if (within[a] >= 0 && within[a] === within[b]) continue;
      item.wires.push(this.line(back, pairs(flat), edges.map(([l, k]) => [ids[l], k])));
    }
    art.B.forEach((box, j) => within[j] < 0 && item.boxes.push(this.box(front, c, box, j)));
    gates.forEach((g, n) => { // a folded gate covers what is inside it
      if (!g.shut) return;
      const inside = art.B.flatMap((b, j) => (within[j] === n && b[4] !== "dashed" ? b[6] : []));
      const box = this.box(front, c, [g.x + g.width / 2, g.y + g.height / 2, g.width, g.height, "pill", [g.label, "⋯"], inside]);
      box.g.setAttribute("data-step", g.key);
      item.boxes.push(box);
    });
    return item;
  }

  box(parent, c, [x, y, width, height, kind, text, members], j = -1) {
    const { model } = this, ids = members.map((l) => c.ids[l]), main = Math.max(...ids), chip = kind === "dashed";
    const g = draw(parent, "g", { "data-id": main, transform: `translate(${x},${y})` });
    if (kind === "circle") draw(g, "circle", { r: width / 2 });
    else draw(g, "rect", { x: -width / 2, y: -height / 2, width, height, rx: chip || kind === "square" ? 0 : 6 });
    const name = model.names[main], symbol = model.symbol(main);
    const lines = text || [name, (chip && name) || name === symbol || (name && !model.opOf(main)) ? 0 : symbol].filter(Boolean);
    lines.forEach((line, i) => draw(g, "text", { y: (chip ? 2.8 : 3.6) + (i - (lines.length - 1) / 2) * 12 }, line));
    const uses = chip && c.art.E.filter((e) => e[1] === j).flatMap((e) => e[5]).map(([l, k]) => [c.ids[l], k]);
    return { g, ids, main, uses, base: `n ${kind} ${model.roles[main]}` };
  }

  line(parent, points, edges, cross = "") {
    const [start, ...rest] = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
    const g = draw(parent, "path", { d: `M${start}C${rest.join(" ")}`, "data-edge": edges[0].join(":") });
    return { g, edges, base: `e${cross}` };
  }

  crossing(i, j) {
    const c = this.columns[i], [, , b, split, flat, local] = c.art.X[j], { model } = this;
    const edges = local.map(([l, k]) => [c.ids[l], k]), parent = model.parents[edges[0][0]][edges[0][1]];
    const s = this.columns[this.home.get(parent)] ?? c;
    let points = pairs(flat).map(([x, y], n) => [x + (n < split ? s : c).x, y + c.y]);
    if (s.name !== c.name) { // a folded neighbour: its lanes are not here, so a plain curve
      const [x0, y0, w0] = s.art.B.find((box) => box[6].some((l) => s.ids[l] === parent)), [x1, y1, w1] = c.art.B[b];
      const from = s.x + x0 + w0 / 2, to = c.x + x1 - w1 / 2, mid = (from + to) / 2;
      points = [[from, s.y + y0], [mid, s.y + y0], [mid, c.y + y1], [to, c.y + y1]];
    }
    const g = draw(this.wires, "g"), line = this.line(g, points, edges, model.cuts.length && model.step[parent] !== null ? " cross" : "");
    if (line.base !== "e") draw(line.g, "title", {}, "click: cut the gradient here (truncated BPTT)");
    if (edges.some((e) => model.detached.has(e.join(":")))) {
      const x = c.x - 12;
      const y = points.find((p) => p[0] >= x)?.[1] ?? points[0][1];
      draw(g, "text", { class: "scissors", x, y: y + 5 }, "✂");
    }
    return { layers: [g], boxes: [], wires: [line] };
  }

  /** Shows the moment on one column or wire. */
  paint({ boxes, wires, panel, c }) {
    const { model, app } = this, { f, q, active } = app.moment(model), picked = app.model === model ? app.sel : null;
    const put = (part, names) => part.names !== names && part.g.setAttribute("class", (part.names = names));
    for (const part of boxes) {
      const { ids, main, uses } = part, grad = uses ? total(uses.map(([n, k]) => model.flowed(n, k, q))) : model.grad(main, q);
      let names = part.base;
      if (ids.every((id) => id >= f)) names += " later";
      if (!uses && ids.includes(active)) names += " active";
      if (ids.includes(picked)) names += " picked";
      if (app.found.get(model)?.has(main)) names += " hit";
      if (grad !== null) names += ` done s${app.shade(grad)}`;
      else if (q && !uses && model.arrived(main, q)) names += " partial";
      if (q && model.full.g[main] !== null && model.alt.g[main] === null) names += " dead";
      put(part, names);
    }
    for (const part of wires) {
      const norm = total(part.edges.map(([n, k]) => model.flowed(n, k, q)));
      let names = part.base;
      if (norm !== null) names += ` g s${app.shade(norm)}`;
      if (q && part.edges.some(([n]) => n === active)) names += " now";
      if (part.edges.every(([n]) => n >= f)) names += " later";
      if (part.edges.every((e) => model.detached.has(e.join(":")))) names += " cut";
      put(part, names);
      part.g.style.strokeWidth = norm === null ? "" : app.thick(norm).toFixed(2);
    }
    if (panel) put(panel, q && this.unreached(c) ? "step dead" : "step");
  }
  update() { for (const item of this.shown.values()) this.paint(item); }

  /** True for a step that felt the loss in full BPTT and does not in the truncated one. */
  unreached({ ids }) {
    const { alt, full, roles } = this.model, felt = ids.filter((id) => roles[id] !== "param" && full.g[id] !== null);
    return alt.k > 0 && felt.length > 0 && felt.every((id) => alt.g[id] === null);
  }

  /** Moves the window so that a node is in it. */
  reveal(id) {
    const use = this.model.children[id].find(([c]) => this.home.has(c)); // for a parameter: its first use
    const c = this.columns[this.home.get(id) ?? this.home.get(use?.[0])], wide = this.host.clientWidth / this.zoom;
    if (!c || (c.x >= this.goal && c.x + c.art.w <= this.goal + wide)) return;
    this.app.pan(this, c.x + c.art.w / 2 - wide / 2);
  }
  clamp(x) {
    const wide = this.host.clientWidth / this.zoom;
    return this.width + 24 < wide ? (this.width - wide) / 2 : Math.min(Math.max(x, -12), this.width + 12 - wide);
  }
  /** Zooms so that the height fits, or with `all` the whole width where that stays readable. */
  fit(all) {
    const tall = (this.host.clientHeight - 8) / this.height, wide = (this.host.clientWidth - 24) / this.width;
    this.zoom = Math.min(1.4, all ? Math.max(0.2, Math.min(tall, wide)) : Math.max(0.6, tall));
    this.x = this.goal = this.clamp(this.x);
  }
  zoomBy(factor, px = this.host.clientWidth / 2, py = this.host.clientHeight / 2) {
    const zoom = Math.min(3, Math.max(0.2, this.zoom * factor));
    this.x += px / this.zoom - px / zoom;
    this.y += py / this.zoom - py / zoom;
    this.zoom = zoom;
    this.app.pan(this, this.x, true);
  }

  listen() {
    const { svg, app } = this;
    let held = null, moved = 0;
    svg.addEventListener("pointerdown", (e) => { held = e; moved = 0; });
    svg.addEventListener("pointermove", (e) => {
      if (!held || !e.buttons) return;
      const dx = e.clientX - held.clientX, dy = e.clientY - held.clientY;
      if ((moved += Math.abs(dx) + Math.abs(dy)) < 4) return;
      svg.setPointerCapture(e.pointerId);
      this.y -= dy / this.zoom;
      app.pan(this, this.x - dx / this.zoom, true);
      held = e;
    });
    svg.addEventListener("pointerup", () => (held = null));
    svg.addEventListener("wheel", (e) => {
      e.preventDefault();
      const { x, y } = svg.getBoundingClientRect();
      if (e.ctrlKey || e.metaKey) this.zoomBy(Math.exp(-e.deltaY / 300), e.clientX - x, e.clientY - y);
      else app.pan(this, this.x + (e.deltaX || e.deltaY) / this.zoom, true);
    }, { passive: false });
    svg.addEventListener("click", (e) => {
      const { id, edge } = e.target.closest("[data-id],[data-edge]")?.dataset ?? {};
      if (moved >= 4) return;
      if (edge && e.target.closest(".cross")) app.cutAt(this.model, +edge.split(":")[0]);
      else app.pick(this.model, id ? +id : null);
    });
    svg.addEventListener("dblclick", (e) => {
      const key = e.target.closest("[data-step]")?.dataset.step;
      if (key) app.fold(e.shiftKey ? key.replace(/^[^.]*\./, "*.") : key);
    });
  }
}

function pairs(flat) {
  return flat.flatMap((x, i) => (i % 2 ? [] : [[x, flat[i + 1]]]));
}
