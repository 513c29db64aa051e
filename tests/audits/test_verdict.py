"""The verdict: made of what was measured, and silent of the rest."""

import numpy as np

from overparam.audits.finding import POINTS, Finding, Measured
from overparam.audits.verdict import numbers_of, verdict_of
from tests.audits.checks.test_error import one_with
from tests.audits.worlds import evidence_of, subject_of


def coded(code, *args, **options):
    return Finding(*args, code=code, title=f"Title of {code}", **options)


def a_whole_audit():
    return {
        f.code: f
        for f in (
            coded("OP101", "passed", "past", details={"chances": {"past": 0.9, "at": 0.1}}),
            coded("OP103", "passed", "no harm", measured=Measured(-2.1, -3.0, -1.2, POINTS)),
            coded("OP201", "found", "212", "low", measured=Measured(5.3, 4.6, 6.0, "% of rows"),
                  details={"n_by_heart": 212}),
            coded("OP202", "found", "61", "medium", details={"n_likely": 61},
                  gain=Measured(1.4, 0.6, 2.2, POINTS)),
            coded("OP306", "found", "more", "medium", measured=Measured(1.9, 1.1, 2.6, POINTS),
                  details={"gain_of_twice_the_rows": {}}),
        )
    }  # fmt: skip


def test_the_sentence_of_a_whole_audit():
    evidence = evidence_of(subject_of(), one=one_with(np.zeros(160), np.zeros(200)))
    assert verdict_of(evidence, a_whole_audit()) == (
        "It fits all 160 rows, 212 of them by heart. That costs nothing here: the best recipe that "
        "fits less is 2.1 [1.2, 3.0] points worse. 61 labels are probably wrong; mending them is "
        "worth 1.4 [0.6, 2.2] points. Twice the rows: 1.9 [1.1, 2.6] points."
    )


def test_what_was_not_measured_is_not_said():
    evidence = evidence_of(subject_of())
    assert "by heart" not in verdict_of(evidence, {})
    numbers = numbers_of(evidence, {})
    assert set(numbers.values()) == {"not measured"}


def test_nothing_grave_is_said_only_where_something_was_asked():
    evidence = evidence_of(subject_of(), one=one_with(np.zeros(160), np.zeros(200)))
    quiet = {"OP505": coded("OP505", "passed", "well")}
    assert verdict_of(evidence, quiet).endswith("Nothing of severity medium or more was found.")


def test_the_gravest_finding_is_named():
    evidence = evidence_of(subject_of(), one=one_with(np.zeros(160), np.zeros(200)))
    findings = a_whole_audit() | {"OP501": coded("OP501", "found", "a leak", "critical")}
    assert "Look first at OP501 (title of op501, critical)." in verdict_of(evidence, findings)


def test_harm_is_said_as_harm():
    evidence = evidence_of(subject_of(), one=one_with(np.zeros(160), np.zeros(200)))
    harm = coded("OP103", "found", "harm", "high", measured=Measured(4.0, 3.1, 5.0, POINTS))
    assert "That costs 4.0 [3.1, 5.0] points" in verdict_of(evidence, {"OP103": harm})


def test_regime_and_error_stand_at_the_head():
    evidence = evidence_of(subject_of())
    error = coded(
        "OP301", "passed", "e",
        details={"test_error": {"value": 15.0, "low": 11.0, "high": 20.0},
                 "gap": {"value": 15.0, "low": 11.0, "high": 20.0}},
    )  # fmt: skip
    numbers = numbers_of(evidence, a_whole_audit() | {"OP301": error})
    assert numbers["Regime"] == "past the threshold (90%)"
    assert numbers["Error and gap"] == "15.0 [11.0, 20.0]; gap 15.0 [11.0, 20.0] points"
    assert numbers["Known by heart"] == "5.3 [4.6, 6.0] % of rows"
