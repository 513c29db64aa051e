"""OP306: curves that fall, that are flat, and that rise."""

import numpy as np
import pytest

from overparam.audits.check import ask
from overparam.audits.checks.generalization import more_data
from overparam.audits.plan import CURVE_RATIOS, RATIO
from overparam.audits.subset_models import SubsetModels
from tests.audits.worlds import evidence_of, said_models, subject_of


def asked(error_of, n=600, repeats=8, lacking=0):
    """Ask about models whose error on rows not seen follows from the share they were trained on.

    Args:
        lacking: rows that subsets have fewer, at most, as subsets of groups do.
    """
    subject = subject_of(n=n)
    parts = [
        said_models(subject, repeats, unseen=error_of(r), trained=r, seed=i, drawn=i)
        for i, r in enumerate((*CURVE_RATIOS, RATIO))
    ]
    ratio_of_each = np.repeat(CURVE_RATIOS, repeats)
    ensemble = type(parts[0].ensemble)(n_models=3 * repeats, ratio_of_each=ratio_of_each)
    curve = SubsetModels(subject, ensemble)
    vars(curve).update(
        in_subset=np.concatenate([p.in_subset for p in parts[:3]]),
        loss=np.concatenate([p.loss for p in parts[:3]]),
        test_loss=np.concatenate([p.test_loss for p in parts[:3]]),
    )
    for k, subset in enumerate(curve.in_subset):
        subset[np.flatnonzero(subset)[: k % (lacking + 1)]] = False
    return ask(more_data.CHECK, evidence_of(subject, models=parts[3], curve=curve))


def test_a_curve_that_falls_fast_is_found_with_what_twice_the_rows_gain():
    found = asked(
        lambda r: 0.12 / r**0.5, n=2000, repeats=12
    )  # .40 at the fewest rows, .14 at the most
    assert (found.status, found.severity) == ("found", "medium")
    assert found.gain.low < 4.2 < found.gain.high  # .143 - .101
    assert found.details["gain_of_twice_the_rows"]["points"] == found.gain.value
    assert found.figures[0].name == "more_data"


def test_subsets_of_groups_differ_by_a_few_rows_and_are_of_one_size():
    found = asked(lambda r: 0.12 / r**0.5, n=2000, repeats=12, lacking=5)
    assert found.status == "found"
    assert found.gain.low < 4.2 < found.gain.high


def test_a_flat_curve_passes():
    found = asked(lambda r: 0.05, n=2000, repeats=12)
    assert found.status == "passed"
    assert "would gain less than a point" in found.sentence


def test_few_rows_leave_it_undecided():
    found = asked(lambda r: 0.3 - 0.02 * r, n=120, repeats=2)
    assert found.status == "undecided"


def test_a_curve_that_rises_is_not_extrapolated():
    found = asked(lambda r: 0.1 + 0.3 * r)
    assert found.status == "found"
    assert "More rows made it worse" in found.sentence
    assert found.severity == "critical"
    assert "gain_of_twice_the_rows" not in found.details
    assert "OP307" in found.action


def test_equal_curves_are_seldom_found_to_rise_or_to_fall():
    rng = np.random.default_rng(3)
    grave = 0
    for _ in range(20):
        level = rng.uniform(0.05, 0.4)
        found = asked(lambda r, level=level: level, n=150, repeats=5)
        grave += found.severity not in ("none", "low")
    assert grave <= 1


@pytest.mark.parametrize("n", [60])
def test_small_sets_are_no_failure(n):
    assert asked(lambda r: 0.3, n=n, repeats=2).status in ("passed", "undecided", "found")
