"""Influence: brute force, planted pairs, what chance gives, blocks, inputs that cannot be used."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overparam.errors import DataError, UsageError
from overparam.measures import influence, influence_matrix, influence_scores, memorization_scores
from tests.measures.ensembles import draw_masks


def world(seed=0, n_models=30, n_rows=12, n_test=9):
    rng = np.random.default_rng(seed)
    masks = draw_masks(rng, n_models, n_rows)
    return masks, rng.random((n_models, n_test)) < 0.7


def by_loop(masks, correct):
    return np.array(
        [
            [correct[seen, j].mean() - correct[~seen, j].mean() for j in range(correct.shape[1])]
            for seen in masks.T
        ]
    )


def test_matrix_and_pairs_by_loop():
    masks, correct = world()
    wanted = by_loop(masks, correct)
    np.testing.assert_allclose(influence_matrix(masks, correct), wanted, atol=1e-6)
    np.testing.assert_allclose(
        influence_matrix(masks, correct, rows=[3, 0, 3]), wanted[[3, 0, 3]], atol=1e-6
    )
    pairs = influence_scores(masks, correct, threshold=0.1)
    assert set(zip(pairs.train, pairs.test, strict=True)) == set(
        zip(*np.nonzero(wanted >= 0.1), strict=True)
    )
    np.testing.assert_allclose(pairs.influence, wanted[pairs.train, pairs.test], atol=1e-14)
    assert np.all(np.diff(pairs.influence) <= 0)
    assert pairs.n_above == len(pairs.train)
    assert (pairs.n_rows, pairs.n_models, pairs.n_left_out) == (12, 30, 0)


def test_on_its_own_row_influence_is_memorization():
    masks = world()[0]
    correct = np.random.default_rng(3).random(masks.shape) < 0.8
    scores = memorization_scores(masks, correct)
    matrix = influence_matrix(masks, correct)
    np.testing.assert_allclose(np.diag(matrix), scores.estimate, atol=1e-6)
    pairs = influence_scores(masks, correct, threshold=0.01)
    own = pairs.train == pairs.test
    np.testing.assert_allclose(
        pairs.standard_error[own], scores.standard_error[pairs.train[own]], rtol=1e-12
    )


def test_planted_pairs_are_found_and_memorization_chooses_the_rows():
    rng = np.random.default_rng(0)
    masks = draw_masks(rng, 400, 200)
    correct = rng.random((400, 50)) < 0.9
    for row in range(20):  # test row j is right if and only if training row j was seen
        correct[:, row] = masks[:, row]
    pairs = influence_scores(masks, correct, threshold=0.5)
    assert pairs.train.tolist() == pairs.test.tolist() == list(range(20))
    assert np.all((pairs.influence == 1) & (pairs.standard_error > 0))
    assert pairs.n_by_chance < 1e-6
    memorized = np.where(np.arange(200) < 5, 0.25, np.where(np.arange(200) < 10, np.nan, 0.2))
    some = influence_scores(masks, correct, memorization=memorized, threshold=0.5)
    assert some.train.tolist() == list(range(5))
    assert some.n_rows == 5


def test_what_chance_gives_is_counted():
    found, expected = [], []
    for seed in range(30):
        masks, correct = world(seed, n_models=24, n_rows=40, n_test=30)
        pairs = influence_scores(masks, correct, threshold=0.3)
        found.append(pairs.n_above)
        expected.append(pairs.n_by_chance)
    assert np.mean(found) == pytest.approx(np.mean(expected), rel=0.1)
    assert np.mean(expected) > 50


def test_only_the_strongest_are_kept_whatever_the_blocks(monkeypatch):
    masks, correct = world(1, n_rows=40)
    whole = influence_scores(masks, correct, threshold=0.05)
    monkeypatch.setattr(influence, "_BLOCK_ENTRIES", 9 * 3)  # three rows at a time
    in_blocks = influence_scores(masks, correct, threshold=0.05)
    few = influence_scores(masks, correct, threshold=0.05, max_pairs=7)
    for field in ("train", "test", "influence", "standard_error"):
        np.testing.assert_array_equal(getattr(in_blocks, field), getattr(whole, field))
        np.testing.assert_array_equal(getattr(few, field), getattr(whole, field)[:7])
    assert few.n_above == whole.n_above > 7


def test_the_matrix_is_never_held(monkeypatch):
    rng = np.random.default_rng(0)
    masks, correct = rng.random((20, 6000)) < 0.7, rng.random((20, 4000)) < 0.95
    monkeypatch.setattr(influence, "_BLOCK_ENTRIES", 2**18)
    tracemalloc.start()
    pairs = influence_scores(masks, correct, threshold=0.9, max_pairs=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6  # the matrix takes 96 MB in float32; a block 1 MB
    assert pairs.n_rows > 5500


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    masks, correct = world(seed)
    matrix = influence_matrix(masks, correct)
    models, rows = rng.permutation(30), rng.permutation(12)
    np.testing.assert_allclose(influence_matrix(masks[models], correct[models]), matrix, atol=1e-6)
    np.testing.assert_allclose(influence_matrix(masks[:, rows], correct), matrix[rows], atol=1e-6)
    # What being in adds, being out takes away; wrong for right turns the sign.
    np.testing.assert_allclose(influence_matrix(~masks, correct), -matrix, atol=1e-6)
    np.testing.assert_allclose(influence_matrix(masks, ~correct), -matrix, atol=1e-6)


def test_margins_tensors_and_a_model_that_diverged():
    masks, correct = world()
    margins = np.where(correct, 1.5, -0.5)
    plain = influence_scores(masks, correct, threshold=0.1)
    tensors = influence_scores(
        torch.from_numpy(masks), test_margins=torch.from_numpy(margins), threshold=0.1
    )
    np.testing.assert_array_equal(tensors.influence, plain.influence)
    margins[4, 0] = np.nan
    left = np.arange(30) != 4
    broken = influence_scores(masks, test_margins=margins, threshold=0.1)
    rest = influence_scores(masks[left], correct[left], threshold=0.1)
    np.testing.assert_array_equal(broken.influence, rest.influence)
    assert (broken.n_left_out, broken.n_models) == (1, 29)


def test_rows_always_in_have_no_pairs():
    masks, correct = world()
    masks[:, 0] = True
    assert np.isnan(influence_matrix(masks, correct)[0]).all()
    pairs = influence_scores(masks, correct, threshold=0.01)
    assert 0 not in pairs.train
    assert pairs.n_rows == 11


def test_no_pairs():
    pairs = influence_scores(*world(), threshold=1.0)
    assert pairs.train.shape == pairs.influence.shape == (0,)
    assert pairs.n_above == 0
    none = influence_scores(*world(), memorization=np.zeros(12))
    assert (none.n_rows, none.n_by_chance) == (0, 0)


MASKS, CORRECT = world()


@pytest.mark.parametrize(
    ("arguments", "kinds", "words"),
    [
        ({}, UsageError, "one of test_correct and test_margins is needed"),
        ({"test_correct": CORRECT, "test_margins": CORRECT}, UsageError, "got 'both'"),
        ({"test_correct": CORRECT, "threshold": 0}, UsageError, "threshold is out of range"),
        ({"test_correct": CORRECT, "max_pairs": 0}, UsageError, "max_pairs is out of range"),
        ({"test_correct": CORRECT, "memorization_threshold": 2}, UsageError, "memorization_thres"),
        ({"test_correct": CORRECT[:-1]}, DataError, "not of the same models"),
        ({"test_correct": CORRECT * 0.5}, DataError, "holds other values than 0 and 1"),
        ({"test_correct": CORRECT, "memorization": np.ones(5)}, DataError, "not of the same rows"),
        (
            {"test_margins": np.full((30, 2), np.nan)},
            DataError,
            "fewer than two models without NaN",
        ),
    ],
)
def test_wrong_use_and_wrong_data(arguments, kinds, words):
    with pytest.raises(kinds, match=words):
        influence_scores(MASKS, **arguments)


def test_rows_that_cannot_be_asked_for():
    with pytest.raises(DataError, match="no training row is both in and out"):
        influence_scores(np.ones((30, 3)), CORRECT)
    with pytest.raises(DataError, match="rows has a wrong shape"):
        influence_matrix(MASKS, CORRECT, rows=[[0]])
    for rows in ([12], [-1], [0.5]):
        with pytest.raises(DataError, match="rows are no training rows"):
            influence_matrix(MASKS, CORRECT, rows=rows)
