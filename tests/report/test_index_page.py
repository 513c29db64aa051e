"""The index of studies: escaping, words, and in a browser its search and themes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overparam.report.index_page import IndexEntry, entry_of, render_index
from overparam.report.study import Study
from tests.report.browsing import BROWSER_MARKS, Visit

HOSTILE = '"><script>window.bad = 1</script>'


def make_entries(synthetic: Any) -> list[IndexEntry]:
    own = entry_of(Study(synthetic(3)), "first-standard/report.html")
    verdicts = (("treatment", "absent"),)
    hostile = IndexEntry(
        f"chapter/{HOSTILE}", HOSTILE, HOSTILE, HOSTILE, "other/report.html", verdicts, note=HOSTILE
    )
    return [own, hostile]


def test_entries_and_chapters(synthetic):
    entries = make_entries(synthetic)
    page = render_index(entries, "Studies", [("chapter", "A title.\n\nQuestion: why `this`?")])
    assert page.count("<article") == 2
    assert 'href="first-standard/report.html"' in page
    assert "<b>Question.</b> why <code>this</code>?" in page
    assert HOSTILE not in page
    assert entries[0].facts[0] == "standard scale"
    assert "observed" in entries[0].words


def test_drawings_share_no_names(synthetic):
    entry = entry_of(Study(synthetic(3)), "a.html")
    page = render_index([entry, entry], "Studies")
    assert 'id="card0-clip' in page or "card0-" in page
    assert page.count('id="card0-') == page.count('id="card1-')


def test_texts_that_no_page_can_hold_are_shown_as_escapes():
    entry = IndexEntry("n\ud800", "t\x00", "c\uffff", "h\x1b", "a.html", (("a\x07", "absent"),))
    page = render_index([entry], "Studies")
    page.encode()
    assert not set(page) & set("\x00\x07\x1b\uffff")
    for text in (r"n\ud800", r"t\x00", r"c\uffff", r"a\x07"):
        assert text in page


def test_nothing_to_show():
    assert "There is no study here yet." in render_index([], "Studies")


@pytest.fixture
def visit(browser: Any, synthetic: Any, tmp_path: Path) -> Iterator[Any]:
    file = tmp_path / "index.html"
    file.write_text(render_index(make_entries(synthetic), "Studies"), encoding="utf-8")
    visits: list[Visit] = []

    def open_page(**context: Any) -> Visit:
        alive = "document.documentElement.classList.contains('js')"
        visits.append(Visit(browser, file, alive, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        one.close()


class TestInBrowser:
    pytestmark = BROWSER_MARKS

    def test_search_finds_by_name_claim_and_verdict(self, visit):
        one = visit(viewport={"width": 1280, "height": 900})
        assert one.complaints == []
        assert one.requests == [one.url]
        cards = one.page.locator(".card:visible")
        assert cards.count() == 2
        one.page.fill("#search", "OBSERVED test error")
        assert cards.count() == 1
        assert one.page.locator(".found").inner_text() == "1 of 2"
        one.page.fill("#search", "no such words")
        assert cards.count() == 0
        one.page.fill("#search", "")
        assert cards.count() == 2
        assert one.page.evaluate("window.bad") is None

    @pytest.mark.parametrize("width", [320, 390, 1280])
    def test_nothing_is_wider_than_the_page(self, visit, width):
        one = visit(viewport={"width": width, "height": 800})
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width

    def test_dark_by_system_and_by_button(self, visit):
        colour = "getComputedStyle(document.body).backgroundColor"
        dark, light = visit(color_scheme="dark"), visit(color_scheme="light")
        assert dark.page.evaluate(colour) != light.page.evaluate(colour)
        light.page.click("#theme")
        assert light.page.evaluate(colour) == dark.page.evaluate(colour)

    def test_without_scripts_all_is_there(self, browser, synthetic, tmp_path):
        file = tmp_path / "index.html"
        file.write_text(render_index(make_entries(synthetic), "Studies"), encoding="utf-8")
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(file.as_uri())
        assert page.locator(".card:visible").count() == 2
        assert not page.locator(".search").is_visible()
        context.close()
