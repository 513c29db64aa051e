"""The audit's page as text: complete, in order, escaped, and without a way to the network."""

import base64
import dataclasses
import hashlib
import re

import numpy as np
import pytest

from overparam.audits.finding import Finding
from overparam.report import audit_page
from overparam.report.audit import Audit
from overparam.texts import printable
from tests.report.made_audits import image_subject, made_findings, made_result, table_subject
from tests.report.parsed_page import Page

EVIL = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&<b>{{ 7*7 }}\u2028"""


def page_of(result, **options):
    return Page(
        Audit(result, command="overparam audit data.csv --budget '20 min'").to_html(**options)
    )


def articles(page):
    return [dict(a) for tag, a in page.tags if tag == "article"]


def test_page_holds_what_a_reader_needs():
    page = page_of(made_result())
    for part in (
        "Fits all 400 rows, 91 of them by heart",
        "past the threshold",
        "[0.189, 0.271] of the rows",
        "2026-11-28 02:30 UTC",
        "60 training rows, 400 test rows",
        "Findings, the costliest first",
        "Of 17.2 points of test error, 3.1 are variance of retraining",
        "Likely label errors",
        "31 [22, 40] rows",
        "1.9 [1.1, 2.7] points",
        "1.4 [0.6, 2.2] points",
        "look at the first twenty rows below",
        "memorization/labels_one_by_one",
        "Undecided (1):",
        "Twice the rows: 1.1 [-0.4, 2.6] points",
        "Passed (2):",
        "Not measured (1):",
        "the budget of 5 s does not pay",
        "Not applicable (1):",
        "Failed (1):",
        "overparam audit data.csv --budget '20 min'",
        "standard error of a memorization score",
        "Made-up Processor",
        "whole numbers were read as classes",
    ):
        assert part in page.text, part
    assert [a["id"] for a in articles(page)] == ["OP501", "OP302", "OP202", "OP201"]
    assert page.text.index("variance of retraining") < page.text.index("Findings, the costliest")
    badges = [a["class"] for t, a in page.tags if t == "span" and "badge" in (a.get("class") or "")]
    assert badges == [f"badge {s}" for s in ("critical", "high", "medium", "low")] * 2


@pytest.mark.parametrize(
    ("text", "value", "note"),
    [
        ("20.8 [17.1, 25.0] % of the rows", "20.8 %", "[17.1, 25.0] of the rows"),
        ("0.1 [-0.2, 0.4]; gap 3 [1, 5] points", "0.1", "[−0.2, 0.4]; gap 3 [1, 5] points"),
        ("past the threshold (82%)", "past the threshold (82%)", ""),
        ("not measured", "not measured", ""),
    ],
)
def test_numbers_of_the_head_stand_apart_from_their_intervals(text, value, note):
    page = Audit(made_result(numbers={"N": text})).to_html()
    assert f"<strong>{value}</strong>" in page
    assert note in page


def test_severity_is_a_word_and_a_mark():
    text = page_of(made_result()).text
    for mark, word in (("◆", "critical"), ("▲", "high"), ("●", "medium"), ("○", "low")):
        assert f"{mark} {word}" in text


def test_costs_lie_on_one_scale_that_holds_zero():
    html = Audit(made_result()).to_html()
    glance = html[html.index('class="glance"') : html.index('class="filter')]
    assert "0 to 17 points" in glance
    assert re.findall(r'<i style="left:([\d.]+)%', glance) == [
        str(round(100 * low / 17, 2)) for low in (13.9, 2.2, 1.1)
    ]
    assert glance.count('<u style="left:0.0%">') == 3
    harmless = {c: f for c, f in made_findings().items() if c in ("OP201", "OP504")}
    harmless["OP202"] = dataclasses.replace(harmless["OP201"], code="OP202")
    assert "to 0 points" not in Audit(made_result(findings=harmless)).to_html()


def test_nothing_found():
    page = page_of(made_result(findings={}, numbers={}, plan=None, verdict="Nothing is amiss."))
    assert "Nothing was found" in page.text
    assert articles(page) == []
    assert not [a for _, a in page.tags if a.get("id") == "search"]


def test_a_muted_finding_is_named_but_not_shown():
    page = page_of(made_result(muted=("OP501", "OP302")))
    assert [a["id"] for a in articles(page)] == ["OP202", "OP201"]
    assert "Muted (2):" in page.text
    assert "Of 17.2 points" not in page.text


def test_a_budget_that_costs_nothing_surely_stands_in_the_head_too():
    findings = made_findings()
    budget = findings["OP302"]
    findings["OP302"] = dataclasses.replace(budget, status="undecided", severity="none")
    page = page_of(made_result(findings=findings))
    assert "Of 17.2 points of test error" in page.text


def test_the_evidence_of_what_is_undecided_or_passed_is_there_folded():
    html = Audit(made_result()).to_html()
    assert html.count("Twice the rows would still lower the error</h4>") == 2  # OP501, OP306


def test_rows_are_shown_with_what_they_hold_or_without():
    shown, hidden = (page_of(made_result(table_subject()), rows=r) for r in (True, False))
    assert "word 17" in shown.text
    assert "word 17" not in hidden.text
    assert "What rows hold was left out" in hidden.text
    assert "suggested label" not in hidden.text
    assert "suspicion" in hidden.text
    pictures = page_of(made_result(image_subject()))
    assert "row 17, label 2" in pictures.text
    assert "the rows themselves" not in page_of(made_result(image_subject()), rows=False).text


def test_only_the_first_rows_of_many():
    rows = np.arange(60)
    many = Finding("found", "s", severity="low", rows=rows, code="OP201", title="T")
    page = page_of(made_result(findings={"OP201": many}))
    assert "The rows (60, the first 50 shown)" in page.text
    assert "<td>49" in Audit(made_result(findings={"OP201": many})).to_html()


def test_only_its_own_scripts_run():
    html = Audit(made_result()).to_html()
    page = Page(html)
    policy = next(a["content"] for t, a in page.tags if "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert not re.search(r"""(src|href)=["']https?:""", html)
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    for script in page.scripts[1:]:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in allowed
    assert len(page.scripts) == 3


def test_a_page_without_charts_carries_no_chart_library():
    plain = {c: dataclasses.replace(f, figures=()) for c, f in made_findings().items()}
    html = Audit(made_result(findings=plain)).to_html()
    assert len(html) < 100_000
    assert len(Page(html).scripts) == 2


def poisoned(finding):
    names = ("title", "sentence", "action", "page", "validated_by")
    texts = {name: getattr(finding, name) + EVIL for name in names}
    columns = {k + EVIL: [str(x) + EVIL for x in v] for k, v in finding.row_columns.items()}
    measured = finding.measured and dataclasses.replace(
        finding.measured, unit=EVIL, baseline=1.0, baseline_name=EVIL
    )
    return dataclasses.replace(finding, **texts, row_columns=columns, measured=measured)


def test_no_text_becomes_markup():
    result = made_result(table_subject((EVIL, "b" + EVIL)))
    clean = page_of(result)
    evil = dataclasses.replace(
        result,
        verdict=result.verdict + EVIL,
        numbers={k + EVIL: v + EVIL for k, v in result.numbers.items()},
        findings={c: poisoned(f) for c, f in result.findings.items()},
        about={**result.about, "name": EVIL, "kind": EVIL, "classes": [EVIL], "task": EVIL},
        notes=(EVIL,),
    )
    html = Audit(evil, Audit(made_result(findings={})), EVIL).to_html()
    page = Page(html)
    assert page.count("script") == 3
    assert page.scripts[1:] == clean.scripts[1:]
    assert page.count("img") == 0
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert "{{ 7*7 }}" in page.text
    assert page.text.count("alert(1)") > 40
    assert "\u2028" not in html
    assert printable("\u2028") in page.text


@pytest.mark.parametrize("change", [{"about": {}}, {"numbers": {"a": ""}}, {"verdict": ""}])
def test_whatever_is_not_known_is_left_out(change):
    assert "Findings, the costliest" in page_of(made_result(**change)).text


def test_drawings_beyond_the_size_are_left_out(monkeypatch):
    whole = Audit(made_result()).to_html()
    monkeypatch.setattr(audit_page, "SIZE_LIMIT", len(whole.encode()) - 200)
    assert "too large for one page" in Audit(made_result()).to_html()
