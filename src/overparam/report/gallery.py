"""`NetworkGallery` to SVG (for files and print shops) and to the pixels that a page carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from overparam.lab.figure import NetworkGallery, NetworkView
from overparam.report import svg
from overparam.report.formatting import format_number
from overparam.report.images import scale_bar
from overparam.report.palette import LIGHT
from overparam.report.placement import LINE_HEIGHT, text_width, wrap
from overparam.report.png import data_url, encode_grey, grey_levels, grey_url

LAYER_BYTES = 1_100_000  # of one page's layer images; beyond it they are drawn more coarsely
_QUALITIES = ((8, 1), (4, 1), (4, 2))  # bits a pixel, pixels merged along each side
_ROOM = 850  # pixels of a page's width for the columns
_CELL_WIDTHS = (40, 84)
GAP = 4
_SMALL = 10.5  # font size of labels above columns and of notes


@dataclass(frozen=True)
class Strip:
    """One hidden layer's images of all inputs, side by side in one picture.

    Attributes:
        label: of the layer. url: the picture. width, height: of one image in pixels.
        ranges: what black and white stand for, one text an input.
    """

    label: str
    url: str
    width: int
    height: int
    ranges: tuple[str, ...]


def cell_width(gallery: NetworkGallery) -> int:
    """Return the width in pixels of a drawn image: a whole multiple of its own."""
    n_inputs, _, width = np.shape(gallery.inputs)
    fitting = (_ROOM // max(n_inputs, 1) - GAP) // width
    least, most = -(-_CELL_WIDTHS[0] // width), max(_CELL_WIDTHS[1] // width, 1)
    return width * max(min(fitting, most), least)


def gallery_svg(
    gallery: NetworkGallery, palette: Mapping[str, str] = LIGHT, *, titled: bool = False
) -> str:
    """Return all families as one SVG document, one grid below the other."""
    side = cell_width(gallery)
    height = round(side * gallery.inputs.shape[1] / gallery.inputs.shape[2])
    names = [wrap(label, max(side, 62), _SMALL) for label in gallery.input_labels]
    step = max([side, *(text_width(t, _SMALL) for n in names for t in n)]) + GAP
    labels = ["trained on", *(t for v in gallery.views for t in _row_lines(v))]
    left = max(len(gallery.training) * (side + GAP), *map(text_width, labels)) + 24
    total_w = max(left + len(names) * step, left + 310) + 8
    parts = svg.heading(gallery.title, total_w, palette) if titled else []
    y = svg.heading_height(gallery.title, total_w) + 4 if titled else 0.0
    corners = [wrap(training_words(gallery, f), left - 20, _SMALL) for f in gallery.families]
    above = 13.0 * max((len(n) for n in [*names, *corners]), default=1) + 12
    families = gallery.families or {"": ()}
    for family, views in families.items():
        y += 20
        parts.append(svg.text(8, y, _capital(family), palette["ink"], 14, weight=600))
        y += above
        parts += _training(gallery, family, (left, side, height), y, palette)
        for c, lines in enumerate(names):
            middle = left + c * step + side / 2
            for i, line in enumerate(reversed(lines)):
                place = y - 6 - 13 * i
                parts.append(svg.text(middle, place, line, palette["ink"], _SMALL, "middle"))
            box = (left + c * step, y, side, height)
            parts.append(_picture(gallery, gallery.inputs[c], gallery.input_labels[c], box))
        y += height + 22
        parts.append(f'<path d="M8 {y - 11:.1f}H{total_w - 8:.0f}" stroke="{palette["grid"]}"/>')
        for view in views:
            parts += _row(gallery, view, (left, y, side, height), step, palette)
            y += max(height, LINE_HEIGHT * len(_row_lines(view))) + GAP
        y += 14
    parts += scale_bar(gallery.low, gallery.high, left, y + 6, palette)
    return svg.document(parts, total_w, y + 36, gallery.title)


def training_words(gallery: NetworkGallery, family: str) -> str:
    """Return what stands at the training images of a family."""
    return gallery.training_words.get(family, "trained on")


def gallery_notes(gallery: NetworkGallery) -> list[str]:
    """Return the sentences that say how the images are to be read."""
    low, high = format_number(gallery.low), format_number(gallery.high)
    notes = [
        f"Inputs, outputs and training images share one scale, black at {low} and white at {high};"
        " values beyond it are drawn as its ends."
    ]
    if any(len(v.layers) for v in gallery.views):
        notes.append(
            "Each image of a hidden layer is scaled on its own, from its smallest to its largest"
            " value: it shows shape, not size."
        )
    return notes


def view_strips(gallery: NetworkGallery) -> tuple[str, list[list[Strip]]]:
    """Return the strips of each view, in order of families, as fine as `LAYER_BYTES` allow.

    The text says what was given up, "" for nothing: first 256 greys for 16, then the resolution.
    Where even that is too much, there are no strips.
    """
    views = [view for family in gallery.families.values() for view in family]
    for bits, merge in _QUALITIES:
        strips = [
            [layer_strip(i, t, bits, merge) for i, t in zip(v.layers, v.layer_labels, strict=True)]
            for v in views
        ]
        if sum(len(s.url) for one in strips for s in one) <= LAYER_BYTES:
            coarse = ["16 greys"] * (bits == 4) + ["half their resolution"] * (merge == 2)
            return " and ".join(coarse), strips
    return "no images", [[] for _ in views]


def layer_strip(images: Any, label: str, bits: int = 8, merge: int = 1) -> Strip:
    """Return one layer's `[n_inputs, h, w]` images, each scaled from its least to its most.

    Args:
        bits: see `encode_grey`. merge: side of the squares of pixels that become their mean.
    """
    images = merge_pixels(np.asarray(images, float), merge)
    height, width = images.shape[1:]
    levels, ranges = [], []
    for image in images:
        seen = image[np.isfinite(image)]
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
        levels.append(grey_levels(image, low, high))
        ranges.append(f"{format_number(low, 2)} to {format_number(high, 2)}")
    side_by_side = np.concatenate(levels, axis=1)
    missing = np.concatenate(list(np.isnan(images)), axis=1)
    url = data_url(encode_grey(side_by_side, missing, bits))
    return Strip(label, url, width, height, tuple(ranges))


def merge_pixels(images: np.ndarray, side: int) -> np.ndarray:
    """Return `[n, h, w]` images whose squares of `side` pixels became their mean; edges too.

    >>> merge_pixels(np.array([[[1.0, 3.0, 8.0], [1.0, 3.0, 6.0]]]), 2).tolist()
    [[[2.0, 7.0]]]
    """
    if side == 1:
        return images
    height, width = images.shape[1:]
    pad = ((0, 0), (0, -height % side), (0, -width % side))
    whole = np.pad(images, pad, mode="edge")
    blocks = whole.reshape(len(images), whole.shape[1] // side, side, whole.shape[2] // side, side)
    return blocks.mean((2, 4))


def gallery_data(gallery: NetworkGallery) -> dict[str, Any]:
    """Return the gallery for JSON: scores in full, images as PNG files with their scales."""
    scale = {"low": gallery.low, "high": gallery.high}

    def images(stack: Any) -> list[str]:
        return [grey_url(np.asarray(i, float), gallery.low, gallery.high) for i in stack]

    return {
        "level_name": gallery.level_name,
        "level_unit": gallery.level_unit,
        "scale": scale,
        "inputs": images(gallery.inputs),
        "input_labels": list(gallery.input_labels),
        "training": images(gallery.training),
        "training_labels": list(gallery.training_labels),
        "views": [
            {
                "family": family,
                "trained_on": training_words(gallery, family),
                "label": view.label,
                "level": view.level,
                "note": view.note,
                "scores": {name: np.asarray(v, float) for name, v in view.scores.items()},
                "outputs": images(view.outputs),
                "layers": [
                    layer_strip(i, t) for i, t in zip(view.layers, view.layer_labels, strict=True)
                ],
            }
            for family, views in gallery.families.items()
            for view in views
        ],
    }


def _row(
    gallery: NetworkGallery,
    view: NetworkView,
    first: svg.Box,
    step: float,
    palette: Mapping[str, str],
) -> list[str]:
    left, y, side, height = first
    lines, parts = _row_lines(view), []
    for i, line in enumerate(lines):
        middle = y + height / 2 + (i - (len(lines) - 1) / 2) * LINE_HEIGHT + 4
        noted = i > 0 and bool(view.note)
        color, size = palette["muted" if noted else "ink"], _SMALL if noted else 12
        parts.append(svg.text(left - 10, middle, line, color, size, "end"))
    for c, output in enumerate(view.outputs):
        label = f"{view.label}, {gallery.input_labels[c]}"
        parts.append(_picture(gallery, output, label, (left + c * step, y, side, height)))
    return parts


def _training(
    gallery: NetworkGallery,
    family: str,
    sizes: tuple[float, float, float],
    y: float,
    palette: Mapping[str, str],
) -> list[str]:
    left, side, height = sizes
    words = training_words(gallery, family)
    parts = [
        svg.text(8, y - 6 - 13 * i, line, palette["ink"], _SMALL, weight=600)
        for i, line in enumerate(reversed(wrap(words, left - 20, _SMALL)))
    ]
    for k, image in enumerate(gallery.training):
        box = (8 + k * (side + GAP), y, side, height)
        parts.append(_picture(gallery, image, f"{words}: {gallery.training_labels[k]}", box))
    return parts


def _picture(gallery: NetworkGallery, image: Any, label: str, box: svg.Box) -> str:
    image = np.asarray(image, float)
    if np.isnan(image).all():
        return svg.empty(box, label, LIGHT)
    url = grey_url(image, gallery.low, gallery.high)
    return f"<g><title>{escape(label)}</title>{svg.picture(url, box)}</g>"


def _row_lines(view: NetworkView) -> Sequence[str]:
    return [*wrap(view.label, 130), *(wrap(view.note, 130, _SMALL) if view.note else [])]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
