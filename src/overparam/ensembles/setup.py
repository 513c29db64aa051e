"""`Setup`: all that an ensemble is made from, and the study that it becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam.data.subsets import draw_subsets
from overparam.ensembles.learners import Learner
from overparam.ensembles.member import WHOLE, Member, MemberOutcome, MemberRun, packed_subsets
from overparam.ensembles.target_member import TargetOutcome, TargetRun
from overparam.errors import StoreError
from overparam.lab.phenomenon import Phenomenon, Scale
from overparam.lab.same_study import refuse_edited
from overparam.lab.store import Store
from overparam.measures.memorization import FEWEST_ROWS
from overparam.streams import Streams

NAME = "subset_ensemble"
ABOUT = "ensemble"  # under which a study keeps what it is the ensemble of
EVALUATED = "set of evaluated rows"  # in the identity
_SESSION = "model"  # under which a study knows code that is in no file
_DOC = """Models trained on random subsets of one data set.

Claim: none. An ensemble is asked what its members say of rows that they saw, and never saw.
"""


class WhatItIsOf(NamedTuple):
    """What decides what members say, as it was at one moment.

    Attributes:
        identity: what decides the members' outcomes, name to digest; see `overparam.ensembles`.
        loads: the user's files that the model is made by, under a name. code: what it is made by
            that is in a notebook or in the running script, with digests. parts: functions and
            classes that it is made by, by name.
    """

    identity: Mapping[str, str]
    loads: Mapping[str, Sequence[Path]]
    code: Mapping[str, str]
    parts: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Setup:
    """What members are made from.

    Attributes:
        learner: what is fitted. model: what to call it.
        labels: int64 `[n]`, positions in `classes`, which are labels as they were given; or
            float64 `[n]`, targets, where classes is None.
        test_labels: `[m]` of the evaluated rows, or None.
        ratios: shares of rows in a subset, each with as many members. seed: of all streams.
        groups, strata: what stays together, and what subsets have their share of; or None.
        left_out: int64, rows that are in no subset. keep: what is kept on request.
        now: tells what it is of as that is now: it holds the data and the model as they were given,
            which can be changed in place. of: what it was of.
        findings: what is amiss with the data. notes: how they were read.
        one_run: whether a run on all rows is wanted.
    """

    learner: Learner
    model: str
    labels: np.ndarray
    classes: Sequence[Any] | None
    test_labels: np.ndarray | None
    ratios: tuple[float, ...]
    seed: int
    groups: Any
    strata: Any
    left_out: np.ndarray
    keep: tuple[str, ...]
    now: Callable[[], WhatItIsOf]
    of: WhatItIsOf
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    one_run: bool = True

    def masks(self, n_models: int, ratio: float) -> np.ndarray:
        """Return the subsets of the members at one ratio, bool `[K, n]`; see `draw_subsets`."""
        streams = Streams(self.seed).child(f"ratio {ratio!r}")
        rows = np.delete(np.arange(len(self.labels)), self.left_out)
        drawn = np.zeros((n_models, len(self.labels)), bool)
        drawn[:, rows] = draw_subsets(
            n_models, len(rows), ratio, streams,
            classes=_of(rows, self.strata), groups=_of(rows, self.groups),
        )  # fmt: skip
        return drawn

    def study(self, n_models: int, *, first: int = 0) -> Phenomenon:
        """Return the study of the members `first` to `n_models` - 1 at each ratio.

        Its cells are those of a smaller ensemble and more; its units are cut from the first member
        on. So an ensemble is extended by running a larger study in the same folder. With the first
        member comes the run on all rows, if there is one.
        """
        masks = {r: packed_subsets(self.masks(n_models, r)) for r in self.ratios}
        cells = MemberCells(range(first, n_models), self.ratios, self.has_run and first == 0)
        stack = self.learner.stack_size
        loads, parts = self.of.loads, self.of.parts
        run, outcome = self._run(masks), kind_of_outcome(self.classes)
        return study_of(run, cells, self.digest, stack, lambda condition: loads, parts, outcome)

    def _run(self, masks: Mapping[float, np.ndarray]) -> MemberRun | TargetRun:
        tested = self.test_labels
        if self.classes is None:
            n_test = 0 if tested is None else len(tested)
            return TargetRun(self.learner, self.labels, n_test, masks, self.keep)
        n_classes = len(self.classes)
        return MemberRun(self.learner, self.labels, tested, n_classes, masks, self.keep)

    @property
    def has_run(self) -> bool:
        """Whether one network is trained on all rows too, of which scores get their prior."""
        wanted = self.one_run and self.classes is not None and self.learner.is_traced
        return wanted and len(self.labels) >= FEWEST_ROWS

    def run_alone(self) -> Phenomenon:
        """Return the study of nothing but the run on all rows."""
        alone = replace(self, test_labels=None, keep=())
        return study_of(
            alone._run({}), MemberCells(range(0), self.ratios, with_run=True), self.digest
        )

    @property
    def identity(self) -> Mapping[str, str]:
        """What decides the members' outcomes, name to digest."""
        return self.of.identity

    @property
    def digest(self) -> str:
        """What is in every member's key: 16 hex digits of all of `identity`."""
        text = repr(sorted(self.identity.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def about(self) -> dict[str, Any]:
        """What a study keeps, so that it can be read without the data and the model."""
        return {
            "model": self.model,
            **about_labels(self.labels, self.classes, self.test_labels),
            "keep": list(self.keep),
            "left_out": self.left_out.tolist(),
            "findings": list(self.findings),
            "notes": list(self.notes),
            "identity": dict(self.identity),
        }

    def claim(self, store: Store, *, accept_edits: bool = False) -> None:
        """Keep in a study what it is the ensemble of, or refuse one of another's.

        Raises:
            StoreError: the study's members are of other data, another model or other settings, or
                of code that was edited since, which is not accepted.
        """
        if self.of.code:
            store.check_code({_SESSION: self.of.code}, accept=accept_edits)
        known = store.get(ABOUT)
        if known is None:
            store.set(ABOUT, self.about)
            return
        _refuse_another(
            known.get("identity", {}) if isinstance(known, dict) else {},
            self.identity,
            f"the ensemble in {store.folder} is of another",
            "give what it was made with, choose another folder, or start anew with fresh=True "
            "(--fresh)",
        )

    def unchanged(self, before: WhatItIsOf, folder: Path, *, accept_edits: bool = False) -> Setup:
        """Return this setup, with code that was edited where that is accepted, or refuse a change.

        Args:
            before: what it was of when members were made last. What fits change themselves, such
                as a memory of what was computed, is no change.

        Raises:
            StoreError: data, model or settings were changed since, or code, which is not accepted.
        """
        now = self.now()
        _refuse_another(
            before.identity,
            now.identity,
            "what the ensemble was made of was changed since, and more members would be of another",
            "undo the change; or make another ensemble, with subset_ensemble(...)",
        )
        if accept_edits:
            return replace(self, of=now._replace(identity=self.identity))
        refuse_edited(folder, {_SESSION: before.code}, {_SESSION: now.code})
        return self


def _refuse_another(
    before: Mapping[str, str], now: Mapping[str, str], what: str, remedy: str
) -> None:
    """Refuse an identity that is another in anything, with what that is."""
    differs = [name for name in now if before.get(name) != now[name]]
    if differs:
        raise StoreError(
            f"{what} {' and another '.join(differs)}",
            got="; ".join(f"{name} {now[name]}" for name in differs),
            allowed="; ".join(f"{name} {before.get(name, 'none')}" for name in differs),
            remedy=remedy,
        )


def study_of(
    run: Any = None,
    cells: Any = None,
    digest: str = "",
    stack_size: int = 1,
    loads: Callable[[Any], Mapping[str, Sequence[Path]]] = lambda condition: {},
    parts: Mapping[str, Any] | None = None,
    outcome: type = MemberOutcome,
) -> Phenomenon:
    """Return the study of an ensemble, which makes no claim; without `run` it can only be read."""
    return Phenomenon(
        doc=_DOC,
        condition=Member,
        outcome=outcome,
        cells=cells or _nothing,
        run=run or _nothing,
        summarise=_nothing,
        verdict=None,
        figures=_nothing,
        scales={"standard": Scale(Member(ensemble=digest), n_seeds=1)},
        stack_by=("ratio",),
        stack_size=stack_size,
        loads=loads,
        parts=parts or {},
        name=NAME,
    )


def about_labels(
    labels: np.ndarray, classes: Sequence[Any] | None, test_labels: np.ndarray | None
) -> dict[str, Any]:
    """Return what a study keeps of labels, arguments as the attributes of `Setup`."""
    return {
        "labels": labels.tolist(),
        "classes": None if classes is None else [_plain(c) for c in classes],
        "test_labels": None if test_labels is None else test_labels.tolist(),
    }


def kind_of_outcome(classes: Sequence[Any] | None) -> type:
    """Return what members say where labels are of these classes, or are targets."""
    return TargetOutcome if classes is None else MemberOutcome


@dataclass(frozen=True)
class MemberCells:
    """The design: as many members at each ratio, and perhaps the run on all rows."""

    numbers: range
    ratios: tuple[float, ...]
    with_run: bool = False

    def __call__(self, base: Member) -> list[Member]:
        """Return all members, and the run."""
        members = [Member(k, r, base.ensemble) for r in self.ratios for k in self.numbers]
        return [*members, *([Member(0, WHOLE, base.ensemble)] if self.with_run else [])]


def _of(rows: np.ndarray, values: Any) -> Any:
    """Return the values of some rows; of what does not fit the rows all, to be refused."""
    if values is None or len(every := list(values)) <= rows.max():
        return values
    return [every[row] for row in rows]


def _nothing(*_: Any) -> Any:
    return ()


def _plain(value: Any) -> Any:
    item = value.item() if hasattr(value, "item") else value
    return item if isinstance(item, bool | int | float | str) else str(item)
