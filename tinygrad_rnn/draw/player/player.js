// The state of the player and its controls. `app.refresh` shows a moment everywhere.

const F = Math.max(...models.map((m) => m.ids.length)), B = Math.max(...models.map((m) => m.order.length)), END = F + B;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const log = (g) => (g > 0 ? Math.log10(g) : NaN);
const say = (text) => ($("live").textContent = text);

const app = {
	p: 0, level: "op", sel: null, overview: true, model: models[0], folds: new Set(), lit: new Set(), found: new Map(), playing: false, question: null, score: [0, 0],

	/** Values computed (f), backward steps done (q), and the node at work, for one model. */
	moment(m) {
		const f = Math.round((Math.min(this.p, F) / F) * m.ids.length), q = this.p > F ? Math.ceil(((this.p - F) / B) * m.order.length) : 0;
		return { f, q, active: q ? m.order[q - 1] : f ? f - 1 : null };
	},

	// Colour and width: six shades over at most six decades below the largest gradient, for all models.
	rescale() {
		const here = (m) => m.e.filter((_, id) => m.step[id] === m.step[this.moment(m).active ?? 0]);
		const logs = models.flatMap((m) => ($("scale").value ? here(m) : m.e).flat()).map(log).filter(Number.isFinite);
		const [low, high] = logs.length ? logs.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]) : [0, 0];
		this.range = [clip(low, high - 6, high - 0.5), high];
		[$("low").textContent, $("high").textContent] = this.range.map((x) => fmt(+(10 ** x).toPrecision(1)));
	},
	part(g) { return (log(g) - this.range[0]) / (this.range[1] - this.range[0]); },
	shade(g) { return !(g > 0) ? (g === 0 ? "z" : "n") : this.part(g) < -1e-9 ? "0 tiny" : Math.min(5, Math.floor(this.part(g) * 6)); },
	thick(g) { return 0.8 + 2.4 * clip(this.part(g) || 0, 0, 1); },

	go(p) {
		Object.assign(this, { p: clip(p, 0, END), sel: null, overview: false, question: null });
		this.playing &&= this.p < END;
		this.refresh(true);
	},
	step(by) {
		const guess = by > 0 && $("predict").checked && this.p >= F && this.p < END && !this.question;
		this.question = guess ? ask(this.model, this.moment(this.model).q) : null;
		if (!this.question) return this.go(this.p + by);
		this.playing = false;
		this.refresh();
	},
	answer(i) {
		const { right, choices, why } = this.question, good = i === right;
		this.score[0] += good;
		this.score[1]++;
		const text = `${good ? "✓ Right" : `✗ No: ${choices[right]}`}; ${why}. Score ${this.score.join("/")}.`;
		this.go(this.p + 1);
		$("panel").insertAdjacentHTML("afterbegin", `<p class="note ${good ? "good" : "bad"}">${esc(text)}`);
		say(text);
		$("stages").focus();
	},
	play() {
		if (!this.playing && this.p === END) this.go(0);
		this.playing = !this.playing;
		this.due = performance.now();
		this.refresh();
		frame();
	},
	pick(model, id) {
		Object.assign(this, { model, sel: id, overview: id === null, question: null });
		this.refresh();
	},
	show(m, id) {
		this.pick(m, id);
		stages[models.indexOf(m)].reveal(id);
	},
	/** Lights up the nodes that a line of code made; no line, none. */
	light(line) {
		const m = this.model, ids = line ? m.madeBy(line) : [];
		this.lit = new Set(ids);
		if (line) $("sum").innerHTML = sums(m, ids);
		for (const s of stages) s.update();
	},
	/** Marks the lines that made a node: the one pointed at, else the chosen one, else that at work. */
	point(m, id) {
		if (!m.code.length || m !== this.model) return;
		const chain = m.chain(id ?? this.sel ?? this.moment(m).active ?? 0), lines = new Set(chain), now = this.marked ?? [];
		if (this.chain === `${chain}`) return;
		this.chain = `${chain}`;
		this.marked = [...$("code").querySelectorAll("[data-line]")].filter((each) => lines.has(each.dataset.line));
		for (const each of now) each.classList.remove("on");
		for (const each of this.marked) each.classList.add("on");
	},
	/** Shows the code of the model at work, and where in it we are. */
	where(m) {
		const before = this.chain;
		if (this.shown !== m) $("code").innerHTML = source((this.shown = m)), this.chain = null;
		$("code").hidden = !m.code.length;
		this.point(m, null);
		if (this.chain === before) return; // where a line stands costs a layout
		const box = $("code"), line = this.marked?.find((each) => each.offsetParent);
		if (line && (line.offsetTop < box.scrollTop + 60 || line.offsetTop > box.scrollTop + box.clientHeight - 20)) box.scrollTop = line.offsetTop - box.clientHeight / 2;
	},
	fold(key) {
		if (!this.folds.delete(key)) this.folds.add(key);
		this.layout();
	},
	cut(k) {
		for (const m of models) m.cut(k);
		$("cut").value = k;
		this.layout();
		say(`BPTT: ${$("cut").selectedOptions[0]?.text}`);
	},
	cutAt(m, child) { // the cut nearest below the clicked wire; a second click heals it
		const k = m.cuts.findLast((c) => c.k <= m.last - m.step[child] + 1)?.k ?? m.cuts[0].k;
		this.cut(m.alt.k === k ? 0 : k);
	},
	pan(stage, x, now = still.matches) {
		stage.goal = stage.inside(x);
		if (now || Math.abs(stage.goal - stage.x) > 2 * stage.wide) stage.x = stage.goal;
		frame();
	},
	layout(fit) {
		for (const s of stages) {
			const middle = (s.x + s.wide / 2) / (s.width || 1);
			s.relayout();
			s.x = s.goal = middle * s.width - s.wide / 2;
		}
		this.sized(fit);
	},
	/** Takes the room that there is; the elements of columns in sight stay. */
	sized(fit) {
		for (const line of lines) line.wide = line.canvas.clientWidth;
		for (const s of stages) {
			const middle = s.x + s.wide / 2;
			s.measure();
			s.x = middle - s.wide / 2;
		}
		if (fit) this.fit();
		for (const s of stages) s.x = s.goal = s.inside(s.x);
		this.refresh();
	},
	/** Gives all models one zoom, at which the largest fits; a narrow window shows the whole graph. */
	fit(all = $("stages").clientWidth < 600) {
		const zoom = Math.min(...stages.map((s) => s.fitting(all)));
		for (const s of stages) {
			s.zoom = zoom;
			s.x = s.goal = s.inside(s.x);
		}
	},
	/** Chooses the node at work, or the one that lies `way` from it: a number of nodes, or an input or user. */
	walk(way) {
		const m = this.model, id = this.sel ?? this.moment(m).active ?? 0;
		const to = way === "input" ? m.parents[id].find((p) => p !== null) : way === "user" ? m.children[id][0]?.[0] : id + way;
		if (m.ids[to] !== undefined) this.show(m, to);
	},

	table() {
		const m = this.model;
		if ($("table").open) $("rows").innerHTML = stepTable(m, this.sel ?? this.moment(m).active ?? 0);
	},
	refresh(follow) {
		if ($("scale").value) this.rescale();
		const back = this.p > F, m = this.model, { q, active } = this.moment(m), id = this.sel ?? active;
		const phase = ($("phase").textContent = back ? `backward ${this.p - F}/${B}` : `forward ${this.p}/${F}`);
		$("slider").value = this.p;
		$("slider").setAttribute("aria-valuetext", phase);
		document.body.dataset.phase = back ? "backward" : "forward";
		$("play").textContent = this.playing ? "❚❚" : "▶";
		for (const button of $("levels").children) button.setAttribute("aria-pressed", button.textContent === this.level);
		for (const s of stages) {
			const at = this.moment(s.model).active;
			if (follow && at !== null) s.reveal(at);
			s.look(); // columns that come into sight first: those that leave need no new colours
			s.update();
		}
		$("panel").innerHTML = this.question ? quiz(this.question) : this.overview || id === null ? overview(m) : explain(m, id);
		this.where(m);
		if (this.question) $("panel").querySelector("button").focus();
		if (!this.playing) say(this.question?.text ?? `${phase}${id === null ? "" : `: ${m.title(id)}, gradient ${fmt(m.grad(id, q))}`}`);
		this.table();
		strips(true);
		clearTimeout(this.saving);
		this.saving = setTimeout(save, 200);
	},
};

const stages = models.map((m, i) => new Stage($("stages").children[i], m, app));

// The minimap: per state a strip of log ‖∂L/∂a⟨t⟩‖ over all steps, and the window on it.
const lines = [...$("strips").children].map((line) => {
	const [i, j] = line.dataset.strip.split(","), s = stages[i], [canvas, view] = line.children[1].children;
	canvas.onpointerdown = canvas.onpointermove = (e) => e.buttons && app.pan(s, (e.offsetX / canvas.clientWidth) * s.width - s.wide / 2, true);
	return { s, canvas, view, ids: s.model.rows[j].ids, ratio: line.lastElementChild, tones: {} };
});
function strips(repaint) {
	for (const { s, canvas, view, ids, ratio, tones, wide } of lines) {
		const share = (x) => `${100 * clip(x / s.width, 0, 1)}%`;
		view.style.left = share(s.x);
		view.style.right = share(s.width - s.x - s.wide);
		if (!repaint) continue;
		const pen = canvas.getContext("2d"), { q } = app.moment(s.model);
		canvas.width = wide; // which clears it
		const at = (i) => Math.round((i * wide) / ids.length), grads = ids.map((id) => s.model.grad(id, q)), [a, b] = [grads[0], grads.at(-1)];
		grads.forEach((g, i) => {
			if (g === null) return;
			const tone = `--s${app.shade(g)}`.slice(0, 4);
			pen.fillStyle = tones[tone] ??= getComputedStyle(document.body).getPropertyValue(tone);
			pen.fillRect(at(i), 0, Math.max(1, at(i + 1) - at(i) - (wide > 6 * ids.length)), 99);
		});
		ratio.textContent = a === null || !b ? "" : `first/last ${fmt(+(a / b).toPrecision(2))}`;
	}
}

/** One animation frame: windows glide to their goals, the sweep goes on; it stops when all rest. */
let asked = false;
function frame() {
	if (!asked) asked = requestAnimationFrame((now) => {
		asked = false;
		const steps = app.playing ? Math.floor(((now - app.due) / 1000) * $("speed").value) : 0, gliding = stages.some((s) => s.x !== s.goal);
		for (const s of stages) {
			s.x = Math.abs(s.goal - s.x) < 1 ? s.goal : s.x + (s.goal - s.x) * 0.25;
			s.look();
		}
		if (steps) {
			app.due = now;
			app.step($("predict").checked ? 1 : steps);
		} else strips();
		if (gliding || app.playing) frame();
	});
}

/** True once every node's text for the search is made; each call spends some 10 ms on them. */
function indexed() {
	for (const end = performance.now() + 10; performance.now() < end; ) {
		const m = models.find((each) => each.texts.length < each.ids.length);
		if (!m) return true;
		for (const id of m.ids.slice(m.texts.length, m.texts.length + 500)) {
			m.texts.push(plain(`${m.names[id] || ""} ${m.kind(id)} ${m.symbol(id)} t=${m.step[id]} ${m.where(id)}`));
		}
	}
}
function search(next) {
	if (!indexed()) return requestAnimationFrame(() => search(next));
	const words = plain($("search").value).split(/\s+/).filter(Boolean), all = [];
	for (const m of models) {
		const ids = m.ids.filter((id) => words[0] && words.every((w) => m.texts[id].includes(w)));
		app.found.set(m, new Set(ids));
		all.push(...ids.map((id) => [m, id]));
	}
	$("found").textContent = words[0] ? `${all.length} hit${all.length === 1 ? "" : "s"}` : "";
	app.hit = next ? (app.hit + 1) % all.length : -1;
	if (next && all.length) app.show(...all[app.hit]);
	for (const s of stages) s.update();
}

// The moment in the address, so that a link leads to it.
function save() {
	const [{ x, zoom }] = stages, n = app.sel === null ? "" : `${models.indexOf(app.model)},${app.sel}`;
	const { p, level: l, folds } = app, state = { p, l, n, f: [...folds].join(" "), k: $("cut").value, x: x.toFixed(), z: zoom.toFixed(2), q: $("search").value, o: +app.overview };
	try { history.replaceState(null, "", `#${new URLSearchParams(state)}`); } catch { } // a frame without address
}
/** The level to open at: all operations; in a narrow window the finest at which the whole graph can be seen. */
function roomy() {
	const names = Object.keys(models[0].levels), room = $("stages").clientWidth;
	const width = (level) => level.S.reduce((sum, [, picture, , gap]) => sum + level.T[picture].w + gap, 0);
	return room < 600 ? names.findLast((name) => models.every((m) => 0.35 * width(m.levels[name] ?? m.levels.op) < room)) ?? names[0] : "op";
}
function load() {
	const { p, l = roomy(), n = "", f = "", k = 0, x, z, q = "", o = p ? 0 : 1 } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
	const [i, id] = n.split(","), model = models[i] ?? models[0], sel = model.op[id] === undefined ? null : +id;
	Object.assign(app, { p: clip(+p || 0, 0, END), level: l, model, sel, overview: +o > 0, folds: new Set(f.split(" ").filter(Boolean)) });
	$("search").value = q;
	app.rescale();
	app.layout(true);
	if (+k) app.cut(+k);
	for (const s of stages) {
		const goal = sel ?? app.moment(s.model).active;
		s.zoom = clip(+z || s.zoom, 0.2, 3);
		if (x !== undefined) app.pan(s, +x || 0);
		else if (goal !== null) s.reveal(goal);
		s.x = s.goal;
		s.look();
	}
	search();
}

const each = (act) => () => stages.forEach(act);
const keys = {
	".": () => app.step(1), ",": () => app.step(-1), " ": () => app.play(), b: () => app.go(F), Home: () => app.go(0), End: () => app.go(END),
	"/": () => $("search").focus(), "?": () => $("keys").showModal(), p: () => app.pick(app.model, null), Escape: () => app.go(app.p),
	f: () => { app.fit(true); frame(); }, "+": each((s) => s.zoomBy(1.2)), "-": each((s) => s.zoomBy(1 / 1.2)),
	ShiftArrowLeft: () => app.walk(-1), ShiftArrowRight: () => app.walk(1), ShiftArrowDown: () => app.walk("input"), ShiftArrowUp: () => app.walk("user"),
	ArrowLeft: each((s) => app.pan(s, s.goal - 160 / s.zoom)), ArrowRight: each((s) => app.pan(s, s.goal + 160 / s.zoom)),
};
for (const { dataset, textContent } of $("levels").children) keys[dataset.key] = () => { app.level = textContent; app.layout(true); };

addEventListener("keydown", (e) => {
	const typing = e.target.matches("select, [type=search]"), pressing = e.key === " " && e.target.matches("button, summary, [type=checkbox]");
	if (e.key === "Enter" && e.target === $("search")) search(true);
	if (e.key === "Escape" && typing) $("stages").focus();
	const own = typing || pressing || $("keys").open || (e.target === $("slider") && e.key.startsWith("Arrow"));
	const act = keys[(e.shiftKey && e.key.startsWith("Arrow") ? "Shift" : "") + e.key];
	if (own || !act || e.ctrlKey || e.metaKey || e.altKey) return;
	e.preventDefault();
	act();
});
document.addEventListener("click", (e) => {
	const { go, answer, key } = e.target.closest("[data-go], [data-answer], [data-key]")?.dataset ?? {};
	if (answer) app.answer(+answer);
	if (key) keys[key]();
	if (go) app.show(models[go.split(",")[0]], +go.split(",")[1]);
});
for (const [event, on] of [["pointerover", 1], ["focusin", 1], ["pointerout", 0], ["focusout", 0]]) {
	$("code").addEventListener(event, (e) => app.light(on && e.target.closest("[data-line]")?.dataset.line));
}
$("slider").oninput = () => app.go(+$("slider").value);
$("search").oninput = () => search();
$("cut").onchange = () => app.cut(+$("cut").value);
$("scale").onchange = () => { app.rescale(); app.refresh(); };
$("table").ontoggle = () => app.table();
$("theme").onclick = () => {
	document.documentElement.dataset.theme = getComputedStyle(document.body).colorScheme === "dark" ? "light" : "dark";
	for (const line of lines) line.tones = {};
	strips(true);
};
addEventListener("hashchange", load);
load();
new ResizeObserver(() => app.opened ? app.sized(true) : (app.opened = true)).observe($("stages"));
