"""Fits of estimators among other cells: errors and warnings, plans, threads, progress."""

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier

import overparam as op
from overparam.data import as_examples
from overparam.errors import ResourceError, UsageError
from overparam.stopping import Stopped
from overparam.threads import torch_threads
from overparam.training.fit_estimator import fit_estimator
from overparam.training.request import Context, drive, drive_dry
from tests.training.small_estimators import RNG, N, Rule, S, X, Y, draws, fitted_to


class Greedy(Rule):
    """Runs out of memory."""

    def fit(self, inputs, labels):
        raise MemoryError


class Interrupted(Rule):
    """The user's Ctrl-C, or a `sys.exit` of its own."""

    def __init__(self, error=Stopped):
        self.error = error

    def fit(self, inputs, labels):
        raise self.error


def test_an_error_fails_its_own_cell_alone():
    cells = [fit_estimator(e, (X, Y), S) for e in (Greedy(), Interrupted(SystemExit), Rule())]
    greedy, exits, fine = drive(cells, Context())
    assert isinstance(greedy, ResourceError)
    assert "Greedy failed to be fitted: memory ran out" in str(greedy)
    assert isinstance(exits, UsageError)
    assert fine.form == "labels"
    with pytest.raises(Stopped):
        fitted_to(Interrupted())
    with pytest.raises(Stopped):
        drive_dry([fit_estimator(Interrupted(), (X, Y), S)], Context())


class Warns(Rule):
    """Warns."""

    def fit(self, inputs, labels):
        warnings.warn("it did not converge\nat all", UserWarning, stacklevel=1)
        return super().fit(inputs, labels)


def test_warnings_become_notes():
    context = Context()
    fitted = op.solve(fit_estimator(Warns(), (X, Y), S), context)
    assert fitted.notes == ("Warns: UserWarning: it did not converge",)
    assert context.notes == list(fitted.notes)
    assert "it did not converge" in repr(fitted)
    many = "\n".join(["a", "b", "c"])
    assert "1 more notes" in repr(op.solve(_with_notes(many.split())))


async def _with_notes(notes):
    def fit(rows, seed):
        for note in notes:
            warnings.warn(note, stacklevel=1)
        return lambda inputs: np.ones((len(inputs), 3))

    return await fit_estimator(fit, (X, Y), S)


def test_a_plan_measures_a_small_fit_or_says_that_it_does_not_know():
    sizes = []

    def fit(rows, seed):
        sizes.append(len(rows))
        return lambda inputs: np.ones((len(inputs), 2))

    large = as_examples((RNG.normal(size=(5000, 2)), RNG.integers(2, size=5000)))

    async def cell(rows):
        fitted = await fit_estimator(fit, large, S, rows=np.arange(rows), evaluate={"t": large})
        assert np.isnan(fitted.error("t"))
        assert (await op.predict(fitted, large.inputs)).shape == (5000, 2)

    cost = drive_dry([cell(4000), cell(2000)], Context())
    assert sizes == [250, 250, 500]
    assert cost.n_models == 2
    assert cost.seconds > 0
    assert cost.pending_bytes == 4000 * 16
    context = Context()

    async def failing():
        fitted = await fit_estimator(Greedy(), (X, Y), S)
        assert (await op.predict(fitted, X)).shape == (N, 3)

    assert drive_dry([failing()], context).seconds == 0
    (note,) = context.notes
    assert note.startswith("how long Greedy takes is not known: a fit to 30 rows failed")
    assert drive_dry([fit_estimator(Rule(), (X[:2], Y[:2]), S)], Context()).seconds >= 0


def test_threads_are_those_of_a_worker():
    forest = RandomForestClassifier(3, n_jobs=2)
    with torch_threads(1):
        assert fitted_to(forest).model.n_jobs == 1
        assert fitted_to(DummyClassifier()).form == "probabilities"
    with torch_threads(2):
        assert fitted_to(forest).model.n_jobs == 2


def test_fit_at_once_tells_its_progress():
    told = []
    fitted = op.fit(draws, (X, Y), progress=told.append, seed=3)
    assert told == [1.0]
    assert np.array_equal(fitted.outputs(X), fitted_to(draws).outputs(X))
    with pytest.raises(UsageError, match="seed must be a whole number"):
        op.fit(draws, (X, Y), seed=0.5)
    with pytest.raises(UsageError, match=r"has not run yet.*op\.fit"):
        fit_estimator(draws, (X, Y), S).predict(X)
