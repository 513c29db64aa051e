"""Rows, members, and groups of rows: what the phenomena of single rows stand on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from overparam.data import load, make_dataset
from overparam.data.subsets import draw_subsets
from overparam.lab.records import Record, Records
from overparam.phenomena.memorization import labels_one_by_one, model_size, overfitting_leaks
from overparam.phenomena.memorization._row_members import (
    ATYPICAL,
    FLIPPED,
    KINDS,
    N_NEIGHBORS,
    TYPICAL,
    draw_rows,
    kind_of_rows,
    neighbor_agreement,
    read_members,
)
from overparam.phenomena.memorization._trajectories import (
    BETWEEN,
    GROUPS,
    LESS,
    MORE,
    SMALLEST_CHANGE,
    judge_groups,
)
from overparam.streams import Streams
from overparam.training.request import solve
from tests.phenomena.verdicts import kinds_of
from tests.phenomena.worlds import labels_one_by_one as labels_worlds
from tests.phenomena.worlds import model_size as size_worlds
from tests.phenomena.worlds import overfitting_leaks as leak_worlds
from tests.phenomena.worlds.studies import failed, study


def brute_force_agreement(inputs, labels, at):
    """Sort all others by distance, row by row."""
    shares = []
    for i in at:
        distance = ((inputs - inputs[i]) ** 2).sum(1)
        distance[i] = np.inf
        nearest = np.argsort(distance)[:N_NEIGHBORS]
        shares.append((labels[nearest] == labels[i]).mean())
    return shares


def test_agreement_is_that_of_the_nearest_others():
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((700, 3)), rng.integers(0, 3, 700)
    everything = make_dataset(inputs, labels, 3)
    at = rng.permutation(700)[:600]
    found = neighbor_agreement(everything.subset(torch.from_numpy(at)), everything)
    assert found.tolist() == pytest.approx(brute_force_agreement(inputs, labels, at))


def test_rows_are_drawn_once_for_a_seed_and_flipped_to_another_class():
    rows = draw_rows("digits", 2, 400, 0.1, Streams(3))
    assert draw_rows("digits", 2, 400, 0.1, Streams(3)) is rows
    right = load("digits")[0].labels[rows.train_set.rows]
    np.testing.assert_array_equal(rows.is_flipped, (rows.train_set.labels != right).numpy())
    assert abs(rows.is_flipped.mean() - 0.1) < 4 * (0.09 / 400) ** 0.5
    assert rows.train_set.input_shape == rows.test_set.input_shape == (1, 4, 4)


def test_neighbours_do_not_know_of_flipped_labels():
    few, many = (draw_rows("digits", 2, 400, rate, Streams(3)) for rate in (0.0, 0.5))
    np.testing.assert_array_equal(few.agreement, many.agreement)


def test_kinds_of_rows_exclude_each_other():
    flipped = np.array([True, False, False, False, True])
    kinds = kind_of_rows(flipped, np.array([1.0, 1.0, 0.5, 0.7, 0.0]))
    assert {kind: np.flatnonzero(rows).tolist() for kind, rows in kinds.items()} == {
        FLIPPED: [0, 4],
        ATYPICAL: [2],
        TYPICAL: [1],
    }
    assert tuple(kinds) == KINDS


def members_that(says, n_models=20, n=50):
    """Records of members that are right on a row where `says(in_subset)` says so."""
    subsets = draw_subsets(n_models, n, 0.7, Streams(0))
    c, nothing = labels_one_by_one.Condition(), np.zeros(n, bool)
    return [
        Record(
            dataclasses.replace(c, member=k),
            0,
            labels_one_by_one.Outcome(np.where(says(s), 1.0, -1.0), s, nothing, nothing + 1.0, 0.2),
        )
        for k, s in enumerate(subsets)
    ]


@pytest.mark.parametrize(
    ("says", "score", "error"),
    [
        (lambda in_subset: in_subset, 1, 0),  # a hash table of its rows
        (lambda in_subset: in_subset | True, 0, 0),  # knows them all
        (lambda in_subset: in_subset & False, 0, 1),
        (lambda in_subset: ~in_subset, -1, 1),
    ],
)
def test_scores_of_members_of_which_they_are_known(says, score, error):
    members = read_members(members_that(says))
    np.testing.assert_array_equal(members.scores(), score)
    assert members.training_error == error


def test_rows_that_few_members_never_leave_out_have_no_score():
    members = read_members(members_that(lambda in_subset: in_subset))
    assert np.isnan(members.scores(slice(1))).all()
    some = members.scores(slice(3))
    known = members.in_subset[:3].any(0) & ~members.in_subset[:3].all(0)
    np.testing.assert_array_equal(np.isnan(some), ~known)


def test_a_member_that_is_lacking_leaves_its_seed_unknown():
    records = members_that(lambda in_subset: in_subset)
    assert read_members([*records[1:], failed(records[0])]) is None
    assert read_members([]) is None


def without_number(r, field):
    """A cell that ended well, and says nothing of one row."""
    values = getattr(r.outcome, field).copy()
    values[0] = np.nan
    return dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, **{field: values}))


def test_a_margin_that_is_no_number_is_neither_right_nor_wrong():
    records = members_that(lambda in_subset: in_subset)
    assert read_members([*records[1:], without_number(records[0], "margins")]) is None


def test_a_loss_that_is_no_number_leaves_the_attack_open():
    whole = study("memorization/overfitting_leaks", leak_worlds.EFFECT, 0)
    largest = [
        i for i, r in enumerate(whole) if (r.condition.width, r.condition.epochs) == (128, 64)
    ]
    records = list(whole)
    records[largest[0]] = without_number(records[largest[0]], "loss")
    assert kinds_of(overfitting_leaks.PHENOMENON, whole)["treatment"] == "observed"
    assert kinds_of(overfitting_leaks.PHENOMENON, Records(records))["treatment"] == "inconclusive"


@pytest.mark.parametrize(
    ("module", "worlds"), [(labels_one_by_one, labels_worlds), (model_size, size_worlds)]
)
def test_one_failed_member_leaves_it_open(module, worlds):
    whole = study(module.PHENOMENON.name, worlds.EFFECT, 0)
    broken = Records([failed(whole[0]), *whole[1:]])
    assert kinds_of(module, whole)["treatment"] == "observed"
    assert kinds_of(module, broken)["treatment"] == "inconclusive"


# ------------------------------------------------------------------ groups


def test_groups_are_those_of_the_forming_half():
    t = SMALLEST_CHANGE
    forming = np.array(
        [
            [0.1, 0.9, 0.1, 0.3, 0.5, 0.1],
            [0.2, 0.5, 0.9, 0.3, 0.1, 0.1],
            [0.9, 0.1, 0.2, 0.3 + t / 2, 0.5, np.nan],
        ]
    )
    judged = judge_groups(forming, forming)
    found = {
        g: np.flatnonzero(rows).tolist() for g, rows in zip(GROUPS, judged.members, strict=True)
    }
    assert found == {MORE: [0], LESS: [1], BETWEEN: [2], "the same": [3, 4]}
    assert judged.shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(judged.changes, [0.8, 0.8, 0.7])
    np.testing.assert_allclose(judged.scores[0], forming[:, 0])


def test_luck_forms_groups_and_judges_none():
    """Noise alone: the half that formed a group sees a change, the other half none."""
    rng = np.random.default_rng(1)
    n, spread = 20_000, 0.2
    one, other = spread * rng.standard_normal((2, 5, n))
    lucky, honest = judge_groups(one, one), judge_groups(one, other)
    smallest = n * honest.shares[:3].min()
    assert (lucky.changes > SMALLEST_CHANGE).all()
    assert np.abs(honest.changes[:2]).max() < 4 * spread * (2 / smallest) ** 0.5
    # The larger of two numbers that are nothing but noise lies above both.
    too_high = spread / np.pi**0.5
    assert honest.changes[2] == pytest.approx(-too_high, abs=4 * spread * (2 / smallest) ** 0.5)
    assert np.abs(honest.departures).max() < 4 * spread * (2 / smallest) ** 0.5


def test_rows_that_rise_early_or_fall_late_are_not_memorized_most_in_between():
    rng = np.random.default_rng(3)
    n, spread = 20_000, 0.15
    truth = np.where(np.arange(n) % 2, [[0.0], [0.5], [0.5]], [[0.5], [0.5], [0.0]])
    one, other = truth + spread * rng.standard_normal((2, 3, n))
    judged = judge_groups(one, other)
    means = judged.scores[GROUPS.index(BETWEEN)]
    assert means[1] > max(means[0], means[2]) + 0.2  # as if they were
    n_between = n * judged.shares[GROUPS.index(BETWEEN)]
    assert judged.changes[2] < 4 * spread * (2 / n_between) ** 0.5


def test_shuffled_rows_follow_the_mean_of_all_rows():
    rng = np.random.default_rng(2)
    n = 20_000
    forming = rng.random((3, n))
    judged = judge_groups(forming, forming[:, rng.permutation(n)])
    smallest = n * judged.shares[:3].min()
    assert np.abs(judged.departures).max() < 4 * (0.5 / smallest) ** 0.5
    assert (judge_groups(forming, forming).departures > 0.2).all()


def test_a_group_without_rows_has_no_change():
    still = np.full((3, 4), 0.5)
    judged = judge_groups(still, still)
    assert np.isnan(judged.changes).all()
    assert judged.shares.tolist() == [0, 0, 0, 1]


# ------------------------------------------------------------------ cells


def test_members_of_a_seed_share_rows_and_differ_in_subsets():
    first, second = (
        solve(model_size.run(model_size.Condition(2, k, 8, 100, epochs=1), Streams(0)))
        for k in (0, 1)
    )
    assert (first.in_subset != second.in_subset).any()
    for name in ("is_flipped", "agreement", "identity"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert sorted(first.identity) == list(range(100))


def test_sizes_lie_on_both_sides_of_the_threshold():
    for scale in ("smoke", "standard", "full"):
        conditions = model_size.PHENOMENON.conditions(scale)
        capacities = sorted({c.capacity for c in conditions})
        assert len(capacities) == len(model_size.CAPACITIES)
        np.testing.assert_allclose(np.log2(capacities), np.log2(model_size.CAPACITIES), atol=0.8)
