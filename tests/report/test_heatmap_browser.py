"""A heat map in a real browser: cells answer the pointer and the arrow keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overparam.report.formatting import format_number
from overparam.report.study import Study
from tests.report.browsing import BROWSER_MARKS, Visit
from tests.report.synthetic_figures import make_heat

pytestmark = BROWSER_MARKS
ROWS, COLUMNS = 7, 5
NOTES = [[[f"note {p}{r}{c}" for c in range(COLUMNS)] for r in range(ROWS)] for p in range(2)]
HEAT = dataclasses.replace(make_heat(ROWS, COLUMNS), notes=NOTES)
MAP = "#main-figure .canvas"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, synthetic_factory: Any) -> Path:
    path = tmp_path_factory.mktemp("heat") / "report.html"
    return Study(synthetic_factory(1, figures=[HEAT])).save_report(path)


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Any]:
    visits: list[Visit] = []

    def open_page(**context: Any) -> Visit:
        ready = f"document.querySelectorAll('{MAP} [data-cell] title').length === 0"
        visits.append(Visit(browser, report, ready, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        assert one.complaints == []
        assert [u for u in one.requests if not u.startswith(("data:", "blob:"))] == [one.url]
        one.close()


def _sentence(panel: int, row: int, column: int) -> str:
    title, values = HEAT.panels[panel]
    value = values[row, column]
    number = "no value" if np.isnan(value) else format_number(float(value))
    return (
        f"{title}, Depth {row + 1}, {HEAT.x.quantity} class {column}:"
        f" Correlation of the output {number}. note {panel}{row}{column}"
    )


@pytest.mark.parametrize("place", [(0, 3, 2), (1, 6, 4), (1, 0, 0)])
def test_hovering_reads_the_cell(visit, place):
    one = visit(viewport={"width": 1200, "height": 900})
    name = ":".join(map(str, place))
    one.page.locator(f"{MAP} [data-cell='{name}']").hover()
    tip = one.page.locator(".tip")
    assert tip.inner_text() == _sentence(*place)
    assert one.page.locator("#main-figure .readout").inner_text() == _sentence(*place)
    box = tip.bounding_box()
    assert 0 <= box["x"] <= 1200 - box["width"]
    one.page.mouse.move(3, 3)
    assert not tip.is_visible()


def test_arrow_keys_read_the_cells_of_all_panels(visit):
    one = visit()
    one.page.locator(MAP).focus()
    readout = one.page.locator("#main-figure .readout")
    assert readout.get_attribute("aria-live") == "polite"
    for key, place in (
        ("ArrowDown", (0, 0, 0)),
        ("ArrowDown", (0, 1, 0)),
        ("End", (0, 1, 4)),
        ("ArrowRight", (1, 1, 0)),
        ("ArrowUp", (1, 0, 0)),
        ("ArrowUp", (1, 0, 0)),
        ("ArrowLeft", (0, 0, 4)),
        ("Home", (0, 0, 0)),
        ("ArrowLeft", (0, 0, 0)),
        ("ArrowRight", (0, 0, 1)),
    ):
        one.page.keyboard.press(key)
        assert readout.inner_text() == _sentence(*place)
        ring = one.page.locator(".heat-ring")
        cell = one.page.locator(f"{MAP} [data-cell='{':'.join(map(str, place))}']")
        for side in ("x", "y", "width", "height"):
            assert ring.get_attribute(side) == cell.get_attribute(side)
    one.page.keyboard.press("Escape")
    assert readout.inner_text() == ""
    assert one.page.locator(".heat-ring").count() == 0
    assert not one.page.locator(".tip").is_visible()


def test_focus_is_seen(visit):
    one = visit()
    one.page.locator(".thumbnail").focus()
    for _ in range(6):  # past the folded words of the cards
        one.page.keyboard.press("Tab")
        if one.page.evaluate(f"document.activeElement.matches('{MAP}')"):
            break
    assert one.page.evaluate(f"document.activeElement.matches('{MAP}')")
    outline = one.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_saved_drawing_is_as_it_came(visit, tmp_path):
    one = visit(color_scheme="dark")
    one.page.locator(MAP).focus()
    one.page.keyboard.press("ArrowDown")
    for kind in ("svg", "png", "csv"):
        with one.page.expect_download() as waiting:
            one.page.locator(f"[data-save={kind}]").click()
        waiting.value.save_as(tmp_path / f"heat.{kind}")
    svg = (tmp_path / "heat.svg").read_text()
    assert "var(--" not in svg
    assert "heat-ring" not in svg
    assert svg.count("data-cell") == svg.count("<title>") == 2 * ROWS * COLUMNS
    assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "heat.csv").read_text().splitlines()) == 1 + 2 * ROWS * COLUMNS


def test_without_scripts_cells_still_name_their_numbers(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    title = page.locator(f"{MAP} [data-cell='0:3:2'] title")
    assert title.text_content() == _sentence(0, 3, 2)
    context.close()


def test_phone_and_paper_hold_the_map(visit):
    one = visit(viewport={"width": 390, "height": 844})
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390
    one.page.set_viewport_size({"width": 720, "height": 1000})
    one.page.emulate_media(media="print")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 720
    box = one.page.locator(f"{MAP} svg").bounding_box()
    assert box["x"] + box["width"] <= 720
