"""The folder in which the package keeps what it made or measured on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from overparam.errors import ResourceError
from overparam.whole_file import write_whole


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


def kept_text(name: str, make: Callable[[], str]) -> str:
    """Return what `make` returned when it was first asked for on this machine.

    A kept text that is damaged, another user's, or cannot be read or written is made anew.

    Args:
        name: of the file in the cache; it tells all that the text depends on.
    """
    path = cache_home() / name
    with contextlib.suppress(OSError):
        if is_trusted(path):
            digest, _, kept = path.read_bytes().partition(b"\n")
            if hashlib.sha256(kept).hexdigest().encode() == digest:
                return kept.decode()
    text = make()
    digest = hashlib.sha256(text.encode()).hexdigest().encode()
    with contextlib.suppress(ResourceError):
        write_whole(path, digest + b"\n" + text.encode())
    return text
