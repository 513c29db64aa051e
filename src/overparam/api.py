"""The functions of `import overparam`: what the command line does, with objects for strings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam import phenomena, probes
from overparam.checks import check_choice, check_count, check_path
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.plan import Plan, plan_study
from overparam.lab.recorded import load_records
from overparam.lab.runner import DEFAULT_MEMORY_BYTES, MAX_SEED, Advance, load_study, run_study
from overparam.lab.store import Store
from overparam.report.audit import Audit
from overparam.report.audit_progress import write_plan, write_stand
from overparam.report.kept_audit import KeptAudit, load_audit
from overparam.report.study import Study
from overparam.training.choices import choices_file

if TYPE_CHECKING:
    from overparam.audits.check import Check
    from overparam.training.recipe import Recipe

MAX_SEEDS = 100_000  # of one study; more are no experiment but a slip of the keyboard


def find(name: str) -> Phenomenon:
    """Return a phenomenon by its name (``chapter/name``, of which the last part is enough, where
    no other chapter has it too), by the path of its file, or a probe by its name.

    Raises:
        UsageError: no such name (the near one is suggested) or file; a file that defines no
            ``PHENOMENON``.
    """
    return probes.find(name) if name in probes.NAMES else phenomena.find(name)


def run(
    phenomenon: str | Phenomenon,
    scale: str = "standard",
    *,
    n_seeds: int | None = None,
    first_seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    out: str | Path | None = None,
    fresh: bool = False,
    accept_edits: bool = False,
    on_progress: Callable[[Advance], None] = lambda advance: None,
) -> Study:
    """Run a phenomenon and return its study, which shows itself in a notebook.

    Args:
        phenomenon: a name (see `phenomena`), the path of a ``.py`` file, or a `Phenomenon`.
        scale: ``smoke`` (seconds), ``standard`` (some minutes on two cores) or ``full``
            (the source's own scale).
        n_seeds, first_seed: which seeds; by default the scale's number of them from 0.
        settings: condition fields held at given values, such as ``{"n_train": 500}``.
        workers: processes of one thread each; by default one per core.
        device: ``auto``, ``cpu`` or ``cuda``. memory_bytes: bound for the stacks of all workers.
        out: folder to keep the study in, from which a later call resumes; None keeps nothing.
        fresh: start anew instead of resuming.
        accept_edits: go on with a study although files of your own that it was begun with were
            edited, or values that its functions hold are others, because that changes no record.

    Raises:
        UsageError, DataError, StoreError, ResourceError: see `overparam.errors`.
    """
    found = find(phenomenon) if isinstance(phenomenon, str) else phenomenon
    result = run_study(
        found, scale, seeds=_seeds(found, scale, n_seeds, first_seed), settings=settings,
        workers=workers, device=device, memory_bytes=memory_bytes,
        folder=None if out is None else check_path(out), fresh=fresh, accept_edits=accept_edits,
        choices_path=choices_file(), on_progress=on_progress,
    )  # fmt: skip
    return Study(result)


def plan(
    phenomenon: str | Phenomenon,
    scale: str = "standard",
    *,
    n_seeds: int | None = None,
    first_seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Plan:
    """Return what `run` with the same arguments would cost on this machine."""
    found = find(phenomenon) if isinstance(phenomenon, str) else phenomenon
    return plan_study(
        found, scale, seeds=_seeds(found, scale, n_seeds, first_seed), settings=settings,
        workers=workers, device=device, memory_bytes=memory_bytes, choices_path=choices_file(),
    )  # fmt: skip


def load(folder: str | Path, phenomenon: str | Phenomenon | None = None) -> Study:
    """Return the study kept in a folder, complete or not, without running a cell.

    A study may come from anybody: no code is run but the package's and what `phenomenon` names.

    Args:
        phenomenon: for verdicts and figures of a phenomenon that is not one of the package's own:
            itself, or its file. Without it such a study has its records and a table of them.

    Raises:
        StoreError: there is no study, it is damaged, or another phenomenon's.
    """
    folder = check_path(folder)
    if phenomenon is None:
        phenomenon = phenomenon_of(folder)
    if phenomenon is None:
        return Study(load_records(folder))
    return Study(
        load_study(folder, find(phenomenon) if isinstance(phenomenon, str) else phenomenon)
    )


def phenomenon_of(folder: Path) -> Phenomenon | None:
    """Return the phenomenon of the study in a folder if it is one of the package's own."""
    with Store.read_only(folder) as store:
        name = store.phenomenon
    return find(name) if name in (*phenomena.names(), *probes.NAMES) else None


def audit(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    test: Any = None,
    recipe: Recipe | None = None,
    task: str | None = None,
    groups: Any = None,
    arguments: Mapping[str, Any] | None = None,
    mask: Any = None,
    fitted: Any = None,
    capacity: Mapping[str, Sequence[Any]] | None = None,
    name: str = "",
    budget: float | str = "10 min",
    checks: Iterable[Check] = (),
    mute: Iterable[str] = (),
    against: KeptAudit | str | Path | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    folder: str | Path | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    accept_edits: bool = False,
    progress: bool = False,
) -> Audit:
    """Audit a model and its data: did it learn or cram, what does that cost, what to do next.

    Args:
        model: an unfitted estimator of scikit-learn's kind; a module, or a function that makes
            one, with a `recipe`; a function ``fit(rows, seed) -> predict``; predictions of K
            models ``[K, n, classes]`` or ``[K, n]``, with labels in place of `X` and a `mask`; or
            None, to audit the data with reference models.
        X, y: inputs and labels of the n training rows; or one of the other forms of data in place
            of `X` (see `subset_ensemble`), such as ``(frame, "label")`` or a `Dataset`.
        test: others of the same task, ``(X, y)``. Without it every row counts where a model was
            not trained on it.
        task: ``classes`` or ``numbers``; by default as the model and the labels say.
        groups: `[n]`, rows that belong together: they are trained on, and left out, together.
        arguments: of an estimator's fit, such as ``sample_weight``; one value a row where they
            are as long as the rows.
        mask: bool `[K, n]`, which rows each model of predictions was trained on.
        fitted: the model in use, beside the recipe that made it: a fitted estimator, a trained
            module, what `fit` returned, or a function ``predict(inputs)``. An estimator that is
            fitted already, given as `model`, is taken for it.
        capacity: what makes the model larger or smaller, such as ``{"max_depth": [2, 4, 8]}``;
            known estimators need none. name: of the model, for the report.
        budget: of time, in seconds or as ``"10 min"``: it decides what is measured.
        checks: of your own, asked beside the package's. mute: codes that are not shown as found.
        against: an older audit, or where one was saved, with which the report compares this one.
        seed: of subsets, weights and all that is drawn. confidence: of all intervals.
        folder: where models are kept, so that a call with a larger budget trains only what is
            missing; None keeps nothing.
        workers, device, memory_bytes, accept_edits: as in `subset_ensemble`.
        progress: whether the plan, and how far it is, are written to standard error.

    Raises:
        UsageError: something that cannot be fitted, or a code or number that does not exist.
        DataError: data that cannot be audited. StoreError: `against` cannot be read, or `folder`
        holds another audit's models. What keeps a part from being measured is said in the report.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> report = audit(KNeighborsClassifier(1), *load_iris(return_X_y=True), budget=5, workers=0)
    >>> report.findings["OP505"].status
    'passed'
    """
    from overparam.audits.run import run_audit  # loads what no study needs
    from overparam.audits.subject import make_subject

    old = load_audit(against) if isinstance(against, str | Path) else against
    subject = make_subject(
        model, X, y, recipe=recipe, test=test, task=task, groups=groups, arguments=arguments,
        mask=mask, fitted=fitted, capacity=capacity, name=name,
    )  # fmt: skip
    told: dict[str, Any] = {"on_plan": write_plan, "on_progress": write_stand} if progress else {}
    result = run_audit(
        subject, budget=budget, checks=checks, mute=mute, seed=seed, confidence=confidence,
        folder=None if folder is None else check_path(folder), workers=workers, device=device,
        memory_bytes=memory_bytes, accept_edits=accept_edits, **told,
    )  # fmt: skip
    return Audit(result, old)


def _seeds(phenomenon: Phenomenon, scale: str, n_seeds: int | None, first_seed: int) -> range:
    check_choice("scale", scale, list(phenomenon.scales))
    n = phenomenon.scales[scale].n_seeds if n_seeds is None else n_seeds  # type: ignore[index]
    first = check_count("first_seed", first_seed, 0, MAX_SEED - MAX_SEEDS)
    return range(first, first + check_count("n_seeds", n, 1, MAX_SEEDS))
