"""Titles of studies with gaps: they tell numbers only where all that they speak of is there."""

from __future__ import annotations

import numpy as np
import pytest

from overparam import phenomena
from overparam.lab.records import Records
from overparam.lab.study import conclude
from tests.phenomena.test_worlds import worlds_of
from tests.phenomena.worlds.studies import failed, planned, study


def concluded(name, lost):
    """Verdicts, and figures by name, of a study with the effect in which some cells failed."""
    whole = study(name, worlds_of(name)[1], 0)
    kept = Records([failed(r) if lost(r) else r for r in whole])
    verdicts, figures, _ = conclude(phenomena.find(name), kept, planned(name, whole))
    return verdicts, {f.name: f for f in figures}


def random_labels_of(*seeds):
    return lambda r: (
        r.condition.model == "mlp_1x512" and r.condition.corruption_rate == 1 and r.seed in seeds
    )


@pytest.mark.parametrize("seeds", [range(6), (0, 1)])
def test_settings_that_were_not_measured_are_not_counted_as_fitted(seeds):
    _, whole = concluded("memorization/random_labels", lambda r: False)
    assert whole["settings"].title == "Every setting is fitted, regularized or not"
    _, gaps = concluded("memorization/random_labels", random_labels_of(*seeds))
    assert gaps["settings"].title == "Which settings are fitted"


def test_deviations_of_layers_that_failed_are_not_told():
    name = "identity/one_layer_theorem"
    _, whole = concluded(name, lambda r: False)
    assert "with descent, with momentum and on patches too" in whole["settings"].title
    _, gaps = concluded(name, lambda r: r.condition.optimizer == "momentum")
    assert gaps["settings"].title == "How near each layer is to the formula"


def test_disagreement_is_of_all_starts_or_of_none():
    def lost(r):
        c = r.condition
        return (c.arm, c.n_channels, c.start) == ("starts", 4, 0)

    verdicts, figures = concluded("identity/initialization", lost)
    assert verdicts["treatment"].kind == "inconclusive"
    assert "not measured" not in figures["networks"].title + figures["disagreement"].title
    assert "0." not in figures["networks"].title + figures["disagreement"].title
    (series,) = figures["disagreement"].panels[0].series
    assert np.isnan(series.y[list(series.x).index(4)])
    assert "1 failed" not in figures["disagreement"].caption  # one of every seed
    assert "failed" in figures["disagreement"].caption


ONE_SEED = ("identity/one_layer_theorem", "identity/fully_connected")


@pytest.mark.parametrize("name", ONE_SEED)
@pytest.mark.parametrize("world", [0, 1, 2])
def test_one_seed_decides_nothing(name, world):
    nulls, _ = worlds_of(name)
    found = phenomena.find(name)
    one = study(name, nulls[world], 0).where(lambda r: r.seed == 0)
    for summary in found.summarise(one).values():
        assert found.verdict(summary).kind == "inconclusive"


def test_the_effect_of_a_control_is_what_decides_it():
    name = "identity/one_layer_theorem"
    verdicts, _ = concluded(name, lambda r: False)
    for arm in ("start at zero", "Adam"):
        assert verdicts[arm].effect == verdicts[arm].clauses[0].value
    assert "deviation" in verdicts["Adam"].unit
