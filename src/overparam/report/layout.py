"""The layout of a chart at one width: panel sizes, scales, and the places of all texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overparam.lab.figure import Chart, Panel, Rule
from overparam.report.palette import Style
from overparam.report.placement import LINE_HEIGHT, spread, stack_rows, text_width, wrap
from overparam.report.scales import AxisScale, finite, first_equal, fit_axis

AXIS_ROOM = 64.0  # pixels for tick labels and title of the y axis
NAME_ROOM = 170.0  # widest name at a line end, pixels
NARROW = 560.0  # below this width panels stand under each other, and names go to the legend
_LEAST_PANEL = 230.0
_MOST_NAMES = 9
_FARTHEST = 80.0  # a name farther from its line's end than this no longer belongs to it


@dataclass(frozen=True)
class NameLine:
    """One text line of a name at a line's end; y in data units, x in pixels.

    Attributes:
        key: of the series. text. y: of the text. x_end, y_end: the curve's last point, in data
            units. first: whether it is the name's first line (which carries the leader).
        y_lead: where the leader arrives, data units.
    """

    key: str
    text: str
    y: float
    x_end: float
    y_end: float
    y_lead: float
    first: bool


@dataclass(frozen=True)
class RuleLabel:
    """A rule with the place of its label (data units along the axis, row above the plot)."""

    rule: Rule
    at: float
    row: int


@dataclass(frozen=True)
class PanelLayout:
    """Size, scales and texts of one panel."""

    width: float
    height: float
    x: AxisScale
    y: AxisScale
    x_title: list[str]
    y_title: list[str]
    names: tuple[NameLine, ...]
    rules: tuple[RuleLabel, ...]

    @property
    def rows_above(self) -> int:
        """Rows of rule labels above the plot."""
        return max((r.row + 1 for r in self.rules if r.rule.axis == "x"), default=0)


@dataclass(frozen=True)
class Layout:
    """Layout of a chart. names_fit: whether every panel names its lines at their ends."""

    width: float
    columns: int
    panels: tuple[PanelLayout, ...]
    names_fit: bool

    def wrap_title(self, title: str) -> list[str]:
        """Return the figure's title in lines that fit."""
        return wrap(title, self.width - 20, 16)

    def wrap_panel_title(self, title: str) -> list[str]:
        """Return a panel's title in lines that fit."""
        return wrap(title, self.panels[0].width, 13)


def plan_layout(
    chart: Chart,
    styles: Mapping[tuple[str, str, bool], Style],
    width: float,
    height: float | None = None,
) -> Layout:
    """Return where everything goes in a drawing of `width` pixels.

    Names stand at the line ends if they fit in every panel; otherwise nowhere, and the caller
    draws a legend.
    """
    n = max(len(chart.panels), 1)
    columns = 1 if width < NARROW else {1: 1, 2: 2, 3: 3, 4: 2}.get(n, 3)
    height = height or (380.0 if columns == 1 and width >= NARROW else 280.0)
    texts = [s.label for s in styles.values()]
    room = min(max((text_width(t) for t in texts), default=0.0), NAME_ROOM) + 22
    share = (width - 26 * (columns - 1)) / columns - AXIS_ROOM
    with_names = width >= NARROW and share - room >= _LEAST_PANEL and len(texts) > 0
    if with_names:
        panels = _place_panels(chart, styles, share - room, height, names=True)
        if panels is not None:
            return Layout(width, columns, panels, True)
    panels = _place_panels(chart, styles, max(share - 12, 150.0), height, names=False)
    assert panels is not None  # without names there is nothing that could fail to fit
    return Layout(width, columns, panels, False)


def _place_panels(
    chart: Chart,
    styles: Mapping[tuple[str, str, bool], Style],
    width: float,
    height: float,
    names: bool,
) -> tuple[PanelLayout, ...] | None:
    width = float(math.floor(width))
    x_of, y_of = (
        first_equal([p.x for p in chart.panels]),
        first_equal([p.y for p in chart.panels]) if chart.share_y else range(len(chart.panels)),
    )
    placed = []
    for number, panel in enumerate(chart.panels):
        x_kin = [p for p, k in zip(chart.panels, x_of, strict=True) if k == x_of[number]]
        y_kin = [p for p, k in zip(chart.panels, y_of, strict=True) if k == y_of[number]]
        x = fit_axis(panel.x, _x_values(x_kin), [], min(54 / width, 0.4), grounded=False)
        y = fit_axis(panel.y, *_y_values(y_kin), min(48 / height, 0.4))
        lines = _place_names(panel, styles, x, y, height) if names else ()
        if lines is None:
            return None
        placed.append(
            PanelLayout(
                width,
                height,
                x,
                y,
                wrap(panel.x.title, width, 12.5),
                wrap(panel.y.title, height, 12.5),
                lines,
                _place_rules(panel.rules, x, width),
            )
        )
    return tuple(placed)


def _x_values(panels: Sequence[Panel]) -> list[float]:
    # Only points that can be drawn stretch the axis: a swept value whose cells all failed
    # would otherwise leave a blank that reads as a result.
    values = [finite(np.asarray(s.x, float)) for p in panels for s in p.series]
    rules = [r.at for p in panels for r in p.rules if r.axis == "x"]
    return [*np.concatenate([*values, finite(rules)])]


def _y_values(panels: Sequence[Panel]) -> tuple[list[float], list[float]]:
    series = [s for p in panels for s in p.series]
    rules = [r.at for p in panels for r in p.rules if r.axis == "y"]
    core = [finite(s.y) for s in series] + [finite(rules)]
    extra = [finite(v) for s in series for v in (s.low, s.high, s.dots)]
    return [*np.concatenate(core)], [*np.concatenate([*extra, finite([])])]


def _place_names(
    panel: Panel,
    styles: Mapping[tuple[str, str, bool], Style],
    x: AxisScale,
    y: AxisScale,
    height: float,
) -> tuple[NameLine, ...] | None:
    ends = []
    for s in panel.series:
        xs, ys = np.asarray(s.x, float), np.asarray(s.y, float)
        drawable = np.isfinite(xs) & np.isfinite(ys)
        drawable &= (not x.log) | (xs > 0)
        drawable &= (not y.log) | (ys > 0)
        if drawable.any():
            last = int(np.flatnonzero(drawable)[np.argmax(xs[drawable])])
            style = styles[s.label, s.role, s.dashed]
            ends.append((style, wrap(style.label, NAME_ROOM), float(xs[last]), float(ys[last])))
    if any(len(lines) > 4 for _, lines, _, _ in ends):
        return None
    wished = [height * (1 - y.share(end[3])) for end in ends]
    centres = spread(wished, [LINE_HEIGHT * len(end[1]) + 3 for end in ends], -10, height + 10)
    if centres is None or len(ends) > _MOST_NAMES:
        return None
    if any(abs(a - b) > _FARTHEST for a, b in zip(wished, centres, strict=True)):
        return None
    names = []
    for (style, lines, x_end, y_end), centre in zip(ends, centres, strict=True):
        for i, text in enumerate(lines):
            pixel = centre + (i - (len(lines) - 1) / 2) * LINE_HEIGHT
            at, lead = (y.value(1 - p / height) for p in (pixel, centre))
            names.append(NameLine(style.key, text, at, x_end, y_end, lead, i == 0))
    return tuple(names)


def _place_rules(rules: Sequence[Rule], x: AxisScale, width: float) -> tuple[RuleLabel, ...]:
    known = [r for r in rules if np.isfinite(r.at) and not (r.axis == "x" and x.log and r.at <= 0)]
    upright = [r for r in known if r.axis == "x"]
    places = stack_rows(
        [x.share(r.at) * width for r in upright],
        [text_width(r.label, 11.5) for r in upright],
        width,
    )
    labels = [
        RuleLabel(r, x.value(pixel / width), row)
        for r, (pixel, row) in zip(upright, places, strict=True)
    ]
    return (*labels, *(RuleLabel(r, r.at, 0) for r in known if r.axis == "y"))
