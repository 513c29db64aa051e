"""Random labels: smoke run, settings against their definitions, rule against made-up records."""

import dataclasses
import functools

import numpy as np
import pytest
import torch
from torch import nn

from overparam.data import is_corrupted
from overparam.lab.figure import Chart, Table
from overparam.lab.records import Record, Records
from overparam.phenomena.memorization import random_labels as phenomenon
from overparam.phenomena.memorization._label_fitting_networks import make_network, why_oversized
from overparam.phenomena.memorization._random_labels_figures import PUBLISHED
from overparam.phenomena.memorization._randomised_images import RANDOM, TRUE
from overparam.phenomena.memorization.random_labels import (
    CONSTRUCTION,
    PHENOMENON,
    TOO_SMALL,
    Condition,
    Outcome,
)
from overparam.streams import Streams
from overparam.training.request import solve, solve_all
from tests.phenomena.verdicts import kinds_of

SEEDS = range(500, 500 + PHENOMENON.scales["smoke"].n_seeds)


def run_seeds(conditions, seeds):
    records = []
    for seed in seeds:
        outcomes = solve_all([PHENOMENON.run(c, Streams(seed)) for c in conditions])
        records += [Record(c, seed, o) for c, o in zip(conditions, outcomes, strict=True)]
    return Records(records)


@pytest.fixture(scope="module")
def smoke():
    return run_seeds(PHENOMENON.conditions("smoke"), SEEDS)


def rising(c):
    return 0.2 + 0.7 * c.corruption_rate


def made_up(train_error, epochs, test_error=rising, scale="standard"):
    """Records whose numbers are functions of the condition."""
    records = []
    for seed in range(4):
        for c in PHENOMENON.conditions(scale):
            outcome = Outcome(
                n_params=10,
                train_error=train_error(c),
                test_error=test_error(c) + 0.001 * seed,
                epochs_to_fit=epochs(c) * (1 + 0.01 * seed),
                train_loss=np.geomspace(2, 0.1, c.max_epochs),
            )
            records.append(Record(c, seed, outcome))
    return Records(records)


def small_fails(c):
    return 0.6 if c.model == TOO_SMALL else 0.0


def twice_as_long(c):
    return np.nan if c.model == TOO_SMALL else 10.0 * (1 + c.corruption_rate)


kinds = functools.partial(kinds_of, phenomenon)


def test_smoke_never_contradicts_the_claim(smoke):
    found = kinds(smoke)
    assert found["treatment"] in ("observed", "inconclusive")
    assert found[TOO_SMALL] == "absent"


def test_smoke_fits_every_setting_and_the_construction_fits_exactly(smoke):
    networks = smoke.where(lambda r: r.condition.model in phenomenon.NETWORKS)
    assert max(r.outcome.train_error for r in networks) <= 0.05
    for r in smoke.where(model=CONSTRUCTION):
        assert r.outcome.n_params == 2 * 300 + 784
        assert r.outcome.train_error == 0
    for r in smoke.where(model=TOO_SMALL, corruption_rate=1.0):
        assert r.outcome.train_error > 0.3


def test_training_curves_end_at_the_stop(smoke):
    for r in smoke.where(model="mlp_1x512"):
        measured = ~np.isnan(r.outcome.train_loss)
        assert len(measured) == 60
        n_measured = int(measured.sum())
        assert measured[:n_measured].all()
        assert r.outcome.epochs_to_fit <= n_measured
        assert r.outcome.train_error == 0 or n_measured == 60


def test_figures_have_a_line_for_every_setting(smoke):
    error, curves, time, table = phenomenon.figures(phenomenon.summarise(smoke), smoke)
    assert isinstance(error, Chart)
    assert isinstance(curves, Chart)
    assert isinstance(time, Chart)
    assert isinstance(table, Table)
    assert len(error.panels) == 1
    assert [s.role for s in error.panels[0].series] == ["test", "train", "control"]
    assert error.panels[0].rules[0].at == pytest.approx(0.9)
    assert [s.label for s in curves.panels[0].series] == [TRUE, RANDOM, *phenomenon.INPUTS[1:]]
    assert time.panels[0].series[0].y[0] == pytest.approx(1)
    assert len({len(column) for column in table.columns.values()}) == 1
    assert len(table.columns["setting"]) == len(PHENOMENON.conditions("smoke"))
    assert "published accuracies" not in table.columns


def test_full_scale_has_four_networks_beside_the_published_numbers():
    records = made_up(small_fails, twice_as_long, scale="full")
    error, _, _, table = phenomenon.figures(phenomenon.summarise(records), records)
    assert [p.title for p in error.panels] == list(phenomenon.NETWORKS)
    shown = dict(
        zip(
            zip(table.columns["model"], table.columns["setting"], strict=True),
            table.columns["published accuracies"],
            strict=True,
        )
    )
    assert shown["mlp_1x512", RANDOM] == "99.34 / 10.61"
    assert shown["mlp_1x512", "20% random labels"] == ""
    assert set(PUBLISHED) <= set(shown)


def test_rule_fires_where_all_is_fitted_and_not_on_the_small_network():
    assert kinds(made_up(small_fails, twice_as_long)) == {
        "treatment": "observed",
        TOO_SMALL: "absent",
    }


@pytest.mark.parametrize(
    "setting", [RANDOM, "gaussian", f"{RANDOM}, weight decay", f"{RANDOM}, dropout"]
)
def test_one_setting_that_is_not_fitted_refutes_the_claim(setting):
    def one_fails(c):
        return 0.2 if c.setting == setting else small_fails(c)

    records = made_up(one_fails, twice_as_long)
    verdict = phenomenon.verdict(phenomenon.summarise(records)["treatment"])
    assert verdict.kind == "absent"
    assert setting in verdict.reason


def test_a_large_factor_of_time_or_a_test_error_off_chance_refutes_the_claim():
    slow = made_up(small_fails, lambda c: 10 * (1 + 20 * c.corruption_rate))
    assert kinds(slow)["treatment"] == "absent"
    learned = made_up(small_fails, twice_as_long, test_error=lambda c: 0.5)
    assert kinds(learned)["treatment"] == "absent"


def test_regularizers_that_take_long_refute_the_claim():
    slow = made_up(
        small_fails, lambda c: 10 * (15 if c.regularizer == "dropout" else 1 + c.corruption_rate)
    )
    verdict = phenomenon.verdict(phenomenon.summarise(slow)["treatment"])
    assert [c.state for c in verdict.clauses] == ["shown"] * 4 + ["refuted"]


def test_the_small_network_is_judged_by_random_labels_alone():
    """It fits them, though it learns no true labels and takes fourteen times as long."""
    fits = made_up(
        lambda c: 0.02 * (c.setting == TRUE), lambda c: 10 * (1 + 13 * c.corruption_rate)
    )
    assert kinds(fits)[TOO_SMALL] == "observed"


def test_a_failed_cell_leaves_it_open():
    records = made_up(small_fails, twice_as_long)
    broken = [dataclasses.replace(records[0], outcome=None, status="failed"), *records[1:]]
    summary = phenomenon.summarise(Records(broken))["treatment"]
    assert (summary.worst_accuracy.n, summary.worst_accuracy.n_missing) == (3, 1)
    assert phenomenon.verdict(summary).kind == "inconclusive"


def test_a_network_that_knows_nothing_after_true_labels_does_not_rise_to_chance():
    records = made_up(small_fails, twice_as_long, test_error=lambda c: 0.9)
    assert kinds(records)["treatment"] == "absent"


@pytest.mark.parametrize("spread", [[0.5, 0.7, 0.9], [0.3, 0.6, 0.9]])
def test_near_chance_is_not_what_cannot_be_told_from_it(spread):
    records = [
        dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, test_error=spread[r.seed]))
        if r.condition.corruption_rate == 1
        else r
        for r in made_up(small_fails, twice_as_long)
        if r.seed < 3
    ]
    verdict = phenomenon.verdict(phenomenon.summarise(Records(records))["treatment"])
    assert verdict.clauses[2].state == "undecided"
    assert verdict.kind == "inconclusive"


def test_a_control_that_is_not_small_is_not_judged():
    conditions = PHENOMENON.conditions("standard", {"n_train": "100"})
    outcome = Outcome(805, 0.6, 0.9, np.nan, np.full(150, 0.1))
    records = Records([Record(c, s, outcome) for c in conditions for s in range(3)])
    verdict = phenomenon.verdict(phenomenon.summarise(records)[TOO_SMALL])
    assert verdict.kind == "inconclusive"
    assert "805 parameters, 300 are asked for" in str(verdict.clauses[0])


@pytest.mark.parametrize("scale", ["smoke", "standard", "full"])
def test_the_control_is_what_it_says_at_every_scale(scale):
    (c,) = {c for c in PHENOMENON.conditions(scale) if c.model == TOO_SMALL and c.setting == TRUE}
    assert why_oversized(c.dataset, c.n_train) == ""


def test_a_title_says_how_many_settings_are_fitted():
    def one_fails(c):
        return 0.2 if c.regularizer == "dropout" else small_fails(c)

    records = made_up(one_fails, twice_as_long)
    *_, table = phenomenon.figures(phenomenon.summarise(records), records)
    assert table.title == "11 of 12 settings of the networks are fitted"
    records = made_up(small_fails, twice_as_long)
    *_, table = phenomenon.figures(phenomenon.summarise(records), records)
    assert table.title == "Every setting is fitted, regularized or not"


def test_settings_are_named_once_and_cover_the_paper():
    conditions = PHENOMENON.conditions("standard")
    named = [(c.model, c.setting) for c in conditions]
    assert len(set(named)) == len(named) == 15
    assert {c.corruption_rate for c in conditions} == set(phenomenon.RATES)
    assert {c.inputs for c in conditions} == set(phenomenon.INPUTS)
    assert Condition(corruption_rate=0.4).setting == "40% random labels"


def test_inputs_are_randomised_as_named_and_labels_kept():
    train_set, test_set = phenomenon.load_whitened("mnist_small")

    def randomised(inputs):
        return phenomenon.randomised(inputs, train_set, test_set, Streams(0))

    assert randomised("images")[0] is train_set
    for inputs in phenomenon.INPUTS[1:]:
        train, test = randomised(inputs)
        assert not is_corrupted(train_set, train).any()
        assert not torch.equal(train.inputs, train_set.inputs)
        assert not torch.equal(test.inputs, test_set.inputs)
    shuffled = randomised("shuffled pixels")
    # One permutation for both parts: the mean image is permuted alike, so sorted means agree.
    before, after = train_set.inputs[:, 0], shuffled[0].inputs[:, 0]
    torch.testing.assert_close(
        before.mean(0).flatten().sort().values, after.mean(0).flatten().sort().values
    )


def test_regularizers_change_only_what_they_name():
    data = phenomenon.load_whitened("mnist_small")[0]
    plain, decayed, dropped = (Condition(regularizer=r) for r in phenomenon.REGULARIZERS)

    def network(c):
        return make_network(c.model, data, c.n_train, dropout=c is dropped)

    recipe = phenomenon.recipe(plain)
    assert phenomenon.recipe(dropped) == recipe
    assert phenomenon.recipe(decayed) == dataclasses.replace(recipe, weight_decay=1e-4)
    assert [type(m) for m in network(dropped)] == [
        nn.Flatten,
        nn.Linear,
        nn.ReLU,
        nn.Dropout,
        nn.Linear,
    ]
    counts = [sum(p.numel() for p in network(c).parameters()) for c in (plain, decayed, dropped)]
    assert set(counts) == {784 * 512 + 512 + 512 * 10 + 10}


def test_the_small_network_has_three_tenths_of_the_numbers_to_fit():
    data = phenomenon.load_whitened("mnist_small")[0]
    small = make_network(TOO_SMALL, data, 1000, dropout=False)
    n_params = sum(p.numel() for p in small.parameters())
    assert abs(n_params - 0.3 * 1000 * 10) <= 795 / 2


def test_inception_learns_ten_times_faster():
    recipe = phenomenon.recipe(Condition(model="small_inception", learning_rate=0.01))
    assert recipe.learning_rate == pytest.approx(0.1)


def test_a_cell_does_not_depend_on_the_cells_beside():
    conditions = PHENOMENON.conditions("smoke", {"max_epochs": "2"})
    both = [c for c in conditions if c.setting in (TRUE, RANDOM) and c.model == "mlp_1x512"]
    beside = solve_all([PHENOMENON.run(c, Streams(3)) for c in both])
    for c, outcome in zip(both, beside, strict=True):
        alone = solve(PHENOMENON.run(c, Streams(3)))
        np.testing.assert_allclose(alone.train_loss, outcome.train_loss, rtol=1e-2)


def test_a_network_that_fits_neither_is_told_without_a_number_for_it():
    def never(c):
        return np.nan

    told = phenomenon.verdict(phenomenon.summarise(made_up(small_fails, never))["treatment"]).reason
    assert "true and random labels are not both fitted in every seed" in told
    assert "nan" not in told
    summary = phenomenon.summarise(made_up(lambda c: 0, lambda c: 5))["treatment"]
    assert summary.time_factor.estimate == pytest.approx(1)
    expected = f"random labels take {summary.time_factor} times as many epochs"
    assert expected in phenomenon.verdict(summary).reason
