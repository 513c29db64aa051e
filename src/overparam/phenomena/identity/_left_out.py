"""Networks of a design that have no value: what became of them, and what to set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from overparam.lab.records import Record
from overparam.lab.verdict import Clause, not_in_design, premise, unmeasured

# Squared error per pixel that still counts as a fit, whatever a design asks for; an image of a 7 is
# left with 0.1 by a network that returns nothing, many clothes with 0.07 by their mean.
LOOSEST, LOOSEST_OF_MANY = 1e-3, 0.03
_FITTED = "Every network fits its training images."


@dataclass(frozen=True)
class LeftOut:
    """Which of some planned networks are not judged, and why.

    Attributes:
        n_planned: all networks. reached: squared errors per pixel of those that were trained and
            did not fit their images. n_diverged, n_failed, n_unrun: the others without a value.
        is_lax: whether the design asks for less than what counts as a fit.
        asked: the squared error per pixel asked for. steps: the updates allowed.
        settings: names of the factors that set the two, the updates first; "" where none sets
            the loss.
    """

    n_planned: int = 0
    reached: tuple[float, ...] = ()
    n_diverged: int = 0
    n_failed: int = 0
    n_unrun: int = 0
    is_lax: bool = False
    asked: float = math.nan
    steps: int = 0
    settings: tuple[str, str] = ("max_steps", "target_loss")

    @property
    def n_not_fitted(self) -> int:
        """Networks that were trained and did not reach the loss asked for."""
        return len(self.reached)

    @property
    def n_judged(self) -> int:
        """Networks that have a value."""
        return self.n_planned - len(self.reached) - self.n_diverged - self.n_failed - self.n_unrun

    def __add__(self, other: LeftOut) -> LeftOut:
        told = self if self.reached or not other.reached else other
        return LeftOut(
            self.n_planned + other.n_planned,
            self.reached + other.reached,
            self.n_diverged + other.n_diverged,
            self.n_failed + other.n_failed,
            self.n_unrun + other.n_unrun,
            self.is_lax or other.is_lax,
            told.asked,
            told.steps,
            told.settings,
        )

    def __str__(self) -> str:
        """A sentence about those that are left out, or that there are none."""
        if not self.n_planned:
            return ""
        others = {"diverged": self.n_diverged, "failed": self.n_failed, "not run": self.n_unrun}
        parts = [f"{n} {what}" for what, n in others.items() if n]
        if self.reached:
            parts.insert(0, f"{self.n_not_fitted} did not fit ({self.remedy})")
        if not parts:
            return _FITTED
        return f"Left out of {self.n_planned} networks: {', '.join(parts)}."

    @property
    def remedy(self) -> str:
        """What those that did not fit have reached, and what to set."""
        steps, loss = self.settings
        allow = f"set {steps} above {self.steps:,}"
        finite = [value for value in self.reached if math.isfinite(value)]
        if not finite:
            return f"no finite squared error was reached; {allow}"
        span = " to ".join(dict.fromkeys(f"{v:.2g}" for v in (min(finite), max(finite))))
        reached = f"squared error {span} per pixel reached"
        if not loss:
            return f"{reached}; {allow}"
        enough = max(finite)  # to ask for no less, where that is still a fit
        looser = f", or {loss} to {_no_less(enough)}" if enough <= _loosest(self.settings) else ""
        return f"{reached}, {self.asked:.2g} asked for; {allow}{looser}"


def left_out_of(records: Sequence[Record]) -> LeftOut:
    """Return what became of networks whose outcomes say whether they `learned`.

    Args:
        records: one of every planned cell; conditions are `TrainingFactors` or name the same.
    """
    unfit = [r for r in records if r.is_measured and not r.outcome.learned]
    found = LeftOut(
        n_planned=len(records),
        reached=tuple(float(r.outcome.train_loss) for r in unfit),
        n_diverged=_count(records, "diverged"),
        n_failed=_count(records, "failed"),
        n_unrun=_count(records, "unrun"),
        is_lax=any(_is_lax(r.condition) for r in records),
    )
    return _with_limits(found, unfit[0].condition) if unfit else found


def tell(by_name: Mapping[str, LeftOut]) -> str:
    """Return what is left out of each of several arms, or that nothing is.

    >>> tell({"deeper": LeftOut(3), "wider": LeftOut(3, n_failed=1)})
    'wider: left out of 3 networks: 1 failed.'
    """
    said = [f"{name}: l{str(n)[1:]}" for name, n in by_name.items() if n.n_judged < n.n_planned]
    return " ".join(said) or _FITTED


def unfitted(*some: LeftOut) -> list[Clause]:
    """Return the premise that networks fit their training images; none where nobody failed to.

    A network that does not fit refutes nothing, and of an arm that rests on it nothing is said.
    So too where it is asked for so little that any network fits.
    """
    found = reduce(add, some, LeftOut())
    if found.is_lax:
        return [not_in_design("networks that fit their training images")]
    if not found.reached:
        return []
    why = f"{found.n_not_fitted} of {found.n_planned} do not: {found.remedy}"
    return [premise(unmeasured("networks fit their training images", why))]


def has_value(record: Record) -> bool:
    """Whether a network was measured and has fitted its training images."""
    return record.is_measured and bool(record.outcome.learned)


def _is_lax(condition: Any) -> bool:
    settings = getattr(condition, "limits", LeftOut.settings)
    return bool(settings[1]) and getattr(condition, settings[1], 0.0) > _loosest(settings)


def _loosest(settings: tuple[str, str]) -> float:
    return LOOSEST if settings == LeftOut.settings else LOOSEST_OF_MANY


def _with_limits(found: LeftOut, condition: Any) -> LeftOut:
    steps, loss = settings = getattr(condition, "limits", LeftOut.settings)
    return replace(
        found,
        steps=getattr(condition, steps),
        asked=getattr(condition, loss) if loss else math.nan,
        settings=settings,
    )


def _count(records: Sequence[Record], status: str) -> int:
    return sum(r.status == status for r in records)


def _no_less(value: float) -> str:
    """Return a value in two digits, rounded up.

    >>> _no_less(5.01e-6)
    '5.1e-06'
    """
    text = f"{value:.1e}"
    if float(text) >= value:
        return text
    return f"{float(text) + 10.0 ** (math.floor(math.log10(value)) - 1):.1e}"
