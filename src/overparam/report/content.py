"""`describe`: everything that a report says, as plain data, before any page is laid out."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overparam.errors import OverparamError
from overparam.lab.phenomenon import TREATMENT, paragraph
from overparam.lab.plain_values import plain
from overparam.lab.study import StudyResult
from overparam.report.arms import Arm, describe_arm
from overparam.report.figure_content import FigureContent, describe_figure
from overparam.report.formatting import format_number
from overparam.texts import printable

SCHEMA = "overparam.report/1.1"  # 1.1: clauses of the verdicts; all fields of 1 are there
MOST_TITLE_WORDS = 12
_MOST_NAMED = 20  # cells named one by one in each list; more are counted


@dataclass(frozen=True)
class Factor:
    """One field of the design: the levels that it took."""

    name: str
    symbol: str
    unit: str
    doc: str
    levels: tuple[Any, ...]

    @property
    def summary(self) -> str:
        """Levels in words, shortened where there are many."""
        texts = [format_number(v) for v in self.levels]
        if len(texts) <= 6:
            return ", ".join(texts)
        return f"{len(texts)} levels: {', '.join(texts[:3])}, …, {texts[-1]}"


@dataclass(frozen=True)
class Trouble:
    """Cells that did not end well: how many, and the first of them in words."""

    count: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """A study in words and numbers; `dataclasses.asdict` of it is JSON but for NaN.

    Attributes:
        headline: what the verdicts say together, one sentence. claim, control, sources, differs,
            in_practice: the phenomenon's own paragraphs, "" where it has none.
        outcomes: name, unit and meaning of each measured number.
        diverged, failed, missing: cells that did not end well.
        revision: of the phenomenon's `run`.
    """

    schema: str
    name: str
    title: str
    headline: str
    claim: str
    control: str
    arms: tuple[Arm, ...]
    figures: tuple[FigureContent, ...]
    scale: str
    scale_note: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    n_planned: int
    n_recorded: int
    factors: tuple[Factor, ...]
    outcomes: tuple[Factor, ...]
    rules: tuple[str, ...]
    diverged: Trouble
    failed: Trouble
    missing: Trouble
    provenance: Mapping[str, Any]
    revision: int
    command: str
    full_command: str
    sources: tuple[str, ...]
    differs: str
    in_practice: str


def describe(result: StudyResult) -> Content:
    """Return what a report of `result` says, an interrupted study as far as it got."""
    phenomenon = result.phenomenon
    planned = _planned(result)
    arms = tuple(describe_arm(name, v) for name, v in result.verdicts.items())
    scale = phenomenon.scales.get(result.scale)  # type: ignore[call-overload]
    content = Content(
        schema=SCHEMA,
        name=phenomenon.name,
        title=short_title((phenomenon.doc.strip().splitlines() or [phenomenon.name])[0]),
        headline=headline(result),
        claim=phenomenon.claim,
        control=paragraph(phenomenon.doc, "Control"),
        arms=arms,
        figures=tuple(describe_figure(f) for f in result.figures),
        scale=result.scale,
        scale_note=scale.note if scale else "",
        settings={k: plain(v) for k, v in result.settings.items()},
        seeds=tuple(int(s) for s in result.seeds),
        n_planned=int(result.n_planned),
        n_recorded=len(result.records),
        factors=_factors(phenomenon.condition, planned),
        outcomes=tuple(
            Factor(f.name, "", f.metadata.get("unit", ""), f.metadata.get("doc", ""), ())
            for f in dataclasses.fields(phenomenon.outcome)
        ),
        rules=tuple(dict.fromkeys(v.rule for v in result.verdicts.values() if v.rule)),
        diverged=_trouble(result, planned, "diverged"),
        failed=_trouble(result, planned, "failed"),
        missing=_missing(result, planned),
        provenance=plain(dict(result.provenance)),
        revision=phenomenon.revision,
        command=result.command() if len(result.seeds) else "",
        full_command=result.command("full") if "full" in phenomenon.scales else "",
        sources=tuple(_split(paragraph(phenomenon.doc, "Sources"))),
        differs=paragraph(phenomenon.doc, "Differs"),
        in_practice=paragraph(phenomenon.doc, "In practice"),
    )
    return _fit_to_print(content)


def short_title(line: str) -> str:
    """Return a title of at most `MOST_TITLE_WORDS` words; a longer one is cut.

    >>> short_title("Random labels: a network fits noise.")
    'Random labels: a network fits noise'
    """
    words = line.rstrip(".").split()
    return " ".join(words[:MOST_TITLE_WORDS]) + ("" if len(words) <= MOST_TITLE_WORDS else " …")


def headline(result: StudyResult) -> str:
    """Return one sentence that sums up the verdicts, with a word for an unfinished study."""
    kinds = {arm: v.kind for arm, v in result.verdicts.items()}
    treatment = kinds.pop(TREATMENT, None)
    unlike = [arm for arm, kind in kinds.items() if kind != "absent"]
    if treatment is None:
        sentence = "No verdict yet: the treatment has not been judged."
    elif result.phenomenon.subcommand:  # asked about something of the user's: that is the answer
        sentence = result.verdicts[TREATMENT].reason
    elif treatment == "absent":
        sentence = "Not observed: the treatment does not show the effect that the claim names."
    elif treatment == "inconclusive":
        sentence = "Inconclusive: the treatment does not decide it."
    elif not kinds:
        sentence = "Observed in the treatment; there is no control to compare it with."
    elif not unlike:
        controls = "its control" if len(kinds) == 1 else "its controls"
        sentence = f"Observed, and absent from {controls}."
    elif any(kinds[arm] == "observed" for arm in unlike):
        shown = [arm for arm in unlike if kinds[arm] == "observed"]
        sentence = f"Observed, but the control shows it too ({', '.join(shown)})."
    else:
        sentence = f"Observed; the control is inconclusive ({', '.join(unlike)})."
    if not result.complete:
        done, planned = len(result.records), result.n_planned
        sentence += f" The study is unfinished: {done:,} of {planned:,} cells are recorded."
    return sentence


def _planned(result: StudyResult) -> list[Any]:
    """Return the cells of one seed; those recorded, where the design can no longer be spanned."""
    try:
        return list(result.phenomenon.conditions(result.scale, result.settings))
    except OverparamError:
        return list(dict.fromkeys(r.condition for r in result.records))


def _factors(condition: type, planned: Sequence[Any]) -> tuple[Factor, ...]:
    factors = []
    for field in dataclasses.fields(condition):
        levels = list(dict.fromkeys(getattr(c, field.name) for c in planned))
        if all(isinstance(v, int | float) for v in levels):
            levels = sorted(levels)
        meta = field.metadata
        factors.append(
            Factor(
                field.name,
                meta.get("symbol", ""),
                meta.get("unit", ""),
                meta.get("doc", ""),
                tuple(plain(v) for v in levels),
            )
        )
    return tuple(factors)


def _trouble(result: StudyResult, planned: Sequence[Any], status: str) -> Trouble:
    found = [r for r in result.records if r.status == status]
    names = [
        _cell(r.condition, r.seed, planned) + (f": {r.error}" if r.error else "")
        for r in found[:_MOST_NAMED]
    ]
    return Trouble(len(found), tuple(names))


def _missing(result: StudyResult, planned: Sequence[Any]) -> Trouble:
    there = {(r.condition, r.seed) for r in result.records}
    pairs = itertools.product(result.seeds, planned)
    absent = [(c, s) for s, c in pairs if (c, s) not in there]
    names = [_cell(c, s, planned) for c, s in absent[:_MOST_NAMED]]
    return Trouble(max(result.n_planned - len(result.records), 0), tuple(names))


def _cell(condition: Any, seed: int, planned: Sequence[Any]) -> str:
    """Name a cell by the fields that vary over the design."""
    varying = [
        f.name
        for f in dataclasses.fields(condition)
        if len({getattr(c, f.name) for c in planned}) > 1
    ]
    parts = [f"{name} = {format_number(getattr(condition, name))}" for name in varying]
    return ", ".join([*parts, f"seed {seed}"])


def _fit_to_print(value: Any) -> Any:
    """Return `value` with every text printable: here the words of a study enter its report.

    Figures are data of their own and see to their words themselves.
    """
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {_fit_to_print(k): _fit_to_print(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_fit_to_print, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type | FigureContent):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return type(value)(**{name: _fit_to_print(v) for name, v in fields.items()})
    return value


def _split(sources: str) -> list[str]:
    return [s.strip() for s in sources.split(";") if s.strip()]
