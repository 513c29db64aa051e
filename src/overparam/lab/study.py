"""`StudyResult`: everything that a finished (or interrupted) study knows, as data."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overparam.lab.blame import blaming_code
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon
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
    not run, every value is NaN. Figures are given the measured ones. An arm of the design of
    which `summarise` returns nothing is inconclusive, and so is a control that the phenomenon
    names and the design leaves out.

    Args:
        planned: the cells of the design, (condition, seed) each. By default those of the scale
            whose design holds all the records' conditions, with the records' seeds. Where no
            scale's does (settings were given), those conditions that have a record in any seed:
            a condition of which no seed has one is then not known to be missing, so name the
            cells that were planned.

    Raises:
        CodeError: the phenomenon's own `summarise`, `verdict` or `figures` raises.
    """
    if phenomenon.verdict is None:
        return {}, [], []
    measured = records.measured
    if not len(measured):
        return {TREATMENT: _no_verdict("no cell has been measured")}, [], []
    cells = _design_of(phenomenon, records) if planned is None else planned
    with _blaming(phenomenon, "summarise"):
        found = _expect(Mapping, phenomenon.summarise(records.completed(cells)))
        summaries = {_expect(str, arm, "an arm's name is"): s for arm, s in found.items()}
    verdicts = {}
    with _blaming(phenomenon, "verdict"):
        for arm, summary in summaries.items():
            verdicts[arm] = _expect(Verdict, phenomenon.verdict(summary))
    with _blaming(phenomenon, "figures"):
        returned = _expect(Iterable, phenomenon.figures(summaries, measured))
        figures = [_expect(Figure, f) for f in returned]
    for arm in _arms_of(phenomenon, cells):
        verdicts.setdefault(arm, _no_verdict("summarise returned nothing for this arm"))
    for arm in (TREATMENT, *phenomenon.controls):
        verdicts.setdefault(arm, _no_verdict("this design has no cell of this arm"))
    ordered = dict(sorted(verdicts.items(), key=lambda item: item[0] != TREATMENT))
    return ordered, figures, []


def _blaming(phenomenon: Phenomenon, function: str) -> AbstractContextManager[None]:
    code = getattr(phenomenon, function)
    return blaming_code(phenomenon.name, function, remedy=_MEND, code=code)


def _expect(kind: Any, found: Any, what: str = "it returned") -> Any:
    if not isinstance(found, kind):
        name = getattr(kind, "__name__", "figure of lab.figure")
        article = "an" if name[0] in "AEIOU" else "a"
        raise TypeError(f"{what} {type(found).__name__}, not {article} {name}")
    return found


def _arms_of(phenomenon: Phenomenon, planned: Sequence[tuple[Any, int]]) -> list[str]:
    """Return the arms that the design names by itself, so that none of them can be left out.

    Those are the values of a field ``arm``, where the treatment's cells bear its name. Where they
    do not, `summarise` alone knows which cells an arm is read from.
    """
    if "arm" not in {f.name for f in dataclasses.fields(phenomenon.condition)}:
        return []
    arms = list(dict.fromkeys(condition.arm for condition, _ in planned))
    return arms if TREATMENT in arms else []


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
