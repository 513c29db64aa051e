"""`StudyResult`: everything that a finished (or interrupted) study knows, as data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, blaming_code
from overparam.lab.records import Records
from overparam.lab.verdict import UNKNOWN, Verdict, judge, unmeasured

_MEND = (
    "the records are kept: mend the code, then `overparam report DIR` "
    "(with --phenomenon FILE.py where it is one of your own) reads them again"
)


@dataclass(frozen=True)
class StudyResult:
    """A study: its design, its records, and what follows from them.

    Attributes:
        phenomenon, scale, settings, seeds: the design that was run.
        records: one per cell, in design order; cells that are missing are not among them.
        n_planned: number of cells in the design.
        verdicts: arm to verdict, ``"treatment"`` first. figures: the first is the main one.
        provenance: ``created`` (ISO 8601 UTC), ``seconds`` (of computing, all workers),
            ``peak_memory_bytes``, ``device``, ``workers``, ``machine`` (cpu, cores, memory_bytes,
            system), ``versions`` (python, torch, numpy, overparam), ``notes`` (list of texts,
            such as which stacks ran one model at a time and why).
        folder: where the study is kept, or None.
    """

    phenomenon: Phenomenon
    scale: str
    settings: Mapping[str, Any]
    seeds: Sequence[int]
    records: Records
    n_planned: int
    verdicts: Mapping[str, Verdict]
    figures: Sequence[Figure]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether every planned cell has a record."""
        return len(self.records) == self.n_planned

    def command(self, scale: str | None = None) -> str:
        """Return the command line that reproduces this study (or runs another scale as it is)."""
        settings = dict(self.settings)
        if self.phenomenon.subcommand:
            words = ["overparam", *self.phenomenon.subcommand, str(settings.pop("target", ""))]
        else:
            words = ["overparam", "run", self.phenomenon.target, "--scale", scale or self.scale]
        if scale is None:
            words += ["--seeds", str(len(self.seeds)), "--first-seed", str(min(self.seeds))]
            words += [w for k, v in settings.items() for w in ("--set", f"{k}={v}")]
        return shlex.join(words)


def conclude(
    phenomenon: Phenomenon,
    records: Records,
    planned: Sequence[tuple[Any, int]] | None = None,
) -> tuple[dict[str, Verdict], list[Figure], list[str]]:
    """Return verdicts per arm, figures, and notes on what they do not rest on.

    `summarise` is given a record of every planned cell; of those that failed, diverged or were
    not run, every value is NaN. Figures are given the measured ones.

    Args:
        planned: the cells of the design, (condition, seed) each. By default those of the scale
            whose design holds all the records' conditions, with the records' seeds. Where no
            scale's does (settings were given), those conditions that have a record in any seed:
            a condition of which no seed has one is then not known to be missing, so name the
            cells that were planned.

    Raises:
        CodeError: the phenomenon's own `summarise`, `verdict` or `figures` raises.
    """
    measured = records.measured
    if not len(measured):
        return {TREATMENT: _no_verdict("no cell has been measured")}, [], []
    whole = records.completed(_design_of(phenomenon, records) if planned is None else planned)
    with blaming_code(phenomenon.name, "summarise", remedy=_MEND):
        summaries = dict(phenomenon.summarise(whole))
    verdicts = {}
    with blaming_code(phenomenon.name, "verdict", remedy=_MEND):
        for arm, summary in summaries.items():
            verdicts[str(arm)] = _expect(Verdict, phenomenon.verdict(summary))
    with blaming_code(phenomenon.name, "figures", remedy=_MEND):
        figures = [_expect(Figure, f) for f in phenomenon.figures(summaries, measured)]
    verdicts = verdicts or {TREATMENT: _no_verdict("summarise found no arm")}
    ordered = dict(sorted(verdicts.items(), key=lambda item: item[0] != TREATMENT))
    return ordered, figures, []


def _expect(kind: Any, found: Any) -> Any:
    if not isinstance(found, kind):
        name = getattr(kind, "__name__", "figure of lab.figure")
        raise TypeError(f"it returned {type(found).__name__}, not a {name}")
    return found


def _design_of(phenomenon: Phenomenon, records: Records) -> list[tuple[Any, int]]:
    found = list(dict.fromkeys(r.condition for r in records))
    for scale in phenomenon.scales:
        design = phenomenon.conditions(scale)
        if set(design).issuperset(found):
            found = design
            break
    return [(c, seed) for seed in records.seeds for c in found]


def _no_verdict(reason: str) -> Verdict:
    return judge([unmeasured("effect", reason)], effect=UNKNOWN, unit="", rule="", reason=reason)
