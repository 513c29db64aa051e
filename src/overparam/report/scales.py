"""Ranges, ticks and pixel places of axes, computed here so that labels can be placed beforehand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overparam.lab.figure import Axis
from overparam.report.formatting import format_number, power_of_ten

BEYOND = 1e100  # numbers from here on (on a logarithmic axis also below its inverse) are not drawn
_SAME = 1e-13  # relative difference below which two numbers are one place
_PAD = 0.04  # share of the range left free at each end
_REACH = 0.6  # bands and seeds may extend the lines' range by this share at each end
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class AxisScale:
    """A drawn axis: range and ticks.

    Attributes:
        log: whether logarithmic. low, high: ends of the range, in data units.
        ticks, tick_labels: places and texts.
    """

    log: bool
    low: float
    high: float
    ticks: tuple[float, ...]
    tick_labels: tuple[str, ...]

    def share(self, value: float) -> float:
        """Return where `value` lies: 0 at `low`, 1 at `high`."""
        low, high, at = (self._warp(v) for v in (self.low, self.high, value))
        return (at - low) / (high - low)

    def shares(self, values: np.ndarray) -> np.ndarray:
        """Return `share` of many values; NaN for those that have no place."""
        placed = (np.abs(values) < BEYOND) & ((not self.log) | (values > 1 / BEYOND))
        values = np.where(placed, values, np.nan)
        low, high = self._warp(self.low), self._warp(self.high)
        return ((np.log10(values) if self.log else values) - low) / (high - low)

    def value(self, share: float) -> float:
        """Return the value at `share` of the axis (inverse of `share`)."""
        low, high = self._warp(self.low), self._warp(self.high)
        at = low + share * (high - low)
        return 10**at if self.log else at

    def _warp(self, value: float) -> float:
        return math.log10(value) if self.log else value


def fit_axis(
    axis: Axis, core: Sequence[float], extra: Sequence[float], gap: float, *, grounded: bool = True
) -> AxisScale:
    """Return the scale that holds `core` fully and `extra` (bands, seeds) within reason.

    `gap` is the least distance of two tick labels as a share of the axis. A `grounded` axis starts
    at 0 where its values come near (heights); otherwise the first point keeps its margin (places).

    Near an interpolation threshold a band can be orders of magnitude wider than the curve; it is
    then cut at `_REACH` of the curve's own range rather than flattening everything else.
    """
    log = axis.scale == "log"
    inner, outer = _drawable(core, log), _drawable(extra, log)
    if not len(inner):
        inner = outer if len(outer) else np.array([0.0, 1.0])
    low, high = float(inner.min()), float(inner.max())
    if high - low <= max(_SAME * max(abs(low), abs(high)), 1 / BEYOND):
        half = 0.5 if log else max(abs(low) * 0.1, 0.5 if low == 0 else 1e-9)
        low, high = low - half, high + half
    reach = _REACH * (high - low)
    if len(outer):
        low = max(min(low, float(outer.min())), low - reach)
        high = min(max(high, float(outer.max())), high + reach)
    bottom = low
    pad = _PAD * (high - low)
    low, high = low - pad, high + pad
    if not log and axis.zero and not grounded:
        low, high = min(low, -pad), max(high, pad)
    elif not log and grounded and (axis.zero or 0 <= bottom < 0.35 * high):
        low = min(low, 0.0) if bottom < 0 else 0.0
        high = max(high, 0.0)
    if log:
        low, high = 10**low, 10**high
    ticks = log_ticks(low, high, gap) if log else linear_ticks(low, high, int(1 / gap))
    return AxisScale(log, low, high, ticks, _tick_labels(ticks, log))


def linear_ticks(low: float, high: float, n_ticks: int) -> tuple[float, ...]:
    """Return at most `n_ticks` round values within [low, high].

    >>> linear_ticks(0, 0.93, 6)
    (0.0, 0.2, 0.4, 0.6, 0.8)
    """
    power = 10 ** math.floor(math.log10((high - low) / max(n_ticks, 2)))
    for step in (s * power for s in (*_STEPS, 20.0)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= max(n_ticks, 2):
            return tuple(float(f"{k * step:.12g}") for k in range(first, last + 1))
    raise AssertionError("the coarsest step always fits")  # pragma: no cover


def log_ticks(low: float, high: float, gap: float) -> tuple[float, ...]:
    """Return round values within [low, high] at least the share `gap` of the axis apart.

    The densest that fits of 1-2-3-…-9, 1-2-5, 1-3 and powers of ten.

    >>> log_ticks(8, 3000, 0.15)
    (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    span = math.log10(high / low)

    def inside(mantissas: Sequence[float], every: int = 1) -> tuple[float, ...]:
        values = [float(f"{m}e{d}") for d in decades if d % every == 0 for m in mantissas]
        return tuple(v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9))

    for mantissas in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        found = inside(mantissas)
        apart = [math.log10(b / a) / span for a, b in itertools.pairwise(found)]
        if min(apart, default=0.0) >= gap:
            return found
    if span < 1:  # too short for powers of ten: the round values of a linear axis serve better
        return linear_ticks(low, high, max(int(0.6 / gap), 2))
    return inside((1,), math.ceil(gap * span))


def first_equal(axes: Sequence[Axis]) -> list[int]:
    """Return for each axis the first one of equal quantity, unit and scale: they share a range."""
    keys = [(a.quantity, a.unit, a.scale) for a in axes]
    return [keys.index(key) for key in keys]


def finite(values: object) -> np.ndarray:
    """Return the entries that have a place on an axis as a flat array; None gives an empty one.

    Numbers beyond `BEYOND` have none: the width of an axis that held them would be no number.
    """
    array = np.asarray([] if values is None else values, dtype=float).ravel()
    return array[np.abs(array) < BEYOND]


def _drawable(values: Sequence[float], log: bool) -> np.ndarray:
    array = finite(values)
    return np.log10(array[array > 1 / BEYOND]) if log else array


def _tick_labels(ticks: Sequence[float], log: bool) -> tuple[str, ...]:
    extreme = any(t != 0 and (abs(t) >= 1e6 or abs(t) < 1e-3) for t in ticks)
    if log and extreme:
        return tuple(power_of_ten(t) for t in ticks)
    for digits in range(4, 16):
        labels = tuple(format_number(t, digits) for t in ticks)
        if len(set(labels)) == len(ticks):
            break
    return labels
