"""Images keep every pixel: the PNG decodes to what went in, on the scale that is named."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import numpy as np
import pytest

from overparam.report.images import colorize, image_grid_svg
from overparam.report.png import encode_png
from tests.report.decoding import decode_png


def test_png_holds_every_pixel():
    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    np.testing.assert_array_equal(decode_png(encode_png(rgba)), rgba)


def test_grey_scale_runs_from_low_to_high():
    rgba = colorize(np.array([[-1.0, 0.0, 1.0, 2.0, 9.0]]), 0, 2)
    assert rgba[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert (rgba[..., 0] == rgba[..., 2]).all()


def test_differences_are_white_at_zero_and_symmetric():
    rgb = colorize(np.array([[-0.2, 0.0, 0.2, 0.5]]), -0.2, 0.5, diverging=True)[0, :, :3].astype(
        int
    )
    assert rgb[1].tolist() == [0xF7, 0xF7, 0xF7]
    assert rgb[3].tolist() == [0xB2, 0x18, 0x2B]
    # 0.2 of 0.5 on either side: as far from the middle by the scale's own symmetry.
    blue = 0xF7 - 0.4 * (0xF7 - np.array([0x21, 0x66, 0xAC]))
    np.testing.assert_allclose(rgb[0], blue, atol=1)


def test_colour_images_keep_their_channels():
    image = np.zeros((2, 2, 3))
    image[0, 0] = [1, 0.5, 0]
    assert colorize(image, 0, 1)[0, 0].tolist() == [255, 128, 0, 255]


def test_missing_pixels_are_transparent():
    image = np.array([[np.nan, 1.0]])
    assert colorize(image, 0, 1)[0, :, 3].tolist() == [0, 255]


def test_constant_scale_does_not_divide_by_zero():
    assert np.isfinite(colorize(np.ones((1, 1)), 1.0, 1.0)).all()


@pytest.mark.parametrize("diverging", [False, True])
def test_grid_is_crisp_labelled_and_names_its_scale(synthetic, diverging):
    grid = dataclasses.replace(synthetic(1).figures[2], diverging=diverging, low=-0.25)
    svg = image_grid_svg(grid, titled=True)
    root = ElementTree.fromstring(svg)
    space = {"s": "http://www.w3.org/2000/svg"}
    cells = root.findall(".//s:g/s:image", space)
    assert len(cells) == 3 * 5 - 1  # one cell is empty
    assert all("pixelated" in c.attrib["style"] for c in cells)
    assert all(float(c.attrib["width"]) % 28 == 0 for c in cells)
    texts = [t.text for t in root.findall(".//s:text", space)]
    assert {"ring 0", "image", "Rows of rings"} <= set(texts)
    assert {"−1" if diverging else "−0.25", "1"} <= set(texts)
    titles = [t.text for t in root.findall(".//s:title", space)]
    assert "ring 1, wider by 2, row 1, column 2" in titles
    assert any(t.endswith("no image") for t in titles)
