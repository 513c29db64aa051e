"""`Choices`: what was measured to be fastest, kept so that no record depends on a noisy clock.

A choice is looked up in the study first (a resumed run repeats itself), then in a file of this
machine (two workers, two studies and two scripts agree); only then it is measured, under a lock
on that file, so that of two that ask at once one measures and the other reads. Where there is no
such file to write in, nothing is measured: the first way is taken, by every run alike. What a
measurement had to say (a way that is not possible) is kept beside its choice, so that every run
that takes the choice says it too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import IO

from overparam.cache import CacheUnusable, cache_home, open_private
from overparam.machine import available_cores, processor_name

try:
    import fcntl
except ImportError:  # not POSIX: without a lock two might choose differently, so nothing is kept
    fcntl = None  # type: ignore[assignment]

_MOST_LETTERS = 300  # of a note, which comes from a file


class Choices:
    """Choices by key.

    Args:
        known: those of the study. path: the machine's file; None where there is none.

    >>> Choices().decide("kind", ("alone", "mapped"), measure=lambda: "mapped")
    'alone'
    """

    def __init__(self, known: Mapping[str, str] | None = None, path: Path | None = None) -> None:
        self.made: dict[str, str] = dict(known or {})
        self.path = path

    def decide(
        self,
        key: str | None,
        ways: Sequence[str],
        measure: Callable[[], str],
        notes: list[str] | None = None,
    ) -> str:
        """Return the choice under `key`; if there is none yet, what `measure` says.

        Args:
            key: None for what has no stable name, which nobody could find again.
            ways: what there is to choose from. The first is taken wherever a measurement could
                not be kept: it would be forgotten, and the next run might decide otherwise.
            notes: an empty list to which `measure` adds. Whenever the choice is taken, it holds
                what was said when it was measured.
        """
        if key is None:
            return ways[0]
        said = [] if notes is None else notes
        if self.made.get(key) not in ways:
            self.made.pop(_beside(key), None)
            self.made |= self._on_this_machine(key, ways, measure, said)
        note = self.made.get(_beside(key))
        said[:] = [note[:_MOST_LETTERS]] if isinstance(note, str) else []
        return self.made[key]

    def _on_this_machine(
        self, key: str, ways: Sequence[str], measure: Callable[[], str], said: list[str]
    ) -> dict[str, str]:
        """Return the choice under its key and, where there is one, the note beside it."""
        with self._file() as (file, writable):
            kept = _read(file)
            if kept.get(key) in ways:
                return {k: kept[k] for k in (key, _beside(key)) if k in kept}
            if file is None or not writable:
                return {key: ways[0]}
            made = {key: measure()}
            kept.pop(_beside(key), None)
            if said:
                made[_beside(key)] = "; ".join(said)
            return made if _keep(file, kept | made) else {key: ways[0]}

    @contextlib.contextmanager
    def _file(self) -> Iterator[tuple[IO[str] | None, bool]]:
        """Open the file under a lock; also return whether it can be written."""
        if self.path is None or fcntl is None:
            yield None, False
            return
        with contextlib.ExitStack() as stack:
            file, writable = None, False
            with contextlib.suppress(CacheUnusable, OSError):
                handle, writable = open_private(self.path)
                file = stack.enter_context(os.fdopen(handle, "r+" if writable else "r"))
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file, writable


def _beside(key: str) -> str:
    """Return the key of the note beside a choice."""
    return f"{key} note"


def _keep(file: IO[str], choices: Mapping[str, str]) -> bool:
    """Write the choices and say whether that went well; else the file stays as it was."""
    handle = file.fileno()  # not through the file's buffer, which would try again when it closes
    size = os.lseek(handle, 0, os.SEEK_END)
    os.lseek(handle, 0, os.SEEK_SET)
    before = os.read(handle, size)
    for text in (json.dumps(choices).encode(), before):
        os.lseek(handle, 0, os.SEEK_SET)
        with contextlib.suppress(OSError):
            if os.write(handle, text) == len(text):
                os.ftruncate(handle, len(text))
                return text != before
    return False


def _read(file: IO[str] | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        kept = json.load(file)
    except ValueError:  # empty, or cut off by a crash: measured anew
        return {}
    return {k: v for k, v in kept.items() if isinstance(v, str)} if isinstance(kept, dict) else {}


def machine_choices() -> Choices:
    """Return choices as this machine made them, and none of a study: those of a script."""
    return Choices(path=choices_file())


def choices_file() -> Path | None:
    """Return this machine's file of measured choices; None where there is no cache folder.

    There is one per processor, number of cores and version of PyTorch.
    """
    home = cache_home()
    return None if home is None else home / f"choices-{_kind_of_machine()}.json"


@cache
def _kind_of_machine() -> str:
    kind = f"{processor_name()} {available_cores()} {metadata.version('torch')}"
    return hashlib.sha256(kind.encode()).hexdigest()[:12]
