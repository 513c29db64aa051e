"""Texts neither overlap nor leave their range, and move no more than needed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from overparam.lab.figure import Axis
from overparam.report.placement import spread, stack_rows, text_width, wrap
from overparam.report.scales import fit_axis, linear_ticks, log_ticks

PLACES = st.lists(st.floats(-50, 450), min_size=1, max_size=12)


@given(PLACES, st.floats(5, 25))
def test_spread_never_overlaps(wished, height):
    placed = spread(wished, [height] * len(wished), 0, 400)
    assert placed is not None
    assert min(placed) >= height / 2 - 1e-9
    assert max(placed) <= 400 - height / 2 + 1e-9
    gaps = np.diff(sorted(placed))
    assert (gaps >= height - 1e-9).all()
    order = np.argsort(wished, kind="stable")
    assert (np.diff(np.asarray(placed)[order]) > 0).all()


@pytest.mark.parametrize("wished", [[10, 12, 90], [50, 50, 50, 50], [0, 5, 6, 30, 31, 95]])
def test_spread_is_the_least_squares_solution(wished):
    heights = [14.0] * len(wished)
    rules = [
        {"type": "ineq", "fun": lambda v, i=i: v[i + 1] - v[i] - 14} for i in range(len(wished) - 1)
    ]
    start = np.linspace(7, 93, len(wished))
    best = minimize(
        lambda v: np.sum((v - wished) ** 2),
        start,
        bounds=[(7, 93)] * len(wished),
        constraints=rules,
        options={"ftol": 1e-12},
    )
    np.testing.assert_allclose(spread(wished, heights, 0, 100), best.x, atol=1e-3)


def test_spread_says_when_nothing_fits():
    assert spread([1, 2, 3], [40, 40, 40], 0, 100) is None


def test_near_rules_get_rows_of_their_own():
    placed = stack_rows([100, 102, 300], [80, 80, 80], 400)
    assert [row for _, row in placed] == [0, 1, 0]
    for (a, i), (b, j) in itertools.combinations(placed, 2):
        assert i != j or abs(a - b) >= 80


def test_rule_labels_stay_inside():
    assert stack_rows([0, 400], [80, 80], 400) == [(40, 0), (360, 0)]


def test_wrap_keeps_every_word():
    text = "one rather long label with several words"
    lines = wrap(text, 100)
    assert " ".join(lines) == text
    assert all(text_width(line) <= 100 for line in lines)
    assert wrap("", 50) == [""]


@given(st.floats(-1e4, 1e4), st.floats(1e-2, 1e6), st.integers(2, 12))
def test_linear_ticks_are_inside_even_and_few(low, width, n):
    ticks = linear_ticks(low, low + width, n)
    assert len(ticks) <= n
    assert all(low - 1e-6 * width <= t <= low + width * (1 + 1e-6) for t in ticks)
    if len(ticks) > 2:
        steps = np.diff(ticks)
        np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


@given(st.floats(-8, 8), st.floats(0.05, 12), st.floats(0.05, 0.3))
def test_log_ticks_are_inside_and_apart(start, span, gap):
    low, high = 10**start, 10 ** (start + span)
    ticks = log_ticks(low, high, gap)
    assert ticks
    assert all(low * 0.999 <= t <= high * 1.001 for t in ticks)
    if span >= 1:
        places = np.log10(ticks) / span
        assert (np.diff(places) >= gap * 0.999).all()


def test_axis_maps_there_and_back():
    for scale in ("linear", "log"):
        axis = fit_axis(Axis("x", scale=scale), [2.0, 300.0], [], 0.1)
        for value in (2.0, 17.0, 300.0):
            assert 0 < axis.share(value) < 1
            assert axis.value(axis.share(value)) == pytest.approx(value, rel=1e-12)


def test_wild_bands_do_not_flatten_the_curve():
    axis = fit_axis(Axis("y"), [0.4, 0.6], [-500.0, 900.0], 0.1)
    assert axis.high - axis.low < 1.0
    assert axis.share(0.6) - axis.share(0.4) > 0.25


def test_a_place_at_zero_keeps_its_margin():
    for zero in (False, True):
        axis = fit_axis(Axis("x", zero=zero), [0.0, 1.0], [], 0.1, grounded=False)
        assert axis.low < 0 < axis.share(0.0)


def test_zero_is_included_where_asked_or_near():
    assert fit_axis(Axis("y", zero=True), [5.0, 6.0], [], 0.1).low == 0
    assert fit_axis(Axis("y"), [0.1, 0.6], [], 0.1).low == 0
    assert fit_axis(Axis("y"), [5.0, 6.0], [], 0.1).low > 4


def test_tick_labels_differ_on_a_short_axis_far_from_zero():
    labels = fit_axis(Axis("y"), [123456.001, 123456.009], [], 0.1).tick_labels
    assert len(set(labels)) == len(labels) > 2


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [0.0], [-1.0, 0.0]])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_degenerate_values_still_give_an_axis(values, scale):
    axis = fit_axis(Axis("y", scale=scale), values, [], 0.1)
    assert axis.high > axis.low
    assert axis.ticks
