"""`AuditChange`: two audits of one thing compared: what is new, gone, better or worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from overparam.audits.finding import SEVERITIES, Finding, Measured
from overparam.texts import printable

Kind = Literal["new", "worse", "better", "gone", "moved", "not known", "alike"]
KINDS: Mapping[str, str] = {  # in the order in which they are read
    "new": "New",
    "worse": "Worse",
    "moved": "Other than before",
    "not known": "No longer measured",
    "better": "Better",
    "gone": "Gone",
    "alike": "No clear change",
}
# What two audits should have in common for their numbers to be compared.
_ALIKE = {"name": "model", "task": "task", "rows": "rows", "test_rows": "test rows"}


@dataclass(frozen=True, eq=False)
class Step:
    """How one finding stands now, and stood before.

    Attributes:
        kind: one of `KINDS`. old, new: the findings; None where an audit did not ask.
        difference: new minus old of what is compared, their cost or their number; None where the
            two cannot be compared. sentence: all of it in words.
    """

    code: str
    title: str
    kind: Kind
    old: Finding | None
    new: Finding | None
    difference: Measured | None
    sentence: str


@dataclass(frozen=True, eq=False)
class AuditChange:
    """What changed from an older audit to a newer one.

    Attributes:
        steps: of all that was found in either, by kind and then by code.
        notes: in what the two differ beside what was found, such as their rows.
    """

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Step]:
        """Return the steps of one kind of `KINDS`."""
        return [step for step in self.steps if step.kind == kind]

    @property
    def headline(self) -> str:
        """How many of each kind, in one line."""
        counts = [f"{len(self.of(k))} {words.lower()}" for k, words in KINDS.items() if self.of(k)]
        return ", ".join(counts) or "nothing was found in either audit"

    def __repr__(self) -> str:
        lines = [f"Against the older audit: {self.headline}"]
        lines += [f"  note: {note}" for note in self.notes]
        for kind, words in KINDS.items():
            steps = self.of(kind)
            lines += [f"{words}:"] * bool(steps)
            lines += [f"  {s.code} {s.title}: {s.sentence}" for s in steps]
        return "\n".join(printable(line, one_line=True) for line in lines)


def compare_findings(
    old: Mapping[str, Finding],
    new: Mapping[str, Finding],
    old_about: Mapping[str, Any],
    new_about: Mapping[str, Any],
) -> AuditChange:
    """Return what changed between the findings of two audits.

    The interval of a difference is that of two independent numbers (Zou & Donner 2008): of two
    audits of the same rows it is wider than it would have to be, so a change that it shows is one.

    Args:
        old_about, new_about: what each audit says of its subject and run.
    """
    steps = [
        step
        for code in sorted({*old, *new})
        if (step := _step(code, old.get(code), new.get(code))) is not None
    ]
    ranks = list(KINDS)
    return AuditChange(
        tuple(sorted(steps, key=lambda s: (ranks.index(s.kind), s.code))),
        tuple(_unlike(old_about, new_about)),
    )


def difference_of(old: Measured | None, new: Measured | None) -> Measured | None:
    """Return new minus old with its interval; None where they cannot be compared.

    >>> old, new = Measured(3.0, 2.0, 4.0, "points"), Measured(1.0, 0.5, 1.5, "points")
    >>> str(difference_of(old, new))
    '-2.0 [-3.1, -0.9] points'
    """
    if old is None or new is None or old.unit != new.unit:
        return None
    change = new.value - old.value
    low = change - math.hypot(new.value - new.low, old.high - old.value)
    high = change + math.hypot(new.high - new.value, old.value - old.low)
    return Measured(change, low, high, new.unit) if math.isfinite(change) else None


def _step(code: str, old: Finding | None, new: Finding | None) -> Step | None:
    was, now = (f is not None and f.status == "found" for f in (old, new))
    if not was and not now:
        return None
    by_cost = _difference("cost", old, new)
    difference = by_cost or _difference("measured", old, new)
    clear = difference is not None and not difference.low <= 0 <= difference.high
    title = (new or old).title  # type: ignore[union-attr]  # one of them is there

    def step(kind: Kind, sentence: str) -> Step:
        return Step(code, title, kind, old, new, difference, sentence)

    chance = "" if clear or difference is None else "; the intervals overlap: it may be chance"
    if now and not was:
        before = f"it was {old.status} before" if old else "the older audit did not ask"
        return step("new", f"{before}{_numbers(old, new)}{chance}")
    if was and not now:
        if new is None or new.status not in ("passed", "undecided"):
            said = f"it is {new.status} now" if new else "this audit did not ask"
            return step("not known", f"it was found before, and {said}")
        kind: Kind = "gone" if new.status == "passed" else "alike"
        return step(
            kind, f"it was found before and is {new.status} now{_numbers(old, new)}{chance}"
        )
    return _both(step, old, new, by_cost, clear)


def _difference(name: str, old: Finding | None, new: Finding | None) -> Measured | None:
    return (
        None
        if old is None or new is None
        else difference_of(*(getattr(f, name) for f in (old, new)))
    )


def _both(step: Any, old: Any, new: Any, by_cost: Measured | None, clear: bool) -> Step:
    told = _numbers(old, new)
    if not clear:
        return step("alike", f"found in both{told}")
    if by_cost is not None:
        fell = by_cost.value < 0
        return step("better" if fell else "worse", f"it costs {'less' if fell else 'more'}{told}")
    change = SEVERITIES.index(new.severity) - SEVERITIES.index(old.severity)
    if change:
        severities = f"{old.severity} before, {new.severity} now"
        return step("worse" if change > 0 else "better", f"{severities}{told}")
    return step("moved", f"found in both, its number is another{told}")


def _numbers(old: Finding | None, new: Finding | None) -> str:
    """Return the two numbers that are compared, as the end of a sentence."""
    if old is None or new is None:
        return ""
    both_cost = old.cost is not None and new.cost is not None
    pair = (old.cost, new.cost) if both_cost else (old.measured, new.measured)
    if None in pair:
        return ""
    return f" (before {pair[0]}, now {pair[1]})"


def _unlike(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"the {words} differ: {old[key]} before, {new[key]} now"
        for key, words in _ALIKE.items()
        if key in old and key in new and old[key] != new[key]
    ]
