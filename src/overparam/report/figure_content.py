"""One figure in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overparam.lab.figure import Chart, Figure, HeatMap, ImageGrid, NetworkGallery
from overparam.lab.plain_values import plain
from overparam.report.drawing import drawing_notes
from overparam.report.gallery import gallery_data, gallery_notes
from overparam.report.heatmap import heat_notes
from overparam.report.tables import figure_table


@dataclass(frozen=True)
class FigureContent:
    """One figure: its words, the rows behind it (`columns`, `rows`), and all of its data.

    Attributes:
        measured: places in a row of a value and the two ends of its interval; () for none.
    """

    name: str
    kind: str
    title: str
    caption: str
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    measured: tuple[int, ...]
    data: Mapping[str, Any]


def describe_figure(figure: Figure) -> FigureContent:
    """Return the words, rows and data of one figure."""
    kind, notes = "table", list[str]()
    if isinstance(figure, Chart):
        kind, notes = "chart", drawing_notes(figure)
    elif isinstance(figure, ImageGrid):
        kind, notes = "images", ["All images share the scale drawn below them."]
    elif isinstance(figure, NetworkGallery):
        kind, notes = "gallery", gallery_notes(figure)
    elif isinstance(figure, HeatMap):
        kind, notes = "heat", heat_notes(figure)
    table = figure_table(figure)
    return FigureContent(
        figure.name,
        kind,
        figure.title,
        figure.caption,
        tuple(notes),
        table.columns,
        table.rows,
        table.measured,
        # A gallery's images are many: they are kept as picture files, its scores as numbers.
        plain(gallery_data(figure) if isinstance(figure, NetworkGallery) else figure),
    )
