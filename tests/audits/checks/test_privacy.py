"""OP401 to OP403: what a model holds of its rows, and what its answers give away."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.privacy import exposed_rows, membership, structure
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, evidence_of, models_of, subject_of


def structure_of(model, *, fitted):
    subject = subject_of(model)
    parts = {}
    if fitted:
        model.fit(subject.train.inputs, subject.train.given_labels())
        parts["one"] = SimpleNamespace(fitted=SimpleNamespace(model=model))
    return ask(structure.CHECK, evidence_of(subject, **parts))


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    "model", [KNeighborsClassifier(), make_pipeline(StandardScaler(), KNeighborsClassifier())]
)
def test_neighbours_keep_all_rows(model, fitted):
    found = structure_of(model, fitted=fitted)
    assert (found.status, found.severity) == ("found", "medium")
    assert found.measured.value == 1.0
    assert "160 of 160" in found.sentence


def test_support_vectors_are_counted_where_a_fitted_model_is_there():
    assert "keeps some of 160" in structure_of(SVC(), fitted=False).sentence
    model = SVC()
    found = structure_of(model, fitted=True)
    assert found.details["n_stored"] == len(model.support_vectors_)
    assert found.severity == "medium"


def test_tiny_leaves_are_counted_by_hand():
    model = DecisionTreeClassifier(random_state=0)
    found = structure_of(model, fitted=True)
    leaf = model.apply(subject_of().train.inputs)
    in_tiny = np.bincount(leaf)[leaf] < 5
    assert found.measured.value == pytest.approx(in_tiny.mean())
    assert found.severity == "low"
    assert structure_of(DecisionTreeClassifier(), fitted=False).status == "found"


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        RandomForestClassifier(5, min_samples_leaf=8, bootstrap=False),
        GradientBoostingClassifier(n_estimators=3, min_samples_leaf=10),
        CalibratedClassifierCV(LogisticRegression(), cv=2),
    ],
)
def test_models_that_keep_no_row_pass(model, fitted):
    assert structure_of(model, fitted=fitted).status == "passed"


def test_parts_of_a_model_are_looked_into():
    found = structure_of(CalibratedClassifierCV(KNeighborsClassifier(), cv=2), fitted=True)
    assert found.severity == "medium"
    assert structure_of(GradientBoostingClassifier(n_estimators=3), fitted=True).status == "found"


def test_of_a_function_only_answers_are_known():
    X, y, _ = blobs()

    def fit(rows, seed):
        return lambda inputs: np.eye(2)[(np.asarray(inputs)[:, 0] > 0).astype(int)]

    found = ask(structure.CHECK, evidence_of(make_subject(fit, X, y)))
    assert found.status == "not applicable"


def test_a_model_that_memorizes_gives_its_rows_away():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 5)), rng.integers(0, 2, 300)
    subject = make_subject(RandomForestClassifier(30), X, y)
    evidence = evidence_of(subject, models=models_of(subject, 16))
    found = ask(membership.CHECK, evidence)
    assert found.status == "found"
    assert found.measured.low > 0.8
    assert found.severity == "medium"
    assert found.measured.value >= found.measured.baseline
    rows = ask(exposed_rows.CHECK, evidence)
    assert (rows.status, rows.severity) == ("found", "low")
    assert rows.measured.low > 0.8
    assert (np.diff(rows.row_columns["low"]) <= 0).all()


def test_a_model_that_cannot_memorize_passes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 2))
    subject = make_subject(LogisticRegression(), X, (X[:, 0] + rng.normal(size=1500) > 0) * 1)
    evidence = evidence_of(subject, models=models_of(subject, 40))
    found = ask(membership.CHECK, evidence)
    assert found.status == "passed"
    assert found.measured.value < 0.1
    assert len(ask(exposed_rows.CHECK, evidence).rows) < 75


def test_what_cannot_be_attacked_is_said():
    subject = subject_of(DummyClassifier(strategy="prior"), tested=False)
    evidence = evidence_of(subject, models=models_of(subject, 6))
    assert ask(membership.CHECK, evidence).status in ("skipped", "passed", "undecided")
    assert ask(exposed_rows.CHECK, evidence).status in ("skipped", "passed", "undecided")
    numbers = make_subject(DecisionTreeClassifier(), *blobs()[:2], task="numbers")
    assert ask(membership.CHECK, evidence_of(numbers)).status == "not applicable"
    assert ask(exposed_rows.CHECK, evidence_of(numbers)).status == "not applicable"
