"""Which training rows decide over which test rows, and whether the two are relatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.measures import influence_matrix, influence_scores
from overparam.phenomena.memorization._subpopulations import World
from overparam.streams import Streams

DECIDED = 0.5  # influence of a pair, from which on the training row decides over the test row
MEMORIZED = 0.25  # score of a pair's training row, as published
N_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Pairs:
    """Influence of training rows on test rows.

    Attributes:
        on_relatives: `[n]`, of each row on the test rows of its subpopulation, their mean.
        n: pairs of high influence. n_by_chance: expected if no row had any.
        likeness: share of the pairs that are of one subpopulation; NaN where there are none.
        images: `[N_SHOWN, 3, side, side]`, the strongest pairs of training rows that differ: the
            training row, the test row, and another training row of the test row's class, for
            comparison. influence: `[N_SHOWN]`. NaN where there are fewer pairs.
    """

    on_relatives: np.ndarray
    n: int
    n_by_chance: float
    likeness: float
    images: np.ndarray
    influence: np.ndarray


def find_pairs(
    world: World,
    subsets: np.ndarray,
    test_correct: np.ndarray,
    scores: np.ndarray,
    streams: Streams,
) -> Pairs:
    """Return what members say of the influence of single rows.

    Args:
        subsets: bool `[K, n]`. test_correct: bool `[K, m]`. scores: of memorization, `[n]`.
    """
    found = influence_scores(
        subsets,
        test_correct,
        memorization=scores,
        threshold=DECIDED,
        memorization_threshold=MEMORIZED,
    )
    is_relative = world.train_of[:, None] == world.test_of
    on_relatives = np.where(is_relative, influence_matrix(subsets, test_correct), 0).sum(1)
    are_alike = is_relative[found.train, found.test]
    _, first = np.unique(found.train, return_index=True)
    shown = np.sort(first)[:N_SHOWN]
    influence = np.full(N_SHOWN, np.nan)
    influence[: len(shown)] = found.influence[shown]
    return Pairs(
        on_relatives / is_relative.sum(1),
        found.n_above,
        found.n_by_chance,
        float(are_alike.mean()) if len(are_alike) else float("nan"),
        _images(world, found.train[shown], found.test[shown], streams.numpy("compared")),
        influence,
    )


def _images(
    world: World, train: np.ndarray, test: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    images = np.full((N_SHOWN, 3, *world.train_set.input_shape), np.nan, np.float32)
    inputs, labels = world.train_set.inputs.numpy(), world.train_set.labels.numpy()
    test_inputs, test_labels = world.test_set.inputs.numpy(), world.test_set.labels.numpy()
    for k, (i, j) in enumerate(zip(train, test, strict=True)):
        images[k, :2] = inputs[i], test_inputs[j]
        others = np.flatnonzero((labels == test_labels[j]) & (world.train_of != world.test_of[j]))
        if len(others):
            images[k, 2] = inputs[rng.choice(others)]
    return images
