"""The audit's page in a real browser: it asks for nothing, and its filter and search answer."""

import pytest

from overparam.report.audit import Audit
from tests.report.browsing import BROWSER_MARKS, Visit
from tests.report.made_audits import image_subject, made_findings, made_result

pytestmark = BROWSER_MARKS
READY = "document.documentElement.classList.contains('js')"
SHOWN = "[...document.querySelectorAll('.finding:not([hidden])')].map(e => e.id)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    old = made_findings()
    del old["OP501"]
    audit = Audit(made_result(image_subject()), Audit(made_result(findings=old)), "overparam audit")
    return audit.save(tmp_path_factory.mktemp("audit"))


@pytest.fixture
def visit(browser, folder):
    visits = []

    def open_page(**context):
        visits.append(Visit(browser, folder / "report.html", READY, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        assert one.complaints == []
        assert [u for u in one.requests if not u.startswith(("data:", "blob:"))] == [one.url]
        one.close()


@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_the_screen(visit, width, scheme):
    one = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    one.page.wait_for_timeout(300)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    assert one.page.evaluate("document.querySelectorAll('.finding image').length") == 8 * 1 + 2


def test_severities_are_hidden_and_shown(visit):
    one = visit()
    assert one.page.evaluate(SHOWN) == ["OP501", "OP302", "OP202", "OP201"]
    chip = one.page.locator(".filter .chip", has_text="low")
    chip.click()
    assert chip.get_attribute("aria-pressed") == "false"
    assert one.page.evaluate(SHOWN) == ["OP501", "OP302", "OP202"]
    assert one.page.locator(".filter .found").inner_text() == "3 of 4 shown"
    chip.press("Enter")
    assert len(one.page.evaluate(SHOWN)) == 4


def test_search_finds_words_and_codes(visit):
    one = visit()
    search = one.page.locator("#search")
    search.fill("label probably")
    assert one.page.evaluate(SHOWN) == ["OP202"]
    search.fill("op501")
    assert one.page.evaluate(SHOWN) == ["OP501"]
    search.fill("")
    assert len(one.page.evaluate(SHOWN)) == 4


def test_everything_is_printed(visit):
    one = visit()
    one.page.locator("#search").fill("op501")
    one.page.emulate_media(media="print")
    assert one.page.locator("#OP201").is_visible()
    assert not one.page.locator("#search").is_visible()


def test_without_scripts_all_is_there(visit, browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "report.html").as_uri())
    assert page.locator("#OP201").is_visible()
    assert not page.locator(".filter").is_visible()
    context.close()
