"""Every command that takes a study takes every phenomenon's: found by discovery, as the others."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from overparam import api, phenomena
from overparam.cli.main import main
from overparam.lab.encoding import decode
from tests.phenomena.smoke_studies import smoke

NAMES = phenomena.names()


@pytest.fixture(params=NAMES)
def study(request):
    return smoke(request.param)


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """Run a command line and return its exit code and what it wrote to stdout."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capfd.readouterr()
        code = main([str(w) for w in words])
        return code, capfd.readouterr().out

    return run


def test_it_can_be_reported(study, command, tmp_path):
    code, out = command("report", study.folder, "--to", "place", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["verdicts"] == {arm: v.kind for arm, v in study.verdicts.items()}
    assert found["n_records"] == found["n_cells"] == study.n_planned
    assert json.loads((tmp_path / "place/report.json").read_text())["name"] == study.phenomenon.name
    assert (tmp_path / "place" / "report.html").stat().st_size > 10_000


def test_it_can_be_exported(study, command, tmp_path):
    pytest.importorskip("pyarrow")
    import pyarrow.parquet

    for name in ("records.csv", "records.parquet"):
        assert command("export", study.folder, "--to", name)[0] == 0
    rows = list(csv.DictReader((tmp_path / "records.csv").open()))
    table = pyarrow.parquet.read_table(tmp_path / "records.parquet")
    assert len(rows) == table.num_rows == study.n_planned
    assert table.column_names == list(rows[0])
    seeds = [r.seed for r in study.records]
    assert sorted(int(row["seed"]) for row in rows) == sorted(seeds)
    for row in rows:
        for text in row.values():
            if text.startswith('{"$'):
                decode(text)


def test_it_is_undamaged(study, command):
    assert command("check", study.folder)[0] == 0


def test_it_is_listed(study, command):
    place = study.folder.parents[len(study.phenomenon.name.split("/")) - 1]
    code, out = command("list", "--studies", place, "--json")
    assert code == 0
    found = {s["phenomenon"]: s for s in json.loads(out)["other_studies"]}
    listed = found[study.phenomenon.name]
    assert listed["complete"]
    assert listed["problem"] == ""
    assert listed["verdicts"] == {arm: v.kind for arm, v in study.verdicts.items()}


def test_it_is_the_same_when_it_is_loaded(study):
    found = api.load(study.folder)
    assert dict(found.verdicts) == dict(study.verdicts) or [
        str(v) for v in found.verdicts.values()
    ] == [str(v) for v in study.verdicts.values()]
    for one, other in zip(found.records, study.records, strict=True):
        assert (one.condition, one.seed, one.status) == (other.condition, other.seed, other.status)
        np.testing.assert_equal(plain(one.outcome), plain(other.outcome))


def plain(outcome):
    """Every field of an outcome, which reads all its arrays."""
    return {name: getattr(outcome, name) for name in type(outcome).__dataclass_fields__}
