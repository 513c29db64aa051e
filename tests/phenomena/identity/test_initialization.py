"""Initialization: its rule on made-up starts, the measure of disagreement, cells."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from overparam.lab.records import Record, Records
from overparam.phenomena.identity import initialization
from overparam.phenomena.identity._disagreement import disagreement
from overparam.streams import Streams
from overparam.training.request import solve_all
from tests.phenomena.identity.maps import N_SHOWN, made_up
from tests.phenomena.verdicts import kinds_of


def outputs_of(generator, shared: float) -> np.ndarray:
    common = np.random.default_rng(1).standard_normal((N_SHOWN, 14, 14))
    own = generator.standard_normal((N_SHOWN, 14, 14))
    return (np.sqrt(shared) * common + np.sqrt(1 - shared) * own).astype(np.float16)


def starts_of(shared, n_seeds=4) -> Records:
    generator = np.random.default_rng(2)
    cells = initialization.PHENOMENON.conditions("standard")
    return Records(
        [
            Record(c, seed, made_up(0.5, outputs=outputs_of(generator, shared(c.n_channels))))
            for seed in range(n_seeds)
            for c in cells
        ]
    )


def test_starts_that_differ_at_few_channels_alone_are_observed_there_alone():
    records = starts_of(lambda channels: 0.4 if channels < 5 else 0.95)
    summaries = initialization.summarise(records)
    # Outputs that share a part s of their variance correlate by s: 6 pairs x 16 images x 4 seeds
    # of 196 pixels, standard error below 0.01.
    assert summaries["treatment"].interval.estimate == pytest.approx(0.6, abs=0.03)
    assert summaries["many channels"].interval.estimate == pytest.approx(0.05, abs=0.01)
    assert kinds_of(initialization, records) == {
        "treatment": "observed",
        "many channels": "absent",
    }


def test_disagreement_agrees_with_brute_force():
    maps = [outputs_of(np.random.default_rng(seed), 0.5) for seed in range(3)]
    slow = [
        1 - np.corrcoef(a[i].ravel().astype(float), b[i].ravel().astype(float))[0, 1]
        for a, b in combinations(maps, 2)
        for i in range(N_SHOWN)
    ]
    assert_allclose(disagreement(maps), np.mean(slow), rtol=1e-10)
    assert np.isnan(disagreement(maps[:1]))


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_starts_that_all_put_out_the_same_blank_image_agree(value):
    blank = np.full((N_SHOWN, 14, 14), value)
    cells = initialization.PHENOMENON.conditions("standard")
    records = Records([Record(c, s, made_up(0.0, outputs=blank)) for s in range(3) for c in cells])
    assert initialization.summarise(records)["treatment"].interval.estimate == 0
    assert set(kinds_of(initialization, records).values()) == {"absent"}


def test_a_blank_output_disagrees_with_any_other_but_a_blank_one():
    image = np.random.default_rng(0).random((1, 14, 14))
    blank = np.full((1, 14, 14), 0.3)
    assert disagreement([blank, image]) == 1
    assert disagreement([blank, 2 * blank]) == 0  # of another brightness, as for any image
    assert disagreement([image, 2 * image + 1]) == pytest.approx(0, abs=1e-12)
    assert disagreement([blank, blank, image]) == pytest.approx(2 / 3)
    assert np.isnan(disagreement([blank, np.full((1, 14, 14), np.nan)]))


def test_starts_that_did_not_fit_are_left_out():
    records = [
        replace(r, outcome=replace(r.outcome, learned=False)) if r.condition.start else r
        for r in starts_of(lambda channels: 0.5)
    ]
    summary = initialization.summarise(Records(records))["treatment"]
    assert np.isnan(summary.disagreement).all()
    assert summary.left_out.n_not_fitted == 3 * 4
    verdict = initialization.verdict(summary)
    assert verdict.kind == "inconclusive"
    assert "Left out of 16 networks: 12 did not fit" in verdict.reason


def test_starts_share_their_image_and_nothing_else():
    base = initialization.PHENOMENON.scales["smoke"].base
    cells = initialization.cells(replace(base, max_steps=20, target_loss=1.0))
    chosen = [c for c in cells if c.n_channels == 24 and c.start < 2]
    chosen += [c for c in cells if c.scheme in ("default", "orthogonal") and c.arm == "schemes"]
    first, second, own, other = solve_all([initialization.run(c, Streams(3)) for c in chosen])
    assert_allclose(first.baselines, second.baselines, rtol=0)
    assert not np.allclose(first.outputs, second.outputs)
    assert_allclose(own.baselines, other.baselines, rtol=0)
    assert not np.allclose(own.outputs, other.outputs)


def test_the_schemes_that_fail_are_said_to_fail():
    records = Records(
        [
            replace(r, outcome=replace(r.outcome, learned=False))
            if r.condition.scheme == "small normal" and r.condition.depth == 9
            else r
            for r in starts_of(lambda channels: 0.5)
        ]
    )
    figures = initialization.figures(initialization.summarise(records), records)
    heat = {f.name: f for f in figures}["schemes"]
    row = list(heat.y_labels).index("small normal")
    values = heat.panels[0][1]
    assert np.isnan(values[row, 1])
    assert np.isfinite(np.delete(values.ravel(), 2 * row + 1)).all()
    assert "small normal, 9 layers: 0 of 4" in heat.caption
