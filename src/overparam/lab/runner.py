"""`run_study`: from a design to records, verdicts and figures, losing nothing on the way.

One process, this one, writes the store; workers compute. A unit of work is kept the moment it
arrives, so a study that is killed goes on where it was.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overparam.checks import check_choice, check_count
from overparam.errors import OverparamError, StoreError, UsageError
from overparam.lab.blame import blaming_code
from overparam.lab.code import (
    edited_files,
    foreign_files,
    order_notes,
    own_code,
    what_a_hash_misses,
)
from overparam.lab.design import design_of, plan_units
from overparam.lab.held_generators import refuse_held_generators
from overparam.lab.lazy import read_all
from overparam.lab.library_settings import LibrarySettings
from overparam.lab.loaded_code import check_loaded
from overparam.lab.machine import describe_machine, describe_versions, find_device
from overparam.lab.module_values import values_of
from overparam.lab.parcel import tasks_of
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.pool import Done, Failed, Pool, Progress, Task, pool_of
from overparam.lab.recorded import told_of
from overparam.lab.records import Record, Records
from overparam.lab.run_folder import run_folder, shared_folder
from overparam.lab.same_study import check_settings
from overparam.lab.sqlite_errors import FRESH
from overparam.lab.store import Store
from overparam.lab.study import StudyResult, conclude
from overparam.lab.unit import Job, UnitResult
from overparam.machine import available_cores
from overparam.models.own_imports import watched_imports

DEFAULT_MEMORY_BYTES = 2 << 30
MAX_SEED = 2**63 - 1  # of SQLite's integers


@dataclass(frozen=True)
class Advance:
    """What a progress display needs to know.

    Attributes:
        cells_done, cells: of the whole study, cells found in the store included.
        flops: operations done since the last report.
    """

    cells_done: int
    cells: int
    flops: float


def run_study(
    phenomenon: Phenomenon,
    scale: str = "standard",
    *,
    seeds: Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    folder: Path | None = None,
    fresh: bool = False,
    accept_edits: bool = False,
    choices_path: Path | None = None,
    on_progress: Callable[[Advance], None] = lambda advance: None,
    pool: Pool | None = None,
) -> StudyResult:
    """Run what is missing of a study and return all of it.

    Args:
        scale: smoke, standard or full. seeds: by default 0 to the scale's number of seeds - 1.
        settings: condition fields held at given values.
        workers: processes of one thread each; by default one per core (one for a GPU). 0 runs the
            cells in this process.
        device: ``auto``, ``cpu`` or ``cuda``.
        memory_bytes: bound on what the stacks of all workers hold at one time.
        folder: where the study is kept; None keeps it in memory only.
        fresh: forget what the folder holds of this study first.
        accept_edits: keep the folder's records although files of the user's own that they were
            made with were edited, or libraries are set otherwise; that changes no record, or so
            the caller says.
        choices_path: the machine's file of measured choices (see `training.choices`).
        pool: workers that are there already, in place of `workers`; they stay.

    Raises:
        UsageError: a name or value that does not exist; code that was edited after it was
        imported; a random generator that goes on from cell to cell. StoreError: a folder in use,
        damaged, of another revision or of code that was edited since. ResourceError: disk full,
        folder not writable. CodeError: the phenomenon's summarise, verdict or figures raises; the
        records are kept.
    """
    conditions = phenomenon.conditions(scale, settings)
    if seeds is None:
        seeds = range(phenomenon.scales[scale].n_seeds)  # type: ignore[index]
    # A seed that is named twice is one replicate.
    seeds = list(dict.fromkeys(check_count("seed", s, 0, MAX_SEED) for s in seeds))
    check_count("number of seeds", len(seeds))
    device = find_device(check_choice("device", device, ("auto", "cpu", "cuda")))
    if pool is not None:
        workers = pool.n_workers
    elif workers is None:
        workers = available_cores() if device == "cpu" else 1
    check_count("workers", workers, 0)
    units = plan_units(phenomenon, conditions, seeds)
    keys = [k for unit in units for k in unit.keys]
    held, library_settings = dict(settings or {}), LibrarySettings.here()
    design = {"scale": scale, "settings": held, "seeds": list(seeds), "cells": len(keys)}
    code = own_code(phenomenon, conditions)
    refuse_held_generators(code)  # before anything is forgotten
    with run_folder(folder) as place, Store.open(place, phenomenon, fresh=fresh) as store:
        known = store.get("code")
        code = code.with_known(known)
        store.check_code(code.files, accept=accept_edits)
        check_loaded(code.paths(), [phenomenon.run, phenomenon.cells])
        store.forget_failed()
        check_settings(store, library_settings.told(), accept=accept_edits)
        store.set("design", design)
        store.set("told", told_of(phenomenon))
        notes: list[str] = []
        done = store.keys() & set(keys)
        jobs = {
            unit.name: Job(
                phenomenon.run,
                phenomenon.outcome,
                unit,
                frozenset(done),
                device,
                memory_bytes // max(workers, 1),
                store.choices(),
                choices_path,
                library_settings,
            )
            for unit in units
            if not done.issuperset(unit.keys)
        }
        run_unit, n_processes = "overparam.lab.unit:run_unit", min(workers, len(jobs))
        with (
            _clock(store),
            watched_imports(),
            shared_folder(place) as shared,
            tasks_of(jobs, run_unit, n_processes, shared, values_of(code)) as (
                tasks, n_processes, said,
            ),
            pool_of(pool, n_processes) as running,
        ):  # fmt: skip
            notes += said if n_processes else [*said, *order_notes(known, code.files)]
            foreign = frozenset() if n_processes else foreign_files(phenomenon, code)
            with closing(_results(running, tasks, len(done), len(keys), on_progress)) as results:
                for name, result in results:
                    if isinstance(result, Failed):
                        result = _lost(phenomenon, jobs[name], result)
                    code = code.with_imported(
                        {f: d for f, d in result.imported.items() if f not in foreign}
                    )
                    store.check_code(code.files, accept=accept_edits)
                    store.write(result.records, name)
                    for key, choice in result.choices.items():
                        store.add_choice(key, choice)
                    notes += [n for n in result.notes if n not in notes]
        notes = [*what_a_hash_misses(code), *notes]
        code, changed = code.after(own_code(phenomenon, conditions, code.files))
        store.check_code(code.files, accept=accept_edits)
        notes += changed
        records = store.read(phenomenon, keys)
        kept = store.get("provenance")
        if kept and not jobs:  # nothing was run: what is known of how it was run stays
            provenance = kept
        else:
            wall_seconds = store.get("wall_seconds", 0.0)
            provenance = _provenance(records, device, workers, wall_seconds, notes)
            store.set("provenance", provenance)
        planned = [(c, unit.seed) for unit in units for c in unit.conditions]
        verdicts, figures, _ = conclude(phenomenon, records, planned)
        store.set("verdicts", {arm: v.kind for arm, v in verdicts.items()})
        if folder is None:
            for record in records:  # whose arrays lie in a folder that goes
                read_all(record.outcome)
        return StudyResult(
            phenomenon,
            scale,
            dict(settings or {}),
            tuple(seeds),
            records,
            len(keys),
            verdicts,
            figures,
            provenance,
            folder,
        )


def load_study(folder: Path, phenomenon: Phenomenon) -> StudyResult:
    """Return the study kept in `folder`, complete or not, without running a cell.

    Raises:
        StoreError: there is no study, it is another phenomenon's, or damaged. CodeError: the
        phenomenon's summarise, verdict or figures raises.
    """
    with Store.read_only(folder) as store:
        design = design_of(store)
        store.check_phenomenon(phenomenon)
        try:
            conditions = phenomenon.conditions(design.scale, design.settings)
        except UsageError as error:
            raise StoreError(
                "the study's design is none of its phenomenon's",
                got=str(error),
                remedy=f"raise the phenomenon's revision if its fields have changed, and {FRESH}",
            ) from error
        units = plan_units(phenomenon, conditions, design.seeds)
        keys = [k for unit in units for k in unit.keys]
        records = store.read(phenomenon, keys)
        planned = [(c, unit.seed) for unit in units for c in unit.conditions]
        verdicts, figures, _ = conclude(phenomenon, records, planned)
        provenance = store.get("provenance")
        if not isinstance(provenance, dict):
            provenance = _provenance(records, "cpu", 0, 0.0, [])
        notes = provenance.get("notes")
        known = store.get("code")
        edited = edited_files(known, own_code(phenomenon, conditions, known).files)
        provenance["notes"] = [
            *(notes if isinstance(notes, list) else []),
            *(
                f"{file} was edited since the records were made: verdicts and figures are of the "
                "edited code, records of the code before"
                for file in edited
            ),
        ]
        return StudyResult(
            phenomenon,
            design.scale,
            design.settings,
            design.seeds,
            records,
            len(keys),
            verdicts,
            figures,
            provenance,
            folder,
        )


@contextmanager
def _clock(store: Store) -> Iterator[None]:
    """Add how long the block takes to how long the study was run before."""
    started = time.perf_counter()
    try:
        yield
    finally:  # also where it is interrupted
        with suppress(OverparamError):
            before = store.get("wall_seconds", 0.0)
            store.set("wall_seconds", before + time.perf_counter() - started)


def _results(
    pool: Pool,
    tasks: Sequence[Task],
    n_done: int,
    n_cells: int,
    on_progress: Callable[[Advance], None],
) -> Generator[tuple[str, Any], None, None]:
    """Yield each unit's name with its `UnitResult` or `Failed`, reporting progress."""
    tell = lambda p: on_progress(Advance(n_done, n_cells, p.amount))  # noqa: E731
    on_progress(Advance(n_done, n_cells, 0.0))
    for event in pool.run(tasks, on_progress=tell):
        if isinstance(event, Progress):
            continue
        n_done += len(event.result.records) if isinstance(event, Done) else 0
        on_progress(Advance(n_done, n_cells, 0.0))
        yield event.id, event.result if isinstance(event, Done) else event


def _lost(phenomenon: Phenomenon, job: Job, failure: Failed) -> UnitResult:
    """Return failed records for a unit whose worker died every time; raise what else went wrong."""
    if not failure.lost:
        # Not of a cell, which would have failed alone: such as a file that cannot be imported.
        with blaming_code(phenomenon.name, "a unit of work", passing=(Exception,)):
            raise failure.error
    text = str(failure.error)
    missing = [
        c for c, k in zip(job.unit.conditions, job.unit.keys, strict=True) if k not in job.skip
    ]
    records = [Record(c, job.unit.seed, None, "failed", text) for c in missing]
    return UnitResult(records, {}, [f"{job.unit.name} was lost: {text}"])


def _provenance(
    records: Records, device: str, workers: int, wall: float, notes: Sequence[str]
) -> dict[str, Any]:
    each = [r.provenance for r in records]
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "wall_seconds": wall,
        "seconds": sum(p.get("seconds", 0.0) for p in each),
        "peak_memory_bytes": max((p.get("peak_memory_bytes", 0) for p in each), default=0),
        "device": device,
        "workers": workers,
        "machine": describe_machine(),
        "versions": describe_versions(),
        "notes": list(notes),
    }
