"""A number is written with the digits that its interval carries, and never as a false zero."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overparam.lab.digits import significant_digits, write_measured
from overparam.lab.verdict import UNKNOWN, Clause, Interval
from overparam.report.formatting import format_interval, format_measured

FINITE = st.floats(-1e6, 1e6)


@given(FINITE, st.floats(1e-6, 1e6), st.floats(0, 1))
@example(-0.125, 1.0, 0.0625)
def test_written_numbers_differ_from_the_measured_by_less_than_a_tenth_of_the_width(a, width, at):
    low, high = a, a + width
    value = low + at * width
    for number in (value, low, high):
        written = write_measured(number, low, high)
        assert abs(float(written) - number) <= 0.0501 * (high - low) + 1e-9 * abs(number)
        assert not re.fullmatch(r"-0(\.0*)?", written)
        assert "nan" not in format_measured(number, low, high)


@pytest.mark.parametrize(
    ("ends", "texts"),
    [
        ((2.6342, 2.31, 2.97), ("2.63", "[2.31, 2.97]")),
        ((0.975, 0.944, 1.007), ("0.975", "[0.944, 1.007]")),
        ((-0.0004, -0.2, 0.2), ("0", "[−0.20, 0.20]")),
        ((12345.6, 11000, 13999), ("12,346", "[11,000, 13,999]")),
        ((0.5, 0.5, 0.5), ("0.5", "[0.5, 0.5]")),
        ((3e-8, 2e-8, 4e-8), ("3 × 10⁻⁸", "[2 × 10⁻⁸, 4 × 10⁻⁸]")),
        ((1.0, float("nan"), float("nan")), ("1", "–")),
        ((float("nan"), 0.1, 0.2), ("–", "[0.10, 0.20]")),
    ],
)
def test_what_a_reader_sees(ends, texts):
    assert (format_measured(*ends), format_interval(*ends[1:])) == texts


def test_no_digits_of_nothing():
    assert significant_digits(0.0, -1, 1) == significant_digits(float("nan"), 0, 1) == 0
    assert write_measured(1e-20, -0.5, 0.5) == "0"


def test_intervals_and_clauses_never_say_nan():
    assert str(UNKNOWN) == "not measured"
    assert str(Interval(1.5, float("nan"), float("nan"))) == "1.5 (no interval)"
    assert str(Clause("ratio", UNKNOWN, low=1)) == "ratio above 1: undecided (not measured)"
