"""Error measures: by hand, against loops, scikit-learn and statsmodels' formula; coverage."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.stats import binomtest

from overparam.errors import DataError, UsageError
from overparam.measures import (
    error_rate,
    estimate_error_rate,
    generalization_gap,
    squared_error,
    wilson_interval,
)


def draw(n=30, k=4, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((n, k))), torch.from_numpy(rng.integers(k, size=n))


def test_error_rate_by_loop():
    logits, labels = draw()
    wrong = [
        max(range(4), key=row.__getitem__) != int(c) for row, c in zip(logits, labels, strict=True)
    ]
    assert error_rate(logits, labels) == sum(wrong) / 30


def test_one_output_decides_at_zero():
    logits, labels = torch.tensor([-1.0, 0.0, 2.0, 3.0]), torch.tensor([0, 1, 1, 0])
    assert error_rate(logits, labels) == error_rate(logits[:, None], labels) == 0.5


def test_nan_rows_are_wrong_and_ties_go_to_the_lowest_class():
    logits = torch.tensor([[torch.nan, 0.0], [0.0, torch.nan], [1.0, 1.0]])
    assert error_rate(logits, torch.tensor([0, 1, 0])) == 2 / 3
    assert error_rate(torch.tensor([torch.nan, torch.nan]), torch.tensor([0, 1])) == 1.0


@pytest.mark.parametrize("measure", [error_rate, estimate_error_rate])
@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (torch.zeros(2, 3), torch.zeros(3).long()),
        (torch.zeros(0, 3), torch.zeros(0).long()),
        (torch.zeros(2, 2, 2), torch.zeros(2).long()),
        (torch.zeros(2, 3), torch.zeros(2, 3).long()),
    ],
)
def test_shapes_that_do_not_fit(measure, logits, labels):
    with pytest.raises(DataError, match="logits and labels do not fit together"):
        measure(logits, labels)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (999, 1000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_is_scipys(hits, n, confidence):
    peer = binomtest(hits, n).proportion_ci(confidence, "wilson")
    np.testing.assert_allclose(
        wilson_interval(hits, n, confidence), (peer.low, peer.high), rtol=1e-12, atol=1e-15
    )


def test_wilson_solves_its_equation():
    z = stats.norm.ppf(0.975)
    for bound in wilson_interval(7, 20):
        assert abs(bound - 0.35) == pytest.approx(z * math.sqrt(bound * (1 - bound) / 20))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_wilson_covers(rate):
    # Exact coverage, summed over all outcomes: it oscillates around the nominal 95 %.
    n = 100
    intervals = [wilson_interval(hits, n) for hits in range(n + 1)]
    coverage = sum(
        stats.binom.pmf(hits, n, rate) for hits, (a, b) in enumerate(intervals) if a <= rate <= b
    )
    assert 0.93 < coverage < 0.97


def test_estimate_is_rate_and_interval():
    logits, labels = draw()
    estimate = estimate_error_rate(logits, labels, 0.9)
    assert estimate.rate == error_rate(logits, labels)
    n_wrong = round(estimate.rate * 30)
    assert (estimate.low, estimate.high) == wilson_interval(n_wrong, 30, 0.9)
    assert (estimate.n, estimate.confidence) == (30, 0.9)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((0, 0), "n is out of range"),
        ((3, 2), "n_hits is out of range"),
        ((-1, 2), "n_hits is out of range"),
        ((1, 2, 1.0), "confidence is out of range"),
        ((1, 2, math.nan), "confidence is out of range"),
    ],
)
def test_wilson_out_of_range(args, words):
    with pytest.raises(UsageError, match=words):
        wilson_interval(*args)


def test_squared_error_by_loop_and_against_mse_loss():
    outputs, labels = draw()
    onehot = torch.nn.functional.one_hot(labels, 4).double()
    loop = sum((outputs[i, k] - onehot[i, k]) ** 2 for i in range(30) for k in range(4)) / 30
    assert squared_error(outputs, labels) == pytest.approx(float(loop), rel=1e-12)
    assert squared_error(outputs, onehot) == squared_error(outputs, labels)
    mse = torch.nn.functional.mse_loss(outputs, onehot)
    assert squared_error(outputs, labels) == pytest.approx(4 * float(mse), rel=1e-12)


def test_squared_error_of_vectors_float32_and_nan():
    a, b = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])
    assert squared_error(a, b) == squared_error(a[:, None], b[:, None]) == 2.0
    outputs, labels = draw()
    assert squared_error(outputs.float(), labels) == pytest.approx(
        squared_error(outputs, labels), rel=1e-6
    )
    assert math.isnan(squared_error(torch.tensor([torch.nan]), torch.tensor([1.0])))


def test_squared_error_errors():
    with pytest.raises(DataError, match=r"labels lie outside the outputs.*0\.\.4.*0\.\.3"):
        squared_error(torch.zeros(2, 4), torch.tensor([0, 4]))
    with pytest.raises(DataError, match="outputs and targets do not fit together"):
        squared_error(torch.zeros(2, 4), torch.zeros(2, 3))
    with pytest.raises(DataError, match="outputs and targets do not fit together"):
        squared_error(torch.zeros(2, 4), torch.tensor([0, 1]), n_classes=5)


def test_generalization_gap():
    assert generalization_gap(0.0, 0.25) == 0.25
    assert math.isnan(generalization_gap(math.nan, 0.25))
