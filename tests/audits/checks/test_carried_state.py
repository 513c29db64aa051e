"""OP603: models that go on from fit to fit, that draw for themselves, and fresh ones."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.training import carried_state
from overparam.audits.evidence import Evidence
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, evidence_of, models_of, subject_of


def hard(n=120):
    """Labels that nothing tells."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)), rng.permutation(n) % 2


def models_on(fit, n_models=16):
    X, y = hard()
    subject = make_subject(fit(X, y), X, y)
    return evidence_of(subject, models=models_of(subject, n_models))


def carrying(X, y):
    """A fit that keeps a third of the rows of each fit, as k-fold with one network does."""
    seen: dict[int, int] = {}

    def fit(rows, seed):
        model = KNeighborsClassifier(1).fit(X[rows], y[rows])
        kept = dict(seen)
        for row in np.random.default_rng(len(seen)).permutation(rows)[:10]:
            seen[int(row)] = int(y[row])
        places = {tuple(X[row]): label for row, label in kept.items()}

        def predict(inputs):
            said = model.predict(inputs)
            return np.array([places.get(tuple(x), s) for x, s in zip(inputs, said, strict=True)])

        return predict

    return fit


def drawing(X, y):
    """A fit that draws random numbers of its own."""
    rng = np.random.default_rng()

    def fit(rows, seed):
        guess = rng.normal(size=2)
        return lambda inputs: (np.asarray(inputs) @ guess > 0).astype(int)

    return fit


def fresh(X, y):
    return lambda rows, seed: DecisionTreeClassifier(random_state=0).fit(X[rows], y[rows]).predict


def test_a_model_that_is_carried_on_is_found():
    found = ask(carried_state.CHECK, models_on(carrying, 24))
    assert found.status == "found"
    assert found.severity in ("high", "critical")
    assert "the later they are fitted" in found.sentence
    assert found.cost.low > 3
    assert len(found.figures) == 1


def test_random_numbers_of_its_own_are_found_and_harmless():
    found = ask(carried_state.CHECK, models_on(drawing))
    assert (found.status, found.severity) == ("found", "low")
    assert found.details["repeat_gap"] > 0


def test_fresh_models_pass():
    found = ask(carried_state.CHECK, models_on(fresh))
    assert found.status == "passed"
    assert found.measured.low <= 0 <= found.measured.high


def test_clones_of_an_estimator_pass():
    subject = subject_of(DecisionTreeClassifier(random_state=0))
    found = ask(carried_state.CHECK, evidence_of(subject, models=models_of(subject, 10)))
    assert found.status == "passed"


def test_of_a_few_models_only_the_repeat_is_told():
    subject = subject_of(DecisionTreeClassifier(random_state=0))
    found = ask(carried_state.CHECK, evidence_of(subject, models=models_of(subject, 4)))
    assert found.status in ("passed", "undecided")
    assert "8 are needed" in found.sentence


@pytest.mark.parametrize("loss", [np.full(12, 0.3), np.linspace(0.2, 0.4, 12)])
def test_models_that_stay_or_grow_worse_are_no_trend(loss):
    assert not carried_state._rises(loss)


def test_of_predictions_nobody_knows_the_order():
    y = blobs(40)[1]
    subject = make_subject(np.zeros((4, 40, 2)), y, mask=np.zeros((4, 40), bool))
    found = ask(carried_state.CHECK, Evidence(subject))
    assert found.status == "not applicable"
