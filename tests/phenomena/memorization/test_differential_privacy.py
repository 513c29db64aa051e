"""Private training as a phenomenon: which rows are rare, who is in, and what the bound is of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import overparam as op
from overparam.errors import UsageError
from overparam.lab.records import Record, Records
from overparam.phenomena.memorization import differential_privacy as it
from overparam.phenomena.memorization._rare_classes import draw_rare_classes, rare_memorization
from overparam.theory import SubsampledGaussian

SMALL = it.Condition(n_models=4, n_frequent=20, n_rare=4, n_steps=5, width=4)


def outcome_of(condition, seed=3):
    return op.solve(it.run(condition, op.Streams(seed)))


def test_half_of_the_classes_are_rare_and_which_is_drawn():
    found = [draw_rare_classes("fashion_mnist_small", 4, 20, 4, op.Streams(s)) for s in (3, 4)]
    for rows in found:
        counts = np.bincount(rows.train_set.labels.numpy(), minlength=10)
        assert sorted(counts) == [4] * 5 + [20] * 5
        assert (rows.is_rare == (counts[rows.train_set.labels.numpy()] == 4)).all()
        assert (rows.test_is_rare == (counts[rows.test_set.labels.numpy()] == 4)).all()
        assert len(set(rows.train_set.rows.tolist())) == 120
    assert (found[0].test_is_rare != found[1].test_is_rare).any()


def test_more_rows_of_a_class_than_there_are_is_refused():
    with pytest.raises(UsageError, match="a class of fashion_mnist_small has fewer rows"):
        draw_rare_classes("fashion_mnist_small", 4, 2_000, 4, op.Streams(3))


def test_a_row_is_in_by_itself_and_alike_at_every_epsilon():
    levels = [SMALL, replace(SMALL, epsilon=8.0), replace(SMALL, arm=it.NO_NOISE)]
    masks = [outcome_of(c).in_subset for c in levels]
    assert (masks[0] == masks[1]).all()
    assert (masks[0] == masks[2]).all()
    members = np.array([outcome_of(replace(SMALL, member=m)).in_subset for m in range(4)])
    # Not dealt out: sizes of subsets, and how often a row is in, are left to chance.
    assert len(set(members.sum(1))) > 1
    assert len(set(members.sum(0))) > 2


def test_noise_is_what_the_epsilon_of_the_condition_takes():
    for epsilon in (0.5, 8.0):
        c = replace(it.Condition(), epsilon=epsilon)
        spent = SubsampledGaussian(c.noise_multiplier, c.sampling_rate, c.n_steps).epsilon(c.delta)
        assert 0.99 * epsilon < spent <= epsilon
    assert replace(SMALL, arm=it.NO_NOISE).noise_multiplier == 0


def test_the_divisor_of_a_step_does_not_tell_how_many_rows_are_in(monkeypatch):
    """It is known beforehand: of the rows there are, and not of those that are in."""
    made = []

    def record(*args, **settings):
        made.append(settings["batch_size"])
        return kept(*args, **settings)

    kept = it.PrivateSgd
    monkeypatch.setattr(it, "PrivateSgd", record)
    it.training.cache_clear()
    sizes = {int(outcome_of(replace(SMALL, member=m)).in_subset.sum()) for m in range(3)}
    it.training.cache_clear()
    assert len(sizes) > 1
    assert set(made) == {0.4 * 0.5 * 120}


def of_world(memorization, n=400, n_models=8, seed=0):
    """Records of one seed in which half of the rows are rare and memorized as said."""
    rng, rare = np.random.default_rng(seed), np.arange(n) < n // 2
    records = []
    for member in range(n_models):
        inside = rng.random(n) < 0.5
        right = np.where(rare, rng.random(n) < 0.1 + memorization * inside, True)
        outcome = it.Outcome(1.0, 0.0, 0.5, 0.5, right, inside, rare)
        records.append(Record(replace(SMALL, member=member), seed, outcome))
    return Records(records)


@pytest.mark.parametrize("memorization", [0.0, 0.3, 0.9])
def test_memorization_is_that_of_rare_rows(memorization):
    (found,) = rare_memorization(of_world(memorization), [0])
    # Of 200 rows the mean of differences of two rates of about four models each.
    assert found == pytest.approx(memorization, abs=4 * (2 * 0.25 / 3.5 / 200) ** 0.5)


def test_memorization_is_not_known_where_models_are_missing():
    whole = of_world(0.5)
    assert np.isnan(rare_memorization(whole[:3], [0])).all()
    lost = [replace(whole[0], outcome=None, status="failed"), *whole[1:]]
    assert np.isnan(rare_memorization(Records(lost), [0])).all()
    always = replace(whole[0].outcome, in_subset=np.ones(400, bool))
    alike = Records([replace(r, outcome=always) for r in whole])
    assert np.isnan(rare_memorization(alike, [0])).all()
