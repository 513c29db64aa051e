import pytest
import torch

from overparam.data.probe_images import (
    draw_clothes,
    draw_digits,
    draw_patterns,
    make_probe_images,
    resize_images,
)
from overparam.errors import UsageError
from overparam.streams import Streams


@pytest.mark.parametrize("side", [8, 14, 28, 32])
def test_every_kind_is_there_and_in_range(side):
    probe = make_probe_images(Streams(0), side, n_channels=2, n_digits=10, n_clothes=3)
    assert len(probe) == len(probe.kinds) == len(probe.labels) == 10 + 6 + 3 + 7
    assert set(probe.kinds) == {"digit", "blend", "clothing", "pattern"}
    assert probe.images.shape == (26, 2, side, side)
    assert probe.images.min() >= 0
    assert probe.images.max() <= 1
    assert torch.equal(probe.images[:, 0], probe.images[:, 1])
    assert (probe.images.flatten(1).std(1) > 0).all(), "a blank image has no correlation"


def test_digits_are_balanced_and_the_same_at_every_size():
    small, large = (make_probe_images(Streams(5), side) for side in (14, 28))
    assert small.labels == large.labels
    assert sorted(small.labels[:10]) == [f"digit {k}" for k in range(10)]
    assert torch.allclose(resize_images(large.images[:20], 14), small.images[:20])


def test_seeds_differ_and_repeat():
    first, again, other = (make_probe_images(Streams(s), 8).images for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_blends_are_what_they_say():
    probe = make_probe_images(Streams(0), 28)
    digits = {name: probe.images[i] for i, name in reversed(list(enumerate(probe.labels[:10])))}
    at = probe.labels.index("0.25 digit 3 + 0.75 digit 8")
    assert torch.allclose(probe.images[at], 0.25 * digits["digit 3"] + 0.75 * digits["digit 8"])


def test_training_images_are_unseen_ones():
    seven = draw_digits(40, Streams(0))
    unseen = make_probe_images(Streams(0), n_digits=100).images[:100]
    distances = torch.cdist(seven.flatten(1), unseen.flatten(1))
    assert distances.min() > 0.5


def test_smaller_draws_are_the_first_of_larger_ones():
    assert torch.equal(draw_digits(5, Streams(2), 14)[:2], draw_digits(2, Streams(2), 14))
    assert torch.equal(draw_clothes(5, Streams(2), 14)[:2], draw_clothes(2, Streams(2), 14))
    assert draw_digits(400, Streams(0), 8, digit=None).shape == (400, 1, 8, 8)


def test_patterns_by_hand():
    drawn = {name: image[0] for name, image in draw_patterns(16).items()}
    assert drawn["thin stripes"][3].tolist() == [1, 0] * 8
    assert drawn["thick stripes"][3].tolist() == [1, 1, 0, 0] * 4
    assert drawn["small white square"].sum() == 16  # a quarter of the side
    assert drawn["horizontal gradient"][0].diff().allclose(torch.tensor(1 / 15))
    ring = drawn["ring with crescent"]
    assert ring[8, 8:].diff().abs().sum() >= 2  # in, out of the ring
    assert ring[8, 8] == 0
    ellipse = drawn["ellipse"]
    assert ellipse.sum(0).max() < ellipse.sum(1).max()  # wider than high
    assert torch.equal(ellipse, ellipse.flip(0))


def test_resizing_keeps_the_mean_and_the_range():
    images = torch.rand(2, 3, 28, 28)
    assert resize_images(images, 14).mean() == pytest.approx(images.mean().item(), rel=1e-5)
    assert resize_images(images, 40).max() <= images.max() + 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_probe_images(Streams(0), 7), "side is out of range; got 7"),
        (lambda: make_probe_images(Streams(0), 8, n_digits=101), "n_digits is out of range"),
        (lambda: make_probe_images(Streams(0), 8, n_clothes=0), "n_clothes is out of range"),
        (lambda: draw_digits(41, Streams(0)), r"n is out of range; got 41; allowed: \[1, 40\]"),
        (lambda: draw_digits(1, Streams(0), digit=12), "no such digit; got 12"),
        (lambda: draw_clothes(4001, Streams(0)), "n is out of range"),
        (lambda: draw_patterns(4), "side is out of range"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(UsageError, match=message):
        call()
