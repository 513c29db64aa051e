"""`NetworkGallery` in a page: grids that stand without scripts, and what scripts make alive."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import numpy as np

from overparam.lab.figure import NetworkGallery, NetworkView
from overparam.report.cell_tables import level_title, score_names
from overparam.report.formatting import format_number
from overparam.report.gallery import GAP, cell_width, gallery_svg, training_words, view_strips
from overparam.report.palette import PAGE
from overparam.report.png import grey_url


def gallery_grids(gallery: NetworkGallery, number: int) -> dict[str, Any]:
    """Return what the page's template draws of figure `number`: every family's grid of images."""
    side = cell_width(gallery)
    ramp = grey_url(np.linspace(0, 1, 128)[None], 0, 1)
    return {
        "key": f"gallery-{number}",
        "level": level_title(gallery),
        "side": side,
        "height": round(side * gallery.inputs.shape[1] / gallery.inputs.shape[2]),
        "gap": GAP,
        "least": min(side, 42),
        "inputs": _cells(gallery, gallery.inputs, gallery.input_labels),
        "training": _cells(gallery, gallery.training, gallery.training_labels),
        "families": [
            {
                "name": name,
                "training": training_words(gallery, name),
                "views": [_row(gallery, view) for view in views],
            }
            for name, views in gallery.families.items()
        ],
        "scale": {
            "low": format_number(gallery.low),
            "high": format_number(gallery.high),
            "url": ramp,
        },
    }


def gallery_payload(gallery: NetworkGallery, grids: str) -> dict[str, Any]:
    """Return what the page's script needs: scores, hidden layers, and the drawing to be saved.

    Args:
        grids: the page's grids as HTML. The drawing refers to their images by place
            (``img:3`` is the fourth), so that the page carries each image once.
    """
    urls: dict[str, int] = {}
    for place, url in enumerate(re.findall(r'<img[^>]* src="(data:[^"]+)"', grids)):
        urls.setdefault(url, place)

    def refer(match: re.Match[str]) -> str:
        url = match[1]
        return f'href="img:{urls[url]}"' if url in urls else match[0]

    drawing = re.sub(r'href="(data:[^"]+)"', refer, gallery_svg(gallery, PAGE))
    names = score_names(gallery)
    coarse, strips = view_strips(gallery)
    remaining = iter(strips)
    return {
        "svg": drawing,
        "gallery": {
            "levelName": gallery.level_name,
            "scores": names,
            "inputs": list(gallery.input_labels),
            "training": list(gallery.training_labels),
            "coarse": coarse,
            "families": [
                {
                    "name": family,
                    "training": training_words(gallery, family),
                    "views": [
                        _view(view, names, [asdict(s) for s in next(remaining)]) for view in views
                    ],
                }
                for family, views in gallery.families.items()
            ],
        },
    }


def _view(view: NetworkView, names: list[str], layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "label": view.label,
        "level": float(view.level),
        "note": view.note,
        "scores": [[format_number(float(v)) for v in view.scores[name]] for name in names],
        "layers": layers,
        "kept": len(view.layers),
    }


def _row(gallery: NetworkGallery, view: NetworkView) -> dict[str, Any]:
    cells = _cells(gallery, view.outputs, gallery.input_labels)
    return {"label": view.label, "note": view.note, "cells": cells}


def _cells(gallery: NetworkGallery, images: Any, labels: Any) -> list[dict[str, str]]:
    cells = []
    for image, label in zip(np.asarray(images, float), labels, strict=True):
        empty = bool(np.isnan(image).all())
        url = "" if empty else grey_url(image, gallery.low, gallery.high)
        cells.append({"label": label, "url": url})
    return cells
