"""Double descent with the squared loss: smoke run, rule against made-up curves, weight reuse."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from overparam.data import corrupt_labels_wrong, draw_subset
from overparam.lab.records import Record, Records
from overparam.models import mlp, mlp_n_params
from overparam.phenomena.double_descent import squared_loss as phenomenon
from overparam.phenomena.double_descent._parameter_widths import BELKIN_SIZES
from overparam.phenomena.double_descent._weight_reuse import grown
from overparam.phenomena.double_descent.squared_loss import (
    BEST_EPOCH,
    CLEAN_LABELS,
    PHENOMENON,
    Condition,
    Outcome,
)
from overparam.streams import Streams
from overparam.training.request import Context, drive_dry, solve, solve_all
from overparam.training.train import train
from tests.phenomena.verdicts import kinds_of

FULL = PHENOMENON.scales["full"].base
REUSED = {"weight_reuse": "true", "epochs": "30"}


@pytest.fixture(scope="module")
def smoke():
    conditions = PHENOMENON.conditions("smoke")
    records = []
    for seed in range(500, 500 + PHENOMENON.scales["smoke"].n_seeds):
        outcomes = solve_all([PHENOMENON.run(c, Streams(seed)) for c in conditions])
        records += [Record(c, seed, o) for c, o in zip(conditions, outcomes, strict=True)]
    return Records(records)


def made_up(noisy, best, clean, train_error, n_seeds=5):
    """Records whose test losses over the standard widths are the given curves, nearly."""
    records = []
    for seed in range(n_seeds):
        wobble = 1 + 0.02 * np.sin(seed)
        for c in PHENOMENON.conditions("standard"):
            ratio = mlp_n_params(*phenomenon.sizes(c)) / (c.n_train * 10)
            last = noisy(ratio) if c.label_noise_rate else clean(ratio)
            outcome = Outcome(
                n_params=mlp_n_params(*phenomenon.sizes(c)),
                test_loss=wobble * last,
                test_error=0.5,
                best_test_loss=wobble * best(ratio),
                best_test_error=0.4,
                train_loss=0.0,
                train_error=train_error(ratio),
            )
            records.append(Record(c, seed, outcome))
    return Records(records)


def falling(ratio):
    return 1 / (1 + ratio)


def peaked(ratio):
    return falling(ratio) * (1 + 3 * np.exp(-(np.log(ratio) ** 2)))


kinds = functools.partial(kinds_of, phenomenon)


def test_smoke_never_contradicts_the_claim(smoke):
    found = kinds(smoke)
    assert found.pop("treatment") in ("observed", "inconclusive")
    assert set(found) == {BEST_EPOCH, CLEAN_LABELS}
    assert "observed" not in found.values()


def test_smoke_is_highest_near_the_threshold_and_the_best_epoch_is_lower(smoke):
    summaries = phenomenon.summarise(smoke)
    last, best = summaries["treatment"], summaries[BEST_EPOCH]
    ratio = last.n_params[np.log(last.test_loss).mean(1).argmax()] / last.n_equations
    assert 0.3 < ratio < 4
    assert (best.test_loss <= last.test_loss).all()
    assert (last.train_error[-1] == 0).all()
    assert (last.train_error[0] > 0.3).all()


def test_figures_hold_every_arm_and_the_threshold(smoke):
    summaries = phenomenon.summarise(smoke)
    figures = phenomenon.figures(summaries, smoke)
    assert [f.name for f in figures] == ["test_loss", "test_error", "train_error"]
    assert [len(f.panels[0].series) for f in figures] == [3, 3, 2]
    for figure in figures:
        assert figure.panels[0].rules[0].at == 100 * 10
        assert all(s.dots.shape == (8, 5) for s in figure.panels[0].series)


def test_rule_fires_on_a_peak_and_on_nothing_else():
    records = made_up(peaked, falling, falling, lambda r: 0.0 if r >= 1 else 0.5)
    assert kinds(records) == {
        "treatment": "observed",
        BEST_EPOCH: "absent",
        CLEAN_LABELS: "absent",
    }


def test_rule_does_not_take_a_rise_without_a_second_descent():
    records = made_up(lambda r: 1 + r, falling, falling, lambda r: 0.0 if r >= 1 else 0.5)
    assert kinds(records)["treatment"] == "absent"


@pytest.mark.parametrize("train_error", [lambda r: 0.5, lambda r: 0.0])
def test_a_sweep_that_misses_the_threshold_concludes_nothing(train_error):
    records = made_up(peaked, falling, falling, train_error)
    verdict = phenomenon.verdict(phenomenon.summarise(records)["treatment"])
    assert verdict.kind == "inconclusive"
    assert "not bracketed" in verdict.reason


def test_failed_cells_leave_it_open():
    records = made_up(peaked, falling, falling, lambda r: 0.0 if r >= 1 else 0.5)
    broken = [
        dataclasses.replace(r, outcome=None, status="failed", error="lost") if i % 17 == 0 else r
        for i, r in enumerate(records)
    ]
    summary = phenomenon.summarise(Records(broken))["treatment"]
    assert summary.peak.left.n_missing > 0
    assert phenomenon.verdict(summary).kind == "inconclusive"


def test_a_peak_far_from_the_threshold_is_absent():
    def far(ratio):
        return peaked(ratio / 4) * 3

    records = made_up(far, falling, falling, lambda r: 0.0 if r >= 1 else 0.5)
    assert kinds(records)["treatment"] == "absent"


def test_design_is_placed_across_the_threshold():
    base = Condition(n_train=500)
    spanned = phenomenon.cells(base)
    assert {c.label_noise_rate for c in spanned} == {0.3, 0.0}
    ratios = [mlp_n_params(*phenomenon.sizes(c)) / 5000 for c in spanned[: len(spanned) // 2]]
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.1
    assert ratios[-1] == pytest.approx(10, rel=0.02)
    assert min(abs(r - 1) for r in ratios) < 0.01


def test_full_scale_has_the_published_sizes():
    spanned = PHENOMENON.conditions("full")
    n_params = [mlp_n_params(*phenomenon.sizes(c)) for c in spanned]
    assert len(spanned) == 2 * 22  # 39.5 and 40 thousand are one width
    assert 39_760 in n_params
    sizes = 1000 * np.array(BELKIN_SIZES)
    assert (np.abs(np.array(n_params)[:, None] - sizes).min(0) <= 795 / 2).all()
    assert {c.label_noise_rate for c in spanned} == {0.1, 0.0}  # the claim is of wrong labels


def test_no_clean_arm_where_the_treatment_is_clean(smoke):
    clean = smoke.where(label_noise_rate=0.0)
    assert set(phenomenon.summarise(clean)) == {"treatment", BEST_EPOCH}


def test_a_grown_network_starts_as_the_narrower_one_with_small_additions():
    c = Condition(width=3, dataset="mnist_small")
    smallest = grown(None, phenomenon.sizes(c), Streams(0))
    assert smallest[1].weight.abs().max() <= (6 / (784 + 3)) ** 0.5
    assert (smallest[1].bias == 0).all()
    wider = phenomenon.sizes(dataclasses.replace(c, width=50))
    larger, again = (grown(smallest, wider, Streams(0)) for _ in range(2))
    for new, old, same in zip(*(m.parameters() for m in (larger, smallest, again)), strict=True):
        torch.testing.assert_close(new[tuple(slice(n) for n in old.shape)], old, rtol=0, atol=0)
        torch.testing.assert_close(new, same, rtol=0, atol=0)
    # 47 x 784 draws of variance 0.01: the standard error of the deviation is 0.1 / sqrt(2 n).
    n = 47 * 784
    assert abs(larger[1].weight[3:].std() - 0.1) < 4 * 0.1 / (2 * n) ** 0.5


def test_weight_reuse_trains_the_chain_of_narrower_networks_below_the_threshold_only():
    spanned = [c for c in PHENOMENON.conditions("smoke", REUSED) if c.label_noise_rate]
    n_models = [drive_dry([PHENOMENON.run(c, Streams(0))], Context()).n_models for c in spanned]
    n_below = sum(phenomenon.below_threshold(c) for c in spanned)
    assert n_below == 5  # four widths below, and that nearest to the threshold
    assert n_models == [1, 2, 3, 4, 5, 1, 1, 1]


def test_weight_reuse_is_the_chain_done_by_hand():
    spanned = [c for c in PHENOMENON.conditions("smoke", REUSED) if c.label_noise_rate]
    train_set, test_set = phenomenon.load_standardised("digits")
    train_set = draw_subset(train_set, 100, Streams(3), balanced=True)
    train_set = corrupt_labels_wrong(train_set, 0.3, Streams(3))
    smaller = None
    for c in spanned[:3]:
        start = grown(smaller, phenomenon.sizes(c), Streams(3))
        recipe = phenomenon.recipe(c)
        fitted = solve(train(start, train_set, recipe, Streams(3), evaluate={"test": test_set}))
        smaller = fitted.module()
    outcome = solve(PHENOMENON.run(spanned[2], Streams(3)))
    assert outcome.test_loss == fitted.trace.loss["test"][-1]
    assert outcome.train_loss == fitted.train_loss


def test_recipe_of_reused_weights_stops_at_interpolation_and_slows_down():
    below, above = (dataclasses.replace(FULL, width=h) for h in (50, 51))  # 39,760 and 40,555
    assert phenomenon.below_threshold(below)
    assert not phenomenon.below_threshold(above)
    reused, fixed = phenomenon.recipe(below), phenomenon.recipe(above)
    assert (reused.stop_at_error, fixed.stop_at_error) == (0.0, None)
    per_epoch = reused.steps_per_epoch(4000)
    assert reused.schedule.at(500 * per_epoch - 1, 1) == 1
    assert reused.schedule.at(500 * per_epoch, 1) == 0.9
    assert fixed.schedule.at(500 * per_epoch, 1) == 1


def test_planning_runs_dry():
    cells = [PHENOMENON.run(c, Streams(0)) for c in PHENOMENON.conditions("smoke")[:4]]
    assert drive_dry(cells, Context()).n_models == 4


def test_outcomes_do_not_depend_on_the_cells_beside(smoke):
    c = PHENOMENON.conditions("smoke", {"epochs": "5"})[2]
    alone = solve(PHENOMENON.run(c, Streams(3)))
    beside = solve_all([PHENOMENON.run(c, Streams(3)) for _ in range(3)])
    assert alone.n_params == mlp_n_params(64, c.width, 10)
    assert all(b.test_loss == pytest.approx(alone.test_loss, rel=1e-4) for b in beside)
    assert sum(p.numel() for p in mlp(*phenomenon.sizes(c)).parameters()) == alone.n_params
