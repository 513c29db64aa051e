"""`ensemble_of_predictions`: models that somebody else trained, known by what they say alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from overparam.checks import check_choice
from overparam.data.examples import Examples, as_examples
from overparam.ensembles.ensemble import Ensemble
from overparam.ensembles.given_labels import labels_beside, rows_of
from overparam.ensembles.given_predictions import GivenPredictions, read_predictions
from overparam.ensembles.loading import ensemble_of
from overparam.ensembles.member import Member, outcome_of
from overparam.ensembles.members import Members
from overparam.ensembles.setup import about_labels
from overparam.ensembles.statements import VOTES, Statements, silence, statements
from overparam.ensembles.target_ensemble import TargetEnsemble
from overparam.ensembles.target_member import told
from overparam.ensembles.tasks import TASKS
from overparam.errors import DataError, UsageError
from overparam.lab.records import Record, Records
from overparam.measures.held_out_accuracy import SAME_RATIO, shared_ratios
from overparam.measures.subset_arrays import as_masks, check_fits, read_masks

_DEVIATIONS = 3.0  # of the size of a subset whose rows are drawn one by one
_LOGITS = "outputs are taken as logits: they are no probabilities, and their softmax is used"


def ensemble_of_predictions(
    predictions: Any,
    y: Any,
    mask: Any,
    *,
    classes: Sequence[Any] | None = None,
    test: Any = None,
    task: str | None = None,
) -> Ensemble | TargetEnsemble:
    """Return models that are known by their predictions and the rows that they were trained on.

    Nothing is trained and no study is written; `save` writes one. What can be asked is what follows
    from the predictions: of models that say nothing of rows that they saw, as out of k folds, there
    are label errors and no memorization.

    Args:
        predictions: of K models on n rows. `[K, n, classes]`: probabilities where they lie in
            [0, 1] and rows sum to 1 within .01, else logits. `[K, n]`: labels; or numbers, of
            targets. NaN or None where a model says nothing. Also a list of K arrays, tensors, or
            tables whose columns are named by the classes.
        y: labels in any of the usual forms, or targets, `[n]`.
        mask: bool `[K, n]`, model k was trained on row i.
        classes: of the columns, in order; by default the sorted labels, or 0 ... C - 1 where labels
            are such numbers.
        test: ``(predictions, y)`` of the same models on rows that none was trained on, `[K, m]` or
            `[K, m, classes]`, without gaps.
        task: ``"classes"``, or ``"numbers"`` where whole numbers are targets of regression; by
            default the labels tell, and predictions that are fractions.

    Raises:
        DataError: shapes that do not fit each other, one model, a mask that has a model trained on
            all rows or on none, labels or columns that are no classes, numbers that are neither
            probabilities nor logits, missing labels, infinity. UsageError: no such task.

    Models whose shares of rows lie no farther apart than three standard deviations of subsets that
    are drawn row by row (at least .02) count as one ratio, as of bootstraps or folds. Cost: a copy
    of what `Ensemble` keeps of each model.

    >>> y, mask = ["a", "b", "b", "a"], [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]]
    >>> said = [["a", "b", "b", "a"], ["b", "b", "b", "a"], ["a", "b", "b", "b"]]
    >>> found = ensemble_of_predictions(said, y, mask)
    >>> found.memorization_scores().accuracy_out
    array([0. , 1. , 1. , 0.5])
    """
    if task is not None:
        check_choice("task", task, TASKS)
    said = read_predictions("predictions", predictions, classes)
    masks = _masks(mask, said)
    examples = labels_beside(said, y, classes, task)
    tested = None if test is None else _tested(test, said, examples)
    notes, names = list(examples.notes), None
    if examples.classes is None:
        outcomes = list(_of_numbers(said, masks, examples, tested))
    else:
        names, form = examples.classes.tolist(), said.form() if said.are_outputs else VOTES
        notes += [_LOGITS] if form == "logits" else []
        outcomes = list(_of_classes(said, masks, examples, tested, form))
    records = [
        Record(Member(number, ratio), 0, outcome)
        for number, (ratio, outcome) in enumerate(zip(_ratios(masks), outcomes, strict=True))
    ]
    about = {
        "model": "given by predictions",
        **about_labels(_column(examples), names, tested and _column(tested[1])),
        "keep": [],
        "left_out": [],
        "findings": [],
        "notes": notes,
        "identity": {},
    }
    nowhere = Path(tempfile.gettempdir()) / "no study of predictions"
    return ensemble_of(Members(nowhere, Records(records), about), larger=_no_more)


def _masks(mask: Any, said: GivenPredictions) -> np.ndarray:
    held = as_masks(mask)
    check_fits("predictions", said.values, held)
    masks = read_masks(held, slice(None))
    n_in = masks.sum(1)
    one_sided = np.flatnonzero((n_in == 0) | (n_in == masks.shape[1]))
    if len(one_sided):
        raise DataError(
            "of some models no row was in training, or none was out",
            got=f"models {', '.join(map(str, one_sided[:5].tolist()))} of {len(masks)}",
            allowed="masks with rows of both kinds: True where a model was trained on the row",
            remedy="leave out these models",
        )
    return masks


def _ratios(masks: np.ndarray) -> list[float]:
    """Return the ratio of each model, within (0, 1); see `ensemble_of_predictions`."""
    shares = masks.mean(1)
    typical = float(np.median(shares))
    scatter = _DEVIATIONS * (typical * (1 - typical) / masks.shape[1]) ** 0.5
    ratios = shared_ratios(shares, max(SAME_RATIO, scatter))
    for ratio in (0.0, 1.0):  # rounded to what no subset has
        ratios[ratios == ratio] = shares[ratios == ratio].mean() if (ratios == ratio).any() else 0
    return ratios.tolist()


def _tested(
    test: Any, said: GivenPredictions, examples: Examples
) -> tuple[GivenPredictions, Examples]:
    if not isinstance(test, tuple | list) or len(test) != 2:
        raise DataError(
            "test is no pair", got=type(test).__name__, allowed="(predictions [K, m, ...], y [m])"
        )
    classes = None if examples.classes is None else examples.classes.tolist()
    found = read_predictions("test predictions", test[0], classes if said.names else None)
    shape, other = list(said.values.shape), list(found.values.shape)
    if (shape[0], *shape[2:]) != (other[0], *other[2:]):
        raise DataError(
            "predictions and test predictions are not of the same models and classes",
            got=f"{shape} and {other}",
            allowed=f"[{shape[0]}, m{''.join(f', {c}' for c in shape[2:])}]",
        )
    if not found.known.all():
        raise DataError(
            "test predictions have gaps",
            got=f"{int((~found.known).sum())} of {found.known.size} are missing",
            remedy="leave out the test rows that some model says nothing of",
        )
    given = rows_of(test[1], other[1], "labels of the test")
    return found, as_examples(given, name="test", like=examples)


def _of_numbers(
    said: GivenPredictions,
    masks: np.ndarray,
    examples: Examples,
    tested: tuple[GivenPredictions, Examples] | None,
) -> Iterator[Any]:
    """Yield what each model says of targets."""
    for k, inside in enumerate(masks):
        values = np.where(said.known[k], _floats(said.values[k]), np.nan)
        on_test = np.empty(0) if tested is None else _floats(tested[0].values[k])
        yield told(inside, values, _column(examples), on_test, float("nan"))


def _of_classes(
    said: GivenPredictions,
    masks: np.ndarray,
    examples: Examples,
    tested: tuple[GivenPredictions, Examples] | None,
    form: str,
) -> Iterator[Any]:
    """Yield what each model says of classes."""
    if tested is not None and said.are_outputs and tested[0].form() != form:
        raise DataError(
            "predictions and test predictions are of two forms",
            got=f"{form} and {tested[0].form()}",
            allowed="both probabilities, or both logits",
        )
    for k, inside in enumerate(masks):
        on_test = silence(0, examples.n_outputs)
        if tested is not None:
            on_test = _statements(tested[0], k, tested[1], form)
        yield outcome_of(form, inside, _statements(said, k, examples, form), on_test)


def _statements(said: GivenPredictions, k: int, examples: Examples, form: str) -> Statements:
    """Return what model k says, NaN in its gaps."""
    known, width = said.known[k], examples.n_outputs
    values = said.values[k][known]
    outputs = values if said.are_outputs else np.eye(width)[_positions(values, k, examples)]
    found, places = statements(outputs, form, examples.labels[known]), np.flatnonzero(known)
    correct = np.zeros(len(known), bool)
    correct[places] = found.correct
    margin, probability = np.full((2, len(known)), np.nan)
    margin[places], probability[places] = found.margin, found.probability
    probabilities = np.full((len(known), width), np.nan)
    probabilities[places] = found.probabilities
    return Statements(margin, probability, correct, probabilities)


def _positions(values: np.ndarray, k: int, examples: Examples) -> np.ndarray:
    """Return the classes that labels name, int64.

    Raises:
        DataError: one is no class.
    """
    assert examples.classes is not None
    numbers = {label: i for i, label in enumerate(examples.classes.tolist())}
    named = values.tolist()
    unknown = set(named) - set(numbers)
    if unknown:
        raise DataError(
            "a model answers with what is no class of y",
            got=f"{next(iter(unknown))!r} of model {k}",
            allowed=", ".join(map(repr, list(numbers)[:20])),
            remedy="give predictions and y in the same names; classes=[...] where y lacks some",
        )
    return np.array([numbers[label] for label in named], np.int64)


def _floats(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise DataError(
            "predictions are no numbers, and y are targets", got=values.dtype, allowed="numbers"
        )
    return values.astype(np.float64)


def _column(examples: Examples) -> np.ndarray:
    """Return positions of classes, or targets, `[n]`."""
    return examples.labels if examples.classes is not None else examples.labels[:, 0]


def _no_more(*_: Any, **__: Any) -> NoReturn:
    raise UsageError(
        "an ensemble of predictions has no model to train",
        remedy="give ensemble_of_predictions those of more models",
    )
