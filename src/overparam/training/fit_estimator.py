"""`fit_estimator`: fits anything, beside `train`, which fits networks.

An estimator or pipeline of scikit-learn, or a function of the user's own, so that a cell reads the
same for a forest and for a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from overparam.data.labels import ASK
from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.asked import asked
from overparam.training.estimator_request import make_request
from overparam.training.fitted_estimator import FittedEstimator


@asked
async def fit_estimator(
    estimator: Any,
    data: Any,
    streams: Streams,
    *,
    rows: Any = None,
    arguments: Mapping[str, Any] | None = None,
    evaluate: Mapping[str, Any] | None = None,
    n_classes: int | None = ASK,
) -> FittedEstimator:
    """Fit an estimator, a pipeline, or a function of the user's own.

    Args:
        estimator: one of scikit-learn's kind, with `get_params` and `fit`. A clone is fitted, the
            estimator itself is not changed. Its parameters `random_state`, also those of its
            steps, are set from the streams where they are None or a whole number, as a network's
            weights are; what is to be the same for every seed is given as a
            ``numpy.random.RandomState``, which stays. In a worker of a study `n_jobs` is 1.

            Or ``fit(rows, seed) -> predict``: `rows` are int64 positions in the user's own data,
            0 to n - 1 for all of `data`, and `seed` is a whole number below 2**32.
            ``predict(inputs) -> outputs`` is asked with inputs of the kind of X: X itself for all
            rows, others for a test set. (Of data that are no array, give ``np.arange(n)`` for X:
            then it is asked with positions.) It answers `[n, K]` scores with the classes in
            sorted order, as of ``np.unique(y)``, or a table with columns named by the classes, or
            `[n]` labels; for regression targets `[n]` or `[n, k]`.
        data: ``(X, y)`` with X an array, DataFrame, sparse matrix or list of texts, in which form
            the estimator gets it; ``(frame, "label")``; a `Dataset`, whose inputs are flattened
            for an estimator; or `Examples`, made once for many fits.
        streams: uses ``estimator`` for the global generators of Python, NumPy and PyTorch, which
            are put back, ``random_state`` for an estimator and ``fit`` for a function's seed.
        rows: positions of the rows to fit to; None for all.
        arguments: of the estimator's `fit`, such as `sample_weight` or, for a step of a pipeline,
            ``STEP__sample_weight``. What has as many entries as the data has rows is cut to
            `rows`; what has as many as `rows` is taken to be of them, in their order.
        evaluate: sets to measure the error on, by name.
        n_classes: None for regression, K for classes 0 to K-1; by default a classifier or
            regressor tells, else the labels do.

    Raises:
        UsageError: what is no estimator, or cannot be cloned; a fit that raises, in this cell
            alone; predictions of a wrong length or other classes; outputs of which nobody can tell
            which column is of which class.
        DataError: data as `overparam.data.examples.as_examples` refuses them; rows outside them.

    Cost: that of the fit; `overparam plan` measures one of few rows.

    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from overparam.training.request import solve
    >>> data = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
    >>> tree = solve(fit_estimator(DecisionTreeClassifier(), data, Streams(0)))
    >>> tree.predict([[0.5], [2.5]]).tolist(), tree.form
    (['low', 'high'], 'probabilities')
    """
    return await make_request(estimator, data, streams, rows, arguments, evaluate, n_classes)


@asked
async def check_repeatable(
    estimator: Any,
    data: Any,
    streams: Streams,
    *,
    rows: Any = None,
    arguments: Mapping[str, Any] | None = None,
    n_classes: int | None = ASK,
) -> None:
    """Hold a fit against itself: equal rows and seed must give equal predictions.

    It is fitted to some rows, then to half of them with another seed, then to the first again. A
    network that is carried from fit to fit has seen rows that it was to be without.

    Raises:
        UsageError: the first and the last differ. Else as `fit_estimator`.

    Cost: three fits, or two and a half.
    """
    request = make_request(estimator, data, streams, rows, arguments, None, n_classes)
    some = np.arange(len(request.examples)) if request.rows is None else request.rows
    other = replace(request, rows=some[::2], streams=streams.child("another fit"))
    first = (await request).outputs(request.examples.take())
    await other
    again = (await request).outputs(request.examples.take())
    if not np.array_equal(first, again):
        differ = int((first != again).reshape(len(first), -1).any(1).sum())
        raise UsageError(
            f"{request.name} keeps state between fits: equal rows and seed give other predictions",
            got=f"{differ:,} of {len(first):,} rows differ",
            remedy="make the model anew in each fit, and draw from the seed alone",
        )
