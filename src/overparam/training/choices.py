"""`Choices`: what was measured to be fastest, kept so that no record depends on a noisy clock.

A choice is looked up in the study first (a resumed run repeats itself), then in a file of this
machine (two workers, and two studies, agree); only then it is measured, under a lock on that
file, so that of two workers that ask at once one measures and the other reads.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not POSIX: two workers may measure at once; the study keeps the first
    fcntl = None  # type: ignore[assignment]


class Choices:
    """Choices by key.

    Args:
        known: those of the study. path: the machine's file, or None to remember in memory only.

    >>> choices = Choices()
    >>> choices.decide("kind", lambda: "mapped"), choices.decide("kind", lambda: "alone")
    ('mapped', 'mapped')
    """

    def __init__(self, known: Mapping[str, str] | None = None, path: Path | None = None) -> None:
        self.made: dict[str, str] = dict(known or {})
        self.path = path

    def decide(self, key: str, measure: Callable[[], str]) -> str:
        """Return the choice under `key`, calling `measure` if there is none yet."""
        if key not in self.made:
            with self._file() as file:
                kept = _read(file)
                self.made[key] = kept[key] if key in kept else measure()
                if key not in kept and file is not None:
                    _keep(file, kept | {key: self.made[key]})
        return self.made[key]

    @contextlib.contextmanager
    def _file(self) -> Iterator[IO[str] | None]:
        try:
            if self.path is None:
                raise OSError("remember in memory only")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+")
        except OSError:  # no cache folder to write in: the choice lives as long as this process
            yield None
            return
        with file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _keep(file: IO[str], choices: Mapping[str, str]) -> None:
    """Write the choices; on a full disk the file stays as it was, and the study keeps them."""
    handle = file.fileno()  # not through the file's buffer, which would try again when it closes
    size = os.lseek(handle, 0, os.SEEK_END)
    os.lseek(handle, 0, os.SEEK_SET)
    before = os.read(handle, size)
    for text in (json.dumps(choices).encode(), before):
        os.lseek(handle, 0, os.SEEK_SET)
        with contextlib.suppress(OSError):
            if os.write(handle, text) == len(text):
                os.ftruncate(handle, len(text))
                return


def _read(file: IO[str] | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        kept = json.load(file)
    except ValueError:  # empty, or cut off by a crash: measured anew
        return {}
    return {k: v for k, v in kept.items() if isinstance(v, str)} if isinstance(kept, dict) else {}
