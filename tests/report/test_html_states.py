"""The page in every state that a study can be in."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from overparam.lab.figure import Axis, Chart, Panel, Series, Table
from overparam.lab.records import Records
from overparam.lab.verdict import UNKNOWN, Interval, decide, judge, unmeasured
from tests.report.parsed_page import Page, rendered

X = np.geomspace(1, 1e4, 30)


def _chart(series: list[Series], **axis: Any) -> Chart:
    return Chart("c", "t", "cap", [Panel("", Axis("x", scale="log"), Axis("y", **axis), series)])


def _missing_control(result: Any) -> dict[str, Any]:
    return {"verdicts": {"treatment": result.verdicts["treatment"]}}


CASES = {
    "interrupted": lambda r: {"records": r.records[:7], "figures": r.figures},
    "no records": lambda r: {"records": Records([]), "figures": [], "verdicts": {}},
    "no verdicts": lambda r: {"verdicts": {}},
    "no control": _missing_control,
    "no figures": lambda r: {"figures": []},
    "no provenance": lambda r: {"provenance": {}, "settings": {}},
    "all NaN": lambda r: {
        "figures": [_chart([Series("a", "test", X, X * np.nan, X * np.nan, X * np.nan)])]
    },
    "twelve series": lambda r: {
        "figures": [_chart([Series(f"width {k}", "other", X, X * k) for k in range(12)])]
    },
    "long labels": lambda r: {"figures": [_chart([Series("long " * 40, "test", X, X)])]},
    "one point": lambda r: {"figures": [_chart([Series("a", "test", X[:1], X[:1])])]},
    "empty series": lambda r: {"figures": [_chart([Series("a", "test", X[:0], X[:0])])]},
    "table first": lambda r: {"figures": [r.figures[3], r.figures[0]]},
    "empty table": lambda r: {"figures": [Table("t", "t", "c", {"a": [], "b": []})]},
    "images first": lambda r: {"figures": [r.figures[2]]},
    "no seeds": lambda r: {"seeds": [], "records": Records([]), "figures": [], "n_planned": 0},
    "all inconclusive": lambda r: {
        "verdicts": {
            arm: judge([unmeasured("peak", "no cell")], effect=UNKNOWN, unit="", rule="r")
            for arm in ("treatment", "control", "other")
        }
    },
    "no clauses": lambda r: {
        "verdicts": {"treatment": judge([], effect=Interval(1, 0, 2), unit="", rule="r")}
    },
    "beyond all numbers": lambda r: {
        "verdicts": {
            "treatment": decide(Interval(0, -1e308, 1e308), at_least=1e308, unit="u", rule="r")
        },
        "figures": [Table("t", "t", "c", {"a": [10**400, -1e308, float("inf")]})],
    },
    "not finite verdict": lambda r: {
        "verdicts": {
            "treatment": decide(
                Interval(np.nan, np.nan, np.nan, n=1), at_least=1, unit="ratio", rule="r"
            )
        }
    },
}


@pytest.mark.parametrize("case", CASES)
def test_every_state_of_a_study_renders(synthetic, case):
    result = synthetic(2)
    result = dataclasses.replace(result, **CASES[case](result))
    page = Page(rendered(result))
    assert page.count("h1") == 1
    assert page.count("figure") == len(result.figures)
    assert "No cells failed." in page.text
    if not result.figures:
        assert "This study has no figures." in page.text
    assert not re.search(r"\bnan\b|nan%", " ".join([page.text, *map(str, page.tags)]).lower())
