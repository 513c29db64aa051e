"""Consistency scores and learning curves: brute force, coverage in a made-up world, bad input."""

import numpy as np
import pytest

from overparam.data import draw_subsets
from overparam.errors import DataError, UsageError
from overparam.measures import c_scores, learning_curve, memorization_scores, subset_arrays
from overparam.streams import Streams


def world(rng, n_rows=200, ratios=(0.2, 0.5, 0.8), each=6):
    """Accuracy rises with the ratio; rows differ, and so do models."""
    ratio = np.repeat(ratios, each)
    masks = np.zeros((len(ratio), n_rows), bool)
    for model, share in enumerate(ratio):
        masks[model, rng.permutation(n_rows)[: int(share * n_rows)]] = True
    row, model = 0.15 * rng.standard_normal(n_rows), 0.05 * rng.standard_normal(len(ratio))
    p = np.clip(0.5 + 0.4 * ratio[:, None] + row[None, :] + model[:, None], 0, 1)
    return masks, rng.random(p.shape) < p, ratio


def test_by_loop():
    masks, correct, ratio = world(np.random.default_rng(0), n_rows=20, each=3)
    found = c_scores(masks, correct)
    curve = learning_curve(masks, correct)
    assert found.ratios.tolist() == curve.ratios.tolist() == [0.2, 0.5, 0.8]
    for r, share in enumerate(found.ratios):
        models = np.flatnonzero(ratio == share)
        for row in range(20):
            unseen = [correct[k, row] for k in models if not masks[k, row]]
            assert found.n_out[r, row] == len(unseen)
            np.testing.assert_equal(found.accuracy[r, row], np.mean(unseen) if unseen else np.nan)
        each = [correct[k][~masks[k]].mean() for k in models]
        assert curve.accuracy[r] == pytest.approx(np.mean(each), rel=1e-12)
        assert curve.n_rows[r] == share * 20
        assert curve.low[r] < curve.accuracy[r] <= curve.high[r]
    np.testing.assert_array_equal(found.estimate, found.accuracy.mean(0))
    assert np.isnan(found.estimate).any()  # some row was in all three models of a ratio


def test_at_one_ratio_it_is_the_accuracy_out():
    masks, correct, _ = world(np.random.default_rng(1), ratios=(0.7,), each=20)
    scores = memorization_scores(masks, correct)
    found = c_scores(masks, correct)
    np.testing.assert_array_equal(found.estimate, scores.accuracy_out)
    assert np.all(found.standard_error[np.isfinite(found.estimate)] > 0)


@pytest.mark.parametrize("n_models", [4, 6, 10, 20])
def test_standard_errors_of_counts_are_the_errors_made(n_models):
    errors, claimed = [], []
    for repeat in range(20):
        rng = np.random.default_rng(repeat)
        masks = draw_subsets(n_models, 300, 0.5, Streams(repeat))
        p_out, p_in = rng.random((2, 300))
        correct = rng.random(masks.shape) < np.where(masks, p_in, p_out)
        of_rows, of_labels = c_scores(masks, correct), memorization_scores(masks, correct)
        errors.append([of_rows.estimate - p_out, of_labels.estimate - (p_in - p_out)])
        claimed.append([of_rows.standard_error, of_labels.standard_error])
    made, told = (np.sqrt(np.mean(np.square(x), axis=(0, 2))) for x in (errors, claimed))
    np.testing.assert_allclose(made, told, rtol=0.05)


@pytest.mark.parametrize("n_models", [10, 12])
def test_subsets_by_class_have_one_ratio(n_models):
    # 19 classes of 25 rows: 17.5 a class, so that subsets are of 332 or 333 rows.
    classes, rng = np.repeat(np.arange(19), 25), np.random.default_rng(0)
    masks = draw_subsets(n_models, 475, 0.7, Streams(0), classes=classes)
    assert len(np.unique(masks.sum(1))) > 1
    correct = rng.random(masks.shape) < 0.8
    found = c_scores(masks, correct)
    assert found.ratios.tolist() == [0.7]
    np.testing.assert_array_equal(found.estimate, memorization_scores(masks, correct).accuracy_out)
    assert learning_curve(masks, correct).ratios.tolist() == [0.7]
    told = c_scores(masks, correct, ratio=np.repeat([0.70, 0.71], n_models // 2))
    assert told.ratios.tolist() == [0.70, 0.71]


def test_intervals_of_the_curve_cover():
    # Fresh rows and fresh models in every draw; the truth is the mean over both.
    hits, draws = 0, 120
    for seed in range(draws):
        masks, correct, _ = world(np.random.default_rng(seed), ratios=(0.25,), n_rows=120)
        curve = learning_curve(masks, correct)
        hits += curve.low[0] <= 0.6 <= curve.high[0]
    assert hits / draws >= 0.92  # 95 %, somewhat more by construction; 3 sd below is .89


def test_what_is_always_right_still_has_an_interval():
    masks, correct, _ = world(np.random.default_rng(0))
    curve = learning_curve(masks, np.ones_like(correct))
    assert np.all(curve.accuracy == 1)
    assert np.all((curve.low < 1) & (curve.high == 1))


def test_one_model_has_no_interval_and_silent_ones_do_not_count():
    masks, correct, ratio = world(np.random.default_rng(0))
    said = correct.astype(float)
    said[(ratio == 0.2) & (np.arange(len(ratio)) > 0)] = np.nan
    said[ratio == 0.5] = np.nan
    curve = learning_curve(masks, said)
    assert curve.n_models.tolist() == [1, 0, 6]
    assert np.isnan(curve.low).tolist() == [True, True, False]
    assert np.isnan(curve.accuracy).tolist() == [False, True, False]


def test_ratios_can_be_given_and_blocks_do_not_matter(monkeypatch):
    masks, correct, ratio = world(np.random.default_rng(0))
    masks[0, np.flatnonzero(~masks[0])[:9]] = True  # a subset that is not quite of its size
    assert len(c_scores(masks, correct).ratios) == 4
    found, curve = c_scores(masks, correct, ratio), learning_curve(masks, correct, ratio)
    assert found.ratios.tolist() == [0.2, 0.5, 0.8]
    monkeypatch.setattr(subset_arrays, "_BLOCK_BYTES", 8 * len(masks) * 9)  # nine rows at a time
    np.testing.assert_array_equal(c_scores(masks, correct, ratio).estimate, found.estimate)
    other = learning_curve(masks, correct, ratio)
    np.testing.assert_allclose(other.low, curve.low, rtol=1e-12)


MASKS, CORRECT, RATIO = world(np.random.default_rng(0), n_rows=20)


@pytest.mark.parametrize("measure", [c_scores, learning_curve])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((MASKS, CORRECT[:-1]), "not of the same models and rows"),
        ((MASKS, CORRECT, RATIO[:-1]), "ratio is not of the same models"),
        ((MASKS, CORRECT, RATIO + 1), "ratio is no share of rows"),
        ((MASKS, CORRECT * 2), "correct holds other values than 0 and 1"),
    ],
)
def test_wrong_data(measure, arguments, words):
    with pytest.raises(DataError, match=words):
        measure(*arguments)


def test_wrong_data_of_the_curve_alone():
    with pytest.raises(DataError, match="no model left out a row"):
        learning_curve(np.ones_like(MASKS), CORRECT)
    with pytest.raises(UsageError, match="confidence is out of range"):
        learning_curve(MASKS, CORRECT, confidence=0)
