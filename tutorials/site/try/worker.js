"use strict";
// Python in a worker. Its files are in the page, packed; those that are not come from Pyodide's
// public CDN, and the browser refuses them if their hash is another one.
const BYTES = new Map();
const tell = (kind, rest = {}) => postMessage({ kind, ...rest });

async function unpacked(text) {
  const packed = await realFetch("data:application/gzip;base64," + text); // faster than atob
  const stream = packed.body.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function fetched(name, files) {
  const answer = await realFetch(files.cdn + name, { integrity: files.integrity[name] });
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

const realFetch = self.fetch;
self.fetch = async (address, options) => {
  const name = String(address.url ?? address).split("/").pop();
  if (!BYTES.has(name)) return realFetch(address, options);
  const type = name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Response(BYTES.get(name), { headers: { "Content-Type": type } });
};

async function load({ files }) {
  for (const name of files.names) {
    tell("loading", { text: `Python is loading: ${name} …` });
    BYTES.set(name, await (name in files.packed ? unpacked(files.packed[name]) : fetched(name, files)));
  }
  const text = (name) => new TextDecoder().decode(BYTES.get(name));
  (0, eval)(text("pyodide.asm.js"));
  (0, eval)(text("pyodide.js"));
  tell("loading", { text: "Python starts …" });
  const here = "https://in.this.page/"; // answered by fetch above, never by a network
  self.python = await loadPyodide({ indexURL: here, lockFileURL: here + "pyodide-lock.json", stdLibURL: here + "python_stdlib.zip" });
  for (const name of files.names.filter((n) => n.endsWith(".whl") || n === "program.zip")) {
    python.unpackArchive(BYTES.get(name).buffer, "zip", { extractDir: "/lib/python3.12/site-packages" });
  }
  BYTES.clear();
  self.program = python.pyimport("program");
  tell("ready");
}

function run({ code, factor, view, steps, rate }) {
  const curve = (losses) => tell("curve", { losses: losses.toJs() });
  tell("done", JSON.parse(program.answer(code, factor, view, steps, rate, curve)));
}

onmessage = async ({ data }) => {
  try {
    await (data.kind === "load" ? load : run)(data);
  } catch (error) {
    tell("failed", { text: `Python failed: ${error.message}` });
  }
};
