"""What a panel's plot is covered with, so that no text is put on data where there is another place.

All in pixels from the plot's upper left corner.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from overparam.lab.figure import Panel
from overparam.report.scales import AxisScale

Box = tuple[float, float, float, float]  # left, top, width, height

_STEP = 3.0  # pixels between two points of a sampled line
_LINE, _DOT, _BAND, _TEXT = (
    10.0,
    4.0,
    1.0,
    100.0,
)  # what a point of each costs a text that lies on it


class Covered:
    """The lines, bands, seeds and texts of one panel, as points with the price of covering them.

    Args:
        panel: its data. x, y: its scales. width, height: of the plot.
    """

    def __init__(
        self, panel: Panel, x: AxisScale, y: AxisScale, width: float, height: float
    ) -> None:
        self._x, self._y, self._size = x, y, (width, height)
        self._points: list[np.ndarray] = []
        for s in panel.series:
            line = self._pixels(s.x, s.y)
            self._add(_sampled(line), _LINE)
            for i in range(0 if s.dots is None else s.dots.reshape(len(s.x), -1).shape[1]):
                self._add(self._pixels(s.x, s.dots.reshape(len(s.x), -1)[:, i]), _DOT)  # type: ignore[union-attr]
            if s.low is not None and s.high is not None:
                low, high = (_sampled(self._pixels(s.x, ends)) for ends in (s.low, s.high))
                n = min(len(low), len(high))
                shares = np.linspace(0, 1, 9)[:, None, None]
                filled = low[None, :n] * (1 - shares) + high[None, :n] * shares
                self._add(filled.reshape(-1, 2), _BAND)

    def cost(self, box: Box) -> float:
        """Return what a text in `box` would cover; infinite where it leaves the plot."""
        left, top, width, height = box
        if left < -1 or top < -1:
            return np.inf
        if left + width > self._size[0] + 1 or top + height > self._size[1] + 1:
            return np.inf
        if not self._points:
            return 0.0
        x, y, price = np.concatenate(self._points).T
        inside = (x > left - 2) & (x < left + width + 2) & (y > top - 1) & (y < top + height + 1)
        return float(price[inside].sum())

    def best(self, boxes: Iterable[Box]) -> tuple[Box, float]:
        """Return the first of the cheapest of `boxes`, and its cost."""
        priced = [(box, self.cost(box)) for box in boxes]
        return min(priced, key=lambda pair: pair[1])

    def put(self, box: Box) -> None:
        """Cover `box` with a text, so that no other is put on it."""
        left, top, width, height = box
        x, y = np.meshgrid(
            np.arange(left, left + width + 4, 4.0), np.arange(top, top + height + 4, 4.0)
        )
        self._add(np.stack([x.ravel(), y.ravel()], -1), _TEXT)

    def _add(self, points: np.ndarray, price: float) -> None:
        known = points[np.isfinite(points).all(-1)]
        self._points.append(np.column_stack([known, np.full(len(known), price)]))

    def _pixels(self, xs: object, ys: object) -> np.ndarray:
        (width, height), x, y = self._size, self._x, self._y
        across = x.shares(np.asarray(xs, float)) * width
        return np.column_stack([across, (1 - y.shares(np.asarray(ys, float))) * height])


def _sampled(line: np.ndarray) -> np.ndarray:
    """Return points along a line `[m, 2]`, sorted by x, at about `_STEP` pixels."""
    line = line[np.isfinite(line).all(-1)]
    line = line[np.argsort(line[:, 0], kind="stable")]
    if len(line) < 2:
        return line
    lengths = np.hypot(*np.diff(line, axis=0).T)
    way = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0, way[-1], min(int(way[-1] / _STEP) + 2, 4000))
    return np.column_stack([np.interp(at, way, line[:, k]) for k in range(2)])
