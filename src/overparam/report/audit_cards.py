"""One finding as an audit's page shows it: its numbers, its rows, its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from overparam.audits.finding import Finding, Measured
from overparam.audits.row_contents import MOST_SHOWN, columns_without_contents, inputs_of
from overparam.lab.figure_checks import clean_texts
from overparam.report.audit_text import MARKS
from overparam.report.formatting import format_number
from overparam.report.page_figure import Cell, PageFigure
from overparam.report.strips import interval_strip

if TYPE_CHECKING:
    from overparam.audits.subject import Subject

_LONGEST = 5_000  # letters of one text


@dataclass(frozen=True)
class Number:
    """A measured number as the page shows it: value, interval and unit apart."""

    name: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class RowsShown:
    """The first rows of a finding: headers, cells, and of how many."""

    columns: list[str]
    rows: list[list[Cell]]
    n_rows: int


@dataclass(frozen=True)
class Card:
    """One finding as the page shows it."""

    finding: Finding
    mark: str
    words: str
    cost: str
    gain: str
    strip: dict[str, Any] | None
    numbers: list[Number]
    rows: RowsShown | None
    figures: list[tuple[int, PageFigure]]


def card_of(
    finding: Finding,
    figures: list[tuple[int, PageFigure]],
    subject: Subject | None,
    *,
    rows: bool,
    scale: Sequence[float] = (),
) -> Card:
    """Return a finding whose texts were cleaned as the page shows it.

    Args:
        figures: with their numbers on the page. subject: whose rows are shown.
        rows: whether what rows hold is shown. scale: points that the strip of its cost, or else
            of its gain, is drawn on.
    """
    points = points_of(finding)
    words = (finding.code, finding.title, finding.sentence, finding.action, finding.severity)
    return Card(
        finding,
        MARKS.get(finding.severity, ""),
        " ".join(words).lower(),
        "" if finding.cost is None else measured_text(finding.cost),
        "" if finding.gain is None else measured_text(finding.gain),
        None
        if points is None
        else interval_strip((points.low, points.value, points.high), [0.0], scale),
        list(_numbers(finding)),
        _rows(finding, subject, rows),
        figures,
    )


def points_of(finding: Finding) -> Measured | None:
    """Return what a finding costs, or else what acting on it wins."""
    return finding.gain if finding.cost is None else finding.cost


def _numbers(finding: Finding) -> list[Number]:
    found = []
    if finding.measured is not None:
        m = finding.measured
        trivial = "" if m.baseline is None else f"{m.baseline_name}: {format_number(m.baseline)}"
        found.append(Number("Measured", measured_text(m), clean(trivial.removeprefix(": "))))
    if finding.cost is not None:
        found.append(Number("Cost", measured_text(finding.cost), "of test error"))
    if finding.gain is not None:
        found.append(Number("Gain of acting", measured_text(finding.gain), "measured by doing it"))
    return found


def _rows(finding: Finding, subject: Subject | None, rows: bool) -> RowsShown | None:
    shown = finding.rows[:MOST_SHOWN]
    if not len(shown):
        return None
    columns: dict[str, Any] = {k: v[: len(shown)] for k, v in finding.row_columns.items()}
    if rows:
        inputs = inputs_of(subject, shown)
        columns |= {f"input: {k}" if k in columns else k: v for k, v in inputs.items()}
    else:
        columns = columns_without_contents(columns)
    cells = [
        [Cell(format_number(v, 4), isinstance(v, str)) for v in map(_plain, row)]
        for row in zip(shown.tolist(), *columns.values(), strict=True)
    ]
    return RowsShown(clean_texts(["row", *columns], 100), cells, len(finding.rows))


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return clean(value) if isinstance(value, str) else value


def cleaned(finding: Finding) -> Finding:
    """Return a finding whose texts can be shown."""
    names = ("code", "title", "sentence", "action", "page", "validated_by")
    texts: dict[str, Any] = {name: clean(getattr(finding, name)) for name in names}
    return replace(finding, **texts)


def measured_text(measured: Measured) -> str:
    """Return a number with its interval, and true minus signs."""
    return format_number(clean(str(measured)))


def clean(text: str) -> str:
    """Return a text that can be shown, and not too long."""
    return clean_texts(text, _LONGEST)
