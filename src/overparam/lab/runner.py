"""`run_study`: from a design to records, verdicts and figures, losing nothing on the way.

One process, this one, writes the store; workers compute. A unit of work is kept the moment it
arrives, so a study that is killed goes on where it was.
"""

from __future__ import annotations

import datetime
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overparam.checks import check_choice, check_count
from overparam.errors import ResourceError, UsageError
from overparam.lab.design import plan_units
from overparam.lab.machine import available_cores, describe_machine, describe_versions, find_device
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.pool import Done, Failed, Pool, Progress, Task
from overparam.lab.records import Record, Records
from overparam.lab.store import Store
from overparam.lab.study import StudyResult, conclude
from overparam.lab.unit import Job, UnitResult, must_stay_here

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
    choices_path: Path | None = None,
    on_progress: Callable[[Advance], None] = lambda advance: None,
) -> StudyResult:
    """Run what is missing of a study and return all of it.

    Args:
        scale: smoke, standard or full. seeds: by default 0 to the scale's number of seeds - 1.
        settings: condition fields held at given values.
        workers: processes of one thread each; by default one per core (one for a GPU).
        device: ``auto``, ``cpu`` or ``cuda``.
        memory_bytes: bound on what the stacks of all workers hold at one time.
        folder: where the study is kept; None keeps it in memory only.
        fresh: forget what the folder holds of this study first.
        choices_path: the machine's file of measured choices (see `training.choices`).

    Raises:
        UsageError: a name or value that does not exist. StoreError: a folder in use, damaged or
        of another revision. ResourceError: disk full, folder not writable.
    """
    conditions = phenomenon.conditions(scale, settings)
    if seeds is None:
        seeds = range(phenomenon.scales[scale].n_seeds)  # type: ignore[index]
    seeds = [check_count("seed", s, 0, MAX_SEED) for s in seeds]
    check_count("number of seeds", len(seeds))
    if len(set(seeds)) < len(seeds):
        raise UsageError(
            "a seed is given twice, and would count twice",
            got=list(seeds),
            allowed="seeds that differ",
        )
    device = find_device(check_choice("device", device, ("auto", "cpu", "cuda")))
    if workers is None:
        workers = available_cores() if device == "cpu" else 1
    check_count("workers", workers)
    units = plan_units(phenomenon, conditions, seeds)
    keys = [k for unit in units for k in unit.keys]
    with _folder(folder) as place, Store.open(place, phenomenon, fresh=fresh) as store:
        store.forget_failed()
        store.set(
            "design",
            {
                "scale": scale,
                "settings": dict(settings or {}),
                "seeds": list(seeds),
                "cells": len(keys),
            },
        )
        started, notes = time.perf_counter(), []
        done = store.keys() & set(keys)
        jobs = {
            unit.name: Job(
                phenomenon.run,
                phenomenon.outcome,
                unit,
                frozenset(done),
                device,
                memory_bytes // workers,
                store.choices(),
                choices_path,
            )
            for unit in units
            if not done.issuperset(unit.keys)
        }
        n_processes = 0 if must_stay_here(phenomenon) else min(workers, max(1, len(jobs)))
        with Pool(n_processes, threads=1) as pool:
            tasks = [Task(name, "overparam.lab.unit:run_unit", job) for name, job in jobs.items()]
            with closing(_results(pool, tasks, len(done), len(keys), on_progress)) as results:
                for name, result in results:
                    if isinstance(result, Failed):
                        result = _lost(jobs[name], result)
                    store.write(result.records, name)
                    for key, choice in result.choices.items():
                        store.add_choice(key, choice)
                    notes += [n for n in result.notes if n not in notes]
        records = store.read(phenomenon, keys)
        provenance = _provenance(records, device, workers, time.perf_counter() - started, notes)
        store.set("provenance", provenance)
        planned = [(c, unit.seed) for unit in units for c in unit.conditions]
        verdicts, figures, notes = conclude(phenomenon, records, planned)
        provenance["notes"] += notes
        store.set("verdicts", {arm: v.kind for arm, v in verdicts.items()})
        store.set("provenance", provenance)
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
    """Return the study kept in `folder`, complete or not, without running anything."""
    with Store.read_only(folder) as store:
        design = store.get("design", {})
        scale, settings, seeds = design["scale"], design["settings"], design["seeds"]
        units = plan_units(phenomenon, phenomenon.conditions(scale, settings), seeds)
        keys = [k for unit in units for k in unit.keys]
        records = store.read(phenomenon, keys)
        planned = [(c, unit.seed) for unit in units for c in unit.conditions]
        verdicts, figures, notes = conclude(phenomenon, records, planned)
        provenance = store.get("provenance") or _provenance(records, "cpu", 0, 0.0, [])
        provenance["notes"] = list(dict.fromkeys([*provenance.get("notes", []), *notes]))
        return StudyResult(
            phenomenon,
            scale,
            settings,
            tuple(seeds),
            records,
            len(keys),
            verdicts,
            figures,
            provenance,
            folder,
        )


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


def _lost(job: Job, failure: Failed) -> UnitResult:
    """Return failed records for a unit whose worker died every time, or whose code is broken."""
    if not failure.lost:
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


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    try:
        with tempfile.TemporaryDirectory(prefix="overparam-") as place:
            yield Path(place)
    except OSError as error:
        raise ResourceError(
            "no room for temporary files",
            got=str(error),
            remedy=f"set TMPDIR, now {os.environ.get('TMPDIR', '/tmp')}, or name a folder",
        ) from error
