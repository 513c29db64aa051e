"""The stages: what is trained for an audit, each kept as it ends, within the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from overparam.audits.canaries import FEWEST_ROWS, Canaries, planted_labels
from overparam.audits.evidence import STAGES, Evidence, Missing
from overparam.audits.finding import Status
from overparam.audits.one_in_worker import fit_one_in
from overparam.audits.plan import CURVE_RATIOS, RATIO, SHUFFLED_SHARES, AuditPlan, Stage
from overparam.audits.subject import Subject
from overparam.audits.subset_models import SubsetModels
from overparam.audits.variants import Variant
from overparam.data.examples import Examples
from overparam.ensembles.create import subset_ensemble
from overparam.ensembles.planning import in_words
from overparam.ensembles.setup import Setup
from overparam.errors import OverparamError
from overparam.lab.pool import Pool
from overparam.lab.runner import DEFAULT_MEMORY_BYTES
from overparam.streams import Streams

_LATE = 1.25  # a stage is begun while it is expected to take at most so much of what is left
_LONGEST, _PATIENCE = 4.0, 20.0  # times what is expected, or seconds, at which a stage is ended


@dataclass(frozen=True)
class Stand:
    """How far an audit is, for whoever shows it.

    Attributes:
        stage: its name in `STAGES`. done, of: models of it. seconds_left: of the budget.
    """

    stage: str
    done: int
    of: int
    seconds_left: float


@dataclass(frozen=True)
class Machine:
    """How models are trained, which changes nothing of what they say.

    Attributes:
        folder: under which every stage keeps its models. pool: the workers of all stages.
        device, memory_bytes: as of `subset_ensemble`.
        on_progress: is told how far it is. begun: when the audit began.
    """

    folder: Path
    pool: Pool
    device: str = "auto"
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    on_progress: Callable[[Stand], None] = lambda stand: None
    accept_edits: bool = False
    begun: float = field(default_factory=time.monotonic)


class Stages:
    """Trains what a plan says and puts it into evidence.

    Args:
        evidence: which is filled. plan: what the budget pays for. machine: how. setup: of the
            recipe on the subject's rows.
        variants, references: that are fitted beside the subject's recipe.
    """

    def __init__(
        self,
        evidence: Evidence,
        plan: AuditPlan,
        machine: Machine,
        setup: Setup,
        variants: tuple[Variant, ...] = (),
        references: tuple[Variant, ...] = (),
    ) -> None:
        self._evidence, self._plan, self._machine, self._setup = evidence, plan, machine, setup
        self._others = {"variants": variants, "references": references}

    def run(self, names: Collection[str] = tuple(STAGES)) -> None:
        """Run stages, in order; one that fails, or that comes too late, is said and left."""
        measures: dict[str, Callable[[int], Any]] = {
            "one": lambda n: fit_one_in(self._machine.pool, self._setup, self._subject),
            "models": self._models,
            "variants": lambda n: self._fit_others("variants", n),
            "shuffled": self._shuffled,
            "curve": self._curve,
            "references": lambda n: self._fit_others("references", n),
            "cleaned": self._cleaned,
            "canaries": self._canaries,
        }
        some, more = self._plan.rounds
        for stage in some:
            if stage.name in names and self._is_begun(stage):
                self._measure(stage, measures[stage.name])
        begun = {stage.name for stage in some}
        for stage in more:  # of what the first round could measure
            is_lost = stage.name in begun and not self._evidence.has(stage.name)
            if stage.name in names and not is_lost and self._is_begun(stage):
                self._measure(stage, measures[stage.name])

    def _measure(self, stage: Stage, measure: Callable[[int], Any]) -> None:
        """Put what a stage measures into evidence; of what is there already, more."""
        name, end = stage.name, self._end_of(stage)
        self._machine.pool.deadline = end
        self._tell(name, 0, stage.n_models)
        try:
            self._evidence.put(name, measure(stage.n_models))
        except Missing as missing:  # another part, of which this one follows
            self._evidence.lack(name, missing.status, missing.reason)
        except OverparamError as error:
            if not self._evidence.has(name):
                is_over = time.monotonic() >= end
                status: Status = "skipped" if is_over else "failed"
                self._evidence.lack(name, status, f"{STAGES[name]}: {error}")

    def _end_of(self, stage: Stage) -> float:
        """Return when a stage is ended, whatever it does.

        It may take all the time that later stages are not expected to need, and in any case some
        times what it is expected to take; the one model, from which others are planned, has all.
        """
        end = self._machine.begun + self._plan.budget
        if stage.name == "one":
            return end
        steps = [step for stages in self._plan.rounds for step in stages]
        free = end - sum(step.seconds for step in steps[steps.index(stage) + 1 :])
        return min(end, max(free, time.monotonic() + max(_LONGEST * stage.seconds, _PATIENCE)))

    @property
    def plan(self) -> AuditPlan:
        """What the budget pays for."""
        return self._plan

    @property
    def _subject(self) -> Subject:
        return self._evidence.subject

    @property
    def _left(self) -> float:
        return self._plan.budget - (time.monotonic() - self._machine.begun)

    def _is_begun(self, stage: Stage) -> bool:
        """Whether a stage is worth beginning; if not, evidence says why it is lacking."""
        name, why_not = stage.name, self._why_not(stage.name)
        if why_not:
            self._evidence.lack(name, "not applicable", why_not)
            return False
        if stage.n_models and stage.seconds <= max(self._left, 0.0) * _LATE:
            return True
        if self._evidence.has(name):  # it has what the first round trained
            return False
        why = (
            "what came before took longer than planned, so that no time is left; try more --budget"
        )
        if not stage.n_models:
            wanted = 2 * self._plan.budget + stage.seconds
            why = f"the budget of {in_words(self._plan.budget)} does not pay for it; "
            why += f"try --budget '{max(round(wanted / 60), 1)} min'"
        self._evidence.lack(name, "skipped", f"{STAGES[name]}: {why}")
        return False

    def _why_not(self, name: str) -> str:
        """Return why a stage does not apply to the subject; "" where it does."""
        if name in self._others and not self._others[name]:
            return _NO_OTHERS[name]
        if name in ("shuffled", "canaries") and self._subject.kind == "function":
            return "fit(rows, seed) holds its labels itself, so others cannot be given to it"
        return ""

    def _models(self, n: int) -> SubsetModels:
        return self._fit("models", self._own(), n)

    def _curve(self, n: int) -> SubsetModels:
        repeats = max(n // len(CURVE_RATIOS), 2)
        return self._fit("curve", self._own(), repeats, ratio=CURVE_RATIOS)

    def _shuffled(self, n: int) -> tuple[tuple[float, SubsetModels], ...]:
        each = max(n // len(SHUFFLED_SHARES), 2)
        return tuple(
            (
                share,
                self._fit(
                    f"shuffled-{share:g}", self._own(), each, data=self._with_wrong_labels(share)
                ),
            )
            for share in SHUFFLED_SHARES
        )

    def _cleaned(self, n: int) -> SubsetModels:
        suspects, subject = self._evidence.suspects, self._subject
        rows = suspects.rows
        if not len(rows):
            raise Missing("not applicable", "no label is doubted, so there is none to mend")
        # Other rows are other data: each choice of rows has models of its own.
        folder = f"cleaned-{sha256(rows.tobytes() + suspects.suggested.tobytes()).hexdigest()[:12]}"
        if not subject.has_classes or subject.kind == "function":
            return self._fit(folder, self._own(), n, leave_out=rows)
        labels = subject.train.labels.copy()
        labels[rows] = suspects.suggested
        return self._fit(folder, self._own(), n, data=replace(subject.train, labels=labels))

    def _canaries(self, n: int) -> Canaries:
        if self._subject.n_rows < FEWEST_ROWS:
            raise Missing("skipped", f"fewer than {FEWEST_ROWS} rows to plant wrong labels in")
        rows, copy = planted_labels(self._subject.train, Streams(self._evidence.seed))
        return Canaries(rows, copy, self._fit("canaries", self._own(), n, data=copy))

    def _fit_others(self, name: str, n: int) -> tuple[tuple[Variant, SubsetModels], ...]:
        others = self._others[name]
        each = max(n // len(others), 2)
        found: list[tuple[Variant, SubsetModels]] = []
        failed: list[OverparamError] = []
        for variant in others:
            try:
                found.append((variant, self._fit(variant.folder, variant, each)))
            except OverparamError as error:  # the others are worth as much without it
                failed.append(error)
                self._evidence.notes.append(f"{variant.name} could not be measured: {error}")
        if not found:
            raise failed[0]
        return tuple(found)

    def _own(self) -> Variant:
        subject = self._subject
        return Variant(subject.name, "bigger", "", subject.model, subject.recipe, subject.arguments)

    def _fit(
        self,
        folder: str,
        variant: Variant,
        n_models: int,
        *,
        data: Examples | None = None,
        ratio: Any = RATIO,
        leave_out: np.ndarray | None = None,
    ) -> SubsetModels:
        """Train models of a variant, or go on with those that a folder holds."""
        subject, machine = self._subject, self._machine
        stage = folder.partition("-")[0]
        name = stage if stage in STAGES else "variants"
        ensemble = subset_ensemble(
            variant.model,
            subject.train if data is None else data,
            n_models=n_models,
            ratio=ratio,
            seed=self._evidence.seed,
            recipe=variant.recipe,
            groups=self._evidence.groups,
            leave_out=leave_out,
            evaluate=subject.test,
            arguments=variant.arguments,
            one_run=folder == "models",  # of whose losses the scores have their prior
            folder=machine.folder / folder,
            pool=machine.pool,
            device=machine.device,
            memory_bytes=machine.memory_bytes,
            accept_edits=machine.accept_edits,
            on_progress=lambda a: self._tell(name, a.cells_done, a.cells),
        )
        lost = [r for r in ensemble.records if not r.is_measured]
        if lost:
            self._evidence.notes.append(
                f"{STAGES[name]}: {len(lost)} of {len(ensemble.records)} ({variant.name}) did not "
                f"end well: {lost[0].error or lost[0].status}"
            )
        return SubsetModels(subject, ensemble)

    def _with_wrong_labels(self, share: float) -> Examples:
        """Return the training rows, with labels that a share of the rows got at random.

        All labels are shuffled. Where only some are replaced, each becomes another class; or the
        target of another of these rows.
        """
        train = self._subject.train
        rng = Streams(self._evidence.seed).child(f"shuffled {share:g}").numpy("labels")
        rows = rng.permutation(len(train))[: round(share * len(train))]
        labels = train.labels.copy()
        if share < 1 and train.classes is not None:
            others = rng.integers(1, len(train.classes), len(rows))
            labels[rows] = (labels[rows] + others) % len(train.classes)
        else:
            labels[rows] = labels[rng.permutation(rows)]
        return replace(train, labels=labels)

    def _tell(self, name: str, done: int, of: int) -> None:
        self._machine.on_progress(Stand(name, done, of, self._left))


_NO_OTHERS = {
    "variants": "no knob of its capacity is known; name one with capacity= (--capacity)",
    "references": "no reference model fits these inputs",
}
