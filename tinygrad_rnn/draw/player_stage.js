// The drawing of one model. Only columns in sight are in the document: T = 1000 costs what T = 10 does.

function draw(parent, tag, attributes = {}, text = "") {
	const node = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
	for (const key in attributes) node.setAttribute(key, attributes[key]);
	node.textContent = text;
	return node;
}
const pairs = (flat) => flat.flatMap((x, i) => (i % 2 ? [] : [[x, flat[i + 1]]]));
const clip = (x, low, high) => Math.min(high, Math.max(low, x));

class Stage {
	constructor(host, model, app) {
		Object.assign(this, { host, model, app, shown: new Map(), x: 0, y: 0, zoom: 1, goal: 0 });
		this.svg = draw(host, "svg", { role: "img", "aria-label": model.heading });
		this.world = draw(this.svg, "g");
		this.layers = ["back", "wires", "front"].map(() => draw(this.world, "g"));
		this.listen();
	}
	get wide() { return this.host.clientWidth / this.zoom; }

	/** Puts the columns side by side, for the level and the folds of the moment. */
	relayout() {
		const { levels } = this.model, all = Object.values(levels), usual = levels[this.app.level] ?? all.at(-1);
		const other = usual === all[0] ? all.at(-1) : all[0]; // a folded step shows the other end of the scale
		const folded = new Map(other.S.filter(([step]) => this.app.folds.has(`${step}`)).map((c) => [c[0], c]));
		this.height = Math.max(usual.height, folded.size && other.height);
		this.home = new Map(); // node → column
		this.far = []; // wires that run past other columns: [from, to, column, wire]
		this.width = 0;
		this.columns = usual.S.map((own, i) => {
			const level = folded.has(own[0]) ? other : usual, [step, picture, ids, gap, label] = folded.get(own[0]) ?? own;
			const art = level.T[picture], c = { step, ids, label, level, art, x: this.width, y: (this.height - level.height) / 2 };
			this.width += art.w + Math.max(gap, own[3]);
			for (const box of art.B) if (!box[7]) for (const l of box[6]) this.home.set(ids[l], i);
			art.X.forEach(([by], j) => Math.abs(by) > 1 && this.far.push([Math.min(i, i + by), Math.max(i, i + by), i, j]));
			return c;
		});
		for (const layer of this.layers) layer.replaceChildren();
		this.shown.clear();
	}

	/** Brings exactly the columns in sight, and their wires, into the document. */
	look() {
		const { columns, zoom, wide } = this, high = this.host.clientHeight / zoom;
		this.y = this.height < high ? (this.height - high) / 2 : clip(this.y, 0, this.height - high);
		this.world.setAttribute("transform", `translate(${-this.x * zoom},${-this.y * zoom}) scale(${zoom})`);
		let first = 0, end = columns.length;
		while (first < end) { // by bisection: the first column that ends in sight
			const mid = (first + end) >> 1;
			if (columns[mid].x + columns[mid].art.w > this.x - 60) end = mid; else first = mid + 1;
		}
		const want = new Set(), passing = new Set();
		while (end < columns.length && columns[end].x < this.x + wide + 60) want.add(end++);
		for (let i = first; i <= end && i < columns.length; i++) {
			columns[i].art.X.forEach(([by], j) => Math.abs(by) < 2 && want.add(`${i}:${j}`));
		}
		for (const [from, to, i, j] of this.far) { // of those that only pass by, one per target is enough
			if (to < first || from >= end || (from < first && to >= end && passing.size === passing.add(i).size)) continue;
			want.add(`${i}:${j}`);
		}
		for (const [key, item] of this.shown) if (!want.has(key)) {
			for (const layer of item.layers) layer.remove();
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
		const back = draw(this.layers[0], "g", at), front = draw(this.layers[2], "g", at), item = { layers: [back, front], boxes: [], wires: [], c };
		if (art.P) {
			const [y, height] = art.P;
			item.panel = { g: draw(back, "rect", { y, height, width: art.w, rx: 8, "data-step": step }) };
			draw(back, "text", { class: "when", x: art.w / 2, y: y + height - 8 }, c.label);
		}
		const shut = art.C.map(([label, kind, x, y, width, height, middle]) => {
			const key = kind === "gate" ? `${step}.${label}` : step;
			draw(back, "rect", { class: "frame", x, y, width, height, rx: 5, "data-step": key });
			draw(back, "text", { class: "frame", x: middle, y: y + height - 4 }, label);
			return kind === "gate" && [key, `*.${label}`].some((each) => this.app.folds.has(each));
		});
		const inside = ([x, y]) => art.C.findIndex(([, , left, top, w, h], n) => shut[n] && x > left && x < left + w && y > top && y < top + h);
		for (const [, a, b, , flat, edges] of art.E) {
			if (inside(art.B[a]) < 0 || inside(art.B[a]) !== inside(art.B[b])) item.wires.push(this.line(back, pairs(flat), edges.map(([l, k]) => [ids[l], k])));
		}
		for (const box of art.B) if (inside(box) < 0) item.boxes.push(this.box(front, c, box));
		art.C.forEach(([label, , x, y, w, h], n) => { // a folded gate covers what is inside it
			if (!shut[n]) return;
			const members = art.B.flatMap((box) => (inside(box) === n && !box[7] ? box[6] : []));
			const pill = this.box(front, c, [x + w / 2, y + h / 2, w, h, "pill", [label, "⋯"], members]);
			pill.g.setAttribute("data-step", `${step}.${label}`);
			item.boxes.push(pill);
		});
		return item;
	}

	box(parent, c, [x, y, w, height, kind, text, members, uses]) {
		const { names, roles } = this.model, ids = members.map((l) => c.ids[l]), main = Math.max(...ids);
		const lines = text.map((line) => line || names[main]), g = draw(parent, "g", { "data-id": main, transform: `translate(${x},${y})` });
		const width = uses ? w : Math.max(w, ...lines.map((line) => 6 * line.length)); // t = 1000 is longer than t = 1
		if (kind === "circle") draw(g, "circle", { r: w / 2 });
		else draw(g, "rect", { x: -width / 2, y: -height / 2, width, height, rx: kind === "round" || kind === "pill" ? 6 : 0 });
		lines.forEach((line, n) => draw(g, "text", { y: 3.4 + (n - (lines.length - 1) / 2) * 12 }, line));
		return { g, ids, main, uses: uses?.map(([l, k]) => [c.ids[l], k]), base: `n ${kind} ${roles[main]}` };
	}

	line(parent, points, edges, base = "e") {
		const [start, ...rest] = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
		return { g: draw(parent, "path", { d: `M${start}C${rest.join(" ")}`, "data-edge": edges[0].join(":") }), edges, base };
	}

	/** Wire j of column i, which comes from another column. */
	crossing(i, j) {
		const { model } = this, c = this.columns[i], [, , b, split, flat, local] = c.art.X[j], g = draw(this.layers[1], "g");
		const edges = local.map(([l, k]) => [c.ids[l], k]), source = ([n, k]) => model.parents[n][k];
		const s = this.columns[this.home.get(source(edges[0]))] ?? c, base = model.cuts.length && s.step !== null ? "e cross" : "e";
		const curve = (edge) => { // to a folded neighbour, whose lanes are not here
			const [x0, y0, w0] = s.art.B.find((box) => box[6].some((l) => s.ids[l] === source(edge))), [x1, y1, w1] = c.art.B[b];
			const from = s.x + x0 + w0 / 2, to = c.x + x1 - w1 / 2, mid = (from + to) / 2;
			return [[from, s.y + y0], [mid, s.y + y0], [mid, c.y + y1], [to, c.y + y1]];
		};
		const wires = s.level !== c.level ? edges.map((edge) => this.line(g, curve(edge), [edge], base))
			: [this.line(g, pairs(flat).map(([x, y], n) => [x + (n < split ? s : c).x, y + c.y]), edges, base)];
		return { layers: [g], boxes: [], wires };
	}

	/** Shows the moment on one column or wire. */
	paint({ boxes, wires, panel, c }) {
		const { model, app } = this, { f, q, active } = app.moment(model), picked = app.model === model ? app.sel : null;
		const put = (part, ...names) => {
			const all = names.filter(Boolean).join(" ");
			if (part.names !== all) part.g.setAttribute("class", (part.names = all));
		};
		for (const part of boxes) {
			const { ids, main, uses } = part, grad = uses ? total(uses.map(([n, k]) => model.flowed(n, k, q))) : model.grad(main, q);
			put(part, part.base, ids.every((id) => id >= f) && "later", !uses && ids.includes(active) && "active", ids.includes(picked) && "picked",
				app.found.get(model)?.has(main) && "hit", grad !== null && `done s${app.shade(grad)}`,
				grad === null && q && !uses && model.arrived(main, q) && "partial", q && this.lost(main) && "dead");
		}
		for (const part of wires) {
			const norm = total(part.edges.map(([n, k]) => model.flowed(n, k, q)));
			put(part, part.base, norm !== null && `g s${app.shade(norm)}`, q && part.edges.some(([n]) => n === active) && "now",
				part.edges.every(([n]) => n >= f) && "later", part.edges.every((e) => model.detached.has(e.join(":"))) && "cut");
			part.g.style.strokeWidth = norm === null ? "" : app.thick(norm).toFixed(2);
		}
		if (panel) put(panel, "step", q && c.ids.some((id) => this.lost(id)) && c.ids.every((id) => this.lost(id) || model.dull(id)) && "dead");
	}
	/** True for what feels the loss in full BPTT and not in the truncated one. */
	lost(id) { return this.model.full.g[id] !== null && this.model.alt.g[id] === null; }
	update() { for (const item of this.shown.values()) this.paint(item); }

	/** Moves the window so that a node is in it; a parameter is shown where it is first used. */
	reveal(id) {
		const use = this.model.children[id].find(([n]) => this.home.has(n)), c = this.columns[this.home.get(id) ?? this.home.get(use?.[0])];
		if (!c) return;
		const high = this.host.clientHeight / this.zoom, y = c.y + (c.art.B.find((box) => box[6].some((l) => c.ids[l] === id))?.[1] ?? 0);
		if (y < this.y + 20 || y > this.y + high - 20) this.y = y - high / 2;
		const out = c.x < this.goal || c.x + c.art.w > this.goal + this.wide;
		this.app.pan(this, out ? c.x + c.art.w / 2 - this.wide / 2 : this.goal);
	}
	inside(x) {
		const room = this.width - this.wide;
		return room < -24 ? room / 2 : clip(x, -12, room + 12);
	}
	/** Zooms so that the height fits, or with `all` also the width where that stays readable. */
	fit(all) {
		const tall = (this.host.clientHeight - 8) / this.height, wide = (this.host.clientWidth - 24) / this.width;
		this.zoom = Math.min(1.4, all ? Math.max(0.2, Math.min(tall, wide)) : Math.max(0.5, tall));
		this.x = this.goal = this.inside(this.x);
	}
	zoomBy(factor, at = 0.5) { // at: the share of the width that stays where it is
		const { wide } = this;
		this.zoom = clip(this.zoom * factor, 0.2, 3);
		this.app.pan(this, this.x + (wide - this.wide) * at, true);
	}

	listen() {
		const { svg, app } = this, on = (type, react) => svg.addEventListener(type, react, { passive: false });
		let held = null, moved = 0;
		on("pointerdown", (e) => { held = e; moved = 0; });
		on("pointermove", (e) => {
			if (!e.buttons || !held) return;
			const dx = e.clientX - held.clientX, dy = e.clientY - held.clientY;
			if ((moved += Math.abs(dx) + Math.abs(dy)) < 4) return;
			svg.setPointerCapture(e.pointerId);
			this.y -= dy / this.zoom;
			app.pan(this, this.x - dx / this.zoom, true);
			held = e;
		});
		on("wheel", (e) => {
			e.preventDefault();
			if (e.ctrlKey || e.metaKey) this.zoomBy(Math.exp(-e.deltaY / 300), e.offsetX / this.host.clientWidth);
			else app.pan(this, this.x + (e.deltaX || e.deltaY) / this.zoom, true);
		});
		on("click", (e) => {
			const { id, edge } = e.target.closest("[data-id], .cross")?.dataset ?? {};
			if (moved >= 4) return;
			if (edge) app.cutAt(this.model, +edge.split(":")[0]);
			else app.pick(this.model, id ? +id : null);
		});
		on("dblclick", (e) => {
			const key = e.target.closest("[data-step]")?.dataset.step;
			if (key) app.fold(e.shiftKey ? key.replace(/.*\./, "*.") : key);
		});
	}
}
