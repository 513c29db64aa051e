"""How far an audit is, on stderr: the plan, then the stage, its models and the time left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from overparam.cli.output import tell
from overparam.cli.progress import LINE_SECONDS, can_redraw
from overparam.texts import printable

if TYPE_CHECKING:
    from overparam.audits.plan import AuditPlan
    from overparam.audits.stages import Stand

_WIDTH = 98


class AuditMeter:
    """What an audit has trained and how long the rest will take.

    Args:
        clock: seconds from any origin.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._plan: AuditPlan | None = None
        self._stand: Stand | None = None
        self._begun, self._found = clock(), 0

    def planned(self, plan: AuditPlan) -> None:
        """Take what the budget pays for."""
        self._plan = plan

    def add(self, stand: Stand) -> None:
        """Take how far it is."""
        if self._stand is None or stand.stage != self._stand.stage or stand.of != self._stand.of:
            self._begun, self._found = self._clock(), stand.done
        self._stand = stand

    @property
    def stage(self) -> str:
        """The stage that is running."""
        return "" if self._stand is None else self._stand.stage

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end: of this stage by its rate so far, of others by the plan."""
        if self._stand is None or self._plan is None:
            return None
        stages = list(self._plan.stages)
        place = next((i for i, s in enumerate(stages) if s.name == self._stand.stage), len(stages))
        later = sum(stage.seconds for stage in stages[place + 1 :])
        if place == len(stages):
            return later
        worked, missing = self._stand.done - self._found, self._stand.of - self._stand.done
        elapsed = self._clock() - self._begun
        if worked > 0:
            return later + elapsed * missing / worked
        return later + max(stages[place].seconds - elapsed, 0.0)

    def words(self) -> str:
        """Return stage, models and time left as one line."""
        from overparam.audits.evidence import STAGES
        from overparam.report.formatting import format_seconds

        if self._stand is None:
            return "one fit is measured"
        name, left = self._stand.stage, self.seconds_left
        told = f"{STAGES.get(name, name)}: {self._stand.done:,} of {self._stand.of:,}"
        if left:
            told += f", about {format_seconds(left if left < 1 else round(left))} left"
        return told


@contextlib.contextmanager
def show_audit(
    quiet: bool,
) -> Iterator[tuple[Callable[[AuditPlan], None], Callable[[Stand], None]]]:
    """Yield the functions that take an audit's plan and how far it is."""
    meter = AuditMeter()
    if quiet:
        yield meter.planned, meter.add
        return
    redraw, last, stage = can_redraw(), float("-inf"), ""

    def show_plan(plan: AuditPlan) -> None:
        meter.planned(plan)
        _clear(redraw)
        for line in plan.lines():
            tell(printable(line, one_line=True))

    def show_stand(stand: Stand) -> None:
        nonlocal last, stage
        meter.add(stand)
        now = time.monotonic()
        if redraw:
            tell(f"\r\x1b[K{meter.words()[:_WIDTH]}", "")
        elif meter.stage != stage or now - last >= LINE_SECONDS:
            last, stage = now, meter.stage
            tell(meter.words())

    try:
        yield show_plan, show_stand
    finally:
        _clear(redraw)


def _clear(redraw: bool) -> None:
    if redraw:
        tell("\r\x1b[K", "")
