"""Verdicts: three states of a clause, and no other way from clauses to a kind."""

import itertools
import math

import pytest

from overparam.errors import UsageError
from overparam.lab.verdict import (
    UNKNOWN,
    Clause,
    Interval,
    Verdict,
    decide,
    exceeds,
    judge,
    lies_within,
    not_in_design,
    premise,
    shown,
    stays_below,
    told,
    unmeasured,
    weaker,
    whole,
)
from overparam.report.arms import describe_arm

NAN, INF = math.nan, math.inf
GOOD = Interval(2.0, 1.5, 2.5, n=8)
NOTHING_KNOWN = [
    UNKNOWN,
    Interval(3.0, NAN, NAN, n=1),  # one seed
    Interval(INF, NAN, NAN, n=8),
    Interval(2.0, 1.5, INF, n=8),
    Interval(2.0, 1.5, 2.5, n=7, n_missing=1),
]


@pytest.mark.parametrize(
    ("clause", "state"),
    [
        (exceeds("x", GOOD, 1), "shown"),
        (exceeds("x", GOOD, 3), "refuted"),
        (exceeds("x", GOOD, 2), "undecided"),
        (exceeds("x", GOOD, 1.5), "undecided"),  # touching is not beyond
        (stays_below("x", GOOD, 3), "shown"),
        (stays_below("x", GOOD, 1), "refuted"),
        (lies_within("x", GOOD, 1, 3), "shown"),
        (lies_within("x", GOOD, 1.6, 2.4), "undecided"),  # its middle is not enough
        (lies_within("x", GOOD, 3, 4), "refuted"),
        (lies_within("x", GOOD, 0, 1), "refuted"),
        (unmeasured("x", "the disk was full"), "undecided"),
    ],
)
def test_a_clause_is_shown_refuted_or_undecided(clause, state):
    assert clause.state == state
    assert state in str(clause)


@pytest.mark.parametrize("value", NOTHING_KNOWN)
def test_of_what_is_not_known_nothing_is_concluded(value):
    for clause in (
        exceeds("x", value, 0),
        stays_below("x", value, 9),
        lies_within("x", value, 0, 9),
    ):
        assert clause.state == "undecided"
        assert "nan" not in str(clause)
        assert "inf" not in str(clause)
    for pair in ((GOOD, value), (value, GOOD)):
        assert decide(weaker(*pair), at_least=0.5, unit="", rule="").kind == "inconclusive"


def test_every_combination_of_three_clauses():
    made = {
        "shown": exceeds("a", GOOD, 1),
        "refuted": exceeds("b", GOOD, 3),
        "undecided": exceeds("c", UNKNOWN, 1),
    }
    for states in itertools.product(made, repeat=3):
        clauses = [made[s] for s in states]
        expected = "inconclusive"
        if "refuted" in states:
            expected = "absent"
        elif set(states) == {"shown"}:
            expected = "observed"
        assert judge(clauses, effect=GOOD, unit="", rule="").kind == expected
        assert shown(*clauses) == (expected == "observed")
    assert judge([], effect=GOOD, unit="", rule="").kind == "inconclusive"


def test_where_a_premise_does_not_hold_the_question_was_not_put():
    fitted, lacking = (premise(stays_below("loss", GOOD, bound)) for bound in (3, 1))
    assert (fitted.state, lacking.state) == ("shown", "undecided")
    rise, none = exceeds("rise", GOOD, 1), exceeds("rise", GOOD, 3)
    kinds = [
        judge(clauses, effect=GOOD, unit="", rule="").kind
        for clauses in ([rise, fitted], [none, fitted], [rise, lacking], [none, lacking])
    ]
    assert kinds == ["observed", "absent", "inconclusive", "inconclusive"]


def test_premises_alone_answer_no_question():
    fitted = premise(stays_below("loss", GOOD, 3))
    assert judge([fitted], effect=GOOD, unit="", rule="").kind == "inconclusive"


def test_a_clause_demands_something_that_can_be():
    with pytest.raises(UsageError, match=r"nothing is demanded of 'ratio'.*use exceeds"):
        Clause("ratio", GOOD)
    for low, high in ((3, 1), (NAN, 1), (0, NAN)):
        with pytest.raises(UsageError, match="nothing can be 'ratio' between these bounds"):
            lies_within("ratio", GOOD, low, high)
    with pytest.raises(UsageError, match="between these bounds"):
        exceeds("ratio", GOOD, NAN)


def test_clauses_say_what_is_demanded_and_what_was_found():
    assert str(exceeds("rise", GOOD, 1)) == "rise above 1: shown (2.0 [1.5, 2.5])"
    assert str(lies_within("error", GOOD, 1, 3)) == "error between 1 and 3: shown (2.0 [1.5, 2.5])"
    missing = Clause("rise", Interval(2.0, 1.5, 2.5, n=6, n_missing=2), low=1)
    assert str(missing) == "rise above 1: undecided (2 of 8 seeds lack a cell it needs)"
    one = exceeds("rise", Interval(3.0, NAN, NAN, n=1), 1)
    assert str(one) == "rise above 1: undecided (3, no interval from n = 1)"
    never = exceeds("time", Interval(INF, NAN, NAN, n=4), 1, "not every seed gets there")
    assert str(never) == "time above 1: undecided (not every seed gets there)"
    assert str(unmeasured("peak", "no threshold")) == "peak: undecided (no threshold)"


def test_numbers_that_are_not_there_are_words():
    assert str(UNKNOWN) == "not measured"
    assert str(Interval(3.0, NAN, NAN)) == "3 (no interval)"
    assert str(Interval(INF, NAN, NAN)) == "beyond all numbers"
    assert told(NAN, ",.0f", "no width") == "no width"
    assert told(-INF) == "beyond all numbers"


def test_one_seed_decides_nothing():
    """Whatever its ends are: the largest of one seed is no interval."""
    for value in (Interval(5.0, 5.0, 5.0, n=1), Interval(5.0, 4.0, 6.0, n=1)):
        assert exceeds("deviation", value, 1).state == "undecided"
        assert exceeds("deviation", value, 10).state == "undecided"


def test_what_a_claim_names_and_no_cell_shows_is_told_without_a_bound():
    clause = not_in_design("shortfall of ReLU networks")
    assert str(clause) == "shortfall of ReLU networks: undecided (not in the design)"
    verdict = judge([clause], effect=UNKNOWN, unit="", rule="")
    assert verdict.kind == "inconclusive"
    content = describe_arm("treatment", verdict).clauses[0]
    assert content.bound == ""
    assert content.sentence == str(clause)


def test_a_title_tells_only_what_is_there_whole():
    assert whole(Interval(1.0, NAN, NAN, n=1), Interval(2.0, 1.0, 3.0, n=5))
    assert not whole(Interval(2.0, 1.0, 3.0, n=4, n_missing=1))
    assert not whole(Interval(2.0, 1.0, 3.0), UNKNOWN)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Verdict("observed", GOOD, "ratio", "rule"), "tuple of clauses"),
        (lambda: Verdict(["a peak"], GOOD, "ratio", "rule"), "tuple of clauses"),
        (lambda: judge(["a peak"], effect=GOOD, unit="ratio", rule=""), "tuple of clauses"),
        (lambda: judge([exceeds("peak", GOOD, 1)], effect=2.0, unit="", rule=""), "effect"),
        (lambda: judge([exceeds("peak", GOOD, 1)], effect=GOOD, unit=None, rule=""), "unit"),
        (lambda: exceeds("peak", 2.0, 1), "Interval"),
        (lambda: exceeds("peak", GOOD, "1"), "bounds are numbers"),
        (lambda: Interval("2", 1.0, 3.0), "three numbers"),
    ],
)
def test_a_verdict_made_of_other_things_is_refused_where_it_is_made(make, told):
    """Not where it is read: that is no longer the user's own line."""
    with pytest.raises(TypeError, match=told):
        make()


def test_an_interval_with_crossed_ends_is_refused():
    """It would lie above every bound by its one end, and below every bound by the other."""
    with pytest.raises(ValueError, match="above its high end"):
        Interval(2.0, 3.0, 1.0)
