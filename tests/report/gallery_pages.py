"""Reads a gallery back from its page, as a browser's tokenizer sees it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np

from overparam.lab.figure import NetworkGallery
from overparam.report.study import Study
from tests.report.decoding import decode_url
from tests.report.synthetic_figures import draw_shapes, make_gallery

# One gallery, large enough to scroll, for all that is tried in a browser.
LEVELS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 14, 20)
GALLERY = make_gallery(LEVELS, draw_shapes(10, 14))
LAST = 9  # column
FAMILIES = list(GALLERY.families)
ALIVE = "!!document.querySelector('.networks[role=grid]') && !!document.querySelector('tr.current')"
GRID = ".family:not(.off)"
STEPS = "document.querySelectorAll('.steps canvas:not([data-drawn])').length === 0"


class Grids(HTMLParser):
    """The families of a page's gallery: tables of (texts, pictures) of each row."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append(tag)
        if tag == "table" and known.get("class") == "networks":
            self.tables.append([])
            self._inside = True
        elif tag == "tr" and self._inside:
            self.tables[-1].append([])
        elif tag == "img" and self._inside:
            self.tables[-1][-1].append(known["src"] or "")
        elif tag == "span" and self._inside and "blank" in (known.get("class") or ""):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "table"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def gallery_page(synthetic: Any, gallery: NetworkGallery) -> tuple[str, Grids, dict[str, Any]]:
    html = Study(synthetic(1, figures=[gallery])).to_html()
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', html)
    assert found
    return html, Grids(html), json.loads(found[1])["figures"][0]


def grey_by_hand(image: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Return the grey of each pixel, one at a time."""
    greys = [[round(min(max((v - low) / (high - low), 0), 1) * 255) for v in row] for row in image]
    return np.array(greys)


def assert_same_image(url: str, image: np.ndarray, low: float = 0.0, high: float = 1.0) -> None:
    # A value just between two greys may be rounded either way.
    np.testing.assert_allclose(decode_url(url)[..., 0], grey_by_hand(image, low, high), atol=1)


def cell_of(one: Any, view: int, column: int) -> Any:
    """Return the cell of the shown family."""
    return one.page.locator(f"{GRID} tr[data-view='{view}'] td").nth(column)
