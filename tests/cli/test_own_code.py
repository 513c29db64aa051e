"""Code of the user's own on the command line: when it runs, when not, and when it fails."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from overparam.lab.database import DATABASE
from overparam.lab.encoding import encode
from overparam.lab.named_rows import named_row

NAME = "probe_of_session"


@pytest.fixture
def received(study, study_file, tmp_path):
    """A study with a file beside it that leaves a mark when it is imported, as if sent by mail."""
    folder = tmp_path / "received"
    shutil.copytree(study[1], folder)
    evil = f"open({str(tmp_path / 'was imported')!r}, 'w').close()\n"
    for name in (f"{NAME}.py", "numpy.py", "sitecustomize.py", "json.py", "torch.py"):
        (folder / name).write_text(evil)
    say(folder, "source", str(folder / f"{NAME}.py"))
    return folder


def say(folder, name, value):
    """Let a study tell something of itself, with a checksum that fits."""
    with sqlite3.connect(folder / DATABASE) as database:
        database.execute("REPLACE INTO meta VALUES (?, ?, ?)", named_row(name, encode(value)))


@pytest.mark.parametrize(
    "words",
    [
        ("report", "."),
        ("report", ".", "--figures", "csv,svg"),
        ("export", ".", "--to", "records.csv"),
        ("check", "."),
        ("list", "--studies", ".."),
        ("gallery", ".."),
    ],
    ids=lambda words: words[0],
)
def test_nothing_of_a_received_folder_is_run(received, words):
    done = subprocess.run(
        [sys.executable, "-m", "overparam", *words],
        cwd=received,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not (received.parent / "was imported").exists()


def test_a_study_of_own_code_shows_its_records_and_says_how_to_see_more(
    here, received, study_file, tmp_path
):
    code, out, _ = here("report", received)
    assert code == 0
    assert "no verdicts and figures; if you trust its file, name it: --phenomenon" in out
    facts = json.loads((received / "report.json").read_text())
    assert facts["claim"] == "numbers near 1 are large."
    assert facts["n_recorded"] == 24
    assert facts["figures"][0]["columns"][:2] == ["seed", "status"]
    code, out, _ = here("report", received, "--phenomenon", study_file)
    assert code == 0
    assert "treatment  observed" in out
    assert json.loads((received / "report.json").read_text())["arms"]
    code, _, _ = here("export", received, "--to", "records.csv")
    rows = list(csv.DictReader((tmp_path / "records.csv").open()))
    assert len(rows) == 24
    assert json.loads((tmp_path / "records.units.json").read_text())["height"] == "m"


def test_load_in_python_runs_no_code_either(received, study_file, monkeypatch):
    import overparam

    monkeypatch.chdir(received)
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = overparam.load(".")
    assert len(found.records) == 24
    assert dict(found.verdicts) == {}
    assert not (received.parent / "was imported").exists()
    assert overparam.load(received, str(study_file)).verdicts["treatment"].kind == "observed"


def test_a_name_of_a_file_in_a_study_is_no_phenomenon_of_the_package(here, received):
    for name in (f"{received}/{NAME}.py", "random_features", "../x"):
        say(received, "phenomenon", name)
        assert here("report", received)[0] in (0, 4)
        assert not (received.parent / "was imported").exists()


# ------------------------------------------------------------------ edits


def test_edited_code_is_refused_with_the_remedy(here, probe, probe_text):
    (probe / "edited.py").write_text(probe_text)
    words = ("run", "edited.py", "--scale", "smoke", "--workers", "1", "--no-report", "--quiet")
    assert here(*words)[0] == 0
    (probe / "edited.py").write_text(probe_text + "\n# a comment\n")
    code, out, err = here(*words)
    assert (code, out) == (4, "")
    assert "was edited since its records were made; got 'edited.py'" in err
    assert "--fresh or choose another --out; --accept-edits keeps the records" in err
    folder = probe / "studies" / "edited-smoke"
    code, out, _ = here("report", folder, "--phenomenon", "edited.py")
    assert code == 0
    assert "note: edited.py was edited since the records were made" in out
    assert here(*words, "--accept-edits")[0] == 0
    assert here(*words)[0] == 0


# ------------------------------------------------------------------ bugs


@pytest.mark.parametrize(
    ("function", "statement"),
    [
        ("summarise", "sys.exit()"),
        ("verdict", "sys.exit(0)"),
        ("summarise", "1 / 0"),
        ("verdict", "raise KeyboardInterrupt"),
        ("cells", "sys.exit()"),
    ],
)
def test_a_bug_in_a_function_is_code_70_with_its_place(
    here, tmp_path, probe_text, function, statement
):
    name = f"broken_{function}_{abs(hash(statement))}"
    head = next(line for line in probe_text.splitlines() if line.startswith(f"def {function}("))
    text = probe_text.replace(head, f"{head}\n    import sys; {statement}")
    (tmp_path / f"{name}.py").write_text(text)
    words = ("run", f"{name}.py", "--scale", "smoke", "--workers", "1", "--quiet")
    code, out, err = here(*words, "--seeds", "1")
    assert code == 70
    assert "treatment" not in out
    assert err.startswith(f"overparam: {function} of {name} raised ")
    line = text.splitlines().index(f"    import sys; {statement}") + 1
    assert f"{name}.py:{line} in {function}" in err
    folder = tmp_path / "studies" / f"{name}-smoke"
    if function != "cells":
        assert "the records are kept" in err
        code, _, err = here("report", folder, "--phenomenon", f"{name}.py")
        assert code == 70
        answer = json.loads(here("report", folder, "--phenomenon", f"{name}.py", "--json")[1])
        assert answer["exit_code"] == 70
        assert answer["error"]["kind"] == "CodeError"
        assert here("list")[0] == 0
        assert here("report", folder)[0] == 0
        assert here("check", folder)[0] == 0


def test_a_file_that_exits_when_it_is_imported_is_no_success(here, tmp_path):
    (tmp_path / "exits_at_once.py").write_text("import sys\nsys.exit(0)\n")
    for command in ("run", "plan"):
        code, out, err = here(command, "exits_at_once.py")
        assert (code, out) in ((70, ""), (2, ""))
        assert "SystemExit" in err


# ------------------------------------------------------------------ texts and damage


def test_one_bad_study_does_not_end_the_list(here, study, tmp_path):
    place = tmp_path / "studies"
    shutil.copytree(study[1], place / "good")
    shutil.copytree(study[1], place / "garbage")
    (place / "garbage" / DATABASE).write_bytes(b"no database" * 1000)
    shutil.copytree(study[1], place / "deep")
    say(place / "deep", "verdicts", 5)
    shutil.copytree(study[1], place / "linked")
    (place / "linked" / DATABASE).unlink()
    (place / "linked" / DATABASE).symlink_to(place / "good" / DATABASE)
    code, out, err = here("list")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith("    ")}
    assert "treatment observed" in lines["good"]
    for name in ("garbage", "deep", "linked"):
        assert "cannot be read: " in lines[name]
    found = json.loads(here("list", "--json")[1])["other_studies"]
    assert sum(bool(s["problem"]) for s in found) == 3


HOSTILE = "\x1b[31mred\x07\x00\u202e\ud800\nforged  observed"


def test_no_escape_code_of_a_study_reaches_the_terminal(here, study, tmp_path):
    folder = tmp_path / "studies" / "hostile"
    shutil.copytree(study[1], folder)
    say(folder, "verdicts", {HOSTILE: HOSTILE, "treatment": "x" * 200_000})
    whole = HOSTILE.replace("\ud800", "")
    say(folder, "provenance", {"created": whole, "notes": [whole]})
    say(folder, "source", whole)
    for words in (("list",), ("report", folder, "--to", "page.json"), ("check", folder)):
        code, out, err = here(*words)
        assert code == 0, ascii(err)
        shown = out + err
        assert not [c for c in shown if c not in "\n\t" and (ord(c) < 32 or c in "\u202e\x7f")]
        assert len(shown) < 50_000
    assert r"\x1b[31mred" in here("list")[1]
    assert "\nforged" not in here("list")[1]


def test_a_linked_report_is_not_written_through(here, study, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(study[1], folder)
    victim = tmp_path / "victim"
    victim.write_text("keep")
    for name in ("report.html", "report.json", "figures"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(victim)
        code, _, err = here("report", folder)
        assert code == 4
        assert "the report of this study is a link" in err
        (folder / name).unlink()
    assert victim.read_text() == "keep"
