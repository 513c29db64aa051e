"""OP104: coefficients that the data leave open, by name."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.capacity import unidentified
from overparam.audits.one_model import OneModel, Said
from overparam.audits.subject import make_subject
from overparam.training.fitted_estimator import FittedEstimator
from tests.audits.worlds import evidence_of

N = 60


def frame():
    rng = np.random.default_rng(0)
    made = pd.DataFrame(rng.normal(size=(N, 3)), columns=["a", "b", "c"])
    return made.assign(total=made["a"] + made["b"])


def asked(model, X, y=None):
    y = np.arange(N) % 2 if y is None else y
    subject = make_subject(model, X, y, task="numbers" if y.dtype.kind == "f" else "classes")
    given = np.asarray(X) if not hasattr(X, "iloc") and np.ndim(X) > 2 else X
    given = given.reshape(N, -1) if isinstance(given, np.ndarray) else given
    fitted = FittedEstimator(model.fit(given, y), "it", "labels", None, 1, (), True, N, 0.0)
    said = Said(np.zeros((N, 2)), np.zeros(N))
    one = OneModel(fitted, said, None, 1.0, np.empty(0), np.empty((0, N)))
    return ask(unidentified.CHECK, evidence_of(subject, one=one))


def test_a_sum_of_columns_is_named():
    found = asked(LogisticRegression(), frame())
    assert (found.status, found.severity) == ("found", "low")
    assert "3 of 5 coefficients are not determined by the data (a, b, total)" in found.sentence
    assert "total" in found.details["relations"][0]
    assert found.figures[0].columns["on every row"] == found.details["relations"]
    assert found.cost is None


def test_names_are_those_that_the_pipeline_makes():
    words = pd.DataFrame({"w": list("abc") * (N // 3)})
    found = asked(make_pipeline(OneHotEncoder(sparse_output=False), Ridge()), words,
                  np.arange(N) * 1.0 + 0.5)  # fmt: skip
    assert "w_a, w_b, w_c" in found.sentence


def test_more_columns_than_rows_leave_them_open():
    X = np.random.default_rng(1).normal(size=(N, 90))
    found = asked(LinearRegression(), X, X[:, 0] + 0.5)
    assert "there are 90 columns and only 60 rows" in found.sentence


def test_independent_columns_pass():
    found = asked(make_pipeline(StandardScaler(), LogisticRegression()), frame()[["a", "b", "c"]])
    assert found.status == "passed"
    assert "All 4 coefficients are determined" in found.sentence


def test_what_rounding_decides_is_undecided():
    made = frame()
    made["total"] += 3e-14 * np.random.default_rng(5).normal(size=N)
    assert asked(LogisticRegression(), made).status in ("undecided", "found")


def test_images_are_taken_as_the_rows_that_they_were_given_as():
    X = np.random.default_rng(2).normal(size=(N, 2, 2))
    assert asked(LogisticRegression(), X).status == "passed"


def test_what_has_no_coefficients_is_not_asked():
    assert asked(DecisionTreeClassifier(), frame()).status == "not applicable"
    other = make_subject(lambda rows, seed: None, frame(), np.arange(N) % 2)
    assert ask(unidentified.CHECK, evidence_of(other)).status == "not applicable"


def test_what_is_too_large_is_skipped(monkeypatch):
    monkeypatch.setattr(unidentified, "_MOST_WORK", 10)
    found = asked(LogisticRegression(), frame())
    assert found.status == "skipped"
