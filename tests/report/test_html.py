"""The page as text: complete, escaped, within its size, and without a way to the network."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from typing import Any

import numpy as np
import pytest

import overparam.report.html as html_module
from overparam.errors import ResourceError
from overparam.lab.figure import ImageGrid
from overparam.lab.phenomenon import Scale
from overparam.lab.records import Records
from overparam.lab.verdict import UNKNOWN, Interval, decide, exceeds, judge
from overparam.report import page_figure
from overparam.report.content import describe
from overparam.report.html import SIZE_LIMIT
from overparam.report.study import Study
from overparam.texts import printable
from tests.report.parsed_page import Page, payload_of, rendered

EVIL = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&<b>{{ 7*7 }}\u2028"""


def test_page_holds_what_a_reader_needs(synthetic):
    html = rendered(synthetic())
    assert len(html.encode()) <= SIZE_LIMIT
    page = Page(html)
    for part in (
        "Test error peaks where the number of features equals",
        "Observed, and absent from its control.",
        "95 % interval [2.31, 2.97], 5 seeds",
        "the peak is 2.63 times the second minimum",
        "Test error peaks at 1,000 features, where training error reaches 0",
        "The rule, as it was written before the run",
        "observed if the whole interval of peak / second minimum lies above 1.2",
        "24 levels: 10, 14, 20, …, 30,000",
        "conftest.py --scale full",
        "What it means for your own model",
        "Belkin et al. 2019",
        "Peak memory",
        "Line: mean over 5 seeds.",
    ):
        assert part in page.text
    badges = [a["class"] for t, a in page.tags if t == "span" and "badge" in (a.get("class") or "")]
    assert badges == ["badge observed", "badge absent"]
    arms = [a["aria-label"] for t, a in page.tags if t == "section" and a.get("class") == "arm"]
    assert arms == ["Verdict of treatment", "Verdict of control"]


def test_numbers_behind_each_figure_are_in_the_page(synthetic):
    result = synthetic(2)
    page = Page(rendered(result))
    payload = payload_of(page)
    assert [bool(f["csv"]) for f in payload["figures"]] == [True] * 4
    rows = payload["figures"][0]["datasets"]["rows"]
    first = result.figures[0].panels[0].series[0]
    assert rows[0]["y"] == first.y[0]
    folds = [a.get("class") for t, a in page.tags if t == "details"]
    assert folds == ["why"] * 2 + ["behind"] * 3  # the table stands by itself


def test_policy_allows_these_two_scripts_and_no_request(synthetic):
    html = rendered(synthetic(1))
    page = Page(html)
    policy = next(
        a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(r.strip().split(" ", 1) for r in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    hashes = {
        "'sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() + "'"
        for s in page.scripts[1:]
    }
    assert set(rules["script-src"].split()) == hashes
    assert len(hashes) == 2
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            value = attributes.get(name) or "#"
            linked = tag == "a" and value.startswith("https://arxiv.org/abs/")  # loads nothing
            assert linked or value.startswith(("#", "data:")), (tag, value)
    css = re.search(r"<style>(.*?)</style>", html, re.S)
    assert css is not None
    assert "url(" not in css.group(1)
    assert "@import" not in css.group(1)


def _poison(value: Any, keep: frozenset[str] = frozenset({"role", "scale", "axis", "kind"})) -> Any:
    if isinstance(value, str):
        return value + EVIL
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {
            f.name: _poison(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if f.name not in keep
        }
        return dataclasses.replace(value, **changes)
    if isinstance(value, dict):
        return {_poison(k) if k not in _KNOWN else k: _poison(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_poison(v) for v in value)
    return value


_KNOWN = {
    *("created", "seconds", "peak_memory_bytes", "device", "workers", "machine", "versions"),
    *("notes", "cpu", "cores", "memory_bytes", "system", "treatment"),
}


def test_no_text_of_a_study_becomes_markup(synthetic):
    plain = synthetic(2)
    clean = Page(rendered(plain))
    doc = re.sub(r"(\w+\.)$", rf"\1 {EVIL}", plain.phenomenon.doc, flags=re.M)
    scales = {
        k: Scale(v.base, v.n_seeds, v.note + EVIL) for k, v in plain.phenomenon.scales.items()
    }
    phenomenon = dataclasses.replace(plain.phenomenon, doc=doc, name="n" + EVIL, scales=scales)
    failed = dataclasses.replace(plain.records[0], status="failed", outcome=None, error=EVIL)
    result = dataclasses.replace(
        plain,
        phenomenon=phenomenon,
        verdicts=_poison(dict(plain.verdicts)),
        figures=_poison(list(plain.figures)),
        provenance=_poison(dict(plain.provenance)),
        records=Records([failed, *plain.records[1:]]),
    )
    html = rendered(result)
    page = Page(html)
    assert page.count("script") == 3
    assert page.scripts[1:] == clean.scripts[1:]
    assert payload_of(page)["figures"][0]["datasets"]["rows"][0][
        "name"
    ] == "test error" + printable(EVIL)
    assert page.count("b") == clean.count("b")
    assert page.count("img") == 0
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert "{{ 7*7 }}" in page.text  # shown as it is, not evaluated
    assert page.text.count("alert(1)") > 30
    notebook = Study(result)._repr_html_()
    assert "<script" not in notebook
    assert "<img" not in notebook


def test_card_shows_every_clause_and_marks_what_decided(synthetic):
    known = Interval(1.5, 1.2, 1.9, n=5)
    clauses = [exceeds("rise", known, 1.1), exceeds("fall", Interval(1.0, 0.8, 1.2, n=5), 1.1)]
    verdicts = {"treatment": judge(clauses, effect=known, unit="ratio", rule="it rises and falls")}
    html = rendered(synthetic(verdicts=verdicts))
    page = Page(html)
    assert "rise above 1.1: shown 1.50 [1.20, 1.90]" in page.text
    assert "fall above 1.1: undecided 1.00 [0.80, 1.20]" in page.text
    items = [a["class"] for t, a in page.tags if t == "li" and a.get("class")]
    assert items == ["shown", "undecided decides"]
    # The arm's strip shows the bound of the clause that the effect is of, the other has its own.
    places = [a["style"] for t, a in page.tags if t == "u"]
    assert places == ["left:0.0%", "left:75.0%"]


def test_words_are_set_not_shown_raw(synthetic):
    plain_study = synthetic(1)
    doc = plain_study.phenomenon.doc.replace("Nakkiran et al. 2020", "arXiv:1912.02292, `ridge`")
    phenomenon = dataclasses.replace(plain_study.phenomenon, doc=doc)
    html = rendered(dataclasses.replace(plain_study, phenomenon=phenomenon))
    assert '<a href="https://arxiv.org/abs/1912.02292">arXiv:1912.02292</a>' in html
    assert "<code>ridge</code>" in html
    assert "`" not in Page(html).text


def test_title_is_short_and_the_claim_below_it_whole(synthetic):
    html = rendered(synthetic(1))
    title = re.search(r"<h1>(.*?)</h1>", html)
    assert title is not None
    assert title.group(1) == "Double descent, made up for tests"
    assert html.index("<h1>") < html.index("<b>Claim.</b> Test error peaks where")


def test_measured_numbers_have_the_digits_of_their_interval(synthetic):
    result = synthetic(5)
    words = describe(result).figures[0]
    assert words.measured == (2, 3, 4)
    row = ("test error", 10, 0.6234567, 0.61, 0.64, 5)
    assert page_figure.row_texts(row, words) == ["test error", "10", "0.623", "0.610", "0.640", "5"]
    assert page_figure.row_texts((*row[:3], None, None, 1), words)[2:5] == ["0.6235", "–", "–"]


def test_notebook_picture_fits_and_follows_the_dark_theme(synthetic):
    shown = Study(synthetic(2))._repr_html_()
    assert re.search(r'<svg style="max-width:100%;height:auto" [^>]*viewBox', shown)
    assert "var(--op-test-0, #147eca)" in shown
    assert '[data-jp-theme-light="false"] .overparam-study' in shown
    assert not re.search(r"var\(--(?!op-)", shown)


def test_one_seed_says_why_there_is_no_interval(synthetic):
    effect = Interval(2.0, np.nan, np.nan, n=1)
    verdicts = {"treatment": decide(effect, at_least=1, unit="ratio", rule="r")}
    page = Page(rendered(synthetic(1, verdicts=verdicts)))
    assert "no finite interval from 1 seed: it needs at least two" in page.text


def test_an_arm_without_cells_is_not_told_to_need_seeds(synthetic):
    verdicts = {"treatment": decide(UNKNOWN, at_least=1, unit="ratio", rule="r")}
    page = Page(rendered(synthetic(2, verdicts=verdicts)))
    assert "nothing to take an interval of" in page.text
    assert "at least two" not in page.text


def test_too_large_figures_leave_the_page_and_say_so(synthetic, monkeypatch):
    limit = 1_700_000
    monkeypatch.setattr(html_module, "SIZE_LIMIT", limit)
    rng = np.random.default_rng(0)
    noise = ImageGrid("n", "Noise", "c", rng.random((4, 5, 70, 70)), ["r"] * 4, ["c"] * 5)
    result = synthetic(1)
    result = dataclasses.replace(result, figures=[*result.figures, noise, noise, noise])
    html = rendered(result)
    assert len(html.encode()) <= limit
    page = Page(html)
    assert "too large for one page" in page.text
    payload = payload_of(page)
    assert payload["figures"][0]["csv"]
    assert not payload["figures"][-1]["csv"]


def test_long_tables_are_cut_with_a_word(synthetic, monkeypatch):
    monkeypatch.setattr(page_figure, "_MOST_ROWS", 10)
    page = Page(rendered(synthetic(1)))
    assert "The first 10 of 152 rows ; the CSV has all" in page.text.replace("rows;", "rows ;")


def test_clip_paths_of_drawings_do_not_collide(synthetic):
    ids = [a["id"] for _, a in Page(rendered(synthetic(1))).tags if a.get("id")]
    assert len(ids) == len(set(ids))


def test_study_saves_and_shows_itself(synthetic, tmp_path):
    study = Study(synthetic(2))
    path = study.save_report(tmp_path / "deep" / "folder")
    assert path == tmp_path / "deep" / "folder" / "report.html"
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert study.save_report(tmp_path / "a.html") == tmp_path / "a.html"
    assert study.save_report(tmp_path / "a.json").read_text("utf-8") == study.to_json()
    assert repr(study) == "Study(synthetic_descent, standard, 96 of 96 cells)"
    assert "Observed, and absent from its control." in str(study)
    notebook = study._repr_html_()
    assert "<svg" in notebook
    assert "<script" not in notebook
    assert json.loads(study.to_json())["name"] == "synthetic_descent"
    assert len(study.records) == 96
    assert list(study.verdicts) == ["treatment", "control"]
    files = study.save_figures(tmp_path / "figures", ["svg", "csv"])
    assert sorted(p.name for p in files) == sorted(
        f"{f.name}.{kind}" for f in study.figures for kind in ("svg", "csv")
    )


def test_report_that_cannot_be_written(synthetic, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"cannot be written.* choose another place"):
        Study(synthetic(1, figures=[])).save_report(tmp_path / "file" / "report.html")
