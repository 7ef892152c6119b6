"""Opens a built site in Chromium, over HTTP from this machine, and says what its pages lack."""

from __future__ import annotations

import functools
import http.server
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from player_browser import Page

UNASKED = 10**9  # the number of commands whose answers nobody waits for
TROUBLE = ("Runtime.exceptionThrown", "Log.entryAdded")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address where a folder is served on this machine alone."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def visit(page: Page, address: str) -> None:
    """Open an address and wait until its scripts have run."""
    page.send("Page.navigate", url=address)
    page.wait(f"document.readyState === 'complete' && location.href.startsWith({address!r})")


class WatchedPage(Page):
    """A page whose workers are watched too: each waits until its requests are among the events."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.send(
            "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True
        )

    def _receive(self, deadline: float) -> dict[str, Any]:
        event = super()._receive(deadline)
        if event.get("method") == "Target.attachedToTarget":
            for command in ("Network.enable", "Runtime.enable", "Runtime.runIfWaitingForDebugger"):
                message = {"id": UNASKED, "method": command, "params": {}}
                worker = {"sessionId": event["params"]["sessionId"]}
                os.write(self._into, json.dumps(message | worker).encode() + b"\0")
        return event


def complaints(page: Page) -> list[str]:
    """Return what went wrong on the pages that were open: exceptions and logged errors."""
    found = [e["params"] for e in page.events if e.get("method") in TROUBLE]
    found += [
        e["params"] for e in page.events
        if e.get("method") == "Runtime.consoleAPICalled" and e["params"]["type"] == "error"
    ]  # fmt: skip
    levels = [params.get("entry", {}).get("level", "error") for params in found]
    return [str(params)[:400] for params, level in zip(found, levels) if level == "error"]


def outside(page: Page) -> list[str]:
    """Return the addresses that were asked for and are not on this machine."""
    asked = [
        e["params"]["request"]["url"] for e in page.events
        if e.get("method") == "Network.requestWillBeSent"
    ]  # fmt: skip
    here = ("http://127.0.0.1:", "file:", "data:", "blob:", "about:")
    return [url for url in asked if not url.startswith(here)]
