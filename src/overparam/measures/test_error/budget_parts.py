"""Parts of the loss of every row, and how they change as models are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from overparam.measures.skewed_means import hit_and_miss
from overparam.measures.subset_arrays import blocks
from overparam.measures.test_error.budget_arrays import BudgetArrays
from overparam.measures.test_error.ensemble_losses import (
    MOST_LOG_LOSS,
    SMALLEST,
    Losses,
    brier_losses,
    log_losses,
    of_infinitely_many,
    zero_one_losses,
)

LOSSES = {"zero_one": zero_one_losses, "squared": brier_losses, "log": log_losses}
PARTS = ("total", "averaging", "ensemble", "labels", "conflicts", "rest", "at_hand")
_MOST_GROUPS = 20  # of models left out together


@dataclass(frozen=True)
class BudgetSums:
    """Parts of the loss, P of them, and how they change with rows, models and labels.

    Attributes:
        of_row: `[n, P]`. of_model: `[G, P]`, deviations of means over rows as models are left out
            in G groups, scaled so that G/(G - 1) times the sum of their squares is the jackknife's
            variance. cells: `[P]`, the sum of what single rows add to that.
        unseen: `[2, n, P]`, of a hit and of a miss, which the rows may not hold yet.
        weight: `[2, n]`, how probable each is (`hit_and_miss`); 0 where losses are not of
            probabilities.
    """

    of_row: np.ndarray
    of_model: np.ndarray
    cells: np.ndarray
    unseen: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class _Block:
    """Some rows: what is averaged, `[K, rows, classes]`, and what it is held against."""

    values: np.ndarray
    counts: np.ndarray
    losses: Losses
    columns: np.ndarray
    truth: np.ndarray | None
    lowest: np.ndarray
    steps: bool
    votes: bool
    most: float


def budget_sums(held: BudgetArrays, rows: np.ndarray, loss: str, combine: str) -> BudgetSums:
    """Return the parts of these rows' losses."""
    n_models = len(held.counts)
    n_groups = min(n_models, _MOST_GROUPS)
    group = np.arange(n_models) % n_groups
    of_row = np.empty((len(rows), len(PARTS)))
    of_model, cells = np.zeros((n_groups, len(PARTS))), np.zeros(len(PARTS))
    unseen, weight = np.zeros((2, len(rows), len(PARTS))), np.zeros((2, len(rows)))
    lowest = _least_possible(held, rows, loss)
    for place in blocks(len(rows), n_models, 2 * held.width):
        block = _block(held, rows[place], lowest[place], loss, combine)
        whole = _parts(block, group >= 0)
        without = np.stack([_parts(block, group != g) for g in range(n_groups)])
        without = np.where(np.isnan(without), whole, without)
        apart = (without - without.mean(0)) * (n_groups - 1) / n_groups / len(rows)
        of_row[place] = whole
        if loss != "zero_one" and not held.is_real:
            n_said = np.maximum(block.counts.sum(0), 1)[:, None]
            for i, label in enumerate(hit_and_miss(block.values.sum(0) / n_said, SMALLEST)):
                weight[i, place] = label.sum(1)
                unseen[i, place] = _parts(block, group >= 0, label / label.sum(1, keepdims=True))
        of_model += apart.sum(1)
        cells += np.square(apart).sum((0, 1))
    return BudgetSums(of_row, of_model, cells * n_groups / (n_groups - 1), unseen, weight)


def _block(
    held: BudgetArrays, rows: np.ndarray, lowest: np.ndarray, loss: str, combine: str
) -> _Block:
    values, counts = held.read(rows)
    if combine == "vote" and not held.is_labels:
        values = 1 - zero_one_losses(values)
    own = held.targets[rows, None] if held.is_real else None
    return _Block(
        values,
        counts,
        LOSSES[loss] if own is None else lambda means: np.square(means - own),
        held.columns[rows],
        None if held.truth is None else held.truth[rows],
        lowest,
        loss == "zero_one",
        combine == "vote",
        MOST_LOG_LOSS if loss == "log" else np.inf,
    )


def _parts(block: _Block, keep: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Return `[rows, P]`, the parts of each row's loss under some of the models.

    Args:
        label: `[rows, classes]`, how probable each class is to be the label; by default, the row's
            own is.
    """
    values, counts = block.values[keep], block.counts[keep]
    at_hand, endless = of_infinitely_many(
        values, counts, block.losses, steps=block.steps, votes=block.votes, most=block.most
    )
    own = np.eye(endless.shape[1])[block.columns]
    label = own if label is None else label
    single = np.einsum("krc,rc->kr", block.losses(values), label)
    total = np.where(counts, single, 0).sum(0) / np.maximum(counts.sum(0), 1)
    ensemble = (label * endless).sum(1)
    labels = np.zeros(len(own))
    if block.truth is not None:
        labels = ((own - block.truth) * endless).sum(1)
        labels[block.lowest > 0] = 0.0  # a conflict is counted as one
    rest = ensemble - labels - block.lowest
    together = (label * at_hand).sum(1)
    return np.stack([total, total - ensemble, ensemble, labels, block.lowest, rest, together], 1)


def _least_possible(held: BudgetArrays, rows: np.ndarray, loss: str) -> np.ndarray:
    """Return for each row the least mean loss of one answer to its group of equal inputs."""
    groups, n_each = np.unique(held.inputs[rows], return_inverse=True, return_counts=True)[1:]
    if held.is_real:
        y = held.targets[rows]
        mean = np.bincount(groups, y) / n_each
        return (np.bincount(groups, np.square(y - mean[groups])) / n_each)[groups]
    pairs, n_pairs = np.unique(groups * held.width + held.columns[rows], return_counts=True)
    of_group = pairs // held.width
    share = n_pairs / n_each[of_group]
    if loss == "zero_one":
        most = np.zeros(len(n_each))
        np.maximum.at(most, of_group, share)
        return (1 - most)[groups]
    if loss == "squared":
        return (1 - np.bincount(of_group, np.square(share)))[groups]
    return (-np.bincount(of_group, xlogy(share, share)))[groups]
