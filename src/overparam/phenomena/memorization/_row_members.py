"""Members of a subset ensemble on rows of which some labels are flipped, and their scores.

What phenomena of single rows share: the rows (which are flipped, and how many of a row's neighbours
have its label), the subset of every member, and memorization scores from the records of members.
Records are those of cells with `MemberFactors` and `MemberOutcome`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from overparam.data import Dataset, corrupt_labels_wrong, draw_subset, is_corrupted, load
from overparam.data.entries import entry_of
from overparam.data.preprocess import standardise
from overparam.data.subsets import draw_subsets
from overparam.lab.phenomenon import factor, quantity
from overparam.lab.records import Record
from overparam.measures import error_rate, hinge_margin, memorization_scores
from overparam.models import mlp, mlp_n_params
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.recipe import Recipe, Schedule
from overparam.training.train import train

DATASETS = ("fashion_mnist_small", "mnist_small", "digits", "fashion_mnist", "mnist")
MOMENTUM = 0.9
N_NEIGHBORS = 10
FEWEST_ALIKE = 0.5  # of the neighbours; a right row with no more of its own class is atypical
FLIPPED, ATYPICAL, TYPICAL = "flipped", "atypical", "typical"
KINDS = (FLIPPED, ATYPICAL, TYPICAL)
ROWS_AT_ONCE = 500  # bounds the memory of distances


@dataclass(frozen=True)
class MemberFactors:
    """What conditions of one member share: which it is, its rows and their labels, its training."""

    width: int = factor(0, symbol="H", unit="hidden units", low=1, doc="0: placed by the design")
    member: int = factor(0, symbol="k", low=0, doc="which subset; placed by the design")
    n_models: int = factor(40, symbol="K", unit="members", low=4)
    n_train: int = factor(1000, symbol="n", unit="examples", low=100)
    label_noise_rate: float = factor(0.1, unit="fraction, always a wrong class", low=0, high=0.5)
    ratio: float = factor(0.7, unit="of the rows in a subset", low=0.1, high=0.9)
    pool: int = factor(4, unit="pixels a side, averaged", low=1, high=8)
    learning_rate: float = factor(0.2, symbol="eta", low=1e-8)
    epochs: int = factor(100, unit="passes", low=1)
    batch_size: int = factor(64, unit="examples", low=1)
    dataset: str = factor("fashion_mnist_small", choices=DATASETS)

    @property
    def capacity(self) -> float:
        """Parameters over numbers to fit."""
        return capacity_of(self.width, self.dataset, self.pool, self.ratio * self.n_train)


@dataclass(frozen=True)
class MemberOutcome:
    """What one member says of every row, and what the rows are; arrays `[n]`."""

    margins: np.ndarray = quantity("logits, of the label trained on over the largest other")
    in_subset: np.ndarray = quantity("whether the member saw the row")
    is_flipped: np.ndarray = quantity("whether the label is wrong")
    agreement: np.ndarray = quantity("fraction of the nearest others of the row's class")
    test_error: float = quantity("fraction wrong")


@dataclass(frozen=True, eq=False)
class FlippedRows:
    """Rows that an ensemble is trained on; all arrays `[n]`.

    Attributes:
        train_set: with the labels that are trained on. is_flipped: bool, which of them are wrong.
        agreement: share of the nearest others that have the row's right label.
    """

    train_set: Dataset
    test_set: Dataset
    is_flipped: np.ndarray
    agreement: np.ndarray


@lru_cache(maxsize=2)  # one copy for all cells of a seed
def draw_rows(dataset: str, pool: int, n: int, rate: float, streams: Streams) -> FlippedRows:
    """Draw n images, mean-pooled, and flip a share of their labels to another class.

    Neighbours are looked for among all training images of the set, drawn or not, in Euclidean
    distance, and by their right labels: what is typical is a matter of the images, and of no model.
    """
    everything, test_set = load_pooled(dataset, pool)
    rows = draw_subset(everything, n, streams)
    train_set = corrupt_labels_wrong(rows, rate, streams)
    flipped = is_corrupted(rows, train_set).numpy()
    return FlippedRows(train_set, test_set, flipped, neighbor_agreement(rows, everything))


@lru_cache(maxsize=2)
def load_pooled(dataset: str, pool: int) -> tuple[Dataset, Dataset]:
    """Return both parts, pixels averaged in squares, standardised (cached: one copy for all)."""
    parts = [
        part.with_inputs(avg_pool2d(part.inputs, pool), f"+pooled {pool}") for part in load(dataset)
    ]
    return standardise(parts[0], parts[1])


def neighbor_agreement(rows: Dataset, everything: Dataset) -> np.ndarray:
    """Return which share of the nearest others has the row's label, `[n]`.

    Args:
        rows: a view of `everything`, in which the others are looked for.
    """
    others, found = everything.inputs.flatten(1), []
    for at, labels in zip(
        rows.rows.split(ROWS_AT_ONCE), rows.labels.split(ROWS_AT_ONCE), strict=True
    ):
        distances = torch.cdist(others[at], others)
        distances[torch.arange(len(at)), at] = torch.inf
        nearest = distances.topk(N_NEIGHBORS, largest=False).indices
        found.append((everything.labels[nearest] == labels[:, None]).double().mean(1))
    return torch.cat(found).numpy()


@lru_cache(maxsize=2)
def subsets_of_members(n_models: int, n: int, ratio: float, streams: Streams) -> np.ndarray:
    """Return `draw_subsets`, the same array for all cells of a seed."""
    return draw_subsets(n_models, n, ratio, streams)


def member_recipe(learning_rate: float, epochs: int, batch_size: int) -> Recipe:
    """Return how every member is trained: until past the threshold nothing is left to fit."""
    return Recipe(
        learning_rate=learning_rate,
        momentum=MOMENTUM,
        schedule=Schedule("cosine"),
        epochs=epochs,
        batch_size=batch_size,
        precision="auto",
    )


async def ask_member(c: Any, streams: Streams) -> dict[str, Any]:
    """Train one member on its subset and return what it says of every row, and what the rows are.

    Args:
        c: a condition with all that is read here: `dataset`, `pool`, `n_train`,
            `label_noise_rate`, `n_models`, `member`, `ratio`, `width`, and the recipe's three.
    """
    # Data
    rows = draw_rows(c.dataset, c.pool, c.n_train, c.label_noise_rate, streams)
    n_models = max(c.n_models, c.member + 1)
    in_subset = subsets_of_members(n_models, c.n_train, c.ratio, streams)[c.member]
    train_set = rows.train_set.subset(torch.from_numpy(np.flatnonzero(in_subset)))
    # Model
    model = mlp(train_set.input_dim, c.width, train_set.n_outputs)
    # Training
    recipe = member_recipe(c.learning_rate, c.epochs, c.batch_size)
    fitted = await train(model, train_set, recipe, streams.child(f"member {c.member}"))
    outputs = await predict(fitted, rows.train_set.inputs)
    test_outputs = await predict(fitted, rows.test_set.inputs)
    # Measures
    return {
        "margins": hinge_margin(outputs, rows.train_set.labels).astype(np.float32),
        "in_subset": in_subset,
        "is_flipped": rows.is_flipped,
        "agreement": rows.agreement,
        "test_error": error_rate(test_outputs, rows.test_set.labels),
    }


def capacity_of(width: int, dataset: str, pool: int, n_rows: float) -> float:
    """Return the parameters of a network over the numbers it is to fit, n_rows x classes.

    Args:
        n_rows: of a subset.

    >>> round(capacity_of(256, "fashion_mnist_small", 4, 700), 2)
    2.2
    """
    return mlp_n_params(input_dim(dataset, pool), width, entry_of(dataset).n_classes) / (
        n_rows * entry_of(dataset).n_classes
    )


def input_dim(dataset: str, pool: int) -> int:
    """Return the number of pixels after pooling, without loading anything.

    >>> input_dim("digits", 3)
    4
    """
    channels, height, width = entry_of(dataset).input_shape
    return channels * (height // pool) * (width // pool)


def kind_of_rows(is_flipped: np.ndarray, agreement: np.ndarray) -> dict[str, np.ndarray]:
    """Return which rows are of each of `KINDS`, bool `[n]`; some rows are of none.

    A flipped row is one whatever its neighbours are; of the right ones an atypical row has at most
    half of its nearest others in its class, a typical one all.
    """
    right = ~is_flipped
    return {
        FLIPPED: is_flipped,
        ATYPICAL: right & (agreement <= FEWEST_ALIKE),
        TYPICAL: right & (agreement == 1),
    }


@dataclass(frozen=True, eq=False)
class Members:
    """What all members of one seed and size say.

    Attributes:
        in_subset, correct: bool `[K, n]`. outcome: of the first, for what the rows are.
        test_error: mean over members.
    """

    in_subset: np.ndarray
    correct: np.ndarray
    outcome: Any
    test_error: float

    @property
    def training_error(self) -> float:
        """Mean share of the rows in its subset on which a member is wrong."""
        wrong = (self.in_subset & ~self.correct).sum(1)
        return float(np.mean(wrong / self.in_subset.sum(1)))

    def scores(self, some: slice = slice(None)) -> np.ndarray:
        """Return the counted memorization score of every row, `[n]`, by some of the members.

        NaN for a row that is never in or never out, and so for all where members are too few.
        """
        in_subset, correct = self.in_subset[some], self.correct[some]
        if not (in_subset.any(0) & ~in_subset.all(0)).any():
            return np.full(in_subset.shape[1], np.nan)
        return memorization_scores(in_subset, correct).estimate


def read_members(records: Sequence[Record]) -> Members | None:
    """Return what members say, None where one that was planned has not been measured.

    It might have said otherwise, so that of its seed nothing is known; nor is it where a member
    has no margin (NaN) on some row: that is neither right nor wrong.
    """
    if not records or not all(r.is_measured for r in records):
        return None
    outcomes = [r.outcome for r in records]
    if any(np.isnan(o.margins).any() for o in outcomes):
        return None
    return Members(
        np.stack([o.in_subset for o in outcomes]),
        np.stack([o.margins for o in outcomes]) > 0,
        outcomes[0],
        float(np.mean([o.test_error for o in outcomes])),
    )


def means_by_kind(scores: np.ndarray, outcome: Any) -> list[float]:
    """Return the mean score of each of `KINDS`, NaN where there are no such rows."""
    known, kinds = ~np.isnan(scores), kind_of_rows(outcome.is_flipped, outcome.agreement)
    means = [scores[rows & known] for rows in kinds.values()]
    return [float(own.mean()) if own.size else np.nan for own in means]
