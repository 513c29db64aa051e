"""The one model, trained in a worker process that can be ended when its time is over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cloudpickle

from overparam.audits.one_model import OneModel, fit_one
from overparam.audits.subject import Subject
from overparam.ensembles.setup import Setup
from overparam.lab.code import own_code
from overparam.lab.library_settings import LibrarySettings
from overparam.lab.module_values import values_of
from overparam.lab.parcel import tasks_of
from overparam.lab.pool import Done, Pool, Progress, pool_of
from overparam.lab.run_folder import run_folder


def fit_one_in(pool: Pool, setup: Setup, subject: Subject) -> OneModel:
    """Train the recipe on all rows in a worker of a pool, which can end it when time is over.

    Raises:
        OverparamError: whatever keeps the model from being trained.
    """
    code = own_code(setup.study(1), [])
    job = OneJob(setup.learner, subject, setup.seed, LibrarySettings.here())
    function = f"{__name__}:run_one"
    with (
        run_folder(None) as folder,
        tasks_of({"one": job}, function, pool.n_workers, folder, values_of(code)) as (tasks, n, _),
        pool_of(pool, n) as running,
    ):
        event = next(e for e in running.run(tasks) if not isinstance(e, Progress))
    if not isinstance(event, Done):
        raise event.error
    return event.result


@dataclass(frozen=True, eq=False)
class OneJob:
    """One model to be trained on all rows, with all that a worker needs."""

    learner: Any
    subject: Subject
    seed: int
    settings: LibrarySettings


def run_one(job: OneJob, report: Any) -> OneModel:
    """Train it in a worker, and give what of it can be sent."""
    with job.settings.held():
        one = fit_one(job.learner, job.subject, job.seed)
    try:
        cloudpickle.dumps(one.fitted)
    except Exception:  # whatever an object of the user's raises
        return replace(one, fitted=None)
    return one
