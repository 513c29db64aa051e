"""Wrong labels planted in a copy of the data, to see how many of them are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from overparam.audits.finding import Measured
from overparam.audits.subject import Subject
from overparam.audits.subset_models import SubsetModels
from overparam.audits.suspects import Suspects
from overparam.data.examples import Examples
from overparam.data.rows import is_sparse
from overparam.measures.baselines import neighbor_disagreement
from overparam.measures.error import wilson_interval
from overparam.streams import Streams

SHARE, _FEWEST = 0.05, 10  # of the labels, planted
FEWEST_ROWS = 100  # that labels are planted in
_MOST_NEIGHBORS = 2e9  # pairs of rows x columns that are looked at for the baseline


@dataclass(frozen=True, eq=False)
class Canaries:
    """Models on a copy of the data in which some labels are wrong.

    Attributes:
        rows: int64, the rows whose labels were changed. examples: the copy. models: trained on it.
    """

    rows: np.ndarray
    examples: Examples
    models: SubsetModels


@dataclass(frozen=True, eq=False)
class Caught:
    """How well planted labels are found, all in percent.

    Attributes:
        recall: of the planted labels, that are doubted. precision: of the labels that are newly
            doubted on the copy, that are planted.
        n_planted, n_flagged: how many were planted, and newly doubted.
        baselines: name to recall, of as many rows looked at in another order.
    """

    recall: Measured
    precision: Measured
    n_planted: int
    n_flagged: int
    baselines: Mapping[str, Measured]


def planted_labels(train: Examples, streams: Streams) -> tuple[np.ndarray, Examples]:
    """Return rows and a copy of the data in which their labels are wrong.

    A class becomes another one that occurs, all alike; numbers change places.
    """
    n = len(train)
    rng = streams.child("canaries").numpy("labels")
    rows = np.sort(rng.permutation(n)[: max(round(SHARE * n), _FEWEST)])
    labels = train.labels.copy()
    if train.classes is None:
        order = rng.permutation(rows)
        labels[order] = labels[np.roll(order, 1)]
    else:
        present = np.unique(labels)
        step = rng.integers(1, len(present), len(rows))
        labels[rows] = present[(np.searchsorted(present, labels[rows]) + step) % len(present)]
    return rows, replace(train, labels=labels)


def caught(
    canaries: Canaries, found: Suspects, known: Suspects, subject: Subject, confidence: float
) -> Caught:
    """Return how many of the planted labels are doubted.

    Args:
        found: doubted on the copy. known: doubted on the data as they are, which may be wrong
            indeed: they count neither for nor against the detector.
    """
    planted = np.setdiff1d(canaries.rows, known.rows)
    new = np.setdiff1d(found.rows, known.rows)
    hit = int(np.isin(new, planted).sum())
    baselines = {}
    if len(new):
        for name, score in _other_orders(canaries, subject).items():
            score[known.rows] = -np.inf
            first = np.argsort(-score, kind="stable")[: len(new)]
            n_hit = int(np.isin(first, planted).sum())
            baselines[name] = _percent(n_hit, len(planted), confidence)
    return Caught(
        _percent(hit, len(planted), confidence),
        _percent(hit, len(new), confidence),
        len(planted),
        len(new),
        baselines,
    )


def _other_orders(canaries: Canaries, subject: Subject) -> dict[str, np.ndarray]:
    """Return what else could order rows: one run's loss, and the nearest neighbours' labels."""
    models = canaries.models
    one = models.in_subset[0]
    loss = (
        -np.asarray(models.ensemble.columns["probability"][0], float)
        if models.has_classes
        else np.asarray(models.loss[0], float)
    )
    orders = {"one run's loss on its own rows": np.where(one, loss, -np.inf)}
    inputs: Any = subject.train.inputs
    if not models.has_classes or not subject.has_numbers or is_sparse(inputs):
        return orders
    values = np.asarray(inputs, float).reshape(len(inputs), -1)
    if float(len(values)) ** 2 * values.shape[1] > _MOST_NEIGHBORS or not np.isfinite(values).all():
        return orders
    spread = values.std(0)
    scaled = values / np.where(spread > 0, spread, 1) if subject.is_table else values
    orders["ten nearest neighbours"] = neighbor_disagreement(scaled, canaries.examples.labels)
    return orders


def _percent(hits: int, n: int, confidence: float) -> Measured:
    if not n:
        return Measured(np.nan, np.nan, np.nan, "%")
    low, high = wilson_interval(hits, n, confidence)
    return Measured(100 * hits / n, 100 * low, 100 * high, "%")
