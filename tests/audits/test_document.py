"""An audit as JSON: of the published schema, strict, without rows on demand, and read with care."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from overparam.audits.document import MOST_ROWS, document_of
from overparam.audits.finding import Finding, Measured
from overparam.audits.loading import findings_of, load_document
from overparam.errors import StoreError, UsageError
from tests.report.made_audits import (
    image_subject,
    made_findings,
    made_result,
    table_subject,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/audit/schema.json").read_text())
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def offences(value, schema, path="$"):
    """What of a value is not as a schema has it; of JSON Schema's words, those that ours uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    known = {"type", "properties", "required", "additionalProperties", "items", "enum", "const"}
    known |= {"description", "$schema", "title", "$defs"}
    assert set(schema) <= known, f"this test does not know {set(schema) - known}"
    if "const" in schema and value != schema["const"]:
        return [f"{path}: {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r}"]
    kinds = schema.get("type", list(TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_one = any(isinstance(value, TYPES[k]) for k in kinds)
    if not is_one or (isinstance(value, bool) and "boolean" not in kinds):
        return [f"{path}: {type(value).__name__}"]
    found = []
    if isinstance(value, dict):
        named, more = schema.get("properties", {}), schema.get("additionalProperties", {})
        found += [f"{path}: {k} is missing" for k in schema.get("required", ()) if k not in value]
        for key, part in value.items():
            if key not in named and more is False:
                found.append(f"{path}: {key} is unknown")
            found += offences(part, named.get(key, more or {}), f"{path}.{key}")
    if isinstance(value, list):
        for i, part in enumerate(value):
            found += offences(part, schema.get("items", {}), f"{path}[{i}]")
    return found


def written(tmp_path, document):
    file = tmp_path / "audit.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("subject", [None, image_subject(), table_subject()])
def test_documents_are_of_the_published_schema(subject, rows):
    document = document_of(made_result(subject), rows=rows)
    assert offences(json.loads(json.dumps(document, allow_nan=False)), SCHEMA) == []
    no_plan = document_of(made_result(plan=None), rows=rows)
    assert offences(no_plan, SCHEMA) == []


@pytest.mark.parametrize(
    ("key", "value"), [("verdict", 3), ("more", 1), ("format", 2), ("findings", [{}])]
)
def test_the_schema_refuses(key, value):
    assert offences(document_of(made_result()) | {key: value}, SCHEMA) != []


def test_what_is_not_known_is_null_and_what_is_known_is_kept():
    document = document_of(made_result())
    label_errors = next(f for f in document["findings"] if f["code"] == "OP202")
    assert label_errors["row_columns"]["suspicion"] == [0.99, 0.98, None, 0.9]
    assert label_errors["cost"]["text"] == "1.9 [1.1, 2.7] points"
    assert label_errors["rows"] == [17, 3, 41, 8]
    assert label_errors["n_rows"] == 4
    assert [f["code"] for f in document["findings"]] == sorted(made_findings())


def test_only_the_first_of_very_many_rows_are_named():
    many = Finding(
        "found", "x", severity="low", rows=np.arange(5000), row_columns={"s": list(range(5000))}
    )
    (entry,) = document_of(made_result(findings={"OP201": many}))["findings"]
    assert (entry["n_rows"], len(entry["rows"]), len(entry["row_columns"]["s"])) == (
        5000,
        MOST_ROWS,
        MOST_ROWS,
    )


def test_without_rows_nothing_of_what_they_hold_is_left():
    result = made_result(table_subject(("SECRET-A", "SECRET-B")))
    flagged = dataclasses.replace(
        result.findings["OP202"],
        row_columns={
            "suggested label": ["SECRET-A"] * 4,
            "label": [0, 1, 0, 1],
            "gap": [1, 2, 3, 4],
        },
        details={"text": "SECRET-A", "deeper": {"list": ["SECRET-B", 3]}, "kept": 2.5},
    )
    result = dataclasses.replace(
        result,
        findings={"OP202": flagged},
        about={**result.about, "classes": ["SECRET-A", "SECRET-B"]},
    )
    assert "word 17" in json.dumps(document_of(result))
    document = document_of(result, rows=False)
    text = json.dumps(document)
    assert "SECRET" not in text
    assert "word" not in text
    (entry,) = document["findings"]
    assert entry["row_columns"] == {"gap": [1, 2, 3, 4]}
    assert entry["details"] == {"deeper": {"list": [3]}, "kept": 2.5}
    assert entry["rows"] == [17, 3, 41, 8]
    assert document["rows_included"] is False


def test_a_document_comes_back_as_the_findings_that_it_is_of(tmp_path):
    document = document_of(made_result())
    written(tmp_path, document)
    assert load_document(tmp_path) == document
    for code, finding in findings_of(load_document(tmp_path)).items():
        before = made_findings()[code]
        assert (finding.status, finding.severity, finding.sentence) == (
            before.status,
            before.severity,
            before.sentence,
        )
        assert (finding.measured, finding.cost, finding.gain) == (
            before.measured,
            before.cost,
            before.gain,
        )
        assert finding.rows.tolist() == before.rows.tolist()


def test_an_unknown_number_comes_back_unknown(tmp_path):
    nothing = Finding("passed", "x", measured=Measured(np.nan, np.nan, np.nan))
    written(tmp_path, document_of(made_result(findings={"OP301": nothing})))
    assert str(findings_of(load_document(tmp_path))[""].measured) == "unknown"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"kind": NaN}', "\x00", '"'])
def test_damaged_files_are_refused(tmp_path, text):
    with pytest.raises(StoreError, match="damaged"):
        load_document(written(tmp_path, text))


@pytest.mark.parametrize("other", [[], 3, {}, {"kind": "another"}, {"kind": ["overparam audit"]}])
def test_foreign_files_are_refused(tmp_path, other):
    with pytest.raises(StoreError, match="this is no audit"):
        load_document(written(tmp_path, other))


def test_a_newer_one_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"newer overparam.*format 7"):
        load_document(written(tmp_path, document_of(made_result()) | {"format": 7}))


CHANGES = [
    {"format": True},
    {"format": "1"},
    {"verdict": None},
    {"verdict": "x" * 50_000},
    {"notes": [1]},
    {"numbers": {"a": 1}},
    {"about": {"rows": "many"}},
    {"about": {"name": 3}},
    {"plan": 3},
    {"rows_included": 1},
    {"findings": {}},
    {"findings": [3]},
    {"findings": [{}]},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_parts_of_another_kind_are_refused(tmp_path, change):
    with pytest.raises(StoreError, match="damaged"):
        load_document(written(tmp_path, document_of(made_result()) | change))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "well"},
        {"status": ["found"]},
        {"severity": "none"},
        {"severity": "huge"},
        {"sentence": 3},
        {"measured": {"value": 1}},
        {"measured": [1, 2, 3]},
        {"cost": {"value": 10**400, "low": 1, "high": 2, "unit": "", "baseline": None,
                  "baseline_name": ""}},
        {"cost": {"value": True, "low": 1, "high": 2, "unit": "", "baseline": None,
                  "baseline_name": ""}},
        {"rows": [1.5]},
        {"rows": [10**30] * 4},
        {"rows": [1]},
        {"row_columns": {"a": 3}},
        {"details": []},
        {"code": "OP201"},
    ],
    ids=str,
)  # fmt: skip
def test_findings_of_another_kind_are_refused(tmp_path, change):
    document = document_of(made_result())
    entry = next(f for f in document["findings"] if f["code"] == "OP202")
    entry |= change
    with pytest.raises(StoreError, match="damaged"):
        load_document(written(tmp_path, document))


def test_too_many_findings_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("overparam.audits.loading._MOST_FINDINGS", 3)
    with pytest.raises(StoreError, match=r"damaged.*10 findings"):
        load_document(written(tmp_path, document_of(made_result())))


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("overparam.audits.loading.MOST_BYTES", 100)
    with pytest.raises(StoreError, match="too large"):
        load_document(written(tmp_path, document_of(made_result())))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "audit.json")
    with pytest.raises(StoreError, match=r"this is no audit.*no plain file"):
        load_document(tmp_path)


def test_what_is_nested_beyond_reason_is_refused(tmp_path):
    document = document_of(made_result())
    deep: dict = {}
    for _ in range(200):
        deep = {"a": [deep]}
    document["findings"][0]["details"] = deep
    with pytest.raises(StoreError, match=r"damaged.*levels"):
        load_document(written(tmp_path, document))


def test_nothing_there(tmp_path):
    with pytest.raises(StoreError, match="no audit that can be read"):
        load_document(tmp_path)
    with pytest.raises(UsageError, match="NUL"):
        load_document("a\0b")
