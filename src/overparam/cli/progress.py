"""Progress on stderr: a bar in a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from overparam.cli.output import tell

if TYPE_CHECKING:
    from overparam.lab.runner import Advance

LINE_SECONDS = 10.0  # between two plain lines
_REDRAW_SECONDS = 0.2


class Meter:
    """What a run has done, how fast it goes and how long it will take.

    The rate and the time left are those of this run: cells found in the store count as done, but
    not as work.

    Args:
        clock: seconds from any origin.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start = clock, clock()
        self._found: int | None = None
        self.cells_done = self.cells = 0
        self.flops = 0.0

    def add(self, advance: Advance) -> None:
        """Take what happened since the last call."""
        if self._found is None:
            self._found = advance.cells_done
        self.cells_done, self.cells = advance.cells_done, advance.cells
        self.flops += advance.flops

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end at the rate so far; None before the first cell has ended."""
        worked = self.cells_done - (self._found or 0)
        if worked <= 0:
            return None
        return self.elapsed * (self.cells - self.cells_done) / worked

    def words(self) -> str:
        """Return cells, rate and time left as one line."""
        from overparam.report.formatting import format_number, format_seconds

        parts = [f"{self.cells_done:,} of {self.cells:,} cells"]
        elapsed = self.elapsed
        if worked := self.cells_done - (self._found or 0):
            parts.append(f"{format_number(worked / max(elapsed, 1e-9), 2)} cells/s")
        if self.flops:
            parts.append(f"{format_number(self.flops / max(elapsed, 1e-9) / 1e9, 2)} GFLOP/s")
        left = self.seconds_left
        if left:
            parts.append(f"about {format_seconds(left if left < 1 else round(left))} left")
        return ", ".join(parts)


@contextlib.contextmanager
def show_progress(quiet: bool) -> Iterator[Callable[[Advance], None]]:
    """Yield the function that takes the run's `Advance` reports."""
    meter = Meter()
    if quiet or sys.stderr is None:
        yield meter.add
    elif not can_redraw():
        yield _lines(meter)
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar:
            task = bar.add_task("starting", total=None)

            def redraw(advance: Advance) -> None:
                meter.add(advance)
                bar.update(
                    task,
                    total=meter.cells,
                    completed=meter.cells_done,
                    description=meter.words(),
                )

            yield redraw


@contextlib.contextmanager
def show_download(quiet: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield the function that takes a download's file name, bytes so far and bytes in all."""
    from overparam.report.formatting import format_bytes

    redraw = can_redraw()
    every = _REDRAW_SECONDS if redraw else LINE_SECONDS
    last, drawn = -every, False

    def show(name: str, n_bytes: int, total: int | None) -> None:
        nonlocal last, drawn
        if quiet or (time.monotonic() - last < every and n_bytes != total):
            return
        last, drawn = time.monotonic(), True
        of = f" of {format_bytes(total)}" if total else ""
        start, end = ("\r\x1b[K", "") if redraw else ("", "\n")
        tell(f"{start}{name}: {format_bytes(n_bytes)}{of}", end)

    try:
        yield show
    finally:
        if redraw and drawn:
            tell()


def can_redraw() -> bool:
    """Whether stderr is a terminal that can draw over a line."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _lines(meter: Meter) -> Callable[[Advance], None]:
    last = float("-inf")

    def write(advance: Advance) -> None:
        nonlocal last
        meter.add(advance)
        if meter.elapsed - last >= LINE_SECONDS:
            last = meter.elapsed
            tell(meter.words())

    return write
