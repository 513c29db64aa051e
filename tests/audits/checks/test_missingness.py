"""OP503: gaps that tell the target, gaps at random, and none."""

import numpy as np
import pandas as pd
import pytest

from overparam.audits.check import ask
from overparam.audits.checks.data import missingness
from overparam.measures.tables import screening_models
from tests.audits.checks.tables import clean_table, evidence_on


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(screening_models, "_N_TREES", 10)


def with_gaps(where, n=300, seed=0):
    X, y = clean_table(n, seed)
    X["x0"] = X["x0"].mask(where(y, np.random.default_rng(seed + 9)))
    return X, y


def ask_of(X, y, **options):
    return ask(missingness.CHECK, evidence_on(X, y, trained=False, **options))


def test_gaps_of_one_outcome_are_found_with_what_they_are_worth():
    found = ask_of(*with_gaps(lambda y, rng: (y == 0) & (rng.random(len(y)) < 0.8)))
    assert found.status == "found"
    assert found.severity in ("high", "critical")
    assert found.details["columns"] == ["x0"]
    assert found.measured.low > 0.7
    assert found.cost.low > 3


def test_gaps_at_random_say_nothing():
    said = [
        ask_of(*with_gaps(lambda y, rng: rng.random(len(y)) < 0.3, n=120, seed=s)) for s in range(8)
    ]
    assert {f.status for f in said if f.severity != "low"} == {"passed"}
    assert sum(f.status == "found" for f in said) <= 1


def test_words_may_be_missing_too():
    X, y = clean_table(200)
    X["boat"] = [f"boat {i % 5}" if label else None for i, label in enumerate(y)]
    found = ask_of(X, y)
    assert found.details["columns"] == ["boat"]
    assert "boat" in found.sentence


def test_nothing_missing_is_said():
    found = ask_of(*clean_table(60))
    assert (found.status, found.sentence) == ("passed", "Nothing is missing")


def test_a_column_that_is_empty_is_no_matter_of_this():
    X, y = clean_table(60)
    assert ask_of(X.assign(empty=pd.NA), y).sentence == "Nothing is missing"
