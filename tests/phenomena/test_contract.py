"""What every phenomenon owes: found by discovery, so that a new file is held to it at once."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from overparam import phenomena
from overparam.errors import UsageError
from overparam.lab.figure import Chart, HeatMap, ImageGrid, NetworkGallery, Table
from overparam.lab.phenomenon import SCALES, TREATMENT, paragraph
from overparam.report.content import MOST_TITLE_WORDS, describe
from overparam.report.figure_content import plain
from overparam.report.terminal import verdict_text
from tests.phenomena.smoke_studies import smoke

NAMES = phenomena.names()
DOCS = Path(__file__).parents[2] / "docs" / "phenomena"
PARAGRAPHS = ("Claim", "Control", "Falsified", "Sources", "Differs", "In practice")


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_claims(name):
    found = phenomena.find(name)
    for heading in PARAGRAPHS:
        assert paragraph(found.doc, heading), f"the docstring has no paragraph '{heading}:'"
    assert found.name == name
    assert found.claim == phenomena.claim_of(name)
    page = (DOCS / f"{name}.md").read_text()
    assert re.search(r"\*\*What would have made (the|a) controls? fail\.\*\*", page)


@pytest.mark.parametrize("name", NAMES)
def test_its_designs_are_data(name):
    found = phenomena.find(name)
    assert set(found.scales) == set(SCALES)
    for kind in (found.condition, found.outcome):
        assert kind.__dataclass_params__.frozen
    for field in dataclasses.fields(found.condition):
        assert "unit" in field.metadata, f"declare {field.name} with factor(...)"
    for field in dataclasses.fields(found.outcome):
        assert "unit" in field.metadata, f"declare {field.name} with quantity(...)"
    for scale in SCALES:
        conditions = found.conditions(scale)
        assert len(conditions) > 1
        assert conditions == found.conditions(scale)
        assert all(isinstance(c, found.condition) for c in conditions)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_its_control_is_not_observed(name):
    study = smoke(name)
    assert study.complete
    assert [r.error for r in study.records if r.status == "failed"] == []
    assert study.provenance["notes"] == []
    verdicts = {arm: v.kind for arm, v in study.verdicts.items()}
    # Those that it names, so that a setting which leaves one out cannot leave it unsaid.
    assert set(verdicts) == {TREATMENT, *phenomena.find(name).controls}
    assert len(verdicts) >= 2
    # A few seconds may not settle it, but must never say the contrary.
    assert verdicts.pop(TREATMENT) != "absent"
    assert "observed" not in verdicts.values()
    for verdict in study.verdicts.values():
        assert verdict.rule
        assert verdict.unit
        assert verdict.effect.low <= verdict.effect.estimate <= verdict.effect.high


@pytest.mark.parametrize("name", NAMES)
def test_its_figures_are_whole(name):
    figures = smoke(name).figures
    assert isinstance(figures[0], Chart | ImageGrid | HeatMap | NetworkGallery)
    assert len({f.name for f in figures}) == len(figures)
    for figure in figures:
        assert figure.title
        assert figure.caption
        if isinstance(figure, Chart):
            for panel in figure.panels:
                assert panel.x.quantity
                assert panel.y.quantity
                for series in panel.series:
                    assert len(series.x) == len(series.y) > 0
                    assert np.isfinite(series.y).any(), f"{series.label} shows nothing"
        elif isinstance(figure, Table):
            assert len({len(cells) for cells in figure.columns.values()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_its_report_reads_well(name):
    content = describe(smoke(name))
    assert len(phenomena.find(name).doc.strip().splitlines()[0].split()) <= MOST_TITLE_WORDS
    words = "\n".join([verdict_text(content), *_texts(plain(content))])
    assert not re.search(r".*\bnan\b.*", words, re.I)
    assert not re.search(r".*(?<![\w.])[-−]0(\.0+)?(?![\d.]).*", words), "minus nothing"


def _texts(value):
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value
    return [t for v in inside for t in _texts(v)] if isinstance(value, dict | list) else []


def test_a_misspelt_name_is_told_the_near_one(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'random_labels'"):
        phenomena.find("random_label")
    with pytest.raises(UsageError, match="it is 'identity/width' now"):
        phenomena.find("identity_width")
    assert phenomena.find("width") is phenomena.find("identity/width")
    with pytest.raises(UsageError, match="there is no such file"):
        phenomena.find(str(tmp_path / "absent.py"))
    empty = tmp_path / "defines_nothing.py"
    empty.write_text("")
    with pytest.raises(UsageError, match="defines no PHENOMENON"):
        phenomena.find(str(empty))
    clash = tmp_path / "dataclasses.py"
    clash.write_text("")
    with pytest.raises(UsageError, match="another module has this name"):
        phenomena.find(str(clash))
