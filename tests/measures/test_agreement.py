"""Agreement of rankings and split-half reliability: SciPy, enumeration, simulation of coverage."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import spearmanr

from overparam.errors import DataError, UsageError
from overparam.measures import rank_agreement, split_half_reliability
from overparam.measures.agreement import _Ranked, _recall, _spearman
from overparam.streams import Streams


def draw(n=80, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    reference = np.where(rng.random(n) < 0.4, 0.0, rng.random(n))
    return reference + noise * rng.standard_normal(n), reference


def test_spearman_is_scipys_on_the_rows_above():
    scores, reference = draw()
    scores = scores.round(1)  # ties
    found = rank_agreement(scores, reference, n_bootstrap=100)
    above = np.abs(reference) > 0.05
    assert found.spearman == pytest.approx(spearmanr(scores[above], reference[above])[0])
    assert (found.n_above, found.n_top, found.n) == (above.sum(), 4, 80)
    # Over all rows it is another number: the zeros are noise.
    assert found.spearman != pytest.approx(spearmanr(scores, reference)[0], abs=0.02)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 12))
def test_counted_rows_are_repeated_rows(seed, n):
    rng = np.random.default_rng(seed)
    a, b, counts = rng.integers(0, 4, n), rng.integers(0, 4, n), rng.integers(0, 4, n)
    rows = np.repeat(np.arange(n), counts)
    found = _spearman(_Ranked(a), _Ranked(b), counts.astype(float))
    flat = len(rows) < 2 or np.ptp(a[rows]) == 0 or np.ptp(b[rows]) == 0
    expected = math.nan if flat else spearmanr(a[rows], b[rows])[0]
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
    n_top = max(1, len(rows) // 3)
    if len(rows):
        once = np.ones(len(rows))
        repeated = _recall(_Ranked(a[rows]), _Ranked(b[rows]), once, n_top)
        counted = _recall(_Ranked(a), _Ranked(b), counts.astype(float), n_top)
        assert counted == pytest.approx(repeated, abs=1e-12)


def test_recall_is_the_mean_over_all_ways_to_break_ties():
    scores, reference = np.array([3.0, 2, 2, 2, 1]), np.array([5.0, 5, 5, 1, 0])

    def tops(values):
        orders = itertools.permutations(range(5))
        return [set(sorted(o, key=lambda i: -values[i])[:2]) for o in orders]

    expected = np.mean([len(a & b) / 2 for a in tops(scores) for b in tops(reference)])
    found = rank_agreement(scores, reference, top=0.4, n_bootstrap=100)
    assert found.recall == pytest.approx(expected)


def test_chance_is_the_share_of_the_top():
    found = rank_agreement(np.zeros(100), np.arange(100), n_bootstrap=100)
    assert found.recall == pytest.approx(0.05)
    assert math.isnan(found.spearman)
    assert math.isnan(found.spearman_low)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_only_ranks_count_and_rows_may_come_in_any_order(seed):
    scores, reference = draw(seed=seed)
    base = rank_agreement(scores, reference, n_bootstrap=100)
    order = np.random.default_rng(seed).permutation(80)
    found = rank_agreement(np.exp(3 * scores[order]), reference[order], n_bootstrap=100)
    assert found.spearman == pytest.approx(base.spearman)
    assert found.recall == pytest.approx(base.recall)
    turned = rank_agreement(-scores, reference, n_bootstrap=100)
    assert turned.spearman == pytest.approx(-base.spearman)


def test_unknown_rows_are_left_out_and_counted():
    scores, reference = draw()
    more = np.append(scores, [np.nan, 1.0, np.inf]), np.append(reference, [1.0, np.nan, 2.0])
    found = rank_agreement(*more, n_bootstrap=100)
    assert (found.n, found.n_missing) == (83, 2)
    known = rank_agreement(np.append(scores, 9.0), np.append(reference, 2.0), n_bootstrap=100)
    assert found.spearman == known.spearman
    assert found.recall == known.recall


def test_few_rows_have_no_interval():
    found = rank_agreement(np.arange(9), np.arange(1, 10), n_bootstrap=100)
    assert found.spearman == 1
    assert math.isnan(found.spearman_high)
    assert (found.recall_low, found.recall_high) == (pytest.approx(0.025), 1)  # of one row


def test_answers_repeat_and_streams_matter():
    scores, reference = (torch.from_numpy(v) for v in draw())
    first = rank_agreement(scores, reference, n_bootstrap=100)
    assert rank_agreement(scores, reference, n_bootstrap=100) == first
    other = rank_agreement(scores, reference, n_bootstrap=100, streams=Streams(1))
    assert other.spearman == first.spearman
    assert other.spearman_low != first.spearman_low


def test_the_interval_of_spearman_covers():
    # Normal pairs: Spearman's rho is (6 / pi) asin(r / 2) exactly.
    r, hits, n_draws = 0.8, 0, 150
    true = 6 / math.pi * math.asin(r / 2)
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        a = rng.standard_normal(120)
        b = r * a + math.sqrt(1 - r**2) * rng.standard_normal(120)
        found = rank_agreement(a, b, threshold=0.0, n_bootstrap=200)
        hits += found.spearman_low <= true <= found.spearman_high
    assert hits / n_draws > 0.95 - 4 * math.sqrt(0.95 * 0.05 / n_draws)


def ensemble(n_models, n, noise, seed=0):
    """What models say of rows with true values: a row's score is their mean."""
    rng = np.random.default_rng(seed)
    votes = rng.standard_normal(n) + noise * rng.standard_normal((n_models, n))
    return lambda models: votes[models].mean(0)


def test_noise_is_not_reliable():
    found = split_half_reliability(ensemble(20, 300, 1e6), 20)
    assert abs(found.between_halves) < 0.1
    assert found.low < 0 < found.high
    assert (found.n_rows, found.n_missing, found.n_splits) == (300, 0, 20)


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_reliability_is_the_agreement_with_another_ensemble(noise):
    # Variance of a mean over 10 models is noise^2 / 10 beside 1 of the rows themselves.
    found = split_half_reliability(ensemble(10, 4000, noise), 10, n_bootstrap=100)
    pearson = 1 / (1 + noise**2 / 10)
    # Spearman and Brown of rank correlations is near, not equal, to that of normal variables.
    assert found.reliability == pytest.approx(6 / math.pi * math.asin(pearson / 2), abs=0.02)
    half = 1 / (1 + noise**2 / 5)
    assert found.between_halves == pytest.approx(6 / math.pi * math.asin(half / 2), abs=0.03)
    assert found.low < found.reliability < found.high


def test_halves_are_disjoint_and_of_equal_size():
    asked = []

    def score(models):
        asked.append(models)
        return np.arange(12.0)

    found = split_half_reliability(score, 7, n_splits=5, n_bootstrap=100)
    assert found.reliability == 1
    assert len(asked) == 10
    for first, second in zip(asked[::2], asked[1::2], strict=True):
        assert len(first) == len(second) == 3
        assert not set(first.tolist()) & set(second.tolist())
        assert set(first.tolist()) | set(second.tolist()) <= set(range(7))


def test_rows_that_a_half_cannot_score_are_left_out_and_counted():
    full = ensemble(20, 200, 1.0)

    def gaps(models):
        found = full(models)
        found[:50] = np.nan
        return found

    found = split_half_reliability(gaps, 20, n_bootstrap=100)
    assert (found.n_rows, found.n_missing) == (150, 50)
    alone = split_half_reliability(lambda m: full(m)[50:], 20, n_bootstrap=100)
    assert found.reliability == alone.reliability
    nothing = split_half_reliability(lambda m: np.full(30, np.nan), 20, n_bootstrap=100)
    assert math.isnan(nothing.reliability)
    assert math.isnan(nothing.low)
    assert nothing.n_missing == 30


def test_halves_that_contradict_each_other_stay_above_minus_one():
    sign = itertools.cycle([1, -1])
    found = split_half_reliability(lambda m: next(sign) * np.arange(20.0), 4, n_bootstrap=100)
    assert (found.between_halves, found.reliability) == (-1, -1)


def growing():
    sizes = itertools.count(3)
    return lambda models: np.zeros(next(sizes))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: rank_agreement([1.0], [1.0, 2.0]), DataError, "are of different rows"),
        (lambda: rank_agreement([np.nan], [1.0]), DataError, "no row has both"),
        (lambda: rank_agreement([[1.0]], [1.0]), DataError, "scores have the wrong shape"),
        (lambda: rank_agreement([1.0], [1.0], threshold=-1), UsageError, "threshold is out"),
        (lambda: rank_agreement([1.0], [1.0], top=1.0), UsageError, "top is out"),
        (lambda: rank_agreement([1.0], [1.0], confidence=1.0), UsageError, "confidence is out"),
        (lambda: rank_agreement([1.0], [1.0], n_bootstrap=9), UsageError, "n_bootstrap is out"),
        (lambda: rank_agreement([1.0], [1.0], streams=3), UsageError, "come from streams"),
        (lambda: split_half_reliability(growing(), 3), UsageError, "n_models is out"),
        (lambda: split_half_reliability(growing(), 4, n_splits=0), UsageError, "n_splits is out"),
        (lambda: split_half_reliability(growing(), 4), DataError, "same rows"),
        (lambda: split_half_reliability(lambda m: 1.0, 4), DataError, "wrong shape"),
        (lambda: split_half_reliability(growing(), 4, streams=3), UsageError, "from streams"),
    ],
)
def test_errors(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize(("n", "correlation"), [(100, 0.0), (100, 0.8), (400, 0.0), (400, 0.3)])
def test_the_interval_of_recall_covers_with_few_hits(n, correlation):
    rng, hits, n_trials = np.random.default_rng(n), 0, 200
    z = stats.norm.isf(0.05)
    both = stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([-z, -z])
    for _ in range(n_trials):
        a = rng.normal(size=n)
        b = correlation * a + math.sqrt(1 - correlation**2) * rng.normal(size=n)
        found = rank_agreement(a, b, n_bootstrap=100)
        assert found.recall_low < found.recall_high
        hits += found.recall_low <= both / 0.05 <= found.recall_high
    assert hits / n_trials > 0.95 - 2 * math.sqrt(0.95 * 0.05 / n_trials)
