"""Figures refuse data that cannot be drawn, and say what does not match."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from overparam.errors import DataError
from overparam.lab.figure import (
    Axis,
    HeatMap,
    ImageGrid,
    NetworkGallery,
    NetworkView,
    Table,
)

IMAGES = np.zeros((2, 4, 4))


def view(**changes) -> NetworkView:
    scores = {"edge score": np.zeros(2)}
    return dataclasses.replace(NetworkView("f", "3 layers", 3, IMAGES, scores), **changes)


def gallery(*views: NetworkView, **changes) -> NetworkGallery:
    fields = {
        "inputs": IMAGES,
        "input_labels": ["a", "b"],
        "training": IMAGES[:1],
        "training_labels": ["t"],
    }
    return NetworkGallery("g", "title", "caption", views, **(fields | changes))


def heat(**changes) -> HeatMap:
    fields = {"x_labels": ["a", "b", "c"], "panels": [("p", np.zeros((2, 3)))]}
    fields |= changes
    return HeatMap("h", "t", "c", Axis("x"), Axis("y"), ["1", "2"], quantity="q", **fields)


def test_families_keep_their_order_and_levels_rise():
    views = [view(family="b", level=3), view(family="a", level=2), view(family="b", level=1)]
    families = gallery(*views).families
    assert list(families) == ["b", "a"]
    assert [v.level for v in families["b"]] == [1, 3]


def test_a_gallery_without_networks_is_one_that_has_not_run_yet():
    assert gallery().families == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"inputs": np.zeros((2, 4))},
            r"inputs cannot be drawn; got \(2, 4\); allowed: \(2, h, w\)",
        ),
        ({"input_labels": ["a"]}, r"inputs cannot .* got \(2, 4, 4\); allowed: \(1, h, w\)"),
        (
            {"training_labels": []},
            r"training cannot .* got \(1, 4, 4\); allowed: \(0, h, w\)",
        ),
    ],
)
def test_a_gallery_names_what_does_not_match(changes, message):
    with pytest.raises(DataError, match=f"figure 'g': {message}"):
        gallery(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": IMAGES[:1]}, r"shape of f, 3 layers: outputs .* got \(1, 4, 4\)"),
        (
            {"scores": {"other": np.zeros(2)}},
            r"names of scores .* \['other'\]; allowed: \['edge",
        ),
        ({"scores": {"edge score": np.zeros(3)}}, r"edge score .* got \(3,\); allowed: \(2,\)"),
        ({"layers": [IMAGES]}, "layers cannot be drawn; got '1 layers, 0 labels'"),
        (
            {"layers": [IMAGES[0]], "layer_labels": ["layer 1"]},
            r"layer 1 cannot be drawn; got \(4, 4\); allowed: \(2, h, w\)",
        ),
    ],
)
def test_a_view_that_does_not_fit_is_named(changes, message):
    with pytest.raises(DataError, match=message):
        gallery(view(), view(**changes))


def test_layers_may_have_their_own_resolution():
    small = view(layers=[np.zeros((2, 2, 3))], layer_labels=["code"])
    assert gallery(small).views[0].layers[0].shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_labels": []}, "x needs labels or edges .* got 'both or none'"),
        ({"x_edges": np.arange(4)}, "x needs labels or edges"),
        ({"x_labels": [], "x_edges": np.array([0, 1, 1, 2])}, r"x_edges .* two or more rising"),
        ({"panels": [("p", np.zeros((3, 2)))]}, r"values of panel 'p' .* got \(3, 2\)"),
        ({"notes": [[["n"] * 3]]}, r"notes cannot be drawn; got \[\(1, 3\)\]; allowed: 1 panels"),
    ],
)
def test_a_heat_map_names_what_does_not_match(changes, message):
    with pytest.raises(DataError, match=message):
        heat(**changes)


def test_edges_of_a_log_axis_are_positive():
    with pytest.raises(DataError, match=r"x_edges of a log axis .* positive numbers"):
        HeatMap(
            "h", "t", "c", Axis("x", scale="log"), Axis("y"), ["1"], [], "q", x_edges=np.arange(3)
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((2, 2))}, "shape of images"),
        ({"row_labels": ["a"]}, r"shape of labels .*\(1, 2\).*\(2, 2\)"),
        ({"notes": [["a", "b"], ["c"]]}, "notes .*2 rows of 2"),
    ],
)
def test_image_grid_refuses_what_it_cannot_draw(change, message):
    values = {"images": np.zeros((2, 2, 3, 3)), "row_labels": "ab", "column_labels": "cd"}
    with pytest.raises(DataError, match=message):
        ImageGrid("n", "t", "c", **{**values, **change})


def test_table_refuses_columns_of_unlike_lengths():
    with pytest.raises(DataError, match=r"columns of unlike lengths.*'a': 1, 'b': 2"):
        Table("n", "t", "c", {"a": [1], "b": [1, 2]})


def test_texts_of_a_figure_are_printable_and_distinct():
    long_names = ["w" * 2000 + end for end in "ab"]
    columns = {long_names[0]: [1], long_names[1]: ["\x1b[1m"], "o": [object]}
    table = Table("n\x00", "t", "c\ud800", columns, {"o": "\7"})
    assert (table.name, table.caption) == (r"n\x00", r"c\ud800")
    (long, first), (longer, second), *_ = table.columns.items()
    assert long != longer
    assert (long[:1000], first, second) == ("w" * 1000, [1], [r"\x1b[1m"])
    long_label = Table("n", "t", "c", {"a": ["x" * 3000]}).columns["a"][0]
    assert str(long_label).endswith("x… (2,000 more letters)")
    assert table.units == {"o": r"\x07"}
    grid = ImageGrid("n", "t", "c", np.zeros((1, 1, 2, 2)), [7], np.array(["\x01"]))
    assert grid.row_labels == ["7"]
    assert grid.column_labels == [r"\x01"]
