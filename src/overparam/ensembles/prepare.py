"""From a model and data as people have them to a `Setup`, everything checked before a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from overparam.checks import check_choice, check_count
from overparam.data.accepted import as_dataset
from overparam.data.examples import Examples, as_examples
from overparam.data.row_keys import first_of_equal
from overparam.data.rows import row_positions
from overparam.data.subsets import models_until_balanced, number_values
from overparam.data.tables import check_columns, check_rows
from overparam.ensembles.fit_arguments import refuse_rows_of_subsets
from overparam.ensembles.identity import (
    code_of,
    digest,
    digest_of_estimator,
    digest_of_network,
    digest_of_rows,
    files_of,
)
from overparam.ensembles.learners import (
    EstimatorLearner,
    Learner,
    NetworkLearner,
    is_estimator,
    made_by,
    name_of,
    own_copy_of,
)
from overparam.ensembles.member import KEPT
from overparam.ensembles.setup import EVALUATED, Setup, WhatItIsOf
from overparam.ensembles.tasks import read_examples
from overparam.errors import DataError, UsageError
from overparam.lab.reached import what_is_reached
from overparam.streams import Streams
from overparam.training.estimator_clone import check_task
from overparam.training.estimator_request import checked_arguments
from overparam.training.fit import as_model_takes, refuse_arguments
from overparam.training.recipe import Recipe
from overparam.training.train import notes_on_precision

_MODELS = (
    "an nn.Module or a function that makes one, with a recipe; an estimator of scikit-learn, or a "
    "function that makes one; or fit(rows, seed) -> predict"
)

_SEMI_SUPERVISED, _NO_LABEL = "sklearn.semi_supervised", -1  # which its estimators do not learn


def prepare(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    ratio: float | Sequence[float] = 0.7,
    seed: int = 0,
    recipe: Recipe | None = None,
    groups: Any = None,
    by_class: bool = False,
    leave_out: Any = None,
    evaluate: Any = None,
    arguments: Mapping[str, Any] | None = None,
    keep: Sequence[str] = (),
    one_run: bool = True,
    task: str | None = None,
) -> Setup:
    """Return what an ensemble is made from; arguments as in `subset_ensemble`.

    Raises:
        UsageError: no model, a ratio or a name that does not exist, models to keep of estimators,
            shares of classes where there are none.
        DataError: labels of which no ensemble can be made (`tasks`), evaluated rows of a class
            that the data do not have, rows to leave out that are none or all.
    """
    check_count("seed", seed, 0)
    ratios = _ratios(ratio)
    model = made_by(model) if recipe is None else model
    keep = tuple(sorted({check_choice("keep", k, KEPT) for k in _words(keep)}))
    examples = read_examples(model, X, y, task)
    if by_class and examples.classes is None:
        raise UsageError(
            "targets have no classes of which subsets could have their share",
            got="by_class=True",
            remedy="leave it out; or task='classes', where the numbers are classes",
        )
    check_rows(examples.inputs, groups, "groups")
    number_values("groups", len(examples), groups)  # or they are refused
    tested = None
    if evaluate is not None:
        tested = as_examples(evaluate, name="evaluated", like=examples)
        if not is_estimator(model):
            check_columns(tested.inputs, examples.columns, f"{examples.name!r}")
    own_arguments = own_copy_of(arguments)
    learner = _learner(model, recipe, examples, tested, own_arguments, keep)
    notes = list(examples.notes)
    if isinstance(learner, NetworkLearner):
        made = learner.make(Streams(0))
        notes += [*learner.data.notes, *notes_on_precision(learner.data, learner.recipe)]
    left_out = _left_out(leave_out, examples)

    def what_it_is_of() -> WhatItIsOf:
        if isinstance(learner, NetworkLearner):
            about_model = {"model": digest_of_network(model, made), "recipe": digest(recipe)}
            parts = code_of(model, made, recipe)
        else:
            about_model = {"model": digest_of_estimator(model, own_arguments)}
            parts = code_of(model, own_arguments)
        reached = what_is_reached(parts, Path.cwd())
        chosen = [seed, digest_of_rows(groups, len(examples)), by_class]
        identity = {
            "data set": examples.fingerprint,
            EVALUATED: "none" if tested is None else tested.fingerprint,
            **about_model,
            "choice of subsets (seed, groups, classes, rows left out)": digest(
                [*chosen, left_out] if len(left_out) else chosen
            ),
            # They were drawn in another way once, of which nothing may be mixed with these.
            **({"way of drawing shares of classes": "evened out"} if by_class else {}),
            "choice of what is kept": ",".join(keep) or "the usual",
        }
        files = files_of([model], reached.files)
        return WhatItIsOf(identity, files, {**reached.texts, **reached.values}, parts)

    if len(left_out):
        notes.append(f"{len(left_out):,} rows are in no subset, as asked")
    setup = Setup(
        learner,
        name_of(model),
        _labels(examples),
        None if examples.classes is None else list(examples.classes),
        None if tested is None else _labels(tested),
        ratios,
        seed,
        groups,
        examples.labels if by_class else None,
        left_out,
        keep,
        what_it_is_of,
        what_it_is_of(),
        tuple(_copies(examples.inputs, groups)),
        tuple(notes),
        one_run,
    )
    if arguments:
        sizes = {int(size) for r in ratios for size in setup.masks(2, r).sum(1)}
        refuse_rows_of_subsets(arguments, len(examples), sizes)
    return setup


def _ratios(ratio: float | Sequence[float]) -> tuple[float, ...]:
    several = [ratio] if isinstance(ratio, int | float) else list(ratio)
    if not several:
        raise UsageError("no ratio is given", allowed="a number in (0, 1), or several")
    for one in several:
        models_until_balanced(one)
    return tuple(sorted({float(one) for one in several}))


def _words(keep: Sequence[str]) -> list[str]:
    return [keep] if isinstance(keep, str) else list(keep)


def _left_out(rows: Any, examples: Examples) -> np.ndarray:
    """Return positions or a mask of rows as positions, rising, each once."""
    given = [] if rows is None else rows
    found = np.unique(row_positions("leave_out", given, examples.inputs))
    if len(found) > len(examples) - 2:
        raise DataError("too few rows are left", got=len(examples) - len(found), allowed=">= 2")
    return found


def _labels(examples: Examples) -> np.ndarray:
    """Return positions of classes, or targets, `[n]`."""
    return examples.labels if examples.classes is not None else examples.labels[:, 0]


def _learner(
    model: Any,
    recipe: Recipe | None,
    examples: Examples,
    tested: Examples | None,
    arguments: Mapping[str, Any] | None,
    keep: tuple[str, ...],
) -> Learner:
    if recipe is not None or isinstance(model, nn.Module):
        return _network(model, recipe, examples, tested, arguments)
    if not (is_estimator(model) or (callable(model) and not isinstance(model, type))):
        raise UsageError(
            "an ensemble is made of models that can be fitted again and again",
            got=name_of(model),
            allowed=_MODELS,
            remedy="a class is made an estimator by calling it" if isinstance(model, type) else "",
        )
    if "models" in keep:
        raise UsageError(
            "only the weights of networks are kept: an estimator is code, and none is read from a "
            "folder",
            got="keep='models'",
            remedy="give evaluate=(X_test, y_test) now, of which every member's outputs are kept",
        )
    _refuse_unlabelled(model, examples)
    check_task(model, examples, name_of(model))
    checked_arguments(model, arguments, examples, name_of(model))
    return EstimatorLearner(model, examples, tested, arguments)


def _refuse_unlabelled(model: Any, examples: Examples) -> None:
    """Refuse rows without a label, which semi-supervised estimators know by -1.

    Raises:
        DataError: there are some.
    """
    has_parts = hasattr(model, "get_params") and not isinstance(model, type)
    parts = [model, *(model.get_params(deep=True).values() if has_parts else ())]
    learns_from_them = any(type(part).__module__.startswith(_SEMI_SUPERVISED) for part in parts)
    has_classes = examples.classes is not None
    unlabelled = learns_from_them and has_classes and examples.given_labels() == _NO_LABEL
    n = int(np.sum(unlabelled))
    if n:
        raise DataError(
            f"rows without a label have no right and wrong: to {name_of(model)} -1 is none",
            got=f"{n:,} rows of -1",
            remedy="give the labelled rows alone, and let a function fit(rows, seed) of your own "
            "add the others",
        )


def _network(
    model: Any,
    recipe: Any,
    examples: Examples,
    tested: Examples | None,
    arguments: Mapping[str, Any] | None,
) -> NetworkLearner:
    if not isinstance(recipe, Recipe) or is_estimator(model) or not callable(model):
        raise UsageError(
            "a network is trained by a recipe, and nothing else is",
            got=f"{name_of(model)} with "
            + ("no recipe" if recipe is None else f"recipe={type(recipe).__name__}"),
            allowed=_MODELS,
            remedy="write for instance recipe=op.Recipe(epochs=20, learning_rate=0.1)"
            if recipe is None
            else "leave the recipe out"
            if is_estimator(model)
            else "",
        )
    refuse_arguments(arguments)
    n_classes = None if examples.classes is None else examples.n_outputs
    data = as_dataset((examples.inputs, examples.labels), n_classes, name="data")
    test_data = None
    if tested is not None:
        test_data = as_dataset((tested.inputs, tested.labels), name="evaluated", like=data)
    trial = NetworkLearner(model, recipe, data, test_data).make(Streams(0))
    learner = NetworkLearner(model, recipe, as_model_takes(trial, data), test_data)
    learner.check_trains(trial, examples.classes)
    return learner


def _copies(inputs: Any, groups: Any) -> list[str]:
    """Say how many rows are copies of others that may be on the other side of a subset."""
    first = first_of_equal(inputs)
    apart = first != np.arange(len(first))
    if groups is not None:
        of_group = number_values("groups", len(first), groups)
        apart &= of_group != of_group[first]
    copies = int(apart.sum())
    if not copies:
        return []
    return [
        f"{copies:,} rows have the inputs of an earlier row, which teaches them where they are out:"
        " their memorization is read too low; give groups=, one value for rows that are copies"
    ]
