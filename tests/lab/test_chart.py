"""Charts as data: what cannot be drawn is refused, and bands say no more than is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from overparam.errors import DataError
from overparam.lab.figure import Axis, Panel, Series

X = np.arange(1.0, 4.0)


def _series(n_seeds: int = 5, **more: object) -> Series:
    values = {"low": X - 1, "high": X + 1, "dots": np.ones((3, n_seeds)), "band": "95 %"}
    return Series("a", "test", X, X, **{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("n_seeds", [1, 2, 3])
def test_no_band_from_few_seeds(n_seeds):
    line = _series(n_seeds)
    assert line.low is None
    assert line.high is None
    assert line.band == ""


def test_a_point_that_lacks_seeds_has_no_band():
    dots = np.ones((3, 5))
    dots[1, :2] = np.nan
    line = _series(dots=dots)
    assert_array_equal(line.low, [0, math.nan, 2])
    assert_array_equal(line.high, [2, math.nan, 4])


def test_a_band_without_dots_stays():
    assert_array_equal(_series(dots=None).low, X - 1)


@pytest.mark.parametrize(
    ("axis", "limits"),
    [
        (Axis("Test error", "fraction wrong"), (0, 1)),
        (Axis("Fraction of images"), (0, 1)),
        (Axis("Fraction of a second", "s"), None),
        (Axis("Correlation", limits=(-1, 1)), (-1, 1)),
        (Axis("Loss", "nats"), None),
    ],
)
def test_limits_of_a_quantity(axis, limits):
    assert axis.limits == limits


def test_bands_of_fractions_stay_within_them():
    error = Axis("Test error", "fraction wrong")
    y, low, high = (np.array([0.1, 0.5, 0.95]) + d for d in (0, -0.2, 0.2))
    line = Panel("", Axis("p"), error, [Series("a", "test", X, y, low, high)]).series[0]
    assert_array_equal(line.low, [0, 0.3, 0.75])
    assert_array_equal(line.high, [high[0], high[1], 1])
    difference = Series("b", "test", X, y - 0.5, low - 0.5, high - 0.5)
    assert Panel("", Axis("p"), error, [difference]).series[0].low[0] == low[0] - 0.5  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": X[:2]}, r"shape of y .*\(2,\).*\(3,\)"),
        ({"x": X[:, None]}, "shape of x .*one dimension"),
        ({"low": X[:1]}, "shape of low"),
        ({"low": None}, "one end"),
        ({"dots": np.ones((2, 5))}, r"shape of dots .*\(3, seeds\)"),
        ({"y": ["a", "b", "c"]}, "y cannot be drawn.*real numbers"),
        ({"role": "purple"}, "role of a series .*purple"),
    ],
)
def test_series_that_cannot_be_drawn(change, message):
    values = {"label": "a", "role": "test", "x": X, "y": X, "low": X, "high": X}
    with pytest.raises(DataError, match=message):
        Series(**{**values, **change})  # type: ignore[arg-type]


def test_axis_of_an_unknown_scale():
    with pytest.raises(DataError, match=r"scale of an axis.*'cubic'.*linear"):
        Axis("p", scale="cubic")  # type: ignore[arg-type]
