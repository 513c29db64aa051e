"""Rows that no member is trained on, and that every member is asked about all the same."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import overparam as op
from overparam.ensembles.prepare import prepare
from overparam.errors import DataError, StoreError
from overparam.measures import recall_of_errors
from tests.ensembles.made import FLIPPED, N_ROWS, points, tree_ensemble

INPUTS, LABELS = points()
TREE = DecisionTreeClassifier(max_depth=6)


def test_subsets_are_drawn_from_the_rest():
    groups = np.arange(N_ROWS) // 3
    out = np.zeros(N_ROWS, bool)
    out[[0, 1, 2, 50]] = True
    masks = prepare(TREE, INPUTS, LABELS, leave_out=out, groups=groups).masks(10, 0.7)
    assert not masks[:, out].any()
    assert set(masks[:, ~out].sum(0).tolist()) == {7}
    assert masks.sum(1).max() - masks.sum(1).min() <= 30
    rest = groups[~out]
    assert all(len(set(map(tuple, masks[:, ~out].T[rest == g].tolist()))) == 1 for g in set(rest))
    by_class = prepare(TREE, INPUTS, LABELS, leave_out=FLIPPED, by_class=True).masks(10, 0.7)
    shares = [by_class[:, 8:][:, LABELS[8:] == c].mean(1) for c in (0, 1)]
    assert np.ptp(shares) < 0.05
    none, empty = (prepare(TREE, INPUTS, LABELS, leave_out=rows) for rows in (None, []))
    np.testing.assert_array_equal(none.masks(10, 0.7), empty.masks(10, 0.7))
    assert none.digest == empty.digest


def test_every_member_is_asked_about_them(tmp_path):
    found = tree_ensemble(6, leave_out=FLIPPED, folder=tmp_path)
    said = found.out_of_sample_probabilities()
    assert said.n_out[FLIPPED].tolist() == [6] * len(FLIPPED)
    scores = found.memorization_scores()
    assert np.isnan(scores.estimate[FLIPPED]).all()
    assert np.isfinite(scores.estimate[len(FLIPPED) :]).all()
    assert len(set(found.label_errors().order[: len(FLIPPED)]) & set(FLIPPED)) >= 6
    assert np.isnan(found.row_table["memorization"][FLIPPED]).all()
    assert found.findings == ()  # they are not to have a score
    assert any("8 rows are in no subset, as asked" in note for note in found.notes)
    kept = op.load_ensemble(tmp_path)
    assert kept.members.left_out.tolist() == FLIPPED.tolist()
    assert kept.findings == ()
    with pytest.raises(StoreError, match=r"another choice of subsets .*rows left out"):
        tree_ensemble(6, folder=tmp_path)


def test_a_second_look_without_what_looked_wrong_finds_more():
    # The nearest neighbour believes every label; what it is not told it cannot repeat.
    train_set, _ = op.load_data("digits")
    rng = np.random.default_rng(0)
    X, truth = train_set.inputs.flatten(1).numpy(), train_set.labels.numpy()
    flipped = rng.random(len(truth)) < 0.2
    labels = np.where(flipped, (truth + rng.integers(1, 10, len(truth))) % 10, truth)
    model, recalls = KNeighborsClassifier(1), []
    suspects = None
    for _ in range(2):
        found = op.subset_ensemble(model, X, labels, 5, leave_out=suspects, workers=0)
        order = found.label_errors().order
        recalls.append(recall_of_errors(order, flipped))
        suspects = order[: round(found.noise_rate().rate * len(labels))]
    assert recalls[1] > recalls[0] + 0.05


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([N_ROWS], "leave_out must be rows of the data; got"),
        ([-1], "must be rows of the data"),
        ([0.5], "must be rows of the data"),
        (np.zeros(N_ROWS - 1, bool) | True, "must be rows of the data"),
        (np.ones(N_ROWS, bool), "too few rows are left; got 0"),
    ],
)
def test_rows_that_cannot_be_left_out(rows, message):
    with pytest.raises(DataError, match=message):
        prepare(TREE, INPUTS, LABELS, leave_out=rows)
