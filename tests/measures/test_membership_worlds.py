"""Attacks where the answer is known: Gaussian worlds, and worlds in which nothing leaks."""

import dataclasses
import math

import numpy as np
import pytest

from overparam.data import draw_subsets
from overparam.measures import (
    estimate_auc,
    estimate_tpr_at_fpr,
    lira_scores,
    loss_scores,
)
from overparam.measures.reference_models import references_of
from overparam.streams import Streams
from overparam.theory import GaussianShift
from tests.measures.membership_worlds import (
    ATTACKS,
    as_asked,
    balanced_mask,
    world,
)


def test_gaussian_worlds_have_the_power_of_the_likelihood_ratio():
    rng = np.random.default_rng(4)
    for gap in (1.0, 2.0):
        phi, inside = world(rng, 129, 4000, gap)
        phi, target, inside, members = phi[1:], phi[0], inside[1:], inside[0]
        truth = GaussianShift(gap)
        for online in (True, False):
            scores = lira_scores(target, phi, inside, online=online).scores
            auc = estimate_auc(scores, members)
            # 128 references add 1/64 to the variance, some .002 of AUC.
            assert abs(auc.auc - truth.auc) < 4 * auc.standard_error + 0.003
            found = estimate_tpr_at_fpr(scores, members, 0.01)
            assert found.low < truth.tpr_at_fpr(0.01) < found.high
        easy = estimate_auc(loss_scores(-target), members)
        assert easy.high < truth.auc - 0.1  # difficulty of 3 standard deviations hides the gap


def test_an_ensemble_shows_the_same_power():
    rng = np.random.default_rng(5)
    phi, inside = world(rng, 64, 1500, 1.0, balanced_mask(rng, 64, 1500))
    found = estimate_auc(lira_scores(None, phi, inside).scores, inside)
    # References of 31 and 31 models: the gap shrinks to 1 / sqrt(1 + 1/31).
    truth = GaussianShift(1 / math.sqrt(1 + 1 / 31)).auc
    assert abs(found.auc - truth) < 4 * found.standard_error + 0.005


@pytest.mark.parametrize("n_models", [4, 12])
def test_intervals_of_one_ensemble_cover_although_its_targets_share_rows_and_references(n_models):
    rng = np.random.default_rng(16)
    areas, rates = [], []
    for _ in range(200):
        mask = balanced_mask(rng, n_models, 150)
        exposed = 3.0 * (rng.random(150) < 0.3)  # rows differ in what membership does
        phi, inside = world(rng, n_models, 150, exposed, mask)
        scores = lira_scores(None, phi, inside).scores
        areas.append(estimate_auc(scores, inside))
        rates.append(estimate_tpr_at_fpr(scores, inside, 0.1))
    for found, value in ((areas, "auc"), (rates, "tpr")):
        kept = [e for e in found if not math.isnan(e.low)]
        truth = np.mean([getattr(e, value) for e in kept])
        cover = np.mean([e.low <= truth <= e.high for e in kept])
        assert len(kept) > 150
        assert cover > 0.93 - 2 * math.sqrt(0.93 * 0.07 / 200)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("design", ["balanced", "drawn"])
def test_where_nothing_leaks_no_attack_finds_anything(name, design):
    rng = np.random.default_rng(6)
    areas, above = [], 0
    for _ in range(60):
        mask = balanced_mask(rng, 8, 100, 0.6) if design == "balanced" else None
        phi, inside = world(rng, 8, 100, 0.0, mask)
        found = estimate_auc(ATTACKS[name](None, as_asked(name, phi), inside).scores, inside)
        areas.append(found.auc)
        above += found.low > 0.5
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas) / math.sqrt(60)
    assert above / 60 <= 0.025 + 2 * math.sqrt(0.025 * 0.975 / 60)


@pytest.mark.parametrize(("n_models", "ratio"), [(7, 0.7), (12, 0.7), (8, 0.6), (10, 0.7)])
def test_a_round_that_is_cut_short_tells_nothing_either(n_models, ratio):
    """Counts of rows differ by more than one there, and less than in independent draws."""
    rng, areas = np.random.default_rng(11), []
    for repeat in range(12):
        inside = draw_subsets(n_models, 400, ratio, Streams(repeat))
        phi = rng.normal(size=400) + rng.normal(size=(n_models, 400))
        areas.append(estimate_auc(lira_scores(None, phi, inside).scores, inside).auc)
    assert abs(np.mean(areas) - 0.5) < 0.01 + 3 * np.std(areas) / math.sqrt(12)


@pytest.mark.parametrize("ratio", [0.5, 0.7])
@pytest.mark.parametrize("n_models", [5, 7, 8])
@pytest.mark.parametrize("name", ["lira pooled", "lira shrunk", "lira offline"])
def test_rows_in_more_subsets_than_others_do_not_score_higher_for_it(n_models, ratio, name):
    """The share of members among rows differs with the number of references on either side."""
    rng, areas = np.random.default_rng(12), []
    for repeat in range(12):
        inside = draw_subsets(n_models, 3000, ratio, Streams(1000 + repeat))
        phi = 2 * rng.normal(size=3000) + rng.normal(size=(n_models, 3000))
        areas.append(estimate_auc(ATTACKS[name](None, phi, inside).scores, inside).auc)
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas, ddof=1) / math.sqrt(12)


@pytest.mark.parametrize(("n_models", "n_in"), [(4, 2), (5, 3), (8, 6)])
def test_rows_of_wide_spread_do_not_widen_the_side_of_their_own_membership(n_models, n_in):
    """With all other references in the pooled variance these areas are .47, .48 and .49."""
    rng, areas = np.random.default_rng(14), []
    for _ in range(500):
        inside = balanced_mask(rng, n_models, 20, n_in / n_models)
        spread = np.exp(1.5 * rng.normal(size=20))
        phi = 2 * rng.normal(size=20) + spread * rng.normal(size=(n_models, 20))
        areas.append(estimate_auc(lira_scores(None, phi, inside).scores, inside).auc)
    assert abs(np.mean(areas) - 0.5) < 3 * np.std(areas, ddof=1) / math.sqrt(500)


@pytest.mark.parametrize(("n_models", "n_rows", "n_repeats"), [(6, 20, 500), (8, 20, 300)])
@pytest.mark.parametrize("name", ["lira pooled", "lira shrunk"])
def test_a_target_does_not_widen_the_spread_that_judges_it(n_models, n_rows, n_repeats, name):
    """With its own statistics in the pooled variance that of 8 models is .509 (4 models: .527)."""
    rng, areas = np.random.default_rng(13), []
    for repeat in range(n_repeats):
        inside = draw_subsets(n_models, n_rows, 0.7, Streams(2000 + repeat))
        phi = 2 * rng.normal(size=n_rows) + rng.normal(size=(n_models, n_rows))
        areas.append(estimate_auc(ATTACKS[name](None, phi, inside).scores, inside).auc)
    assert abs(np.mean(areas) - 0.5) < 3 * np.std(areas, ddof=1) / math.sqrt(n_repeats)


def test_with_unequal_numbers_a_balanced_ensemble_would_hide_what_it_leaks(monkeypatch):
    def alone(*given):
        return dataclasses.replace(references_of(*given), equal_numbers=False)

    monkeypatch.setattr("overparam.measures.membership.references_of", alone)
    rng, areas = np.random.default_rng(7), []
    for _ in range(60):
        phi, inside = world(rng, 8, 100, 0.0, balanced_mask(rng, 8, 100, 0.6))
        scores = lira_scores(None, phi, inside, variance="row").scores
        areas.append(estimate_auc(scores, inside).auc)
    # Where a row was in, one fewer is left to say how it behaves then, and that is looser.
    assert np.mean(areas) == pytest.approx(0.44, abs=0.02)


def test_targets_are_judged_by_equal_numbers_of_references():
    rng = np.random.default_rng(8)
    inside = balanced_mask(rng, 10, 30, 0.7)
    given = references_of(rng.normal(size=(10, 30)), inside, True)
    assert given.equal_numbers
    members, others = given.sides(slice(None), 0)
    assert (members.count == 6).all()
    assert (others.count == 2).all()
    assert not references_of(given.statistics, rng.random((10, 30)) < 0.7, True).equal_numbers
    assert not references_of(given.statistics, inside, False).equal_numbers


@pytest.mark.parametrize(("n_models", "ratio"), [(5, 0.5), (7, 0.7), (25, 0.7), (6, 0.3)])
def test_rows_of_more_subsets_than_others_are_judged_by_as_many(n_models, ratio):
    rng = np.random.default_rng(8)
    inside = draw_subsets(n_models, 400, ratio, Streams(0))
    statistics = rng.normal(size=inside.shape)
    sides = references_of(statistics, inside, True, (1, 1)).sides(slice(None), 0)
    judged = ~np.isnan(sides[0].mean)
    for side in sides:
        assert len(set(side.count[judged].tolist())) == 1
        assert (side.count[judged] >= 1).all()
    assert judged.mean() > 0.5


def test_where_no_side_has_a_reference_for_nearly_all_targets_one_is_taken():
    """Three of six models, of which each row was in three: in all of these, or in none, or some."""
    inside = balanced_mask(np.random.default_rng(1), 6, 400)[:3]
    statistics = np.random.default_rng(2).random(inside.shape)
    found = ATTACKS["ratio"](None, statistics, inside)
    assert 0 < found.n_unjudged < 0.5 * inside.size
    assert np.isnan(ATTACKS["watson"](None, statistics, inside).scores).mean() < 0.5


def test_of_one_model_that_had_not_a_row_nothing_is_judged_that_needs_another():
    inside = balanced_mask(np.random.default_rng(1), 10, 100, 0.9)
    statistics = np.random.default_rng(2).random(inside.shape)
    assert ATTACKS["ratio"](None, statistics, inside).n_unjudged == 0
    assert ATTACKS["watson"](None, statistics, inside).n_unjudged == inside.size


def test_a_model_that_diverged_leaves_the_others_judged():
    inside = draw_subsets(20, 300, 0.7, Streams(0))
    statistics = np.random.default_rng(0).normal(size=inside.shape)
    statistics[3] = np.nan
    found = ATTACKS["lira pooled"](None, statistics, inside)
    assert found.n_unseen == 300
    assert found.n_unjudged < 0.1 * inside.size


@pytest.mark.parametrize("name", [n for n in ATTACKS if n != "lira offline"])
@pytest.mark.parametrize(("n_models", "ratio"), [(5, 0.5), (8, 0.7), (7, 0.2)])
def test_rows_of_unequal_spread_tell_nothing_either(name, n_models, ratio):
    rng, areas = np.random.default_rng(13), []
    for repeat in range(30):
        inside = draw_subsets(n_models, 600, ratio, Streams(repeat))
        phi = 2 * rng.normal(size=600) + np.exp(rng.normal(size=600)) * rng.normal(
            size=inside.shape
        )
        scores = ATTACKS[name](None, as_asked(name, phi), inside).scores
        if np.isnan(scores).all():  # no row has a spread of its own on both sides
            assert name == "lira row"
            return
        areas.append(estimate_auc(scores, inside).auc)
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas, ddof=1) / math.sqrt(30)


@pytest.mark.parametrize("name", [n for n in ATTACKS if "lira" not in n])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.1, 0.9), (0.0, None)])
def test_labels_that_many_models_give_equal_probabilities_tell_nothing(name, low, high):
    """Models that vote, and sure trees: scores tie, and no order among ties may favour members."""
    rng, areas = np.random.default_rng(14), []
    for repeat in range(30):
        inside = draw_subsets(10, 300, 0.7, Streams(repeat))
        other = rng.uniform(0.5, 1, inside.shape) if high is None else high
        p = np.where(rng.random(inside.shape) < 0.2, low, other)
        p = p if name.startswith(("ratio", "rmia")) else -np.log(np.maximum(p, 1e-38))
        areas.append(estimate_auc(ATTACKS[name](None, p, inside).scores, inside).auc)
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas, ddof=1) / math.sqrt(30)


@pytest.mark.parametrize("name", ["watson", "sablayrolles"])
def test_losses_that_are_equal_have_equal_scores(name):
    inside = draw_subsets(10, 200, 0.7, Streams(0))
    high = np.random.default_rng(3).random(inside.shape) < 0.1
    scores = ATTACKS[name](None, np.where(high, -np.log(0.1), -np.log(0.9)), inside).scores
    assert len(np.unique(scores)) == len(np.unique(scores.round(9)))
    assert (scores == 0).any()
