"""Figures as data: what is to be seen, without how it is drawn (drawing is report/'s business).

A phenomenon returns these; a report turns each into an interactive chart, SVG, PNG, PDF and the
table behind it. Roles, not colours, are chosen here: the same role looks the same on every page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Role = Literal["train", "test", "control", "theory", "ensemble", "other", "norm"]
Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Axis:
    """One axis: what is measured, in which unit, on which scale.

    Attributes:
        quantity: such as "Random features p". unit: such as "features"; "" for pure numbers.
        scale: linear or log. zero: whether a linear axis must include zero.
    """

    quantity: str
    unit: str = ""
    scale: Scale = "linear"
    zero: bool = False

    @property
    def title(self) -> str:
        """Axis title: quantity, unit and whether it is logarithmic."""
        notes = [n for n in (self.unit, "log scale" if self.scale == "log" else "") if n]
        return f"{self.quantity} ({', '.join(notes)})" if notes else self.quantity


@dataclass(frozen=True)
class Series:
    """One line with its band and its seeds.

    Attributes:
        label: drawn at the line's end. role: decides colour and dash.
        x: `[m]`. y: `[m]` central values. low, high: `[m]` band, or None.
        dots: `[m, seeds]` single values (NaN where missing), or None.
        statistic: what y is, such as "geometric mean over 5 seeds"; band says what low/high are.
        dashed: tells a second series of one role apart in greyscale.
    """

    label: str
    role: Role
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    dots: np.ndarray | None = None
    statistic: str = ""
    band: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Rule:
    """A labelled dotted line at a known place, such as the interpolation threshold.

    Attributes:
        at: place on the axis. label: drawn beside it. axis: "x" (vertical rule) or "y".
    """

    at: float
    label: str
    axis: Literal["x", "y"] = "x"


@dataclass(frozen=True)
class Panel:
    """One coordinate system with its series."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    rules: Sequence[Rule] = ()


@dataclass(frozen=True)
class Chart:
    """One or several panels side by side; y ranges are shared where `share_y`.

    Attributes:
        name: file stem, such as "test_error". title: the finding as a sentence.
        caption: what to see and how to read it.
    """

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]
    share_y: bool = True


@dataclass(frozen=True)
class ImageGrid:
    """Images in rows and columns, pixels crisp, one scale.

    Attributes:
        images: `[rows, columns, height, width]` or `[..., height, width, 3]`; NaN is
            empty.
        row_labels, column_labels: one text each.
        low, high: the values that are drawn black and white (or the ends of the diverging scale).
        diverging: differences around zero.
        notes: text of each cell for hover, `[rows][columns]`, or None.
    """

    name: str
    title: str
    caption: str
    images: np.ndarray
    row_labels: Sequence[str]
    column_labels: Sequence[str]
    low: float = 0.0
    high: float = 1.0
    diverging: bool = False
    notes: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True)
class Table:
    """A table that stands by itself.

    Attributes:
        columns: header to cells, all of one length. units: header to unit.
    """

    name: str
    title: str
    caption: str
    columns: Mapping[str, Sequence[object]]
    units: Mapping[str, str] = field(default_factory=dict)


Figure = Chart | ImageGrid | Table
