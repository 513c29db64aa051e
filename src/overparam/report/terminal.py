"""The verdicts in a terminal: plain text, or a coloured table where rich can draw one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overparam.report.content import Arm, Content
from overparam.report.formatting import format_interval, format_number

if TYPE_CHECKING:
    from rich.table import Table

_HEADERS = ("arm", "verdict", "effect", "interval", "unit", "seeds")
_COLORS = {"observed": "bold green", "absent": "cyan", "inconclusive": "yellow"}


def verdict_text(content: Content) -> str:
    """Return claim, verdict table and headline as plain text."""
    rows = [_HEADERS, *(_row(arm) for arm in content.arms)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADERS))]
    lines = [
        "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(
        [f"{content.name} ({content.scale}): {content.claim}", *lines, content.headline]
    )


def verdict_table(content: Content) -> Table:
    """Return the verdicts as a rich table, for `rich.print`."""
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
    return table


def _row(arm: Arm) -> tuple[str, ...]:
    interval = format_interval(arm.low, arm.high)
    effect = format_number(arm.estimate)
    return (arm.name, arm.kind, effect, interval, arm.unit, str(arm.n_seeds))
