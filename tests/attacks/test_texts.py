"""Texts that nobody means well, in every label of a report: shown, and never executed."""

from __future__ import annotations

import dataclasses

from overparam.report.content import describe
from overparam.report.html import render_html
from tests.report.conftest import PHENOMENON, make_result
from tests.report.test_html import Page

PIECES = (
    "</script>", "<script>alert(1)</script>", "<img src=x onerror=alert(2)>",
    "<svg/onload=alert(3)>",
    "javascript:alert(4)", "{{ 7*7 }}", "{% raw %}", "<!--", "-->", "]]>", "&lt;", "&#0;", '"', "'",
    "`", "${x}", "\\", "\u2028", "\u202e", "\u0301" * 20, "𝕏", "ﷺ", "<a href=//evil.example>", "%s",
    "</title>", "</style>", "<base href=//evil.example>", "<iframe srcdoc='<script>'>", "\t", "\n",
)  # fmt: skip


def hostile(dice):
    return "".join(dice.choice(PIECES) for _ in range(dice.randint(1, 6)))


def test_whatever_a_label_says_the_page_runs_only_its_own_two_scripts(rounds, dice):
    expected = None
    for _ in rounds:
        doc = PHENOMENON.doc.replace("Claim: ", f"Claim: {hostile(dice)} ".replace("\n", " "))
        result = make_result(phenomenon=dataclasses.replace(PHENOMENON, doc=doc))
        figures = [spoilt(f, dice) for f in result.figures]
        result = dataclasses.replace(result, figures=figures)
        page = Page(render_html(describe(result), figures))
        shape = (len(page.scripts), page.count("iframe"), page.count("base"), page.count("img"))
        expected = expected or shape
        assert shape == expected
        for tag, attributes in page.tags:
            assert not [a for a in attributes if a.startswith("on")], (tag, attributes)
            for name in ("href", "src", "action"):
                target = attributes.get(name) or ""
                assert "evil" not in target
                assert not target.startswith("javascript:")


def spoilt(figure, dice):
    """Return the figure with hostile texts for its title and takeaway."""
    changed = {
        f.name: hostile(dice)
        for f in dataclasses.fields(figure)
        if f.name in ("title", "takeaway", "caption") and isinstance(getattr(figure, f.name), str)
    }
    return dataclasses.replace(figure, **changed)
