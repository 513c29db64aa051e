"""Records as a table: one row per record, what was not measured is NaN."""

import builtins
import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest

from overparam.errors import UsageError
from overparam.lab.plan import Plan
from overparam.lab.records import Record, Records


@dataclass(frozen=True)
class Condition:
    width: int
    arm: str = "treatment"


@dataclass(frozen=True)
class Outcome:
    error: float
    width: int
    fitted: bool
    weights: np.ndarray


RECORDS = Records(
    [
        Record(Condition(4), 0, Outcome(0.5, 8, True, np.zeros(3))),
        Record(Condition(4), 1, None, "failed", "out of memory"),
        Record(Condition(9), 0, Outcome(np.float64(0.25), 18, False, np.ones(3)), "diverged"),
    ]
)


def test_columns_of_records():
    columns = RECORDS.columns()
    assert list(columns) == [
        "width", "arm", "seed", "outcome_error", "outcome_width", "fitted", "status", "error",
    ]  # fmt: skip
    assert columns["width"] == [4, 4, 9]
    assert columns["seed"] == [0, 1, 0]
    assert columns["outcome_error"][0] == 0.5
    assert all(math.isnan(v) for v in columns["outcome_error"][1:])
    assert columns["outcome_width"][0] == 8
    assert columns["status"] == ["done", "failed", "diverged"]
    assert columns["error"] == ["", "out of memory", ""]
    assert Records([]).columns() == {"seed": [], "status": [], "error": []}


def test_a_frame_of_records():
    pytest.importorskip("pandas")
    frame = RECORDS.frame()
    assert frame.shape == (3, 8)
    assert frame.groupby("width")["outcome_error"].mean()[4] == 0.5


def test_a_frame_without_pandas_says_what_to_do(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=r"needs pandas.*pip install pandas; or take \.columns"):
        RECORDS.frame()


def test_a_plan_shows_itself_in_ten_lines():
    notes = tuple(f"note {i} " * 50 for i in range(9))
    plan = Plan(60, 10, 60, 5.8e9, 0.74, 0.37, 700 << 20, 1 << 20, 2, "cpu", 7.8e9, False, notes)
    lines = repr(plan).splitlines()
    assert len(lines) <= 10
    assert lines[0] == "Plan: 60 cells in 10 units, 60 models"
    assert lines[1] == "  time     0.37 s with 2 workers on cpu"
    assert lines[-1] == "  ... and 5 more notes"
    assert max(map(len, lines)) <= 121
    assert "time     at most 0.37 s" in repr(dataclasses.replace(plan, may_end_sooner=True))
