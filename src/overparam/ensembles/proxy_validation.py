"""`validate_proxies`: which cheap score of memorization can be believed on the user's own data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.checks import check_count, check_range
from overparam.data.examples import as_examples
from overparam.ensembles.create import subset_ensemble
from overparam.ensembles.ensemble import Ensemble
from overparam.ensembles.learners import is_estimator, name_of
from overparam.ensembles.one_run import BASELINES, OneRun, run_once
from overparam.ensembles.planting import Planted, plant
from overparam.ensembles.tasks import with_classes
from overparam.errors import DataError, UsageError
from overparam.lab.machine import find_device
from overparam.lab.runner import DEFAULT_MEMORY_BYTES, Advance
from overparam.measures.agreement import (
    RankAgreement,
    Reliability,
    rank_agreement,
    split_half_reliability,
)
from overparam.measures.clustering import ClusteredRate
from overparam.measures.error import RateEstimate
from overparam.measures.memorization import MemorizationScores, memorization_scores
from overparam.measures.roc import AucEstimate, estimate_auc
from overparam.streams import Streams
from overparam.training.recipe import Recipe

FEWEST_MODELS = 8  # of which each half still has every row in and out
LEAST_RELIABILITY = 0.2  # at the low end; below it the ensemble's scores may be pure noise
_PRINTED = 14


@dataclass(frozen=True)
class ProxyScore:
    """What one score is worth on these data.

    Attributes:
        name: of a proxy, or of a baseline, which looks at the rows alone (`is_baseline`).
        cost: in fits to all rows; 0 for baselines.
        agreement: with the ensemble's memorization scores, on the user's own rows.
        errors_found: share of the planted wrong labels among as many top rows, with interval.
        copies_told: how often a wrong label that stands alone lies above one that has a copy;
            1/2 for a score that does not see that the copy teaches it.
        agrees: whether the low ends of correlation and recall reach what is asked.
    """

    name: str
    is_baseline: bool
    cost: float
    agreement: RankAgreement
    errors_found: RateEstimate
    copies_told: AucEstimate
    agrees: bool


@dataclass(frozen=True, eq=False)
class ProxyValidation:
    """Which cheap scores can be believed on these data.

    Attributes:
        scores: of every proxy and baseline, the best correlation first.
        recommended: the name of the cheapest that agrees; None where none does.
        reason: why, in a sentence with numbers.
        reliability: of the ensemble's own memorization scores on the user's rows: no score can be
            expected to agree with them better than its square root.
        ensemble_cost: in fits to all rows. n_models: in the ensemble.
        reference: memorization of all rows, `[n + copies]`. values: scores of them by name.
        planted: which rows these are.
    """

    scores: tuple[ProxyScore, ...]
    recommended: str | None
    reason: str
    reliability: Reliability
    ensemble_cost: float
    n_models: int
    reference: MemorizationScores
    values: Mapping[str, np.ndarray]
    planted: Planted

    def __getitem__(self, name: str) -> ProxyScore:
        found = {score.name: score for score in self.scores}
        if name not in found:
            raise UsageError("no such score was validated", got=name, allowed=", ".join(found))
        return found[name]

    def __repr__(self) -> str:
        r = self.reliability
        lines = [
            f"Proxies against {self.n_models} models on {int(self.planted.is_own.sum()):,} rows, "
            f"{int(self.planted.is_flipped.sum())} wrong labels planted",
            f"  ensemble   cost {self.ensemble_cost:.3g} fits, split-half reliability "
            f"{_written(r.reliability, r.low, r.high)}",
            f"  {'score':26} {'cost':>5}  {'rank correlation':18} {'errors found':18} copies told",
        ]
        for s in self.scores[:_PRINTED]:
            mark = "*" if s.name == self.recommended else " "
            a, e, c = s.agreement, s.errors_found, s.copies_told
            lines.append(
                f" {mark}{s.name:26} {s.cost:5.2f}  "
                f"{_written(a.spearman, a.spearman_low, a.spearman_high):18} "
                f"{_written(e.rate, e.low, e.high):18} {_written(c.auc, c.low, c.high)}"
            )
        return "\n".join([*lines, f"  {self.reason}"])


def validate_proxies(
    model: Any,
    X: Any,
    y: Any = None,
    n_models: int = 20,
    *,
    recipe: Recipe | None = None,
    n_planted: int | None = None,
    ratio: float = 0.7,
    seed: int = 0,
    least_agreement: float = 0.4,
    least_recall: float = 0.5,
    confidence: float = 0.95,
    folder: str | Path | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    on_progress: Callable[[Advance], None] = lambda advance: None,
) -> ProxyValidation:
    """Return how well cheap scores of one fit say what is memorized, on data of the user's own.

    Wrong labels are planted in a copy of the data, some of them with a twin (`Planted`). A small
    ensemble on subsets of it gives memorization scores; one fit to all rows gives the proxies, and
    the rows themselves the baselines. Each is held against the ensemble on the rows whose labels
    were left alone, and against what was planted.

    Args:
        model: a network with a `recipe`, or an estimator of scikit-learn, as in `subset_ensemble`.
            Of an estimator there are the loss and EL2N of its fit, what follows from its stages
            where it is boosted (`staged_predict_proba`), and the votes out of bag of a forest with
            ``oob_score=True``.
        X, y: as in `subset_ensemble`; n >= 40 rows. The baselines measure distances between the
            numbers as they are given: scale columns first that have units of their own.
        n_models: K >= 8, of the ensemble. ratio: share of the rows in a subset.
        n_planted: wrong labels that stand alone, by default for 5 % of the rows; half as many
            other rows get one with a twin.
        seed: of what is planted, subsets and fits.
        least_agreement: what the low end of the interval of the rank correlation must exceed.
        least_recall: what that of the share of planted errors found must exceed.
        confidence: of all intervals.
        folder: where the ensemble is kept, so that a call that was cut short goes on; workers,
            device, memory_bytes, on_progress: as in `subset_ensemble`.

    Returns:
        A `ProxyValidation`, which prints as a table. Nothing is recommended where no score agrees,
        or where the ensemble's own scores do not repeat themselves from one half of its models to
        the other (they can be pure noise, as of boosted trees): then nothing can be said of
        proxies.

    Raises:
        UsageError: a function ``fit(rows, seed)``, which has labels of its own that none can be
            planted in; a number out of range. Else as `subset_ensemble`.

    Cost: K fits to a share of the rows and one to all; O(n^2 d) of the neighbours.

    >>> import overparam as op
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 200)
    >>> X = rng.normal(size=(200, 4)) + 2 * y[:, None]
    >>> net, recipe = op.models.mlp(4, 64, 2), op.Recipe(epochs=60, momentum=0.9, batch_size=20)
    >>> found = validate_proxies(net, X, y, 8, recipe=recipe, workers=0)
    >>> found["cumulative_loss"].errors_found.n
    10
    """
    _check_numbers(n_models, least_agreement, least_recall)
    if recipe is None and _is_function(model):
        raise UsageError(
            "wrong labels cannot be planted in the data of a fit of one's own",
            got=name_of(model),
            allowed="a network with a recipe, or an estimator of scikit-learn",
            remedy="give recipe=, or write an estimator with fit(X, y) and get_params()",
        )
    examples = with_classes(as_examples(X if y is None else (X, y)))
    planted = plant(examples, n_planted, Streams(seed))
    ensemble = subset_ensemble(
        model, planted.examples, n_models=n_models, ratio=ratio, seed=seed, recipe=recipe,
        folder=folder, workers=workers, device=device, memory_bytes=memory_bytes,
        on_progress=on_progress, one_run=False,
    )  # fmt: skip
    assert isinstance(ensemble, Ensemble)  # of classes
    assert ensemble.setup is not None  # it was made here
    streams = Streams(seed).child("one run")
    labels = planted.examples.labels
    run = run_once(ensemble.setup.learner, labels, streams, torch.device(find_device(device)))
    return _judge(ensemble, planted, run, least_agreement, least_recall, confidence)


def _is_function(model: Any) -> bool:
    known = isinstance(model, nn.Module | type) or is_estimator(model)
    return callable(model) and not known


def _check_numbers(n_models: int, least_agreement: float, least_recall: float) -> None:
    check_count("n_models", n_models, FEWEST_MODELS)
    check_range("least_agreement", least_agreement, 0, 1)
    check_range("least_recall", least_recall, 0, 1)


def _judge(
    ensemble: Ensemble,
    planted: Planted,
    run: OneRun,
    least_agreement: float,
    least_recall: float,
    confidence: float,
) -> ProxyValidation:
    reference = ensemble.memorization_scores(prior=None, confidence=confidence)
    found, own = [], planted.is_own
    for name, values in run.scores.items():
        agreement = rank_agreement(values[own], reference.estimate[own], confidence=confidence)
        recall = _recall(values, planted, confidence)
        copies = estimate_auc(values[~own], planted.is_flipped[~own], confidence)
        agrees = agreement.spearman_low > least_agreement and recall.low > least_recall
        found.append(
            ProxyScore(name, name in BASELINES, run.costs[name], agreement, recall, copies, agrees)
        )
    found.sort(key=lambda s: -np.nan_to_num(s.agreement.spearman, nan=-2.0))
    reliability = _reliability(ensemble, reference, planted.is_own, confidence)
    recommended, reason = _recommend(found, reliability, least_agreement, least_recall)
    cost = ensemble.n_models * float(ensemble.in_subset.mean())
    return ProxyValidation(
        tuple(found), recommended, reason, reliability, cost, ensemble.n_models, reference,
        run.scores, planted,
    )  # fmt: skip


def _recall(values: np.ndarray, planted: Planted, confidence: float) -> RateEstimate:
    """Return the share of errors that stand alone among as many top rows, twins left out."""
    rows = ~planted.is_twin
    wanted = planted.is_flipped[rows].astype(float)
    n = int(wanted.sum())
    share = rank_agreement(values[rows], wanted, top=n / len(wanted), n_bootstrap=100).recall
    level, rate = (1 + confidence) / 2, ClusteredRate(share, n, n, n)
    return RateEstimate(share, rate.low(level), rate.high(level), n, confidence)


def _reliability(
    ensemble: Ensemble, reference: MemorizationScores, rows: np.ndarray, confidence: float
) -> Reliability:
    """Return how far the scores of the rows that were left alone repeat themselves."""
    columns = ensemble.columns
    masks = np.asarray(columns.in_subset)[:, rows]
    counted = reference.method == "counted"
    said = np.asarray(columns["correct" if counted else "margin"])[:, rows]

    def score(models: np.ndarray) -> np.ndarray:
        try:
            given = {"correct" if counted else "margins": said[models]}
            return memorization_scores(masks[models], **given).estimate
        except DataError:  # half of the models are too few for margins of these rows
            return memorization_scores(masks[models], said[models] > 0).estimate

    return split_half_reliability(score, len(masks), confidence=confidence)


def _recommend(
    found: list[ProxyScore], reliability: Reliability, least_agreement: float, least_recall: float
) -> tuple[str | None, str]:
    r = _written(reliability.reliability, reliability.low, reliability.high)
    if not reliability.low > LEAST_RELIABILITY:
        return None, (
            f"The ensemble's own scores may be pure noise (reliability {r}): no proxy can be "
            "judged by them. Train more models, or take a model that memorizes rows."
        )
    agreeing = sorted((s for s in found if s.agrees), key=lambda s: s.cost)
    if not agreeing:
        return None, (
            f"No score agrees: none has a correlation above {least_agreement:g} and finds more "
            f"than {least_recall:g} of the planted errors beyond doubt. Use the ensemble."
        )
    cheapest, best = agreeing[0], agreeing[0]
    for s in agreeing:
        best = s if s.agreement.spearman > best.agreement.spearman else best
    text = f"Cheapest that agrees: {cheapest.name} ({cheapest.cost:.2g} fits)"
    if best is not cheapest:
        text += f"; the closest of them: {best.name} ({best.cost:.2g} fits)"
    return cheapest.name, f"{text}."


def _written(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "not defined"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]" if low == low else f"{value:.2f} (no interval)"
