"""What rows hold: shown as columns, texts or pictures, and left out on demand."""

import dataclasses

import numpy as np
import pytest

from overparam.audits.finding import Finding
from overparam.audits.row_contents import (
    columns_without_contents,
    figure_without_contents,
    figures_of,
    inputs_of,
    pictures_of,
)
from overparam.audits.subject import make_subject
from overparam.lab.figure import Axis, HeatMap, ImageGrid, Table
from tests.report.made_audits import curve, image_subject, table_subject

ROWS = np.array([2, 0])
LABELS = np.arange(30) % 2
FINDING = Finding("found", "s", severity="low", rows=ROWS, code="OP201", title="T")


def subject_of(inputs):
    return make_subject(None, inputs, LABELS)


def test_columns_of_a_frame_and_of_an_array():
    assert inputs_of(table_subject(), ROWS)["note"] == ["word 2", "word 0"]
    X = np.arange(90.0).reshape(30, 3)
    assert inputs_of(subject_of(X), ROWS) == {
        "column 0": [6.0, 0.0],
        "column 1": [7.0, 1.0],
        "column 2": [8.0, 2.0],
    }
    assert len(inputs_of(subject_of(np.ones((30, 100))), ROWS)) == 6


def test_columns_of_every_kind():
    from pandas import DataFrame, date_range

    days = date_range("2020-01-01", periods=30)
    frame = DataFrame({"day": days, "n": range(30), "x": np.linspace(0, 1, 30), "ok": [True] * 30})
    assert inputs_of(subject_of(frame), ROWS) == {
        "day": ["2020-01-03 00:00:00", "2020-01-01 00:00:00"],
        "n": [2, 0],
        "x": [pytest.approx(2 / 29), 0.0],
        "ok": [True, True],
    }


def test_texts():
    shown = inputs_of(subject_of([f"text {k}\x1b" * 100 for k in range(30)]), ROWS)
    assert list(shown) == ["text"]
    assert "\x1b" not in shown["text"][0]
    assert len(shown["text"][0]) < 1000


@pytest.mark.parametrize("subject", [None, image_subject()])
def test_what_has_no_columns_has_none(subject):
    assert inputs_of(subject, ROWS) == {}


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [
        ((9, 7), (9, 7)),
        ((1, 9, 7), (9, 7)),
        ((9, 7, 1), (9, 7)),
        ((3, 9, 7), (9, 7, 3)),
        ((9, 7, 3), (9, 7, 3)),
        ((4, 9, 7), (9, 7)),
        ((200, 300), (50, 75)),
    ],
)
def test_pictures_of_every_shape(shape, drawn):
    images = np.random.default_rng(0).random((30, *shape))
    grid = pictures_of(subject_of(images), FINDING)
    assert grid.images.shape == (1, 2, *drawn)
    assert list(grid.column_labels) == ["row 2, label 0", "row 0, label 0"]


def test_a_picture_is_that_of_its_row():
    images = np.arange(30.0)[:, None, None] * np.ones((30, 4, 4))
    grid = pictures_of(subject_of(images), FINDING)
    assert grid.images[0, :, 0, 0].tolist() == [2.0, 0.0]
    assert (grid.low, grid.high) == (0.0, 2.0)


def test_no_pictures_where_there_are_none():
    words = np.full((30, 4, 4), "word")
    assert pictures_of(subject_of(words), FINDING) is None
    assert pictures_of(table_subject(), FINDING) is None
    empty = dataclasses.replace(FINDING, rows=np.empty(0, np.int64))
    assert pictures_of(image_subject(), empty) is None


def test_pictures_are_left_out_with_the_rows():
    assert len(figures_of(FINDING, image_subject())) == 1
    assert figures_of(FINDING, image_subject(), rows=False) == []


@pytest.mark.parametrize(
    ("name", "values", "kept"),
    [
        ("score", [1.0, None], True),
        ("n_in", np.array([1, 2]), True),
        ("label_error_rank", [1, 2], True),
        ("flag", np.array([True, False]), True),
        ("label", [0, 1], False),
        ("suggested_label", [0, 1], False),
        ("Suggested class", [0, 1], False),
        ("target", [0.5, 1.5], False),
        ("residual", [0.5, 1.5], False),
        ("words", ["a", None], False),
    ],
)
def test_columns_that_say_nothing_of_rows(name, values, kept):
    assert (name in columns_without_contents({name: values})) == kept


def test_figures_without_contents():
    columns = {"test row": [3], "text": ["secret"], "label": [1], "score": [1.0]}
    table = Table("t", "t", "c", columns, {"score": "u", "text": ""})
    assert list(figure_without_contents(table).columns) == ["test row", "score"]
    parts = Table("t", "t", "c", {"part": ["the rest"], "rows": [10], "class": ["secret"]})
    assert list(figure_without_contents(parts).columns) == ["part", "rows"]
    assert figure_without_contents(Table("t", "t", "c", {"label": ["secret"]})) is None
    images = ImageGrid("i", "i", "c", np.zeros((1, 1, 2, 2)), [""], [""])
    assert figure_without_contents(images) is None
    heat = HeatMap("h", "h", "c", Axis("x"), Axis("y"), ["a"], [("", np.zeros((1, 1)))], "q",
                   x_labels=["b"], notes=[[["secret"]]])  # fmt: skip
    assert figure_without_contents(heat).notes is None
    assert figure_without_contents(curve()).title == curve().title
