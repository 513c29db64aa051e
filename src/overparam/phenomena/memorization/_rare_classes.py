"""Rows with a long tail: half of the classes have many rows, the other half few.

And networks on such rows by their records: cells with the outcomes ``correct``, ``in_subset`` and
``is_rare``, `[n]` each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from overparam.data import Dataset, Examples, as_examples
from overparam.errors import UsageError
from overparam.lab.records import Records
from overparam.measures import memorization_scores
from overparam.phenomena.memorization._row_members import load_pooled
from overparam.streams import Streams

FEWEST = 4  # models of a seed: rows in and out


@dataclass(frozen=True, eq=False)
class RareClasses:
    """Rows of frequent and of rare classes.

    Attributes:
        train_set: n rows. test_set: of all classes alike. is_rare, test_is_rare: bool, whether a
            row is of a rare class.
    """

    train_set: Dataset
    test_set: Dataset
    is_rare: np.ndarray
    test_is_rare: np.ndarray

    @cached_property
    def examples(self) -> Examples:
        """The training set as estimators take it, the same object for all cells of a seed."""
        return as_examples(self.train_set)


@lru_cache(maxsize=2)  # one copy for all cells of a seed
def draw_rare_classes(
    dataset: str, pool: int, n_frequent: int, n_rare: int, streams: Streams
) -> RareClasses:
    """Draw which half of the classes is rare, and the rows of every class.

    Args:
        n_frequent, n_rare: rows of each class of either kind.

    Raises:
        UsageError: a class has not so many rows.
    """
    everything, test_set = load_pooled(dataset, pool)
    rng, n_classes = streams.numpy("rare classes"), everything.n_outputs
    rare = np.zeros(n_classes, dtype=bool)
    rare[rng.permutation(n_classes)[: n_classes // 2]] = True
    order = rng.permutation(len(everything))
    labels = everything.labels.numpy()[order]
    chosen = []
    for k, is_rare in enumerate(rare):
        found, n = order[labels == k], n_rare if is_rare else n_frequent
        if len(found) < n:
            raise UsageError(
                f"a class of {dataset} has fewer rows",
                got=f"{n} rows of class {k}",
                allowed=f"up to {len(found)}",
                remedy="set n_frequent and n_rare lower, or dataset to a larger one",
            )
        chosen.append(found[:n])
    train_set = everything.subset(torch.from_numpy(np.concatenate(chosen)), "[rare classes]")
    return RareClasses(
        train_set, test_set, rare[train_set.labels.numpy()], rare[test_set.labels.numpy()]
    )


def rare_memorization(level: Records, seeds: list[int]) -> np.ndarray:
    """Return the mean memorization score of rows of rare classes, `[seeds]`.

    NaN where the models of a seed are few, or one of them was not measured.
    """
    return np.array([_of_seed(level, seed) for seed in seeds])


def _of_seed(level: Records, seed: int) -> float:
    models = level.where(lambda r: r.seed == seed)
    if len(models) < FEWEST or len(models.measured) < len(models):
        return float("nan")
    outcomes = [r.outcome for r in models]
    rare = np.asarray(outcomes[0].is_rare, bool)
    in_subset = np.array([o.in_subset for o in outcomes], bool)[:, rare]
    if not (in_subset.any(0) & ~in_subset.all(0)).any():
        return float("nan")
    correct = np.array([o.correct for o in outcomes], bool)[:, rare]
    return float(np.nanmean(memorization_scores(in_subset, correct.astype(float)).estimate))
