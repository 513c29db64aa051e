import numpy as np
import pytest
from scipy import stats

from overparam.errors import UsageError
from overparam.lab.crossing import crossing_interval, crossings

LEVELS = [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("curve", "at", "expected"),
    [
        ([1, 1, -1, -1], 0, 3),
        ([1, 0.5, -0.5, -1], 0, 3),
        ([1, -1, 1, -1], 0, 6),  # the last time
        ([1, 1, 1, 1], 0, np.inf),
        ([-1, -1, -1, -1], 0, -np.inf),
        ([1, 0, -1, -1], 0, 2),  # on the value
        ([1, np.nan, -1, -1], 0, np.nan),  # it might have come back there
        ([1, np.inf, -1, -1], 0, 4),  # no line leads from without end
        ([1, 1, -np.inf, -1], 0, 2),
        ([np.nan] * 4, 0, np.nan),
        ([2, 2, 1, 1], 1.5, 3),
    ],
)
def test_falling_curves(curve, at, expected):
    found = crossings(LEVELS, np.array(curve, float)[:, None], at)
    np.testing.assert_array_equal(found, [expected])


def test_rising_is_falling_upside_down():
    matrix = np.random.default_rng(0).normal(size=(4, 20)).cumsum(0)
    np.testing.assert_array_equal(
        crossings(LEVELS, matrix, 0.1, falling=False), crossings(LEVELS, -matrix, -0.1)
    )


def test_the_interval_is_over_seeds():
    found = crossing_interval([0, 1], [[1, 1, 1], [-1, -3, -1]], 0)
    assert found.estimate == pytest.approx((0.5 + 0.25 + 0.5) / 3)
    assert found.low < found.estimate < found.high
    assert found.n == 3


def test_seeds_that_agree_know_the_place_as_well_as_the_levels_are_spaced():
    curve = np.repeat([[1.0], [0.5], [-0.5], [-1.0]], 3, axis=1)
    found = crossing_interval([0, 1, 3, 9], curve, 0)
    half = stats.t.ppf(0.975, 2) * 2 / np.sqrt(12) / np.sqrt(3)
    np.testing.assert_allclose((found.estimate, found.high), (2, 2 + half), rtol=1e-12)
    many = np.repeat([[1.0], [0.5], [-0.5]], 100, axis=1)
    found = crossing_interval([0, 1, 3], many, 0)
    assert (found.low, found.high) == (1, 3)


@pytest.mark.parametrize("n_seeds", [5, 10, 20])
@pytest.mark.parametrize(("height", "spread"), [(0.5, 0.0), (0.1, 0.0), (0.01, 0.3), (0.5, 1.0)])
def test_the_place_of_a_sharp_fall_is_missed_in_no_more_than_a_twentieth(n_seeds, height, spread):
    """The line between two levels errs in all seeds alike, which no number of seeds mends."""
    rng, levels, missed = np.random.default_rng(0), np.arange(40.0), 0
    for _ in range(400):
        place = 20 + rng.random()
        fallen = levels[:, None] > place + spread * rng.standard_normal(n_seeds)
        found = crossing_interval(levels, np.where(fallen, height - 1, height), 0)
        missed += not found.low <= place <= found.high
    assert missed / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_of_crossings_that_differ_by_factors_the_logarithms_have_the_interval():
    rng, logs, below = np.random.default_rng(1), np.log(np.geomspace(1, 64, 7)), np.zeros(2)
    for _ in range(300):
        places = np.log(10) + 0.8 * rng.standard_normal(5)
        curves = -np.tanh(2 * (logs[:, None] - places))
        found = [crossing_interval(x, curves, 0) for x in (np.exp(logs), logs)]
        below += [found[0].high < 10 * np.exp(0.32), found[1].high < np.log(10)]
    # One end of a 95 % interval; of the levels themselves it is too short on the side of the tail.
    assert below[1] / 300 <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / 300) < below[0] / 300


def test_a_seed_that_lacks_a_level_is_missing():
    found = crossing_interval([0, 1], [[1, 1, 1], [-1, -3, np.nan]], 0)
    assert (found.n, found.n_missing) == (2, 1)


def test_a_seed_that_never_crosses_leaves_no_interval():
    found = crossing_interval([0, 1], [[1, 1], [-1, 1]], 0)
    assert found.estimate == np.inf
    assert np.isnan(found.high)


def test_refusals():
    with pytest.raises(UsageError, match="levels and matrix do not fit"):
        crossings([2, 1], [[1], [2]], 0)
    with pytest.raises(UsageError, match="levels and matrix do not fit"):
        crossings([1, 2, 3], [[1], [2]], 0)


def test_an_interval_of_crossings_ends_where_the_sweep_ends():
    found = crossing_interval([2, 9], [[0.9, 0.9, 0.9], [-0.9, -0.3, -0.1]], 0.0)
    assert (found.low, found.high) == (2, 9)
