"""Calibration: by hand, against scikit-learn and all pairs of rows, in worlds of known error."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.calibration import calibration_curve

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_calibration_error, reliability_curve
from overparam.measures.probabilities.calibration import _halved
from overparam.measures.probabilities.calibration_bins import cut_into_bins, off_by_chance


def world(rng, n, off=0.0):
    """Probabilities of the second class, which comes by `off` less often than they say."""
    said = rng.uniform(0.5, 0.95, n)
    return said, (rng.random(n) < said - off).astype(int)


def test_the_curve_is_scikit_learns():
    said, labels = world(np.random.default_rng(0), 1000)
    found = reliability_curve(said, labels, of_class=1, n_bins=10)
    rate, score = calibration_curve(labels, said, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(found.rate, rate)
    np.testing.assert_allclose(found.score, score)
    assert found.n.tolist() == [100] * 10
    assert np.all(found.least[1:] > found.most[:-1])


def test_the_most_probable_class_is_looked_at_and_ties_stay_together():
    said = np.repeat([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.0, 1.0, 0.0]], 20, axis=0)
    labels = np.repeat([0, 1, 2, 0, 1], [14, 6, 8, 12, 20])
    found = reliability_curve(said, labels, n_bins=6)
    np.testing.assert_allclose(found.score, [0.4, 0.7, 1.0])
    np.testing.assert_allclose(found.rate, [0.4, 0.7, 1.0])
    assert found.high[-1] == 1
    assert 0.8 < found.low[-1] < 1
    of_one = reliability_curve(said, labels, of_class=1, n_bins=6)
    np.testing.assert_allclose(of_one.score, [0.2, 0.3, 1.0])


@pytest.mark.parametrize("n", [20, 60])
def test_the_square_is_that_of_all_pairs_of_rows(n):
    said, labels = world(np.random.default_rng(0), n, 0.2)
    found = estimate_calibration_error(said, labels, of_class=1)
    score, event = said, labels.astype(float)
    bins = cut_into_bins(score, event, np.arange(n), 15)
    square = 0.0
    for b in range(len(bins.n)):
        off = (event - score)[bins.bin == b]
        pairs = [x * y for x, y in itertools.permutations(off, 2)]
        square += len(off) / n * np.mean(pairs)
    assert found.square == pytest.approx(square, abs=1e-12)
    assert found.n_bins == n // 10


def test_the_halved_absolute_value_is_the_mean_over_halvings():
    rng = np.random.default_rng(0)
    off = rng.normal(0.1, 1.0, 400)
    halves = rng.permuted(np.tile(off, (5_000, 1)), axis=1).reshape(-1, 2, 200).mean(2)
    expected = (np.sign(halves[:, 0]) * halves[:, 1]).mean()
    error = off.std(ddof=1) / 20
    found = _halved(np.array([off.mean()]), np.array([error]))[0]
    assert found == pytest.approx(expected, abs=0.05 * error)  # of 5,000 draws: 0.014


@pytest.mark.parametrize("grouped", [False, True])
def test_calibrated_probabilities_have_no_error_and_the_naive_one_its_null_mean(grouped):
    found, draws = [], 80
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        said, labels = world(rng, 300)
        groups = None
        if grouped:  # copies
            said, labels = np.repeat(said, 2), np.repeat(labels, 2)
            groups = np.repeat(np.arange(300), 2)
        found.append(estimate_calibration_error(said, labels, of_class=1, groups=groups))
    told = np.mean([f.rms_low > 0 for f in found])
    assert told <= 0.075  # nominal 2.5 %; more than 6 of 80 in 1 %
    assert all((f.absolute_low > 0) <= (f.p_value <= 0.025) for f in found)
    squares = np.array([f.square for f in found])
    assert abs(squares.mean()) < 3 * squares.std() / draws**0.5
    plugin = np.mean([f.plugin_absolute for f in found])
    assert plugin == pytest.approx(np.mean([f.null_absolute for f in found]), rel=0.08)
    assert plugin > 0.05


@pytest.mark.parametrize(("n", "off"), [(150, 0.03), (600, 0.03), (600, 0.15)])
def test_errors_of_known_size_are_covered(n, off):
    draws, rms, absolute = 60, 0, 0
    for seed in range(draws):
        f = estimate_calibration_error(*world(np.random.default_rng(seed), n, off), of_class=1)
        rms += f.rms_low <= off <= f.rms_high
        absolute += f.absolute_low <= off <= f.absolute_high
    assert rms / draws >= 0.89  # nominal 95 %, less two standard errors of 60 draws
    assert absolute / draws >= 0.93


def test_copies_in_groups_change_nothing_but_in_groups_is_told():
    said, labels = world(np.random.default_rng(1), 400, 0.05)
    once = estimate_calibration_error(said, labels, of_class=1)
    copied = [np.repeat(x, 3) for x in (said, labels)]
    groups = np.repeat(np.arange(400).astype(str), 3)
    thrice = estimate_calibration_error(*copied, of_class=1, groups=groups)
    assert thrice.square == pytest.approx(once.square, abs=1e-12)
    assert thrice.rms_high == pytest.approx(once.rms_high, rel=0.1)
    naive = estimate_calibration_error(*copied, of_class=1)
    assert naive.rms_high - naive.rms_low < thrice.rms_high - thrice.rms_low
    curve = reliability_curve(*copied, of_class=1, groups=groups)
    single = reliability_curve(said, labels, of_class=1)
    np.testing.assert_allclose(curve.rate, single.rate)
    wider = (curve.high - curve.low) / (single.high - single.low)
    np.testing.assert_allclose(wider, 1, atol=0.15)
    sure = reliability_curve(np.ones(40), np.ones(40, int), of_class=1, groups=np.arange(40) // 2)
    assert sure.low[0] == pytest.approx(
        reliability_curve(np.ones(20), np.ones(20, int), of_class=1).low[0]
    )


@pytest.mark.parametrize("sizes", [[40, *[1] * 100], [20] + [1] * 300, [*[10] * 20, *[1] * 180]])
def test_one_large_group_among_single_rows_shows_no_error(sizes):
    rng, draws, told = np.random.default_rng(0), 80, np.zeros(2)
    group = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(draws):
        said = rng.random(len(sizes))  # copies
        labels = (rng.random(len(sizes)) < said).astype(int)
        found = estimate_calibration_error(said[group], labels[group], groups=group)
        told += [found.rms_low > 0, found.p_value <= 0.05]
    assert told[0] <= 6  # nominal 2.5 %; more than 6 of 80 in 1 %
    assert told[1] <= 9  # nominal 5 %; more than 9 of 80 in 1 %


def test_variances_of_groups_of_unequal_size_are_unbiased():
    # A bin of one group of 12 and six of one, copies each: all labels that there can be.
    sizes = np.array([12, 1, 1, 1, 1, 1, 1])
    group = np.repeat(np.arange(7), sizes)
    found, rates = [], []
    for labels in itertools.product([0.0, 1.0], repeat=7):
        bins = cut_into_bins(np.full(18, 0.5), np.array(labels)[group], group, 1)
        found.append(bins.covariance[0, 0])
        rates.append(bins.rate[0])
    assert np.mean(found) == pytest.approx(np.var(rates), rel=1e-12)
    assert bins.together[0] == pytest.approx(0.25 * (sizes**2).sum() / 18**2)
    assert bins.n_groups[0] == pytest.approx(18**2 / (sizes**2).sum())


def test_a_sure_model_that_is_always_right_may_still_be_off():
    found = estimate_calibration_error(np.ones(100), np.ones(100, int))
    assert (found.rms, found.rms_low, found.p_value) == (0, 0, 1)
    assert 0 < found.rms_high < 0.1
    wrong = estimate_calibration_error(np.ones(100), np.zeros(100, int))
    assert (wrong.rms, wrong.rms_low, wrong.absolute) == (1, 1, 1)


def test_draws_by_chance_are_those_of_labels_drawn_from_scores():
    rng = np.random.default_rng(0)
    said, labels = world(rng, 200)
    bins = cut_into_bins(said, labels.astype(float), np.arange(200), 5)
    fast = off_by_chance(bins, said)
    slow = np.array(
        [np.bincount(bins.bin, (rng.random(200) < said) - said) / bins.n for _ in range(2000)]
    )
    np.testing.assert_allclose(fast.mean(0), 0, atol=0.005)
    np.testing.assert_allclose(fast.std(0), slow.std(0), rtol=0.06)


def test_forms_that_people_have_say_the_same():
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.ones(3), 60)
    labels = rng.integers(3, size=60)
    words = np.array(["ant", "bee", "cow"])
    whole = estimate_calibration_error(said, labels)
    assert estimate_calibration_error(said, words[labels], classes=words) == whole
    frame = pd.DataFrame(said, columns=words[[2, 0, 1]])
    turned = np.array([1, 2, 0])[labels]  # positions of the same classes in other columns
    assert estimate_calibration_error(frame, words[labels]) == estimate_calibration_error(
        said, turned
    )
    assert estimate_calibration_error(torch.tensor(said), pd.Series(labels)) == whole
    shuffled = rng.permutation(60)
    other = estimate_calibration_error(said[shuffled], labels[shuffled])
    assert other.square == pytest.approx(whole.square, abs=1e-12)
    missing = np.concatenate([said, [[np.nan] * 3]])
    more = estimate_calibration_error(missing, np.append(labels, 0))
    assert (more.square, more.n, more.n_unknown) == (whole.square, 60, 1)


SAID, LABELS = np.repeat([[0.6, 0.4]], 40, axis=0), np.arange(40) % 2


@pytest.mark.parametrize("measure", [reliability_curve, estimate_calibration_error])
@pytest.mark.parametrize(
    ("said", "labels", "more", "kind", "words"),
    [
        (SAID, LABELS[:-1], {}, DataError, "labels must have one value for each row"),
        (SAID, LABELS + 1, {}, DataError, "labels are no classes of these probabilities"),
        (SAID, ["a", "b"] * 20, {}, DataError, "give classes="),
        (SAID, ["a", 1] * 20, {}, DataError, "kinds that have no order"),
        (SAID, [None, 1] * 20, {}, DataError, "labels hold missing values"),
        (SAID, ["a", np.nan] * 20, {}, DataError, "labels hold missing values"),
        (SAID, LABELS, {"classes": ["a", "a"]}, DataError, "classes must name each column"),
        (SAID, LABELS, {"groups": [0] * 40}, DataError, "all rows are one group"),
        (SAID, LABELS, {"groups": [pd.NA, 1] * 20}, DataError, "groups hold missing values"),
        (SAID[:, :1], LABELS, {}, DataError, "one class leaves nothing to predict"),
        (SAID * 9, LABELS, {}, DataError, "probabilities lie outside"),
        (SAID / 2, LABELS, {}, DataError, "do not sum to 1"),
        (SAID[:, 0] * 9, LABELS, {}, DataError, "probabilities lie outside"),
        (SAID * np.nan, LABELS, {}, DataError, "too few rows of which something is known"),
        (SAID[:1], LABELS[:1], {}, DataError, "too few rows of which something is known"),
        (
            pd.DataFrame(SAID, columns=["a", "b"]),
            ["a", "b"] * 20,
            {"classes": ["b", "a"]},
            DataError,
            "classes are in another order than the columns",
        ),
        (
            SAID,
            pd.Series(LABELS),
            {"groups": pd.Series(range(40))[::-1]},
            DataError,
            "labels and groups have the same index in different orders",
        ),
        (
            pd.DataFrame(SAID),
            LABELS,
            {"groups": pd.Series(range(40))[::-1]},
            DataError,
            "probabilities and groups have the same index in different orders",
        ),
        (SAID, LABELS, {"of_class": 7}, UsageError, "of_class is none of the classes"),
        (SAID, LABELS, {"n_bins": 0}, UsageError, "n_bins is out of range"),
        (SAID, LABELS, {"confidence": 1}, UsageError, "confidence is out of range"),
    ],
)
def test_wrong_data(measure, said, labels, more, kind, words):
    with pytest.raises(kind, match=words):
        measure(said, labels, **more)
