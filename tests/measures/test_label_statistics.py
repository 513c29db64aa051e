"""Stable logit and hinge margin: through probabilities in high precision, bounds, extremes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overparam.errors import DataError
from overparam.measures import hinge_margin, stable_logit

rows = st.lists(st.floats(-16, -0.01), min_size=2, max_size=6)  # never like probabilities


@given(rows, st.data())
def test_the_logit_of_the_probability(row, data):
    z, y = np.array([row]), data.draw(st.integers(0, len(row) - 1))
    p = np.exp(z[0]) / np.exp(z[0]).sum()
    others = p.sum() - p[y] if p[y] > 0.9 else 1 - p[y]  # 1 - p loses digits
    found = stable_logit(z, np.array([y]))[0]
    assert found == pytest.approx(math.log(p[y] / others), abs=1e-6)
    assert stable_logit(z + 300.0, np.array([y]))[0] == pytest.approx(found, abs=1e-9)
    assert stable_logit(np.log(p)[None], np.array([y]))[0] == pytest.approx(found, abs=1e-9)


@given(rows, st.data())
def test_margin_by_loop_and_near_the_logit(row, data):
    y = data.draw(st.integers(0, len(row) - 1))
    margin = hinge_margin(np.array([row]), np.array([y]))[0]
    assert margin == row[y] - max(row[:y] + row[y + 1 :])
    gap = margin - stable_logit(np.array([row]), np.array([y]))[0]
    assert -1e-9 <= gap <= math.log(len(row) - 1) + 1e-9


def test_models_lead_and_tensors_serve():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(3, 5, 4)), rng.integers(4, size=5)
    for statistic in (stable_logit, hinge_margin):
        each = [statistic(one, y) for one in z]
        np.testing.assert_array_equal(statistic(torch.from_numpy(z), torch.from_numpy(y)), each)


def test_extremes_stay_finite_or_say_so():
    z = np.array([[0.0, 1000.0], [1000.0, 0.0], [np.nan, 0.0], [0.0, -np.inf]])
    assert stable_logit(z, np.zeros(4, int))[[0, 1, 3]].tolist() == [-1000.0, 1000.0, np.inf]
    assert np.isnan(stable_logit(z, np.zeros(4, int))[2])


Z = np.array([[1.0, 2.0], [3.0, -1.0]])


@pytest.mark.parametrize("statistic", [stable_logit, hinge_margin])
@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (Z[:, :1], [0, 0], "do not fit together.*make the logits 0 and z"),
        (Z, [0], "logits and labels do not fit together"),
        (Z[:0], np.zeros(0, int), "logits and labels do not fit together"),
        (Z, [0, 2], r"labels lie outside the logits.*0\.\.1"),
        (Z, [-1, 0], "labels lie outside the logits"),
        (Z, [0.0, 1.0], "labels lie outside the logits; got 'float64"),
    ],
)
def test_hostile_input(statistic, logits, labels, words):
    with pytest.raises(DataError, match=words):
        statistic(logits, np.array(labels))


def test_probabilities_are_not_logits():
    p = np.array([[0.25, 0.75], [0.5, 0.5]])
    with pytest.raises(DataError, match=r"logits look like probabilities.*np\.log"):
        stable_logit(p, np.array([0, 1]))
    np.testing.assert_allclose(stable_logit(np.log(p), np.array([0, 1])), [-math.log(3), 0])


def test_what_a_script_has_set_for_underflow_decides_nothing():
    with np.errstate(all="raise"):
        assert stable_logit(np.array([[2000.0, -2000.0, 0.0]]), np.array([0])) == [2000.0]
