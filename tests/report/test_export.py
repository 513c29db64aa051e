"""Files: every format of every kind of figure, and CSVs that hold the numbers to the last digit."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import numpy as np
import pytest

from overparam.errors import ResourceError, UsageError
from overparam.lab.figure import Table
from overparam.report.export import FORMATS, file_stem, file_stems, save_figure
from overparam.report.tables import csv_text, figure_table

MAGIC = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "csv": b""}


@pytest.mark.parametrize("kind", range(4), ids=["chart", "panels", "images", "table"])
def test_every_figure_in_every_format(synthetic, tmp_path, kind):
    paths = save_figure(synthetic(2).figures[kind], tmp_path / "new", FORMATS)
    assert [p.suffix[1:] for p in paths] == list(FORMATS)
    for path in paths:
        data = path.read_bytes()
        assert data.startswith(MAGIC[path.suffix[1:]])
        assert len(data) > 40
    ElementTree.fromstring(paths[0].read_text())


def _read(figure) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(figure))))


def test_chart_csv_holds_lines_bands_and_seeds_exactly(synthetic):
    chart = synthetic(5).figures[0]
    rows = _read(chart)
    assert len(rows) == sum(len(s.x) for s in chart.panels[0].series)
    ridge = chart.panels[0].series[2]
    own = [r for r in rows if r["series"] == ridge.label]
    for name, values in (("x", ridge.x), ("y", ridge.y), ("low", ridge.low), ("high", ridge.high)):
        np.testing.assert_array_equal([float(r[name]) for r in own], values)
    seeds = [[float(r[f"seed_{k}"]) for k in range(1, 6)] for r in own]
    np.testing.assert_array_equal(seeds, ridge.dots)
    assert own[0]["y_quantity"] == "Test error (fraction wrong)"
    theory = [r for r in rows if r["series"] == "theory"]
    assert {r["seed_1"] for r in theory} == {r["low"] for r in theory} == {""}


def test_image_csv_holds_every_pixel(synthetic):
    grid = synthetic(1).figures[2]
    rows = list(csv.reader(io.StringIO(csv_text(grid))))[1:]
    pixels = np.array([[float(v or "nan") for v in row[-28 * 28 :]] for row in rows])
    np.testing.assert_array_equal(pixels, grid.images.reshape(15, -1))


def test_table_csv_names_units(synthetic):
    rows = _read(synthetic(1).figures[3])
    assert rows[1] == {
        "descent": "second",
        "n_features (features)": "30000",
        "test error (fraction wrong)": "0.19",
    }


def test_panels_are_told_apart_in_the_table(synthetic):
    table = figure_table(synthetic(2).figures[1])
    assert table.columns == ("Panel", "Series", "Random features p", "y", "Low", "High", "Seeds")
    assert {row[0] for row in table.rows} == {"Error", "Norm"}


def test_numpy_values_become_plain(synthetic):
    table = figure_table(
        Table("t", "t", "", {"a": np.array([1, 2]), "b": [np.nan, np.float32(0.5)]})
    )
    assert table.rows == ((1, None), (2, 0.5))
    assert type(table.rows[0][0]) is int


def test_unknown_format_is_named(synthetic, tmp_path):
    with pytest.raises(UsageError, match=r"unknown figure format; got 'jpg'; allowed: svg, png"):
        save_figure(synthetic(1).figures[3], tmp_path, ["jpg"])


def test_unwritable_folder_is_named(synthetic, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"cannot be written.* choose another place"):
        save_figure(synthetic(1).figures[3], tmp_path / "file", ["csv"])


def test_names_cannot_leave_the_folder():
    assert file_stem("../../etc/passwd") == "etc_passwd"
    assert file_stem("///") == "figure"


def test_every_figure_has_files_of_its_own():
    assert file_stems(["a/b", "a_b", "A b", "a_b_2"]) == ["a_b", "a_b_2", "A_b_3", "a_b_2_2"]
    long = [f"{'x' * 300}{k}" for k in range(2)]
    first, second = file_stems(long)
    assert first != second
    assert max(len(first), len(second)) <= 120
    assert file_stem("x" * 120) == "x" * 120
