"""A gallery of networks in a real browser: every interaction, by pointer and by keyboard."""

from __future__ import annotations

import numpy as np
import pytest

from overparam.report.formatting import format_number
from tests.report.browsing import BROWSER_MARKS, Visit, until
from tests.report.gallery_pages import (
    FAMILIES,
    GALLERY,
    GRID,
    LAST,
    LEVELS,
    STEPS,
    cell_of,
    grey_by_hand,
)

pytestmark = BROWSER_MARKS


def _current(one: Visit) -> str:
    rows = one.page.locator("tr.current th")
    assert rows.count() == 1
    return rows.inner_text().split("\n")[0]


def _focused(one: Visit) -> list[int]:
    """Return row and column of the focused cell."""
    return one.page.evaluate(
        "(() => { const c = document.activeElement.closest('td'), r = c.parentElement;"
        " return [Number(r.dataset.view), [...r.querySelectorAll('td')].indexOf(c)]; })()"
    )


def _says(text: str, family: str, view: int, column: int) -> None:
    """Check that a sentence tells who, on what, and every score of the data."""
    network = GALLERY.families[family][view]
    assert text.startswith(f"{family}, {network.label}, {GALLERY.input_labels[column]}: ")
    for name, values in network.scores.items():
        assert f"{name} {format_number(float(values[column]))}" in text
    assert text.endswith(network.note)


def test_it_opens_quietly_on_the_middle_of_the_first_family(visit_gallery):
    one = visit_gallery(viewport={"width": 1280, "height": 900})
    assert _current(one) == "6 layers"
    assert one.page.locator(".family:visible").count() == 1
    assert one.page.evaluate("scrollY") == 0
    assert one.page.evaluate("document.activeElement === document.body")
    assert one.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("way", ["click", "keyboard"])
def test_the_switch_changes_the_family_and_keeps_the_level(visit_gallery, way):
    one = visit_gallery()
    radios = one.page.get_by_role("radio")
    assert [radios.nth(k).is_checked() for k in range(2)] == [True, False]
    one.page.get_by_role("slider").fill("7")
    if way == "click":
        one.page.locator(".switch label").nth(1).click()
    else:
        radios.nth(0).focus()
        one.page.keyboard.press("ArrowRight")
    assert one.page.locator(f"{GRID} h3").text_content() == FAMILIES[1]
    assert one.page.locator(".family:visible").count() == 1
    assert _current(one) == "8 layers"
    assert FAMILIES[1] in one.page.locator(".travel h3").text_content()


def test_the_slider_marks_the_row_and_brings_it_into_sight(visit_gallery):
    one = visit_gallery(viewport={"width": 1280, "height": 700})
    slider = one.page.get_by_role("slider", name="Depth (layers)")
    slider.focus()
    for key, label in (("End", "20 layers"), ("Home", "1 layer"), ("ArrowRight", "2 layers")):
        before = one.page.evaluate("scrollY")
        one.page.keyboard.press(key)
        assert _current(one) == label
        assert one.page.locator(".level output").inner_text() == label
        assert slider.get_attribute("aria-valuetext") == label
        assert label in one.page.locator(".travel h3").text_content()
        box = one.page.locator(f"{GRID} .grid-box").bounding_box()
        row = one.page.locator("tr.current").bounding_box()
        head = one.page.locator(f"{GRID} thead").bounding_box()["height"]
        assert row["y"] >= box["y"] + head - 2
        assert row["y"] + row["height"] <= box["y"] + box["height"] + 2
        assert one.page.evaluate("scrollY") == before  # the page itself stays where it is
    style = "getComputedStyle(document.querySelector('tr.current td')).borderTopWidth"
    assert one.page.evaluate(style) == "2px"


def test_training_image_and_inputs_stay_in_sight(visit_gallery):
    one = visit_gallery(viewport={"width": 1280, "height": 700})
    one.page.get_by_role("slider").fill("10")
    box = one.page.locator(f"{GRID} .grid-box").bounding_box()
    assert one.page.evaluate(f"document.querySelector('{GRID} .grid-box').scrollTop") > 50
    for selector in (".corner img", "thead th:last-child img"):
        picture = one.page.locator(f"{GRID} {selector}").bounding_box()
        assert box["y"] <= picture["y"] < box["y"] + 100


@pytest.mark.parametrize("way", ["click", "Enter", "Space"])
def test_picking_a_cell_shows_the_way_through_the_layers(visit_gallery, way):
    one = visit_gallery(viewport={"width": 1280, "height": 1400})
    view, column = 3, 2
    if way == "click":
        cell_of(one, view, column).click()
    else:
        cell_of(one, 5, 0).focus()
        for key in ["ArrowUp"] * 2 + ["ArrowRight"] * 2:
            one.page.keyboard.press(key)
        assert _focused(one) == [view, column]
        one.page.keyboard.press(way)
    network = GALLERY.families[FAMILIES[0]][view]
    title = one.page.locator(".travel h3").text_content()
    assert title == f"shape 2, through 4 layers ({FAMILIES[0]})"
    names = one.page.locator(".steps .label b").all_inner_texts()
    assert names == ["input", *network.layer_labels, "output", "trained on"]
    until(one.page, STEPS)
    for canvas, layer in zip(one.page.locator(".steps canvas").all(), network.layers, strict=True):
        pixels = canvas.evaluate(
            "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        )
        image = layer[column]
        expected = grey_by_hand(image, image.min(), image.max())
        shown = np.array(pixels).reshape(14, 14, 4)
        np.testing.assert_allclose(shown[..., 0], expected, atol=1)
        assert (shown[..., 3] == 255).all()
        low, high = (format_number(float(v), 2) for v in (image.min(), image.max()))
        assert canvas.get_attribute("aria-label").endswith(f"drawn from {low} to {high}")
    sources = [i.get_attribute("src") for i in one.page.locator(".steps img").all()]
    head = one.page.locator(f"{GRID} thead img")
    own = cell_of(one, view, column).locator("img").get_attribute("src")
    training = head.nth(0).get_attribute("src")
    assert sources == [head.nth(1 + column).get_attribute("src"), own, training]
    numbers = one.page.locator(".travel dl.scores dd").all_inner_texts()
    assert numbers == [format_number(float(v[column])) for v in network.scores.values()]
    assert one.page.locator("td.picked").count() == 1
    assert _current(one) == "4 layers"
    assert "scaled on its own" in one.page.locator(".travel .remark").inner_text()


def test_a_row_label_and_an_input_can_be_picked_too(visit_gallery):
    one = visit_gallery(viewport={"width": 1280, "height": 1400})
    one.page.locator(f"{GRID} tr[data-view='1'] th").click()
    one.page.locator(f"{GRID} thead th").nth(4).click()
    title = one.page.locator(".travel h3").text_content()
    assert title.startswith("shape 3, through 2 layers")
    assert one.page.locator(f"{GRID} thead th.current .name").inner_text() == "shape 3"


def test_a_network_of_one_layer_goes_straight_from_input_to_output(visit_gallery):
    one = visit_gallery()
    one.page.get_by_role("slider").fill("0")
    names = one.page.locator(".steps .label b").all_inner_texts()
    assert names == ["input", "output", "trained on"]
    remark = one.page.locator(".travel .remark").inner_text()
    assert remark == "No images of hidden layers were kept for this network."


def test_hovering_shows_every_score_beside_the_pictures(visit_gallery):
    one = visit_gallery(viewport={"width": 1280, "height": 1400})
    one.page.locator(".switch label").nth(1).click()
    cell_of(one, 9, 4).hover()
    network = GALLERY.families[FAMILIES[1]][9]
    tip = one.page.locator(".tip")
    assert tip.is_visible()
    rows = tip.locator("tr").all()
    assert [tuple(r.locator("td").all_inner_texts()) for r in rows] == [
        (name, format_number(float(values[4]))) for name, values in network.scores.items()
    ]
    assert tip.locator("b").inner_text() == "shape 4 → 14 layers"
    assert network.note in tip.inner_text()
    own = cell_of(one, 9, 4).locator("img").get_attribute("src")
    assert tip.locator("img").nth(1).get_attribute("src") == own
    _says(one.page.locator(".gallery .readout").inner_text(), FAMILIES[1], 9, 4)
    box, size = tip.bounding_box(), one.page.viewport_size
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    one.page.mouse.move(5, 5)
    assert not tip.is_visible()


def test_arrow_keys_walk_the_grid_with_one_tab_stop(visit_gallery):
    one = visit_gallery()
    one.page.get_by_role("slider").focus()
    one.page.keyboard.press("Tab")
    assert _focused(one) == [5, 0]
    last = len(LEVELS) - 1
    for key, place in (
        ("ArrowDown", [6, 0]),
        ("ArrowRight", [6, 1]),
        ("End", [6, LAST]),
        ("ArrowRight", [6, LAST]),
        ("ArrowUp", [5, LAST]),
        ("Home", [5, 0]),
        ("ArrowLeft", [5, 0]),
        ("Control+End", [last, LAST]),
        ("ArrowDown", [last, LAST]),
        ("Control+Home", [0, 0]),
        ("ArrowUp", [0, 0]),
    ):
        one.page.keyboard.press(key)
        assert _focused(one) == place
        assert one.page.locator(f"{GRID} td[tabindex='0']").count() == 1
        _says(one.page.locator(".gallery .readout").inner_text(), FAMILIES[0], *place)
        assert one.page.locator(".tip").is_visible()
    assert one.page.locator(".gallery .readout").get_attribute("aria-live") == "polite"
    assert _current(one) == "6 layers"  # walking reads, it does not pick
    one.page.keyboard.press("Escape")
    assert not one.page.locator(".tip").is_visible()
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("!document.activeElement.closest('table')")


def test_focus_is_seen_and_not_hidden_under_the_head(visit_gallery):
    one = visit_gallery(viewport={"width": 1280, "height": 600})
    one.page.get_by_role("slider").focus()
    focus = "(e => { const s = getComputedStyle(e); return s.outlineStyle + s.outlineWidth; })"
    assert one.page.evaluate(f"{focus}(document.activeElement)") == "solid3px"
    one.page.keyboard.press("Tab")
    assert one.page.evaluate(f"{focus}(document.activeElement)") == "solid3px"
    one.page.keyboard.press("Control+End")
    one.page.keyboard.press("Control+Home")
    head = one.page.locator(f"{GRID} thead").bounding_box()
    cell = cell_of(one, 0, 0).bounding_box()
    assert cell["y"] >= head["y"] + head["height"] - 2
    radio = one.page.get_by_role("radio").first
    radio.focus()
    one.page.keyboard.press("ArrowRight")
    assert one.page.evaluate(
        f"{focus}(document.querySelector('.switch input:checked + span'))"
    ) == "solid3px"  # fmt: skip


def test_roles_and_names_for_those_who_listen(visit_gallery):
    one = visit_gallery()
    grid = one.page.get_by_role("grid", name=f"{FAMILIES[0]}: rows are networks")
    assert grid.get_by_role("row").count() == 1 + len(LEVELS)
    assert grid.get_by_role("gridcell").count() == (LAST + 1) * len(LEVELS)
    assert grid.get_by_role("gridcell", name="3 layers, shape 1").count() == 1
    assert one.page.get_by_role("group", name="Networks").count() == 1
    selected = one.page.locator("[aria-selected=true]")
    assert [s.get_attribute("data-view") for s in selected.all()] == ["5"]
