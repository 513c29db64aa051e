"""Models under attack: how rows are dealt, and advantages of which the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import overparam as op
from overparam.phenomena.memorization import overfitting_leaks as it
from overparam.phenomena.memorization._attacked_models import Attacked, advantage_on
from overparam.theory import GaussianShift

SMALL = it.Condition(width=4, epochs=1, n_rows=40, n_models=4)


def dealt(n_models=40, n=500, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.random((n_models // 2, n)).argsort(1) < n // 2
    return rng, np.stack([first, ~first], axis=1).reshape(n_models, n)


def everything(models):
    return np.ones(models.scores.shape[1], dtype=bool)


@pytest.mark.parametrize("gap", [0.0, 0.5, 2.0])
def test_advantage_of_gaussian_scores_is_that_of_theory(gap):
    rng, inside = dealt()
    models = Attacked(rng.standard_normal(inside.shape) + gap * inside, inside, inside, inside[0])
    found = advantage_on(models, everything)
    # Two rates of 10,000 each; the threshold of the other half is best to within less.
    assert found == pytest.approx(GaussianShift(gap).advantage, abs=4 * (0.5 / 10_000) ** 0.5)


def test_rows_are_chosen_by_the_half_that_is_not_measured():
    """Rows that models are right on by luck: those of one half say nothing of the other."""
    rng, inside = dealt(n_models=12)
    correct = rng.random(inside.shape) < 0.5
    models = Attacked(correct + 0.1 * rng.random(inside.shape), correct, inside, inside[0])
    naming, _ = models.halves
    right, member = (v[:, naming.memorized] for v in (naming.correct, naming.in_subset))
    assert right[member].mean() - right[~member].mean() > 0.5  # all of it luck
    n_named = right.size  # in either half about as many
    found = advantage_on(models, lambda m: m.memorized)
    assert found == pytest.approx(0, abs=4 * (0.25 * 4 / n_named / 2) ** 0.5)


def test_memorized_rows_are_those_right_only_when_in():
    rng, inside = dealt(n_models=8)
    by_heart = rng.random(500) < 0.3
    models = Attacked(rng.random(inside.shape), inside | ~by_heart, inside, by_heart)
    assert (models.memorized == by_heart).all()


def test_what_is_not_known_has_no_advantage():
    _, inside = dealt(n_models=4, n=20)
    models = Attacked(inside.astype(float), inside, inside, np.zeros(20, bool))
    assert advantage_on(models, everything) == 1
    assert np.isnan(advantage_on(models, lambda m: m.has_twin))  # there are none
    assert np.isnan(advantage_on(None, everything))


def test_members_of_one_seed_share_rows_and_twins_and_are_dealt_in_halves():
    cells = [replace(SMALL, member=m, copies=k) for k in (it.ONCE, it.TWINS) for m in range(4)]
    found = op.solve_all([it.run(c, op.Streams(5)) for c in cells])
    inside = np.array([o.in_subset for o in found])
    assert (inside[:4] == inside[4:]).all()
    assert (inside[:4].sum(0) == 2).all()
    assert (inside.sum(1) == 20).all()
    assert all((o.has_twin == found[0].has_twin).all() for o in found)
    assert found[0].has_twin.sum() == it.TWIN_SHARE * 40


def test_rows_of_a_subset_and_rows_of_nobody_do_not_meet():
    rows, unseen = it.draw_rows(SMALL, op.Streams(5))
    assert len(rows) == len(unseen) == 40
    assert not set(rows.rows.tolist()) & set(unseen.rows.tolist())


def test_twins_are_trained_on_whether_their_rows_are_in_or_out(monkeypatch):
    trained = []

    async def record(model, subset, recipe, streams):
        trained.append(subset)
        return await kept(model, subset, recipe, streams)

    kept = it.train
    monkeypatch.setattr(it, "train", record)
    for copies in (it.ONCE, it.TWINS):
        outcome = op.solve(it.run(replace(SMALL, copies=copies), op.Streams(5)))
        rows, _ = it.draw_rows(SMALL, op.Streams(5))
        times = np.array([(trained[-1].rows == row).sum() for row in rows.rows])
        twins = outcome.has_twin if copies == it.TWINS else np.zeros(40, bool)
        assert (times == outcome.in_subset.astype(int) + twins).all()
