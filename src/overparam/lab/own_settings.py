"""`with_own_settings`: what a cell sets for its whole process is in force in its own turns only.

Settings of libraries, the environment and the working folder are the process's; cells of a unit
share it, and so does the user's session where there are no workers. A cell finds in its next turn
what it has set, and nobody else does. The number of threads is one in every turn: sums of several
would be other numbers.
"""

from __future__ import annotations

import contextlib
import os
import types
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from overparam.lab.library_settings import LibrarySettings


@types.coroutine
def with_own_settings(start: Callable[[], Coroutine[Any, Any, Any]]) -> Generator[Any, Any, Any]:
    """Run a cell such that what it sets is in force in its turns only, and returns with them."""
    outside = inside = _Settings.here()
    n_threads = torch.get_num_threads()
    cell = start()
    step = partial(cell.send, None)
    while True:
        if inside != outside:
            inside.put()
        try:
            asked = step()
        except StopIteration as end:
            return end.value
        finally:
            inside = _Settings.here()
            if inside != outside:
                outside.put()
            if torch.get_num_threads() != n_threads:
                torch.set_num_threads(n_threads)
        try:
            step = partial(cell.send, (yield asked))
        except GeneratorExit:
            cell.close()
            raise
        except BaseException as error:
            step = partial(cell.throw, error)


@dataclass(frozen=True)
class _Settings:
    """What a process has at one moment.

    Attributes:
        environment: as `os.environ` holds it. folder: it works in; None where that was deleted.
    """

    libraries: LibrarySettings
    environment: Mapping[Any, Any]
    folder: str | None

    @classmethod
    def here(cls) -> _Settings:
        """Return those of this process, as the thread that asks sees them."""
        folder = None
        with contextlib.suppress(OSError):
            folder = os.getcwd()
        return cls(LibrarySettings.here(), dict(_held()), folder)

    def put(self) -> None:
        """Let them be this process's."""
        self.libraries.put()
        there = _held()
        for name in {*there, *self.environment}:
            value = self.environment.get(name)
            if value is None:
                del os.environ[os.fsdecode(name)]
            elif there.get(name) != value:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)
        if self.folder is not None:
            with contextlib.suppress(OSError):  # it was deleted
                os.chdir(self.folder)


def _held() -> Mapping[Any, Any]:
    """Return the environment as it is held: to decode all of it would take a cell's time."""
    return getattr(os.environ, "_data", os.environ)
