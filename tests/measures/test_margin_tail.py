"""The margin tail: each step by itself, against what it must give where everything is known."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import t as student

from overparam.measures import memorization_scores
from overparam.measures.margin_tail import Tally, _calibrate, _fit_probit, tail_accuracies
from tests.measures.ensembles import draw_masks


def one_side(margins):
    """Return tally and blocks of models that all stand on one side."""
    mean = margins.mean(0)
    squares = ((margins - mean) ** 2).sum(0)
    n = np.full(margins.shape[1], len(margins))
    tally = Tally(n, (margins > 0).sum(0), mean, squares)

    def blocks():
        yield slice(0, margins.shape[1]), margins, np.ones(margins.shape, bool)

    return tally, blocks


def test_normal_margins_need_no_calibration():
    rng = np.random.default_rng(0)
    margins = 1.5 * rng.standard_normal(3000) + rng.standard_normal((12, 3000))
    intercept, slope = _calibrate(*one_side(margins), None)
    assert (intercept, slope) == (pytest.approx(0, abs=0.03), pytest.approx(1, abs=0.05))


def test_the_calibration_leaves_out_the_model_that_it_judges():
    # By loop: z of the others, then right or not; on margins of another shape.
    rng = np.random.default_rng(1)
    margins = rng.standard_normal(40) + rng.exponential(size=(6, 40))
    tally, blocks = one_side(margins)
    pooled = tally.squares.sum() / (5 * 40)
    total, right = np.zeros(321), np.zeros(321)
    for k in range(6):
        others = np.delete(margins, k, 0)
        squares = ((others - others.mean(0)) ** 2).sum(0)
        scale = np.sqrt((8 * pooled + squares) / (8 + 4))
        z = others.mean(0) / scale
        v = 1 / 5 + z**2 / (2 * (8 + 4))
        place = np.rint((z / np.sqrt(1 + v) + 8) * 20).astype(int)
        np.add.at(total, place, 1)
        np.add.at(right, place, margins[k] > 0)
    wanted = _fit_probit(np.linspace(-8, 8, 321), total, right)
    np.testing.assert_allclose(_calibrate(tally, blocks, None), wanted, rtol=1e-6)


def test_probit_finds_its_own_coefficients():
    z = np.linspace(-3, 3, 61)
    total = np.full(61, 1e5)
    found = _fit_probit(z, total, total * ndtr(0.3 + 1.7 * z))
    np.testing.assert_allclose(found, (0.3, 1.7), rtol=1e-3)


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_probit_stays_finite_where_all_are_right_or_wrong(right):
    z = np.linspace(-3, 3, 61)
    intercept, slope = _fit_probit(z, np.full(61, 50.0), np.full(61, 50.0 * right))
    assert np.isfinite([intercept, slope]).all()
    assert (intercept > 1) == (right == 1)


def test_one_row_of_many_models_is_the_normal_tail():
    # 400 models: what is shrunk to other rows, and what is not known of the scale, is nothing.
    rng = np.random.default_rng(2)
    margins = 0.7 + rng.standard_normal((400, 50))
    found = tail_accuracies(*one_side(margins), None, 0.95)
    np.testing.assert_allclose(found.estimate, ndtr(0.7), atol=0.06)
    # Var(p) is near phi(z)^2 (1 + z^2 / 2) / N.
    density = np.exp(-(0.7**2) / 2) / np.sqrt(2 * np.pi)
    wanted = density * np.sqrt((1 + 0.7**2 / 2) / 400)
    np.testing.assert_allclose(np.sqrt(found.variance), wanted, rtol=0.25)
    assert np.mean((found.low <= ndtr(0.7)) & (ndtr(0.7) <= found.high)) >= 0.88


@pytest.mark.parametrize("shape", ["skewed", "heavy"])
def test_margins_of_another_shape_are_covered(shape):
    rng = np.random.default_rng(3)
    n = 2000
    out = 1.5 * rng.standard_normal(n) + 1
    masks = draw_masks(rng, 20, n)
    if shape == "skewed":  # as those of rows in training, which loss pushes over 0
        noise = rng.exponential(size=masks.shape) - 1
        below = np.where(-out > -1, 1 - np.exp(-np.maximum(1 - out, 0)), 0)
    else:
        noise = rng.standard_t(4, masks.shape) / np.sqrt(2)
        below = student.cdf(-out * np.sqrt(2), 4)
    margins = np.where(masks, 8.0, out) + noise
    scores = memorization_scores(masks, margins=margins)
    truth = below  # models that saw the row are always right
    assert np.mean((scores.low <= truth) & (truth <= scores.high)) > 0.9
    assert abs(np.mean(scores.estimate - truth)) < 0.02


def test_all_right_leaves_1_possible_and_none_right_leaves_0():
    margins = np.array([[0.1, -0.1, 2.0], [0.2, -0.2, -1.0], [0.3, -0.1, 1.0]])
    found = tail_accuracies(*one_side(margins), None, 0.95)
    assert found.high[0] == 1
    assert found.low[1] == 0
    assert 0 < found.low[2] < found.estimate[2] < found.high[2] < 1


def test_margins_far_from_0_leave_some_doubt():
    margins = 50 + np.random.default_rng(0).standard_normal((4, 30))
    found = tail_accuracies(*one_side(margins), None, 0.95)
    assert np.all(found.low <= 1 - 1 / 120)
    assert np.all((found.high == 1) & (found.variance > 0))
    wrong = tail_accuracies(*one_side(-margins), None, 0.95)
    assert np.all((wrong.low == 0) & (wrong.high >= 1 / 120) & (wrong.variance > 0))
