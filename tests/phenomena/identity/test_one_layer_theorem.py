"""The one-layer theorem: trained layers against the formula, and the rule on made-up records."""

import dataclasses
import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from overparam.errors import UsageError
from overparam.lab.figure import Chart, ImageGrid, Table
from overparam.lab.records import Record, Records
from overparam.phenomena.identity import one_layer_theorem as phenomenon
from overparam.phenomena.identity._one_layer import BIN_EDGES, cosines, layer_problem
from overparam.phenomena.identity._task import make_identity_task
from overparam.phenomena.identity.one_layer_theorem import ADAM, FROM_ZERO, PHENOMENON, Condition
from overparam.streams import Streams
from overparam.training.request import solve_all
from tests.phenomena.verdicts import kinds_of
from tests.phenomena.worlds.identity import EFFECTS
from tests.phenomena.worlds.preferences import N_INPUTS
from tests.phenomena.worlds.studies import study

SEEDS = range(500, 512)
SMOKE = PHENOMENON.conditions("smoke")


@pytest.fixture(scope="module")
def smoke():
    records = []
    for c in SMOKE:
        outcomes = solve_all([phenomenon.run(c, Streams(s)) for s in SEEDS])
        records += [Record(c, s, o) for s, o in zip(SEEDS, outcomes, strict=True)]
    return Records(records)


kinds = functools.partial(kinds_of, phenomenon)


def changed(records, keep=lambda r: True, **fields):
    """The records with some of the treatment's outcomes changed."""
    return Records(
        [
            dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, **fields))
            if r.condition.start == "default" and r.condition.optimizer == "sgd" and keep(r)
            else r
            for r in records
        ]
    )


def test_descent_obeys_the_theorem_and_the_controls_have_no_such_noise(smoke):
    assert kinds(smoke) == {"treatment": "observed", FROM_ZERO: "absent", ADAM: "absent"}


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_descent_equals_the_formula_at_its_step_and_in_the_limit(smoke, optimizer):
    some = smoke.where(optimizer=optimizer)
    assert len(some) >= len(SEEDS)
    for r in some:
        assert r.outcome.learned
        # Rounding of some hundred updates; a wrong rate or momentum would give 1e-2.
        assert r.outcome.deviation_now < 1e-12
        assert r.outcome.deviation < 1e-9


def test_adam_fits_as_well_and_leaves_the_formula(smoke):
    for r in smoke.where(optimizer="adam"):
        assert r.outcome.learned
        assert r.outcome.deviation > 0.1
        assert np.isnan(r.outcome.deviation_now)


def test_from_zero_the_output_is_the_projection(smoke):
    for r in smoke.where(start="zero"):
        assert r.outcome.noise < 1e-18
        np.testing.assert_allclose(r.outcome.errors, 1 - r.outcome.cosines**2, atol=1e-9)


def test_a_convolution_that_has_seen_all_patches_is_the_identity(smoke):
    for r in smoke.where(layer="convolution"):
        assert r.outcome.rank == 9
        assert r.outcome.errors.max() < 1e-18
        assert np.isnan(r.outcome.noise)


def test_inputs_are_of_every_similarity():
    task = make_identity_task(Streams(3), 10)
    found = cosines(phenomenon.unseen_inputs(task), task.training)
    counts, _ = np.histogram(found, BIN_EDGES)
    assert (counts[1:] > 0).all()
    assert counts.sum() == len(found)


def test_the_start_is_that_of_a_fresh_layer_or_zero():
    c = Condition(side=8)
    (default,) = phenomenon.start_of(c, Streams(0)).parameters()
    assert default.dtype == torch.float64
    assert default.abs().max() <= 8**-1
    assert default.square().mean().item() == pytest.approx(1 / (3 * 64), rel=0.05)
    (zero,) = phenomenon.start_of(dataclasses.replace(c, start="zero"), Streams(0)).parameters()
    assert not zero.any()


def test_one_output_off_the_formula_refutes_the_claim(smoke):
    broken = changed(smoke, lambda r: r.seed == SEEDS[3], deviation=2e-6)
    assert kinds(broken)["treatment"] == "absent"


def test_errors_off_the_prediction_refute_the_claim(smoke):
    def flat(r):
        return np.full_like(r.outcome.errors, 0.5)

    broken = Records(
        [
            dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, errors=flat(r)))
            for r in smoke
        ]
    )
    assert kinds(broken)["treatment"] == "absent"


def test_without_noise_it_is_absent_and_with_half_of_it_open(smoke):
    assert kinds(changed(smoke, noise=0.1))["treatment"] == "absent"
    either = changed(changed(smoke, noise=0.4), lambda r: r.seed % 2 == 0, noise=0.62)
    assert kinds(either)["treatment"] == "inconclusive"


def test_networks_that_did_not_fit_are_not_judged(smoke):
    some = changed(smoke, lambda r: r.seed == SEEDS[0], learned=False, deviation=1.0)
    summary = phenomenon.summarise(some)["treatment"]
    assert summary.left_out.n_not_fitted == 1
    assert phenomenon.verdict(summary).kind == "inconclusive"
    assert "1 did not fit" in phenomenon.verdict(summary).reason
    none = phenomenon.summarise(changed(smoke, learned=False))["treatment"]
    assert phenomenon.verdict(none).kind == "inconclusive"


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["deviation", "noise", "errors"])
def test_what_is_no_number_is_not_left_out(smoke, name, value):
    """The other seeds, all within the bounds, do not speak for the one."""
    errors = np.full_like(smoke[0].outcome.errors, value)
    broken = changed(
        smoke, lambda r: r.seed == SEEDS[3], **{name: errors if name == "errors" else value}
    )
    found = phenomenon.verdict(phenomenon.summarise(broken)["treatment"])
    assert found.kind == "inconclusive"
    assert "nan" not in found.reason


def test_adam_obeys_no_formula_only_if_no_seed_does(smoke):
    adam = [r for r in smoke if r.condition.optimizer == "adam"]
    obeys = [dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, deviation=1e-9))
             for r in adam]  # fmt: skip
    for records, kind in (
        ([*obeys[:-1], adam[-1]], "inconclusive"),
        (obeys, "observed"),
        (adam, "absent"),
    ):
        assert kinds(Records(records))[ADAM] == kind


def test_a_bin_without_inputs_lacks_no_cell(smoke):
    def without_the_first(r):
        cosines = r.outcome.cosines
        return np.maximum(cosines, 0.5) if r.seed == SEEDS[0] else cosines

    some = [
        dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, cosines=without_the_first(r)))
        for r in smoke
    ]
    found = phenomenon.summarise(Records(some))["treatment"]
    assert (found.ratios[0].n, found.ratios[0].n_missing) == (len(SEEDS) - 1, 0)


def test_figures_do_without_what_was_not_measured(smoke):
    momentum = smoke.where(optimizer="momentum")
    figures = phenomenon.figures(phenomenon.summarise(momentum), momentum)
    assert [f.name for f in figures] == ["settings"]


def test_figures_show_the_theory_and_the_parts(smoke):
    chart, grid, table = phenomenon.figures(phenomenon.summarise(smoke), smoke)
    assert isinstance(chart, Chart)
    assert isinstance(grid, ImageGrid)
    assert isinstance(table, Table)
    roles = [s.role for s in chart.panels[0].series]
    assert roles == ["test", "theory", "control", "theory"]
    measured, theory = chart.panels[0].series[:2]
    np.testing.assert_allclose(
        measured.y, np.interp(measured.x, theory.x, theory.y), atol=0.1 * theory.y.max()
    )
    assert (np.diff(measured.y) < 0).all()
    assert list(grid.row_labels)[3:] == ["their sum", "trained network", "trained from zero"]
    summed, trained, zero = grid.images[3], grid.images[4], grid.images[5]
    np.testing.assert_allclose(trained, summed, atol=2e-3)  # outputs are kept in float16
    np.testing.assert_allclose(zero, grid.images[1], atol=2e-3)
    np.testing.assert_allclose(grid.images[1] + grid.images[2], summed, atol=1e-12)
    assert len(table.columns["layer"]) == len(SMOKE)


def test_the_expected_noise_and_errors_are_those_of_many_starts():
    task = make_identity_task(Streams(1), 8)
    inputs, errors, noises = task.probe.images[::9].double(), [], []
    for seed in range(400):
        model = phenomenon.start_of(Condition(side=8), Streams(seed))
        problem = layer_problem(model, task.training, inputs)
        outputs = problem.limit()
        errors.append(((outputs - problem.inputs) ** 2).sum(1))
        noises.append(((outputs - problem.projected()) ** 2).sum(1))
    for found, expected in ((errors, problem.predicted_errors()), (noises, problem.noise())):
        standard_error = np.std(found, axis=0) / len(found) ** 0.5
        assert (np.abs(np.mean(found, axis=0) - expected) < 4 * standard_error).all()


def test_a_convolution_is_the_same_problem_on_patches():
    images = torch.rand(3, 1, 8, 8, generator=Streams(0).torch("images"))
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    problem = layer_problem(nn.Sequential(layer, nn.Flatten()), images[:1], images)
    start = (problem.inputs @ problem.start.T).reshape(3, -1)
    expected = layer(images).detach().flatten(1).numpy()
    np.testing.assert_allclose(start, expected, atol=1e-6)
    wanted = (problem.inputs @ problem.target.T).reshape(3, -1)
    np.testing.assert_allclose(wanted, images.flatten(1).numpy(), atol=1e-12)


@pytest.mark.parametrize(
    "model", [nn.Flatten(), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), nn.LayerNorm(4)]
)
def test_the_formula_is_one_of_a_single_layer(model):
    with pytest.raises(UsageError, match="one of a single layer"):
        layer_problem(model, torch.rand(1, 1, 2, 2), torch.rand(1, 1, 2, 2))


def test_a_bin_of_correlation_without_an_input_is_undecided():
    """Inputs that are all near the training image say nothing of those that are not."""
    whole = study("identity/one_layer_theorem", EFFECTS["identity/one_layer_theorem"], 0)
    near = np.linspace(0.93, 0.99, N_INPUTS)
    records = Records([replace(r, outcome=replace(r.outcome, cosines=near)) for r in whole])
    found = phenomenon.verdict(phenomenon.summarise(records)["treatment"])
    assert found.kind == "inconclusive"
    lacking = [str(c) for c in found.clauses if "not in the design" in str(c)]
    assert len(lacking) == 7
    assert lacking[0].startswith("inputs at correlation 0.00 to 0.22")
    assert phenomenon.verdict(phenomenon.summarise(whole)["treatment"]).kind == "observed"
