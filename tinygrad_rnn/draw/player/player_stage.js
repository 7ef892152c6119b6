// The drawing of one model. Only columns in sight are in the document: T = 1000 costs what T = 10 does.

/** Changes what differs: an attribute set anew costs a layout even when it is the same. */
function set(node, attributes, text) {
	for (const key in attributes) if (node.getAttribute(key) !== `${attributes[key]}`) node.setAttribute(key, attributes[key]);
	if (text !== undefined && node.textContent !== text) node.textContent = text;
	return node;
}
const draw = (parent, tag, ...more) => set(parent.appendChild(document.createElementNS(parent.namespaceURI, tag)), ...more);
const course = (flat) => `M${flat.slice(0, 2)}C${flat.slice(2)}`;
const edges = (c, local) => local.map(([l, k]) => [c.ids[l], k]);
const clip = (x, low, high) => Math.min(high, Math.max(low, x));

class Stage {
	constructor(host, model, app) {
		Object.assign(this, { host, model, app, shown: new Map(), plans: new Map(), x: 0, y: Infinity, zoom: 1, room: 0 }); // it opens at the inputs
		this.svg = set(host.firstChild, { "aria-label": model.heading });
		this.world = draw(this.svg, "g");
		this.layers = ["back", "wires", "front"].map(() => draw(this.world, "g"));
		this.listen();
	}
	get wide() { return this.room / this.zoom; }

	/** Asks how much room there is: once, since between two changes an answer costs a layout. */
	measure() {
		this.room = this.host.clientWidth;
		this.tall = this.host.clientHeight;
		set(this.svg, { viewBox: `0 0 ${this.room} ${this.tall}` }); // paper is narrower than the window
	}

	/** Puts the columns side by side, for the level and the folds of the moment. */
	relayout() {
		const { levels } = this.model, all = Object.values(levels), usual = levels[this.app.level] ?? all.at(-1);
		const other = usual === all[0] ? all.at(-1) : all[0]; // a folded step shows the other end of the scale
		for (const layer of this.layers) layer.replaceChildren();
		this.shown.clear();
		const plan = (this.app.folds.size ? null : this.plans.get(usual)) ?? this.plan(usual, other);
		if (!this.app.folds.size) this.plans.set(usual, plan); // a thousand columns are not put side by side twice
		Object.assign(this, plan);
	}
	plan(usual, other) {
		const folded = new Map(other.S.filter(([step]) => this.app.folds.has(`${step}`)).map((c) => [c[0], c]));
		this.height = Math.max(usual.height, folded.size && other.height);
		this.home = new Int32Array(this.model.ids.length).fill(-1); // node → column
		this.far = []; // wires that run past other columns: [from, to, column, wire]
		this.width = 0;
		this.columns = usual.S.map((own, i) => {
			const level = folded.has(own[0]) ? other : usual, [step, picture, ids, gap, label] = folded.get(own[0]) ?? own;
			const art = level.T[picture], shut = art.C.map(([gate, kind]) => kind === "gate" && [step, "*"].some((t) => this.app.folds.has(`${t}.${gate}`)));
			const c = { step, ids, label, level, art, shut, key: [level === usual, picture, shut], x: this.width, y: (this.height - level.height) / 2 };
			this.width += art.w + Math.max(gap, own[3]);
			for (const box of art.B) if (!box[7]) for (const l of box[6]) this.home[ids[l]] = i;
			art.X.forEach(([by], j) => Math.abs(by) > 1 && this.far.push([Math.min(i, i + by), Math.max(i, i + by), i, j]));
			return c;
		});
		const { height, home, far, width, columns } = this;
		return { height, home, far, width, columns };
	}

	/** Brings exactly the columns in sight, and their wires, into the document. */
	look() {
		const { columns, zoom, wide } = this, high = this.tall / zoom;
		this.y = this.height < high ? (this.height - high) / 2 : clip(this.y, 0, this.height - high);
		this.world.setAttribute("transform", `translate(${-this.x * zoom},${-this.y * zoom}) scale(${zoom})`);
		const first = columns.findIndex((c) => c.x + c.art.w > this.x - 60), last = columns.findLastIndex((c) => c.x < this.x + wide + 60);
		const want = new Map(), add = (i, j, lane = "") => want.set(`${i}:${j}${lane}`, [i, j]), hidden = new Map();
		for (let i = first; i >= 0 && i <= last + 1 && columns[i]; i++) {
			if (i <= last) add(i);
			columns[i].art.X.forEach(([by], j) => Math.abs(by) < 2 && add(i, j));
		}
		this.block = Math.round(this.x / wide); // long wires are drawn round the window only: dashes cost by length
		const lane = `:${this.block}:${wide}`;
		for (const [from, to, i, j] of this.far) {
			if (to < first || from > last) continue;
			const start = from + to - i, [, a, b] = columns[i].art.X[j];
			if (start >= first && start <= last) add(i, j, lane);
			else hidden.set(`${i}:${a}:${b}:${start < first}`, [i, j]); // those from out of sight share a lane: one is enough
		}
		for (const [i, j] of hidden.values()) add(i, j, lane);
		const spare = new Map(); // what left the window becomes what comes into it: no element is made or laid out anew
		for (const [key, item] of this.shown) if (!want.has(key)) {
			spare.set(item.like, [...(spare.get(item.like) ?? []), item]);
			this.shown.delete(key);
		}
		for (const [key, [i, j]] of want) if (!this.shown.has(key)) {
			const c = columns[i], like = `${c.key}:${j} ${j >= 0 && this.source(c, j).level === c.level}`;
			const item = spare.get(like)?.pop() ?? Object.assign(j >= 0 ? this.crossing(c, j) : this.column(c), { like });
			for (const become of item.become) become(c);
			this.shown.set(key, item);
			this.paint(item);
		}
		for (const items of spare.values()) for (const { layers } of items) for (const layer of layers) layer.remove();
	}

	/** The column that wire j of a column comes from. */
	source(c, j) {
		const [[n, k]] = edges(c, c.art.X[j][5]);
		return this.columns[this.home[this.model.parents[n][k]]] ?? c;
	}
	/** The elements of a column, and how they become those of another one that looks alike. */
	column({ art, shut, level }) {
		const [back, front] = [0, 2].map((n) => draw(this.layers[n], "g"));
		const become = [(c) => [back, front].map((g) => set(g, { transform: `translate(${c.x},${c.y})` })), (c) => (item.c = c)];
		const item = { layers: [back, front], boxes: [], wires: [], become, fine: level === this.model.levels.op };
		if (art.P) {
			const [y, height] = art.P, g = draw(back, "rect", { y, height, width: art.w }), when = draw(back, "text", { class: "when", x: art.w / 2, y: y + height - 8 });
			item.panel = { g };
			become.push((c) => set(when, {}, c.label) && (g.step = c.step));
		}
		for (const [label, kind, x, y, width, height, middle] of art.C) {
			const frame = draw(back, "rect", { class: "frame", x, y, width, height });
			draw(back, "text", { class: "frame", x: middle, y: y + height - 4 }, label);
			become.push((c) => (frame.step = kind === "gate" ? `${c.step}.${label}` : c.step));
		}
		const inside = ([x, y]) => art.C.findIndex(([, , left, top, w, h], n) => shut[n] && x > left && x < left + w && y > top && y < top + h);
		for (const [, a, b, , flat, local] of art.E) {
			if (inside(art.B[a]) < 0 || inside(art.B[a]) !== inside(art.B[b])) this.line(item, "e", local, () => course(flat));
		}
		for (const box of art.B) if (inside(box) < 0) this.box(item, box);
		art.C.forEach(([label, , x, y, w, h], n) => { // a folded gate covers what is inside it
			if (!shut[n]) return;
			const members = art.B.flatMap((box) => (inside(box) === n && !box[7] ? box[6] : [])), { g } = this.box(item, [x + w / 2, y + h / 2, w, h, "pill", [label, "⋯"], members]);
			become.push((c) => (g.step = `${c.step}.${label}`));
		});
		return item;
	}

	box({ layers, boxes, become, fine }, [x, y, w, height, kind, text, members, uses]) {
		const { names, roles } = this.model, g = draw(layers[1], "g", { transform: `translate(${x},${y})` }), part = { g };
		const shape = kind === "circle" ? draw(g, "circle", { r: w / 2 }) : draw(g, "rect", { y: -height / 2, height });
		const lines = text.map((_, n) => draw(g, "text", { y: 3.4 + (n - (text.length - 1) / 2) * 12 }));
		const value = fine && !uses && draw(g, "text", { class: "value", y: 3.4 });
		boxes.push(part);
		become.push((c) => {
			const ids = members.map((l) => c.ids[l]), states = Array.isArray(text[0]) && text[0].map((l) => c.ids[l]); // of a whole step
			const main = states ? states.at(-1) : Math.max(...ids), words = text.map((line) => (line === text[0] && states ? states.map((id) => names[id]).join(", ") : line || names[main]));
			if (value) set(value, { x: (roles[main] === "target" ? -1 : 1) * (w / 2 + 4), "data-side": roles[main] }, this.model.shown(main));
			if (uses && 6.2 * words[0].length > w - 2) set(lines[0], { textLength: w - 4, lengthAdjust: "spacingAndGlyphs" }); // the layout made it narrow
			else lines[0]?.removeAttribute("textLength");
			const width = uses ? w : Math.max(w, ...words.map((line) => 6 * line.length)); // t = 1000 is longer than t = 1
			if (kind !== "circle") set(shape, { x: -width / 2, width });
			words.forEach((line, n) => set(lines[n], {}, line));
			g.node = main;
			Object.assign(part, { ids, main, uses: uses && edges(c, uses), base: `n ${kind} ${roles[main]}` });
		});
		return part;
	}

	line({ layers, wires, become }, base, local, d) {
		const g = draw(layers[0], "path"), part = { g, base };
		wires.push(part);
		become.push((c) => {
			set(g, { d: d(c) });
			g.edges = part.edges = edges(c, local);
		});
	}

	/** Wire j of a column, which comes from another one; it stands in the coordinates of its own. */
	crossing(first, j) {
		const { model } = this, g = draw(this.layers[1], "g"), item = { layers: [g], boxes: [], wires: [], become: [] };
		const start = this.source(first, j), base = model.cuts.length && start.step !== null ? "e cross" : "e", [, , b, split, flat, local] = first.art.X[j];
		const curve = (c, [l, k]) => { // to a folded neighbour, whose lanes are not here
			const s = this.source(c, j), from = model.parents[c.ids[l]][k], [x0, y0, w0] = s.art.B.find((box) => box[6].some((m) => s.ids[m] === from));
			const [x1, y1, w1] = c.art.B[b], x = s.x - c.x + x0 + w0 / 2, end = x1 - w1 / 2, mid = (x + end) / 2, y = s.y - c.y + y0;
			return course([x, y, mid, y, mid, y1, end, y1]);
		};
		item.become.push((c) => set(g, { transform: `translate(${c.x},${c.y})` }));
		if (start.level !== first.level) local.forEach((one) => this.line(item, base, [one], (c) => curve(c, one)));
		else this.line(item, base, local, (c) => {
			const move = this.source(c, j).x - c.x, [low, high] = [-1, 2].map((n) => (Math.abs(move) > this.wide ? (this.block + n) * this.wide - c.x : n * Infinity));
			return course(flat.map((x, n) => (n % 2 ? x : clip(n < 2 * split ? x + move : x, low, high))));
		});
		return item;
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
			put(part, part.base, ids.every((id) => id >= f) && "later", ids.includes(active) && "active", ids.includes(picked) && "picked", !uses && app.model === model && ids.some((id) => app.lit.has(id)) && "lit",
				app.found.get(model)?.has(main) && "hit", grad !== null && `done s${app.shade(grad)}`,
				grad === null && q && !uses && model.arrived(main, q) && "partial", q && this.lost(main) && "dead");
		}
		for (const part of wires) {
			const norm = total(part.edges.map(([n, k]) => model.flowed(n, k, q)));
			put(part, part.base, norm !== null && `g s${app.shade(norm)}`, q && part.edges.some(([n]) => n === active) && "now",
				part.edges.every(([n]) => n >= f) && "later", part.edges.every((e) => model.detached.has(e.join(":"))) && "cut");
			const thick = norm === null ? "" : app.thick(norm).toFixed(2);
			if (part.thick !== thick) part.g.style.strokeWidth = part.thick = thick;
		}
		if (panel) put(panel, "step", q && c.ids.some((id) => this.lost(id)) && c.ids.every((id) => this.lost(id) || model.dull(id)) && "dead");
	}
	/** True for what feels the loss in full BPTT and not in the truncated one. */
	lost(id) { return this.model.full.g[id] !== null && this.model.alt.g[id] === null; }
	update() { for (const item of this.shown.values()) this.paint(item); }

	/** Moves the window so that a node is in it; a parameter is shown where it is first used. */
	reveal(id) {
		const use = this.model.children[id].find(([n]) => this.home[n] >= 0), c = this.columns[this.home[id]] ?? this.columns[this.home[use?.[0]]];
		if (!c) return;
		const high = this.tall / this.zoom, y = c.y + (c.art.B.find((box) => box[6].some((l) => c.ids[l] === id))?.[1] ?? 0);
		if (y < this.y + 20 || y > this.y + high - 20) this.y = y - high / 2;
		const out = c.x < this.goal || c.x + c.art.w > this.goal + this.wide;
		this.app.pan(this, out ? c.x + c.art.w / 2 - this.wide / 2 : this.goal);
	}
	inside(x) {
		const room = this.width - this.wide;
		return room < -24 ? room / 2 : clip(x, -12, room + 12);
	}
	/** The zoom at which the height fits and letters stay readable, or with `all` the whole graph as far as it can. */
	fitting(all) {
		const tall = (this.tall - 8) / this.height, wide = (this.room - 24) / this.width;
		return Math.min(1.4, all ? Math.max(0.25, Math.min(tall, wide)) : Math.max(0.9, tall));
	}
	zoomBy(factor, at = 0.5) { // at: the share of the width that stays where it is
		const { wide } = this;
		this.zoom = clip(this.zoom * factor, 0.2, 3);
		this.app.pan(this, this.x + (wide - this.wide) * at, true);
	}

	listen() {
		const { svg, app } = this;
		let held = null, moved = 0;
		svg.onpointerdown = (e) => { held = e; moved = 0; };
		svg.onpointermove = (e) => {
			if (!e.buttons || !held) return;
			const dx = e.clientX - held.clientX, dy = e.clientY - held.clientY;
			if ((moved += Math.abs(dx) + Math.abs(dy)) < 4) return;
			svg.setPointerCapture(e.pointerId);
			this.y -= dy / this.zoom;
			app.pan(this, this.x - dx / this.zoom, true);
			held = e;
		};
		svg.onwheel = (e) => {
			e.preventDefault();
			if (e.ctrlKey || e.metaKey) this.zoomBy(Math.exp(-e.deltaY / 300), e.offsetX / this.room);
			else app.pan(this, this.x + (e.deltaX || e.deltaY) / this.zoom, true);
		};
		svg.onclick = (e) => {
			if (moved >= 4) return;
			if (e.target.matches(".cross")) app.cutAt(this.model, e.target.edges[0][0]);
			else app.pick(this.model, e.target.parentNode.node ?? null);
		};
		svg.onpointerover = (e) => app.point(this.model, e.target.parentNode.node ?? null);
		svg.onpointerleave = () => app.point(this.model, null);
		svg.ondblclick = (e) => {
			const key = `${e.target.step ?? e.target.parentNode.step ?? ""}`;
			if (key) app.fold(e.shiftKey ? key.replace(/.*\./, "*.") : key);
		};
	}
}
