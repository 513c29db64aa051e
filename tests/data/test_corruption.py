"""Corruption: rates by definition, rows nested as the rate rises, and inputs shared."""

import math
from itertools import pairwise

import pytest
import torch

from overparam.data import (
    corrupt_labels_uniform,
    corrupt_labels_wrong,
    draw_split,
    draw_subset,
    gaussian_inputs,
    is_corrupted,
    make_dataset,
    random_labels,
    random_pixels,
    shuffle_pixels,
)
from overparam.errors import DataError, UsageError
from overparam.streams import Streams

N, K = 20_000, 10
BOTH = pytest.mark.parametrize("corrupt", [corrupt_labels_uniform, corrupt_labels_wrong])


@pytest.fixture(scope="module")
def data():
    return make_dataset(torch.zeros(N, 1), torch.arange(N) % K, name="zeros")


@pytest.fixture(scope="module")
def images():
    pixels = torch.rand(50, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    return make_dataset(pixels, torch.arange(50) % 2, name="images/train")


def within(observed: float, expected: float, n: int) -> bool:
    return abs(observed - expected) <= 4 * math.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_changed_fraction_is_the_defined_one(data, rate):
    uniform = is_corrupted(data, corrupt_labels_uniform(data, rate, Streams(3)))
    wrong = is_corrupted(data, corrupt_labels_wrong(data, rate, Streams(3)))
    assert within(float(uniform.float().mean()), rate * (1 - 1 / K), N)
    assert within(float(wrong.float().mean()), rate, N)


def test_wrong_labels_are_equally_likely_and_never_the_own(data):
    shift = (corrupt_labels_wrong(data, 1.0, Streams(4)).labels - data.labels) % K
    counts = shift.bincount(minlength=K).tolist()
    assert counts[0] == 0
    assert all(within(count / N, 1 / (K - 1), N) for count in counts[1:])


def test_random_labels_are_uniform_and_carry_nothing_of_the_old(data):
    random = random_labels(data, Streams(5))
    table = torch.zeros(K, K).index_put_((data.labels, random.labels), torch.ones(N), True)
    assert all(within(share / (N / K), 1 / K, N // K) for share in table.flatten().tolist())
    assert random.labels.equal(corrupt_labels_uniform(data, 1.0, Streams(5)).labels)


@BOTH
def test_raising_the_rate_only_adds_rows(data, corrupt):
    levels = [corrupt(data, rate, Streams(6)) for rate in (0.1, 0.3, 0.3, 0.8, 1.0)]
    for low, high in pairwise(levels):
        changed = is_corrupted(data, low)
        assert low.labels[changed].equal(high.labels[changed])
        assert is_corrupted(data, high).sum() >= changed.sum()


@BOTH
def test_a_row_keeps_its_draw_in_every_subset(data, corrupt):
    few = draw_subset(data, 500, Streams(1))
    corrupted_few = corrupt(few, 0.4, Streams(1))
    whole = corrupt(data, 0.4, Streams(1))
    assert corrupted_few.labels.equal(draw_subset(whole, 500, Streams(1)).labels)
    twice = torch.tensor([7, 7, 7, 3])
    assert corrupt(data.subset(twice), 0.4, Streams(1)).labels.equal(whole.labels[twice])


@BOTH
def test_seeds_and_streams_differ_and_repeat(data, corrupt):
    first = corrupt(data, 0.5, Streams(0)).labels
    assert first.equal(corrupt(data, 0.5, Streams(0)).labels)
    assert not first.equal(corrupt(data, 0.5, Streams(1)).labels)
    assert not first.equal(corrupt(data, 0.5, Streams(0), "other").labels)


@BOTH
def test_labels_are_views_and_the_global_generators_rest(data, corrupt):
    state = torch.get_rng_state()
    corrupted = corrupt(data, 0.5, Streams(0))
    assert corrupted.base is data.base
    assert data.labels.equal(torch.arange(N) % K)
    assert torch.get_rng_state().equal(state)
    assert "0.5" in corrupted.name


@BOTH
def test_faults_of_labels(data, corrupt):
    for rate in (-0.1, 1.1, math.nan):
        with pytest.raises(UsageError, match="label_noise_rate is out of range"):
            corrupt(data, rate, Streams(0))
    with pytest.raises(DataError, match="floating targets"):
        corrupt(make_dataset([[0.0]], [[1.0]], None), 0.5, Streams(0))


def test_one_class_has_no_wrong_label():
    one = make_dataset([[0.0], [1.0]], [0, 1]).with_labels(torch.zeros(2, dtype=torch.int64), "", 1)
    with pytest.raises(DataError, match="no wrong class to draw"):
        corrupt_labels_wrong(one, 0.5, Streams(0))


def test_is_corrupted():
    clean = make_dataset([[0.0], [1.0], [2.0]], [0, 1, 1])
    other = clean.with_labels(torch.tensor([0, 0, 1]), "")
    assert is_corrupted(clean, other).tolist() == [False, True, False]
    targets = clean.with_labels(torch.tensor([[0.0, 1.0]] * 3), "", None)
    moved = targets.with_labels(torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 1.0]]), "", None)
    assert is_corrupted(targets, moved).tolist() == [False, True, False]
    with pytest.raises(DataError, match="do not hold the same rows"):
        is_corrupted(clean, clean.head(2))


# Inputs


def test_one_permutation_for_all_images_and_both_sets(images):
    shuffled = shuffle_pixels(images, Streams(2))
    order = torch.from_numpy(Streams(2).numpy("noise").permutation(20))
    for before, after in zip(images.inputs, shuffled.inputs, strict=True):
        for channel in range(3):  # a pixel moves with its channels
            assert after[channel].flatten().equal(before[channel].flatten()[order])
    test = images.head(10).with_inputs(images.inputs[:10], "")
    assert shuffle_pixels(test, Streams(2)).inputs.equal(shuffled.inputs[:10])
    assert not shuffled.inputs.equal(images.inputs)
    assert shuffled.labels.equal(images.labels)
    flat = images.with_inputs(images.inputs.flatten(1), "")
    assert sorted(shuffle_pixels(flat, Streams(2)).inputs[0].tolist()) == sorted(
        flat.inputs[0].tolist()
    )


def test_a_permutation_of_its_own_for_every_image():
    pixels = torch.arange(1.0, 51).expand(400, 50).reshape(400, 1, 5, 10)
    equal = make_dataset(pixels, torch.arange(400) % 2, name="a/train")
    scattered = random_pixels(equal, Streams(2)).inputs
    assert scattered.flatten(1).sort(1).values.equal(pixels.flatten(1))
    assert len({tuple(row) for row in scattered.flatten(1).tolist()}) == 400
    # Each pixel is as likely in each place: mean 25.5, variance (50^2 - 1) / 12.
    error = (scattered.flatten(1).mean(0) - 25.5).abs().max()
    assert error < 4 * math.sqrt((2500 - 1) / 12 / 400)


def test_channels_move_together(images):
    scattered = random_pixels(images, Streams(2)).inputs
    for before, after in zip(images.inputs, scattered, strict=True):
        assert sorted(before.flatten(1).T.tolist()) == sorted(after.flatten(1).T.tolist())


def test_gaussian_inputs_match_mean_and_variance(images):
    wide = images.with_inputs(images.inputs.repeat(100, 1, 1, 1)[:50].expand(50, 3, 4, 5), "")
    normal = gaussian_inputs(wide, Streams(2)).inputs
    mean, std = float(wide.inputs.mean()), float(wide.inputs.std(correction=0))
    assert abs(float(normal.mean()) - mean) < 4 * std / math.sqrt(normal.numel())
    assert abs(float(normal.std()) / std - 1) < 4 / math.sqrt(2 * normal.numel())
    assert normal.dtype == images.base.dtype
    other = make_dataset(torch.full((4, 2), 7.0), [0, 1, 0, 1], name="b")
    assert gaussian_inputs(other, Streams(2)).inputs.equal(other.inputs)  # no variance
    assert not gaussian_inputs(other, Streams(2), like=images).inputs.equal(other.inputs)


def drawn(corrupt, dataset, like):
    keywords = {"like": like} if corrupt is gaussian_inputs else {}
    return corrupt(dataset, Streams(2), **keywords).inputs


@pytest.mark.parametrize("corrupt", [random_pixels, gaussian_inputs])
def test_draws_are_a_rows_own_in_every_view(images, corrupt, monkeypatch):
    for rows_at_once in (1024, 7):  # in one block, and in several
        monkeypatch.setattr("overparam.data.corruption.ROWS_AT_ONCE", rows_at_once)
        whole = drawn(corrupt, images, images)
        assert drawn(corrupt, images.head(20), images).equal(whole[:20])
        some = torch.tensor([30, 2, 2, 19])
        assert drawn(corrupt, images.subset(some), images).equal(whole[some])
        relabelled = random_labels(images, Streams(5))
        assert drawn(corrupt, relabelled, images).equal(whole)


@pytest.mark.parametrize("corrupt", [random_pixels, gaussian_inputs])
def test_no_two_sets_share_draws_whatever_their_names(corrupt):
    """Of ones and a pattern that is the same in all, so that equal draws give equal images."""
    pattern = torch.arange(48.0).reshape(1, 3, 4, 4).repeat(40, 1, 1, 1)
    labels = torch.arange(40) % 4

    def made(name, n=40, last=0.0):
        inputs = pattern[:n].clone()
        inputs[-1, 0, 0, 0] = last
        return make_dataset(inputs, labels[:n], 4, name=name)

    train = made("faces (train)")
    first, second = draw_split(train, 20, Streams(0))
    others = [
        made("faces (test)"),  # only the name
        made("faces (train)", n=20),  # only the length
        made("faces (train)", last=1.0),  # only one pixel of one image
        first.with_inputs(first.inputs, "+copied"),
        second.with_inputs(second.inputs, "+copied"),
        train.with_inputs(train.inputs, "+whitened").subset(torch.arange(20, 40)),
    ]
    draws = [drawn(corrupt, part, train)[:10] for part in (train, *others)]
    assert len({d.numpy().tobytes() for d in draws}) == len(draws)
    assert drawn(corrupt, made("faces (train)"), train).equal(drawn(corrupt, train, train))


def test_integer_inputs_are_replaced_by_floating_ones():
    tokens = make_dataset(torch.arange(400).reshape(100, 4) % 7, torch.arange(100) % 2)
    normal = gaussian_inputs(tokens, Streams(0)).inputs
    assert normal.dtype == torch.float32
    assert abs(float(normal.mean()) - float(tokens.inputs.double().mean())) < 4 * 2 / 400**0.5
    assert random_pixels(tokens, Streams(0)).inputs.dtype == torch.int64
