"""OP303: probabilities that are right, too sure, or too few to tell."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.generalization import calibration
from overparam.audits.checks.generalization._answers import answers_of
from overparam.audits.one_model import OneModel, Said
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, evidence_of, line_subject, models_of, subject_of


def said_with(sharpness, n=4000, seed=0):
    """A model that says softmax(sharpness * z) of labels drawn from softmax(z)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-2 * z))).astype(int)
    p = 1 / (1 + np.exp(-2 * sharpness * z))
    X, y, _ = blobs(100)
    subject = make_subject(DecisionTreeClassifier(), X, y, test=(rng.normal(size=(n, 2)), labels))
    said = Said(np.zeros((n, 2)), (labels != (p > 0.5)).astype(float), np.stack([1 - p, p], 1))
    seen = Said(np.zeros((100, 2)), np.zeros(100))
    return evidence_of(
        subject, one=OneModel(None, seen, said, 1.0, np.empty(0), np.empty((0, 100)))
    )


def test_right_probabilities_pass():
    found = ask(calibration.CHECK, said_with(1.0))
    assert found.status == "passed", found
    assert found.measured.low == 0


def test_what_is_too_sure_is_found_with_its_temperature():
    found = ask(calibration.CHECK, said_with(4.0))
    assert (found.status, found.severity) == ("found", "medium")
    assert "too sure" in found.sentence
    heat = found.details["temperature"]
    assert heat["low"] < 4.0 < heat["high"]
    assert found.details["log_loss_gain"]["low"] > 0
    assert found.cost is None  # it names the same classes
    _, curve = found.figures[0].panels[0].series
    assert np.all(curve.y[-1] < curve.x[-1])
    assert "divide the logits" in found.action


def test_what_is_not_sure_enough_is_told_so():
    found = ask(calibration.CHECK, said_with(0.3))
    assert found.status == "found"
    assert "not sure enough" in found.sentence


def test_few_rows_leave_it_undecided():
    found = ask(calibration.CHECK, said_with(1.0, n=150))
    assert (found.status, found.severity) == ("undecided", "none")


def test_right_probabilities_are_hardly_ever_found():
    n_found = sum(
        ask(calibration.CHECK, said_with(1.0, 300, seed)).status == "found" for seed in range(40)
    )
    assert n_found <= 4  # at most 5 % expected: 5 or more of 40 come in 3 of 100


def test_of_each_row_one_model_that_left_it_out_is_asked():
    subject = subject_of(wrong=0.2, tested=False)
    evidence = evidence_of(subject, models=models_of(subject, 8))
    said = answers_of(evidence)
    assert set(np.unique(said.probabilities)) == {0.0, 1.0}  # a tree's, not a mean of trees'
    named = said.probabilities.argmax(1)
    np.testing.assert_array_equal(named != said.labels, said.loss == 1)
    assert not said.are_test
    found = ask(calibration.CHECK, evidence)
    assert (found.status, found.severity) == ("found", "medium")
    assert "rows left out" in found.sentence


def test_a_model_that_says_no_probabilities_is_not_judged():
    evidence = said_with(1.0, 100)
    one = evidence.one
    silent = Said(one.test.outputs, one.test.loss, None)
    evidence.put("one", OneModel(None, one.train, silent, 1.0, one.epochs, one.row_losses))
    found = ask(calibration.CHECK, evidence)
    assert found.status == "not applicable"
    assert "gives no probabilities" in found.sentence


def test_numbers_have_no_probabilities():
    assert ask(calibration.CHECK, evidence_of(line_subject())).status == "not applicable"


def test_nothing_measured_is_skipped():
    assert ask(calibration.CHECK, evidence_of(subject_of())).status == "skipped"


def test_hardly_a_row_is_skipped():
    found = ask(calibration.CHECK, said_with(1.0, n=12))
    assert found.status == "skipped"
    assert "fewer than 20 rows" in found.sentence
