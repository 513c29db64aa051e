"""From the words of `overparam audit` to what is audited: data, model, the model in use."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from overparam.cli.given_table import read_given_table
from overparam.cli.model_options import model_named, refuse_fits
from overparam.errors import UsageError

if TYPE_CHECKING:
    from overparam.audits.subject import Subject


class Given(NamedTuple):
    """Data as they were given: ``(X, y)`` or a `Dataset`, the same to test on, and groups."""

    train: Any
    test: Any
    groups: Any = None
    notes: tuple[str, ...] = ()


class Model(NamedTuple):
    """A model by its name: what is fitted, its recipe, what to call it, and who wrote it.

    A library's class, as ``sklearn.ensemble:RandomForestClassifier``, takes numbers; what is of the
    user's own takes the table as it is.
    """

    model: Any
    recipe: Any
    name: str
    is_library_class: bool


def subject_of(arguments: argparse.Namespace) -> Subject:
    """Return what is audited.

    Raises:
        UsageError, DataError: what cannot be read, named or fitted.
    """
    from overparam.audits.subject import make_subject

    model = _model(arguments)
    given = _data(arguments)
    X, y = given.train if isinstance(given.train, tuple) else (given.train, None)
    subject = make_subject(
        model.model, X, y, recipe=model.recipe, test=given.test, task=arguments.task,
        groups=given.groups, capacity=parse_capacity(arguments.capacity), name=model.name,
    )  # fmt: skip
    subject = dataclasses.replace(subject, notes=(*given.notes, *subject.notes))
    if model.is_library_class:
        subject = _with_numbers(subject)
    if subject.kind == "network" and not subject.has_classes:
        recipe = dataclasses.replace(model.recipe, loss="squared_error")
        subject = dataclasses.replace(subject, recipe=recipe)
    return subject if arguments.fitted is None else _with_fitted(subject, arguments.fitted)


def parse_capacity(texts: Iterable[str]) -> dict[str, list[Any]] | None:
    """Return knob to values.

    >>> parse_capacity(["width=8,16", "C=0.1,1"])
    {'width': [8, 16], 'C': [0.1, 1]}
    """
    from overparam.models.targets import parse_value

    found: dict[str, list[Any]] = {}
    for text in texts:
        knob, equals, values = text.partition("=")
        parts = [part.strip() for part in values.split(",")]
        if not (equals and knob.strip() and all(parts)):
            raise UsageError(
                "--capacity takes a knob and its values", got=text, allowed="knob=value,value"
            )
        found.setdefault(knob.strip(), []).extend(map(parse_value, parts))
    return found or None


def _model(arguments: argparse.Namespace) -> Model:
    from overparam.ensembles.learners import name_of
    from overparam.models.targets import find_object, sources_of
    from overparam.training.weight_files import refuse_pickle

    target = arguments.model
    if target is None:
        refuse_fits(arguments, "without --model")
        return Model(None, None, "", False)
    refuse_pickle(target)
    found = model_named(arguments)
    if "recipe" in found:
        return Model(found["model"], found["recipe"], target, False)
    is_library_class = isinstance(find_object(target)[0], type) and not sources_of(target)
    return Model(found["model"], None, name_of(found["model"]), is_library_class)


def _data(arguments: argparse.Namespace) -> Given:
    place = Path(arguments.data)
    if place.suffix and not place.is_dir():
        return _of_files(arguments)
    given = {name: getattr(arguments, name) for name in ("target", "groups", "test")}
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if named:
        raise UsageError(
            "labels, groups and test rows are named for a file of a table",
            got=f"{named[0]} with {arguments.data}",
            remedy="leave it out: a folder of images, and a data set by its name, have their own",
        )
    if place.is_dir():
        from overparam.data.image_folders import read_image_folder

        found = read_image_folder(place)
        return Given(found.train, found.test, None, found.notes)
    from overparam.data import load

    return Given(*load(arguments.data))


def _of_files(arguments: argparse.Namespace) -> Given:
    X, y, groups, notes = read_given_table(arguments.data, arguments.target, arguments.groups)
    if arguments.test is None:
        return Given((X, y), None, groups, notes)
    from overparam.data.tables import check_columns, column_names

    X_test, y_test, _, more = read_given_table(
        arguments.test, arguments.target, arguments.groups, needs_groups=False
    )
    check_columns(X_test, column_names(X), arguments.data)
    notes += tuple(f"test: {note}" for note in more if note not in notes)
    return Given((X, y), (X_test, y_test), groups, notes)


def _with_numbers(subject: Subject) -> Subject:
    """Return a subject whose estimator gets numbers, where the table has other columns too."""
    from overparam.audits.references import reading, step_of

    model = reading(subject)
    if model is subject.model:
        return subject
    prefix = step_of(model)
    capacity: Mapping[str, Any] | None = subject.capacity
    if capacity is not None:
        capacity = {f"{prefix}{knob}": values for knob, values in capacity.items()}
    note = (
        f"{subject.name} gets words as columns of 0 and 1, dates as seconds, and the median where "
        "a number is missing; a function that makes a pipeline of your own gets the table"
    )
    return dataclasses.replace(
        subject, model=model, capacity=capacity, notes=(*subject.notes, note)
    )


def _with_fitted(subject: Subject, words: str) -> Subject:
    """Return a subject with the model in use: weights of a file, or a fitted model by its name."""
    from overparam.audits.fitted_model import fitted_model
    from overparam.models.targets import load_target
    from overparam.training.weight_files import SAFETENSORS, TORCH, refuse_pickle

    refuse_pickle(words)
    is_file = Path(words).suffix.lower() in (SAFETENSORS, *TORCH)
    made = words if is_file else load_target(words)
    fitted = fitted_model(made, subject.train, subject.recipe, subject.model)
    return dataclasses.replace(subject, fitted=fitted)
