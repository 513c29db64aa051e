"""`ImageGrid` to SVG: crisp pixels on one named scale, rows and columns labelled."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from overparam.lab.figure import ImageGrid
from overparam.report import svg
from overparam.report.formatting import format_number
from overparam.report.palette import LIGHT
from overparam.report.placement import LINE_HEIGHT, text_width, wrap
from overparam.report.png import data_url, encode_png

CELL = 84  # wished height of a cell in pixels; the pixels of an image are enlarged by whole numbers
GAP = 6
_LEAST = 0.75  # on a narrow screen the grid shrinks this far before it scrolls
_BAR = (150, 12)  # width and height of the scale bar
# Blue, white, red: the ends differ in hue for every kind of colour vision, and the middle is 0.
_DIVERGING = np.array([[0x21, 0x66, 0xAC], [0xF7, 0xF7, 0xF7], [0xB2, 0x18, 0x2B]], float)


def image_grid_svg(
    grid: ImageGrid, palette: Mapping[str, str] = LIGHT, *, titled: bool = False
) -> str:
    """Return the grid as an SVG document; hovering a cell shows its note."""
    rows, columns, height, width = np.shape(grid.images)[:4]
    zoom = max(1, round(CELL / max(height, 1)))
    cell_w, cell_h = width * zoom, height * zoom
    row_names = [wrap(label, 130) for label in grid.row_labels]
    column_names = [wrap(label, max(cell_w, 40), 11) for label in grid.column_labels]
    left = max((text_width(t) for lines in row_names for t in lines), default=0) + 18
    step_x = max(cell_w, max((text_width(t, 11) for n in column_names for t in n), default=0)) + GAP
    step_y = max(cell_h, LINE_HEIGHT * max((len(n) for n in row_names), default=1)) + GAP
    total_w = max(left + columns * step_x, left + _BAR[0] + 160) + 8
    parts = svg.heading(grid.title, total_w, palette) if titled else []
    top = svg.heading_height(grid.title, total_w) if titled else 0.0
    top += 13 * max((len(n) for n in column_names), default=0) + 14
    total_h = top + rows * step_y + 46
    for c, lines in enumerate(column_names[:columns]):
        for i, line in enumerate(reversed(lines)):
            x = left + c * step_x + cell_w / 2
            parts.append(svg.text(x, top - 8 - 13 * i, line, palette["ink"], 11, "middle"))
    for r in range(rows):
        y = top + r * step_y
        for i, line in enumerate(row_names[r] if r < len(row_names) else []):
            middle = y + cell_h / 2 + (i - (len(row_names[r]) - 1) / 2) * LINE_HEIGHT + 4
            parts.append(svg.text(left - 10, middle, line, palette["ink"], 12, "end"))
        for c in range(columns):
            place = (left + c * step_x, y, cell_w, cell_h)
            parts.append(_cell(grid, r, c, place, palette))
    parts += scale_bar(grid.low, grid.high, left, top + rows * step_y + 12, palette, grid.diverging)
    return svg.document(parts, total_w, total_h, grid.title, least_width=_LEAST * total_w)


def colorize(image: np.ndarray, low: float, high: float, diverging: bool = False) -> np.ndarray:
    """Return `image` `[h, w]` or `[h, w, 3]` as RGBA bytes `[h, w, 4]`; NaN is transparent.

    Values beyond the scale get the colour of its end. A diverging scale is symmetric around 0.

    >>> colorize(np.array([[0.0, 1.0, np.nan]]), 0, 1)[0].tolist()
    [[0, 0, 0, 255], [255, 255, 255, 255], [0, 0, 0, 0]]
    """
    values = np.asarray(image, float)
    missing = np.isnan(values) if values.ndim == 2 else np.isnan(values).any(-1)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    if diverging and values.ndim == 2:
        reach = max(abs(low), abs(high)) or 1.0
        share = np.clip(values / reach, -1, 1) + 1
        rgb = np.stack([np.interp(share, [0, 1, 2], _DIVERGING[:, k]) for k in range(3)], -1)
    else:
        share = np.clip((values - low) / ((high - low) or 1.0), 0, 1) * 255
        rgb = share if share.ndim == 3 else np.repeat(share[..., None], 3, axis=-1)
    alpha = np.where(missing, 0, 255)[..., None]
    return np.concatenate([np.where(alpha > 0, np.rint(rgb), 0), alpha], -1).astype(np.uint8)


def scale_bar(
    low: float,
    high: float,
    x: float,
    y: float,
    palette: Mapping[str, str],
    diverging: bool = False,
) -> list[str]:
    """Return the bar that names the values drawn black and white, its left end at (x, y)."""
    if diverging:
        high = max(abs(low), abs(high))
        low = -high
    ramp = colorize(np.linspace(low, high, 101)[None], low, high, diverging)
    first = format_number(low)
    start = x + text_width(first) + 8
    bar = svg.place((start, y, *_BAR))
    return [
        f'<image {bar} href="{data_url(encode_png(ramp))}" preserveAspectRatio="none"/>',
        f'<rect {bar} fill="none" stroke="{palette["axis"]}"/>',
        svg.text(x, y + 10, first, palette["muted"]),
        svg.text(start + _BAR[0] + 8, y + 10, format_number(high), palette["muted"]),
    ]


def _cell(
    grid: ImageGrid,
    row: int,
    column: int,
    box: svg.Box,
    palette: Mapping[str, str],
) -> str:
    image = np.asarray(grid.images[row, column], float)
    note = grid.notes[row][column] if grid.notes else ""
    label = ", ".join(
        t for t in (_label(grid.row_labels, row), _label(grid.column_labels, column), note) if t
    )
    if np.isnan(image).all():
        return svg.empty(box, label, palette)
    url = data_url(encode_png(colorize(image, grid.low, grid.high, grid.diverging)))
    return f"<g><title>{escape(label)}</title>{svg.picture(url, box)}</g>"


def _label(labels: object, index: int) -> str:
    return labels[index] if index < len(labels) else ""  # type: ignore[arg-type,index]
