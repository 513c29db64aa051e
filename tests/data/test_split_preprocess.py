"""Subsets are nested and balanced; preprocessing does what its formula says."""

import math

import numpy as np
import pytest
import torch

from overparam.data import (
    crop_centre,
    draw_split,
    draw_subset,
    make_dataset,
    standardise,
    whiten_images,
)
from overparam.errors import DataError, UsageError
from overparam.streams import Streams


@pytest.fixture
def data():
    labels = torch.tensor([0] * 30 + [1] * 20 + [2] * 10)
    return make_dataset(torch.arange(60.0)[:, None], labels, name="sixty")


@pytest.mark.parametrize("balanced", [False, True])
def test_subsets_are_nested(data, balanced):
    large = draw_subset(data, 30, Streams(0), balanced=balanced)
    for n in (1, 7, 29):
        small = draw_subset(data, n, Streams(0), balanced=balanced)
        assert small.rows.equal(large.rows[:n])
    assert len(set(large.rows.tolist())) == 30
    assert large.base is data.base
    assert not large.rows.equal(draw_subset(data, 30, Streams(1), balanced=balanced).rows)


@pytest.mark.parametrize("n", [1, 2, 3, 17, 30])
def test_balanced_subsets(data, n):
    counts = draw_subset(data, n, Streams(5), balanced=True).labels.bincount(minlength=3)
    assert counts.max() - counts.min() <= 1


def test_every_row_is_as_likely():
    data = make_dataset(torch.arange(5.0)[:, None], [0, 1, 0, 1, 0])
    hits = torch.zeros(5)
    for seed in range(1000):
        hits[draw_subset(data, 2, Streams(seed)).rows] += 1
    assert ((hits / 1000 - 0.4).abs() < 4 * math.sqrt(0.4 * 0.6 / 1000)).all()


@pytest.mark.parametrize("balanced", [False, True])
def test_a_split_is_a_subset_and_the_rest(data, balanced):
    chosen, rest = draw_split(data, 25, Streams(0), balanced=balanced)
    assert chosen.rows.equal(draw_subset(data, 25, Streams(0), balanced=balanced).rows)
    assert sorted(torch.cat([chosen.rows, rest.rows]).tolist()) == list(range(60))


def test_faults_of_subsets(data):
    for n in (0, 61):
        with pytest.raises(UsageError, match="n is out of range"):
            draw_subset(data, n, Streams(0))
    with pytest.raises(UsageError, match="n is out of range"):
        draw_split(data, 60, Streams(0))
    with pytest.raises(DataError, match="too few rows of a class for 34 balanced"):
        draw_subset(data, 34, Streams(0), balanced=True)
    with pytest.raises(DataError, match="cannot be balanced"):
        draw_subset(make_dataset([[0.0]], [[1.0]], None), 1, Streams(0), balanced=True)


# Preprocessing


@pytest.fixture
def images():
    pixels = torch.rand(40, 3, 6, 7, generator=torch.Generator().manual_seed(0)).double()
    return make_dataset(pixels * torch.tensor([1.0, 2.0, 5.0])[:, None, None], torch.arange(40) % 2)


@pytest.mark.parametrize(
    ("over", "axes"), [("all", None), ("channel", (0, 2, 3)), ("feature", (0,))]
)
def test_standardise_uses_the_training_set_alone(images, over, axes):
    train, test = images.head(25), images.subset(torch.arange(25, 40))
    ours_train, ours_test = standardise(train, test, over)
    x = train.inputs.numpy()
    mean, std = x.mean(axes, keepdims=True), x.std(axes, keepdims=True)
    np.testing.assert_allclose(ours_train.inputs, (x - mean) / std, atol=1e-12)
    np.testing.assert_allclose(ours_test.inputs, (test.inputs.numpy() - mean) / std, atol=1e-12)
    assert ours_test.labels.equal(test.labels)


def test_constant_features_become_zero():
    train = make_dataset([[1.0, 5.0], [3.0, 5.0]], [0, 1])
    test = make_dataset([[1.0, 6.0], [2.0, 5.0]], [0, 1])
    ours_train, ours_test = standardise(train, test, "feature")
    assert ours_train.inputs.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert ours_test.inputs.tolist() == [[-1.0, 1.0], [0.0, 0.0]]


def test_whitening_is_per_image(images):
    whitened = whiten_images(images).inputs
    for before, after in zip(images.inputs.numpy(), whitened.numpy(), strict=True):
        expected = (before - before.mean()) / max(before.std(), 1 / math.sqrt(3 * 6 * 7))
        np.testing.assert_allclose(after, expected, atol=1e-12)
    faint = make_dataset([[0.0, 2e-3], [1.0, 1.0]], [0, 1])  # below the floor of 1 / sqrt(2)
    expected = torch.tensor([[-1e-3, 1e-3], [0, 0]], dtype=torch.float64) * math.sqrt(2)
    torch.testing.assert_close(whiten_images(faint).inputs, expected)


def test_crop():
    pixels = torch.arange(30.0).reshape(1, 1, 5, 6).repeat(2, 1, 1, 1)
    cropped = crop_centre(make_dataset(pixels, [0, 1]), 3).inputs
    assert cropped[0, 0].tolist() == [[7.0, 8.0, 9.0], [13.0, 14.0, 15.0], [19.0, 20.0, 21.0]]


def test_faults_of_preprocessing(images):
    flat = make_dataset(torch.zeros(4, 2), [0, 1, 0, 1])
    with pytest.raises(DataError, match="differ in shape"):
        standardise(images, flat)
    with pytest.raises(DataError, match="do not vary"):
        standardise(flat, flat)
    with pytest.raises(DataError, match="have no channels"):
        standardise(flat, flat, "channel")
    with pytest.raises(UsageError, match="did you mean 'channel'"):
        standardise(images, images, "chanel")
    with pytest.raises(DataError, match="inputs are not images"):
        crop_centre(flat, 1)
    with pytest.raises(UsageError, match="side is out of range"):
        crop_centre(images, 7)
