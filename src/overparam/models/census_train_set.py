"""What a census needs of a training set, which may be in any form that `fit` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from overparam.data.accepted import as_dataset
from overparam.data.examples import as_examples
from overparam.data.labels import ASK


@dataclass(frozen=True)
class TrainSet:
    """The size of a training set.

    Attributes:
        n: rows. input_shape: of one row, or None of rows that have none, such as texts.
        n_outputs: classes, or targets. n_classes: the same, or None of targets.
        whole: the type of inputs that are whole numbers, such as tokens; else None.
        notes: how labels were read.
    """

    n: int
    input_shape: tuple[int, ...] | None
    n_outputs: int
    n_classes: int | None
    whole: torch.dtype | None
    notes: tuple[str, ...]


def read_train_set(model: Any, data: Any) -> TrainSet:
    """Return the size of data as `fit` would take them for this model.

    A network is trained on numbers; an estimator on what it is given, texts and tables among them.

    Raises:
        UsageError, DataError: as `fit`.
    """
    if isinstance(model, nn.Module):
        read = as_dataset(data)
        kind = read.base.dtype
        whole = None if kind.is_floating_point else kind
        return TrainSet(
            len(read), read.input_shape, read.n_outputs, read.n_classes, whole, read.notes
        )
    from sklearn.base import is_classifier, is_regressor

    n_classes = None if _is(is_regressor, model) else ASK
    found = as_examples(data, n_classes, are_classes=_is(is_classifier, model))
    shape = tuple(int(k) for k in getattr(found.inputs, "shape", ())[1:]) or None
    classes = None if found.classes is None else len(found.classes)
    return TrainSet(len(found), shape, found.n_outputs, classes, None, found.notes)


def _is(question: Any, estimator: Any) -> bool:
    try:
        return bool(question(estimator))
    except Exception:  # an estimator that scikit-learn cannot ask
        return False
