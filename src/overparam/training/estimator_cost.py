"""How long a fit will take: from fits to few rows, or said to be unknown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from overparam.stopping import is_stop
from overparam.streams import Streams
from overparam.training.fitted_estimator import FittedEstimator

if TYPE_CHECKING:
    from overparam.training.estimator_request import EstimatorRequest
    from overparam.training.request import Context

_PARTS = 8  # the larger trial has this part of the rows
_LEAST_ROWS = 64  # of the smaller trial
_STEEPEST = 3.0  # power of the number of rows, as of a kernel method


def measure_fit(
    request: EstimatorRequest, context: Context
) -> tuple[FittedEstimator, Callable[[int], float]]:
    """Return a fit to some of a request's rows, and seconds as a function of the rows.

    Two sizes are timed and a power law is led through them. Where the trial fails, which few rows
    can bring about, it is noted that the time is not known.

    Cost: a fourth of one fit; of a small one, up to three.
    """
    every = np.arange(len(request.examples)) if request.rows is None else request.rows
    mixed = Streams(0).numpy("rows of a trial fit").permutation(every)
    large = min(len(mixed), max(2 * _LEAST_ROWS, len(mixed) // _PARTS))
    small = max(1, large // 2)
    try:
        replace(request, rows=mixed[:small], evaluate={}).fit()  # what is imported at first
        short = replace(request, rows=mixed[:small], evaluate={}).fit()
        long = replace(request, rows=mixed[:large], evaluate={}).fit()
    except Exception as error:
        if is_stop(error):
            raise
        context.notes.append(
            f"how long {request.name} takes is not known: a fit to {small} rows failed ({error})"
        )
        return request.stand_in(), lambda n: 0.0
    ratio = max(long.seconds, 1e-9) / max(short.seconds, 1e-9)
    power = (
        min(max(math.log(ratio) / math.log(large / small), 0.0), _STEEPEST)
        if small < large
        else 1.0
    )
    errors = dict.fromkeys(request.evaluate, float("nan"))
    return replace(long, errors=errors), lambda n: long.seconds * (n / large) ** power
