"""More images: the images, and the rule on made-up maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from overparam.lab.records import Records
from overparam.phenomena.identity import more_images
from overparam.phenomena.identity._task import make_identity_task
from overparam.streams import Streams
from tests.phenomena.identity.maps import later_by, made_up, records_of
from tests.phenomena.verdicts import kinds_of


def test_images_are_nested_and_of_different_digits():
    base = more_images.Condition()
    tasks = [more_images.task_of(replace(base, n_images=n), Streams(4)).training for n in (1, 2, 3)]
    assert_close(tasks[0], make_identity_task(Streams(4), 14).training)
    assert_close(tasks[2][:2], tasks[1])
    assert_close(tasks[1][:1], tasks[0])
    apart = torch.pdist(tasks[2].flatten(1))
    assert float(apart.min()) > 1


def test_copies_are_the_first_image_moved_sideways_without_loss():
    c = more_images.Condition(n_images=3, images="shifted copies")
    first, right, left = more_images.task_of(c, Streams(4)).training
    assert_close(right[..., 1:], first[..., :-1])
    assert_close(left[..., :-1], first[..., 1:])
    assert_close(torch.stack([right.sum(), left.sum()]), first.sum().expand(2))


def test_a_later_change_of_sides_is_observed_and_copies_are_absent():
    records = records_of(more_images, later_by(3))
    summaries = more_images.summarise(records)
    assert kinds_of(more_images, records) == {
        "treatment": "observed",
        "shifted copies": "absent",
    }
    depths = np.array([6, 8, 10])
    moved = np.mean(np.tanh((11.5 - depths) / 3) - np.tanh((8.5 - depths) / 3))
    # Noise 0.02 in every network, 40 of them: standard error 0.005.
    assert summaries["treatment"].rise.estimate == pytest.approx(moved, abs=0.02)
    assert list(summaries["treatment"].maps) == [1, 2, 3]
    said = more_images.verdict(summaries["treatment"]).reason
    assert " with 1 image, " in said


def test_no_later_change_of_sides_is_absent():
    assert kinds_of(more_images, records_of(more_images, later_by(0))) == {
        "treatment": "absent",
        "shifted copies": "absent",
    }


def test_the_transition_is_a_median_within_the_sweep():
    at = more_images.transition
    maps = more_images.summarise(records_of(more_images, later_by(3)))
    # The curve is nearly straight between 8 and 10 layers, where it passes 0 at 8.5.
    assert at(maps["treatment"].maps[1]) == pytest.approx(8.5, abs=0.15)
    outside = records_of(more_images, lambda c: 0.9 if c.n_images > 1 else -0.9)
    found = more_images.summarise(outside)["treatment"].maps
    assert [at(found[n]) for n in (1, 3)] == [6.0, 10.0]


def test_a_depth_without_a_network_leaves_no_rise():
    records = [
        replace(r, outcome=made_up(-1.0, learned=False))
        if r.condition.n_images == 3 and r.condition.depth == 10
        else r
        for r in records_of(more_images, lambda c: 0.1 * c.n_images)
    ]
    summary = more_images.summarise(Records(records))["treatment"]
    assert (summary.rise.n, summary.rise.n_missing) == (0, 5)
    assert summary.rises[2].estimate == pytest.approx(0.1, abs=0.02)
    assert summary.maps[3].n_not_learned == 5
    assert more_images.verdict(summary).kind == "inconclusive"
