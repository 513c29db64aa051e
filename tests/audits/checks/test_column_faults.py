"""OP504: columns that say nothing of their own, by name."""

import numpy as np

from overparam.audits.check import ask
from overparam.audits.checks.data import column_faults
from tests.audits.checks.tables import clean_table, evidence_on


def ask_of(X, y, **options):
    return ask(column_faults.CHECK, evidence_on(X, y, trained=False, **options))


def test_every_fault_is_named_and_ranks_low():
    X, y = clean_table(80)
    X = X.assign(
        same=1.0,
        copy=X["x0"],
        total=X["x1"] + X["x2"],
        empty=np.nan,
        price=["?"] + [str(i) for i in range(79)],
    )
    found = ask_of(X, y)
    assert (found.status, found.severity) == ("found", "low")
    assert found.details["constant"] == ["same"]
    assert found.details["empty"] == ["empty"]
    assert found.details["duplicated"] == [["x0", "copy"]]
    assert len(found.details["collinear"]) == 1
    assert found.details["nearly_numbers"] == {"price": ["?"]}
    assert found.measured.value == 4
    assert "na_values" in found.action


def test_codes_and_words_for_them_are_one():
    X, y = clean_table(80)
    code = np.arange(80) % 3
    found = ask_of(X.assign(code=code, word=np.array(["a", "b", "c"])[code]), y)
    assert found.details["renamed"] == [["code", "word"]]


def test_columns_of_their_own_are_passed():
    found = ask_of(*clean_table(80))
    assert found.status == "passed"
    assert "All 4 columns" in found.sentence


def test_of_many_rows_some_are_looked_at_and_that_is_said():
    X, y = clean_table(3000, columns=20)
    found = ask_of(X, y, budget=0.01)
    assert "1,000 of 3,000 rows were looked at" in found.sentence
