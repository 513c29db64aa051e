"""The numbers of a gallery: exact in CSV and JSON, folded to means where a page has no room."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import numpy as np

from overparam.report.cell_tables import MOST_GALLERY_ROWS
from overparam.report.gallery import gallery_data
from overparam.report.study import Study
from overparam.report.tables import csv_text, figure_table
from tests.report.decoding import decode_url
from tests.report.gallery_pages import assert_same_image
from tests.report.synthetic_figures import make_gallery


def test_csv_has_every_score_exactly_and_the_page_has_means():
    gallery = make_gallery(levels=range(1, 21))
    assert len(gallery.views) * 6 > MOST_GALLERY_ROWS
    rows = list(csv.DictReader(io.StringIO(csv_text(gallery))))
    assert len(rows) == 2 * 20 * 6
    for name in gallery.views[0].scores:
        values = np.concatenate([v.scores[name] for f in gallery.families.values() for v in f])
        np.testing.assert_array_equal([float(r[name]) for r in rows], values)
    assert rows[7]["Family"] == "convolutional"
    assert (rows[7]["Network"], rows[7]["Input"]) == ("2 layers", "shape 1")
    assert rows[7]["Depth (layers)"] == "2"
    table = figure_table(gallery)
    assert len(table.rows) == 40
    assert table.columns[3] == "correlation to the input, mean over inputs"
    means = [v.scores["correlation to the input"].mean() for v in gallery.views]
    np.testing.assert_allclose([row[3] for row in table.rows], means, rtol=1e-12)


def test_means_leave_out_what_is_undefined():
    gallery = make_gallery(levels=range(1, 21))
    scores = {n: np.array([np.nan, 1, 2, 3, np.nan, 6.0]) for n in gallery.views[0].scores}
    views = [dataclasses.replace(v, scores=scores) for v in gallery.views]
    assert figure_table(dataclasses.replace(gallery, views=views)).rows[0][3] == 3.0
    views = [dataclasses.replace(v, scores={"s": np.full(6, np.nan)}) for v in gallery.views]
    assert figure_table(dataclasses.replace(gallery, views=views)).rows[0][3] is None


def test_small_galleries_show_each_cell():
    table = figure_table(make_gallery(levels=(1, 3)))
    assert len(table.rows) == 2 * 2 * 6
    assert table.columns[:4] == ("Family", "Network", "Depth (layers)", "Input")


def test_json_holds_scores_as_numbers_and_pictures_as_files():
    gallery = make_gallery(levels=(3, 1))
    data = gallery_data(gallery)
    assert [v["level"] for v in data["views"]] == [1, 3, 1, 3]
    for sent, view in zip(
        data["views"], [v for f in gallery.families.values() for v in f], strict=True
    ):
        for name, values in view.scores.items():
            np.testing.assert_array_equal(sent["scores"][name], values)
        assert_same_image(sent["outputs"][2], view.outputs[2])
    assert data["scale"] == {"low": 0.0, "high": 1.0}


def test_study_json_is_strict_and_complete(synthetic):
    gallery = make_gallery()
    figure = json.loads(Study(synthetic(1, figures=[gallery])).to_json())["figures"][0]
    assert figure["kind"] == "gallery"
    assert len(figure["rows"]) == 2 * 5 * 6
    strip = figure["data"]["views"][1]["layers"][0]
    assert decode_url(strip["url"]).shape == (14, 6 * 14, 1)
