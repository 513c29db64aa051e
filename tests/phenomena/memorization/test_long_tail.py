"""The long tail: how rows are drawn, what removal leaves, and numbers that are known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import overparam as op
from overparam.data.subsets import draw_subsets
from overparam.phenomena.memorization import _removed_rows as removed
from overparam.phenomena.memorization import long_tail as it
from overparam.phenomena.memorization._influential_pairs import N_SHOWN, find_pairs
from overparam.phenomena.memorization._removed_rows import Trained
from overparam.phenomena.memorization._subpopulations import (
    LIKENESS,
    PATTERNS,
    PROTOTYPES,
    draw_prototypes,
    draw_world,
)
from overparam.theory import expected_count, expected_frequency, zipf_frequencies

SMALL = it.Condition(
    n_subpopulations=20, n_train=100, n_models=4, n_repeats=1, width=4, epochs=1, side=4
)


def world_of(seed=0, has_tail=True, n=20, n_train=100, n_test=5, prototypes=PATTERNS, side=8):
    return draw_world(prototypes, n, n_train, n_test, side, has_tail, op.Streams(seed))


def test_subpopulations_seen_once_are_as_many_and_as_frequent_as_theory_says():
    """Rows are drawn as the closed form has it: over 200 draws, within four standard errors."""
    worlds = [world_of(seed, n=30, n_train=60, n_test=1, side=2) for seed in range(200)]
    a = zipf_frequencies(30)
    n_alone = np.array([(w.n_alike == 1).sum() for w in worlds])
    mass = np.array([w.mass_alone for w in worlds])
    count, tau = expected_count(a, 60, 1), expected_frequency(a, 60, 1)
    assert n_alone.mean() == pytest.approx(count, abs=4 * n_alone.std() / 200**0.5)
    assert mass.mean() == pytest.approx(count * tau, abs=4 * mass.std() / 200**0.5)


def test_without_a_tail_all_have_as_many_rows_and_the_same_prototypes():
    tail, none = world_of(3), world_of(3, has_tail=False)
    assert set(none.n_alike) == {5}
    assert none.mass_alone == 0
    assert np.allclose(none.frequencies, 1 / 20)
    assert torch.equal(tail.test_set.inputs, none.test_set.inputs)
    assert torch.equal(tail.test_set.labels, none.test_set.labels)
    assert tail.frequencies.sum() == pytest.approx(1)


@pytest.mark.parametrize("prototypes", PROTOTYPES)
def test_relatives_are_alike_and_share_their_label(prototypes):
    world = world_of(n=10, n_train=400, prototypes=prototypes, side=12)
    rows = world.train_set.inputs.flatten(1)
    rows = torch.nn.functional.normalize(rows).numpy()
    alike = world.train_of[:, None] == world.train_of
    np.fill_diagonal(alike, False)
    assert (rows @ rows.T)[alike].mean() == pytest.approx(LIKENESS, abs=0.03)
    for of in range(10):
        labels = world.train_set.labels[torch.from_numpy(world.train_of == of)]
        assert len(set(labels.tolist())) <= 1


def test_prototypes_of_a_data_set_keep_their_labels_and_are_all_of_one_size():
    images, labels = draw_prototypes("digits", 50, 8, op.Streams(1))
    assert torch.allclose(images.square().mean((1, 2)), torch.ones(50))
    assert set(labels.tolist()) == set(range(10))


def test_errors_are_weighed_by_what_is_frequent():
    world = world_of(n=3, n_test=2)
    correct = np.array([True, True, True, False, False, False])
    found = world.errors(correct)
    np.testing.assert_allclose(found, world.frequencies * [0, 0.5, 1])


def answering(world, subsets):
    """Networks that are right on a row if they saw a relative of it, and on no other."""
    seen = np.array([np.isin(np.arange(20), world.train_of[s]) for s in subsets])
    return seen[:, world.train_of], seen[:, world.test_of]


def test_members_that_know_relatives_only_have_the_influence_that_counting_gives():
    world = world_of(5)
    subsets = draw_subsets(40, 100, 0.7, op.Streams(5))
    correct, test_correct = answering(world, subsets)
    scores = op.measures.memorization_scores(subsets, correct).estimate
    pairs = find_pairs(world, subsets, test_correct, scores, op.Streams(5))
    alone = world.n_alike == 1
    assert alone.any()
    # Each is known if and only if it was seen, by test rows as by itself.
    assert (scores[alone] == 1).all()
    assert pairs.on_relatives[alone] == pytest.approx(1, abs=1e-6)  # it counts in float32
    for i in np.flatnonzero(world.n_alike == 2)[:4]:  # by hand, of rows with one relative
        of_own = test_correct[:, np.flatnonzero(world.test_of == world.train_of[i])[0]]
        by_hand = of_own[subsets[:, i]].mean() - of_own[~subsets[:, i]].mean()
        assert pairs.on_relatives[i] == pytest.approx(by_hand, abs=1e-6)
    assert pairs.likeness > 0.5
    assert pairs.n >= 5 * alone.sum()
    shown = np.isfinite(pairs.influence)
    assert shown.sum() == min(N_SHOWN, alone.sum())
    images = pairs.images[shown].reshape(shown.sum(), 3, -1)
    similar = np.array([[np.corrcoef(im[0], im[k])[0, 1] for k in (1, 2)] for im in images])
    assert (similar[:, 0] > 0.5).all()
    compared = ~np.isnan(images[:, 2]).any(1)  # some are the only ones of their class
    assert compared.any()
    assert (similar[compared, 1] < 0.5).all()


def test_where_no_row_decides_there_are_no_pairs():
    world = world_of(5)
    subsets = draw_subsets(40, 100, 0.7, op.Streams(5))
    always = np.ones((40, 100), bool)
    pairs = find_pairs(world, subsets, always, np.zeros(100), op.Streams(5))
    assert pairs.n == 0
    assert np.isnan(pairs.likeness)
    assert np.isnan(pairs.images).all()
    assert pairs.on_relatives == pytest.approx(0, abs=1e-6)


def test_removal_leaves_out_the_most_memorized_or_as_many_and_costs_what_they_knew(monkeypatch):
    """A network that knows what it saw relatives of: the cost is what was frequent of the lost."""
    world, trained = world_of(5), []

    async def know(c, world, rows, streams, longer=1):
        trained.append((rows, streams, longer))
        seen = np.isin(np.arange(20), world.train_of[rows])
        return Trained(seen[world.train_of], seen[world.test_of], 0.0)

    monkeypatch.setattr(removed, "train_on", know)
    c = replace(SMALL, removed_share=0.1, n_repeats=2)
    scores = np.where(world.n_alike == 1, 1.0, 0.0)
    found = op.solve(removed.train_without(c, world, scores, op.Streams(5)))
    assert [len(rows) for rows, _, _ in trained] == 2 * [100, *2 * [98, 95, 90, 90]]
    assert [longer for *_, longer in trained] == 2 * [1, *2 * [1, 1, 1, 2]]
    n_alone = int((world.n_alike == 1).sum())
    taken = np.setdiff1d(np.arange(100), trained[3][0])
    assert (world.n_alike[taken] == 1).sum() == min(10, n_alone)
    lost = world.frequencies[world.train_of[taken[world.n_alike[taken] == 1]]].sum()
    assert found.errors[0, -1] - found.errors[0, 0] >= lost - 1e-12
    assert found.errors[0, 0] == found.errors[1, 0]  # nothing removed
    assert found.errors_longer == pytest.approx(found.errors[:, -1])
    # What the network does not know is only what has lost all of its rows.
    assert found.cost_of_lost <= found.errors[0, -1] - found.errors[0, 0] + 1e-12
    for k in (0, 1):  # what is compared starts alike, and at random something else is left out
        runs = trained[9 * k : 9 * k + 9]
        assert len({s for _, s, _ in runs}) == 1
    assert not np.array_equal(trained[7][0], trained[16][0])
    assert np.array_equal(trained[3][0], trained[12][0])


def test_a_cell_says_of_every_row_and_both_arms_have_one_design():
    found = op.solve_all([it.run(c, op.Streams(2)) for c in it.cells(SMALL)])
    for outcome in found:
        assert len(outcome.memorization) == len(outcome.influence) == len(outcome.n_alike) == 100
        assert np.isfinite(outcome.memorization).all()
        assert outcome.errors.shape == (2, 4)
        assert outcome.errors[0, 0] == outcome.errors[1, 0]
    assert found[0].mass_alone > found[1].mass_alone == 0
