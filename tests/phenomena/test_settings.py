"""Whatever a user holds a field at: a usage error before anything runs, or an honest verdict.

Every field of every phenomenon is held at its choices, at the ends of its range and at some numbers
and lists. What is planned is filled from a world that has the effect, so that only what is not in
the design can be lacking: the rule must not end, nor warn, nor lose an arm.
"""

from __future__ import annotations

import dataclasses
import re
import warnings

import numpy as np
import pytest

from overparam import phenomena
from overparam.errors import UsageError
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Record, Records
from overparam.lab.study import conclude
from tests.phenomena.test_worlds import NOT_A_NUMBER, UNMEASURED, planted_in, worlds_of

NAMES = phenomena.names()
LISTS = ("1", "9", "3 5 7", "0 3", "a b")
MOST_CELLS = 60  # of a design that is tried


def values_of(declared: dataclasses.Field, base) -> list:
    """What to hold a field at: lists, choices, and numbers that the design places or compares."""
    meta, name = declared.metadata, declared.name
    if meta["choices"]:
        return list(meta["choices"])
    if isinstance(getattr(base, name), str):
        return list(LISTS)
    placed = "placed" in meta["doc"] or meta["instead"] or meta["odd"]
    if placed or name in ("n_train", "n_control", "n_images", "corruption_rate"):
        return [v for v in (0, 1, 2, 5, 200) if meta["low"] is None or v >= meta["low"]]
    return []


def held() -> list:
    found = []
    for name in NAMES:
        phenomenon = phenomena.find(name)
        base = phenomenon.scales["smoke"].base
        for f in dataclasses.fields(phenomenon.condition):
            for value in values_of(f, base):
                found.append(pytest.param(name, {f.name: value}, id=f"{name}-{f.name}={value}"))
    return found


@pytest.mark.parametrize(("name", "settings"), held())
def test_a_held_field_is_refused_or_judged(name, settings):
    conditions = planned_with(name, settings)
    if not 0 < len(conditions) <= MOST_CELLS:  # refused, or long to fill
        return
    records = filled(name, conditions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        planned = [(r.condition, r.seed) for r in records]
        verdicts, figures, _ = conclude(phenomena.find(name), records, planned)
    assert set(verdicts) == {TREATMENT, *phenomena.find(name).controls}
    for figure in figures:
        assert not UNMEASURED.search(figure.title)
    for verdict in verdicts.values():
        assert not NOT_A_NUMBER.search(" ".join(map(str, verdict.clauses)))


def planned_with(name: str, settings: dict) -> list:
    """The cells of one seed, none where the settings are refused, by name."""
    try:
        return phenomena.find(name).conditions("smoke", settings)
    except UsageError as refused:
        if not any(field in str(refused) for field in settings):
            raise
        return []


# Of every phenomenon, settings that switch off a word of its claim.
NOT_IN_DESIGN = {
    "double_descent/random_features": [({"label_noise_rate": 0.0}, "partly wrong labels")],
    "double_descent/squared_loss": [
        ({"label_noise_rate": 0.0}, "partly wrong labels"),
        ({"label_noise_rate": 1.0}, "partly wrong labels"),
    ],
    "double_descent/cross_entropy": [
        ({"label_noise_rate": 0.0}, "partly wrong labels"),
        ({"label_noise_rate": 1e-6}, "partly wrong labels"),
    ],
    "double_descent/epoch_wise": [
        ({"label_noise_rate": 0.0}, "partly wrong labels"),
        ({"schedule": "inverse_sqrt"}, "a constant learning rate"),
    ],
    "double_descent/sample_wise": [({"max_ratio": 1.5}, "several times as many examples")],
    "memorization/random_labels": [
        ({"inputs": "images"}, "training accuracy, gaussian"),
        ({"regularizer": "none"}, "random labels, regularized"),
        ({"corruption_rate": 1}, "training accuracy, true labels"),
        ({"model": "mlp_3x512", "weight_decay": 0.0}, "random labels, regularized"),
    ],
    "memorization/hash_table": [
        ({"labels": "true"}, "network, random labels"),
        ({"labels": "random"}, "invariant table, true labels"),
        ({"answerer": "network"}, "exact table, true labels"),
    ],
    "memorization/overfitting_leaks": [
        ({"width": 8}, "networks of different widths"),
        ({"epochs": 8}, "shorter and longer training"),
        ({"copies": "once"}, "rows of which twins stay"),
        ({"copies": "twins stay"}, "several models"),
    ],
    "memorization/labels_one_by_one": [
        ({"label_noise_rate": 0.0}, "flipped labels"),
        ({"width": 4}, "a network past the threshold"),
    ],
    "memorization/long_tail": [
        ({"n_subpopulations": 5}, "rare subpopulations"),
        ({"prototypes": "digits"}, "labels of their own"),
        ({"n_train": 100, "n_subpopulations": 1000}, "frequent subpopulations"),
    ],
    "memorization/model_size": [
        ({"width": 64}, "networks below the threshold"),
        ({"width": 64}, "networks in between"),
        ({"width": 2}, "networks past the threshold"),
    ],
    "memorization/narrow_bottleneck": [
        ({"labels": "true"}, "random labels"),
        ({"labels": "random"}, "true labels"),
        ({"bottleneck": 8}, "a narrower layer"),
        ({"bottleneck": 8}, "a wide layer"),
        ({"bottleneck": 64}, "a layer of 8 units"),
    ],
    "memorization/proxies": [
        ({"label_noise_rate": 0.0}, "flipped labels"),
        ({"part": "member"}, "the training run"),
        ({"part": "training run"}, "retrained models"),
    ],
    "memorization/differential_privacy": [
        ({"epsilon": 1.0}, "several epsilons"),
        ({"arm": "treatment"}, "networks without noise"),
    ],
    "memorization/autoencoders": [
        ({"conv_depths": "6"}, "shallow convolutional networks"),
        ({"dense_depths": "1 2"}, "deep fully connected networks"),
        ({"width": 1}, "overparameterized networks"),
    ],
    "identity/by_depth": [
        ({"depths": "2 6"}, "networks of 9 or more layers"),
        ({"n_train": 5}, "networks that learned one image"),
        ({"target_loss": 1.0}, "networks that fit their training images"),
    ],
    "identity/fully_connected": [
        ({"activation": "identity"}, "shortfall of ReLU networks"),
        ({"depth": 2}, "rise with depth, linear"),
        ({"target_loss": 1.0}, "networks that fit their training images"),
    ],
    "identity/initialization": [
        ({"channels": "48 96"}, "networks of 8 or fewer channels"),
        ({"n_channels": 48}, "networks of 8 or fewer channels"),
    ],
    "identity/kernel_size": [
        ({"kernel_sizes": "7 13"}, "kernels of 5 pixels or fewer"),
        ({"kernel_sizes": "3 5"}, "kernels of 9 pixels or more"),
    ],
    "identity/more_images": [
        ({"counts": "2 3"}, "rise with 3 images over one"),
        ({"counts": "1 3"}, "rise with 2 images over one"),
    ],
    "identity/one_layer_theorem": [],  # see the test of its bins
    "identity/through_layers": [
        ({"depths": "4"}, "networks of 9 or more layers"),
        ({"depth": 7}, "networks of 9 or more layers"),
    ],
    "identity/width": [({"target_loss": 1.0}, "networks that fit their training images")],
}


def test_every_phenomenon_is_asked_for_what_its_claim_names():
    assert set(NOT_IN_DESIGN) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "settings", "what"),
    [(name, *case) for name, cases in NOT_IN_DESIGN.items() for case in cases],
)
def test_what_a_claim_names_and_the_design_lacks_is_undecided(name, settings, what):
    """Neither observed nor absent, in a world that has the effect and in those without it."""
    found = phenomena.find(name)
    nulls, effect = worlds_of(name)
    for world in (effect, *nulls):
        records = filled(name, found.conditions("smoke", settings), world)
        verdict = found.verdict(found.summarise(records)[TREATMENT])
        assert verdict.kind == "inconclusive", world.__name__
        assert any(what in str(c) and "not in the design" in str(c) for c in verdict.clauses)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", ["smoke", "standard", "full"])
def test_no_scale_lacks_what_its_claim_names(name, scale):
    """Of the claim and of the controls' own sentences."""
    found = phenomena.find(name)
    records = filled(name, found.conditions(scale), n_seeds=2)
    for summary in found.summarise(records).values():
        assert not [c for c in found.verdict(summary).clauses if "not in the design" in str(c)]


NOISELESS = {"label_noise_rate": 0.0}
LACKING_IN_CONTROLS = [
    ("double_descent/random_features", NOISELESS, "tuned ridge", "partly wrong labels"),
    ("double_descent/cross_entropy", NOISELESS, "best epoch", "partly wrong labels"),
    ("double_descent/squared_loss", NOISELESS, "best epoch", "partly wrong labels"),
    ("double_descent/epoch_wise", NOISELESS, "small network", "partly wrong labels"),
    ("double_descent/epoch_wise", {"schedule": "inverse_sqrt"}, "clean labels", "constant"),
    ("double_descent/epoch_wise", {"small_width": 256}, "small network", "a smaller network"),
    ("memorization/autoencoders", {"width": 1}, "many images", "overparameterized networks"),
    ("memorization/labels_one_by_one", NOISELESS, "below the threshold", "flipped labels"),
    (
        "memorization/labels_one_by_one",
        {"width": 512},
        "below the threshold",
        "a network below the threshold",
    ),
    ("memorization/long_tail", {"n_subpopulations": 200}, "no tail", "several rows of every"),
    ("memorization/narrow_bottleneck", {"labels": "true"}, "no bottleneck", "random labels"),
    ("memorization/differential_privacy", {"epsilon": 4.0}, "no noise", "can be broken"),
    ("memorization/model_size", {"width": 2}, "shuffled row identities", "past the threshold"),
    ("identity/by_depth", {"depths": "2 6"}, "many images", "9 or more layers"),
    ("identity/by_depth", {"dense_depths": "2 6"}, "fully connected", "a single layer"),
    ("identity/fully_connected", {"pixel_noise": 0}, "more images than pixels", "general position"),
    ("identity/initialization", {"channels": "3 9"}, "many channels", "24 or more channels"),
    ("identity/kernel_size", {"kernel_sizes": "7 13"}, "more channels", "5 pixels or fewer"),
]


@pytest.mark.parametrize(("name", "settings", "arm", "what"), LACKING_IN_CONTROLS)
def test_a_control_that_is_not_what_its_name_says_is_undecided(name, settings, arm, what):
    found = phenomena.find(name)
    worlds = [worlds_of(name)[1], *planted_in(name)[arm]]
    for world in worlds:
        records = filled(name, found.conditions("smoke", settings), world)
        verdict = found.verdict(found.summarise(records)[arm])
        assert verdict.kind == "inconclusive", world.__name__
        assert any(what in str(c) and "not in the design" in str(c) for c in verdict.clauses)


def test_more_images_than_are_claimed_leave_the_control_as_it_is_said():
    """Three images that show the same: of ten, some would be shifted by five pixels."""
    conditions = phenomena.find("identity/more_images").conditions("smoke", {"counts": "1 2 3 10"})
    assert {c.n_images for c in conditions if c.images == "shifted copies"} == {3}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("double_descent/random_features", {"fit": "tuned ridge"}),
        ("double_descent/sample_wise", {"arm": "far from the threshold"}),
        ("double_descent/epoch_wise", {"arm": "clean labels"}),
        ("double_descent/cross_entropy", {"labels": "clean"}),
    ],
)
def test_a_title_is_never_of_a_control(name, settings):
    """Where the treatment is left out, a control that does what is claimed gives no title to it."""
    found = phenomena.find(name)
    (world, *_), *_ = planted_in(name).values()
    records = filled(name, found.conditions("smoke", settings), world)
    summaries = found.summarise(records)
    assert TREATMENT not in summaries
    said = " ".join(f.title for f in found.figures(summaries, records))
    assert not re.search(r"peaks|largest|rises|falls|give", said), said


CONTROLS_GONE = [
    ("memorization/autoencoders", {"n_train": 5}, "many images"),
    ("identity/fully_connected", {"n_train": 1}, "more images than pixels"),
    ("identity/fully_connected", {"n_train": 200}, "more images than pixels"),
    ("identity/more_images", {"counts": "1 2"}, "shifted copies"),
    ("identity/initialization", {"channels": "9"}, "many channels"),
    ("identity/one_layer_theorem", {"optimizer": "sgd"}, "Adam"),
    ("memorization/random_labels", {"model": "mlp_3x512"}, "too small"),
    ("memorization/hash_table", {"asked": "new images"}, "one-to-one data"),
    ("memorization/hash_table", {"answerer": "network"}, "one-to-one data"),
    ("memorization/overfitting_leaks", {"copies": "twins stay"}, "rows never trained on"),
]


@pytest.mark.parametrize(("name", "settings", "arm"), CONTROLS_GONE)
def test_a_control_that_is_not_in_the_design_is_told(name, settings, arm):
    found = phenomena.find(name)
    records = filled(name, found.conditions("smoke", settings))
    verdict = found.verdict(found.summarise(records)[arm])
    assert verdict.kind == "inconclusive"
    assert "no control was run" in str(verdict.clauses[0])


@pytest.mark.parametrize(
    ("name", "settings", "match"),
    [
        ("identity/by_depth", {"depths": "7 9"}, "no shallow network; got 'depths=7 9'"),
        ("identity/by_depth", {"n_train": 200}, r"n_train is out of range; got 200.*\[1, 40\]"),
        ("identity/kernel_size", {"kernel_sizes": "3 4"}, "kernel_sizes must be odd; got 4"),
        ("identity/through_layers", {"depths": "1"}, r"depths is out of range; got 1.*\[4, inf\)"),
        ("identity/more_images", {"counts": "0 3"}, r"counts is out of range; got 0.*\[1, 10\]"),
        ("memorization/autoencoders", {"n_control": 4}, "n_control above 4, twice n_train"),
        ("memorization/autoencoders", {"kind": "linear"}, "kind is placed by the design"),
        ("memorization/overfitting_leaks", {"member": 3}, "member is placed by the design"),
        ("memorization/differential_privacy", {"member": 3}, "member is placed by the design"),
        ("memorization/overfitting_leaks", {"n_models": 3}, r"n_models is out of range; got 3"),
        ("memorization/hash_table", {"n_cells": 9}, r"n_cells is out of range; got 9"),
        ("double_descent/random_features", {"n_features": 0}, "n_features is out of range"),
    ],
)
def test_settings_in_which_a_design_makes_no_sense_are_refused(name, settings, match):
    with pytest.raises(UsageError, match=match):
        phenomena.find(name).conditions("smoke", settings)


def filled(name: str, conditions: list, world=None, n_seeds: int = 3) -> Records:
    """Records of a world, by default one that has the effect, one of every condition and seed."""
    world = world or worlds_of(name)[1]
    generator, records = np.random.default_rng(0), []
    for seed in range(n_seeds):
        outcomes = world(conditions, seed, generator)
        records += [Record(c, seed, sized(o, c)) for c, o in zip(conditions, outcomes, strict=True)]
    return Records(records)


def sized(outcome, condition):
    """The outcome with images of the condition's size."""
    if not hasattr(outcome, "outputs"):
        return outcome
    shape = (len(outcome.outputs), condition.side, condition.side)
    return dataclasses.replace(outcome, outputs=np.resize(outcome.outputs, shape))
