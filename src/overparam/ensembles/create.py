"""`subset_ensemble` and `plan_ensemble`: from a model and data to K members, or what they cost."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from overparam.checks import check_count, check_path, check_range
from overparam.ensembles.ensemble import Ensemble
from overparam.ensembles.loading import about_of, ensemble_of
from overparam.ensembles.members import Members
from overparam.ensembles.planning import EnsemblePlan, plan_setup, read_seconds
from overparam.ensembles.prepare import prepare
from overparam.ensembles.setup import Setup
from overparam.ensembles.target_ensemble import TargetEnsemble
from overparam.errors import UsageError
from overparam.lab.pool import Pool
from overparam.lab.run_folder import run_folder
from overparam.lab.runner import DEFAULT_MEMORY_BYTES, Advance, run_study
from overparam.lab.store import Store
from overparam.training.choices import choices_file
from overparam.training.recipe import Recipe

USUAL_MODELS = 40
_GROWTH = 4  # times as many members at most, before the plan is corrected again


@dataclass(frozen=True)
class _Machine:
    """How members are run, which changes nothing of what they say."""

    workers: int | None = None
    device: str = "auto"
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    on_progress: Callable[[Advance], None] = lambda advance: None
    pool: Pool | None = None


class _TemporaryFolder:
    """A folder that goes with the last who holds this, and after a kill with a later run."""

    def __init__(self) -> None:
        stack = contextlib.ExitStack()
        self.path = stack.enter_context(run_folder(None))
        self._end = weakref.finalize(self, stack.close)


def subset_ensemble(
    model: Any,
    X: Any,
    y: Any = None,
    n_models: int | None = None,
    ratio: float | Sequence[float] = 0.7,
    *,
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
    folder: str | Path | None = None,
    budget: float | str | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    fresh: bool = False,
    accept_edits: bool = False,
    on_progress: Callable[[Advance], None] = lambda advance: None,
    pool: Pool | None = None,
) -> Ensemble | TargetEnsemble:
    """Train K models on random subsets of the data; return an `Ensemble`, or a `TargetEnsemble`.

    A study like any other: each member is kept in `folder` as it ends, so that the same call goes
    on after a kill, and one with more models trains only those that are missing.

    Args:
        model: a network (an `nn.Module`, or a function that makes one, with a `recipe`); an
            estimator of scikit-learn, a pipeline, or a function that makes one; or
            ``fit(rows, seed) -> predict`` of your own. An `nn.Module` with weights starts from them
            in every member.
        X, y: inputs and labels in any of the usual forms; or, without `y`, a `Dataset` or
            ``(frame, "label")``. Labels may be words; or numbers, one target for each row.
        n_models: K at each ratio, 40 by default. With a `budget`, at most as many.
        ratio: share of the rows in a subset, or several for a learning curve. Subsets are balanced:
            at 0.7 every row is in and out of some from K = 4 on (`data.draw_subsets`).
        seed: of the subsets, weights, orders of rows and whatever else is drawn.
        recipe: how a network is trained.
        groups: `[n]`; rows of a group are in or out together.
        by_class: whether every subset has its share of each class.
        leave_out: rows, by position or as a mask, that are in no subset, and that every member is
            asked about all the same: such as labels that look wrong.
        evaluate: ``(X_test, y_test)`` that every member is asked about too, for influence and the
            prediction of all: 5 + 2 classes bytes for each row and member; 8 of targets.
        arguments: of the estimator's fit, such as ``sample_weight``, one for each row of X.
        keep: ``"logits"`` keeps all outputs of each member (of targets they are kept anyway);
            ``"models"`` the weights of networks, so that they can be asked about other rows later.
        one_run: whether one network is trained on all rows beside the members, of whose losses the
            scores have their prior; estimators have none, nor have fewer than 50 rows, nor targets.
        task: ``"classes"``, or ``"numbers"`` for targets of regression, which gives a
            `TargetEnsemble`. By default a classifier or a regressor tells, else the labels do, as
            `overparam.data.labels` has it.
        folder: where the study is kept; None keeps it as long as the ensemble is held.
        budget: time to spend, in seconds or as ``"10 min"``: K is what it buys, planned from a
            short trial and again from what the first members take.
        workers: processes of one thread each; by default one per core.
        device: ``auto``, ``cpu`` or ``cuda``. memory_bytes: bound for the stacks of all workers.
        fresh: forget what the folder holds first.
        accept_edits: go on although code of your own that the members were made with was edited.
        pool: workers that are there already, in place of `workers`; they stay.

    Raises:
        UsageError: a model, recipe or number that does not fit. DataError: data that cannot be
        used, or no member that ended well. StoreError: the folder holds the ensemble of other
        data, another model or edited code, or is in use. ResourceError: disk or memory.

    >>> import overparam as op
    >>> X, y = [[float(i)] for i in range(40)], [i // 20 for i in range(40)]
    >>> net, recipe = op.models.mlp(1, 4, 2), op.Recipe(epochs=2)
    >>> found = subset_ensemble(net, X, y, n_models=4, recipe=recipe, workers=0)
    >>> found.memorization_scores().estimate.shape
    (40,)
    """
    setup = prepare(
        model, X, y, ratio=ratio, seed=seed, recipe=recipe, groups=groups, by_class=by_class,
        leave_out=leave_out, evaluate=evaluate, arguments=arguments, keep=keep, one_run=one_run,
        task=task,
    )  # fmt: skip
    if n_models is not None:
        check_count("n_models", n_models)
    machine = _Machine(workers, device, memory_bytes, on_progress, pool)
    temporary = _TemporaryFolder() if folder is None else None
    place = temporary.path if temporary else check_path(folder)  # type: ignore[arg-type]
    run = partial(_ensemble, setup, temporary=temporary, accept_edits=accept_edits)
    if budget is None:
        return run(n_models or USUAL_MODELS, place, machine, fresh=fresh)
    return _spend(setup, read_seconds(budget), n_models, run, place, machine, fresh)


def plan_ensemble(
    model: Any,
    X: Any,
    y: Any = None,
    n_models: int | None = None,
    *,
    budget: float | str | None = None,
    standard_error: float | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    **options: Any,
) -> EnsemblePlan:
    """Return what an ensemble would cost and how sure its scores would be; nothing is trained.

    Args:
        n_models: K; or budget: the time to spend; or standard_error: the precision to reach, of
            the memorization score of a row in doubt (of targets, of a row's prediction, in
            standard deviations of what models predict of it). One of the three; by default K = 40.
        options: ratio, seed, recipe, groups and the others of `subset_ensemble`.

    Raises:
        UsageError: more than one of the three, or as in `subset_ensemble`.

    Cost: a few updates, or a small fit, are timed.
    """
    given = {"n_models": n_models, "budget": budget, "standard_error": standard_error}
    several = [name for name, value in given.items() if value is not None]
    if len(several) > 1:
        raise UsageError(
            "a plan follows from one number", got=" and ".join(several), allowed="one of the three"
        )
    if n_models is not None:
        check_count("n_models", n_models)
    if standard_error is not None:
        check_range("standard_error", standard_error, 0, 1, open_low=True)
    seconds = None if budget is None else read_seconds(budget)
    setup = prepare(model, X, y, **options)
    plan = plan_setup(
        setup, n_models or USUAL_MODELS, workers=workers, device=device, memory_bytes=memory_bytes
    )
    if seconds is not None:
        return plan.within(seconds)
    return plan if standard_error is None else plan.as_sure_as(standard_error)


def _spend(
    setup: Setup,
    seconds: float,
    n_models: int | None,
    run: Callable[..., Ensemble | TargetEnsemble],
    place: Path,
    machine: _Machine,
    fresh: bool,
) -> Ensemble | TargetEnsemble:
    """Train as many members as a time buys.

    A few first, for each worker a unit: what they took, with the start of the workers and all that
    is written, corrects the plan. So do the next, at most four times as many each time.
    """
    start = time.monotonic()
    plan = plan_setup(
        setup, USUAL_MODELS, workers=machine.workers, device=machine.device,
        memory_bytes=machine.memory_bytes, pool=machine.pool,
    ).within(seconds)  # fmt: skip
    most = plan.n_models if n_models is None else n_models
    wanted = min(most, plan.n_models, setup.learner.stack_size * plan.workers)
    ensemble, done = None, 0
    while wanted > done:
        began = time.monotonic()
        ensemble = run(wanted, place, machine, fresh=fresh and not done)
        now = time.monotonic()
        n_fitted = float((wanted - done) * len(setup.ratios))
        if not done:  # the run on all rows came with them
            n_fitted += plan.run_seconds / max(plan.seconds_per_model, 1e-9)
        each = (now - began) * plan.workers / n_fitted
        done = wanted
        plan = plan.corrected(each, done * len(setup.ratios)).within(start + seconds - now)
        most = max(plan.n_models, done) if n_models is None else min(n_models, plan.n_models)
        wanted = min(most, _GROWTH * done)
    assert ensemble is not None
    return ensemble


def _ensemble(
    setup: Setup, n_models: int, place: Path, machine: _Machine, **how: Any
) -> Ensemble | TargetEnsemble:
    members = _run(setup, n_models, place, machine, **how)
    return ensemble_of(members, setup, _Larger(setup, machine))


class _Larger:
    """Trains more members of what an ensemble was made of, if that is as it was left."""

    def __init__(self, setup: Setup, machine: _Machine) -> None:
        # Whose workers they were has ended them long before more members are wanted.
        self._setup, self._machine, self._left = setup, replace(machine, pool=None), setup.now()

    def __call__(
        self,
        n_models: int,
        place: Path,
        temporary: Any,
        accept_edits: bool = False,
        **options: Any,
    ) -> Members:
        check_count("n_models", n_models)
        again = replace(self._machine, **options)
        self._setup = self._setup.unchanged(self._left, place, accept_edits=accept_edits)
        try:
            return _run(
                self._setup, n_models, place, again, temporary=temporary, accept_edits=accept_edits
            )
        finally:
            self._left = self._setup.now()


def _run(
    setup: Setup,
    n_models: int,
    place: Path,
    machine: _Machine,
    *,
    temporary: Any = None,
    fresh: bool = False,
    accept_edits: bool = False,
) -> Members:
    """Train the members that are missing in a folder, and return all."""
    study = setup.study(n_models)
    with Store.open(place, study, fresh=fresh) as store:
        setup.claim(store, accept_edits=accept_edits)
        about = about_of(store)
    result = run_study(
        study,
        seeds=[setup.seed],
        folder=place,
        accept_edits=accept_edits,
        choices_path=choices_file(),
        **vars(machine),
    )
    notes = [n for n in result.provenance.get("notes", ()) if n not in about["notes"]]
    about["notes"] = [*about["notes"], *notes]
    return Members.of(place, result.records, about, temporary)
