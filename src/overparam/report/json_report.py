"""The report as JSON: strict (no NaN, no Infinity), so that every parser reads it."""

from __future__ import annotations

import json

from overparam.lab.plain_values import plain
from overparam.report.content import Content


def to_json(content: Content, indent: int | None = 2) -> str:
    """Return `content` as strict JSON; values that are not finite numbers are null."""
    return json.dumps(plain(content), indent=indent, allow_nan=False, ensure_ascii=False)
