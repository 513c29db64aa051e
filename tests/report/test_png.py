"""Grey pictures: small files that decode to what went in."""

from __future__ import annotations

import numpy as np
import pytest

from overparam.report.png import encode_grey, grey_levels, grey_url
from tests.report.decoding import decode_png, decode_url

LEVELS = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)


def test_eight_bits_hold_every_level():
    np.testing.assert_array_equal(decode_png(encode_grey(LEVELS))[..., 0], LEVELS)


@pytest.mark.parametrize("width", [6, 7])
def test_four_bits_hold_the_nearest_of_sixteen(width):
    levels = LEVELS[:, :width]
    decoded = decode_png(encode_grey(levels, bits=4))[..., 0].astype(int)
    assert decoded.shape == levels.shape
    # Sixteen levels from 0 to 255 are 17 apart: none is further than half of it.
    assert np.abs(17 * decoded - levels).max() <= 8
    ends = decode_png(encode_grey(np.array([[0, 255]], np.uint8), bits=4))
    assert ends[..., 0].tolist() == [[0, 15]]


def test_four_bits_are_half_the_size_of_noise():
    noise = np.random.default_rng(1).integers(0, 256, (80, 80), dtype=np.uint8)
    assert len(encode_grey(noise, bits=4)) < 0.55 * len(encode_grey(noise))


@pytest.mark.parametrize("bits", [8, 4])
def test_missing_pixels_are_transparent(bits):
    missing = LEVELS > 128
    decoded = decode_png(encode_grey(LEVELS, missing, bits))
    np.testing.assert_array_equal(decoded[..., 1] == 0, missing)
    np.testing.assert_array_equal(decoded[~missing][:, 0], LEVELS[~missing])


def test_levels_follow_the_scale_and_end_with_it():
    values = np.array([[-np.inf, -1.0, 0.0, 0.5, 1.0, 3.0, np.inf]])
    assert grey_levels(values, 0, 1).tolist() == [[0, 0, 0, 128, 255, 255, 255]]


def test_a_constant_has_no_scale_and_is_middle_grey():
    assert grey_levels(np.full((2, 2), 3.0), 3.0, 3.0).tolist() == [[128, 128], [128, 128]]


def test_a_url_is_the_picture():
    image = np.array([[0.0, np.nan], [1.0, 0.2]])
    assert decode_url(grey_url(image, 0, 1)).tolist() == [
        [[0, 255], [0, 0]],
        [[255, 255], [51, 255]],
    ]
