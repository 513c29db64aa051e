"""What a pool says of tasks whose results it cannot give."""

from __future__ import annotations

import time
from collections.abc import Sequence

from overparam.errors import OverparamError, ResourceError, UsageError
from overparam.lab.worker_process import how_it_died


def unreadable(error: Exception) -> OverparamError:
    """A result came back that this process cannot rebuild."""
    return UsageError(
        "a task's result cannot be rebuilt in this process", got=f"{type(error).__name__}: {error}"
    )


def lost(deaths: Sequence[int]) -> ResourceError:
    """Its worker died with these exit codes, each time that it was tried."""
    return ResourceError(
        f"a worker process died {len(deaths)} times on the same task",
        got=", ".join(how_it_died(code) for code in deaths),
        remedy="if memory ran out (dmesg shows it), use fewer workers or a smaller --memory",
    )


_NOT_BEGUN = "the time was over before it began"
_ENDED = "it took longer than the time that there was, and was ended"


def was_out_of_time(error: str) -> bool:
    """Whether a record's error says that time was over, not that anything went wrong.

    >>> was_out_of_time("ResourceError: the time was over before it began; allow more time")
    True
    """
    return _NOT_BEGUN in error or _ENDED in error


def too_late(begun: float | None) -> ResourceError:
    """Time was over while it was under way since `begun`; None: before it began."""
    if begun is None:
        return ResourceError(_NOT_BEGUN, remedy="allow more time")
    return ResourceError(
        _ENDED,
        got=f"{time.monotonic() - begun:.3g} s so far",
        remedy="allow more time",
    )
