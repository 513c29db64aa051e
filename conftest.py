"""Tests and doctests keep what they measure and compile in a folder of their own.

Choices of a machine are made once and believed ever after, so those of a test run are not to be
the user's, nor the user's the tests'. One folder serves the whole session, with all its processes,
so that each library is compiled once.
"""

import os
import shutil
import signal
import tempfile

import pytest

_KEPT = pytest.StashKey[tuple[str, str | None]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder, which the processes of pytest-xdist inherit, as they do what ends them."""
    if not hasattr(config, "workerinput"):
        # What a shell without job control starts in the background ignores Ctrl-C, and so would
        # every program that a test starts.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        folder = tempfile.mkdtemp(prefix="overparam-tests-")
        config.stash[_KEPT] = (folder, os.environ.get("OVERPARAM_CACHE"))
        os.environ["OVERPARAM_CACHE"] = folder


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it."""
    folder, before = config.stash.get(_KEPT, ("", None))
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("OVERPARAM_CACHE")
        if before is not None:
            os.environ["OVERPARAM_CACHE"] = before
