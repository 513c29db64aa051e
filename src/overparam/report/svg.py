"""Pieces of an SVG document: its frame, texts and crisp pictures."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from overparam.report.drawing import FONT
from overparam.report.placement import wrap

TITLE_LINE = 21.0  # height of one line of a drawing's title, pixels
Box = tuple[float, float, float, float]  # x, y, width, height in pixels


def document(
    parts: list[str], width: float, height: float, label: str, *, least_width: float = 0.0
) -> str:
    """Return `parts` as one SVG document; a page shrinks it to `least_width`, then scrolls."""
    style = f' style="min-width:{least_width:.0f}px"' if least_width else ""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"{style}'
        f' viewBox="0 0 {width:.0f} {height:.0f}" font-family="{escape(FONT)}" role="img"'
        f' aria-label="{escape(label)}">'
    )
    return "".join([head, *parts, "</svg>"])


def heading(title: str, width: float, palette: Mapping[str, str]) -> list[str]:
    """Return paper and title of a drawing that stands by itself (see `heading_height`)."""
    lines = wrap(title, width - 16, 16)
    return [
        f'<rect width="100%" height="100%" fill="{palette["paper"]}"/>',
        *(
            text(8, 20 + TITLE_LINE * i, line, palette["ink"], 16, weight=600)
            for i, line in enumerate(lines)
        ),
    ]


def heading_height(title: str, width: float) -> float:
    """Return the height in pixels that `heading` takes."""
    return TITLE_LINE * len(wrap(title, width - 16, 16))


def text(
    x: float,
    y: float,
    words: str,
    color: str,
    size: float = 12,
    anchor: str = "start",
    weight: int = 400,
) -> str:
    """Return one line of text with its baseline at `y`."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}"'
        f' text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>'
    )


def picture(url: str, box: Box) -> str:
    """Return an image whose pixels stay crisp when they are enlarged."""
    return (
        f'<image {place(box)} href="{url}" preserveAspectRatio="none"'
        ' image-rendering="optimizeSpeed" style="image-rendering:pixelated"/>'
    )


def empty(box: Box, label: str, palette: Mapping[str, str]) -> str:
    """Return the dashed frame that stands for a missing picture."""
    return (
        f'<rect {place(box)} fill="none" stroke="{palette["axis"]}" stroke-dasharray="3 3">'
        f"<title>{escape(label)}: no image</title></rect>"
    )


def place(box: Box) -> str:
    """Return the attributes that put an element into `box`."""
    x, y, width, height = box
    return f'x="{x:.1f}" y="{y:.1f}" width="{width:.0f}" height="{height:.0f}"'
