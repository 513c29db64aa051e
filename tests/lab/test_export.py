"""Records as CSV and Parquet: every number exact, every unit kept."""

import csv
import dataclasses
import json
import math
import sys

import numpy as np
import pytest

from overparam.errors import ResourceError, UsageError
from overparam.lab.encoding import ArrayAt
from overparam.lab.export import export_records
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.records import Record, Records
from overparam.lab.store import Store
from overparam.lab.verdict import Interval, decide


@dataclasses.dataclass(frozen=True)
class Condition:
    n_train: int = factor(unit="examples")
    widths: tuple[int, ...] = factor((1, 2))
    seed: str = factor("condition's own")


@dataclasses.dataclass(frozen=True)
class Outcome:
    test_error: float = quantity("fraction wrong")
    n_train: int = quantity("examples")
    trace: np.ndarray = dataclasses.field(metadata={"unit": "fraction wrong"})
    n_params: int = quantity("parameters")
    fitted: bool = quantity()


async def run(condition, streams):
    raise NotImplementedError


DEMO = Phenomenon(
    doc="",
    condition=Condition,
    outcome=Outcome,
    cells=lambda base: [base],
    run=run,
    summarise=lambda records: {},
    verdict=lambda s: decide(Interval(0, 0, 0), at_least=1, unit="", rule=""),
    figures=lambda summaries, records: [],
    scales={"smoke": Scale(Condition(1), 1)},
    name="demo",
)
TRACE = np.linspace(0, 1, 6).reshape(2, 3)
RECORDS = Records(
    [
        Record(
            Condition(10), 3, Outcome(0.1 + 0.2, 9, TRACE, 7, True), provenance={"seconds": 1.5}
        ),
        Record(Condition(20, (3,)), 4, Outcome(np.float32("nan"), 8, TRACE, 10**30, False)),
        Record(Condition(30), 5, None, "failed", 'out of "memory",\nline two \ud800'),
    ]
)
COLUMNS = [
    *("n_train", "widths", "condition_seed", "seed"),
    *("test_error", "outcome_n_train", "trace_shape", "trace_sha256", "n_params", "fitted"),
    *("status", "error", "seconds"),
]


def test_csv_holds_every_value_exactly(tmp_path):
    path, beside = export_records(RECORDS, DEMO, tmp_path / "records.csv")
    with open(path, newline="", encoding="utf-8") as file:
        first, second, third = csv.DictReader(file)
    assert list(first) == COLUMNS
    assert float(first["test_error"]) == 0.1 + 0.2
    assert (first["n_train"], first["outcome_n_train"], first["seed"]) == ("10", "9", "3")
    assert first["condition_seed"] == "condition's own"
    assert (first["trace_shape"], first["seconds"], first["fitted"]) == ("[2, 3]", "1.5", "True")
    assert math.isnan(float(second["test_error"]))
    assert json.loads(second["widths"]) == {"$tuple": [3]}
    assert int(second["n_params"]) == 10**30
    assert (third["status"], third["test_error"], third["trace_shape"]) == ("failed", "", "")
    assert third["error"] == 'out of "memory",\nline two \\ud800'
    units = json.loads(beside.read_text("utf-8"))
    assert beside.name == "records.units.json"
    assert list(units) == COLUMNS
    assert (units["n_train"], units["test_error"], units["seconds"]) == (
        "examples",
        "fraction wrong",
        "s",
    )


def test_an_array_is_named_by_its_address_in_the_store(tmp_path):
    large = Outcome(0.0, 0, np.zeros(10_000), 0, True)
    records = Records([Record(Condition(1), 0, large)])
    with Store.open(tmp_path, DEMO) as store:
        store.write(records, "unit")
    path, _ = export_records(records, DEMO, tmp_path / "records.csv")
    with open(path, newline="") as file:
        (row,) = csv.DictReader(file)
    (kept,) = tmp_path.glob("arrays/??/*.npy")
    assert row["trace_sha256"] == kept.stem


def test_parquet_holds_values_types_and_units(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (path,) = export_records(RECORDS, DEMO, tmp_path / "records.parquet")
    table = parquet.read_table(path)
    assert table.column_names == COLUMNS
    types = {f.name: str(f.type) for f in table.schema}
    expected = {
        "n_train": "int64",
        "test_error": "double",
        "fitted": "bool",
        "n_params": "string",  # 10^30 has no exact place in int64 or double
        "seconds": "double",
        "widths": "string",
    }
    assert {name: types[name] for name in expected} == expected
    column = table["test_error"].to_pylist()
    assert column[0] == 0.1 + 0.2
    assert math.isnan(column[1])
    assert column[2] is None
    assert table["error"].to_pylist()[2] == 'out of "memory",\nline two \\ud800'
    assert table.schema.field("n_train").metadata == {b"unit": b"examples"}


def test_integers_beyond_a_double_are_not_rounded(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    values = [0.5, 2**53 + 1]
    records = Records(
        [Record(Condition(i), 0, Outcome(0.0, 0, 0, v, True)) for i, v in enumerate(values)]
    )
    (path,) = export_records(records, DEMO, tmp_path / "records.parquet")
    assert parquet.read_table(path)["n_params"].to_pylist() == ["0.5", "9007199254740993"]


@pytest.mark.parametrize("name", ["empty.csv", "empty.parquet"])
def test_no_records_give_a_header(tmp_path, name):
    pytest.importorskip("pyarrow")
    path = export_records(Records([]), DEMO, tmp_path / name)[0]
    assert path.stat().st_size > 0


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"got 'records\.xlsx'; allowed: .*\.csv or \.parquet"):
        export_records(RECORDS, DEMO, tmp_path / "records.xlsx")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install overparam\[parquet\]"):
        export_records(RECORDS, DEMO, tmp_path / "records.parquet")


@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_a_place_that_cannot_be_written_is_a_resource_error(tmp_path, name):
    pytest.importorskip("pyarrow")
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="cannot be written"):
        export_records(RECORDS, DEMO, tmp_path / "file" / name)


def test_no_text_that_a_study_holds_hinders_its_export(tmp_path):
    text = "half \ud800"
    kinds = [
        dataclasses.make_dataclass(
            "Kind", [("size", "object", dataclasses.field(metadata={"unit": text}))], frozen=True
        )
        for _ in range(2)
    ]
    demo = dataclasses.replace(DEMO, condition=kinds[0], outcome=kinds[1])
    values = [ArrayAt(text, (1,), text, 8), text, (text,), {text: 1}, None]
    for value in values:
        record = Record(kinds[0](text), 0, kinds[1](value), text, text, {"seconds": value})
        path, beside = export_records(Records([record]), demo, tmp_path / "records.csv")
        (row,) = csv.DictReader(path.open(encoding="utf-8"))
        assert row["size"] == row["error"] == "half \\ud800"
        assert json.loads(beside.read_text(encoding="utf-8"))["size"] == "half \\ud800"
