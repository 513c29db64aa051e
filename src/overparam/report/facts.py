"""The short facts of a report: when, on what, how long, and the design in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overparam.report.content import Content
from overparam.report.formatting import format_bytes, format_number, format_seconds


def head_facts(content: Content) -> list[str]:
    """Return when, on what, how long and which revision, where known, one text each."""
    known = content.provenance
    device = known.get("device")
    machine = _mapping(known.get("machine")).get("cpu")
    version = _mapping(known.get("versions")).get("overparam")
    revision = f"revision {content.revision} of the experiment"
    facts = [
        time_text(known.get("created")),
        " on ".join(str(v) for v in (device, machine) if v),
        f"{format_seconds(known['seconds'])} of computing" if known.get("seconds") else "",
        f"{content.n_recorded:,} of {content.n_planned:,} cells",
        f"{revision}, overparam {version}" if version else revision,
    ]
    return [fact for fact in facts if fact]


def design_sentence(content: Content) -> str:
    """Return scale, cells, seeds and settings in one or two sentences."""
    seeds = content.seeds
    named = f"{len(seeds)} seed{'' if len(seeds) == 1 else 's'}"
    if seeds:
        named += (
            f" ({', '.join(map(str, seeds)) if len(seeds) <= 8 else f'{seeds[0]} to {seeds[-1]}'})"
        )
    note = f" ({content.scale_note})" if content.scale_note else ""
    text = f"Scale {content.scale}{note}: {content.n_planned:,} cells over {named}."
    if content.settings:
        values = ", ".join(f"{k} = {format_number(v)}" for k, v in content.settings.items())
        text += f" Set by hand: {values}."
    return text


def provenance_rows(content: Content) -> list[tuple[str, str]]:
    """Return the provenance as (name, value) in a fixed order, then whatever else was recorded."""
    known = dict(content.provenance)
    known.pop("notes", None)
    machine, versions = _mapping(known.pop("machine", None)), _mapping(known.pop("versions", None))
    rows = [
        ("Created", time_text(known.pop("created", None))),
        ("Experiment", f"{content.name}, revision {content.revision}"),
        ("Computing time", format_seconds(known.pop("seconds", None)) + ", all workers"),
        ("Peak memory", format_bytes(known.pop("peak_memory_bytes", None))),
        ("Device", str(known.pop("device", None) or "–")),
        ("Workers", str(known.pop("workers", None) or "–")),
        ("Machine", machine_text(machine)),
        ("Versions", ", ".join(f"{k} {v}" for k, v in versions.items()) or "–"),
    ]
    return rows + [(str(k).replace("_", " ").capitalize(), _text(v)) for k, v in known.items()]


def machine_text(machine: Mapping[str, Any]) -> str:
    """Return processor, cores, memory and system."""
    parts = [
        str(machine.get("cpu") or ""),
        f"{machine['cores']} cores" if machine.get("cores") else "",
        format_bytes(machine["memory_bytes"]) if machine.get("memory_bytes") else "",
        str(machine.get("system") or ""),
    ]
    return ", ".join(p for p in parts if p) or "–"


def time_text(created: Any) -> str:
    """Return an ISO 8601 time as date, hour and minute."""
    text = str(created or "")
    return text[:16].replace("T", " ") + " UTC" if "T" in text else text


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return format_number(value) if isinstance(value, int | float) else str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
