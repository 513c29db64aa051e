"""A small picture of a study's main figure, for the head of a report and for lists of studies."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from overparam.lab.figure import Chart, Figure, HeatMap, NetworkGallery
from overparam.report import svg
from overparam.report.export import figure_svg
from overparam.report.palette import PAGE
from overparam.report.png import grey_url

_ROWS, _COLUMNS = 4, 5  # of a gallery's thumbnail: enough to see the rows differ
_SIDE, _GAP = 44, 4  # pixels
_ROOM = 2 * _GAP  # between the training image and the rest


def thumbnail_svg(figure: Figure) -> str:
    """Return a small picture of `figure` in the page's colours, or "" if there is none.

    Several in one page need names of their own (`page.own_names`).
    """
    if isinstance(figure, NetworkGallery):
        return _gallery(figure)
    if isinstance(figure, HeatMap) and figure.panels:
        notes = None if figure.notes is None else figure.notes[:1]
        first = dataclasses.replace(figure, panels=figure.panels[:1], notes=notes)
        drawing = figure_svg(first, PAGE, width=380, titled=False)
        return re.sub(r' style="min-width:\d+px"', "", drawing, count=1)  # it may shrink
    if not isinstance(figure, Chart) or not figure.panels:
        return ""
    panel = dataclasses.replace(figure.panels[0], rules=())
    first_chart = dataclasses.replace(figure, panels=[panel])
    return figure_svg(first_chart, PAGE, width=380, height=210, titled=False, legend=False)


def _gallery(gallery: NetworkGallery) -> str:
    """Draw the training image, and below some inputs the outputs of some networks."""
    if not gallery.views:
        return ""
    views = next(iter(gallery.families.values()))
    views = [views[k] for k in _spread(len(views), _ROWS)]
    columns = _spread(len(gallery.inputs), _COLUMNS)
    images = [
        (gallery.training[0], 0, 0),
        *((gallery.inputs[i], c + 1, 0) for c, i in enumerate(columns)),
        *(
            (view.outputs[i], c + 1, r + 1)
            for r, view in enumerate(views)
            for c, i in enumerate(columns)
        ),
    ]
    step, parts = _SIDE + _GAP, []
    for image, c, r in images:
        x, y = c * step + (_ROOM if c else 0) + 2, r * step + (_ROOM if r else 0) + 2
        url = grey_url(np.asarray(image, float), gallery.low, gallery.high)
        parts.append(svg.picture(url, (x, y, _SIDE, _SIDE)))
    frame = svg.place((1, 1, _SIDE + 2, _SIDE + 2))
    parts.append(f'<rect {frame} fill="none" stroke="{PAGE["control-0"]}" stroke-width="2"/>')
    width, height = step * (len(columns) + 1) + _ROOM, step * (len(views) + 1) + _ROOM
    return svg.document(parts, width, height, gallery.title)


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` places from first to last, evenly spread.

    >>> _spread(9, 3), _spread(2, 5)
    ([0, 4, 8], [0, 1])
    """
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, most)).tolist()})
