"""Which losses and stop rules fit which targets: refused first, since no number would tell."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from overparam.data.dataset import Dataset
from overparam.errors import UsageError
from overparam.training.recipe import Recipe

SUM_TOLERANCE = 1e-3  # of the sum of a row of probabilities


def check_targets(recipe: Recipe, train_set: Dataset, evaluate: Mapping[str, Dataset]) -> None:
    """Hold the targets of all sets against the recipe and against each other.

    Cross-entropy of a single floating target is 0 whatever the network says, and of targets
    outside [0, 1] it has no lower bound: both would count as perfectly trained. Floating targets
    have no rows that are wrong, so that a rule about their fraction would never be met.

    Raises:
        UsageError: cross-entropy with targets that are no classes and no probabilities; a fraction
            of wrong rows to stop at, of floating targets; classes in one set and floating targets
            in another.
    """
    if recipe.stop_at_error is not None and train_set.n_classes is None:
        raise UsageError(
            "stop_at_error is a fraction of rows wrong, which floating targets do not have",
            got=f"stop_at_error={recipe.stop_at_error} with {train_set!r}",
            allowed="classes",
            remedy="say stop_at_loss, or give integer labels or n_classes=K for classes",
        )
    for name, data in {"train": train_set, **evaluate}.items():
        if (data.n_classes is None) != (train_set.n_classes is None):
            kinds = ("classes", "floating targets")
            have, need = kinds if train_set.n_classes is None else kinds[::-1]
            raise UsageError(
                f"the evaluated set {name!r} has {have} where the training set has {need}",
                got=repr(data),
                allowed=repr(train_set),
                remedy="give both the same n_classes (None for regression) in make_dataset",
            )
        if (
            recipe.loss == "cross_entropy"
            and data.n_classes is None
            and not is_distribution(data.labels)
        ):
            low, high = float(data.labels.min()), float(data.labels.max())
            raise UsageError(
                f"cross-entropy needs classes, and {data.name!r} has floating targets",
                got=f"targets {list(data.labels.shape)} from {low:g} to {high:g}",
                allowed="integer labels, or rows of probabilities that sum to 1",
                remedy='Recipe(loss="squared_error", ...) for regression; integer labels or '
                "n_classes=K for classes",
            )


def is_distribution(targets: Tensor) -> bool:
    """Whether every row of floating targets `[n, k]` holds probabilities of k >= 2 classes."""
    if targets.ndim != 2 or targets.shape[1] < 2 or bool((targets < 0).any()):
        return False
    return bool(((targets.double().sum(1) - 1).abs() < SUM_TOLERANCE).all())
