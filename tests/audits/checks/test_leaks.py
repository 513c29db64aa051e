"""OP501: a column that is written down afterwards, and tables without one."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

from overparam.audits.check import ask
from overparam.audits.checks.data import leaks
from overparam.measures.tables import screening_models
from tests.audits.checks.tables import clean_table, evidence_on


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(screening_models, "_N_TREES", 10)


def leaky_table(seed=0, n=300):
    """Money that was spent by those alone who said yes, and a share of it that says the same."""
    X, y = clean_table(n, seed)
    rng = np.random.default_rng(seed + 100)
    X["spent"] = np.where(y == 1, rng.gamma(2, 100, n), 0.0)
    X["share"] = X["spent"] / rng.uniform(500, 2000, n)
    return X, y


def test_a_leak_is_found_with_the_column_that_says_the_same():
    found = ask(leaks.CHECK, evidence_on(*leaky_table()))
    assert (found.status, found.severity) == ("found", "critical")
    assert set(found.details["columns"]) == {"spent", "share"}
    assert found.cost.low > 10
    assert found.details["with"] - found.details["without"] == pytest.approx(found.cost.value / 100)
    assert found.measured.low <= found.measured.value <= found.measured.high


def test_columns_of_an_array_keep_their_places_once_one_is_taken_away():
    X, y = leaky_table()
    X = X[["spent", "x0", "x1", "share", "x2", "x3"]].to_numpy()
    found = ask(leaks.CHECK, evidence_on(X, y))
    assert set(found.details["columns"]) == {"0", "3"}
    assert "column 0" in found.sentence


def test_a_leak_of_numbers_is_found():
    X, _ = clean_table()
    rng = np.random.default_rng(1)
    y = X["x0"] + X["x1"] + rng.normal(size=len(X))
    X["later"] = y + 0.01 * rng.normal(size=len(X))
    found = ask(leaks.CHECK, evidence_on(X, y.to_numpy(), LinearRegression()))
    assert found.status == "found"
    assert found.details["columns"] == ["later"]


def test_a_good_feature_that_others_replace_is_no_leak():
    iris = load_iris(as_frame=True)
    found = ask(leaks.CHECK, evidence_on(iris.data, iris.target))
    assert found.status == "passed"
    assert "petal width (cm)" in found.details["strong"]


def test_a_good_feature_that_is_far_from_perfect_is_a_question():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = (X[:, 0] + 0.15 * rng.normal(size=600) > 0).astype(int)
    found = ask(leaks.CHECK, evidence_on(X, y))
    assert (found.status, found.severity) == ("found", "low")
    assert "if it is known before, nothing is wrong" in found.action


def test_nothing_is_found_in_clean_tables():
    said = [ask(leaks.CHECK, evidence_on(*clean_table(seed=s))) for s in range(8)]
    assert {f.status for f in said} == {"passed"}


def test_few_rows_leave_it_open():
    rng = np.random.default_rng(3)
    y = np.arange(40) % 2
    X = np.stack([np.where(rng.random(40) < 0.06, 1 - y, y), *rng.normal(size=(2, 40))], axis=1)
    X[:, 0] += 0.01 * rng.normal(size=40)
    found = ask(leaks.CHECK, evidence_on(X, y))
    assert found.status == "undecided"
    assert "not told" in found.sentence


def test_a_model_that_is_not_cheap_is_judged_by_a_forest():
    X, y = leaky_table(n=100)
    found = ask(leaks.CHECK, evidence_on(X.drop(columns="share"), y, trained=False))
    assert found.details["model"] == "a forest"
    assert found.severity in ("high", "critical")


def test_a_budget_for_nothing_is_said():
    found = ask(leaks.CHECK, evidence_on(*clean_table(), trained=False, budget=1.0))
    assert found.status == "skipped"
    assert "one check may take" in found.sentence


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (np.zeros((30, 4, 4)), "images"),
        (csr_matrix(np.eye(30)), "sparse matrix"),
        (["a text", "another"] * 15, "no table"),
    ],
)
def test_what_has_no_columns_is_left(inputs, why):
    evidence = evidence_on(inputs, np.arange(30) % 2, LogisticRegression(), trained=False)
    found = ask(leaks.CHECK, evidence)
    assert found.status == "not applicable"
    assert why in found.sentence
