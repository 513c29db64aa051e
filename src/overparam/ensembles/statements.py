"""What a model says of rows, from its outputs: margin, probability of the label, right or wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_PROBABILITY = 1e-3  # below it a forest's vote says more of the number of trees than of a row
VOTES = "labels"  # the form of outputs that say which class, and nothing else
_LOGITS, _PROBABILITIES = "logits", "probabilities"


@dataclass(frozen=True)
class Statements:
    """What a model says of n rows.

    Attributes:
        margin: float64 `[n]`. Of logits and decision values, that of the label minus the largest
            other one; of probabilities, the same of their logarithms, each at least that of .001;
            NaN of models that only name a class. Above 0 where the model is right.
        probability: float64 `[n]`, of the label. correct: bool `[n]`, the label is the class with
            the largest output (the first of several).
        probabilities: float64 `[n, classes]`; of outputs that are none, all of it on the class
            with the largest output: such a model votes.
    """

    margin: np.ndarray
    probability: np.ndarray
    correct: np.ndarray
    probabilities: np.ndarray


def statements(
    outputs: np.ndarray, form: str, labels: np.ndarray, predicted: np.ndarray | None = None
) -> Statements:
    """Return what outputs `[n, classes]` of a form say of rows with these labels.

    Args:
        predicted: int64 `[n]`, the classes that the model names, where these need not be those of
            the largest outputs; they decide what is correct.
        form: ``logits`` and ``probabilities`` are what they say; ``labels`` are rows with a single
            1; of anything else only the order and the distances of the outputs count.

    >>> said = statements(np.array([[0.9, 0.1], [0.0, 1.0]]), "probabilities", np.array([0, 0]))
    >>> said.margin.round(2), said.correct
    (array([ 2.2 , -6.91]), array([ True, False]))
    """
    values = np.array(outputs, np.float64)
    lacks = np.isneginf(values)  # a class that the member's subset does not have
    if lacks.any():
        values[lacks] = np.min(values, where=~lacks, initial=0.0)
    rows = np.arange(len(values))
    known = ~np.asarray(np.isnan(values).any(1))
    chosen = np.where(known, np.where(known[:, None], values, 0.0).argmax(1), -1)
    if form == _PROBABILITIES:
        probabilities = values
        margin = _apart(np.log(np.maximum(values, LEAST_PROBABILITY)), labels)
    else:
        probabilities = (
            _softmax(np.where(lacks, -np.inf, values))
            if form == _LOGITS
            else _votes(chosen, values.shape[1])
        )
        margin = _apart(values, labels) if form != VOTES else np.full(len(values), np.nan)
    if predicted is not None:
        chosen = np.where(known, predicted, -1)
    return Statements(margin, probabilities[rows, labels], chosen == labels, probabilities)


def silence(n_rows: int, n_classes: int) -> Statements:
    """Return what a model says that has diverged: nothing."""
    nothing = np.full((n_rows, n_classes), np.nan)
    return Statements(nothing[:, 0], nothing[:, 0], np.zeros(n_rows, bool), nothing)


def _apart(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rest = values.copy()
    rest[np.arange(len(values)), labels] = -np.inf
    return values[np.arange(len(values)), labels] - rest.max(1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def _votes(chosen: np.ndarray, n_classes: int) -> np.ndarray:
    votes = (chosen[:, None] == np.arange(n_classes)).astype(np.float64)
    votes[chosen < 0] = np.nan
    return votes
