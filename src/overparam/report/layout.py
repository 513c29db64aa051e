"""The layout of a chart at one width: panel sizes, scales, and the places of all texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overparam.lab.figure import Chart, Panel, Rule
from overparam.report.free_space import Covered
from overparam.report.palette import Identity, Style
from overparam.report.placement import LINE_HEIGHT, spread, stack_rows, text_width, wrap
from overparam.report.scales import AxisScale, finite, first_equal, fit_axis

AXIS_ROOM = 64.0  # pixels for tick labels and title of the y axis
NAME_ROOM = 170.0  # widest name at a line end, pixels
NARROW = 560.0  # below this width panels stand under each other, and names go to the legend
_LEAST_PANEL = 230.0
_MOST_NAMES = 9
_NEAR_EDGE = 0.08  # a line that ends within this share of the plot's edge is named beside it
_RULE_SIZE = 11.5  # font size of the labels of rules
_FARTHEST = 80.0  # a name farther from its line's end than this no longer belongs to it

_End = tuple[Style, list[str], float, float]  # of a line: style, name, and its last point


@dataclass(frozen=True)
class NameLine:
    """One text line of a name at a line's end, in pixels of the plot.

    Attributes:
        key: of the series. text. x, y: its left end and its middle.
        lead: where a leader runs from and to (x, y, x, y), None where the name is at its line.
    """

    key: str
    text: str
    x: float
    y: float
    lead: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class RuleLabel:
    """A rule with the place of its label.

    Attributes:
        at: of an upright rule's label, in data units along the axis. row: above the plot.
        x, y: left end and middle of a level rule's label, in pixels of the plot.
    """

    rule: Rule
    at: float = 0.0
    row: int = 0
    x: float = 0.0
    y: float = 0.0


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
    styles: Mapping[Identity, Style],
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
    styles: Mapping[Identity, Style],
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
        covered = Covered(panel, x, y, width, height)
        lines = _place_names(panel, styles, (x, y), (width, height), covered) if names else ()
        if lines is None:
            return None
        upright = _place_rules(panel.rules, x, width)
        level = _place_levels(panel.rules, y, (width, height), covered)
        placed.append(
            PanelLayout(
                width,
                height,
                x,
                y,
                wrap(panel.x.title, width, 12.5),
                wrap(panel.y.title, height, 12.5),
                lines,
                (*upright, *level),
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
    styles: Mapping[Identity, Style],
    scales: tuple[AxisScale, AxisScale],
    size: tuple[float, float],
    covered: Covered,
) -> tuple[NameLine, ...] | None:
    """Return the names at the line ends: beside the plot, or in it where a line ends before it."""
    (x, y), (width, height) = scales, size
    beside: list[_End] = []  # lines that reach the plot's edge
    inside: list[_End] = []
    for s in panel.series:
        across, up = x.shares(s.x), y.shares(s.y)
        drawn = np.flatnonzero(np.isfinite(across) & np.isfinite(up))
        if not len(drawn):
            continue
        last = drawn[np.argmax(across[drawn])]
        style = styles[s.label, s.role, s.dashed]
        place = float(across[last]) * width, (1 - float(up[last])) * height
        near = width - place[0] <= _NEAR_EDGE * width
        (beside if near else inside).append((style, wrap(style.label, NAME_ROOM), *place))
    if (
        any(len(end[1]) > 4 for end in (*beside, *inside))
        or len(beside) + len(inside) > _MOST_NAMES
    ):
        return None
    names = _names_beside(beside, width, height)
    within = _names_inside(inside, covered)
    return None if names is None or within is None else (*names, *within)


def _names_beside(ends: Sequence[_End], width: float, height: float) -> list[NameLine] | None:
    wished = [end[3] for end in ends]
    centres = spread(wished, [LINE_HEIGHT * len(end[1]) + 3 for end in ends], -10, height + 10)
    if centres is None:
        return None
    if any(abs(a - b) > _FARTHEST for a, b in zip(wished, centres, strict=True)):
        return None
    names = []
    for (style, lines, at, y_end), centre in zip(ends, centres, strict=True):
        moved = abs(centre - y_end) > LINE_HEIGHT / 2
        lead = (min(at + 7, width), y_end, width + 9, centre) if moved else None
        for i, text in enumerate(lines):
            y = centre + (i - (len(lines) - 1) / 2) * LINE_HEIGHT
            names.append(NameLine(style.key, text, width + 12, y, None if i else lead))
    return names


def _names_inside(ends: Sequence[_End], covered: Covered) -> list[NameLine] | None:
    """Return names of lines that end within the plot; None where one would lie on data."""
    names = []
    for style, lines, x, y in ends:
        room = max(map(text_width, lines)), LINE_HEIGHT * len(lines)
        right = (x + 9, y - room[1] / 2, *room)
        around = [(x - k * room[0], top) for top in (y - room[1] - 7, y + 7) for k in (0.5, 1)]
        box, cost = covered.best([right, *((*place, *room) for place in around)])
        if cost > 0:
            return None
        covered.put(box)
        for i, text in enumerate(lines):
            names.append(NameLine(style.key, text, box[0], box[1] + (i + 0.5) * LINE_HEIGHT, None))
    return names


def _place_rules(rules: Sequence[Rule], x: AxisScale, width: float) -> tuple[RuleLabel, ...]:
    upright = [
        r for r in rules if r.axis == "x" and len(finite(r.at)) and not (x.log and r.at <= 0)
    ]
    places = stack_rows(
        [x.share(r.at) * width for r in upright],
        [text_width(r.label, _RULE_SIZE) for r in upright],
        width,
    )
    return tuple(
        RuleLabel(r, x.value(pixel / width), row)
        for r, (pixel, row) in zip(upright, places, strict=True)
    )


def _place_levels(
    rules: Sequence[Rule], y: AxisScale, size: tuple[float, float], covered: Covered
) -> tuple[RuleLabel, ...]:
    """Return the labels of level rules, each where it lies on the least data, right if it can."""
    width, height = size
    labels = []
    for rule in (r for r in rules if r.axis == "y" and len(finite(r.at))):
        at = float(y.shares(np.array([rule.at]))[0])
        if not np.isfinite(at):
            continue
        room = min(text_width(rule.label, _RULE_SIZE), width), LINE_HEIGHT
        line = (1 - at) * height
        tops = [top for top in (line - 16, line + 3) if 0 <= top <= height - 14] or [line - 16]
        lefts = np.linspace(width - room[0], 0, 7) if room[0] < width else [0.0]
        box, _ = covered.best((float(x), top, *room) for x in lefts for top in tops)
        covered.put(box)
        labels.append(RuleLabel(rule, x=box[0], y=box[1] + LINE_HEIGHT / 2))
    return tuple(labels)
