"""`load_document`: an audit's JSON from a file that anybody may have written.

Nothing of it is run or believed: it is text and numbers in bounds, or it is refused.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, NoReturn, get_args

import numpy as np

from overparam.audits.document import FORMAT, KIND
from overparam.audits.finding import SEVERITIES, Finding, Measured, Status
from overparam.checks import check_path
from overparam.errors import OverparamError, StoreError

NAME = "audit.json"
MOST_BYTES = 64 * 2**20
_MOST_FINDINGS = 10_000
_DEEPEST = 50
_LONGEST = 20_000  # letters of one text
_TEXTS = ("code", "title", "sentence", "action", "page", "validated_by")


def load_document(path: str | Path) -> dict[str, Any]:
    """Return the document of an audit, as `document_of` made it.

    Args:
        path: of the file, or of the folder that holds it as ``audit.json``.

    Raises:
        StoreError: there is none, it is too large, damaged, of another kind or of a newer format.
    """
    place = check_path(path)
    file = place / NAME if place.is_dir() else place
    document = _parsed(file)
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise StoreError(
            "this is no audit", got=str(file), allowed=f"an {NAME} that an audit has written"
        )
    version = document.get("format")
    if type(version) is not int or version < 1:
        _refuse(file, f"format {version!r}")
    if version > FORMAT:
        raise StoreError(
            "this audit was written by a newer overparam",
            got=f"format {version}",
            allowed=f"up to {FORMAT}",
            remedy="install the newer one",
        )
    try:
        _check(document)
        findings_of(document)
    except (ArithmeticError, ValueError, TypeError, LookupError, OverparamError) as error:
        _refuse(file, f"{type(error).__name__}: {error}"[:200])
    return document


def findings_of(document: dict[str, Any]) -> dict[str, Finding]:
    """Return code to finding, without figures, of a document that was checked."""
    found = [_finding(entry) for entry in document["findings"]]
    return {finding.code: finding for finding in found}


def _parsed(file: Path) -> Any:
    if file.exists() and not file.is_file():  # reading a pipe would not end
        raise StoreError("this is no audit", got=f"{file}, no plain file", allowed=f"an {NAME}")
    try:
        with open(file, "rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            text = b"" if size > MOST_BYTES else opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise StoreError(
            "there is no audit that can be read",
            got=f"{file}: {error.strerror or error}",
            allowed=f"a folder with an {NAME}, or that file",
        ) from error
    if size > MOST_BYTES or len(text) > MOST_BYTES:
        raise StoreError(
            "a file is too large for an audit's",
            got=f"{file}: {max(size, len(text)):,} bytes",
            allowed=f"up to {MOST_BYTES:,}",
        )
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        _refuse(file, str(error)[:200])


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _check(document: dict[str, Any]) -> None:
    """Raise a ValueError or TypeError unless the parts around the findings are what they are."""
    _check_depth(document)
    _text(document["verdict"])
    for name in ("notes", "muted"):
        _expect(document[name], list)
        for text in document[name]:
            _text(text)
    for title, text in _expect(document["numbers"], dict).items():
        _text(title), _text(text)
    for key, value in _expect(document["about"], dict).items():
        if key in ("rows", "test_rows"):
            _expect(value, int)
        elif key in ("name", "kind", "task", "created"):
            _text(value)
    if document["plan"] is not None:
        _expect(document["plan"], dict)
    _expect(document["rows_included"], bool)
    if len(_expect(document["findings"], list)) > _MOST_FINDINGS:
        raise ValueError(f"{len(document['findings']):,} findings")
    codes = [entry["code"] for entry in document["findings"]]
    if len(set(codes)) < len(codes):
        raise ValueError("two findings have one code")


def _check_depth(value: Any) -> None:
    """Raise a ValueError where lists and mappings lie within each other as nobody writes them."""
    level = [value]
    for _ in range(_DEEPEST):
        inside = [v.values() if isinstance(v, dict) else v for v in level]
        level = [v for part in inside for v in part if isinstance(v, dict | list)]
        if not level:
            return
    raise ValueError(f"more than {_DEEPEST} levels")


def _finding(entry: dict[str, Any]) -> Finding:
    texts: dict[str, Any] = {name: _text(entry[name]) for name in _TEXTS}
    if entry["status"] not in get_args(Status) or entry["severity"] not in SEVERITIES:
        raise ValueError(f"{entry['code']}: status or severity")
    rows = np.array([_expect(row, int) for row in _expect(entry["rows"], list)], np.int64)
    columns = _expect(entry["row_columns"], dict)
    return Finding(
        status=entry["status"],
        severity=entry["severity"],
        measured=_measured(entry["measured"]),
        cost=_measured(entry["cost"]),
        gain=_measured(entry["gain"]),
        rows=rows,
        row_columns={name: _expect(values, list) for name, values in columns.items()},
        details=_expect(entry["details"], dict),
        **texts,
    )


def _measured(entry: Any) -> Measured | None:
    if entry is None:
        return None
    value, low, high = (_number(entry[name]) for name in ("value", "low", "high"))
    baseline = None if entry["baseline"] is None else _number(entry["baseline"])
    return Measured(value, low, high, _text(entry["unit"]), baseline, _text(entry["baseline_name"]))


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.50} is no number")
    return float(value)


def _text(value: Any) -> str:
    if len(_expect(value, str)) > _LONGEST:
        raise ValueError(f"a text of {len(value):,} letters")
    return value


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def _refuse(file: Path, why: str) -> NoReturn:
    raise StoreError(
        "an audit's file is damaged", got=f"{file}: {why}", remedy="run the audit again"
    )
