"""Rates of groups: brute-force integration, Efron and Morris's batting averages, coverage."""

from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import betaln

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_group_gaps, estimate_group_rates
from overparam.measures.subgroups.groups import holm
from overparam.measures.subgroups.pooled_rates import pooled_rates

# Hits in the first 45 at-bats of 18 players in 1970, and averages over the rest of the season:
# Efron, Morris 1975, J. Amer. Statist. Assoc. 70, 311, table 1; here from the R package pscl.
HITS = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])
SEASON = np.array(
    [346, 298, 276, 222, 273, 270, 263, 210, 269, 230, 264, 256, 303, 264, 226, 285, 316, 200]
) / 1000  # fmt: skip


def rows_of(n_wrong, n):
    """Rows `[n]` and their groups' numbers, of counts."""
    wrong = np.concatenate([np.arange(m) < k for k, m in zip(n_wrong, n, strict=True)])
    return wrong, np.repeat(np.arange(len(n)), n)


def test_batting_averages_are_drawn_in_as_by_james_and_stein():
    found = pooled_rates(HITS, np.full(18, 45), 0.95)
    james_stein = 0.212 * HITS / 45 + 0.788 * 0.265  # Efron, Morris 1977, Scientific American 236
    np.testing.assert_allclose(found.mean, james_stein, atol=0.003)
    error, raw = (((m - SEASON) ** 2).sum() for m in (found.mean, HITS / 45))
    assert raw / error == pytest.approx(3.5, abs=0.1)  # 3.50 in their paper
    assert ((found.low <= SEASON) & (found.high >= SEASON)).sum() >= 17
    assert found.spread_low < 0.02 < found.spread_high


@pytest.mark.parametrize(
    ("hits", "n"),
    [
        ([1, 5, 0], [3, 40, 12]),
        ([0, 0], [1, 30]),
        ([0, 0], [100, 100]),
        ([20, 30, 25], [100, 100, 90]),
    ],
)
def test_parameters_are_integrated_over_as_on_a_fine_grid(hits, n):
    hits, n = np.array(hits), np.array(n)
    found = pooled_rates(hits, n, 0.9)
    # Midpoints in m = sin^2 (uniform under its prior) and in quantiles of tau, half-normal.
    m = np.sin((np.arange(600) + 0.5) / 600 * np.pi / 2)[:, None] ** 2
    tau = 1.5 * stats.halfnorm.ppf((np.arange(200) + 0.5) / 200)[None]
    s = 1 / (m * (1 - m) * tau**2)
    a, b = m * s, (1 - m) * s
    logs = sum(betaln(a + x, b + k - x) - betaln(a, b) for x, k in zip(hits, n, strict=True))
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    for j in range(len(n)):
        mean = (weight * (a + hits[j]) / (a + b + n[j])).sum()
        assert found.mean[j] == pytest.approx(mean, rel=0.01, abs=1e-5)
        posterior = stats.beta(a + hits[j], b + n[j] - hits[j])
        # Where nothing was hit, much of the posterior lies at 0, closer than floats tell apart.
        below = (weight * posterior.cdf(found.low[j])).sum()
        assert below == pytest.approx(0.05, abs=0.004) or found.low[j] < 1e-15
        above = (weight * posterior.cdf(found.high[j])).sum()
        # Nor are upper bounds below that of all rows as one group, if none is hit.
        least = 0 if hits.any() else 1 - 0.05 ** (1 / n.sum())
        assert above == pytest.approx(0.95, abs=0.004) or found.high[j] == pytest.approx(least)
    for told, what in ((found.centre, m + 0 * s), (found.spread, np.sqrt(m * (1 - m) / (1 + s)))):
        assert weight[what < told].sum() == pytest.approx(0.5, abs=0.03)  # medians


@pytest.mark.parametrize(("mean", "strength"), [(0.1, 20), (0.5, 2), (0.02, 60), (0.1, np.inf)])
def test_rates_of_groups_from_1_to_10_000_rows_are_covered(mean, strength):
    covered = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        n = np.round(10 ** rng.uniform(0, 4, 20)).astype(int)
        alike = np.isinf(strength)
        rate = np.full(20, mean) if alike else rng.beta(mean * strength, strength * (1 - mean), 20)
        found = pooled_rates(rng.binomial(n, rate), n, 0.95)
        covered.append((found.low <= rate) & (rate <= found.high))
    assert np.mean(covered) >= 0.92  # nominal 95 %, less two standard errors of 300 rates
    if np.isfinite(strength):
        assert np.mean(covered) <= 0.98


def exact_coverage(rows, rate):
    """How often intervals of groups of one rate hold it, over all counts of any weight."""
    each = []
    for n in rows:
        chance = stats.binom.pmf(np.arange(n + 1), n, rate)
        each.append([(k, chance[k]) for k in np.flatnonzero(chance > 1e-4)])
    covered = total = 0.0
    for counts in product(*each):
        chance = float(np.prod([weight for _, weight in counts]))
        # Groups of as many rows are alike: one order stands for all.
        order = [k for k, _ in counts] if len(set(rows)) > 1 else sorted(k for k, _ in counts)
        low, high = bounds(tuple(rows), tuple(order))
        covered += chance * float(np.mean((low <= rate) & (rate <= high)))
        total += chance
    return covered / total


@cache
def bounds(rows, counts):
    found = pooled_rates(np.array(counts), np.array(rows), 0.95)
    return found.low, found.high


@pytest.mark.parametrize(
    ("rows", "rates"),
    [
        ((100, 100), (0.005, 0.007, 0.015, 0.018, 0.03)),
        ((10, 10), (0.01, 0.1, 0.15, 0.3, 0.5, 0.9)),
        ((10, 100), (0.01, 0.05)),
        ((5, 5, 5), (0.02, 0.1, 0.5)),
    ],
)
def test_few_groups_with_few_wrong_rows_are_covered_by_enumeration(rows, rates):
    assert min(exact_coverage(rows, rate) for rate in rates) >= 0.94


@pytest.mark.parametrize(("n_groups", "n", "rate"), [(5, 20, 0.02), (10, 20, 0.01)])
def test_groups_without_a_wrong_row_are_covered(n_groups, n, rate):
    rng = np.random.default_rng(0)
    held = [
        bounds((n,) * n_groups, tuple(sorted(rng.binomial(n, rate, n_groups)))) for _ in range(400)
    ]
    assert np.mean([(low <= rate) & (rate <= high) for low, high in held]) >= 0.94


def test_no_group_is_taken_for_surer_than_all_rows_are():
    found = estimate_group_rates([0] * 200, ["a", "b"] * 100)
    assert np.all(found.high >= 1 - 0.025 ** (1 / 200))  # the exact bound of 0 of 200
    assert found.centre < 0.02
    turned = estimate_group_rates([1] * 200, ["a", "b"] * 100)
    np.testing.assert_allclose(turned.low, 1 - found.high, rtol=1e-3)


def test_groups_that_do_not_differ_have_the_mean():
    rng = np.random.default_rng(0)
    n = np.array([1, 10, 100, 1000, 10_000] * 4)
    found = pooled_rates(rng.binomial(n, 0.1), n, 0.95)
    np.testing.assert_allclose(found.mean, 0.1, atol=0.006)
    assert found.spread < 0.01
    assert found.high[0] < 0.2  # a single row's own interval would be nearly all of [0, 1]


def test_no_wrong_row_anywhere():
    found = pooled_rates(np.zeros(6, int), np.array([1, 3, 10, 30, 100, 300]), 0.95)
    assert np.all(np.diff(found.mean) < 0)
    assert np.all(found.low >= 0)
    assert found.high[-1] < 0.01
    assert found.high[0] < 0.1
    turned = pooled_rates(
        np.array([1, 3, 10, 30, 100, 300]), np.array([1, 3, 10, 30, 100, 300]), 0.95
    )
    np.testing.assert_allclose(turned.low, 1 - found.high, rtol=1e-3)


def test_a_worse_group_is_told_and_chance_tells_none():
    rng = np.random.default_rng(0)
    n = np.full(15, 80)
    rate = np.where(np.arange(15) == 4, 0.4, 0.1)
    found = estimate_group_rates(*rows_of(rng.binomial(n, rate), n))
    assert np.flatnonzero(found.worse).tolist() == [4]
    assert found.rate[4] < found.observed[4]
    told, flagged, expected = 0, 0, 0.0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        null = estimate_group_rates(*rows_of(rng.binomial(n, 0.1), n))
        told += null.worse.any()
        flagged += null.n_flagged
        expected += null.n_by_chance
    assert told <= 5  # nominal 5 % of 40
    assert flagged == pytest.approx(expected, abs=3 * expected**0.5)
    assert expected / 40 <= 15 * 0.05


def test_names_numbers_tables_and_what_is_not_known():
    wrong, number = rows_of([3, 10, 1], [20, 20, 5])
    words = np.array(["ant", "bee", "cow"])[number]
    whole = estimate_group_rates(wrong, number)
    named = estimate_group_rates(pd.Series(wrong), pd.Series(words, dtype="category"))
    assert named.names.tolist() == ["ant", "bee", "cow"]
    np.testing.assert_array_equal(named.rate, whole.rate)
    more = estimate_group_rates(np.append(wrong * 1.0, [np.nan] * 2), [*words, "ant", "dog"])
    np.testing.assert_array_equal(more.rate, whole.rate)
    assert (more.n_unknown, len(more.names), more.overall) == (2, 3, 14 / 45)


def test_gaps_of_groups():
    rng = np.random.default_rng(0)
    n = np.array([200, 200, 200, 10])
    train = rows_of(rng.binomial(n, 0.02), n)
    test = rows_of(rng.binomial(n, [0.1, 0.1, 0.4, 0.1]), n)
    words = np.array(["a", "b", "c", "d"])
    found = estimate_group_gaps(
        train[0], words[train[1]], [*test[0], False], [*words[test[1]], "new"]
    )
    assert found.names.tolist() == ["a", "b", "c", "d"]
    assert (found.only_train.tolist(), found.only_test.tolist()) == ([], ["new"])
    assert found.low[2] > 0.2
    np.testing.assert_allclose(found.gap, found.test.rate[:4] - found.train.rate)
    assert np.all((found.low < found.gap) & (found.gap < found.high))


def test_gaps_are_covered():
    covered = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = np.round(10 ** rng.uniform(0.7, 3, 12)).astype(int)
        low, high = rng.beta(2, 50, 12), rng.beta(4, 20, 12)
        train, test = (rows_of(rng.binomial(n, rate), n) for rate in (low, high))
        found = estimate_group_gaps(*train, *test)
        covered.append((found.low <= high - low) & (high - low <= found.high))
    assert 0.9 <= np.mean(covered) <= 0.995


def test_holm_by_hand():
    assert holm(np.array([0.02, 0.5, 0.001])).tolist() == pytest.approx([0.04, 0.5, 0.003])
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("wrong", "groups", "words"),
    [
        ([0, 1, 2], [0, 1, 1], "wrong must say 0 or 1 of each row"),
        ([np.nan] * 3, [0, 1, 1], "wrong must say 0 or 1 of each row; got 'only NaN'"),
        ([0, 1, 1], [0, 1], "groups must have one value for each row"),
        ([0, 1, 1], [0, None, 1], "groups hold missing values"),
        ([0, 1, 1], ["a", "a", "a"], "one group has nothing to be pooled with"),
        (["a", "b"], [0, 1], "wrong must be real numbers"),
    ],
)
def test_wrong_data(wrong, groups, words):
    with pytest.raises(DataError, match=words):
        estimate_group_rates(wrong, groups)
    with pytest.raises(DataError, match=f"test set: {words}"):
        estimate_group_gaps([0, 1], [0, 1], wrong, groups)


def test_one_index_in_two_orders():
    wrong, groups = pd.Series([0, 1, 1]), pd.Series(["a", "b", "b"])
    with pytest.raises(DataError, match="wrong and groups have the same index in different orders"):
        estimate_group_rates(wrong, groups[::-1])
    with pytest.raises(DataError, match="test set: wrong and groups have the same index in diff"):
        estimate_group_gaps(wrong, groups, wrong, groups[::-1])


def test_wrong_names_and_confidence():
    with pytest.raises(DataError, match="have no group in common"):
        estimate_group_gaps([0, 1], ["a", "b"], [0, 1], ["c", "d"])
    with pytest.raises(UsageError, match="confidence is out of range"):
        estimate_group_rates([0, 1], [0, 1], confidence=1)
