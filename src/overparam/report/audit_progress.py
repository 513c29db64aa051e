"""How far an audit is, on standard error: the plan first, then a line that is written over."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from overparam.report.formatting import format_seconds

if TYPE_CHECKING:
    from overparam.audits.plan import AuditPlan
    from overparam.audits.stages import Stand

_WIDTH = 78


def write_plan(plan: AuditPlan) -> None:
    """Write what the budget pays for."""
    print(*plan.lines(), sep="\n", file=sys.stderr, flush=True)


def write_stand(stand: Stand) -> None:
    """Write how far the audit is over the line before."""
    left = format_seconds(max(round(stand.seconds_left), 0))
    text = f"audit: {stand.stage}, {stand.done} of {stand.of} models, {left} of the budget left"
    end = "\n" if stand.done >= stand.of else ""
    print(f"\r{text[:_WIDTH]:<{_WIDTH}}", end=end, file=sys.stderr, flush=True)
