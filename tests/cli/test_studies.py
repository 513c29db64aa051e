"""`list`, `report`, `export`, `check`: what is done with a study that is there."""

import csv
import json
import shutil
import sqlite3

import pytest

from overparam.lab.database import DATABASE


@pytest.fixture
def copy(study, tmp_path):
    """The finished study as a copy that may be damaged."""
    return shutil.copytree(study[1], tmp_path / "copy")


def test_list_shows_claims_and_verdicts(here, study, tmp_path):
    code, out, err = here("list", "--long", "--studies", study[1].parent)
    assert (code, err) == (0, "")
    assert "double_descent/random_features\n  With label noise, the test error" in out
    assert "probe_of_session-smoke  treatment observed; control absent (20" in out
    assert "    standard  –" in out


def test_list_finds_default_studies_of_the_phenomena(here, study, tmp_path):
    from overparam.phenomena import find

    name = "double_descent/random_features"
    from overparam.lab.store import Store

    with Store.open(tmp_path / "studies" / f"{name}-smoke", find(name)) as store:
        store.set("design", {"scale": "smoke", "settings": {}, "seeds": [0], "cells": 12})
    with Store.open(tmp_path / "studies" / "elsewhere", find(name)):
        pass
    (tmp_path / "studies" / "no_study").mkdir()
    (tmp_path / "studies" / "a_file").write_text("")
    code, out, _ = here("list", "--long")
    assert code == 0
    assert "smoke     no verdict yet, unfinished: 0 of 12 cells" in out
    assert "elsewhere  no verdict yet, not begun" in out
    answer = json.loads(here("list", "--json")[1])
    row = next(r for r in answer["phenomena"] if r["name"] == name)
    assert row["studies"]["smoke"]["n_cells"] == 12
    assert row["studies"]["full"] is None
    assert [s["folder"] for s in answer["other_studies"]] == ["studies/elsewhere"]


def test_list_without_any_study(here):
    code, out, _ = here("list")
    assert code == 0
    assert "other studies" not in out


@pytest.mark.parametrize("kind", ["nothing", "file", "pipe", "circle"])
@pytest.mark.parametrize("command", [("list", "--studies"), ("gallery",)], ids=["list", "gallery"])
def test_what_is_no_folder_of_studies_is_refused(here, stand_at, tmp_path, command, kind):
    place = stand_at(tmp_path / "studies", kind)
    named, usual = here(*command, place), here(command[0])
    assert usual[0] == (0 if kind == "nothing" and command[0] == "list" else 2)
    for code, out, err in (named, usual) if usual[0] else (named,):
        assert (code, out) == (2, "")
        assert "there is no such folder of studies" in err


def test_report_is_rebuilt(here, copy):
    for name in ("report.html", "report.json"):
        (copy / name).unlink()
    code, out, err = here("report", copy)
    assert (code, err) == (0, "")
    assert (copy / "report.html").is_file()
    assert json.loads((copy / "report.json").read_text())["name"] == "probe_of_session"
    assert f"wrote {copy / 'report.html'}" in out


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("new/page.html", ["new/page.html"]),
        ("facts.json", ["facts.json"]),
        ("place", ["place/report.html", "place/report.json"]),
    ],
)
def test_report_to_another_place(here, study, tmp_path, target, written):
    code, out, _ = here("report", study[1], "--to", target, "--json")
    assert code == 0
    assert json.loads(out)["files"] == written
    assert all((tmp_path / name).is_file() for name in written)


def test_report_figures_go_beside_it(here, study, tmp_path):
    code, _, _ = here("report", study[1], "--to", "place", "--figures", "svg,csv")
    assert code == 0  # the probe draws none; report/ tests the files


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("report", "nowhere"), 4, "there is no study in this folder; got 'nowhere'"),
        (("report", "COPY", "--to", "x.pdf"), 2, "a report is HTML or JSON; got 'x.pdf'"),
        (("report", "COPY", "--to", "file/x.json"), 2, "a file stands where a path needs a folder"),
        (("export", "COPY", "--to", "x.xls"), 2, "CSV and Parquet only; got 'x.xls'"),
        (("export", "nowhere", "--to", "x.csv"), 4, "there is no study"),
        (("export", "COPY", "--to", "file/x.csv"), 2, "a file stands where a path needs a folder"),
        (("check", "nowhere"), 4, "there is no study"),
        (("report", "COPY", "--phenomenon", "gone.py"), 2, "there is no such file; got 'gone.py'"),
    ],
)
def test_refusals(here, copy, tmp_path, words, code, message):
    (tmp_path / "file").write_text("")
    found, out, err = here(*(str(copy) if w == "COPY" else w for w in words))
    assert (found, out) == (code, "")
    assert message in err


def test_a_study_that_never_began(here, copy):
    with sqlite3.connect(copy / DATABASE) as database:
        database.execute("DELETE FROM meta WHERE name = 'design'")
    for words in (("report", copy), ("export", copy, "--to", "x.csv")):
        code, _, err = here(*words)
        assert code == 4
        assert "this study ended before its first cell" in err


def test_export(here, study, tmp_path):
    code, out, _ = here("export", study[1], "--to", "records.csv")
    assert code == 0
    assert out == "wrote 24 records to records.csv and records.units.json\n"
    rows = list(csv.DictReader((tmp_path / "records.csv").open()))
    assert len(rows) == 24
    assert {row["arm"] for row in rows} == {"treatment", "control"}
    assert json.loads((tmp_path / "records.units.json").read_text())["height"] == "m"
    code, out, _ = here("export", study[1], "--to", "records.csv", "--json")
    assert json.loads(out)["n_records"] == 24


def test_check(here, copy):
    code, out, _ = here("check", copy)
    assert (code, out) == (0, f"{copy}: 24 records (24 done)\nundamaged\n")
    with sqlite3.connect(copy / DATABASE) as database:
        database.execute("UPDATE records SET seed = 77 WHERE id = 3")
    code, out, _ = here("check", copy)
    assert code == 4
    assert "damaged: record " in out
    answer = json.loads(here("check", copy, "--json")[1])
    assert answer["ok"] is False
    assert len(answer["problems"]) == 1
