"""OP502: neighbours that resemble each other, running numbers, and rows in no order."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.data import order
from overparam.audits.checks.data._looked_at import look_at, spread_over_rows
from overparam.measures.tables import screening_models
from tests.audits.checks.tables import clean_table, evidence_on


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(screening_models, "_N_TREES", 10)


def written_by(n_writers=30, each=12, seed=0):
    """Rows of one writer stand together, resemble each other, and have a label by chance."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(n_writers, 4)), each, axis=0)
    X += 0.05 * rng.normal(size=X.shape)
    return X, np.repeat(rng.permutation(n_writers) % 2, each)


def test_rows_of_one_writer_flatter_a_shuffled_split():
    found = ask(order.CHECK, evidence_on(*written_by(), KNeighborsClassifier(1)))
    assert (found.status, found.severity) == ("found", "critical")
    assert found.details["shuffled"] > 0.95 > found.details["in_blocks"]
    assert found.cost.low > 10


def test_groups_that_are_named_flatter_nothing():
    X, y = written_by()
    evidence = evidence_on(X, y, KNeighborsClassifier(1), groups=np.arange(len(y)) // 12)
    assert ask(order.CHECK, evidence).status != "found"


def test_a_few_groups_are_too_few_to_look_at():
    X, y = written_by(n_writers=6)
    found = ask(order.CHECK, evidence_on(X, y, groups=np.arange(len(y)) // 12))
    assert found.status == "not applicable"
    assert "fewer than 10 groups" in found.sentence


def test_images_are_looked_at_as_pixels():
    X, y = written_by(n_writers=10)
    found = ask(order.CHECK, evidence_on(X.reshape(-1, 2, 2), y, trained=False))
    assert found.status == "found"


def test_rows_in_no_order_are_quiet():
    said = [ask(order.CHECK, evidence_on(*clean_table(1500, seed=s))) for s in range(6)]
    assert sum(f.status == "found" for f in said) <= 1
    assert {f.severity for f in said} <= {"none", "low"}
    assert "passed" in {f.status for f in said}


def test_rows_sorted_by_class_cost_nothing():
    iris = load_iris()
    found = ask(order.CHECK, evidence_on(iris.data, iris.target))
    assert (found.status, found.severity) == ("found", "low")
    assert "filed by their target" in found.sentence
    assert found.cost is None
    assert found.details["in_blocks"] > 0.9


def test_rows_sorted_by_a_number_cost_nothing():
    X, _ = clean_table()
    y = (X["x0"] + X["x1"]).to_numpy()
    by_y = np.argsort(y)
    found = ask(order.CHECK, evidence_on(X.iloc[by_y], y[by_y], LinearRegression()))
    assert (found.status, found.severity) == ("found", "low")
    assert found.details["shuffled"] - found.details["in_blocks"] < 0.01


def test_a_running_number_that_predicts_is_found():
    X, _ = clean_table()
    y = (np.arange(len(X)) >= 150).astype(int)
    shuffled = np.random.default_rng(0).permutation(len(X))
    X = X.assign(number=np.arange(len(X)) + 1000)
    found = ask(order.CHECK, evidence_on(X.iloc[shuffled], y[shuffled], DecisionTreeClassifier()))
    assert (found.status, found.severity) == ("found", "critical")
    assert found.details["running_columns"] == ["number"]
    assert "clock or running number" in found.sentence


def test_whole_numbers_that_number_nothing_are_features():
    X, _ = clean_table()
    income = np.random.default_rng(0).permutation(10**6)[: len(X)]
    y = (income > np.median(income)).astype(int)
    found = ask(order.CHECK, evidence_on(X.assign(income=income), y, DecisionTreeClassifier()))
    assert found.details["running_columns"] == []


def test_a_date_that_says_nothing_is_no_fault():
    X, y = clean_table(200)
    X = X.assign(day=np.random.default_rng(0).permutation(200) * 86400.0)
    X["day"] = pd.to_datetime(X["day"], unit="s")
    found = ask(order.CHECK, evidence_on(X, y, trained=False))
    assert found.details["running_columns"] == []


def test_a_sample_keeps_neighbours_together():
    X, y = clean_table(4000)
    seen = look_at(evidence_on(X, y), 1e-2, in_order=True)
    assert 1000 <= len(seen) <= 1200
    assert (np.diff(seen.rows) == 1).mean() > 0.95
    assert seen.rows[[0, -1]].tolist() == [0, 3999]


def test_every_part_has_every_class_in_its_own_order():
    target = np.repeat(["a", "b"], [50, 25])
    found = spread_over_rows(target, "classes")
    assert sorted(found.tolist()) == list(range(75))
    assert (target[found][:15] == "b").sum() == 5
    assert (np.diff(found[target[found] == "a"]) > 0).all()
