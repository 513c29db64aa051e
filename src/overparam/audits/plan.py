"""`AuditPlan`: what a budget of time buys, said before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from overparam.audits.evidence import STAGES
from overparam.ensembles.planning import expected_standard_error, in_words

RATIO = 0.7  # share of the rows in a subset
CURVE_RATIOS = (0.09, 0.18, 0.35)  # beside RATIO: each about twice the one before
SHUFFLED_SHARES = (0.2, 1.0)  # of labels that are replaced, two models each
FEWEST_MODELS = 4  # below it some row has no model that left it out
_SOME_MODELS, USUAL_MODELS, MOST_MODELS = 10, 40, 100  # before the rest, with it, and at most
_REPEATS = 5  # models of each variant, and at each ratio of the curve; later once more
_OF_LABELS = 10  # models on mended labels, and on planted ones; later once more
_LAST = "cleaned"  # follows from what all models on subsets say
_KEEPING = 0.03  # seconds: to cut a model's rows, ask it about all rows and keep what it says
_READY = 0.85  # of the budget: the rest pays for checks and the report


@dataclass(frozen=True)
class Stage:
    """One stage: what is trained, and what that takes.

    Attributes:
        name: of `STAGES`. n_models: that are trained; 0 where the budget does not pay for it.
        seconds: expected, with all workers.
        n_first: of the models, those that are trained before later stages have theirs.
    """

    name: str
    n_models: int
    seconds: float
    n_first: int = 0


@dataclass(frozen=True)
class AuditPlan:
    """The stages of an audit.

    Attributes:
        budget: seconds. workers: processes. seconds_per_model: of one model on `RATIO` of the
            rows, on one core. stages: in order. memory_bytes: of all workers.
        standard_error: expected, of the memorization score of a row in doubt.
    """

    budget: float
    workers: int
    seconds_per_model: float
    stages: tuple[Stage, ...]
    memory_bytes: int = 0

    def models_of(self, name: str) -> int:
        """Return how many models a stage trains; 0 where the budget does not pay for it."""
        return next((s.n_models for s in self.stages if s.name == name), 0)

    @property
    def rounds(self) -> tuple[tuple[Stage, ...], ...]:
        """The stages as they are run: some models of each, and then, in their order, the rest.

        So where fits take longer than planned, no stage goes without for the precision of another.
        A stage of the second round has all its models, and the seconds of those that are new.
        """
        some, more = [], []
        for stage in self.stages:
            share = stage.n_first / max(stage.n_models, 1)
            if stage.n_first or not stage.n_models:
                some.append(Stage(stage.name, stage.n_first, stage.seconds * share))
            if stage.n_models > stage.n_first:
                more.append(Stage(stage.name, stage.n_models, stage.seconds * (1 - share)))
        return tuple(some), tuple(more)

    @property
    def seconds(self) -> float:
        """Expected, of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def standard_error(self) -> float:
        """Expected, of the memorization score of a row that half of the models get right."""
        n = self.models_of("models")
        return expected_standard_error(n, RATIO, counted=True) if n else float("nan")

    def lines(self) -> list[str]:
        """Return the plan as lines of a terminal."""
        each = f"{in_words(self.seconds_per_model)} a model, {self.workers} workers"
        told = [f"plan: {in_words(self.seconds)} of {in_words(self.budget)} ({each})"]
        for stage in self.stages:
            what = f"{stage.n_models:>3} x {STAGES[stage.name]}"
            cost = in_words(stage.seconds) if stage.n_models else "the budget does not pay for it"
            told.append(f"  {what:<58} {cost}")
        if self.models_of("models"):
            told.append(f"  standard error of a memorization score up to {self.standard_error:.2g}")
        return told


def plan_audit(
    budget: float,
    seconds_per_model: float,
    *,
    workers: int,
    variants: Sequence[float] = (),
    references: Sequence[float] = (),
    memory_bytes: int = 0,
    spent: float = 0.0,
) -> AuditPlan:
    """Return the stages that a budget pays for, the most telling first.

    Steps are bought in one order, and the first that is too dear ends it: so a larger budget has
    every model of a smaller one. Models on subsets are bought one by one.

    Args:
        budget: seconds. seconds_per_model: on one core, of a subset of `RATIO` of the rows.
        variants, references: what each costs, in models of the subject's.
        spent: seconds of the budget that are gone by now.

    >>> plan = plan_audit(600, 1.0, workers=2, variants=[1.0, 2.0], references=[1.0] * 3)
    >>> plan.models_of("models"), plan.models_of("variants"), plan.seconds <= 600
    (100, 20, True)
    >>> plan_audit(5, 1.0, workers=2, variants=[1.0], references=[1.0]).models_of("variants")
    0
    """
    bought = dict.fromkeys(STAGES, (0, 0.0))
    first = dict.fromkeys(STAGES, 0)
    each = seconds_per_model + _KEEPING
    left = max(budget - spent, 0.0) * _READY * workers / each
    for name, n, cost in _steps(workers, variants, references):
        if n == 0:  # there is nothing of its kind
            continue
        if cost > left:
            break
        left -= cost
        have, paid = bought[name]
        bought[name] = have + n, paid + cost
        if name != _LAST and have + n <= (_SOME_MODELS if name == "models" else n):
            first[name] = have + n
    stages = tuple(
        Stage(name, n, cost * each / workers, first[name]) for name, (n, cost) in bought.items()
    )
    return AuditPlan(budget, workers, seconds_per_model, stages, memory_bytes)


def _steps(
    workers: int, variants: Sequence[float], references: Sequence[float]
) -> Iterator[tuple[str, int, float]]:
    """Yield stages as they are bought: its name, how many models more, what they cost in models."""
    yield "one", 1, workers / RATIO  # the other workers wait for it
    yield "models", FEWEST_MODELS, FEWEST_MODELS
    yield from [("models", 1, 1.0)] * (_SOME_MODELS - FEWEST_MODELS)
    shuffled = 2 * len(SHUFFLED_SHARES)
    curve = _REPEATS * len(CURVE_RATIOS)  # each costs at most as much as on more rows
    for again in (False, True):
        yield "variants", _REPEATS * len(variants), _REPEATS * sum(variants)
        if not again:
            yield "shuffled", shuffled, shuffled
        yield "curve", curve, curve
        yield "references", _REPEATS * len(references), _REPEATS * sum(references)
        yield "cleaned", _OF_LABELS, _OF_LABELS
        yield "canaries", _OF_LABELS, _OF_LABELS
        yield from [("models", 1, 1.0)] * ((USUAL_MODELS - _SOME_MODELS) // 2)
    yield from [("models", 1, 1.0)] * (MOST_MODELS - USUAL_MODELS)
