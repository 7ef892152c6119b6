"""A headless Chromium driven over two pipes: no web driver, no third-party package.

Chromium started with --remote-debugging-pipe reads DevTools commands (JSON ended by a NUL byte)
on file descriptor 3 and answers on 4. `Page` sends a command, waits for the answer with the same
id and keeps every event it meets on the way, so a test can ask afterwards what the page logged
and which addresses it tried to open.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --mute-audio "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-extensions --hide-scrollbars --remote-debugging-pipe"
).split()
KEYS = {
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Tab": ("Tab", 9, ""),
    "End": ("End", 35, ""),
    "Home": ("Home", 36, ""),
    " ": ("Space", 32, " "),
}


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome on PATH, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """One tab. Use as a context manager: leaving it ends the browser and removes its profile."""

    def __init__(self, width: int = 1280, height: int = 800, timeout: float = 30.0) -> None:
        self.timeout, self.events, self._last, self._rest = timeout, [], 0, b""
        self.profile = tempfile.mkdtemp(prefix="player-browser-")
        self._start(width, height)
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self.session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.size(width, height)

    def _start(self, width: int, height: int) -> None:
        self.session = None
        into_read, self._into = os.pipe()
        self._out, out_write = os.pipe()

        def as_three_and_four() -> None:
            # copies first: 3 or 4 may themselves be one of the pipe's ends
            source, sink = os.dup(into_read), os.dup(out_write)
            os.dup2(source, 3)
            os.dup2(sink, 4)

        chromium = find_chromium() or "chromium"
        arguments = [f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
        self.process = subprocess.Popen(
            [chromium, *FLAGS, *arguments, "about:blank"],
            preexec_fn=as_three_and_four,
            close_fds=False,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(into_read)
        os.close(out_write)

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._into)
        os.close(self._out)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        shutil.rmtree(self.profile, ignore_errors=True)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Answer of one DevTools command to the tab; RuntimeError with Chromium's own message."""
        return self._send(method, self.session, **params)

    def _send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self.timeout
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != self._last:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._out], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self._out, 1 << 16) if ready else b""
            if not chunk:
                raise TimeoutError("Chromium ended or did not answer in time")
            self._rest += chunk
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, path: Path, fragment: str = "") -> None:
        """Loads a local file and waits until its scripts have run."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, expression: str) -> Any:
        """JSON value of a JavaScript expression (promises awaited); its exception is raised."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            detail = answer["exceptionDetails"]
            raise RuntimeError(detail.get("exception", {}).get("description", detail["text"]))
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Returns once the expression is true; TimeoutError naming it otherwise."""
        deadline = time.monotonic() + self.timeout
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        """Real key strokes: names such as "ArrowRight" or "Shift+ArrowUp", or single characters."""
        for pressed in keys:
            shift, key = pressed.startswith("Shift+"), pressed.removeprefix("Shift+")
            code, number, text = KEYS.get(key, ("", ord(key[0].upper()), key))
            fields = dict(key=key, code=code, windowsVirtualKeyCode=number, modifiers=8 * shift)
            self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **fields)
            self.send("Input.dispatchKeyEvent", type="keyUp", **fields)

    def click(self, x: float, y: float, clicks: int = 1) -> None:
        """Left click at a point of the window."""
        for count in range(1, clicks + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.send(
                    "Input.dispatchMouseEvent",
                    **dict(type=kind, x=x, y=y, button="left", clickCount=count),
                )

    def hover(self, x: float, y: float) -> None:
        """Moves the mouse to a point of the window."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.run("new Promise(requestAnimationFrame)")

    def size(self, width: int, height: int) -> None:
        """Sets the window's inner size."""
        fields = dict(width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setDeviceMetricsOverride", **fields)

    def media(self, **features: str) -> None:
        """Emulates media features: media(prefers_color_scheme="dark")."""
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.send("Emulation.setEmulatedMedia", features=named)

    def cost(self, act: str) -> float:
        """Milliseconds of processor time that a statement and its next two frames cost the tab.

        Script, style, layout and painting of the page's thread count, and its rasterizing threads:
        time that other programs took from a busy machine does not.
        """
        frame = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))"
        self.run(f"new Promise((done) => {frame})")
        before = self._spent()
        self.run(f"new Promise((done) => {{ {act}; {frame}; }})")
        return self._spent() - before

    def _spent(self) -> float:
        """Milliseconds of processor time of every thread of every renderer so far."""
        nanoseconds = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                group = stat.read_text().rpartition(")")[2].split()[2]
                if group != str(self.process.pid):
                    continue
                if "--type=renderer" in (stat.parent / "cmdline").read_text():
                    threads = (stat.parent / "task").glob("*/schedstat")
                    nanoseconds += sum(int(one.read_text().split()[0]) for one in threads)
            except (OSError, IndexError):  # a process that just ended
                continue
        return nanoseconds / 1e6

    def screenshot(self, path: Path) -> None:
        """Writes the window's picture as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def problems(self) -> list[str]:
        """Every exception, console error or warning, and log entry since the start."""
        self.run("0")  # flushes what is still on its way
        found = []
        for event in self.events:
            name, detail = event.get("method"), event.get("params", {})
            if name == "Runtime.exceptionThrown":
                found.append(str(detail["exceptionDetails"].get("exception", detail)))
            elif name == "Runtime.consoleAPICalled" and detail["type"] in ("error", "warning"):
                found.append(str(detail["args"]))
            elif name == "Log.entryAdded":
                found.append(detail["entry"]["text"])
        return found

    def requests(self) -> list[str]:
        """Every address the tab asked for that is neither the file itself nor about: or data:."""
        sent = [e["params"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        urls = [each["request"]["url"] for each in sent]
        own = ("file:", "about:", "data:", "blob:")
        return [url for url in urls if not url.startswith(own)]
