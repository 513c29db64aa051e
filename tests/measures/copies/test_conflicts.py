"""Label conflicts: brute force, known rates, wrong labels told from ambiguous inputs, bad input."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from overparam.errors import DataError, UsageError
from overparam.measures import find_duplicates, label_conflicts


def groups_of(rng, n_groups, most):
    return np.repeat(np.arange(n_groups), rng.integers(1, most, n_groups))


def test_against_brute_force():
    rng = np.random.default_rng(0)
    groups = rng.permutation(groups_of(rng, 60, 9))
    labels = rng.choice(["a", "b", "c"], len(groups), p=[0.7, 0.2, 0.1])
    found = label_conflicts(groups, labels)
    least, differ, repeated, conflicts = 0, 0.0, 0, {}
    for g in np.unique(groups):
        rows = np.flatnonzero(groups == g)
        counts = {c: int((labels[rows] == c).sum()) for c in labels[rows]}
        minority = len(rows) - max(counts.values())
        least += minority
        if minority:
            conflicts[rows[0]] = (rows.tolist(), counts, minority)
        if len(rows) > 1:
            repeated += len(rows)
            pairs = [labels[i] != labels[j] for i, j in combinations(rows, 2)]
            differ += len(rows) * np.mean(pairs)
    assert found.least_error == pytest.approx(least / len(groups))
    assert found.disagreement.rate == pytest.approx(differ / repeated)
    assert (found.n_repeated, found.is_minority.sum()) == (repeated, least)
    assert len(found.rows) == len(conflicts)
    assert found.n_in_conflict == sum(len(rows) for rows, _, _ in conflicts.values())
    for rows, majority, n_minority in zip(
        found.rows, found.majority, found.n_minority, strict=True
    ):
        expected, counts, minority = conflicts[rows[0]]
        assert rows.tolist() == expected
        assert (counts[majority], n_minority) == (max(counts.values()), minority)
    sizes = [len(rows) for rows in found.rows]
    assert sizes == sorted(sizes, reverse=True)


def test_labels_of_any_type_and_duplicates_as_groups():
    duplicates = find_duplicates(["x", "y", "x", "x", "y"])
    for labels in (
        [1.5, 2, 1.5, 7, 2],
        pd.Series(["u", "v", "u", "w", "v"], index=list("fghij")),
        np.array([True, False, True, False, False]),
    ):
        found = label_conflicts(duplicates, labels)
        assert found.rows[0].tolist() == [0, 2, 3]
        assert found.majority == [np.asarray(labels)[0]]
        assert found.is_minority.tolist() == [False, False, False, True, False]


def test_no_conflict_and_nothing_repeated():
    found = label_conflicts([0, 0, 1, 1, 2], [3, 3, 4, 4, 5])
    assert (found.rows, found.least_error, found.p_errors) == ([], 0, 1)
    assert (found.disagreement.rate, found.disagreement.low) == (0, 0)
    assert 0.5 < found.disagreement.high < 1  # two groups do not say much
    alone = label_conflicts([0, 1, 2], ["a", "b", "a"])
    assert np.isnan(alone.disagreement.rate)
    assert (alone.disagreement.low, alone.disagreement.high, alone.n_repeated) == (0, 1, 0)
    assert np.isnan(alone.irreducible.rate)
    assert (alone.irreducible.low, alone.irreducible.high) == (0, 0.5)
    one_class = label_conflicts([0, 0], ["a", "a"])
    assert (one_class.least_error, one_class.baseline) == (0, 0)


@pytest.mark.parametrize(
    ("n_groups", "most", "rate"), [(40, 4, 0.05), (30, 20, 0.2), (200, 4, 0.01)]
)
def test_intervals_cover_the_rate_of_new_rows(n_groups, most, rate):
    """Shares of one label ~ Beta(1, 1/rate - 1), of which pairs and the best error are known."""
    a, b = 1, 1 / rate - 1
    disagreement = 2 * a * b / ((a + b) * (a + b + 1))
    shares = np.random.default_rng(99).beta(a, b, 200_000)
    best = np.minimum(shares, 1 - shares).mean()
    hits, hits_best, draws = 0, 0, 200
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        groups = groups_of(rng, n_groups, most)
        labels = rng.random(len(groups)) < rng.beta(a, b, n_groups)[groups]
        found = label_conflicts(groups, labels)
        hits += found.disagreement.low <= disagreement <= found.disagreement.high
        hits_best += found.irreducible.low <= best <= found.irreducible.high
    assert hits / draws >= 0.92
    assert hits_best / draws >= 0.95


def errors_and_ambiguous(rng, n_ambiguous):
    """Sixty inputs of which some do not decide their label; 5 % of all labels are wrong."""
    groups = np.repeat(np.arange(60), rng.integers(2, 30, 60))
    labels = rng.integers(2, size=60)[groups]
    labels = np.where(groups < n_ambiguous, rng.integers(2, size=len(groups)), labels)
    return groups, np.where(rng.random(len(groups)) < 0.05, 1 - labels, labels)


def test_wrong_labels_are_told_from_inputs_that_do_not_decide():
    false, right, wrong, missed = 0, 0, 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        false += label_conflicts(*errors_and_ambiguous(rng, 0)).is_ambiguous.any()
        groups, labels = errors_and_ambiguous(rng, 12)
        found = label_conflicts(groups, labels)
        assert found.p_errors < 0.001
        is_one = np.array([groups[rows[0]] < 12 for rows in found.rows])
        right += (is_one & found.is_ambiguous).sum()
        missed += (is_one & ~found.is_ambiguous).sum()
        wrong += (~is_one & found.is_ambiguous).sum()
    assert false <= 3
    assert right > missed
    assert wrong < 0.15 * right  # 5 % where any share of labels is as likely; here all are 1/2


def test_a_known_rate_of_wrong_labels():
    """Of two rows that differ nothing can be told, unless wrong labels are known to be rare."""
    groups, labels = np.repeat(np.arange(50), 2), np.zeros(100)
    labels[:20:2] = 1
    assert not label_conflicts(groups, labels).is_ambiguous.any()
    assert label_conflicts(groups, labels, noise_rate=0.001).is_ambiguous.all()
    even = label_conflicts(groups, labels, noise_rate=0.1)
    assert even.p_errors > 0.05
    assert not even.is_ambiguous.any()
    assert label_conflicts(groups, labels, noise_rate=0.0).is_ambiguous.all()


@pytest.mark.parametrize(
    ("groups", "labels", "words"),
    [
        (3, [1], "groups must be one value for each row"),
        ([], [], "there are no rows"),
        ([0, 0], [1], "labels do not fit the rows"),
        ([0, np.nan], [1, 1], "groups are missing in places"),
        ([0, 0], [1, None], "labels are missing in places"),
        ([0, 0], [[1], [2]], "labels must be one value for each row"),
        ([0, 0], 3, "labels must be one value for each row"),
    ],
)
def test_wrong_data(groups, labels, words):
    with pytest.raises(DataError, match=words):
        label_conflicts(groups, labels)


def test_one_index_in_two_orders():
    groups, labels = pd.Series([0, 0, 1]), pd.Series([1, 2, 2])
    with pytest.raises(DataError, match="groups and labels have the same index in different"):
        label_conflicts(groups, labels[::-1])


def test_tensors_hold_numbers():
    found = label_conflicts(torch.tensor([0, 0, 1]), torch.tensor([1, 2, 2]))
    assert found.least_error == 1 / 3
    assert found.n_repeated == 2


@pytest.mark.parametrize(("name", "value"), [("noise_rate", 0.5), ("confidence", 1)])
def test_wrong_rates(name, value):
    with pytest.raises(UsageError, match=f"{name} is out of range"):
        label_conflicts([0, 0], [1, 2], **{name: value})
