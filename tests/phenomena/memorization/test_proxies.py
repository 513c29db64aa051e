"""The league of proxies: what it is read from, and what is read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import spearmanr

from overparam.data.subsets import draw_subsets
from overparam.lab.records import Record, Records
from overparam.measures import memorization_scores, recall_of_errors
from overparam.phenomena.memorization import proxies as it
from overparam.phenomena.memorization._league import (
    DRAWN,
    SCORES,
    rank_correlations,
    read_league,
    read_references,
    recall_of,
)
from overparam.streams import Streams
from overparam.training.request import solve
from tests.phenomena.verdicts import kinds_of
from tests.phenomena.worlds import proxies as worlds
from tests.phenomena.worlds.studies import failed, study

N, K = 80, 12
CUMULATIVE = SCORES.index("cumulative_loss")


def test_correlations_are_spearmans():
    rng = np.random.default_rng(0)
    scores, reference = rng.integers(0, 5, (6, 40)).astype(float), rng.random(40).round(1)
    wanted = [spearmanr(s, reference).statistic for s in scores]
    np.testing.assert_allclose(rank_correlations(scores, reference), wanted, rtol=1e-10)
    scores[0, 3] = np.nan
    assert np.isnan(rank_correlations(scores, reference)).tolist() == [True] + [False] * 5
    assert np.isnan(rank_correlations(scores[:, :1], reference[:1])).all()


def test_recall_is_that_of_a_ranking_without_ties():
    rng = np.random.default_rng(1)
    score, wanted = rng.random(50), rng.random(50) < 0.2
    assert recall_of(score, wanted) == pytest.approx(recall_of_errors(np.argsort(-score), wanted))
    assert np.isnan(recall_of(score, wanted & False))
    assert recall_of(np.ones(50), wanted) == pytest.approx(wanted.mean())


def made_up(score_of):
    """Records of members that memorize row i with strength i, and of two runs with a score."""
    rng = np.random.default_rng(2)
    strength, flipped = np.arange(N) / N, np.arange(N) >= N - 8
    masks, nothing = draw_subsets(K, N, 0.7, Streams(0)), np.empty((len(SCORES), 0), np.float32)
    records = []
    for k, mask in enumerate(masks):
        margins = np.where(mask, 2.0, 2.0 - 4 * strength) + 0.3 * rng.standard_normal(N)
        said = it.Outcome(margins.astype(np.float32), mask, flipped, 0.1, nothing)
        records.append(Record(it.Condition(member=k, n_models=K), 0, said))
    scores = np.tile(score_of(strength), (len(SCORES), 1)).astype(np.float32)
    whole = it.Outcome(np.full(N, 2.0, np.float32), masks[0] | True, flipped, 0.1, scores)
    return [*records, *(Record(it.Condition(part=p), 0, whole) for p in (it.RUN, it.NOT_TRAINED))]


def test_a_score_that_is_the_reference_agrees_with_it():
    records = Records(made_up(lambda strength: strength))
    (reference,) = read_references(records).values()
    margins = np.stack([r.outcome.margins for r in records[:K]])
    masks = np.stack([r.outcome.in_subset for r in records[:K]])
    wanted = memorization_scores(masks, margins=margins).estimate
    np.testing.assert_array_equal(reference.memorization, wanted)
    league = read_league(records, it.RUN, {0: reference})
    assert league.recall[CUMULATIVE, 0] == 1
    rows = np.abs(wanted) > 0.05
    exact = spearmanr(np.arange(N)[rows], wanted[rows]).statistic
    assert league.correlation[CUMULATIVE, 0] == pytest.approx(exact)
    assert exact > 0.9
    assert league.by_tenth.shape == (len(DRAWN), 10, 1)
    assert (np.diff(league.by_tenth[0, 5:, 0]) >= 0).all()
    np.testing.assert_allclose(league.by_tenth[0, :, 0].mean(), wanted.mean())
    assert league.run_error[0] == league.member_error[0] == 0
    turned = read_league(Records(made_up(lambda s: -s)), it.RUN, {0: reference})
    assert turned.correlation[CUMULATIVE, 0] == pytest.approx(-exact)


def test_a_score_that_says_nothing_is_not_defined_and_the_others_are_told():
    records = Records(made_up(lambda strength: 0 * strength))
    league = read_league(records, it.RUN, read_references(records))
    assert np.isnan(league.correlation).all()
    assert np.isnan(league.by_tenth).all()
    table = it.figures(it.summarise(records), records)[-1]
    assert set(table.columns["rank correlation"]) == {"not defined"}


def test_what_is_lacking_leaves_a_seed_unknown():
    records = made_up(lambda strength: strength)
    lost = Records([failed(records[0]), *records[1:]])
    assert read_references(lost) == {0: None}
    assert np.isnan(read_league(lost, it.RUN, {0: None}).correlation).all()
    two = Records([r for r in records if r.condition.member < 2])
    assert read_references(two) == {0: None}  # no row is twice on both sides
    no_run = Records(records[:K])
    assert np.isnan(read_league(no_run, it.RUN, read_references(no_run)).correlation).all()
    assert set(kinds_of(it, no_run).values()) == {"inconclusive"}


def test_one_failed_run_leaves_it_open():
    whole = study(it.PHENOMENON.name, worlds.EFFECT, 0)
    at = next(i for i, r in enumerate(whole) if r.condition.part == it.RUN)
    broken = Records([failed(r) if i == at else r for i, r in enumerate(whole)])
    assert kinds_of(it, whole) == {"treatment": "observed", it.UNTRAINED: "absent"}
    assert kinds_of(it, broken) == {"treatment": "inconclusive", it.UNTRAINED: "absent"}


def test_without_flipped_labels_it_is_inconclusive():
    whole = study(it.PHENOMENON.name, worlds.EFFECT, 0)
    clean = Records(
        [
            dataclasses.replace(r, condition=dataclasses.replace(r.condition, label_noise_rate=0.0))
            for r in whole
        ]
    )
    assert kinds_of(it, clean)["treatment"] == "inconclusive"


def test_the_untrained_network_is_the_trained_one_before_its_first_step():
    small = it.Condition(width=16, n_train=120, epochs=3, batch_size=40, n_models=4)
    run, untrained = (
        solve(it.run(dataclasses.replace(small, part=part), Streams(0)))
        for part in (it.RUN, it.NOT_TRAINED)
    )
    scores = dict(zip(SCORES, untrained.scores, strict=True))
    assert (scores["loss_interquartile_range"] == 0).all()  # it says the same at every epoch
    np.testing.assert_allclose(scores["cumulative_loss"], 3 * scores["final_loss"], rtol=1e-5)
    assert (run.margins != untrained.margins).all()
    for name in ("neighbor_disagreement", "class_distance"):
        place = SCORES.index(name)
        np.testing.assert_array_equal(run.scores[place], untrained.scores[place])
    member = solve(it.run(dataclasses.replace(small, member=2), Streams(0)))
    assert member.scores.shape == (len(SCORES), 0)
    np.testing.assert_array_equal(member.is_flipped, run.is_flipped)


def test_where_members_do_not_fit_the_question_is_not_put():
    world = worlds.following("members_do_not_fit", unfitted=0.08)
    for i in range(4):
        assert kinds_of(it, study(it.PHENOMENON.name, world, i))["treatment"] == "inconclusive"
