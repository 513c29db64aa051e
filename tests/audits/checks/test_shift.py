"""OP506: test rows from elsewhere, with what that costs, and test rows from the same."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.data import shift
from overparam.audits.checks.data.shift import cost_of_shift
from tests.audits.checks.tables import clean_table, evidence_on
from tests.audits.worlds import models_of


def ask_of(test, train=None, **options):
    train = clean_table(200) if train is None else train
    return ask(shift.CHECK, evidence_on(*train, test=test, trained=False, **options))


def moved(n=150, by=1.0, seed=1):
    X, y = clean_table(n, seed)
    return X.assign(x2=X["x2"] + by), y


def test_a_column_that_moved_is_named():
    found = ask_of(moved())
    assert found.status == "found"
    assert "x2" in found.details["columns"]
    assert found.measured.low > 0.5
    assert found.severity == "low"  # what it costs is not known, and rows overlap


def test_rows_that_lie_far_apart_are_not_taken_lightly():
    assert ask_of(moved(by=6.0)).severity == "medium"


def test_rows_of_one_distribution_are_told_apart_seldom():
    said = [ask_of(clean_table(150, seed=s)) for s in range(1, 9)]
    assert sum(f.status == "found" for f in said) <= 1
    assert all(f.severity in ("none", "low") for f in said)


def test_many_rows_of_one_distribution_pass():
    found = ask_of(clean_table(600, seed=2), train=clean_table(600))
    assert found.status == "passed"


def test_a_few_test_rows_leave_it_open():
    assert ask_of(clean_table(12, seed=1)).status == "undecided"


def test_the_cost_is_that_of_models_which_saw_neither():
    """The relation turns around in the test set: models are wrong there, and not out of sample."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    Z = rng.normal((0, 3), 1, (200, 2))
    evidence = evidence_on(
        X, (X[:, 0] > 0).astype(int), DecisionTreeClassifier(max_depth=2),
        test=(Z, (Z[:, 0] < 0).astype(int)), trained=False,
    )  # fmt: skip
    evidence.put("models", models_of(evidence.subject, 8))
    found = ask(shift.CHECK, evidence)
    assert (found.status, found.severity) == ("found", "critical")
    models = evidence.models
    apart = models.test_loss.mean() - np.nanmean(np.nanmean(models.unseen_loss, axis=0))
    assert found.cost.value == pytest.approx(100 * apart)


def test_a_shift_that_costs_nothing_is_low():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    Z = rng.normal((0, 3), 1, (200, 2))
    evidence = evidence_on(
        X, (X[:, 0] > 0).astype(int), DecisionTreeClassifier(max_depth=2),
        test=(Z, (Z[:, 0] > 0).astype(int)), trained=False,
    )  # fmt: skip
    evidence.put("models", models_of(evidence.subject, 8))
    found = ask(shift.CHECK, evidence)
    assert (found.status, found.severity) == ("found", "low")
    assert abs(found.cost.value) < 5


def test_without_models_the_cost_is_not_known():
    assert cost_of_shift(evidence_on(*clean_table(40), trained=False)) is None


def test_images_are_compared_as_pixels():
    X, y = clean_table(120)
    Z, z = moved(by=6.0)
    found = ask_of((Z.to_numpy().reshape(-1, 2, 2), z), train=(X.to_numpy().reshape(-1, 2, 2), y))
    assert found.status == "found"


def test_without_a_test_set_it_is_not_asked():
    found = ask(shift.CHECK, evidence_on(*clean_table(40), trained=False))
    assert found.status == "not applicable"
    assert "no test set" in found.sentence


def test_a_budget_for_nothing_is_said():
    assert ask_of(moved(), budget=1e-3).status == "skipped"
