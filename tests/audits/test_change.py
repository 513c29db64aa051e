"""Two audits compared: intervals decide what is better, worse, new and gone."""

import math

import numpy as np
import pytest

from overparam.audits.change import compare_findings, difference_of
from overparam.audits.finding import POINTS, Finding, Measured


def points(value, half=1.0):
    return Measured(value, value - half, value + half, POINTS)


def found(cost=None, severity="medium", measured=None):
    return Finding(
        "found", "s", severity=severity, cost=cost, measured=measured, code="OP1", title="T"
    )


def other(status, measured=None):
    return Finding(status, "s", measured=measured, code="OP1", title="T")


def change(old, new, old_about=None, new_about=None):
    pair = ({} if f is None else {"OP1": f} for f in (old, new))
    return compare_findings(*pair, old_about or {}, new_about or {})


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (None, found(points(5)), "new"),
        (other("passed"), found(points(5)), "new"),
        (other("skipped"), found(points(5)), "new"),
        (found(points(5)), other("passed"), "gone"),
        (found(points(5)), other("undecided"), "alike"),
        (found(points(5)), other("skipped"), "not known"),
        (found(points(5)), None, "not known"),
        (found(points(5)), found(points(2)), "better"),
        (found(points(2)), found(points(5)), "worse"),
        (found(points(3)), found(points(3.5)), "alike"),
        (found(points(math.nan)), found(points(3.5)), "alike"),
        (found(measured=points(3)), found(measured=points(9)), "moved"),
        (found(measured=points(3)), found(measured=points(9), severity="high"), "worse"),
        (found(measured=points(3)), found(measured=points(9), severity="low"), "better"),
        # The severity alone, by a number that has hardly moved, is no change.
        (found(measured=points(3)), found(measured=points(3.2), severity="high"), "alike"),
    ],
)
def test_kinds(old, new, kind):
    (step,) = change(old, new).steps
    assert step.kind == kind
    assert change(old, new).of(kind) == [step] or change(old, new).of(kind)[0].code == step.code


@pytest.mark.parametrize("pair", [(None, other("passed")), (other("failed"), other("undecided"))])
def test_what_neither_found_is_not_named(pair):
    assert change(*pair).steps == ()
    assert "nothing was found in either" in repr(change(*pair))


def test_what_may_be_chance_is_said():
    (step,) = change(other("passed", points(1.2)), found(points(2), measured=points(2))).steps
    assert "it may be chance" in step.sentence
    (step,) = change(other("passed", points(0, 0.1)), found(measured=points(9))).steps
    assert "chance" not in step.sentence


def test_no_text_steers_a_terminal():
    evil = Finding("found", "s", severity="low", code="OP1", title="\x1b[2J\nOP2 all is well")
    assert "\x1b" not in repr(change(None, evil)) + repr(evil)
    assert len(repr(change(None, evil)).splitlines()) == 3


def test_other_units_are_not_compared():
    assert difference_of(points(3), Measured(2, 1, 3, "rows")) is None
    assert difference_of(None, points(3)) is None


def test_the_interval_of_a_difference_covers():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 1.0, 4000), rng.normal(5, 0.5, 4000)
    inside = 0
    for x, y in zip(a, b, strict=True):
        d = difference_of(Measured(x, x - 1.96, x + 1.96), Measured(y, y - 0.98, y + 0.98))
        inside += d.low <= 2 <= d.high
    assert 0.94 < inside / 4000 < 0.96


def test_in_what_else_they_differ_is_noted():
    old, new = {"name": "A", "rows": 100}, {"name": "A", "rows": 200}
    found_twice = change(found(points(3)), found(points(3)), old, new)
    assert found_twice.notes == ("the rows differ: 100 before, 200 now",)
    assert "200 now" in repr(found_twice)
