"""Galleries of networks: every picture decodes to its data, every score is told, all texts safe."""

from __future__ import annotations

import dataclasses
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import overparam.report.gallery as gallery_module
from overparam.lab.figure import NetworkGallery
from overparam.report.content import describe
from overparam.report.formatting import format_number
from overparam.report.gallery import (
    cell_width,
    gallery_data,
    gallery_notes,
    gallery_svg,
    layer_strip,
    view_strips,
)
from overparam.report.html import SIZE_LIMIT
from overparam.report.study import Study
from overparam.report.tables import figure_table
from overparam.report.thumbnails import thumbnail_svg
from tests.report.decoding import decode_url
from tests.report.gallery_pages import assert_same_image, gallery_page, grey_by_hand
from tests.report.synthetic_figures import draw_shapes, make_gallery

SPACE = {"s": "http://www.w3.org/2000/svg"}
EVIL = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&<b>{{ 7*7 }}"""


def test_the_page_holds_every_familys_grid_pixel_by_pixel(synthetic):
    gallery = make_gallery()
    _, grids, _ = gallery_page(synthetic, gallery)
    assert len(grids.tables) == 2
    for rows, views in zip(grids.tables, gallery.families.values(), strict=True):
        (training, *inputs), *outputs = rows
        assert_same_image(training, gallery.training[0])
        for url, image in zip(inputs, gallery.inputs, strict=True):
            assert_same_image(url, image)
        for urls, view in zip(outputs, views, strict=True):
            for url, image in zip(urls, view.outputs, strict=True):
                assert_same_image(url, image)


def test_the_page_holds_every_layer_on_its_own_scale(synthetic):
    gallery = make_gallery()
    _, _, payload = gallery_page(synthetic, gallery)
    assert payload["gallery"]["coarse"] == ""
    for family, views in zip(
        payload["gallery"]["families"], gallery.families.values(), strict=True
    ):
        for sent, view in zip(family["views"], views, strict=True):
            assert [s["label"] for s in sent["layers"]] == view.layer_labels
            for strip, layer in zip(sent["layers"], view.layers, strict=True):
                pixels = decode_url(strip["url"])[..., 0]
                assert pixels.shape == (14, 6 * 14)
                for i, image in enumerate(layer):
                    part = pixels[:, 14 * i : 14 * (i + 1)]
                    expected = grey_by_hand(image, image.min(), image.max())
                    np.testing.assert_allclose(part, expected, atol=1)
                    ends = (format_number(v, 2) for v in (image.min(), image.max()))
                    assert strip["ranges"][i] == " to ".join(ends)


def test_the_page_holds_every_score(synthetic):
    gallery = make_gallery()
    _, _, payload = gallery_page(synthetic, gallery)
    sent = payload["gallery"]
    assert sent["scores"] == list(gallery.views[0].scores)
    for family, views in zip(sent["families"], gallery.families.values(), strict=True):
        for one, view in zip(family["views"], views, strict=True):
            for texts, values in zip(one["scores"], view.scores.values(), strict=True):
                assert texts == [format_number(float(v)) for v in values]
    assert sent["families"][1]["views"][3]["note"] == "did not train: loss 0.02"


def test_the_saved_drawing_refers_to_the_pages_pictures(synthetic):
    gallery = make_gallery()
    html, _, payload = gallery_page(synthetic, gallery)
    urls = re.findall(r'<img[^>]* src="(data:[^"]+)"', html)
    assert payload["svg"].count("data:image") <= 1  # the scale's ramp, coloured
    whole = re.sub(r'href="img:(\d+)"', lambda m: f'href="{urls[int(m[1])]}"', payload["svg"])
    drawn = [i.attrib["href"] for i in ElementTree.fromstring(whole).findall(".//s:image", SPACE)]
    straight = ElementTree.fromstring(gallery_svg(gallery)).findall(".//s:image", SPACE)
    assert drawn == [i.attrib["href"] for i in straight]


def test_svg_has_every_family_label_and_picture():
    gallery = make_gallery()
    root = ElementTree.fromstring(gallery_svg(gallery, titled=True))
    texts = [t.text for t in root.findall(".//s:text", SPACE)]
    assert {"Convolutional", "Fully connected", "20 layers", "1 layer", "0", "1"} <= set(texts)
    assert texts.count("trained on") == 2
    assert any("did not train" in (t or "") for t in texts)
    cells = root.findall(".//s:g/s:image", SPACE)
    assert len(cells) == 2 * (1 + 6 + 5 * 6)
    assert all("pixelated" in c.attrib["style"] for c in cells)
    assert {float(c.attrib["width"]) % 14 for c in cells} == {0.0}
    titles = [t.text for t in root.findall(".//s:title", SPACE)]
    assert "7 layers, shape 3" in titles
    assert "trained on: ring 0" in titles


@pytest.mark.parametrize(("side", "n_inputs"), [(14, 14), (28, 14), (8, 3), (28, 2), (64, 20)])
def test_pixels_are_enlarged_by_whole_numbers(side, n_inputs):
    images = np.zeros((n_inputs, side, side))
    gallery = NetworkGallery("g", "t", "c", [], images, ["a"] * n_inputs, images[:1], ["b"])
    width = cell_width(gallery)
    assert width % side == 0
    assert 40 <= width <= 84


def test_a_family_may_say_otherwise_what_it_was_trained_on(synthetic):
    words = "one of 1,000 training images"
    gallery = dataclasses.replace(make_gallery(), training_words={"fully connected": words})
    _, grids, payload = gallery_page(synthetic, gallery)
    assert (grids.texts.count("trained on"), grids.texts.count(words)) == (1, 1)
    assert [f["training"] for f in payload["gallery"]["families"]] == ["trained on", words]
    assert [v["trained_on"] for v in gallery_data(gallery)["views"]][4:6] == ["trained on", words]
    texts = "".join(ElementTree.fromstring(gallery_svg(gallery)).itertext())
    assert f"{words}: ring 0" in texts


def test_hostile_labels_stay_texts(synthetic):
    gallery = make_gallery(levels=(1, 3))
    views = [
        dataclasses.replace(
            v,
            family=EVIL,
            label=EVIL,
            note=EVIL,
            scores={EVIL: np.zeros(6)},
            layer_labels=[EVIL for _ in v.layers],
        )
        for v in gallery.views
    ]
    gallery = dataclasses.replace(
        gallery,
        title=EVIL,
        caption=EVIL,
        views=views,
        input_labels=[EVIL] * 6,
        training_labels=[EVIL],
        level_name=EVIL,
        level_unit=EVIL,
        training_words={EVIL: EVIL},
    )
    html, grids, payload = gallery_page(synthetic, gallery)
    assert grids.tags.count("script") == 3
    assert "alert(1)</script>" not in html
    assert grids.texts.count(EVIL) > 10
    assert payload["gallery"]["inputs"][0] == EVIL
    root = ElementTree.fromstring(gallery_svg(gallery, titled=True))
    assert root.findall(".//s:script", SPACE) == []


def test_missing_pixels_and_outputs_are_shown_as_missing(synthetic):
    gallery = make_gallery(levels=(3,), families=["one"])
    outputs, layers = gallery.views[0].outputs.copy(), [v.copy() for v in gallery.views[0].layers]
    outputs[0] = np.nan
    outputs[1, 2, 3] = np.nan
    outputs[2, 0, 0] = np.inf
    layers[0][4] = np.nan
    scores = {name: np.full(6, np.nan) for name in gallery.views[0].scores}
    view = dataclasses.replace(gallery.views[0], outputs=outputs, layers=layers, scores=scores)
    gallery = dataclasses.replace(gallery, views=[view])
    _, grids, payload = gallery_page(synthetic, gallery)
    _, row = grids.tables[0]
    assert row[0] == ""
    alpha = decode_url(row[1])[..., 1]
    assert alpha[2, 3] == 0
    assert (alpha == 0).sum() == 1
    assert decode_url(row[2])[0, 0, 0] == 255
    sent = payload["gallery"]["families"][0]["views"][0]
    assert sent["scores"][0] == ["–"] * 6
    assert (decode_url(sent["layers"][0]["url"])[:, 4 * 14 : 5 * 14, 1] == 0).all()
    svg = gallery_svg(gallery)
    assert "3 layers, shape 0: no image" in svg
    assert "NaN" not in json.dumps(describe(synthetic(1, figures=[gallery])).figures[0].data)


def test_constant_layers_are_middle_grey():
    strip = layer_strip(np.full((2, 3, 3), 7.0), "dead")
    assert (decode_url(strip.url) == 128).all()
    assert strip.ranges == ("7 to 7", "7 to 7")


def test_layers_keep_their_own_resolution():
    strip = layer_strip(np.random.default_rng(0).random((3, 4, 7)), "code")
    assert (strip.width, strip.height) == (7, 4)
    assert decode_url(strip.url).shape == (4, 21, 1)


def test_networks_without_layers_need_none(synthetic):
    gallery = make_gallery(with_layers=False)
    _, _, payload = gallery_page(synthetic, gallery)
    assert all(v["layers"] == [] for f in payload["gallery"]["families"] for v in f["views"])
    assert len(gallery_notes(gallery)) == 1
    assert "scaled on its own" in gallery_notes(make_gallery())[1]


def test_one_network_of_one_family(synthetic):
    _, grids, payload = gallery_page(synthetic, make_gallery(levels=(3,), families=["only"]))
    assert len(grids.tables) == 1
    assert len(payload["gallery"]["families"][0]["views"]) == 1


def test_a_gallery_before_its_first_network(synthetic):
    gallery = dataclasses.replace(make_gallery(), views=[])
    _, grids, payload = gallery_page(synthetic, gallery)
    assert "No network has been trained yet." in grids.texts
    assert payload["gallery"]["families"] == []
    assert figure_table(gallery).rows == ()
    assert thumbnail_svg(gallery) == ""
    ElementTree.fromstring(gallery_svg(gallery))


def test_large_galleries_are_drawn_more_coarsely_and_say_so(monkeypatch):
    gallery = make_gallery()
    fine = sum(len(s.url) for one in view_strips(gallery)[1] for s in one)
    monkeypatch.setattr(gallery_module, "LAYER_BYTES", fine - 1)
    coarse, strips = view_strips(gallery)
    assert coarse == "16 greys"
    exact = gallery.families["convolutional"][1].layers[0][2]
    part = decode_url(strips[1][0].url)[:, 28:42, 0] * 17
    expected = grey_by_hand(exact, exact.min(), exact.max())
    np.testing.assert_allclose(part, expected, atol=9)
    monkeypatch.setattr(gallery_module, "LAYER_BYTES", 0.4 * fine)
    coarse, strips = view_strips(gallery)
    assert coarse == "16 greys and half their resolution"
    assert (strips[1][0].width, strips[1][0].height) == (7, 7)
    monkeypatch.setattr(gallery_module, "LAYER_BYTES", 10)
    assert view_strips(gallery) == ("no images", [[]] * 10)


def test_merged_pixels_are_means_also_at_odd_edges():
    images = np.random.default_rng(3).random((2, 5, 5))
    merged = gallery_module.merge_pixels(images, 2)
    whole = np.pad(images, ((0, 0), (0, 1), (0, 1)), mode="edge")
    slow = [
        [[im[r : r + 2, c : c + 2].mean() for c in (0, 2, 4)] for r in (0, 2, 4)] for im in whole
    ]
    np.testing.assert_allclose(merged, slow, rtol=1e-12)


@pytest.mark.parametrize(("side", "most"), [(14, 1_000_000), (28, 2_000_000)])
def test_a_large_gallery_fits_itsgallery_page(synthetic, side, most):
    # 24 networks, 14 inputs, 152 hidden layers with noise, which packs worst.
    shapes = draw_shapes(14, side)
    gallery = make_gallery((1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16), shapes)
    assert sum(len(v.layers) for v in gallery.views) == 2 * 76
    html, grids, payload = gallery_page(synthetic, gallery)
    empty = Study(synthetic(1, figures=[])).to_html()
    assert len(html.encode()) <= SIZE_LIMIT
    assert len(html.encode()) - len(empty.encode()) < most
    assert len(grids.tables) == 2
    assert payload["gallery"]["families"][0]["views"][-1]["layers"]


def test_thumbnail_has_the_training_image_and_some_networks():
    root = ElementTree.fromstring(thumbnail_svg(make_gallery()))
    images = [i.attrib["href"] for i in root.findall(".//s:image", SPACE)]
    assert len(images) == 1 + 5 + 4 * 5
    assert_same_image(images[0], make_gallery().training[0])


def test_notebooks_show_the_whole_gallery_undamaged(synthetic):
    gallery = make_gallery()
    shown = Study(synthetic(1, figures=[gallery]))._repr_html_()
    drawn, whole = (len(re.findall("<image ", t)) for t in (shown, gallery_svg(gallery)))
    assert drawn == whole > 50
    assert "max-width:100%;height:auto" in shown
