"""Findings: numbers with as many digits as they carry, severity by what is surely lost."""

import math

import numpy as np
import pytest

from overparam.audits.finding import POINTS, Finding, Measured, severity_of_cost
from overparam.errors import UsageError


def test_what_is_found_has_a_severity_and_nothing_else_has():
    assert Finding("found", "it is so", severity="low").severity == "low"
    with pytest.raises(UsageError, match="what is found has a severity"):
        Finding("found", "it is so")
    with pytest.raises(UsageError, match="what is found has a severity"):
        Finding("passed", "all is well", severity="high")


def test_unknown_words_are_refused():
    with pytest.raises(UsageError, match="status"):
        Finding("good", "all is well")
    with pytest.raises(UsageError, match="severity"):
        Finding("found", "it is so", severity="terrible")


def test_columns_of_rows_fit_the_rows():
    with pytest.raises(UsageError, match="a column of a finding"):
        Finding("passed", "well", rows=np.arange(3), row_columns={"score": [1.0]})


@pytest.mark.parametrize(
    ("low", "severity"), [(12.0, "critical"), (4.0, "high"), (1.0, "medium"), (0.2, "low")]
)
def test_severity_is_by_what_is_surely_lost(low, severity):
    assert severity_of_cost(Measured(20.0, low, 30.0, POINTS)) == severity


def test_costlier_findings_come_first():
    cheap = Finding("found", "a", "medium", cost=Measured(1.5, 1.0, 2.0, POINTS))
    dear = Finding("found", "b", "medium", gain=Measured(2.5, 1.0, 4.0, POINTS))
    grave = Finding("found", "c", "high")
    assert sorted([cheap, dear, grave], key=lambda f: f.rank) == [grave, dear, cheap]


def test_unknown_and_unbounded_numbers_are_told():
    assert str(Measured(math.nan, 0.0, 1.0)) == "unknown"
    assert "inf" in str(Measured(2.0, 1.0, math.inf, "rows"))
