"""OP103 and OP307: other recipes, on rows that no model saw; equal ones are found equal."""

import numpy as np
import pytest

from overparam.audits.check import ask
from overparam.audits.checks.capacity import harm
from overparam.audits.checks.generalization import other_sizes
from tests.audits.worlds import evidence_of, said_models, subject_of, variant

CHECKS = (harm.CHECK, other_sizes.CHECK)
GRAVE = ("medium", "high", "critical")


def asked(check, *others, n=400, n_models=10, unseen=0.2, seen=0.0, seed=0, **options):
    """Ask about recipes that are wrong on shares of the rows (seen, unseen)."""
    subject = subject_of(n=n)
    models = said_models(subject, n_models, seen=seen, unseen=unseen, seed=seed, **options)
    variants = [
        (variant(f"k={i}"),
         said_models(subject, n_models, seen=s, unseen=u, seed=1000 * seed + i + 1, **options))
        for i, (s, u) in enumerate(others)
    ]  # fmt: skip
    return ask(check, evidence_of(subject, models=models, variants=variants))


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.code)
def test_a_better_recipe_is_found_with_what_it_gains(check):
    found = asked(check, (0.05, 0.12), (0.1, 0.3))
    assert (found.status, found.severity) == ("found", "high")
    assert found.gain.low < 8 < found.gain.high
    assert "k=0" in found.sentence
    assert "better still, or worse" in found.action  # what lies beyond it was not measured


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.code)
def test_worse_recipes_pass(check):
    found = asked(check, (0.05, 0.3), (0.1, 0.5))
    assert found.status == "passed"
    assert found.measured.high < 0
    if check is harm.CHECK:
        assert "costs nothing here: every recipe that fits less is worse" in found.sentence
        assert "(k=0, the best of them, loses " in found.sentence


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.code)
def test_few_rows_leave_it_undecided(check):
    found = asked(check, (0.05, 0.2), n=60, n_models=2)
    assert found.status == "undecided"
    assert "--budget" in found.action


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.code)
def test_equal_recipes_are_seldom_found_different(check):
    rng = np.random.default_rng(0)
    grave = found = 0
    for seed in range(60):
        unseen = rng.beta(0.5, 2.0, 300)  # rows are of different difficulty, to all alike
        told = asked(check, (0.05, unseen), (0.05, unseen), (0.05, unseen),
                     n=100, n_models=5, unseen=unseen, seed=seed + 1)  # fmt: skip
        found += told.status == "found"
        grave += told.severity in GRAVE
    assert found <= 5  # of 60, where 2.5 % may be
    assert grave <= 3


def test_a_recipe_that_does_not_fit_everything_has_no_harm_of_doing_so():
    found = asked(harm.CHECK, (0.2, 0.1), seen=0.1)
    assert found.status == "not applicable"
    assert "% wrong among rows that it saw" in found.sentence


def test_only_recipes_that_fit_less_can_tell():
    found = asked(harm.CHECK, (0.0, 0.1))
    assert found.status == "not applicable"
    assert "capacity=" in found.sentence
    assert asked(other_sizes.CHECK, (0.0, 0.1)).status == "found"


def test_every_variant_is_in_the_table():
    found = asked(other_sizes.CHECK, (0.05, 0.3), (0.1, 0.5))
    (table,) = found.figures
    assert table.columns["variant"] == ["as it is", "k=0", "k=1"]
    assert table.columns["training error"][0] == 0
    assert set(found.details) == {"k=0", "k=1"}
