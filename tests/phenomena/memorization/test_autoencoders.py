"""Memorizing autoencoders: the closed form, the design, the rule on made-up records."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from overparam.lab.figure import Chart, ImageGrid, Table
from overparam.lab.records import Record, Records
from overparam.lab.runner import run_study
from overparam.lab.study import conclude
from overparam.measures import memorization_rate
from overparam.phenomena.memorization import autoencoders as phenomenon
from overparam.phenomena.memorization._autoencoder_networks import (
    CONVOLUTIONAL,
    DOWNSAMPLING,
    N_UNSEEN,
)
from overparam.phenomena.memorization._trained_autoencoders import N_SHOWN, SHOWN_STEPS
from overparam.phenomena.memorization.autoencoders import (
    DENSE,
    KINDS,
    LINEAR,
    MANY_IMAGES,
    PHENOMENON,
    Condition,
    Outcome,
)
from overparam.streams import Streams
from overparam.theory import span_projection
from overparam.training.request import solve
from overparam.training.train import train
from tests.phenomena.verdicts import kinds_of
from tests.phenomena.worlds.memorization import EFFECTS
from tests.phenomena.worlds.studies import planned, study


@pytest.fixture(scope="module")
def smoke():
    found = run_study(PHENOMENON, "smoke", seeds=range(700, 702), workers=1)
    return found.records


def made_up(rate, recalled=lambda c: 0.9, trained=lambda c: True, seeds=4):
    """Records whose numbers are functions of the condition, with a little noise over seeds."""
    records = []
    for seed in range(seeds):
        for c in PHENOMENON.conditions("standard"):
            noise = 0.01 * (seed - (seeds - 1) / 2)
            outcome = Outcome(
                n_params=10,
                n_steps=100,
                train_loss=1e-9 if trained(c) else 1e-2,
                trained=trained(c),
                rate=max(0.0, rate(c) + noise) if rate(c) else 0.0,
                recalled=recalled(c) + noise,
                spectral_radius=0.7,
                largest_radius=0.9,
                fixed_point_error=1e-4,
                span_energy=0.99,
                input_span_energy=0.6,
                closed_form_error=np.nan,
                path=np.zeros((2, len(SHOWN_STEPS), 8, 8)),
                nearest=np.ones((2, 8, 8)),
            )
            records.append(Record(c, seed, outcome))
    return Records(records)


def deepest(c):
    depths = phenomenon.depths_of(c, c.kind) if c.kind != LINEAR else [0]
    return c.depth == depths[-1]


def deep_nets_store(c):
    if c.arm != "treatment":
        return 0.0
    return 0.8 if deepest(c) else 0.1


kinds = functools.partial(kinds_of, phenomenon)


# The study itself


def test_smoke_never_contradicts_the_claim_and_controls_store_nothing(smoke):
    found = kinds(smoke)
    assert found.pop("treatment") in ("observed", "inconclusive")
    # Four hundred updates may be too few to fit the many images; then nothing is said of them.
    assert found.pop(MANY_IMAGES) in ("absent", "inconclusive")
    # Two seeds of two images each: that none is stored leaves a quarter open.
    assert found == {LINEAR: "inconclusive"}
    assert {r.outcome.rate for r in smoke.where(kind=LINEAR)} == {0.0}


def test_smoke_finds_attractors_in_every_kind(smoke):
    for kind in KINDS:
        own = phenomenon.of_arm(smoke, "treatment").where(kind=kind)
        ends = own.where(depth=own.levels("depth")[-1])
        assert max(r.outcome.rate for r in ends) > 0
        assert max(r.outcome.recalled for r in ends) > 0


def test_the_linear_autoencoder_equals_its_closed_form(smoke):
    for r in smoke.where(kind=LINEAR):
        assert r.outcome.closed_form_error < 1e-10
        assert r.outcome.span_energy == pytest.approx(1, abs=1e-10)
        assert r.outcome.spectral_radius == pytest.approx(1, abs=1e-8)
        assert r.outcome.fixed_point_error < 1e-10
        assert r.outcome.rate == 0
        assert 0.3 < r.outcome.input_span_energy < 0.9


def test_the_linear_autoencoder_equals_its_closed_form_for_other_images():
    c = Condition(kind=LINEAR, n_train=8, dataset="digits")
    train_set, _ = phenomenon.images(c, Streams(11))
    model = phenomenon.autoencoder(c, train_set)
    assert all(float(p.detach().abs().max()) == 0 for p in model.parameters())
    fitted = solve(train(model, train_set, phenomenon.recipe(c, train_set), Streams(11)))
    x = train_set.inputs.double().flatten(1).numpy()
    (weights,) = fitted.state.values()
    np.testing.assert_allclose(weights.numpy(), span_projection(x), atol=1e-10)
    stored = memorization_rate(fitted.module(), train_set.inputs.double())
    assert stored.rate == 0
    assert stored.fixed_point_error.max() < 1e-9


def test_paths_start_at_unseen_images_and_end_beside_training_images(smoke):
    r = phenomenon.of_arm(smoke, "treatment").where(kind=DENSE, depth=6)[0]
    train_set, unseen = phenomenon.images(r.condition, Streams(r.seed))
    assert r.outcome.path.shape == (N_SHOWN, len(SHOWN_STEPS), 8, 8)
    torch.testing.assert_close(
        torch.tensor(r.outcome.path[:, 0]), unseen[:N_SHOWN, 0], check_dtype=False
    )
    training = train_set.inputs[:, 0].numpy()
    for end, nearest in zip(r.outcome.path[:, -1], r.outcome.nearest, strict=True):
        distances = np.linalg.norm((training - end).reshape(len(training), -1), axis=1)
        np.testing.assert_array_equal(training[distances.argmin()], nearest)


def test_a_cell_repeats_itself(smoke):
    r = phenomenon.of_arm(smoke, "treatment").where(kind=DENSE, depth=1)[0]
    again = solve(PHENOMENON.run(r.condition, Streams(r.seed)))
    assert again.n_steps == r.outcome.n_steps
    assert again.train_loss == pytest.approx(r.outcome.train_loss, rel=0.05)
    np.testing.assert_allclose(again.path[:, 1], r.outcome.path[:, 1], atol=1e-3)


# The design


def test_networks_have_many_more_parameters_than_pixels_to_fit():
    for c in PHENOMENON.conditions("standard"):
        if c.arm != LINEAR:
            train_set, _ = phenomenon.images(c, Streams(0))
            n_params = sum(p.numel() for p in phenomenon.autoencoder(c, train_set).parameters())
            assert n_params > 2 * c.n_train * 64


def test_every_kind_and_both_controls_are_in_the_design():
    conditions = PHENOMENON.conditions("standard")
    assert {(c.arm, c.kind) for c in conditions} == {
        *(("treatment", kind) for kind in KINDS),
        (MANY_IMAGES, DENSE),
        (LINEAR, LINEAR),
    }
    full = PHENOMENON.scales["full"].base
    for kind in (CONVOLUTIONAL, DOWNSAMPLING):
        c = dataclasses.replace(full, kind=kind, depth=2)
        assert phenomenon.autoencoder(c, phenomenon.images(c, Streams(0))[0])


def test_targets_are_the_inputs_and_unseen_images_are_of_the_test_part():
    train_set, unseen = phenomenon.images(Condition(dataset="mnist_small"), Streams(5))
    torch.testing.assert_close(train_set.labels, train_set.inputs.flatten(1))
    assert train_set.input_shape == (1, 28, 28)
    assert len(unseen) == N_UNSEEN
    assert torch.cdist(unseen.flatten(1), train_set.inputs.flatten(1)).min() > 0


# The rule


def test_rule_fires_where_deep_networks_store_and_not_on_the_controls():
    records = made_up(deep_nets_store, seeds=5)
    assert kinds(records) == {"treatment": "observed", MANY_IMAGES: "absent", LINEAR: "absent"}
    summary = phenomenon.summarise(records)["treatment"]
    assert summary.rate.estimate == pytest.approx(0.8)
    assert summary.gain.estimate == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("rate", "recalled"),
    [
        (lambda c: 0.35 if deepest(c) else 0.1, lambda c: 0.9),  # few are stored
        (lambda c: 0.7 if deepest(c) else 0.9, lambda c: 0.9),  # fewer in deep networks
        (lambda c: 0.8 if deepest(c) else 0.1, lambda c: 0.2),  # iterating ends elsewhere
    ],
)
def test_each_part_of_the_claim_can_be_refuted(rate, recalled):
    assert kinds(made_up(rate, recalled))["treatment"] == "absent"


def test_a_kind_that_stores_little_is_told():
    def one_kind_less(c):
        return 0.3 if deepest(c) and c.kind == CONVOLUTIONAL else deep_nets_store(c)

    verdict = phenomenon.verdict(phenomenon.summarise(made_up(one_kind_less))["treatment"])
    assert verdict.kind == "observed"  # the claim is about the three kinds taken together
    assert "convolutional: 0.3" in verdict.reason


def test_networks_that_failed_to_train_are_not_judged():
    def failed(c):
        return not (c.kind == DOWNSAMPLING and deepest(c) and c.arm == "treatment")

    records = made_up(deep_nets_store, trained=failed)
    summary = phenomenon.summarise(records)["treatment"]
    verdict = phenomenon.verdict(summary)
    assert verdict.kind == "inconclusive"
    assert (summary.n_untrained, summary.n_missing) == (4, 0)
    assert summary.kinds[DENSE].n == 4
    assert summary.kinds[DOWNSAMPLING].n == 0
    assert "4 failed to train" in verdict.reason


def test_a_control_that_is_not_fitted_is_undecided():
    records = made_up(deep_nets_store, trained=lambda c: c.arm != MANY_IMAGES, seeds=5)
    assert kinds(records) == {
        "treatment": "observed",
        MANY_IMAGES: "inconclusive",
        LINEAR: "absent",
    }


def test_a_control_that_stores_its_many_images_is_observed():
    """The control can fail: this is what its paragraph says."""

    def all_store(c):
        return 0.0 if c.arm == LINEAR else 0.9 if deepest(c) or c.arm == MANY_IMAGES else 0.1

    assert kinds(made_up(all_store))[MANY_IMAGES] == "observed"
    assert kinds(made_up(all_store, recalled=lambda c: 0.0))[MANY_IMAGES] == "observed"


def test_a_seed_with_a_failed_cell_leaves_it_open():
    records = made_up(deep_nets_store)
    broken = [
        dataclasses.replace(r, outcome=None, status="failed")
        if r.seed == 0 and deepest(r.condition)
        else r
        for r in records
    ]
    summary = phenomenon.summarise(Records(broken))["treatment"]
    assert (summary.rate.n, summary.rate.n_missing) == (3, 1)
    assert phenomenon.verdict(summary).kind == "inconclusive"


# The figures


def test_figures_have_a_panel_for_each_kind_and_say_their_numbers():
    records = made_up(deep_nets_store)
    summaries = phenomenon.summarise(records)
    rates, radii, grid, table = phenomenon.figures(summaries, records)
    assert isinstance(rates, Chart)
    assert "store 80% of their training images" in rates.title
    assert "the shallowest 10%" in rates.title
    assert [p.title for p in rates.panels] == list(KINDS)
    for panel in rates.panels:
        control = ["control"] if panel.title == DENSE else []
        assert [s.role for s in panel.series] == ["train", "test", *control]
    assert isinstance(radii, Chart)
    assert radii.panels[0].rules[0].at == 1
    assert isinstance(grid, ImageGrid)
    assert grid.images.shape == (6, len(SHOWN_STEPS) + 1, 8, 8)
    assert len(grid.row_labels) == 6
    assert len(grid.column_labels) == len(SHOWN_STEPS) + 1
    assert grid.notes is not None
    assert grid.notes[0][0] == "1 of its norm off the training image"
    assert grid.title.startswith("After 200 applications 0 of these 6 unseen images")
    assert isinstance(table, Table)
    assert len(table.columns["kind"]) == len(PHENOMENON.conditions("standard"))


def test_one_kind_alone_can_be_summarised_and_drawn():
    records = made_up(deep_nets_store).where(kind=DENSE, arm="treatment")
    summaries = phenomenon.summarise(records)
    # The claim names three kinds and two controls: what is not there is undecided.
    found = {arm: phenomenon.verdict(summary) for arm, summary in summaries.items()}
    assert {v.kind for v in found.values()} == {"inconclusive"}
    assert "convolutional networks: undecided (not in the design)" in map(
        str, found["treatment"].clauses
    )
    assert "no control was run" in str(found[LINEAR].clauses[0])
    rates, _, grid, _ = phenomenon.figures(summaries, records)
    assert [len(p.series) for p in rates.panels] == [2]
    assert grid.images.shape[0] == 2


def test_depths_between_the_ends_are_shown_and_not_judged():
    name = "memorization/autoencoders"
    whole = study(name, EFFECTS[name], 0)
    middle = Records(
        [r for r in whole if (r.condition.kind, r.condition.depth) != ("convolutional", 6)]
    )
    last = Records(
        [r for r in whole if (r.condition.kind, r.condition.depth) != ("convolutional", 12)]
    )
    for records, kind in ((middle, "observed"), (last, "inconclusive")):
        verdicts, *_ = conclude(PHENOMENON, records, planned(name, whole))
        assert verdicts["treatment"].kind == kind
