"""The course of the one model: what it said along the way, against a plain reckoning."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from overparam.audits.course import course_of_rounds, evenly
from overparam.audits.one_model import fit_one
from overparam.audits.subject import make_subject
from overparam.training.recipe import Recipe
from tests.audits.worlds import blobs, evidence_of, subject_of


def network_subject(epochs=12, tested=True):
    X, y, _ = blobs(80, wrong=0.1)
    Z, z, _ = blobs(60, seed=1)
    test = (Z.astype(np.float32), z) if tested else None
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    recipe = Recipe(epochs=epochs, learning_rate=0.05, batch_size=16)
    return make_subject(model, X.astype(np.float32), y, recipe=recipe, test=test)


def test_a_network_is_followed_at_each_traced_epoch():
    one = fit_one(network_subject(), 0)
    course, trace = one.course, one.fitted.trace
    assert course.unit == "epoch"
    assert course.steps.tolist() == one.epochs.tolist() == list(range(1, 13))
    assert course.error.mean(1) == pytest.approx(trace.error["train"])
    assert course.test_error.mean(1) == pytest.approx(trace.error["test"])
    assert one.row_losses.mean(1) == pytest.approx(trace.loss["train"], rel=1e-4)


def test_its_last_step_is_the_trained_model():
    one = fit_one(network_subject(), 0)
    assert np.array_equal(one.course.error[-1], one.train.loss)
    assert np.array_equal(one.course.test_error[-1], one.test.loss)
    assert one.course.probabilities[-1] == pytest.approx(one.test.probabilities, abs=1e-5)


def test_watching_changes_nothing_of_what_is_trained():
    with_test, without = (fit_one(network_subject(tested=t), 0) for t in (True, False))
    assert np.array_equal(with_test.train.outputs, without.train.outputs)
    assert without.course.test_error is None


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(n_estimators=60),
        HistGradientBoostingClassifier(max_iter=20),
        AdaBoostClassifier(n_estimators=10),
        make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=10)),
    ],
)
def test_boosting_is_followed_round_by_round(model):
    subject = subject_of(model, wrong=0.1)
    one = fit_one(subject, 0)
    course = course_of_rounds(one.fitted, subject)
    assert course.unit == "round"
    assert len(course.steps) <= 50
    assert np.array_equal(course.error[-1], one.train.loss)
    assert np.array_equal(course.test_error[-1], one.test.loss)
    assert course.probabilities[-1] == pytest.approx(one.test.probabilities, abs=1e-6)


def test_words_for_classes_are_followed_too():
    X, y, _ = blobs(80)
    subject = make_subject(
        GradientBoostingClassifier(n_estimators=5), X, np.where(y == 1, "yes", "no")
    )
    one = fit_one(subject, 0)
    assert np.array_equal(course_of_rounds(one.fitted, subject).error[-1], one.train.loss)


def test_what_has_no_rounds_has_no_course():
    subject = subject_of(LogisticRegression())
    evidence = evidence_of(subject, one=fit_one(subject, 0))
    assert course_of_rounds(evidence.one.fitted, subject) is None
    assert not evidence.has("course")


def test_rows_are_spread_evenly():
    assert evenly(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert evenly(101, 5).tolist() == [0, 25, 50, 75, 100]
