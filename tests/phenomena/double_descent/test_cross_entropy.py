"""Double descent with cross-entropy: the rule against made-up curves, the design, single cells."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from overparam.lab.records import Record, Records
from overparam.measures import interpolation_threshold
from overparam.models import mlp_n_params
from overparam.phenomena.double_descent import cross_entropy as phenomenon
from overparam.phenomena.double_descent._cross_entropy_summary import smoothed, smoothed_step
from overparam.phenomena.double_descent._expected_widths import PARAMS_PER_EXAMPLE, threshold_width
from overparam.phenomena.double_descent.cross_entropy import Condition, Outcome
from overparam.streams import Streams
from overparam.training.request import solve_all
from tests.phenomena.verdicts import kinds_of

WIDTHS = (4, 8, 16, 32, 64, 128, 256)
TRAIN = (0.7, 0.6, 0.5, 0.3, 0.05, 0.0, 0.0)
PEAKED = (0.7, 0.6, 0.5, 0.6, 0.7, 0.6, 0.5)
FALLING = (0.7, 0.6, 0.55, 0.5, 0.48, 0.46, 0.45)


def made_up(last, best, clean, train=TRAIN, n_seeds=4):
    """Records with the given curves, one per cent of noise over seeds."""
    records = []
    for seed in range(n_seeds):
        noise = Streams(seed).numpy("made up")
        for i, width in enumerate(WIDTHS):
            factor = 1 + 0.01 * noise.standard_normal(3)
            of = Condition(width=width)
            noisy = Outcome(last[i] * factor[0], best[i] * factor[1], 1.0, train[i])
            records.append(Record(of, seed, noisy))
            cleaned = Outcome(clean[i] * factor[2], clean[i], 1.0, train[i])
            records.append(Record(replace(of, labels="clean"), seed, cleaned))
    return Records(records)


kinds = functools.partial(kinds_of, phenomenon)


def test_a_peak_at_the_threshold_is_observed_and_falling_curves_are_absent():
    assert kinds(made_up(PEAKED, FALLING, FALLING)) == {
        "treatment": "observed",
        "best epoch": "absent",
        "clean labels": "absent",
    }
    assert set(kinds(made_up(FALLING, PEAKED, PEAKED)).values()) == {"observed", "absent"}


def test_a_rise_without_a_second_descent_is_absent():
    rising = (0.7, 0.6, 0.5, 0.6, 0.7, 0.7, 0.7)
    assert kinds(made_up(rising, FALLING, FALLING))["treatment"] == "absent"


@pytest.mark.parametrize("train", [[0.7] * 7, [0.7] + [0.05] * 6, [0.7] * 6 + [0.05]])
def test_a_sweep_that_misses_the_threshold_concludes_nothing_and_says_why(train):
    summary = phenomenon.summarise(made_up(PEAKED, FALLING, FALLING, train))["treatment"]
    verdict = phenomenon.verdict(summary)
    assert verdict.kind == "inconclusive"
    assert "not bracketed" in verdict.reason


@pytest.mark.parametrize("n_train", [500, 4000])
@pytest.mark.parametrize("n_hidden_layers", [1, 2])
def test_the_axis_brackets_the_expected_threshold(n_train, n_hidden_layers):
    base = Condition(n_train=n_train, n_hidden_layers=n_hidden_layers)
    threshold, axis = threshold_width(base), phenomenon.widths(base)
    at, before = (mlp_n_params(40, [k] * n_hidden_layers, 10) for k in (threshold, threshold - 1))
    assert before < PARAMS_PER_EXAMPLE * n_train <= at
    assert threshold in axis
    assert axis[0] < threshold / 8
    assert axis[-1] > 4 * threshold


def test_smoothing_is_a_geometric_mean_of_neighbours():
    found = smoothed(np.array([[1.0], [4.0], [16.0], [0.0], [1.0]]))[:, 0]
    np.testing.assert_allclose(found, [2, 4, 0, 0, 0], rtol=1e-12)


def test_an_axis_can_be_placed_however_small_the_network():
    base = Condition(n_train=100, dataset="fashion_mnist_small")
    assert phenomenon.widths(base) == [1, 2, 3, 4, 5, 7, 10]


def test_settings_move_the_axis_and_keep_every_arm():
    found = phenomenon.PHENOMENON.conditions("standard", {"n_train": "500"})
    assert {c.n_train for c in found} == {500}
    assert {c.labels for c in found} == {"noisy", "clean"}
    assert sorted({c.train_share for c in found}) == [*phenomenon.EMC_SHARES, 1.0]
    widths = {c.width for c in phenomenon.PHENOMENON.conditions("standard")}
    assert max(c.width for c in found) < max(widths)


def test_the_full_scale_sweeps_the_papers_networks():
    found = phenomenon.PHENOMENON.conditions("full")
    assert {c.width for c in found} >= {1, 10, 64}
    sizes = [sum(p.numel() for p in phenomenon.network(c).parameters()) for c in found]
    assert max(sizes) == 1_558_026  # the 5-layer CNN of width 64
    resnet = replace(found[0], family="preact_resnet18", width=10)
    assert sum(p.numel() for p in phenomenon.network(resnet).parameters()) == 274_540


def test_emc_is_where_training_error_crosses_a_tenth():
    errors = {0.25: 0.0, 0.5: 0.0, 1.0: 0.2}  # crosses 0.1 half way between n/2 and n, in log n
    records = Records(
        [
            Record(Condition(width=9, train_share=share), seed, Outcome(0.5, 0.5, 1.0, error))
            for share, error in errors.items()
            for seed in range(3)
        ]
    )
    estimate = phenomenon.measure_emc(records)[9]
    np.testing.assert_allclose(estimate.value, 4000 / 2**0.5, rtol=1e-12)
    assert estimate.censored == "no"
    assert phenomenon.measure_emc(made_up(PEAKED, FALLING, FALLING)) == {}


def small(**changes):
    base = Condition(width=6, n_train=200, n_test=200, epochs=6, batch_size=50)
    return replace(base, **changes)


def test_noise_of_rate_zero_is_clean_labels():
    cells = [small(label_noise_rate=0.0), small(labels="clean"), small()]
    found = solve_all([phenomenon.run(c, Streams(3)) for c in cells])
    assert found[0] == found[1] != found[2]
    for outcome in found:
        assert outcome.best_test_error <= outcome.test_error
        assert 1 <= outcome.best_epoch <= 6


@pytest.mark.parametrize("family", ["convnet5", "preact_resnet18"])
def test_convolutional_families_run(family):
    cell = small(family=family, dataset="digits", width=1, epochs=2)
    if family == "preact_resnet18":
        cell = replace(cell, optimizer="adam", learning_rate=1e-3)
    (outcome,) = solve_all([phenomenon.run(cell, Streams(0))])
    assert 0 <= outcome.train_error <= 1


def test_figures_show_the_measured_threshold_and_emc():
    records = list(made_up(PEAKED, FALLING, FALLING))
    for share, error in ((0.25, 0.0), (0.5, 0.05)):
        records += [
            Record(Condition(width=32, train_share=share), s, Outcome(0.5, 0.5, 1.0, error))
            for s in range(4)
        ]
    records = Records(records)
    summaries = phenomenon.summarise(records)
    charts = phenomenon.figures(summaries, records)
    names = ["test_error", "train_error", "effective_model_complexity"]
    assert [chart.name for chart in charts] == names
    threshold = interpolation_threshold(WIDTHS, TRAIN)
    assert all(chart.panels[0].rules[0].at == pytest.approx(threshold) for chart in charts)
    assert [len(chart.panels[0].series) for chart in charts] == [3, 2, 1]
    assert 2000 < charts[2].panels[0].series[0].y[0] < 4000


def test_smoothed_errors_are_as_coarse_as_the_widths_they_are_means_of():
    """One width of three with two wrong rows: a row more there moves the mean by a sixth."""
    errors = np.array([0.5, 0.5, 2 / 500, 0.5])[:, None] * np.ones(3)
    steps = smoothed_step(errors, 1 / 500) / smoothed(errors)[:, 0]
    by_hand = [0.004, (0.004 + 0.004 + 0.5) / 3, (0.004 + 0.5 + 0.004) / 3, (0.5 + 0.004) / 2]
    np.testing.assert_allclose(steps, by_hand, rtol=1e-12)
