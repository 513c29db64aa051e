"""Files whose code is executed in this process, by whatever means.

`runpy`, a loader that a program makes itself, or `exec` of a code object run a file that is in
`sys.modules` under no name. All of them execute code objects that tell their file, and Python
tells an audit hook of each. A hook cannot be taken away again, so this one asks whether anybody
is watching.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

_notes: list[Callable[[str], None]] = []
_hooked: list[bool] = []


def watch_executions(note: Callable[[str], None]) -> None:
    """Call `note` with the absolute path of each file whose code is executed from now on."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    _notes.append(note)


@contextlib.contextmanager
def watched_executions(note: Callable[[str], None]) -> Iterator[None]:
    """Call `note` with each file whose code is executed inside the block."""
    watch_executions(note)
    try:
        yield
    finally:
        _notes.remove(note)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "exec" or not _notes:
        return
    file = getattr(arguments[0], "co_filename", "")
    if os.path.isabs(file):
        with contextlib.suppress(Exception):  # what a hook raises ends what it is told of
            _notes[-1](file)
