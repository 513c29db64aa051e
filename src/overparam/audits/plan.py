"""`AuditPlan`: what a budget of time buys, said before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from overparam.audits.evidence import STAGES
from overparam.ensembles.planning import expected_standard_error, in_words

RATIO = 0.7  # share of the rows in a subset
CURVE_RATIOS = (0.09, 0.18, 0.35)  # beside RATIO: each about twice the one before
SHUFFLED_SHARES = (0.2, 1.0)  # of labels that are replaced, two models each
USUAL_MODELS, FEWEST_MODELS = 40, 4  # below the fewest some row has no model that left it out
_REPEATS = (5, 10)  # models of each variant, and at each ratio of the curve
_READY = 0.85  # of the budget: the rest pays for workers to start, for checks and the report


@dataclass(frozen=True)
class Stage:
    """One stage: what is trained, and what that takes.

    Attributes:
        name: of `STAGES`. n_models: that are trained; 0 where the budget does not pay for it.
        seconds: expected, with all workers.
    """

    name: str
    n_models: int
    seconds: float


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
    n_variants: int,
    n_references: int,
    memory_bytes: int = 0,
    most_models: int = USUAL_MODELS,
) -> AuditPlan:
    """Return the stages that a budget pays for, the most telling first.

    One model, then models on subsets, then whatever else fits; with more, more models on subsets
    and more repeats of the rest.

    Args:
        budget: seconds. seconds_per_model: on one core, of a subset of `RATIO` of the rows.
        n_variants, n_references: how many there are to fit; a reference is taken to cost as much
            as a model of the subject's.
        most_models: on subsets, at most.

    >>> plan = plan_audit(600, 1.0, workers=2, n_variants=2, n_references=3)
    >>> plan.models_of("models"), plan.models_of("variants"), plan.seconds <= 600
    (40, 20, True)
    >>> plan_audit(5, 1.0, workers=2, n_variants=2, n_references=3).models_of("variants")
    0
    """
    have = budget * _READY
    one = seconds_per_model / RATIO
    shares = {
        "one": (1, one * workers),
        "models": (FEWEST_MODELS, FEWEST_MODELS * seconds_per_model),
        "variants": (n_variants * _REPEATS[0], n_variants * _REPEATS[0] * seconds_per_model),
        "shuffled": (2 * len(SHUFFLED_SHARES), 2 * len(SHUFFLED_SHARES) * seconds_per_model),
        "curve": _of_curve(_REPEATS[0], seconds_per_model),
        "references": (n_references * _REPEATS[0], n_references * _REPEATS[0] * seconds_per_model),
    }
    stages, left = [], have * workers
    for name, (n, cost) in shares.items():
        paid = cost <= left and n > 0
        stages.append(Stage(name, n if paid else 0, cost / workers if paid else 0.0))
        left -= cost if paid else 0.0
    plan = AuditPlan(budget, workers, seconds_per_model, tuple(stages), memory_bytes)
    if not plan.models_of("models"):
        return plan
    plan, left = _with_more(plan, "models", USUAL_MODELS // 2, left, most_models)
    for name in ("variants", "curve", "references"):
        plan, left = _with_more(plan, name, 2 * plan.models_of(name), left, 2**30)
    return _with_more(plan, "models", most_models, left, most_models)[0]


def _of_curve(repeats: int, seconds_per_model: float) -> tuple[int, float]:
    rows = sum(CURVE_RATIOS) / RATIO
    return len(CURVE_RATIOS) * repeats, repeats * rows * seconds_per_model


def _with_more(
    plan: AuditPlan, name: str, wanted: int, left: float, most: int
) -> tuple[AuditPlan, float]:
    """Return a plan with up to `wanted` models in a stage, and the core-seconds that are left."""
    stage = next(s for s in plan.stages if s.name == name)
    if not stage.n_models:
        return plan, left
    each = stage.seconds * plan.workers / stage.n_models
    n = min(wanted, most, stage.n_models + int(left / max(each, 1e-9)))
    if name != "models":  # all variants alike
        n = wanted if n >= wanted else stage.n_models
    n = max(n, stage.n_models)
    larger = replace(stage, n_models=n, seconds=n * each / plan.workers)
    stages = tuple(larger if s.name == name else s for s in plan.stages)
    return replace(plan, stages=stages), left - (n - stage.n_models) * each
