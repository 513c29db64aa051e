"""Epoch-wise double descent: selection and rule against made-up curves, single cells."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from overparam.lab.records import Record, Records
from overparam.phenomena.double_descent import epoch_wise as phenomenon
from overparam.phenomena.double_descent._curves import (
    NEIGHBOURS,
    mean_over_neighbours,
    times_of_largest_rise,
)
from overparam.phenomena.double_descent._epoch_wise_summary import largest_spacing
from overparam.phenomena.double_descent.epoch_wise import ARMS, Condition, Outcome
from overparam.streams import Streams
from overparam.training.request import solve_all
from tests.phenomena.verdicts import kinds_of

EPOCHS = np.arange(1, 61)
FALLING = 0.4 + 0.4 * np.exp(-EPOCHS / 8)
BUMP = np.exp(-(((EPOCHS - 30) / 8) ** 2))
TRAIN = np.clip(0.7 - 0.02 * EPOCHS, 0, 1)  # reaches 0.1 at epoch 30


TRAINS = (TRAIN, np.maximum(TRAIN, 0.4), TRAIN)


def made_up(curves, n_seeds=5, trains=TRAINS):
    records = []
    for seed in range(n_seeds):
        for arm, curve, train in zip(ARMS, curves, trains, strict=True):
            noise = 0.002 * Streams(seed).child(arm).numpy("made up").standard_normal(60)
            records.append(Record(Condition(arm=arm), seed, Outcome(EPOCHS, curve + noise, train)))
    return Records(records)


kinds = functools.partial(kinds_of, phenomenon)


def test_a_bump_is_observed_and_falling_curves_are_absent():
    found = kinds(made_up([FALLING + 0.1 * BUMP, FALLING, FALLING - 0.1]))
    assert found == {"treatment": "observed", "small network": "absent", "clean labels": "absent"}


def test_of_networks_that_do_not_do_what_the_claim_says_of_them_nothing_is_concluded():
    curves = [FALLING, FALLING + 0.1 * BUMP, FALLING]
    stuck, fitted = np.maximum(TRAIN, 0.4), TRAIN
    found = kinds(made_up(curves, trains=(stuck, fitted, fitted)))
    assert found == {  # one that cannot fit, and a "small" one that can
        "treatment": "inconclusive",
        "small network": "inconclusive",
        "clean labels": "absent",
    }
    found = kinds(made_up(curves, trains=(fitted, stuck, fitted)))
    assert (found["treatment"], found["small network"]) == ("absent", "observed")


def test_a_rise_without_a_second_fall_is_absent():
    overfits = FALLING + 0.1 / (1 + np.exp(-(EPOCHS - 30) / 3))
    assert kinds(made_up([overfits, FALLING, FALLING]))["treatment"] == "absent"


def test_the_summary_finds_the_times_and_the_size_of_the_bump():
    summary = phenomenon.summarise(made_up([FALLING + 0.1 * BUMP, FALLING, FALLING]))["treatment"]
    curve = mean_over_neighbours((FALLING + 0.1 * BUMP)[:, None], NEIGHBOURS)[:, 0]
    low, peak = times_of_largest_rise(curve)
    assert abs(summary.minimum_epoch - EPOCHS[low]) <= 3
    assert abs(summary.peak_epoch - EPOCHS[peak]) <= 3
    # Five seeds with noise 0.002 / sqrt 5: well within 0.004 of the truth.
    assert abs(summary.rise.estimate - (curve[peak] - curve[low])) < 0.004
    assert abs(summary.fall.estimate - (curve[peak] - curve[-1])) < 0.004
    assert summary.fitted_epoch == pytest.approx(30, abs=1)


def test_largest_rise_agrees_with_brute_force():
    generator = np.random.default_rng(5)
    for _ in range(20):
        values = generator.standard_normal(12)
        i, j = times_of_largest_rise(values)
        pairs = [values[b] - values[a] for a in range(12) for b in range(a, 12)]
        assert i <= j
        assert values[j] - values[i] == max(pairs)


def test_smoothing_averages_neighbours_and_keeps_constants():
    ramp = mean_over_neighbours(np.arange(7.0)[:, None], 2)[:, 0]
    np.testing.assert_allclose(ramp, [1, 1.5, 2, 3, 4, 4.5, 5], rtol=1e-12)
    np.testing.assert_allclose(mean_over_neighbours(np.ones((9, 2)), 2), 1, rtol=1e-12)


def test_a_bump_that_is_not_where_the_labels_are_fitted_is_absent():
    late = FALLING + 0.1 * np.exp(-(((EPOCHS - 30) / 8) ** 2))
    records = made_up([late, FALLING, FALLING])
    early = Records(
        [
            replace(r, outcome=replace(r.outcome, train_errors=np.maximum(TRAIN - 0.45, 0)))
            for r in records
        ]
    )
    verdict = phenomenon.verdict(phenomenon.summarise(early)["treatment"])
    assert [c.state for c in verdict.clauses[:2]] == ["shown", "shown"]
    assert verdict.kind == "absent"


def test_a_training_that_ended_early_is_missing():
    records = list(made_up([FALLING + 0.1 * BUMP, FALLING, FALLING]))
    short = Outcome(EPOCHS[:10], FALLING[:10], TRAIN[:10])
    records.append(Record(Condition(), 99, short, "diverged"))
    records.append(Record(Condition(), 98, None, "failed", "out of memory"))
    summary = phenomenon.summarise(Records(records))["treatment"]
    assert summary.test_errors.shape == (60, 7)
    assert (summary.rise.n, summary.rise.n_missing) == (5, 2)
    verdict = phenomenon.verdict(summary)
    assert verdict.kind == "inconclusive"
    assert "2 of 7 seeds lack a cell" in str(verdict.clauses[0])


def small(**changes):
    base = Condition(width=12, n_train=200, n_test=200, epochs=9, batch_size=50)
    return replace(base, **changes)


def test_cells_are_the_three_arms_and_follow_settings():
    found = phenomenon.PHENOMENON.conditions("standard", {"width": "64"})
    assert [c.arm for c in found] == list(ARMS)
    assert {c.width for c in found} == {64}


def test_arms_differ_in_what_they_say():
    cells = phenomenon.cells(small())
    same = small(label_noise_rate=0.0)
    outcomes = solve_all([phenomenon.run(c, Streams(1)) for c in [*cells, same]])
    for outcome in outcomes:
        assert outcome.epochs[-1] == 9
        assert len(outcome.epochs) == len(outcome.test_errors) == len(outcome.train_errors)
    treatment, little, clean, without_noise = (o.test_errors.tolist() for o in outcomes)
    assert clean == without_noise
    assert treatment != little
    assert treatment != clean


@pytest.mark.parametrize("family", ["convnet5", "preact_resnet18"])
def test_convolutional_families_run(family):
    cell = small(family=family, dataset="digits", width=1, epochs=8, n_train=100)
    (outcome,) = solve_all([phenomenon.run(cell, Streams(0))])
    assert np.isfinite(outcome.test_errors).all()


def test_figures_mark_the_peak_and_the_fit():
    records = made_up([FALLING + 0.1 * BUMP, FALLING, FALLING])
    charts = phenomenon.figures(phenomenon.summarise(records), records)
    assert [c.name for c in charts] == ["test_errors", "train_errors"]
    for chart in charts:
        (panel,) = chart.panels
        assert len(panel.series) == 3
        assert len(panel.rules) == 2
        assert all(s.dots.shape == (60, 5) for s in panel.series)


def test_the_grid_of_epochs_is_as_coarse_as_where_it_is_compared():
    levels = np.log([1, 2, 3, 4, 5, 6])
    found = largest_spacing(levels, np.array([np.nan, levels[3]]))
    assert found == pytest.approx(np.log(4 / 3))
    assert largest_spacing(levels, np.array([np.log(1.5), levels[3]])) == np.log(2)
    assert largest_spacing(levels, np.array([np.nan, np.inf])) == 0
