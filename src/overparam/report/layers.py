"""The Vega-Lite layers of one panel: rules, bands, seeds, lines, points, names, tooltips."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from overparam.lab.figure import Panel, Series
from overparam.report.layout import PanelLayout, RuleLabel
from overparam.report.palette import Identity, Style
from overparam.report.scales import AxisScale

_MOST_MARKERS = 40  # points on one line; beyond it markers would merge into a stripe
_BREAK = "break-paths-filter-domains"  # a missing point interrupts its line, it is not bridged


class Layers:
    """Builds the layers of panels that share palette, styles and legend.

    Args:
        palette: name to colour. styles: of all series. interactive: see `chart_spec`.
    """

    def __init__(
        self,
        palette: Mapping[str, str],
        styles: Mapping[Identity, Style],
        interactive: bool,
    ) -> None:
        self._palette, self._styles = palette, {s.key: s for s in styles.values()}
        self._keys = {identity: style.key for identity, style in styles.items()}
        self._interactive = interactive

    def rules(self, place: PanelLayout) -> list[dict[str, Any]]:
        """Return dotted rules at known places, and above the plot the labels of upright ones."""
        layers: list[dict[str, Any]] = []
        for axis in ("x", "y"):
            rules = [r for r in place.rules if r.rule.axis == axis]
            if not rules:
                continue
            mark = {"type": "rule", "strokeDash": [1.5, 3], "strokeWidth": 1.3, "tooltip": None}
            layers.append(
                {
                    "data": {"values": [{"at": r.rule.at} for r in rules]},
                    "mark": {**mark, "color": self._palette["muted"]},
                    "encoding": {axis: self._axis("at", axis, place)},
                }
            )
        # One layer a label: its distance from the plot is in pixels, so not in the data.
        for label in (r for r in place.rules if r.rule.axis == "x"):
            at = {"x": self._axis("at", "x", place), "y": {"value": -8 - 14 * label.row}}
            layers.append(self._label(label, {"align": "center"}, at, label.at))
        return layers

    def level_labels(self, place: PanelLayout) -> list[dict[str, Any]]:
        """Return the labels of level rules; drawn last, with a rim of paper."""
        layers = []
        for label in (r for r in place.rules if r.rule.axis == "y"):
            at = {"x": {"value": label.x}, "y": {"value": label.y}}
            rim = {"stroke": self._palette["paper"], "strokeWidth": 3, "strokeJoin": "round"}
            layers += [self._label(label, {"align": "left", **m}, at) for m in (rim, {})]
        return layers

    def _label(
        self, label: RuleLabel, mark: dict[str, Any], at: dict[str, Any], place: float = 0.0
    ) -> dict[str, Any]:
        text = {"type": "text", "color": self._palette["muted"], "fontSize": 11.5}
        return {
            "data": {"values": [{"at": place, "label": label.rule.label}]},
            "mark": {**text, "baseline": "middle", "tooltip": None, **mark},
            "encoding": {**at, "text": {"field": "label"}},
        }

    def curves(self, number: int, place: PanelLayout, panel: Panel) -> list[dict[str, Any]]:
        """Return bands, seeds, lines, points and what answers the pointer."""
        x, y = self._axis("x", "x", place), self._axis("y", "y", place)
        band = {**self._looks("color"), "x": x, "y": self._axis("low", "y", place)}
        band["y2"] = {"field": "high"}
        faint = {**self._looks("color"), "x": x, "y": y}
        line = {**self._looks("color", "strokeDash", "strokeWidth"), "x": x, "y": y}
        points = {**self._looks("color", "shape"), "x": x, "y": y}
        dense = [
            self._key(s)
            for s in panel.series
            if s.role == "theory" or len(np.atleast_1d(s.x)) > _MOST_MARKERS
        ]
        marked = f"indexof({json.dumps(dense)}, datum.key) < 0"
        layers = [
            self._layer("rows", number, {"type": "area", "opacity": 0.17, "clip": True}, band),
            self._layer(
                "dots", number, {"type": "circle", "size": 13, "opacity": 0.38, "clip": True}, faint
            ),
            self._layer("rows", number, {"type": "line", "clip": True, "strokeCap": "butt"}, line),
            self._layer(
                "rows",
                number,
                {"type": "point", "filled": True, "size": 34, "opacity": 1},
                points,
                marked,
            ),
        ]
        return layers + (self._pointer(number, panel, x, y) if self._interactive else [])

    def names(self, place: PanelLayout) -> list[dict[str, Any]]:
        """Return the names at the line ends, with a dotted leader where one had to move away."""
        layers: list[dict[str, Any]] = []
        for name in place.names:
            row = {"key": name.key, "text": name.text}
            if name.lead is not None:
                ends = zip(("x", "y", "x2", "y2"), name.lead, strict=True)
                mark = {"type": "rule", "strokeDash": [1, 2.5], "color": self._palette["muted"]}
                layers.append(self._plain(row, mark, {k: {"value": v} for k, v in ends}))
            text = {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12}
            layers.append(
                self._plain(
                    row,
                    {
                        **text,
                        "fontWeight": 500,
                        "color": self._palette[self._styles[name.key].ink],
                    },
                    {
                        "x": {"value": name.x},
                        "y": {"value": name.y},
                        "text": {"field": "text"},
                    },
                )
            )
        return layers

    def sentence(self, text: str, place: PanelLayout) -> dict[str, Any]:
        """Return a layer that says `text` in the middle of the plot."""
        return {
            "data": {"values": [{"text": text}]},
            "mark": {"type": "text", "color": self._palette["muted"], "fontSize": 13},
            "encoding": {
                "x": {"value": place.width / 2},
                "y": {"value": place.height / 2},
                "text": {"field": "text"},
            },
        }

    def _layer(
        self,
        data: str,
        number: int,
        mark: dict[str, Any],
        encoding: dict[str, Any],
        keep: str = "",
    ) -> dict[str, Any]:
        tests = [f"datum.panel === {number}", keep]
        if self._interactive:
            tests.append("indexof(hidden, datum.key) < 0")
        return {
            "data": {"name": data},
            "transform": [{"filter": " && ".join(t for t in tests if t)}],
            "mark": {"invalid": _BREAK, "tooltip": None, **mark},
            "encoding": encoding,
        }

    def _plain(
        self, row: dict[str, Any], mark: dict[str, Any], encoding: dict[str, Any]
    ) -> dict[str, Any]:
        layer: dict[str, Any] = {"data": {"values": [row]}, "mark": {**mark, "tooltip": None}}
        if self._interactive:
            layer["transform"] = [{"filter": "indexof(hidden, datum.key) < 0"}]
        return {**layer, "encoding": encoding}

    def _pointer(
        self, number: int, panel: Panel, x: dict[str, Any], y: dict[str, Any]
    ) -> list[dict[str, Any]]:
        fields = {"Series": "name", panel.x.quantity: "x_text", panel.y.quantity: "y_text"}
        # The pointer meets a point, or the region around it whose datum holds the point's;
        # Vega-Lite 6's own tooltip channel reads the wrong one of the two.
        row = "(datum.datum || datum)"
        entries = [f"{json.dumps(title)}: {row}.{name}" for title, name in fields.items()]
        entries.append(f"'Band': {row}.interval")
        entries.append(f"'Seeds': isValid({row}.seeds) ? {row}.seeds : '–'")
        near = self._layer(
            "rows",
            number,
            {
                "type": "point",
                "size": 90,
                "strokeWidth": 2,
                "filled": False,
                "tooltip": {"expr": "{" + ", ".join(entries) + "}"},
            },
            {
                "x": x,
                "y": y,
                "color": {"value": self._palette["ink"]},
                "opacity": {
                    "condition": {"param": f"near{number}", "empty": False, "value": 1},
                    "value": 0,
                },
            },
            "isValid(datum.y)",
        )
        near["params"] = [
            {
                "name": f"near{number}",
                "select": {
                    "type": "point",
                    "on": "pointerover",
                    "clear": "pointerout",
                    "nearest": True,
                    "fields": ["id"],
                },
            }
        ]
        ring = self._layer(
            "rows",
            number,
            {"type": "point", "size": 170, "strokeWidth": 2.5, "filled": False},
            {"x": x, "y": y, "color": {"value": self._palette["ink"]}},
            "datum.id === cursor",
        )
        return [ring, near]

    def _key(self, series: Series) -> str:
        return self._keys[series.label, series.role, series.dashed]

    def _axis(self, field: str, channel: str, place: PanelLayout) -> dict[str, Any]:
        scale: AxisScale = place.x if channel == "x" else place.y
        kind = {"type": "log"} if scale.log else {"type": "linear", "zero": False}
        lookup = f"{json.dumps(scale.tick_labels)}[indexof({json.dumps(scale.ticks)}, datum.value)]"
        title = place.x_title if channel == "x" else place.y_title
        return {
            "field": field,
            "type": "quantitative",
            "title": title,
            "scale": {"domain": [scale.low, scale.high], "nice": False, **kind},
            "axis": {
                "values": list(scale.ticks),
                "labelExpr": lookup,
                "grid": channel == "y",
                "domain": channel == "x",
                "ticks": channel == "x",
            },
        }

    def _looks(self, *channels: str) -> dict[str, Any]:
        read: dict[str, Callable[[Style], Any]] = {
            "color": lambda s: self._palette[s.color],
            "strokeDash": lambda s: list(s.dash) or [1, 0],
            "shape": lambda s: s.look.marker,
            "strokeWidth": lambda s: s.width,
        }
        return {
            channel: {
                "field": "key",
                "type": "ordinal" if channel == "strokeWidth" else "nominal",
                "legend": None,
                "scale": {
                    "type": "ordinal",  # widths must not be interpolated
                    "domain": list(self._styles),
                    "range": [read[channel](s) for s in self._styles.values()],
                },
            }
            for channel in channels
        }
