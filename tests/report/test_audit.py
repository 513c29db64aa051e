"""`Audit` and `load_audit`: what they show in a terminal and a notebook, write, and compare."""

import csv
import dataclasses
import inspect
import json
import sys

import numpy as np
import pytest

import overparam as op
from overparam.audits.finding import Finding
from overparam.audits.run import USUAL_BUDGET
from overparam.errors import StoreError, UsageError
from overparam.report.audit import Audit
from tests.report.made_audits import VERDICT, made_findings, made_result, table_subject

NAMES = ["audit.json", "report.html", "rows.csv"]


def test_in_a_terminal_it_is_the_verdict_and_a_table():
    text = repr(Audit(made_result()))
    assert max(map(len, text.splitlines())) <= 100
    assert " ".join(text.split()).startswith(VERDICT)
    lines = text.splitlines()
    found = [line.split()[0] for line in lines if line.startswith("OP")]
    assert found == ["OP501", "OP302", "OP202", "OP201"]  # the costliest first
    assert "◆ critical" in text
    assert "costs 1.9 [1.1, 2.7]" in text
    assert "Next (OP501): leave column 3 out" in text
    assert "10 checks: 4 found, 2 passed, 1 undecided, 1 not applicable, 1 skipped" in text


def test_long_texts_and_escape_codes_break_no_line():
    long = dataclasses.replace(
        made_findings()["OP501"], title="word " * 60 + "\x1b[31m" + "x" * 300, action="do " * 100
    )
    numbers = {"Regime\n": "\x1b[2J" + "y " * 200}
    text = repr(Audit(made_result(findings={"OP501": long}, numbers=numbers)))
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text


def test_nothing_found_and_muted_codes():
    assert "OP" not in repr(Audit(made_result(findings={}))).partition("points.")[2]
    audit = Audit(made_result(muted=("OP501",)))
    assert [f.code for f in audit.found] == ["OP302", "OP202", "OP201"]
    assert "1 muted" in repr(audit)


def test_in_a_notebook_no_text_is_markup():
    evil = dataclasses.replace(made_findings()["OP501"], sentence="<img src=x onerror=alert(1)>")
    html = Audit(made_result(findings={"OP501": evil}, verdict="<b>v</b>"))._repr_html_()
    assert "<img" not in html
    assert "&lt;b&gt;v" in html
    assert "<td>OP501</td><td>◆ critical</td>" in html


def test_findings_by_code_and_an_unknown_code():
    audit = Audit(made_result())
    assert audit.findings["OP201"].title == "Rows known by heart"
    assert "OP999" not in audit.findings
    assert audit.findings.get("OP999") is None
    with pytest.raises(UsageError, match=r"no check of this audit has such a code.*OP201"):
        audit.findings["OP211"]
    with pytest.raises(UsageError, match="did you mean 'OP505'"):
        audit.findings["op505"]


def test_of_a_severity_or_a_higher_one():
    audit = Audit(made_result())
    assert [f.code for f in audit.at_least("high")] == ["OP501", "OP302"]
    with pytest.raises(UsageError, match="unknown severity"):
        audit.at_least("hihg")


def test_rows_are_a_frame_and_without_pandas_a_table(monkeypatch):
    audit = Audit(made_result())
    assert list(audit.rows.columns) == list(audit.row_table)
    assert audit.rows["OP201"].sum() == 4
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="needs pandas"):
        _ = audit.rows


def test_saved_and_loaded_again(tmp_path):
    audit = Audit(made_result(table_subject()))
    assert audit.save(tmp_path / "a") == tmp_path / "a"
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == NAMES
    kept = op.load_audit(tmp_path / "a")
    assert (kept.verdict, kept.notes, kept.about["name"]) == (
        audit.verdict,
        audit.notes,
        "RandomForestClassifier",
    )
    assert json.loads(kept.to_json()) == json.loads(audit.to_json())
    assert repr(kept) == repr(audit)
    assert kept._repr_html_() == audit._repr_html_()


def test_rows_csv_has_every_row_and_reads_back(tmp_path):
    audit = Audit(made_result())
    with open(audit.save(tmp_path) / "rows.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert rows[1]["row"] == "1"
    assert rows[1]["p_out"] == ""  # not known
    assert rows[0]["suggested_label"] == ""
    assert float(rows[7]["memorization"]) == audit.row_table["memorization"][7]
    assert [r["row"] for r in rows if r["OP201"] == "True"] == ["3", "8", "17", "41"]


def test_without_rows_no_file_says_what_they_hold(tmp_path):
    audit = Audit(made_result(table_subject()))
    with_rows, without = audit.save(tmp_path / "a"), audit.save(tmp_path / "b", rows=False)
    for name in NAMES:
        assert "cat" in (with_rows / name).read_text()
    assert "word 17" in (with_rows / "report.html").read_text()
    for name in NAMES:
        text = (without / name).read_text()
        for secret in ("word 17", ">cat<", '"cat"', "\\n1,cat", ">dog<"):
            assert secret not in text
    header = (without / "rows.csv").read_text().partition("\n")[0]
    assert header == "row,memorization,p_out,OP201"


def test_where_a_folder_stands_nothing_is_written(tmp_path):
    (tmp_path / "rows.csv").mkdir()
    with pytest.raises(UsageError, match="a folder stands where a file is to be written"):
        Audit(made_result()).save(tmp_path)
    assert not (tmp_path / "audit.json").exists()


def test_two_audits_compared(tmp_path):
    old = made_findings()
    del old["OP501"]
    old["OP505"] = Finding("found", "s", severity="low", code="OP505", title="Class balance")
    before, now = Audit(made_result(findings=old)), Audit(made_result())
    for place in (before, before.save(tmp_path), tmp_path / "audit.json"):
        change = now.compare(place)
        assert [s.code for s in change.of("new")] == ["OP501"]
        assert [s.code for s in change.of("gone")] == ["OP505"]
        assert len(change.of("alike")) == 3
        assert repr(change).startswith("Against the older audit: 1 new, 1 gone, 3 no clear change")
    assert "Since the older audit: 1 new" in now.to_html(against=tmp_path)
    assert "Since the older audit: 1 new" in Audit(made_result(), against=before).to_html()
    assert "Since the older audit" not in now.to_html()


def test_muted_codes_are_not_compared():
    old = made_findings()
    del old["OP501"]
    now = Audit(made_result(muted=("OP501",)))
    assert now.compare(Audit(made_result(findings=old))).of("new") == []


def test_an_older_audit_that_is_not_there_is_told_before_anything_is_trained(tmp_path):
    def fit(rows, seed):
        raise AssertionError("trained")

    with pytest.raises(StoreError, match="no audit that can be read"):
        op.audit(fit, np.zeros((30, 2)), np.arange(30) % 2, against=tmp_path / "none")


def test_the_data_alone_are_audited_and_progress_is_told(capsys):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 2

    def fit(rows, seed):
        centres = np.stack([X[rows][y[rows] == k].mean(0) for k in (0, 1)])
        return lambda inputs: ((inputs[:, None] - centres) ** 2).sum(2).argmin(1)

    report = op.audit(fit, X, y, budget=3, workers=0, progress=True, name="centres")
    said = capsys.readouterr().err
    assert said.startswith("plan: ")
    assert "audit: models, " in said
    assert report.about["name"] == "centres"
    assert report.plan.models_of("models") > 0
    assert report.findings["OP505"].status == "passed"
    assert report.result.subject is not None


def test_the_default_budget_is_that_of_run_audit():
    assert inspect.signature(op.audit).parameters["budget"].default == USUAL_BUDGET
