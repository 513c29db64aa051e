"""Label errors: rankings by hand, planted flips of a known rate, bad input."""

import numpy as np
import pytest
import torch

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_noise_rate, rank_label_errors, recall_of_errors


def world(rng, rate, n=1000, n_classes=5):
    """Predictions that are surer on some rows than on others; labels flipped whatever they are."""
    clean = rng.integers(n_classes, size=n)
    hard = rng.random(n) ** 2
    mistaken = rng.random(n) < 0.4 * np.maximum(hard - 0.4, 0)
    shown = np.where(mistaken, rng.integers(n_classes, size=n), clean)
    said = np.full((n, n_classes), 0.9 / n_classes) * hard[:, None]
    said[np.arange(n), shown] += 1 - 0.9 * hard
    flipped = rng.random(n) < rate
    labels = np.where(flipped, (clean + rng.integers(1, n_classes, size=n)) % n_classes, clean)
    return said, labels, flipped


def test_order_by_hand():
    own = np.array([0.9, np.nan, 0.1, 0.5, 0.1])
    found = rank_label_errors(own)
    assert found.order.tolist() == [2, 4, 3, 0, 1]
    np.testing.assert_allclose(found.suspicion, 1 - own)
    assert (found.suggested, found.n_unknown) == (None, 1)


def test_classes_tensors_and_suggestions():
    said = torch.tensor([[0.7, 0.3], [float("nan"), float("nan")], [0.2, 0.8]])
    found = rank_label_errors(said, torch.tensor([1, 0, 1]))
    assert found.order.tolist() == [0, 2, 1]
    assert found.suggested.tolist() == [0, -1, 1]
    own = rank_label_errors(torch.tensor([0.3, float("nan"), 0.8]))
    np.testing.assert_allclose(own.suspicion, found.suspicion, atol=1e-7)


def test_planted_flips_are_found():
    said, labels, flipped = world(np.random.default_rng(0), 0.1)
    found = rank_label_errors(said, labels)
    assert recall_of_errors(found.order, flipped) > 0.75
    assert recall_of_errors(found.order, flipped, 200) > 0.9
    at_random = np.random.default_rng(1).permutation(1000)
    assert recall_of_errors(at_random, flipped, 500) == pytest.approx(0.5, abs=0.15)
    assert recall_of_errors(at_random, flipped, 1000) == 1


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.1, 0.3])
def test_the_rate_of_planted_flips_is_covered(rate):
    draws = 100
    hits, found = 0, []
    for seed in range(draws):
        said, labels, _ = world(np.random.default_rng(seed), rate)
        estimate = estimate_noise_rate(said, labels)
        hits += estimate.low <= rate <= estimate.high
        found.append(estimate.rate)
    assert hits / draws >= 0.95
    assert np.mean(found) == pytest.approx(rate, abs=0.01)


def test_rows_that_nobody_knows_do_not_count():
    said, labels, _ = world(np.random.default_rng(0), 0.1)
    whole = estimate_noise_rate(said, labels)
    more = np.concatenate([said, np.full((50, 5), np.nan)])
    other = estimate_noise_rate(more, np.concatenate([labels, np.zeros(50, int)]))
    assert (other.rate, other.low, other.high) == (whole.rate, whole.low, whole.high)
    assert whole.n == 500


SAID, LABELS, _ = world(np.random.default_rng(0), 0.1, n=40)


@pytest.mark.parametrize("measure", [rank_label_errors, estimate_noise_rate])
@pytest.mark.parametrize(
    ("said", "labels", "kind", "words"),
    [
        (SAID, LABELS[:-1], DataError, "labels is not of the same rows"),
        (SAID, LABELS + 1, DataError, "labels are no classes"),
        (SAID, LABELS * 1.0, DataError, "labels are no classes"),
        (SAID[:, :1] * 0 + 1, LABELS * 0, DataError, "one class has no wrong labels"),
        (SAID * 9, LABELS, DataError, "probabilities lie outside"),
        (SAID / 2, LABELS, DataError, "do not sum to 1"),
        (SAID * np.nan, LABELS, DataError, "nothing is known of any row"),
        (SAID[:, 0], LABELS, UsageError, "labels go with the probabilities of all classes"),
    ],
)
def test_wrong_data(measure, said, labels, kind, words):
    with pytest.raises(kind, match=words):
        measure(said, labels)


def test_labels_are_needed():
    with pytest.raises(UsageError, match="labels go with the probabilities of all classes"):
        rank_label_errors(SAID)
    with pytest.raises(UsageError, match="labels go with the probabilities of all classes"):
        estimate_noise_rate(SAID, None)
    with pytest.raises(DataError, match="too few rows"):
        estimate_noise_rate(SAID[:19], LABELS[:19])
    with pytest.raises(UsageError, match="confidence is out of range"):
        estimate_noise_rate(SAID, LABELS, confidence=2)


@pytest.mark.parametrize(
    ("order", "wrong", "kind", "words"),
    [
        ([0, 0, 1], [1, 0, 0], DataError, "order does not name every row once"),
        ([0, 1], [1, 0, 0], DataError, "order is not of the same rows"),
        ([0, 1, 2], [0, 0, 0], DataError, "there is no error to find"),
    ],
)
def test_wrong_rankings(order, wrong, kind, words):
    with pytest.raises(kind, match=words):
        recall_of_errors(order, wrong)


def test_more_rows_than_there_are():
    with pytest.raises(UsageError, match="n_inspected is out of range"):
        recall_of_errors([0, 1], [1, 0], 3)


def test_rows_that_are_equally_sure_count_alike_in_any_order():
    """Hard votes tie: the first half of the rows is no surer than the second."""
    rng = np.random.default_rng(0)
    classes = np.arange(1000) % 2
    wrong = (np.arange(1000) >= 500) & (rng.random(1000) < 0.2)
    votes, labels = np.eye(2)[classes], np.where(wrong, 1 - classes, classes)
    forward, backward = (estimate_noise_rate(votes[::s], labels[::s]) for s in (1, -1))
    assert forward == backward
    assert forward.rate == wrong.mean()
    assert forward.n == 1000
