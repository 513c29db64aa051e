"""The numbers behind galleries of networks and heat maps: one row for each of their cells."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from overparam.lab.figure import HeatMap, NetworkGallery
from overparam.report.formatting import format_number

MOST_GALLERY_ROWS = 200  # longer tables show each network's mean over inputs in the page

Rows = tuple[list[str], list[list[Any]]]


def gallery_rows(gallery: NetworkGallery) -> Rows:
    """Return headers and one row for each network and input: its scores."""
    names = score_names(gallery)
    columns = ["Family", "Network", level_title(gallery), "Input", *names, "Note"]
    rows = [
        [family, view.label, view.level, label, *(view.scores[n][i] for n in names), view.note]
        for family, views in gallery.families.items()
        for view in views
        for i, label in enumerate(gallery.input_labels)
    ]
    return columns, rows


def gallery_page_rows(gallery: NetworkGallery) -> Rows:
    """Return `gallery_rows`, or where they are too many one row a network: means over inputs."""
    if len(gallery.views) * len(gallery.input_labels) <= MOST_GALLERY_ROWS:
        return gallery_rows(gallery)
    names = score_names(gallery)
    means = [f"{name}, mean over inputs" for name in names]
    rows = [
        [family, view.label, view.level, *(_mean(view.scores[n]) for n in names), view.note]
        for family, views in gallery.families.items()
        for view in views
    ]
    return ["Family", "Network", level_title(gallery), *means, "Note"], rows


def heat_rows(heat: HeatMap) -> Rows:
    """Return headers and one row for each cell, borders of its column where there are any."""
    quantity = f"{heat.quantity} ({heat.unit})" if heat.unit else heat.quantity
    x, y = (f"{a.quantity} ({a.unit})" if a.unit else a.quantity for a in (heat.x, heat.y))
    edged = heat.x_edges is not None
    columns = ["Panel", y, *([f"{x}, from", f"{x}, to"] if edged else [x]), quantity]
    rows: list[list[Any]] = []
    for p, (title, values) in enumerate(heat.panels):
        for r, label in enumerate(heat.y_labels):
            for c, value in enumerate(np.asarray(values, float)[r]):
                place: list[Any] = [] if heat.x_edges is not None else [heat.x_labels[c]]
                if heat.x_edges is not None:
                    place = [float(heat.x_edges[c]), float(heat.x_edges[c + 1])]
                note = [heat.notes[p][r][c]] if heat.notes is not None else []
                rows.append([title, label, *place, float(value), *note])
    return columns + (["Note"] if heat.notes is not None else []), rows


def score_names(gallery: NetworkGallery) -> list[str]:
    """Return the names of the scores, which all views share."""
    return list(gallery.views[0].scores) if gallery.views else []


def level_title(gallery: NetworkGallery) -> str:
    """Return what the slider moves, with its unit."""
    name, unit = gallery.level_name, gallery.level_unit
    return f"{name} ({unit})" if unit else name


def column_names(heat: HeatMap) -> list[str]:
    """Return one text a column: its label, or its borders.

    >>> from overparam.lab.figure import Axis
    >>> values = np.zeros((1, 2))
    >>> heat = HeatMap("h", "t", "", Axis("s"), Axis("d"), ["1"], [("", values)], "r",
    ...     x_edges=np.array([0, 0.5, 1]))
    >>> column_names(heat)
    ['0 to 0.5', '0.5 to 1']
    """
    if heat.x_edges is None:
        return list(heat.x_labels)
    texts = [format_number(float(edge)) for edge in heat.x_edges]
    return [f"{a} to {b}" for a, b in itertools.pairwise(texts)]


def _mean(values: Any) -> float:
    seen = np.asarray(values, float)
    seen = seen[~np.isnan(seen)]
    return float(seen.mean()) if seen.size else float("nan")
