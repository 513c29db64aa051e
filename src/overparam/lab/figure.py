"""Figures as data: what is to be seen, without how it is drawn (drawing is report/'s business).

A phenomenon returns these; a report turns each into an interactive chart, SVG, PNG, PDF and the
table behind it. Roles, not colours, are chosen here: the same role looks the same on every page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from overparam.lab.chart import Axis, Chart, Panel, Role, Rule, Scale, Series
from overparam.lab.figure_checks import Worded, expect, refuse

__all__ = [
    "Axis",
    "Chart",
    "Figure",
    "HeatMap",
    "ImageGrid",
    "NetworkGallery",
    "NetworkView",
    "Panel",
    "Role",
    "Rule",
    "Scale",
    "Series",
    "Table",
]


@dataclass(frozen=True)
class ImageGrid(Worded):
    """Images in rows and columns, pixels crisp, one scale.

    Attributes:
        images: `[rows, columns, height, width]` or `[..., height, width, 3]`; NaN is
            empty.
        row_labels, column_labels: one text each.
        low, high: the values that are drawn black and white (or the ends of the diverging scale).
        diverging: differences around zero.
        notes: text of each cell for hover, `[rows][columns]`, or None.

    Raises:
        DataError: labels or notes that do not match the images' shape.
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

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = np.shape(self.images)
        if len(shape) != 4 and not (len(shape) == 5 and shape[-1] == 3):
            refuse(self.name, "shape of images", shape, "(rows, columns, h, w) or (..., h, w, 3)")
        expect(self.name, "labels", (len(self.row_labels), len(self.column_labels)), shape[:2])
        if self.notes is not None:
            got = [len(row) for row in self.notes]
            if got != [shape[1]] * shape[0]:
                refuse(self.name, "notes", got, f"{shape[0]} rows of {shape[1]}")


@dataclass(frozen=True)
class HeatMap(Worded):
    """Colours over two axes: panels side by side that share axes and colour scale.

    Attributes:
        x: axis of the columns, left to right. y: axis of the rows; row 0 is at the top.
        y_labels: one text a row. panels: pairs of title and `[rows, columns]` values; NaN is an
            empty cell, drawn as such.
        quantity, unit: what the colour is, such as "Correlation to the input".
        x_labels: one text a column; or x_edges: `[columns + 1]` rising borders of the columns,
            drawn where they lie on the x axis (linear or log).
        low, high: the values at the ends of the colour scale. diverging: differences around zero.
        notes: text of each cell for hover, `[panel][row][column]`, or None.

    Raises:
        DataError: labels, edges or notes that do not match the values' shapes.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    y_labels: Sequence[str]
    panels: Sequence[tuple[str, np.ndarray]]
    quantity: str
    unit: str = ""
    x_labels: Sequence[str] = ()
    x_edges: np.ndarray | None = None
    low: float = 0.0
    high: float = 1.0
    diverging: bool = False
    notes: Sequence[Sequence[Sequence[str]]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.x_edges is None) == (len(self.x_labels) == 0):
            refuse(self.name, "x needs labels or edges", "both or none", "one of the two")
        if self.x_edges is not None:
            edges = np.asarray(self.x_edges, float)
            if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
                refuse(self.name, "x_edges", edges.tolist(), "two or more rising numbers")
            if self.x.scale == "log" and edges[0] <= 0:
                refuse(self.name, "x_edges of a log axis", edges.tolist(), "positive numbers")
        n_columns = len(self.x_labels) if self.x_edges is None else len(self.x_edges) - 1
        shape = (len(self.y_labels), n_columns)
        for title, values in self.panels:
            expect(self.name, f"values of panel {title!r}", np.shape(values), shape)
        if self.notes is not None:
            got = [(len(p), *sorted({len(row) for row in p})) for p in self.notes]
            if got != [shape] * len(self.panels):
                refuse(self.name, "notes", got, f"{len(self.panels)} panels of {shape}")


@dataclass(frozen=True)
class NetworkView(Worded):
    """What one network makes of every test input.

    Attributes:
        family: the switch's position that shows it, such as "convolutional".
        label: of its row, such as "7 layers". level: its place on the slider (depth or width).
        outputs: `[n_inputs, h, w]`.
        scores: name to `[n_inputs]`, such as "correlation to the input"; NaN where undefined.
        layers: `[n_inputs, h, w]` of each hidden layer, in any resolution; empty where they are
            not shown. layer_labels: one text each.
        note: what must be known to read the row, such as "did not train: loss 0.02", or "".
    """

    family: str
    label: str
    level: float
    outputs: np.ndarray
    scores: Mapping[str, np.ndarray]
    layers: Sequence[np.ndarray] = ()
    layer_labels: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True)
class NetworkGallery(Worded):
    """What networks make of inputs that they never saw, beside what they were trained on.

    Rows are the networks of a family, columns the inputs. Hidden layers are scaled each on its
    own, all else on one scale from `low` (black) to `high` (white).

    Attributes:
        views: the networks; families in order of appearance, levels in rising order.
        inputs: `[n_inputs, h, w]`. input_labels: one text each.
        training: `[n_train, h, w]`, what the networks were trained on. training_labels: one each.
        level_name, level_unit: what the slider moves, such as "Depth" in "layers".
        training_words: family to what stands at the training images where "trained on" is not
            the truth, such as "one of 1,000 training images".

    Raises:
        DataError: views, labels or scores that do not match the inputs or each other.
    """

    name: str
    title: str
    caption: str
    views: Sequence[NetworkView]
    inputs: np.ndarray
    input_labels: Sequence[str]
    training: np.ndarray
    training_labels: Sequence[str]
    level_name: str = "Depth"
    level_unit: str = "layers"
    low: float = 0.0
    high: float = 1.0
    training_words: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        n_inputs = len(self.input_labels)
        for what, images, count in (
            ("inputs", self.inputs, n_inputs),
            ("training", self.training, len(self.training_labels)),
        ):
            if np.ndim(images) != 3 or len(images) != count:
                refuse(self.name, what, np.shape(images), f"({count}, h, w), one label each")
        for view in self.views:
            who = f"{view.family}, {view.label}: "
            expect(self.name, f"{who}outputs", np.shape(view.outputs), np.shape(self.inputs))
            names, first = sorted(view.scores), sorted(self.views[0].scores)
            if names != first:
                refuse(self.name, f"{who}names of scores", names, f"{first}, as the first view")
            for name, values in view.scores.items():
                expect(self.name, f"{who}{name}", np.shape(values), (n_inputs,))
            if len(view.layers) != len(view.layer_labels):
                got = f"{len(view.layers)} layers, {len(view.layer_labels)} labels"
                refuse(self.name, f"{who}layers", got, "one label each")
            for label, images in zip(view.layer_labels, view.layers, strict=True):
                if np.ndim(images) != 3 or len(images) != n_inputs:
                    shape = f"({n_inputs}, h, w)"
                    refuse(self.name, f"{who}{label}", np.shape(images), shape)

    @property
    def families(self) -> Mapping[str, Sequence[NetworkView]]:
        """Family to its views by rising level."""
        names = dict.fromkeys(view.family for view in self.views)
        ranked = sorted(self.views, key=lambda view: view.level)
        return {name: [v for v in ranked if v.family == name] for name in names}


@dataclass(frozen=True)
class Table(Worded):
    """A table that stands by itself.

    Attributes:
        columns: header to cells, all of one length. units: header to unit.

    Raises:
        DataError: columns of unlike lengths.
    """

    name: str
    title: str
    caption: str
    columns: Mapping[str, Sequence[object]]
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: [_as_cell(v) for v in cells] for name, cells in self.columns.items()}
        object.__setattr__(self, "columns", columns)
        super().__post_init__()
        lengths = {name: len(cells) for name, cells in self.columns.items()}
        if len(set(lengths.values())) > 1:
            refuse(self.name, "columns of unlike lengths", lengths, "as many cells in each")


Figure = Chart | ImageGrid | HeatMap | NetworkGallery | Table


def _as_cell(value: object) -> object:
    """Return what a cell can show: numbers and texts as they are, all else as its text."""
    return value if value is None or isinstance(value, int | float | np.generic) else str(value)
