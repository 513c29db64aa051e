"""The folder in which the package keeps what it made or measured on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Return the folder: ``OVERPARAM_CACHE``, else ``~/.cache/overparam``. It may not exist."""
    named = os.environ.get("OVERPARAM_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "overparam"


def is_trusted(path: Path) -> bool:
    """Whether a file that will be executed was put there by this user, or by root.

    A cache that several users share must not let one of them run code as another. Where files
    have no owners in this sense (not POSIX), every file is trusted.
    """
    return os.name != "posix" or path.stat().st_uid in (os.getuid(), 0)
