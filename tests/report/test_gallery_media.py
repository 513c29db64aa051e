"""A gallery of networks on paper, on a phone, in the dark, without scripts, and in files."""

from __future__ import annotations

import csv
import dataclasses

import pytest

from overparam.report.study import Study
from tests.report.browsing import BROWSER_MARKS, Visit, until
from tests.report.gallery_pages import (
    FAMILIES,
    GALLERY,
    GRID,
    LAST,
    LEVELS,
    STEPS,
    cell_of,
)

pytestmark = BROWSER_MARKS


def test_pixels_are_crisp_and_a_whole_multiple(visit_gallery):
    one = visit_gallery(viewport={"width": 1280, "height": 900})
    picture = cell_of(one, 0, 0).locator("img")
    size = picture.bounding_box()
    assert size["width"] % 14 == 0
    assert size["width"] == size["height"]
    style = "e => getComputedStyle(e).imageRendering"
    assert picture.evaluate(style) == "pixelated"
    assert one.page.locator(".steps .px").first.evaluate(style) == "pixelated"


def test_print_has_every_family_and_no_controls(visit_gallery):
    one = visit_gallery(color_scheme="dark", viewport={"width": 720, "height": 1000})
    one.page.emulate_media(media="print")
    assert one.page.locator(".family:visible").count() == 2
    assert one.page.locator(".networks td img:visible").count() == 2 * (LAST + 1) * len(LEVELS)
    assert one.page.locator(".corner img:visible").count() == 2
    assert [h.text_content() for h in one.page.locator(".family h3:visible").all()] == FAMILIES
    for hidden in (".controls", ".travel", ".tip", ".gallery .readout", ".save"):
        assert not one.page.locator(hidden).first.is_visible()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 720
    last = one.page.locator(".family").nth(0).locator("tbody tr").last.bounding_box()
    box = one.page.locator(".family").nth(0).bounding_box()
    assert last["y"] + last["height"] <= box["y"] + box["height"] + 1  # nothing is cut off
    assert one.page.pdf().startswith(b"%PDF")


def test_without_scripts_every_family_stands_in_full(browser, gallery_report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(gallery_report.as_uri())
    assert page.locator(".family:visible").count() == 2
    assert page.locator(".networks td img:visible").count() == 2 * (LAST + 1) * len(LEVELS)
    assert page.locator(".corner img:visible").count() == 2
    assert not page.locator(".controls").is_visible()
    assert not page.locator(".travel").is_visible()
    assert page.locator("tr.current").count() == 0
    context.close()


def test_phone_scrolls_the_grid_in_its_own_box(visit_gallery):
    one = visit_gallery(viewport={"width": 390, "height": 844}, has_touch=True)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390
    cell_of(one, 5, 5).tap()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390
    until(one.page, STEPS)
    box = one.page.locator(f"{GRID} .grid-box")
    assert box.evaluate("b => b.scrollWidth > b.clientWidth")
    assert "shape 5" in one.page.locator(".travel h3").text_content()
    tip = one.page.locator(".tip")
    if tip.is_visible():
        assert tip.bounding_box()["x"] >= 0
    # The row's name and the training image stay while the columns scroll.
    left = box.bounding_box()["x"]
    assert abs(one.page.locator(f"{GRID} .corner").bounding_box()["x"] - left) < 3
    assert abs(one.page.locator("tr.current th").bounding_box()["x"] - left) < 3


def test_dark_pages_are_dark(visit_gallery):
    style = "getComputedStyle(document.querySelector('.networks td')).backgroundColor"
    assert visit_gallery(color_scheme="dark").page.evaluate(style) == "rgb(20, 23, 28)"
    assert visit_gallery(color_scheme="light").page.evaluate(style) == "rgb(255, 255, 255)"


def test_saved_files_hold_the_whole_gallery(visit_gallery, tmp_path):
    one = visit_gallery(color_scheme="dark")
    one.page.locator(".switch label").nth(1).click()
    for kind in ("svg", "png", "csv"):
        with one.page.expect_download() as waiting:
            one.page.locator(f"[data-save={kind}]").click()
        waiting.value.save_as(tmp_path / f"gallery.{kind}")
    svg = (tmp_path / "gallery.svg").read_text()
    for family in FAMILIES:
        assert family[1:] in svg
    assert "img:" not in svg
    assert "var(--" not in svg
    for picture in one.page.locator(".networks img").all()[:20]:
        assert picture.get_attribute("src") in svg
    assert (tmp_path / "gallery.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "gallery.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(LEVELS) * (LAST + 1)
    first = GALLERY.views[0].scores["edge score"][0]
    assert float(rows[0]["edge score"]) == first


@pytest.mark.parametrize(
    "changes",
    [{"views": []}, {"views": GALLERY.views[:1]}, {"views": GALLERY.views[2:3]}],
    ids=["none", "one of one layer", "one"],
)
def test_small_galleries_come_alive_without_complaint(browser, synthetic, tmp_path, changes):
    gallery = dataclasses.replace(GALLERY, **changes)
    file = Study(synthetic(1, figures=[gallery])).save_report(tmp_path / "small.html")
    one = Visit(browser, file, "document.documentElement.classList.contains('js')")
    assert one.page.locator(".switch").is_visible() is False
    one.page.locator("[data-save=svg]").click()
    assert one.complaints == []
    one.close()
