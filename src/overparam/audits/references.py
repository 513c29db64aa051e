"""Reference models: simple ones of other kinds, that any model should beat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    StandardScaler,
)

from overparam.audits.subject import Subject
from overparam.audits.variants import Variant
from overparam.data.rows import is_sparse, is_table

_MOST_WORDS = 30  # columns that a column of words becomes; rarer words share one
_DATES = ["datetime", "datetimetz", "timedelta"]
_MANY_COLUMNS = 200  # beyond it boosting costs more than it tells; randomized trees stand for it


def references_for(subject: Subject) -> tuple[Variant, ...]:
    """Return the reference models that fit the subject's inputs, the cheapest first."""
    return tuple(
        Variant(name, "reference", f"references-{name.replace(' ', '_')}", model)
        for name, model in _models(subject)
        if type(_last(model)) is not type(_last(subject.model))
    )


def reference_model(subject: Subject) -> Pipeline:
    """Return what data without a model are audited with: a forest that fits every row."""
    kind = RandomForestClassifier if subject.has_classes else RandomForestRegressor
    return make_pipeline(*_as_numbers(subject), kind(n_jobs=1))


def reading(subject: Subject) -> Any:
    """Return the subject's estimator behind what makes numbers of a table's words and dates.

    The estimator itself where all columns are numbers.
    """
    inputs = subject.train.inputs
    if not is_table(inputs) or all(kind.kind in "biuf" for kind in inputs.dtypes):
        return subject.model
    return make_pipeline(*_as_numbers(subject), subject.model)


def step_of(model: Pipeline) -> str:
    """Return what the parameters of a pipeline's last step begin with."""
    return f"{model.steps[-1][0]}__"


def _models(subject: Subject) -> Iterator[tuple[str, Any]]:
    ready = _as_numbers(subject)
    scaled = [] if _is_text(subject) else [MaxAbsScaler() if _is_sparse(subject) else _scaler()]
    if subject.has_classes:
        yield "a linear model", make_pipeline(*ready, *scaled, LogisticRegression(max_iter=300))
        yield "nearest neighbours", make_pipeline(*ready, *scaled, KNeighborsClassifier())
    else:
        yield "a linear model", make_pipeline(*ready, *scaled, RidgeCV(np.logspace(-3, 3, 7)))
        yield "nearest neighbours", make_pipeline(*ready, *scaled, KNeighborsRegressor())
    if _is_text(subject) or _is_sparse(subject) or _n_columns(subject) > _MANY_COLUMNS:
        trees = ExtraTreesClassifier if subject.has_classes else ExtraTreesRegressor
        yield "randomized trees", make_pipeline(*ready, trees(n_jobs=1))
        return
    boosting = (
        HistGradientBoostingClassifier if subject.has_classes else HistGradientBoostingRegressor
    )
    yield "boosting", make_pipeline(*ready, boosting())


def _as_numbers(subject: Subject) -> list[Any]:
    """Return the steps that make numbers of the inputs, learned from the rows fitted to alone."""
    inputs = subject.train.inputs
    if _is_text(subject):
        return [TfidfVectorizer(max_features=20_000)]
    if is_table(inputs):
        words = make_pipeline(
            FunctionTransformer(as_words, feature_names_out="one-to-one"),
            OneHotEncoder(handle_unknown="ignore", max_categories=_MOST_WORDS, sparse_output=False),
        )
        dates = make_pipeline(
            FunctionTransformer(as_times), SimpleImputer(keep_empty_features=True)
        )
        numbers = SimpleImputer(strategy="median", keep_empty_features=True)
        plain = ["number", "bool"]
        return [
            make_column_transformer(
                (numbers, make_column_selector(dtype_include=plain, dtype_exclude="timedelta")),
                (dates, make_column_selector(dtype_include=_DATES)),
                (words, make_column_selector(dtype_exclude=[*plain, *_DATES])),
            )
        ]
    if is_sparse(inputs):
        return []
    if len(np.shape(inputs)) > 2:
        return [FunctionTransformer(flattened)]
    return [SimpleImputer(strategy="median", keep_empty_features=True)]


def as_words(table: Any) -> Any:
    """Return a table of words as texts; what is missing is a word of its own."""
    return table.astype(object).where(table.notna(), "(missing)").astype(str)


def as_times(table: Any) -> np.ndarray:
    """Return a table of dates, or of times between them, as numbers; NaN where one is missing."""
    columns = [table[name] for name in table.columns]
    made = [c.astype("int64").to_numpy() / 1e9 for c in columns]
    lacks = [c.isna().to_numpy() for c in columns]
    return np.stack([np.where(m, np.nan, v) for v, m in zip(made, lacks, strict=True)], axis=1)


def flattened(images: Any) -> np.ndarray:
    """Return images `[n, ...]` as rows `[n, pixels]`."""
    array = np.asarray(images)
    return array.reshape(len(array), -1)


def _scaler() -> StandardScaler:
    return StandardScaler()


def _last(model: Any) -> Any:
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def _is_text(subject: Subject) -> bool:
    inputs = subject.train.inputs
    return isinstance(inputs, list) or len(np.shape(inputs)) == 1


def _is_sparse(subject: Subject) -> bool:
    return is_sparse(subject.train.inputs)


def _n_columns(subject: Subject) -> int:
    shape = np.shape(subject.train.inputs)
    return int(np.prod(shape[1:])) if len(shape) > 1 else 1
