"""Fully connected networks on one image: smoke run, measures of known maps, made-up records."""

import dataclasses
import functools

import numpy as np
import pytest
import torch
from torch import nn

from overparam.lab.figure import Chart, HeatMap, NetworkGallery, Table
from overparam.lab.records import Record, Records
from overparam.phenomena.identity import fully_connected as phenomenon
from overparam.phenomena.identity._many_images import noisy_images
from overparam.phenomena.identity._task import make_identity_task
from overparam.phenomena.identity.fully_connected import (
    MANY_IMAGES,
    NETWORKS,
    PHENOMENON,
    Condition,
)
from overparam.streams import Streams
from overparam.theory.identity_map import learned_map
from overparam.training.fitted import Fitted
from overparam.training.initialise import materialise
from overparam.training.recipe import Recipe
from overparam.training.request import solve_all
from overparam.training.trace import Trace
from tests.phenomena.verdicts import kinds_of

SEEDS = range(500, 504)
SMOKE = PHENOMENON.conditions("smoke")


@pytest.fixture(scope="module")
def smoke():
    records = []
    for seed in SEEDS:
        outcomes = solve_all([phenomenon.run(c, Streams(seed)) for c in SMOKE])
        records += [Record(c, seed, o) for c, o in zip(SMOKE, outcomes, strict=True)]
    return Records(records)


kinds = functools.partial(kinds_of, phenomenon)


def changed(records, keep, **fields):
    """The records with outcomes changed; values may be functions of the record."""

    def new(r):
        values = {k: v(r) if callable(v) else v for k, v in fields.items()}
        return dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, **values))

    return Records([new(r) if keep(r) else r for r in records])


def is_one(activation, depth):
    def keep(r):
        c = r.condition
        return (c.activation, c.depth, c.n_train) == (activation, depth, 1)

    return keep


def fitted(module):
    """A trained network, as the training hands it over."""
    trace = Trace(np.array([1]), np.array([1]), {"train": np.zeros(1)}, {"train": np.zeros(1)})
    recipe = Recipe(steps=1)
    return Fitted(module, dict(module.named_parameters()), recipe, trace, "done", 1)


class Returns(nn.Module):
    """A network that returns its input, or one image whatever it is shown."""

    def __init__(self, image=None):
        super().__init__()
        self.image = image
        self.weight = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x):
        x = x.flatten(1)
        return x + self.weight if self.image is None else self.image.to(x).expand_as(x)


def test_smoke_observes_the_claim_and_the_control_learns_the_identity(smoke):
    assert kinds(smoke) == {"treatment": "observed", MANY_IMAGES: "absent"}
    for r in smoke:
        assert r.outcome.learned
    for r in smoke.where(n_train=2 * 64):
        assert r.outcome.identity_correlation > 0.999


def test_one_layer_is_the_formula(smoke):
    c = SMOKE[0]
    assert (c.activation, c.depth, c.n_train) == ("identity", 1, 1)
    task = phenomenon.task_of(c, Streams(500))
    start = next(materialise(nn.Linear(64, 64, bias=False, device="meta"), Streams(500),
                             torch.float64).parameters())  # fmt: skip
    shown = task.probe.images[task.shown].flatten(1).double().numpy()
    expected = learned_map(start.detach().numpy(), task.training.flatten(1).numpy(), shown)
    outputs = smoke.where(lambda r: r.condition == c and r.seed == 500)[0].outcome.outputs
    # Kept in float16, and trained to 1e-6 squared: 1e-3 and less.
    np.testing.assert_allclose(outputs.reshape(len(shown), -1), expected, atol=5e-3)


def test_the_error_of_one_layer_follows_the_theory_for_any_number_of_images(smoke):
    one_layer = smoke.where(lambda r: r.condition.depth == 1)
    levels, errors = one_layer.matrix("relative_error", by="n_train")
    lacking = one_layer.matrix("off_span", by="n_train")[1]
    assert levels.tolist() == [1, 8, 16, 32, 48, 128]
    ratios = errors[:-1].mean(1) / lacking[:-1].mean(1)
    np.testing.assert_allclose(ratios, 4 / 3, rtol=0.15)
    assert lacking[-1].max() < 1e-20


def test_known_maps_have_known_scores():
    c = Condition(side=8, n_train=8)
    task = phenomenon.task_of(c, Streams(1))
    same = phenomenon.describe(c, fitted(Returns()), task)
    assert same.identity_correlation == pytest.approx(1)
    assert same.response_energy == pytest.approx(1)
    assert same.response_cosine == pytest.approx(1)
    assert same.relative_error == 0
    assert 0.1 < same.off_span < 1
    one = Condition(side=8)
    task = phenomenon.task_of(one, Streams(1))
    constant = phenomenon.describe(one, fitted(Returns(task.training.flatten(1))), task)
    assert constant.constant_correlation == pytest.approx(1)
    assert constant.identity_correlation == pytest.approx(constant.baseline)
    assert constant.response_energy == 0
    nothing = phenomenon.describe(one, fitted(nn.Sequential(nn.Flatten(), zeros(64))), task)
    assert nothing.relative_error == pytest.approx(1)


def zeros(d):
    layer = nn.Linear(d, d, bias=False)
    nn.init.zeros_(layer.weight)
    return layer.requires_grad_(False)


def test_control_images_are_nested_and_span_all_pixels():
    few, many = (noisy_images(n, 8, 0.2, Streams(2)) for n in (5, 64))
    assert few.shape == (5, 1, 8, 8)
    assert torch.equal(few[:4], many[:4])
    assert torch.linalg.matrix_rank(many.flatten(1).double()) == 64
    blank = noisy_images(64, 8, 0.0, Streams(2))
    assert torch.linalg.matrix_rank(blank.flatten(1).double()) <= 64
    assert blank.min() >= 0


def test_more_images_than_there_are_come_again_with_fresh_noise():
    images = noisy_images(804, 8, 0.2, Streams(3))
    clean = noisy_images(804, 8, 0.0, Streams(3))
    assert torch.equal(clean[0], clean[800])  # the first of 400 digits
    assert not torch.equal(images[0], images[800])
    assert not torch.equal(clean[1], clean[801])  # clothes last longer


def test_one_image_is_the_seven_of_the_task():
    c = Condition(side=8)
    expected = make_identity_task(Streams(4), 8).training
    assert torch.equal(phenomenon.task_of(c, Streams(4)).training, expected)


def test_rates_are_below_the_largest_stable_one():
    for c in PHENOMENON.conditions("standard"):
        task = phenomenon.task_of(c, Streams(0))
        flat = task.training.flatten(1).double()
        top = torch.linalg.eigvalsh(flat @ flat.T)[-1] / len(flat)
        rate = phenomenon.recipe(c, task).learning_rate * top
        assert float(rate) == pytest.approx(c.convex_rate if c.depth == 1 else c.rate)


@pytest.mark.parametrize("network", NETWORKS)
def test_one_network_near_the_identity_refutes_the_claim(smoke, network):
    near = changed(smoke, is_one(*network), identity_correlation=0.9)
    verdict = phenomenon.verdict(phenomenon.summarise(near)["treatment"])
    assert verdict.kind == "absent"
    assert phenomenon.network_name(network) in verdict.reason


def test_one_seed_near_the_identity_refutes_never(smoke):
    def lucky(r):
        return is_one("relu", 6)(r) and r.seed == 500

    near = changed(smoke, lucky, identity_correlation=0.9)
    assert kinds(near)["treatment"] == "absent"


def test_a_step_back_to_the_input_refutes_the_claim(smoke):
    dips = changed(smoke, is_one("identity", 2), constant_correlation=lambda r: 0.1)
    assert kinds(dips)["treatment"] == "absent"


def test_the_control_is_not_asked_what_its_images_leave_open(smoke):
    control = phenomenon.verdict(phenomenon.summarise(smoke)[MANY_IMAGES])
    assert [c.what for c in control.clauses] == ["shortfall of 1 layer, linear"]


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_depth_that_does_not_turn_to_the_constant_refutes_the_claim(smoke, activation):
    flat = changed(smoke, is_one(activation, 6), constant_correlation=lambda r: 0.1)
    assert kinds(flat)["treatment"] == "absent"


@pytest.mark.parametrize("fields", [{"response_cosine": 0.5}, {"response_energy": 0.01}])
def test_one_layer_without_noise_refutes_the_claim(smoke, fields):
    assert kinds(changed(smoke, is_one("identity", 1), **fields))["treatment"] == "absent"


@pytest.mark.parametrize(
    ("keep", "fields"),
    [
        (is_one("relu", 6), {"constant_correlation": lambda r: 0.8 + 0.2 * (r.seed % 2)}),
        (is_one("identity", 1), {"response_cosine": lambda r: 0.5 * (r.seed % 2)}),
        (is_one("identity", 1), {"response_energy": lambda r: 0.2 * (r.seed % 2)}),
    ],
)
def test_what_seeds_disagree_on_stays_open(smoke, keep, fields):
    assert kinds(changed(smoke, keep, **fields))["treatment"] == "inconclusive"


def test_networks_that_did_not_fit_are_not_judged(smoke):
    def one_seed(r):
        return is_one("relu", 6)(r) and r.seed == 500

    some = changed(smoke, one_seed, learned=False, identity_correlation=0.99)
    assert kinds(some)["treatment"] == "inconclusive"
    never = changed(smoke, is_one("relu", 6), learned=False)
    summary = phenomenon.summarise(never)["treatment"]
    assert summary.shortfalls["relu", 6].n_missing == 4
    assert phenomenon.verdict(summary).kind == "inconclusive"
    assert "4 did not fit" in phenomenon.verdict(summary).reason
    deep = smoke.where(lambda r: r.condition.depth > 1 or r.condition.n_train > 1)
    assert phenomenon.summarise(deep)["treatment"].noise_energy is None
    assert kinds(deep)["treatment"] == "inconclusive"
    assert kinds(changed(smoke, lambda r: True, learned=False))["treatment"] == "inconclusive"


def test_figures_show_every_network(smoke):
    gallery, depth, response, images, linear, relu, table = phenomenon.figures(
        phenomenon.summarise(smoke), smoke
    )
    assert isinstance(gallery, NetworkGallery)
    assert list(gallery.families) == ["fully connected", "trained on 128 images"]
    assert [v.label for v in gallery.families["fully connected"]] == [
        *("1 layer, linear", "2 layers, linear", "2 layers, ReLU"),
        *("6 layers, linear", "6 layers, ReLU"),
    ]
    assert isinstance(depth, Chart)
    assert [s.label for s in depth.panels[0].series] == [
        *("linear, to the training image", "linear, to the input"),
        *("ReLU, to the training image", "ReLU, to the input"),
    ]
    assert isinstance(response, Chart)
    assert response.panels[0].series[0].y[0] == pytest.approx(1 / 3, rel=0.1)
    assert (np.diff(response.panels[0].series[0].y) < 0).all()
    assert isinstance(images, Chart)
    measured, theory = images.panels[0].series
    np.testing.assert_allclose(measured.y, theory.y, atol=0.1)
    assert isinstance(linear, HeatMap)
    assert list(linear.y_labels) == ["1", "2", "6"]
    assert list(relu.y_labels) == ["2", "6"]
    assert isinstance(table, Table)
    assert len(table.columns["network"]) == len(SMOKE)
    assert set(table.columns["fitted"]) == {"4 of 4"}


def test_figures_do_without_networks_that_did_not_fit(smoke):
    none = changed(smoke, lambda r: r.condition.depth == 1, learned=False)
    names = [f.name for f in phenomenon.figures(phenomenon.summarise(none), none)]
    assert "images" not in names
    assert phenomenon.figures(phenomenon.summarise(smoke), smoke.where(n_train=8))
    assert "response" in names


def test_full_scale_has_the_widths_and_the_count_of_the_paper():
    full = PHENOMENON.scales["full"].base
    assert (full.side**2, full.relu_width) == (784, 2048)
    assert phenomenon.mlp(784, [784] * 5, 784, bias=False) is not None
    six = phenomenon.mlp(784, [784] * 5, 784, activation="identity", bias=False)
    assert sum(p.numel() for p in six.parameters()) == 3_687_936
