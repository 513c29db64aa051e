"""OP301 and OP302: errors where they are known, and their parts."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.generalization import error, error_budget
from overparam.audits.one_model import OneModel, Said
from overparam.audits.subject import make_subject
from overparam.audits.variants import Variant
from tests.audits.worlds import blobs, evidence_of, line_subject, models_of, subject_of


def one_with(train_loss, test_loss):
    n = len(train_loss)
    return OneModel(
        None,
        Said(np.zeros((n, 2)), train_loss),
        Said(np.zeros((len(test_loss), 2)), test_loss),
        1.0,
        np.empty(0),
        np.empty((0, n)),
    )


def test_error_and_gap_are_those_of_the_test_rows():
    subject = subject_of()
    test_loss = (np.arange(200) < 30).astype(float)  # 15 points
    found = ask(error.CHECK, evidence_of(subject, one=one_with(np.zeros(160), test_loss)))
    assert found.status == "passed"
    assert found.details["test_error"]["value"] == pytest.approx(15.0)
    assert found.details["gap"]["value"] == pytest.approx(15.0)
    assert found.measured.low < 15 < found.measured.high
    assert found.measured.baseline == pytest.approx(50.0)


def test_a_model_that_knows_nothing_is_found():
    subject = subject_of()
    test_loss = (np.arange(200) % 2).astype(float)  # 50 points, as a constant answer
    found = ask(error.CHECK, evidence_of(subject, one=one_with(np.zeros(160), test_loss)))
    assert (found.status, found.severity) == ("found", "high")
    assert "not shown to be better than" in found.sentence


def test_a_model_that_is_worse_than_nothing_is_critical():
    subject = subject_of()
    found = ask(error.CHECK, evidence_of(subject, one=one_with(np.zeros(160), np.ones(200))))
    assert found.severity == "critical"


def test_the_constant_answer_is_judged_on_the_same_rows_as_the_model():
    X, y, _ = blobs()
    few = y * (np.arange(160) < 16)  # 8 of 160 rows are of class 1, and half of the test rows
    subject = make_subject(DecisionTreeClassifier(), X, few, test=blobs(200, seed=1)[:2])
    test_loss = (np.arange(200) < 60).astype(float)
    found = ask(error.CHECK, evidence_of(subject, one=one_with(np.zeros(160), test_loss)))
    assert found.measured.baseline == pytest.approx(50.0)
    assert found.status == "passed"


def test_without_a_test_set_rows_left_out_are_judged():
    subject = subject_of(tested=False)
    models = models_of(subject)
    found = ask(error.CHECK, evidence_of(subject, models=models))
    assert "on rows left out" in found.sentence
    assert found.measured.value == pytest.approx(100 * np.nanmean(models.unseen_loss))


def test_parts_of_the_error_add_up():
    subject = subject_of(wrong=0.2)
    found = ask(error_budget.CHECK, evidence_of(subject, models=models_of(subject, 8)))
    parts = {name: part["value"] for name, part in found.details["parts"].items()}
    total = parts.pop("total")
    assert sum(parts.values()) == pytest.approx(total, abs=1e-9)


def test_averaging_trees_that_differ_is_worth_it():
    subject = subject_of(n=400, wrong=0.3)
    found = ask(error_budget.CHECK, evidence_of(subject, models=models_of(subject, 20)))
    assert found.status == "found"
    assert found.gain.low >= 1


def test_averaging_models_that_are_alike_is_worth_nothing():
    subject = subject_of(DummyClassifier(strategy="prior"))
    found = ask(error_budget.CHECK, evidence_of(subject, models=models_of(subject, 6)))
    assert found.status == "passed"


def test_too_few_models_are_no_failure():
    subject = subject_of(tested=False)
    found = ask(error_budget.CHECK, evidence_of(subject, models=models_of(subject, 5)))
    assert found.status == "skipped"
    assert "a larger --budget" in found.sentence


def test_wrong_labels_are_told_by_models_of_other_kinds_alone():
    subject = subject_of(wrong=0.1, tested=False)
    forest = RandomForestClassifier(30)
    others = ((Variant("trees", "reference", "references-trees", forest),
               models_of(subject, 20, model=forest)),)  # fmt: skip
    own = models_of(subject, 20)
    without = ask(error_budget.CHECK, evidence_of(subject, models=own))
    told = ask(error_budget.CHECK, evidence_of(subject, models=own, references=others))
    assert "labels" not in without.details["parts"]
    assert told.details["parts"]["labels"]["value"] > 2
    assert "wrong labels" not in without.sentence


def test_errors_of_numbers_are_shares_of_the_variance():
    subject = line_subject()
    evidence = evidence_of(subject, models=models_of(subject, 12))
    total = ask(error_budget.CHECK, evidence).details["parts"]["total"]["value"]
    # y = x + noise of sd .06, of which trees learn about twice the noise: 2 (.06 / sd(y))^2.
    expected = 100 * 2 * (0.06 / subject.train.labels.std()) ** 2
    assert 0.5 * expected < total < 3 * expected
    assert total == pytest.approx(ask(error.CHECK, evidence).measured.value, rel=0.25)
