"""Memorization of targets, against sums written out and against worlds of known truth."""

import numpy as np
import pytest

from overparam.data import draw_subsets
from overparam.errors import DataError, UsageError
from overparam.measures import target_memorization
from overparam.streams import Streams

K, N = 12, 30


def world(seed=0, n_models=K, n=N, wide=0.0):
    rng = np.random.default_rng(seed)
    masks = draw_subsets(n_models, n, 0.7, Streams(seed))
    targets = rng.normal(size=n)
    spread = np.where(masks, 0.2, 1.0 + wide)
    return masks, targets + spread * rng.normal(size=masks.shape), targets


def test_it_is_the_sum_written_out():
    masks, said, y = world()
    found = target_memorization(masks, said, y)
    for i in range(N):
        inside, outside = said[masks[:, i], i], said[~masks[:, i], i]
        one, other = (inside - y[i]) ** 2, (outside - y[i]) ** 2
        assert found.estimate[i] == pytest.approx((other.mean() - one.mean()) / y.var())
        assert (found.n_in[i], found.n_out[i]) == (len(one), len(other))
        assert found.error_in[i] == pytest.approx(one.mean())
        assert found.prediction[i] == pytest.approx(outside.mean())
        assert found.prediction_error[i] == pytest.approx(outside.std(ddof=1) / len(outside) ** 0.5)
        error = np.hypot(*(e.std(ddof=1) / len(e) ** 0.5 for e in (one, other)))
        assert found.standard_error[i] == pytest.approx(error / y.var())
        assert found.low[i] < found.estimate[i] < found.high[i]
    assert found.mean == pytest.approx(found.estimate.mean())
    assert found.mean_low < found.mean < found.mean_high


def test_targets_far_from_0_lose_no_digits():
    masks, said, y = world()
    near, far = (target_memorization(masks, said + c, y + c) for c in (0.0, 2.0**30))
    np.testing.assert_allclose(near.estimate, far.estimate, rtol=1e-4)
    np.testing.assert_allclose(near.prediction_error, far.prediction_error, rtol=1e-4)


def test_what_is_not_said_is_not_counted():
    masks, said, y = world()
    said[:, 0] = np.where(masks[:, 0], said[:, 0], np.nan)
    said[np.flatnonzero(~masks[:, 1])[1:], 1] = np.nan
    found = target_memorization(masks, said, y)
    assert (found.n_out[0], found.n_out[1]) == (0, 1)
    assert np.isnan([found.estimate[0], found.prediction[0], found.error_out[0]]).all()
    assert np.isfinite(found.estimate[1])
    assert np.isnan([found.low[1], found.high[1], found.standard_error[1]]).all()
    assert found.mean == pytest.approx(np.nanmean(found.estimate))


def test_without_answers_inside_there_are_predictions_and_no_scores():
    masks, said, y = world()
    found = target_memorization(masks, np.where(masks, np.nan, said), y)
    assert np.isnan([*found.estimate, found.mean, found.mean_low]).all()
    np.testing.assert_array_equal(found.prediction, target_memorization(masks, said, y).prediction)


def test_models_that_are_exact_inside_have_an_interval_of_the_outside_alone():
    masks, said, y = world()
    found = target_memorization(masks, np.where(masks, y, said), y)
    assert (found.error_in == 0).all()
    assert (found.low >= 0).all()
    assert np.isfinite(found.high).all()


@pytest.mark.parametrize("n_models", [10, 40])
def test_intervals_of_rows_hold_the_truth(n_models):
    """Low ends are too high in at most 2.5 %, high ends too low in 9 %."""
    n = 2000
    masks, said, y = world(1, n_models, n)
    found = target_memorization(masks, said, y)
    truth = (1.0 - 0.04) / y.var()
    too_high, too_low = (found.low > truth).mean(), (found.high < truth).mean()
    assert too_high < 0.025 + 2 * (0.025 / n) ** 0.5
    assert too_low < 0.09


def test_where_nothing_is_memorized_no_row_is_said_to_be():
    rng = np.random.default_rng(2)
    masks = draw_subsets(20, 2000, 0.7, Streams(2))
    y = rng.normal(size=2000)
    found = target_memorization(masks, y + rng.normal(size=masks.shape), y)
    assert (found.low > 0).mean() < 0.025
    assert found.mean_low < 0 < found.mean_high


def test_the_mean_of_rows_is_covered_where_models_differ():
    """Models of one error for all rows: their number decides, not that of the rows."""
    covered = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        masks = draw_subsets(10, 60, 0.5, Streams(seed))
        y = rng.normal(size=60)
        of_model = np.sqrt(np.clip(1 + 0.3 * rng.normal(size=(10, 1)), 0, None))
        off = of_model * np.where(masks, 0.5, 1.0)
        found = target_memorization(masks, y + off, y)
        covered.append(found.mean_low <= 0.75 / y.var() <= found.mean_high)
    assert np.mean(covered) > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.ones(N)}, "do not vary"),
        ({"targets": np.full(N, np.nan)}, "do not vary, or are not all known"),
        ({"targets": np.ones(N - 1)}, "not of the same rows"),
        ({"predictions": np.ones((K, N - 1))}, "not of the same models and rows"),
        ({"predictions": np.full((K, N), 1e80)}, "too large to square"),
        ({"in_subset": np.ones((K, N))}, "no row was left out by a model"),
        ({"in_subset": np.ones((1, N)), "predictions": np.ones((1, N))}, "one model cannot"),
    ],
)
def test_what_is_refused(change, message):
    masks, said, y = world()
    given = {"in_subset": masks, "predictions": said, "targets": y} | change
    with pytest.raises(DataError, match=message):
        target_memorization(**given)


def test_a_confidence_that_is_none():
    with pytest.raises(UsageError, match="confidence"):
        target_memorization(*world(), confidence=1.0)
