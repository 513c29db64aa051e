"""A line over seeds: centre, band, dots and what they are called."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from overparam.errors import UsageError
from overparam.lab.series import series_over_seeds

ERRORS = np.array([[0.1, 0.4, 0.2, 0.3], [0.2, 0.2, 0.2, 0.2], [0.3, np.nan, 0.1, 0.2]])


def test_geometric_line_and_band_are_those_of_the_logarithms():
    line = series_over_seeds("test", "test", [1, 2, 4], ERRORS)
    logs = np.log(ERRORS[0])
    half = stats.t.ppf(0.975, 3) * logs.std(ddof=1) / 4**0.5
    assert_allclose(line.y, np.exp([logs.mean(), np.log(0.2), np.log(0.006) / 3]))
    # A level of which a seed is missing has three left: dots, and no band.
    low, high = (np.exp(logs.mean() + sign * half) for sign in (-1, 1))
    assert_allclose([line.low[0], line.high[0]], [low, high])
    assert np.isnan([line.low[2], line.high[2]]).all()
    assert_allclose(line.dots, ERRORS)
    assert (line.statistic, line.band) == (
        "geometric mean over 4 seeds",
        "95% interval over seeds, pointwise",
    )


def test_three_seeds_are_dots_without_a_band():
    line = series_over_seeds("test", "test", [1, 2, 4], ERRORS[:, :3])
    assert (line.low, line.high, line.band) == (None, None, "")
    assert line.dots.shape == (3, 3)


def test_bands_of_fractions_stay_among_fractions():
    values = [[0.0, 0.1, 0.0, 0.0], [1.0, 1.0, 0.9, 1.0]]
    line = series_over_seeds("train", "train", [1, 2], values, "mean", bounds=(0, 1))
    assert (line.low[0], line.high[1]) == (0, 1)


def test_mean_line_takes_zeros():
    line = series_over_seeds(
        "train", "train", [1, 2], [[0.0, 0.2], [0.0, 0.0]], "mean", dashed=True
    )
    assert_allclose(line.y, [0.1, 0.0])
    assert line.dashed
    assert line.statistic == "mean over 2 seeds"


def test_levels_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="levels and matrix do not fit"):
        series_over_seeds("test", "test", [1, 2], ERRORS)
