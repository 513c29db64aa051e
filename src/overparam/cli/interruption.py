"""Ctrl-C, SIGTERM and SIGHUP: which exit code, and how to go on."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence

from overparam.errors import EXIT_INTERRUPTED
from overparam.stopping import HungUp, Terminated


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """Return 130 for Ctrl-C, 143 for SIGTERM and 129 for SIGHUP, as of a program that it ended."""
    if isinstance(stop, HungUp):
        return 128 + signal.SIGHUP
    return 128 + signal.SIGTERM if isinstance(stop, Terminated) else EXIT_INTERRUPTED


def resuming(words: Sequence[str]) -> str:
    """Return the command line that goes on where `words` was interrupted.

    >>> resuming(["run", "identity/width", "--fresh"])
    'overparam run identity/width'
    """
    return shlex.join(["overparam", *(w for w in words if w != "--fresh")])
