"""The rule on made-up records; networks with and without a narrow layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from overparam.lab.phenomenon import TREATMENT
from overparam.models import mlp_n_params
from overparam.phenomena.memorization import narrow_bottleneck as phenomenon
from overparam.phenomena.memorization.narrow_bottleneck import (
    PHENOMENON,
    PLAIN,
    SIZES,
    Summary,
    network,
    verdict,
)
from tests.phenomena.verdicts import kinds_of
from tests.phenomena.worlds.narrow_bottleneck import EFFECT, limited
from tests.phenomena.worlds.studies import study


def n_params(c):
    return sum(p.numel() for p in network(c).parameters())


@pytest.mark.parametrize("scale", ["smoke", "standard", "full"])
def test_networks_without_a_bottleneck_have_no_more_parameters_and_one_unit_more_would(scale):
    conditions = {(c.arm, c.bottleneck): c for c in PHENOMENON.conditions(scale)}
    for size in phenomenon.SIZES:
        most = n_params(conditions["treatment", size])
        plain = network(conditions[PLAIN, size])
        linear = [m for m in plain if isinstance(m, torch.nn.Linear)]
        d, width = linear[0].in_features, linear[0].out_features
        assert n_params(conditions[PLAIN, size]) <= most < mlp_n_params(d, [width + 1] * 3, 10)


def test_the_narrow_layer_is_the_middle_one():
    c = PHENOMENON.conditions("standard", {"bottleneck": "3"})[0]
    shapes = [tuple(p.shape) for p in network(c).parameters() if p.ndim == 2]
    assert shapes == [(128, 49), (3, 128), (128, 3), (10, 128)]


@pytest.mark.parametrize(
    "world",
    [
        limited(lambda c: 0.0),
        limited(lambda c: 0.2 if c.bottleneck <= 8 else 0.0),
        limited(test_error=lambda c: 0.35 if c.bottleneck == 8 else 0.23),
    ],
)
def test_what_the_claim_denies_refutes_it(world):
    assert kinds_of(phenomenon, study(PHENOMENON.name, world, 0))["treatment"] == "absent"


def test_where_nothing_is_fitted_the_question_was_not_put():
    world = limited(lambda c: 0.5 if c.bottleneck > 2 else 0.9)
    assert kinds_of(phenomenon, study(PHENOMENON.name, world, 0))["treatment"] == "inconclusive"


def test_a_title_tells_the_share_where_it_is_shown():
    records = study(PHENOMENON.name, EFFECT, 0)
    (chart,) = phenomenon.figures(phenomenon.summarise(records), records)
    assert "of random labels are not fitted" in chart.title
    assert [len(panel.series) for panel in chart.panels] == [2, 2]


@pytest.mark.parametrize(
    ("shares", "kind"),
    [
        ((0.8, 0.5, 0.3, 0.7, 0.0), "absent"),  # wider leaves more
        ((0.8, 0.0, 0.3, 0.0, 0.0), "absent"),
        ((0.8, 0.1, 0.6, 0.1, 0.0), "absent"),
        ((0.8, np.nan, 0.3, 0.1, 0.0), "inconclusive"),
        ((0.8, 0.5, 0.3, 0.1, 0.0), "observed"),
    ],
)
def test_the_more_the_narrower(shares, kind):
    unfitted = np.array(shares)[:, None] + np.linspace(-0.01, 0.01, 6)
    summary = Summary(
        TREATMENT, np.array(SIZES, float), np.clip(unfitted, 0, 1), np.full((5, 6), 0.2),
        (0.001, 0.001), (),
    )  # fmt: skip
    assert verdict(summary).kind == kind
