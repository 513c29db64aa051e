"""What rows hold, for whoever reads a finding about them, and how to leave it out of a report.

A finding names rows by their numbers. A report shows what they are: some columns of a table, the
text, or the picture. Where rows must not leave the place of the data, only counts and numbers do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from overparam.audits.finding import Finding
from overparam.lab.figure import Figure, HeatMap, ImageGrid, NetworkGallery, Table
from overparam.texts import printable

if TYPE_CHECKING:
    from overparam.audits.subject import Subject

MOST_SHOWN = 50  # rows of a finding whose inputs are shown
_MOST_COLUMNS = 6  # of a table's inputs
_MOST_LETTERS = 200  # of one cell
_MOST_PICTURES = 8
_MOST_PIXELS = 96  # along the side of a picture; larger ones are averaged down
# Last words of columns that are labels, or give them away beside a prediction.
_OF_DATA = ("label", "labels", "target", "targets", "class", "classes", "residual", "residuals")


def inputs_of(subject: Subject | None, rows: np.ndarray) -> dict[str, list[Any]]:
    """Return name to values of some input columns of some rows: of a table, or of texts.

    Empty where inputs are neither, or not at hand.
    """
    from overparam.data.rows import is_sparse, is_table, take_rows  # loads PyTorch

    if subject is None or subject.has_no_inputs or is_sparse(subject.train.inputs):
        return {}
    inputs = subject.train.inputs
    if isinstance(inputs, list):
        texts = [x for x in take_rows(inputs, rows) if isinstance(x, str)]
        return {"text": [_cell(x) for x in texts]} if len(texts) == len(rows) else {}
    if not subject.is_table:
        return {}
    some = take_rows(inputs, rows)
    if is_table(some):
        names = [str(name) for name in some.columns][:_MOST_COLUMNS]
    else:
        given = list(subject.train.columns) or [f"column {k}" for k in range(some.shape[1])]
        names = given[:_MOST_COLUMNS]
    at = some.iloc if hasattr(some, "iloc") else some
    return {name: [_cell(v) for v in at[:, k]] for k, name in enumerate(names)}


def pictures_of(subject: Subject | None, finding: Finding) -> ImageGrid | None:
    """Return the first rows of a finding as pictures, where inputs are images."""
    if subject is None or not subject.has_images or not len(finding.rows):
        return None
    if np.asarray(subject.train.inputs[:1]).dtype.kind not in "biuf":
        return None
    from overparam.data.rows import take_rows  # loads PyTorch

    rows = finding.rows[:_MOST_PICTURES]
    images = [_picture(image) for image in np.asarray(take_rows(subject.train.inputs, rows))]
    known = [image[np.isfinite(image)] for image in images]
    values = np.concatenate([v.ravel() for v in known])
    labels = subject.train.given_labels(rows)
    count = f"The first {len(rows)} of {len(finding.rows):,} rows"
    return ImageGrid(
        f"{finding.code.lower()}_rows",
        f"{finding.title}: the rows themselves",
        f"{count if len(rows) < len(finding.rows) else 'All rows'} of this finding, with their "
        "numbers and labels. Brightness is on one scale, that of these images.",
        np.stack(images)[None],
        [""],
        [f"row {row}, label {_label(label)}" for row, label in zip(rows, labels, strict=True)],
        low=float(values.min()) if len(values) else 0.0,
        high=float(values.max()) if len(values) else 1.0,
    )


def columns_without_contents(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return of columns about rows those that say nothing of what rows hold: numbers, no labels."""
    return {
        name: values
        for name, values in _without_labels(columns).items()
        if all(v is None or isinstance(v, int | float | np.number | np.bool_) for v in values)
    }


def figure_without_contents(figure: Figure) -> Figure | None:
    """Return a figure without what rows hold: no pictures, no labels.

    Of a table that tells of rows one by one, in a column called "row" or such as "test row", only
    the numbers stay.
    """
    if isinstance(figure, ImageGrid | NetworkGallery):
        return None
    if isinstance(figure, HeatMap):
        return dataclasses.replace(figure, notes=None)
    if isinstance(figure, Table):
        tells_rows = any("row" in name.lower().split() for name in figure.columns)
        kept = columns_without_contents if tells_rows else _without_labels
        columns = kept(figure.columns)
        units = {k: v for k, v in figure.units.items() if k in columns}
        return dataclasses.replace(figure, columns=columns, units=units) if columns else None
    return figure


def figures_of(finding: Finding, subject: Subject | None, *, rows: bool = True) -> list[Figure]:
    """Return a finding's figures and the pictures of its rows; or only what holds no row."""
    if not rows:
        return [f for f in map(figure_without_contents, finding.figures) if f is not None]
    pictures = pictures_of(subject, finding)
    return [*finding.figures, *([] if pictures is None else [pictures])]


def _without_labels(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns whose names do not end as those of labels do."""
    words = {name: name.replace("_", " ").lower().split() for name in columns}
    return {k: v for k, v in columns.items() if not words[k] or words[k][-1] not in _OF_DATA}


def _picture(image: np.ndarray) -> np.ndarray:
    """Return an image as grey `[h, w]` or as `[h, w, 3]`, not too large."""
    image = np.asarray(image, float)
    if image.ndim == 3 and image.shape[-1] not in (1, 3) and image.shape[0] < image.shape[-1]:
        image = np.moveaxis(image, 0, -1)  # channels came first
    if image.ndim == 3 and image.shape[-1] != 3:
        image = image.mean(-1)
    step = -(-max(image.shape[:2]) // _MOST_PIXELS)
    h, w = (max(side // step, 1) for side in image.shape[:2])
    blocks = image[: h * step, : w * step].reshape(h, step, w, step, *image.shape[2:])
    return blocks.mean((1, 3))


def _label(label: Any) -> str:
    if isinstance(label, np.ndarray):
        return ", ".join(map(_label, label))
    return f"{label:.4g}" if isinstance(label, float) else printable(str(label), 40, one_line=True)


def _cell(value: Any) -> Any:
    if isinstance(value, np.number | np.bool_):
        value = value.item()
    if value is None or isinstance(value, bool | int | float):
        return value
    return printable(str(value), _MOST_LETTERS)
