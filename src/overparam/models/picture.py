"""A picture of the nodes and edges of a small fully connected network, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from torch import nn

from overparam.checks import check_count
from overparam.errors import UsageError

POSITIVE, NEGATIVE, NEUTRAL = "#0072b2", "#d55e00", "#8a8a8a"  # colour-blind-safe (Okabe and Ito)
MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 90, 34, 40  # pixels
NODE_RADIUS = 9.0  # pixels; less where a layer is crowded
THINNEST, THICKEST = 0.4, 3.5  # stroke widths of the weakest and the strongest edge, pixels


@dataclass(frozen=True)
class _Column:
    size: int
    shown: tuple[int | None, ...]  # unit numbers from top to bottom; None is the ellipsis
    x: float
    ys: tuple[float, ...]
    radius: float


def network_picture(
    target: Any,
    *,
    max_units: int = 12,
    width: int = 640,
    height: int = 380,
    input_labels: Sequence[str] = (),
    output_labels: Sequence[str] = (),
    title: str = "",
) -> str:
    """Return an SVG drawing of a fully connected network: a circle a unit, a line a weight.

    Lines are blue where the weight is positive and orange, dashed, where it is negative; their
    width grows with the weight's magnitude relative to the largest of its layer. Without weights
    (sizes only, or a shape on the ``meta`` device) they are grey and thin. A layer with more than
    `max_units` units shows its first and last ones around an ellipsis. Text takes the colour of the
    page around it, so that the drawing is legible on light and on dark.

    Args:
        target: layer sizes such as ``[3, 5, 2]``; an `nn.Module` whose `nn.Linear` layers form a
            chain; or a fitted scikit-learn `MLPClassifier` or `MLPRegressor`.
        max_units: most circles in one layer, >= 3.
        width: of the drawing in pixels, >= 200. height: likewise.
        input_labels: names of the inputs, from the top; may be fewer than there are.
        output_labels: names of the outputs, likewise.
        title: accessible title; by default the layer sizes.

    Raises:
        UsageError: not a fully connected chain, fewer than two layers, or a size out of range.

    >>> network_picture([2, 1]).count("<line"), network_picture([2, 1]).count("<circle")
    (2, 3)
    """
    check_count("max_units", max_units, low=3)
    check_count("width", width, low=200)
    check_count("height", height, low=200)
    sizes, weights = _sizes_and_weights(target)
    columns = [
        _column(size, index, len(sizes), max_units, width, height)
        for index, size in enumerate(sizes)
    ]
    caption = title or "Fully connected network " + "-".join(str(size) for size in sizes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(caption)}</title>",
        f"<desc>{escape(_description(sizes, weights))}</desc>",
    ]
    for (left, right), matrix in zip(pairwise(columns), weights, strict=True):
        parts += _edges(left, right, matrix)
    for column in columns:
        parts += _nodes(column)
    parts += _labels(columns[0], input_labels, "end", -1)
    parts += _labels(columns[-1], output_labels, "start", 1)
    for index, column in enumerate(columns):
        role = "input" if index == 0 else "output" if column is columns[-1] else f"hidden {index}"
        parts.append(_text(column.x, MARGIN_TOP - 16, role, "middle"))
        parts.append(_text(column.x, height - 12, f"{column.size:,}", "middle"))
    return "\n".join([*parts, "</svg>"])


def _sizes_and_weights(target: Any) -> tuple[list[int], list[np.ndarray | None]]:
    weights: list[np.ndarray | None]
    if isinstance(target, nn.Module):
        layers = [part for part in target.modules() if isinstance(part, nn.Linear)]
        others = [part for part in target.modules() if _has_other_weights(part)]
        if others:
            raise UsageError(
                "the network is not fully connected",
                got=f"a layer {type(others[0]).__name__}",
                allowed="nn.Linear layers with activations between them",
            )
        sizes = [layer.in_features for layer in layers[:1]]
        sizes += [layer.out_features for layer in layers]
        for one, following in pairwise(layers):
            if one.out_features != following.in_features:
                raise UsageError(
                    "the linear layers do not form a chain",
                    got=f"{one.out_features} outputs before {following.in_features} inputs",
                )
        weights = [
            None if layer.weight.is_meta else layer.weight.detach().cpu().double().numpy()
            for layer in layers
        ]
    elif hasattr(target, "coefs_"):
        sizes = [len(target.coefs_[0]), *(matrix.shape[1] for matrix in target.coefs_)]
        weights = [np.asarray(matrix, dtype=float).T for matrix in target.coefs_]
    elif isinstance(target, Sequence) and not isinstance(target, str):
        sizes = [check_count("layer size", size) for size in target]
        weights = [None] * (len(sizes) - 1)
    else:
        raise UsageError(
            "cannot draw this object",
            got=type(target).__name__,
            allowed="layer sizes, a fully connected nn.Module, or a fitted scikit-learn MLP",
        )
    if len(sizes) < 2:
        raise UsageError("a picture needs at least two layers", got=sizes)
    return sizes, weights


def _has_other_weights(part: nn.Module) -> bool:
    own = next(part.parameters(recurse=False), None) is not None
    return own and not isinstance(part, nn.Linear)


def _column(
    size: int, index: int, n_columns: int, max_units: int, width: int, height: int
) -> _Column:
    shown: tuple[int | None, ...] = tuple(range(size))
    if size > max_units:
        n_last = (max_units - 1) // 2
        first = range(max_units - 1 - n_last)
        shown = (*first, None, *range(size - n_last, size))
    room = height - MARGIN_TOP - MARGIN_BOTTOM
    step = min(room / len(shown), 46.0)
    middle = MARGIN_TOP + room / 2
    ys = tuple(middle + (row - (len(shown) - 1) / 2) * step for row in range(len(shown)))
    x = MARGIN_X + index * (width - 2 * MARGIN_X) / (n_columns - 1)
    return _Column(size, shown, x, ys, min(NODE_RADIUS, 0.4 * step))


def _edges(left: _Column, right: _Column, matrix: np.ndarray | None) -> list[str]:
    largest = 0.0 if matrix is None else float(np.abs(matrix).max(initial=0.0))
    lines = []
    for target_unit, y2 in zip(right.shown, right.ys, strict=True):
        for source_unit, y1 in zip(left.shown, left.ys, strict=True):
            if source_unit is None or target_unit is None:
                continue
            style = f'stroke="{NEUTRAL}" stroke-width="{THINNEST * 2}" stroke-opacity="0.5"'
            if matrix is not None and largest > 0 and np.isfinite(largest):
                weight = float(matrix[target_unit, source_unit])
                share = abs(weight) / largest
                dash = ' stroke-dasharray="5 3"' if weight < 0 else ""
                style = (
                    f'stroke="{NEGATIVE if weight < 0 else POSITIVE}" '
                    f'stroke-width="{THINNEST + (THICKEST - THINNEST) * share:.2f}" '
                    f'stroke-opacity="{0.25 + 0.65 * share:.2f}"{dash}'
                )
            lines.append(
                f'<line x1="{left.x:.1f}" y1="{y1:.1f}" x2="{right.x:.1f}" y2="{y2:.1f}" {style}/>'
            )
    return lines


def _nodes(column: _Column) -> list[str]:
    return [
        _text(column.x, y + 5, "⋮", "middle", size=18)
        if unit is None
        else f'<circle cx="{column.x:.1f}" cy="{y:.1f}" r="{column.radius:.1f}" '
        f'fill="{NEUTRAL}" stroke="currentColor"/>'
        for unit, y in zip(column.shown, column.ys, strict=True)
    ]


def _labels(column: _Column, labels: Sequence[str], anchor: str, side: int) -> list[str]:
    x = column.x + side * (column.radius + 6)
    return [
        _text(x, y + 4, labels[unit], anchor)
        for unit, y in zip(column.shown, column.ys, strict=True)
        if unit is not None and unit < len(labels)
    ]


def _text(x: float, y: float, words: str, anchor: str, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="currentColor">{escape(words)}</text>'
    )


def _description(sizes: Sequence[int], weights: Sequence[np.ndarray | None]) -> str:
    text = f"Layers from left to right with {', '.join(str(size) for size in sizes)} units."
    if any(matrix is not None for matrix in weights):
        text += " Solid blue lines are positive weights, dashed orange lines negative ones."
    return text
