"""The report in a real browser: it renders, asks for nothing, and everything in it answers."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overparam.report.html import SIZE_LIMIT
from overparam.report.study import Study
from tests.report.browsing import BROWSER_MARKS, Visit, until

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, synthetic_factory: Any) -> Path:
    return Study(synthetic_factory(5)).save_report(
        tmp_path_factory.mktemp("report") / "report.html"
    )


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Any]:
    visits: list[Visit] = []

    def open_page(**context: Any) -> Visit:
        visits.append(Visit(browser, report, CHARTS_ARE_ALIVE, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        one.close()


CHARTS = "figure.chart .canvas svg.marks"
CHARTS_ARE_ALIVE = (
    f"document.querySelectorAll('{CHARTS}').length === 2"
    " && [...document.querySelectorAll('.canvas')].every(c => c.querySelector('svg'))"
    " && document.querySelectorAll('.chart .canvas > div').length === 2"
)
BLUE = "#main-figure .mark-line path[stroke='var(--test-0)']"


def test_renders_without_complaint_or_request(visit, report):
    one = visit(viewport={"width": 1280, "height": 900})
    assert one.complaints == []
    assert [u for u in one.requests if not u.startswith(("data:", "blob:"))] == [one.url]
    assert report.stat().st_size <= SIZE_LIMIT
    box = one.page.locator("#main-figure .canvas svg").bounding_box()
    assert box["width"] > 700
    assert box["height"] > 300
    assert one.page.locator(BLUE).count() == 1
    assert "Test error (fraction wrong)" in one.page.locator("#main-figure .canvas").inner_text()


def test_policy_blocks_what_is_injected(visit):
    one = visit()
    one.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.bad = 1';"
        " document.body.append(s); const i = new Image(); i.src = 'https://example.org/a.png';"
        " document.body.append(i); }"
    )
    one.page.wait_for_timeout(100)
    assert one.page.evaluate("window.bad") is None
    assert len([c for c in one.complaints if "Content Security Policy" in c]) == 2


@pytest.mark.parametrize("way", ["click", "Space", "Enter"])
def test_a_series_hides_and_returns(visit, way):
    one = visit()
    chip = one.page.locator("#main-figure .chip", has_text="test error").first
    line = one.page.locator(BLUE)
    assert line.count() == 1
    for pressed, count in (("false", 0), ("true", 1)):
        if way == "click":
            chip.click()
        else:
            chip.focus()
            one.page.keyboard.press(way)
        assert chip.get_attribute("aria-pressed") == pressed
        until(
            one.page,
            "([path, n]) => document.querySelectorAll(path).length === n",
            arg=[BLUE, count],
        )
    assert one.complaints == []


def test_pointer_shows_the_numbers(visit, synthetic):
    one = visit(viewport={"width": 1280, "height": 1400})
    marker = one.page.locator("#main-figure .mark-symbol path[fill='var(--test-0)']").nth(3)
    marker.scroll_into_view_if_needed()
    box = marker.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    one.page.mouse.move(x - 3, y - 3)
    one.page.mouse.move(x, y, steps=3)
    tooltip = one.page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    text = tooltip.inner_text()
    assert "undefined" not in text
    assert "fraction wrong" in text
    assert "[" in text
    assert text.split("Seeds")[1].strip() in ("5", "–")


def test_arrow_keys_read_the_points(visit, synthetic):
    one = visit()
    series = synthetic(5).figures[0].panels[0].series
    one.page.locator("#main-figure .canvas").focus()
    readout = one.page.locator("#main-figure .readout")
    for keys, who, x in (
        (["ArrowRight"], "test error", 10),
        (["ArrowRight", "ArrowRight"], "test error", 20),
        (["ArrowDown"], "train error", 20),
        (["ArrowLeft"], "train error", 14),
        (["ArrowUp"], "test error", 14),
    ):
        for key in keys:
            one.page.keyboard.press(key)
        row = next(s for s in series if s.label == who)
        value = float(row.y[list(row.x).index(x)])
        text = readout.inner_text()
        assert text.startswith(f"{who}: Random features p {x}, Test error {value:.3g}")
        assert text.endswith("5 seeds")
    one.page.keyboard.press("Escape")
    assert readout.inner_text() == ""


def test_theme_follows_the_system_and_the_button(visit):
    def paper(one: Visit) -> str:
        return one.page.evaluate("getComputedStyle(document.body).backgroundColor")

    def blue(one: Visit) -> str:
        return one.page.evaluate(f'getComputedStyle(document.querySelector("{BLUE}")).stroke')

    light, dark = visit(color_scheme="light"), visit(color_scheme="dark")
    assert paper(light) == "rgb(255, 255, 255)"
    assert paper(dark) == "rgb(20, 23, 28)"
    assert blue(light) != blue(dark)
    button = light.page.get_by_role("button", name="Dark theme")
    button.focus()
    light.page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert (paper(light), blue(light)) == (paper(dark), blue(dark))
    button.click()
    assert paper(light) == "rgb(255, 255, 255)"


def test_save_buttons_make_files(visit, tmp_path, synthetic):
    one = visit(color_scheme="dark")
    starts = {"svg": b"<svg", "png": b"\x89PNG", "csv": b"panel,series"}
    for index, figure in enumerate(synthetic(5).figures):
        buttons = one.page.locator(f"[data-figure='{index}'] [data-save]")
        assert buttons.count() == 3
        for kind, start in starts.items():
            with one.page.expect_download() as waiting:
                one.page.locator(f"[data-figure='{index}'] [data-save={kind}]").click()
            download = waiting.value
            assert download.suggested_filename == f"{figure.name}.{kind}"
            path = tmp_path / download.suggested_filename
            download.save_as(path)
            data = path.read_bytes()
            if kind == "csv":
                assert len(list(csv.reader(path.read_text().splitlines()))) > 2
            else:
                assert data.startswith(start)
                assert b"var(--" not in data
    assert b"#147eca" in (tmp_path / "test_error.svg").read_bytes()  # light, also from dark
    assert one.complaints == []


def test_copy_button_copies_the_command(visit):
    one = visit()
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = one.page.locator(".copy").first
    button.click()
    until(one.page, "document.querySelector('.copy').textContent === 'Copied'")
    copied = one.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("overparam run ")
    assert "conftest.py --scale standard" in copied


def test_folded_words_are_open_in_print_and_folded_numbers_stay(visit):
    one = visit()
    state = "[...document.querySelectorAll('details')].map(d => [d.className, d.open])"
    before = one.page.evaluate(state)
    one.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert all(is_open == (name != "behind") for name, is_open in one.page.evaluate(state))
    one.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert one.page.evaluate(state) == before


def test_three_cards_leave_the_main_figure_on_the_first_screen(browser, synthetic, tmp_path):
    result = synthetic(5)
    verdicts = {**result.verdicts, "another control": result.verdicts["control"]}
    page = Study(dataclasses.replace(result, verdicts=verdicts)).save_report(tmp_path / "a.html")
    one = Visit(browser, page, CHARTS_ARE_ALIVE, viewport={"width": 1280, "height": 900})
    tops = [card.bounding_box()["y"] for card in one.page.locator(".arm").all()]
    assert len(set(tops)) == 1
    assert one.page.locator("#main-figure .canvas").bounding_box()["y"] < 900
    one.close()


def test_phone_has_no_sideways_scroll(visit):
    one = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    for details in one.page.locator("details").all():
        details.locator("summary").click()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390
    box = one.page.locator("#main-figure .canvas svg").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    # Text of a drawing made for this width is not shrunk.
    height = one.page.locator("#main-figure .canvas svg text").first.bounding_box()["height"]
    assert height >= 10


def test_every_control_is_reached_by_the_tab_key(visit):
    one = visit()
    selector = "button:not(:disabled), summary, a[href], [tabindex='0']"
    wanted = one.page.locator(selector).count()
    seen = set()
    for _ in range(wanted + 30):
        one.page.keyboard.press("Tab")
        seen.add(
            one.page.evaluate(
                "(() => { const all = [...document.querySelectorAll('*')];"
                " return all.indexOf(document.activeElement); })()"
            )
        )
    hidden = one.page.evaluate("document.querySelectorAll('details [tabindex=\"0\"]').length")
    assert len(seen) >= wanted - hidden


def test_page_reads_without_scripts(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#main-figure .canvas svg").count() == 1
    assert "interpolation threshold" in page.locator("#main-figure").inner_text()
    assert not page.locator("#theme").is_visible()
    context.close()


def test_print_is_light_and_within_the_paper(visit, tmp_path):
    one = visit(color_scheme="dark", viewport={"width": 720, "height": 1000})
    one.page.emulate_media(media="print")
    assert (
        one.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 720
    assert not one.page.locator("#theme").is_visible()
    assert one.page.pdf().startswith(b"%PDF")
