"""A study of a phenomenon whose code is not run: its records, as its folder tells of them.

A study may come from anybody, and the file that it names from anywhere. So a study keeps, as plain
text, what its records need to be read without that file: the claim, and name, unit and meaning of
every field. Verdicts and figures need the code; they are made when the user names the file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NoReturn

from overparam.errors import StoreError, UsageError
from overparam.lab.design import design_of
from overparam.lab.encoding import ArrayAt
from overparam.lab.figure import Table
from overparam.lab.lazy import holds_array, stored_value
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.records import Records
from overparam.lab.sqlite_errors import FRESH
from overparam.lab.store import Store
from overparam.lab.study import StudyResult

_MOST_ROWS = 1000  # of the table of records in a report; an export has all
_TEXTS = ("name", "symbol", "unit", "doc")


def told_of(phenomenon: Phenomenon) -> dict[str, Any]:
    """Return what a study keeps of its phenomenon, as plain values for `recorded_phenomenon`."""
    return {
        "doc": phenomenon.doc,
        "condition": _fields_told(phenomenon.condition),
        "outcome": _fields_told(phenomenon.outcome),
        "judged": phenomenon.verdict is not None,
    }


def recorded_phenomenon(store: Store) -> Phenomenon:
    """Return the phenomenon of a study as far as its folder tells, with no code to run.

    Raises:
        StoreError: the study ended before its first cell, or what it tells is no description.
    """
    design_of(store)
    name, told, source = store.phenomenon, store.get("told"), store.get("source", "")
    try:
        condition = _kind("Condition", told["condition"])
        outcome = _kind("Outcome", told["outcome"])
        if not isinstance(told["doc"], str) or not isinstance(source, str):
            raise TypeError("a text is expected")
    except (TypeError, ValueError, KeyError) as error:
        raise StoreError(
            "what this study tells of its phenomenon cannot be read",
            got=str(error),
            remedy=f"name the phenomenon's file with --phenomenon, or {FRESH}",
        ) from error
    return Phenomenon(
        doc=told["doc"],
        condition=condition,
        outcome=outcome,
        cells=_not_loaded,
        run=_not_loaded,
        summarise=_not_loaded,
        verdict=_not_loaded if told.get("judged", True) else None,
        figures=_not_loaded,
        scales={},
        revision=store.revision,
        name=name,
        file=Path(source).name or f"{name}.py",
    )


def load_records(folder: Path) -> StudyResult:
    """Return a study without verdicts, its records as a table, running no code of its own.

    Raises:
        StoreError: there is no study, it ended before its first cell, or it is damaged.
    """
    with Store.read_only(folder) as store:
        phenomenon, design = recorded_phenomenon(store), design_of(store)
        seeds = set(design.seeds)
        records = store.read(phenomenon).where(lambda r: r.seed in seeds)
        provenance = store.get("provenance") or {}
        if not isinstance(provenance, dict):
            provenance = {}
        note = (
            f"the code of {phenomenon.name} is not the package's own and was not run, so there are "
            "no verdicts and figures; if you trust its file, name it: "
            f"--phenomenon {phenomenon.file}, in Python load(folder, {phenomenon.file!r})"
        )
        if phenomenon.verdict is None:
            note = "this study makes no claim, so there are no verdicts"
        return StudyResult(
            phenomenon,
            design.scale,
            design.settings,
            design.seeds,
            records,
            design.n_cells,
            {},
            [_table(phenomenon, records)] if len(records) else [],
            {**provenance, "notes": [*_texts(provenance.get("notes")), note]},
            folder,
        )


def _fields_told(kind: type) -> list[dict[str, str]]:
    told = []
    for f in dataclasses.fields(kind):
        meta = {name: str(f.metadata.get(name, "")) for name in _TEXTS[1:]}
        # Keys of records depend on which fields are declared float: see `rows.record_key`.
        declared = "float" if f.type in (float, "float") else ""
        told.append({"name": f.name, **meta, "type": declared})
    return told


def _kind(name: str, told: Any) -> type:
    fields: list[Any] = []
    for one in told:
        meta = {text: one[text] for text in _TEXTS}
        if not all(isinstance(text, str) for text in meta.values()) or one["name"].startswith("_"):
            raise ValueError(f"{one['name']!r} is no field")
        declared = "float" if one["type"] == "float" else "object"
        fields.append((one["name"], declared, dataclasses.field(metadata=meta)))
    return dataclasses.make_dataclass(name, fields, frozen=True)


def _table(phenomenon: Phenomenon, records: Records) -> Table:
    columns: dict[str, list[Any]] = {"seed": [], "status": []}
    units = {}
    kinds = {"condition": phenomenon.condition, "outcome": phenomenon.outcome}
    for record in records[:_MOST_ROWS]:
        columns["seed"].append(record.seed)
        columns["status"].append(record.status)
    for part, kind in kinds.items():
        for f in dataclasses.fields(kind):
            header = f"{part} {f.name}" if f.name in columns else f.name
            cells = [_cell(getattr(r, part), f.name) for r in records[:_MOST_ROWS]]
            columns[header], units[header] = cells, f.metadata["unit"]
    some = "" if len(records) <= _MOST_ROWS else f" The first {_MOST_ROWS:,} of {len(records):,}."
    return Table("records", "The records", f"One row for each cell.{some}", columns, units)


def _cell(instance: Any, name: str) -> Any:
    value = None if instance is None else stored_value(instance, name)
    if isinstance(value, ArrayAt):
        return f"array {'x'.join(map(str, value.shape))}"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return "arrays" if holds_array(value) else str(value)


def _texts(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _not_loaded(*_: Any) -> NoReturn:
    raise UsageError(
        "the phenomenon of this study is not the package's own, and its code was not loaded",
        remedy="name its file: load(folder, 'FILE.py'), or --phenomenon FILE.py",
    )
