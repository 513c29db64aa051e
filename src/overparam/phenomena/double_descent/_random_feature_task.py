"""What the cells of one seed share: rows with label noise, random features, and a tuning set.

Conditions are those of `overparam.phenomena.double_descent.random_features`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from torch import Tensor
from torch.nn.functional import one_hot

from overparam.data import Dataset, corrupt_labels_wrong, draw_split, load
from overparam.models.features import RandomFourierFeatures, RandomReluFeatures
from overparam.streams import Streams
from overparam.training.ridge import FeatureProblem


@dataclass(frozen=True, eq=False)
class Task:
    """What the cells of one seed share; held-out rows for tuning carry the same label noise."""

    problem: FeatureProblem
    train_labels: Tensor
    tune_targets: Tensor
    test_labels: Tensor


@lru_cache(maxsize=1)  # features of the full scale take gigabytes; a unit holds one seed
def draw_task(c: Any, streams: Streams) -> Task:
    """Draw rows, label noise and the widest feature map of one seed (cached: same object)."""
    all_train, test = load(c.dataset)
    train, rest = draw_split(all_train, c.n_train, streams, balanced=True)
    train = corrupt_labels_wrong(train, c.label_noise_rate, streams)
    tune = corrupt_labels_wrong(rest.head(c.n_validation), c.label_noise_rate, streams)
    return Task(
        FeatureProblem(
            _draw_features(c, train.input_dim, streams),
            train.inputs,
            _one_hot(train),
            {"validation": tune.inputs, "test": test.inputs},
        ),
        train.labels,
        _one_hot(tune),
        test.labels,
    )


def _draw_features(
    c: Any, input_dim: int, streams: Streams
) -> RandomReluFeatures | RandomFourierFeatures:
    if c.features == "relu":
        return RandomReluFeatures.draw(input_dim, c.n_features, streams)
    return RandomFourierFeatures.draw(input_dim, c.n_features, streams, bandwidth=c.bandwidth)


def _one_hot(dataset: Dataset) -> Tensor:
    return one_hot(dataset.labels, dataset.n_outputs).double()
