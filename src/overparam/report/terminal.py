"""The verdicts in a terminal: plain text, or a coloured table where rich can draw one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overparam.report.arms import Arm
from overparam.report.content import Content
from overparam.report.formatting import format_interval, format_measured

if TYPE_CHECKING:
    from rich.console import Group

_HEADERS = ("arm", "verdict", "effect", "interval", "unit", "seeds")
_COLORS = {"observed": "bold green", "absent": "cyan", "inconclusive": "yellow"}


def verdict_text(content: Content) -> str:
    """Return claim, verdict table, headline and what decided against the claim, as plain text."""
    rows = [_HEADERS, *(_row(arm) for arm in content.arms)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADERS))]
    lines = [
        "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    head = f"{content.name} ({content.scale}): {content.claim}"
    return "\n".join([head, *lines, *unlike_claimed(content), content.headline])


def verdict_table(content: Content) -> Group:
    """Return the verdicts, and what decided against the claim, for `rich.print`."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    # Text, not markup: a claim may contain square brackets.
    table = Table(
        title=Text(f"{content.name} ({content.scale})", "bold"), caption=Text(content.headline)
    )
    for header in _HEADERS:
        table.add_column(header, justify="right" if header in ("effect", "seeds") else "left")
    for arm in content.arms:
        arm_name, kind, *rest = _row(arm)
        table.add_row(Text(arm_name), Text(kind, _COLORS.get(kind, "")), *map(Text, rest))
    return Group(table, *map(Text, unlike_claimed(content)))


def unlike_claimed(content: Content) -> list[str]:
    """Return for each arm that is not as claimed the clauses that decided, a line each."""
    return [
        f"{arm.name} is {arm.kind}: {clause.sentence}"
        for arm in content.arms
        if not arm.as_claimed
        for clause in arm.deciding
    ]


def _row(arm: Arm) -> tuple[str, ...]:
    interval = format_interval(arm.low, arm.high)
    effect = format_measured(arm.estimate, arm.low, arm.high)
    return (arm.name, arm.kind, effect, interval, arm.unit, str(arm.n_seeds))
