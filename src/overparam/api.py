"""The functions of `import overparam`: what the command line does, with objects for strings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from overparam import phenomena, probes
from overparam.checks import check_choice, check_count, check_path
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.plan import Plan, plan_study
from overparam.lab.recorded import load_records
from overparam.lab.runner import DEFAULT_MEMORY_BYTES, MAX_SEED, Advance, load_study, run_study
from overparam.lab.store import Store
from overparam.report.study import Study
from overparam.training.choices import choices_file

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


def _seeds(phenomenon: Phenomenon, scale: str, n_seeds: int | None, first_seed: int) -> range:
    check_choice("scale", scale, list(phenomenon.scales))
    n = phenomenon.scales[scale].n_seeds if n_seeds is None else n_seeds  # type: ignore[index]
    first = check_count("first_seed", first_seed, 0, MAX_SEED - MAX_SEEDS)
    return range(first, first + check_count("n_seeds", n, 1, MAX_SEEDS))
