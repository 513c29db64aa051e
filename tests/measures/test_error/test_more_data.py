"""More data: extrapolation covers true curves of several shapes; what cannot be told is not."""

import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_more_data

ROWS = 100 * 2 ** np.arange(6)
CURVES = {
    "power": lambda n: 0.05 + 0.4 * (n / 100) ** -0.5,
    "power to 0": lambda n: 0.4 * (n / 100) ** -0.7,
    "slow power": lambda n: 0.5 * (n / 100) ** -0.2,
    "exponential": lambda n: 0.1 + 0.3 * np.exp(-n / 800),
    "logarithm": lambda n: 0.5 - 0.05 * np.log(n / 100),
    "two powers": lambda n: 0.05 + 0.2 * (n / 100) ** -1.0 + 0.15 * (n / 100) ** -0.2,
    "sigmoid": lambda n: 0.1 + 0.35 / (1 + n / 1000),
    "flat": lambda n: 0.3 + 0.0 * n,
}


def measured(rng, curve, rows=ROWS, n_repeats=4, n_test=1000):
    """Errors of models of unequal luck, each on its own test rows."""
    mean = curve(rows)[:, None]
    luck = 0.03 * mean * (rows[:, None] / rows[0]) ** -0.25
    p = np.clip(mean + luck * rng.standard_normal((len(rows), n_repeats)), 0, 1)
    return rng.binomial(n_test, p) / n_test


@pytest.mark.parametrize("name", CURVES)
def test_twice_and_four_times_the_rows_are_covered(name):
    curve, hits, n_told, draws = CURVES[name], {1: 0, 2: 0, 4: 0}, 0, 25
    for seed in range(draws):
        found = estimate_more_data(ROWS, measured(np.random.default_rng(seed), curve))
        n_told += found.told
        for factor in hits if found.told else ():
            far = found.error_at(factor * ROWS[-1])
            hits[factor] += far.low <= curve(far.rows) <= far.high
    assert n_told >= 0.8 * draws
    # Of 25 draws of a coverage of .95, fewer than 22 in a hundredth.
    assert all(hit >= n_told - 4 for hit in hits.values()), hits


def test_nothing_is_gained_on_a_flat_curve_and_something_on_one_that_falls():
    flat = estimate_more_data(ROWS, measured(np.random.default_rng(0), CURVES["flat"]))
    assert flat.gain().low == 0
    assert flat.shapes["flat"] > 0.3
    falls = estimate_more_data(ROWS, measured(np.random.default_rng(0), CURVES["slow power"]))
    true = CURVES["slow power"](ROWS[-1]) - CURVES["slow power"](2 * ROWS[-1])
    assert 0 < falls.gain(2).low <= true <= falls.gain(2).high
    assert falls.gain(1) == dataclasses.replace(falls.gain(1), error=0.0, low=0.0, high=0.0)
    assert sum(falls.shapes.values()) == pytest.approx(1)
    assert falls.gain(2).rows == 2 * ROWS[-1]


def test_rows_needed():
    curve = CURVES["power"]  # .05 + .4 (n / 100)^-.5: .12 at 3,265 rows, .1 at 6,400
    found = estimate_more_data(ROWS, measured(np.random.default_rng(3), curve, n_repeats=10))
    already, soon = found.rows_needed(0.3), found.rows_needed(0.1)
    assert already.answer == "reached already"
    assert already.low >= ROWS[0]  # nothing is said of fewer rows
    assert already.low < 256 < already.high < ROWS[-1]
    assert soon.answer in ("reached at", "more than")
    assert soon.low < 6400 < soon.high
    never = estimate_more_data(ROWS, CURVES["exponential"](ROWS)[:, None] + [-1e-5, 1e-5])
    never = never.rows_needed(0.05)
    assert (never.answer, never.rows, never.low) == ("not reached by any number", np.inf, np.inf)
    assert never.p_never > 0.975
    assert found.rows_needed(-1).answer == "not reached by any number"
    slow = estimate_more_data(ROWS, measured(np.random.default_rng(0), CURVES["slow power"]))
    far = slow.rows_needed(0.15)  # at 41,152 rows, 13 times what was measured
    assert far.answer == "more than"
    assert ROWS[-1] < far.low <= 8 * ROWS[-1]
    assert far.high == np.inf


def test_rows_needed_are_where_the_curve_is():
    for name in ("power", "exponential", "logarithm"):
        exact = CURVES[name](ROWS)[:, None] + [-1e-5, 1e-5]
        found = estimate_more_data(ROWS, exact)
        wanted = float(CURVES[name](4800.0))
        needed = found.rows_needed(wanted)
        assert needed.low <= 4800 * 1.02, name
        assert needed.high >= 4800 * 0.98, name
        at = found.error_at(4800)
        assert at.low - 1e-3 <= wanted <= at.high + 1e-3


def test_curves_at_the_ends_of_the_range():
    none = estimate_more_data(ROWS, np.zeros((6, 3)))
    assert none.gain().high < 1e-9
    assert none.rows_needed(0.1).answer == "reached already"
    of_rows = estimate_more_data(ROWS, np.zeros((6, 3, 50)))
    assert 0.001 < of_rows.error_at(ROWS[-1]).high < 0.1  # 50 rows do not say that all are right
    large = estimate_more_data(ROWS, 1e9 * measured(np.random.default_rng(0), CURVES["power"]))
    small = estimate_more_data(ROWS, measured(np.random.default_rng(0), CURVES["power"]))
    assert large.gain().low == pytest.approx(1e9 * small.gain().low, rel=0.02)


def told_not(errors, rows=ROWS, **options):
    found = estimate_more_data(rows, errors, **options)
    assert not found.told
    assert found.shapes == {}
    assert np.isnan([found.error_at(rows[-1]).error, found.gain().low]).all()
    assert found.rows_needed(0.1).answer == "cannot be told"
    return found.reason


def test_a_curve_that_rises_is_not_extrapolated():
    peak = np.array([0.3, 0.25, 0.5, 0.3, 0.2, 0.15])
    errors = measured(np.random.default_rng(0), lambda n: peak)
    assert "error rises by" in told_not(errors)
    assert "from 200 to 400 rows" in told_not(errors)


def test_a_curve_that_no_shape_fits_is_not_extrapolated():
    stairs = np.array([0.5, 0.5, 0.3, 0.3, 0.1, 0.1])
    errors = measured(np.random.default_rng(0), lambda n: stairs, n_test=10**6, n_repeats=8)
    luckless = stairs[:, None] + (errors - stairs[:, None]) / 30
    assert "no curve that only falls fits" in told_not(luckless)


def test_a_curve_that_was_not_foretold_is_not_extrapolated():
    rows = np.array([100, 200, 400, 800, 1600, 3200, 6400])
    cliff = np.array([0.5, 0.45, 0.41, 0.38, 0.36, 0.35, 0.22])
    errors = cliff[:, None] + 0.012 * np.random.default_rng(1).standard_normal((7, 5))
    reason = told_not(errors, rows)
    assert "curves fitted up to 3200 rows foretold" in reason or "no curve" in reason, reason


def test_on_digits_the_rows_held_back_are_foretold():
    x, y = load_digits(return_X_y=True)
    rng, errors = np.random.default_rng(0), np.full((6, 5, 397), np.nan)
    rows = np.array([40, 70, 120, 200, 350, 600, 1400])
    held = rng.permutation(len(x))
    train, test = held[:1400], held[1400:]
    at_most = 1 - KNeighborsClassifier(1).fit(x[train], y[train]).score(x[test], y[test])
    for k in range(5):
        order = rng.permutation(train)
        for s, n in enumerate(rows[:-1]):
            model = KNeighborsClassifier(1).fit(x[order[:n]], y[order[:n]])
            errors[s, k] = model.predict(x[test]) != y[test]
    found = estimate_more_data(rows[:-1], errors)
    assert found.told
    foretold = found.error_at(1400)
    assert foretold.low < at_most < foretold.high < found.error[-1] + 0.02
    # Of these test rows alone there is less doubt, and the doubt is about the level.
    alone = estimate_more_data(rows[:-1], errors.mean(2))
    assert np.all(alone.standard_error <= found.standard_error)


@pytest.mark.parametrize(
    ("rows", "errors", "options", "kind", "words"),
    [
        (ROWS[:3], np.ones((3, 2)), {}, DataError, "too few sizes to tell the shape"),
        (ROWS, np.ones((6, 1)), {}, DataError, "too little was measured"),
        (ROWS, -np.ones((6, 2)), {}, DataError, "an error lies below the least one"),
        (ROWS, np.ones((6, 2)), {"least": np.nan}, UsageError, "least is out of range"),
        (ROWS, np.ones((6, 2)), {"confidence": 0}, UsageError, "confidence is out of range"),
    ],
)
def test_wrong_data(rows, errors, options, kind, words):
    with pytest.raises(kind, match=words):
        estimate_more_data(rows, errors, **options)


def test_wrong_questions():
    found = estimate_more_data(ROWS, measured(np.random.default_rng(0), CURVES["power"]))
    with pytest.raises(UsageError, match="rows is out of range"):
        found.error_at(50)
    with pytest.raises(UsageError, match="rows is out of range"):
        found.error_at(9 * ROWS[-1])
    with pytest.raises(UsageError, match="factor is out of range"):
        found.gain(9)
    with pytest.raises(UsageError, match="wanted is out of range"):
        found.rows_needed(np.inf)
