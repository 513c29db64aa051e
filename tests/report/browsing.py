"""Drives a real browser: Debian's chromium through playwright, one page in a fresh context."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
BROWSER_MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine (apt install chromium)"),
]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def until(page: Any, expression: str, arg: Any = None, seconds: float = 20.0) -> None:
    """Wait until a JavaScript expression is true.

    Playwright's own waiting evaluates text inside the page later on, which the report's content
    security policy forbids; a single evaluation from outside is allowed.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(50)


class Visit:
    """One page in a fresh context, with all that it complained of or asked for.

    Args:
        ready: the JavaScript expression that is true once the page has come alive.
    """

    def __init__(self, browser: Any, file: Path, ready: str, **context: Any) -> None:
        self.url = file.as_uri()
        self.context = browser.new_context(accept_downloads=True, **context)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(self.url)
        until(self.page, ready)

    def close(self) -> None:
        self.context.close()
