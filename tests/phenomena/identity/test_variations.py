"""Width and kernel size: designs and rules on made-up maps; figures and settings of variations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from overparam.lab.records import Record, Records
from overparam.phenomena.identity import (
    initialization,
    kernel_size,
    more_images,
    width,
)
from overparam.phenomena.identity._fall import judge_fall, summarise_fall
from overparam.streams import Streams
from overparam.training.request import solve_all
from tests.phenomena.identity.maps import N_SHOWN, later_by, made_up, records_of
from tests.phenomena.verdicts import kinds_of

# Width


def falls_with_depth(c) -> float:
    return -0.9 if c.dense else 1.2 - 0.12 * c.depth


def test_a_fall_with_depth_alone_is_observed_in_depth_alone():
    found = kinds_of(width, records_of(width, falls_with_depth))
    assert found == {
        "treatment": "observed",
        "wider, equal counts": "absent",
        "wider, one depth": "absent",
    }


def test_one_level_has_no_fall():
    base = width.PHENOMENON.scales["standard"].base
    records = records_of(width, falls_with_depth, base=replace(base, depths="3"))
    found = width.summarise(records)
    assert set(found) == {"treatment", "wider, equal counts", "wider, one depth"}
    verdict = width.verdict(found["treatment"])
    assert verdict.kind == "inconclusive"
    assert "two ends are needed" in str(verdict.clauses[0])
    assert "preference" in [f.name for f in width.figures(found, records)]


@pytest.mark.parametrize(
    ("phenomenon", "setting", "control"),
    [
        (width, {"depths": "3"}, "wider, equal counts"),
        (width, {"span_widths": "8"}, "wider, one depth"),
        (kernel_size, {"kernel_sizes": "3"}, "more channels"),
    ],
)
def test_a_control_of_one_level_shows_nothing(phenomenon, setting, control):
    """One network that prefers the identity is not made wider by being alone."""
    base = replace(phenomenon.PHENOMENON.scales["standard"].base, **setting)
    records = records_of(phenomenon, lambda _: 0.9, base=base)
    assert kinds_of(phenomenon, records)[control] == "inconclusive"


@pytest.mark.parametrize("n_seeds", [3, 10, 20])
def test_many_seeds_do_not_refute_a_control_that_holds(n_seeds):
    """Each seed's own lowest of five levels would lie below the bound, the surer the more seeds."""
    rng, kinds = np.random.default_rng(0), []
    cells = kernel_size.PHENOMENON.conditions("standard")
    for _ in range(20):
        records = Records(
            [
                Record(c, seed, made_up(0.6 + rng.normal(0, 0.15)))
                for seed in range(n_seeds)
                for c in cells
            ]
        )
        kinds.append(kinds_of(kernel_size, records)["more channels"])
    assert "observed" not in kinds


def test_an_arm_that_is_not_there_is_inconclusive():
    records = records_of(width, falls_with_depth).where(arm="deeper")
    assert kinds_of(width, records) == {
        "treatment": "observed",
        "wider, equal counts": "inconclusive",
        "wider, one depth": "inconclusive",
    }


def test_a_fall_with_width_would_be_seen():
    found = kinds_of(width, records_of(width, lambda c: 1.4 - c.width / 30))
    assert found["treatment"] == "absent"
    assert found["wider, equal counts"] == found["wider, one depth"] == "observed"


@pytest.mark.parametrize("scale", ["smoke", "standard", "full"])
def test_depth_and_width_start_alike_and_have_nearly_equal_counts(scale):
    cells = width.PHENOMENON.conditions(scale)
    arms = {a: [c for c in cells if c.arm == a] for a in width.ARMS}
    deeper, wider = arms["deeper"], arms["wider, equal counts"]
    assert (deeper[0].depth, deeper[0].width) == (wider[0].depth, wider[0].width)
    for deep, wide in zip(deeper, wider, strict=True):
        assert wide.n_params == pytest.approx(deep.n_params, rel=0.03)
    dense = arms["fully connected, deeper"], arms["fully connected, wider"]
    assert [c.n_params for c in dense[0]] == [c.n_params for c in dense[1]]
    for c in cells:
        counted = sum(p.numel() for p in width.network(c).parameters())
        assert c.n_params == counted


def test_the_full_scale_holds_the_networks_that_the_paper_counts():
    cells = width.PHENOMENON.conditions("full")
    counts = {(c.dense, c.depth, c.width): c.n_params for c in cells}
    assert counts[True, 6, 784] == 3_687_936
    assert counts[False, 5, 1024] == 78_694_400


def test_networks_that_did_not_fit_are_not_judged():
    records = list(records_of(width, falls_with_depth))
    bad = [
        replace(r, outcome=made_up(1.0, learned=False)) if r.condition.depth == 18 else r
        for r in records
        if r.condition.arm == "deeper"
    ]
    bad = [replace(r, outcome=replace(r.outcome, n_params=r.condition.n_params)) for r in bad]
    summary = width.summarise(Records(bad))["treatment"]
    assert summary.maps.n_not_learned == 5
    assert summary.fall.n == 0
    verdict = width.verdict(summary)
    assert verdict.kind == "inconclusive"
    assert "5 did not fit (squared error 0.1 per pixel reached, 1e-05 asked for" in verdict.reason
    # A loss of a tenth is no fit, and is not offered.
    assert "set max_steps above 6,000)" in verdict.reason


def test_the_fall_is_first_minus_last_paired_by_seed():
    preference = {3: [0.9, 0.7], 5: [0.2, 0.4], 9: [-0.5, -0.3]}
    base = kernel_size.Condition()
    records = Records(
        [
            Record(replace(base, like=k), seed, made_up(value))
            for k, values in preference.items()
            for seed, value in enumerate(values)
        ]
    )
    found = summarise_fall(records, "like")
    assert found.fall.estimate == pytest.approx((1.4 + 1.0) / 2, rel=1e-12)
    verdict = judge_fall(found, "pixels", rule="", ends_below=0.0)
    assert verdict.kind == "inconclusive"  # two seeds leave a long interval
    assert "From 3 to 9 pixels the mean preference goes from 0.80 to -0.40" in verdict.reason


# Kernel size


def test_a_fall_with_the_kernel_alone_is_observed_in_kernels_alone():
    records = records_of(kernel_size, lambda c: 1.3 - c.size[2] / 8)
    assert kinds_of(kernel_size, records) == {
        "treatment": "observed",
        "more channels": "absent",
    }


@pytest.mark.parametrize("scale", ["smoke", "standard", "full"])
def test_channels_replace_kernels_at_nearly_equal_counts(scale):
    cells = kernel_size.PHENOMENON.conditions(scale)
    count = kernel_size.same_convnet_n_params
    larger, wider = ({c.like: c.size for c in cells if c.arm == arm} for arm in kernel_size.ARMS)
    smallest = min(larger)
    assert larger[smallest] == wider[smallest]
    for k, shape in larger.items():
        assert shape[2] == k
        assert wider[k][2] == smallest
        assert count(*wider[k]) == pytest.approx(count(*shape), rel=0.03)


# All


@pytest.mark.parametrize(
    ("phenomenon", "preference", "names"),
    [
        (
            width,
            falls_with_depth,
            ["networks", "preference", "distance_to_constant", "counts"],
        ),
        (kernel_size, lambda c: 1 - c.like / 8, ["networks", "preference", "counts"]),
        (more_images, later_by(3), ["networks", "preference", "similarity"]),
    ],
)
def test_figures_are_whole_and_survive_a_failed_cell(phenomenon, preference, names):
    records = list(records_of(phenomenon, preference))
    records[-1] = replace(records[-1], outcome=None, status="failed", error="out of memory")
    found = Records(records)
    figures = phenomenon.figures(phenomenon.summarise(found), found)
    assert [f.name for f in figures] == names
    gallery = figures[0]
    assert len(gallery.views) == len(phenomenon.PHENOMENON.conditions("standard"))
    assert gallery.inputs.shape == (N_SHOWN, 14, 14)


@pytest.mark.parametrize(
    "phenomenon",
    [width, kernel_size, more_images, initialization],
)
def test_low_precision_is_a_setting_of_every_cell(phenomenon):
    base = phenomenon.PHENOMENON.scales["smoke"].base
    cells = phenomenon.cells(replace(base, precision="bfloat16", max_steps=20))
    (low,) = solve_all([phenomenon.run(cells[0], Streams(0))])
    (exact,) = solve_all([phenomenon.run(replace(cells[0], precision="float32"), Streams(0))])
    assert low.n_steps == exact.n_steps == 20
    # Products rounded at 4e-3 change the loss, but by no more than a tenth in twenty updates.
    assert low.train_loss != exact.train_loss
    assert low.train_loss == pytest.approx(exact.train_loss, rel=0.1)
