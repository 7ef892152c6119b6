"use strict";
// The page: what is written and set goes to a worker, where Python runs; what comes back is shown.
const $ = (id) => document.getElementById(id);
const read = (id) => JSON.parse($(id).textContent);
const FILES = read("files");
const PROGRAMS = read("programs");
let worker, began, ready = false;

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", wrong);
}

function start() {
  const source = new Blob([$("worker").textContent], { type: "text/javascript" });
  const address = URL.createObjectURL(source);
  worker = new Worker(address);
  worker.onmessage = ({ data }) => SHOW[data.kind](data);
  worker.onerror = (event) => say(`Python did not start: ${event.message}`, true);
  worker.postMessage({ kind: "load", files: FILES });
  ready = false;
  busy(true);
}

function busy(is) {
  for (const id of ["run", "train"]) $(id).disabled = is || !ready;
  $("stop").disabled = !is || !ready;
}

const given = () => ({
  code: $("code").value,
  factor: Number($("factor").value),
  view: $("view").value,
});

function run(steps = 0) {
  if (!ready || $("run").disabled) return;
  busy(true);
  began = performance.now();
  say(steps ? "going downhill …" : "running …");
  worker.postMessage({ kind: "run", ...given(), steps, rate: 10 ** Number($("rate").value) });
}

const number = (x) => (x === null ? "–" : Number(x).toPrecision(3));

const SHOW = {
  loading: ({ text }) => say(text),
  ready() {
    ready = true;
    busy(false);
    say("ready");
    run();
  },
  failed({ text }) {
    busy(false);
    say(text, true);
  },
  curve: ({ losses }) => curve(losses),
  done({ text, error, pictures, player, leaves }) {
    busy(false);
    say(error ? "the program raised" : `done in ${((performance.now() - began) / 1000).toFixed(1)} s`, error);
    $("printed").textContent = text;
    $("printed").classList.toggle("error", error);
    $("pictures").innerHTML = pictures.join("\n");
    if (player) $("player").srcdoc = player;
    const most = Math.max(...leaves.map((leaf) => leaf.grad ?? 0), 1e-300);
    $("leaves").tBodies[0].replaceChildren(...leaves.map((leaf) => row(leaf, most)));
  },
};

function row(leaf, most) {
  const made = document.createElement("tr");
  for (const text of [leaf.name, leaf.shape, number(leaf.norm), number(leaf.grad)]) {
    made.insertCell().textContent = text;
  }
  made.lastChild.className = "bar";
  made.lastChild.style.setProperty("--share", (leaf.grad ?? 0) / most);
  return made;
}

function curve(losses) {
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const x = (i) => 60 + (i * 330) / Math.max(losses.length - 1, 1);
  const y = (v) => 12 + (80 * (high - v)) / (high - low || 1);
  const points = losses.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
  $("curve").innerHTML = `<svg viewBox="0 0 400 120" role="img" aria-label="loss over steps" font-size="10" fill="currentColor">
    <path d="M60 8V98H392" fill="none" stroke="currentColor" opacity=".5"/>
    <polyline points="${points}" fill="none" stroke="#3b6fb6" stroke-width="2"/>
    <text x="55" y="16" text-anchor="end">${number(high)}</text><text x="55" y="96" text-anchor="end">${number(low)}</text>
    <text x="60" y="112">0</text><text x="392" y="112" text-anchor="end">step ${losses.length - 1}</text></svg>`;
}

const LENGTH = /^(T\b[^=\n]*= *)(\d+)/m; // T = 20, or T, B = 20, 4

function load(name) {
  $("code").value = PROGRAMS[name] ?? PROGRAMS[""];
  const T = LENGTH.exec($("code").value);
  $("for-T").hidden = !T;
  if (T) $("T").value = T[2];
  labels();
}

function labels() {
  $("T").nextElementSibling.value = $("T").value;
  $("factor").nextElementSibling.value = $("factor").value;
  $("rate").nextElementSibling.value = number(10 ** Number($("rate").value));
}

function tab(player) {
  $("player").hidden = !player;
  $("pictures").hidden = player;
  $("show-player").setAttribute("aria-pressed", player);
  $("show-picture").setAttribute("aria-pressed", !player);
}

for (const name of Object.keys(PROGRAMS).filter(Boolean)) $("chapter").add(new Option(name, name));
$("chapter").onchange = () => { load($("chapter").value); run(); };
$("run").onclick = () => run();
$("train").onclick = () => run(30);
$("stop").onclick = () => { worker.terminate(); start(); };
$("show-picture").onclick = () => tab(false);
$("show-player").onclick = () => tab(true);
$("view").onchange = () => run();
const steps = () => { $("code").value = $("code").value.replace(LENGTH, `$1${$("T").value}`); };
$("T").addEventListener("input", steps);
for (const id of ["T", "factor"]) $(id).onchange = () => run();
for (const id of ["T", "factor", "rate"]) $(id).oninput = labels;
$("code").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
};
const asked = decodeURIComponent(location.hash.slice(1));
if (asked in PROGRAMS) $("chapter").value = asked;
load($("chapter").value);
start();
