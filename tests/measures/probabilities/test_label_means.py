"""Means of what labels cost: brute force, copies, the ends that a mean cannot pass."""

import numpy as np
import pytest

from overparam.measures.clustering import Spread
from overparam.measures.probabilities.label_means import added_labels, label_bounds, label_mean
from overparam.measures.probabilities.predicted_rows import read_predicted
from overparam.measures.skewed_means import skewed_bounds

RNG = np.random.default_rng(0)
SAID, LABELS = RNG.dirichlet(np.ones(3), 12), RNG.integers(3, size=12)
VALUES = RNG.exponential(size=(12, 3))


def test_moments_are_those_of_a_loop_over_groups_and_labels():
    groups = np.array([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 6])
    rows = read_predicted(SAID, LABELS, None, groups)
    mean = np.mean([VALUES[i, LABELS[i]] for i in range(12)])
    moments = {2: 0.0, 3: 0.0}
    size = [(groups == g).sum() for g in groups]
    for k in moments:
        for g in range(7):
            moments[k] += sum(VALUES[i, LABELS[i]] - mean for i in np.flatnonzero(groups == g)) ** k
        for is_hit in (True, False):
            labels = [(i, c) for i in range(12) for c in range(3)]
            labels = [(i, c) for i, c in labels if (c == SAID[i].argmax()) == is_hit]
            weight = np.array([SAID[i, c] / size[i] for i, c in labels])
            apart = np.array([size[i] * (VALUES[i, c] - mean) for i, c in labels])
            moments[k] += (weight / weight.sum()) @ apart**k
    spread = Spread(moments[2] * 7 / 6 / 12**2, 6)
    found = label_bounds(VALUES, rows, added_labels(SAID, rows.group, 1e-9), 0.9)
    assert found == pytest.approx(skewed_bounds(mean, spread, moments[3] / 12**3, 0.9))


def test_copies_that_are_known_as_such_change_nothing():
    rows = read_predicted(SAID, LABELS, None, None)
    copied = read_predicted(*(np.repeat(a, 5, axis=0) for a in (SAID, LABELS)), None,
                            np.repeat(np.arange(12), 5))  # fmt: skip
    found = [
        label_bounds(values, held, added_labels(held.said, held.group, 1e-9), 0.95)
        for values, held in ((VALUES, rows), (np.repeat(VALUES, 5, axis=0), copied))
    ]
    assert found[1] == pytest.approx(found[0])


def test_the_hull_of_versions_and_the_ends_of_the_truth():
    rows = read_predicted(SAID, LABELS, None, None)
    added = added_labels(SAID, rows.group, 1e-9)
    one, two = (label_bounds(v, rows, added, 0.95) for v in (VALUES, VALUES + 1))
    hull = label_mean(iter([VALUES, VALUES + 1]), rows, added, 0.95)
    assert (hull.low, hull.high) == (one[0], two[1])
    assert hull.mean == pytest.approx(VALUES[np.arange(12), LABELS].mean())
    wrong = np.arange(3) != LABELS[:, None]
    always = label_mean([1 - wrong], rows, added, 0.95, (0.0, 1.0))
    assert (always.mean, always.high) == (1, 1)
    assert always.low < 1
