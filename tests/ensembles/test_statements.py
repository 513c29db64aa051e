"""What outputs of every form say of rows."""

import numpy as np
import pytest

from overparam.ensembles.statements import LEAST_PROBABILITY, silence, statements

LABELS = np.array([0, 1, 2])


def test_logits():
    logits = np.array([[2.0, 0.5, -1.0], [3.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    said = statements(logits, "logits", LABELS)
    np.testing.assert_allclose(said.margin, [1.5, -2.0, 1.0])
    assert said.correct.tolist() == [True, False, True]
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(said.probabilities, softmax)
    np.testing.assert_allclose(said.probability, softmax[np.arange(3), LABELS])


def test_logits_that_are_large_make_no_infinite_probability():
    said = statements(np.array([[1e4, 0.0]]), "logits", np.array([1]))
    assert said.probabilities.tolist() == [[1.0, 0.0]]
    assert said.margin.tolist() == [-1e4]


def test_margins_of_probabilities_are_of_logarithms_and_bounded():
    certain = np.array([[1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [0.9, 0.1, 0.0]])
    said = statements(certain, "probabilities", LABELS)
    bound = -np.log(LEAST_PROBABILITY)
    np.testing.assert_allclose(said.margin, [bound, np.log(2), -bound - np.log(0.9)])
    assert said.probability.tolist() == [1.0, 0.5, 0.0]


def test_a_tie_goes_to_the_first_class_as_in_every_argmax():
    said = statements(np.full((3, 3), 1 / 3), "probabilities", LABELS)
    assert said.correct.tolist() == [True, False, False]
    assert said.margin.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("form", ["decision values", "targets"])
def test_what_is_no_probability_votes_and_keeps_its_margin(form):
    said = statements(np.array([[0.3, 2.0], [1.0, -5.0]]), form, np.array([0, 0]))
    np.testing.assert_allclose(said.margin, [-1.7, 6.0])
    assert said.probabilities.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_who_only_names_a_class_has_no_margin():
    said = statements(np.array([[0.0, 1.0], [1.0, 0.0]]), "labels", np.array([1, 1]))
    assert np.isnan(said.margin).all()
    assert said.correct.tolist() == [True, False]
    assert said.probability.tolist() == [1.0, 0.0]


def test_a_class_that_a_subset_lacks_is_as_low_as_any():
    values = np.array([[1.0, -np.inf, 0.0], [2.0, -np.inf, -3.0], [0.0, -np.inf, 1.0]])
    said = statements(values, "decision values", LABELS)
    assert np.isfinite(said.margin).all()
    assert said.margin[1] == -5.0
    assert said.correct.tolist() == [True, False, True]


def test_a_row_of_nan_says_nothing_and_the_others_do():
    outputs = np.array([[np.nan, 1.0], [1.0, 0.0]])
    said = statements(outputs, "decision values", np.array([1, 0]))
    assert np.isnan(said.margin[0])
    assert np.isnan(said.probability[0])
    assert said.correct.tolist() == [False, True]


def test_silence():
    said = silence(4, 3)
    assert np.isnan(said.margin).all()
    assert said.probabilities.shape == (4, 3)
    assert not said.correct.any()
