"""What a phenomenon's own rule makes of records, by arm."""

from __future__ import annotations

from typing import Any

from overparam.lab.records import Records


def kinds_of(phenomenon: Any, records: Records) -> dict[str, str]:
    """Arm to the kind of its verdict, of a `Phenomenon` or of the module of one."""
    found = phenomenon.summarise(records)
    return {arm: phenomenon.verdict(summary).kind for arm, summary in found.items()}
