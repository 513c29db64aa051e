"""Fingerprints: what they ignore and what they do not, by loops and by invariance."""

import itertools

import numpy as np
import pytest
import torch

from overparam.errors import DataError, UsageError
from overparam.models import (
    AverageHash,
    InvariantFingerprint,
    cyclic_shifts,
    exact_fingerprint,
    mirrored,
)


def images(n=6, channels=2, side=7, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((n, channels, side, side)))


def test_average_hash_by_loops():
    x = images(side=6)
    slow = [
        [
            float(cell.mean() > channel.mean())
            for channel in image
            for rows in channel.split(2)
            for cell in rows.split(2, dim=1)
        ]
        for image in x
    ]
    assert AverageHash(3)(x).tolist() == slow


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_average_hash_ignores_brightness_and_contrast_alone(dtype):
    x = images(50).to(dtype)
    code = AverageHash(4)(x)
    for contrast, brightness in itertools.product((0.01, 0.7, 300.0), (-5.0, 0.0, 40.0)):
        torch.testing.assert_close(AverageHash(4)(contrast * x + brightness), code)
    assert not torch.equal(AverageHash(4)(-x), code)
    assert not torch.equal(AverageHash(4)(x.roll(3, -1)), code)


def test_an_even_image_has_no_bright_cell():
    even = torch.full((1, 1, 9, 9), 0.1)  # of which no mean is 0.1 to the last digit
    assert AverageHash(4)(even).sum() == 0


def brute_force(x, views, of=lambda v: v):
    return [min(tuple(of(v).flatten().tolist()) for v in views(row[None])[0]) for row in x]


@pytest.mark.parametrize("views", [mirrored, cyclic_shifts])
def test_the_smallest_view_by_brute_force_is_the_same_for_all_views(views):
    x = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (30, 2, 5)).astype(float))
    fingerprint = InvariantFingerprint(views)
    codes = fingerprint(x)
    assert [tuple(c) for c in codes.tolist()] == brute_force(x, views)
    for view in views(x).unbind(1):
        torch.testing.assert_close(fingerprint(view), codes, rtol=0, atol=0)
    assert len({tuple(c) for c in codes.tolist()}) > 10  # and yet tells inputs from each other


def test_invariances_add_up():
    x = images(20)
    both = InvariantFingerprint(mirrored, AverageHash(4))
    changed = 0.3 * x.flip(-1) + 2
    torch.testing.assert_close(both(changed), both(x), rtol=0, atol=0)
    assert not torch.equal(AverageHash(4)(changed), AverageHash(4)(x))


def test_exact_fingerprints_keep_every_entry():
    x = images()
    assert torch.equal(exact_fingerprint(x).reshape(x.shape), x)


@pytest.mark.parametrize(
    ("shape", "match"),
    [((3, 10), r"got \[3, 10\]"), ((3, 1, 7, 9), "both sides >= 8")],
)
def test_average_hash_refuses_what_is_no_image(shape, match):
    with pytest.raises(DataError, match=match):
        AverageHash(8)(torch.zeros(shape))
    with pytest.raises(UsageError, match="n_cells"):
        AverageHash(0)


def test_views_that_cannot_be_undone_are_refused():
    def cut_off(x):
        return torch.stack((x, torch.nn.functional.pad(x, (1, 0))[..., :-1]), dim=1)

    with pytest.raises(UsageError, match=r"views are not closed.*view of input 0"):
        InvariantFingerprint(cut_off)(images())
    with pytest.raises(DataError, match=r"views do not fit the inputs; got \[6, 7\]"):
        InvariantFingerprint(lambda x: x.flatten(1)[:, :7])(images())
