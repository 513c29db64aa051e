"""`StudyResult`: everything that a finished (or interrupted) study knows, as data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon
from overparam.lab.records import Records
from overparam.lab.verdict import Interval, Verdict


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
    phenomenon: Phenomenon, records: Records
) -> tuple[dict[str, Verdict], list[Figure], list[str]]:
    """Return verdicts per arm, figures, and what went wrong in computing them.

    Too few cells (an interrupted study, failed cells) must not cost the report: a summary that
    cannot be made leaves every arm inconclusive, with the reason.
    """
    if not len(records):
        return {TREATMENT: _no_verdict("no cell has finished")}, [], ["no cell has finished"]
    trouble: list[str] = []
    verdicts: dict[str, Verdict] = {}
    figures: list[Figure] = []
    usable = records.where(lambda r: r.outcome is not None)
    try:
        summaries = phenomenon.summarise(usable)
        verdicts = {arm: phenomenon.verdict(summaries[arm]) for arm in summaries}
        figures = list(phenomenon.figures(summaries, usable))
    except Exception as error:
        trouble.append(f"summary is incomplete: {type(error).__name__}: {error}")
        verdicts = verdicts or {TREATMENT: _no_verdict(trouble[-1])}
    ordered = dict(sorted(verdicts.items(), key=lambda item: item[0] != TREATMENT))
    return ordered, figures, trouble


def _no_verdict(reason: str) -> Verdict:
    nan = float("nan")
    return Verdict("inconclusive", Interval(nan, nan, nan), "", "", reason)
