"""Proxies of one run's trace: exact small cases, plain loops, invariances, hostile traces."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overparam.errors import DataError
from overparam.measures import (
    area_under_margin,
    cumulative_loss,
    final_loss,
    forgetting_events,
    iteration_learned,
    loss_interquartile_range,
)
from overparam.measures import proxies as module

NAN = np.nan
OF_NUMBERS = [final_loss, cumulative_loss, loss_interquartile_range, area_under_margin]
TRACES = arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.floats(-9, 9))
VERDICTS = arrays(
    float,
    st.tuples(st.integers(1, 8), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 1.0, NAN]),
)


@settings(max_examples=50, deadline=None)
@given(trace=TRACES)
def test_by_loop(trace):
    rows = trace.T
    np.testing.assert_array_equal(final_loss(trace), [row[-1] for row in rows])
    np.testing.assert_allclose(cumulative_loss(trace), [math.fsum(r) for r in rows], atol=1e-12)
    np.testing.assert_allclose(
        area_under_margin(trace), [-math.fsum(r) / len(r) for r in rows], atol=1e-12
    )
    quartiles = [np.percentile(row, 75) - np.percentile(row, 25) for row in rows]
    np.testing.assert_allclose(loss_interquartile_range(trace), quartiles, atol=1e-12)


def forgotten_by_loop(row):
    seen = [v for v in row if not math.isnan(v)]
    events = sum(a == 1 and b == 0 for a, b in pairwise(seen))
    return events, sum(a == 1 for a in seen[:-1]), 1 in seen, len(seen)


@settings(max_examples=100, deadline=None)
@given(trace=VERDICTS)
def test_forgetting_by_loop(trace):
    found = forgetting_events(trace)
    for i, row in enumerate(trace.T):
        events, chances, learned, shown = forgotten_by_loop(row)
        assert (found.events[i], found.presentations[i]) == (events, shown)
        assert found.never_learned[i] == (shown > 0 and not learned)
        expected = NAN if shown == 0 else events if learned else shown
        np.testing.assert_equal(found.score[i], expected)
        np.testing.assert_equal(found.rate[i], events / chances if chances else NAN)


@settings(max_examples=50, deadline=None)
@given(trace=VERDICTS)
def test_never_learned_rows_lie_above_all_others_that_were_shown_as_often(trace):
    found = forgetting_events(np.nan_to_num(trace))
    learned = found.score[~found.never_learned]
    assert (learned <= len(trace) / 2).all()
    assert (found.score[found.never_learned] == len(trace)).all()


@settings(max_examples=50, deadline=None)
@given(trace=arrays(int, (6, 4), elements=st.integers(0, 2)))
def test_iteration_learned_by_loop(trace):
    found = iteration_learned(trace)
    for i, row in enumerate(trace.T.tolist()):
        settled = [t for t in range(6) if all(v == row[-1] for v in row[t:])]
        assert found[i] == settled[0] + 1
    wrong = iteration_learned(trace, labels=(trace[-1] + 1))
    assert (wrong == 7).all()
    np.testing.assert_array_equal(iteration_learned(trace, labels=trace[-1]), found)


@pytest.mark.parametrize("score", [*OF_NUMBERS, lambda t: forgetting_events(t > 0).score])
def test_rows_are_by_themselves_and_kinds_do_not_matter(score, monkeypatch, tmp_path):
    trace = np.random.default_rng(0).standard_normal((5, 30)).astype(np.float32)
    expected = score(trace)
    order = np.random.default_rng(1).permutation(30)
    np.testing.assert_array_equal(score(trace[:, order]), expected[order])
    np.testing.assert_array_equal(score(torch.from_numpy(trace).requires_grad_()), expected)
    stored = np.memmap(tmp_path / "trace", trace.dtype, "w+", shape=trace.shape)
    stored[:] = trace
    monkeypatch.setattr(module, "_BLOCK", 7)
    np.testing.assert_allclose(score(stored), expected, rtol=1e-12)
    assert expected.dtype == np.float64


def test_what_is_unknown_is_nan_and_not_zero():
    trace = np.array([[1.0, NAN, 2.0], [1.0, 0.0, np.inf]])
    np.testing.assert_array_equal(final_loss(trace), [1, 0, np.inf])
    np.testing.assert_array_equal(cumulative_loss(trace), [2, NAN, np.inf])
    np.testing.assert_array_equal(loss_interquartile_range(trace), [0, NAN, NAN])
    np.testing.assert_array_equal(area_under_margin(trace), [-1, NAN, -np.inf])
    np.testing.assert_array_equal(cumulative_loss([[np.inf], [-np.inf]]), [NAN])
    np.testing.assert_array_equal(iteration_learned(trace), [1, NAN, 2])
    np.testing.assert_array_equal(iteration_learned(trace, [0, 0, 0]), [3, NAN, 3])
    never_shown = forgetting_events([[NAN, 1.0]])
    np.testing.assert_array_equal(never_shown.score, [NAN, 0])
    assert never_shown.never_learned.tolist() == [False, False]


def test_masked_entries_are_unknown():
    masked = np.ma.masked_array([[1, 0], [0, 1]], mask=[[False, True], [False, False]])
    assert forgetting_events(masked).presentations.tolist() == [2, 1]


def test_planted_errors_score_higher():
    # Wrong labels: fitted late, lost again now and then.
    rng = np.random.default_rng(0)
    epochs, n = 30, 200
    late = np.arange(n) < 20
    start = np.where(late, 20, 3) + rng.integers(0, 4, n)
    right = (np.arange(epochs)[:, None] >= start) & (rng.random((epochs, n)) < 0.97)
    losses = np.where(right, 0.1, 2.0) * rng.uniform(0.5, 1.5, (epochs, n))
    scores = [
        cumulative_loss(losses),
        area_under_margin(-losses),
        loss_interquartile_range(losses),
        iteration_learned(right),
    ]
    for score in scores:
        assert score[late].mean() > score[~late].mean()


@pytest.mark.parametrize("score", [*OF_NUMBERS, forgetting_events, iteration_learned])
@pytest.mark.parametrize(
    ("trace", "words"),
    [
        (np.zeros(3), r"wrong shape.*\[3\].*\[epochs, n\]"),
        (np.zeros((0, 3)), "wrong shape"),
        (np.zeros((3, 2, 1)), "wrong shape"),
        ([["a"]], "must be real numbers"),
        (np.zeros((2, 2), complex), "must be real numbers"),
    ],
)
def test_hostile_traces(score, trace, words):
    with pytest.raises(DataError, match=words):
        score(trace)


def test_losses_are_no_verdicts():
    with pytest.raises(DataError, match=r"something else than 0, 1 and NaN; got .0\.5.; .*labels"):
        forgetting_events([[0.5]])
    with pytest.raises(DataError, match="labels are of another number of rows"):
        iteration_learned([[0, 1]], [0])
    with pytest.raises(DataError, match="labels must be whole numbers"):
        iteration_learned([[0, 1]], [0, -1])
