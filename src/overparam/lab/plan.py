"""`plan_study`: what a study would cost on this machine, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from overparam.checks import check_count
from overparam.lab.code import own_code
from overparam.lab.design import plan_units
from overparam.lab.held_generators import refuse_held_generators
from overparam.lab.library_settings import LibrarySettings
from overparam.lab.machine import find_device
from overparam.lab.module_values import values_of
from overparam.lab.parcel import tasks_of
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.pool import Done, Pool, Progress, pool_of
from overparam.lab.run_folder import run_folder
from overparam.lab.runner import DEFAULT_MEMORY_BYTES
from overparam.lab.unit import Job, make_context, peak_memory_bytes, run_cell
from overparam.machine import available_cores
from overparam.streams import Streams
from overparam.training.request import Cost, drive_dry

_NOTES_SHOWN, _NOTE_LENGTH = 4, 110  # of a plan in the interactive interpreter


@dataclass(frozen=True)
class Plan:
    """What a study would take.

    Attributes:
        n_cells, n_units, n_models: cells, units of work, models trained or solved.
        flops: floating-point operations of training and solving.
        core_seconds: computing time of all workers together, from short measurements of each
            kind of stack on this machine.
        wall_seconds: with `workers` workers, units handed out in order.
        memory_bytes: expected peak of all workers together.
        largest_stack_bytes: what the largest stack holds.
        flops_per_second: flops / core_seconds.
        may_end_sooner: whether some network has a rule that stops it early, so that operations and
            times are upper bounds, often several times what a run takes.
        notes: what was assumed.
    """

    n_cells: int
    n_units: int
    n_models: int
    flops: float
    core_seconds: float
    wall_seconds: float
    memory_bytes: int
    largest_stack_bytes: int
    workers: int
    device: str
    flops_per_second: float
    may_end_sooner: bool = False
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        most = "at most " if self.may_end_sooner else ""
        wall, work = f"{most}{self.wall_seconds:.3g} s", f"{most}{self.core_seconds:.3g} s"
        lines = [
            f"Plan: {self.n_cells:,} cells in {self.n_units:,} units, {self.n_models:,} models",
            f"  time     {wall} with {self.workers} workers on {self.device}",
            f"  work     {work} of all workers, {self.flops:.3g} operations",
            f"  memory   {self.memory_bytes / 2**20:,.0f} MiB of all workers",
            *(f"  note     {note[:_NOTE_LENGTH]}" for note in self.notes[:_NOTES_SHOWN]),
        ]
        if len(self.notes) > _NOTES_SHOWN:
            lines.append(f"  ... and {len(self.notes) - _NOTES_SHOWN} more notes")
        return "\n".join(lines)


def plan_study(
    phenomenon: Phenomenon,
    scale: str = "standard",
    *,
    seeds: Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    choices_path: Path | None = None,
    pool: Pool | None = None,
) -> Plan:
    """Return what `run_study` with the same arguments would cost.

    The units of the first seed are stepped with stand-ins for fitted models: data are built and
    a few updates of each stack are timed, nothing is trained. Other seeds cost the same. Where a
    stop rule may end training, all the updates that it allows are counted.

    Cost: seconds; at full scale as long as building the data takes.
    """
    conditions = phenomenon.conditions(scale, settings)
    n_seeds = phenomenon.scales[scale].n_seeds if seeds is None else len(set(seeds))  # type: ignore[index]
    first = 0 if seeds is None else seeds[0]
    device = find_device(device)
    if workers is None:
        workers = available_cores() if device == "cpu" else 1
    check_count("workers", workers, 0)
    units = plan_units(phenomenon, conditions, [first])
    library_settings = LibrarySettings.here()
    jobs = {
        unit.name: Job(
            phenomenon.run,
            phenomenon.outcome,
            unit,
            frozenset(),
            device,
            memory_bytes // max(workers, 1),
            {},
            choices_path,
            library_settings,
        )
        for unit in units
    }
    estimate = "overparam.lab.plan:estimate_unit"
    code = own_code(phenomenon, [])
    refuse_held_generators(code)
    values = values_of(code)
    costs: dict[str, tuple[Cost, int, list[str]]] = {}
    # As many side by side as the run will have: they share caches, memory and its clock.
    side_by_side = min(workers, len(jobs))
    with (
        run_folder(None) as folder,
        tasks_of(jobs, estimate, side_by_side, folder, values) as (tasks, n_processes, said),
        pool_of(pool, n_processes) as running,
    ):
        for event in running.run(tasks):
            if isinstance(event, Progress):
                continue
            if not isinstance(event, Done):
                raise event.error
            costs[event.id] = event.result
    total = sum((c for c, _, _ in costs.values()), Cost())
    seconds = [c.seconds for c, _, _ in costs.values()] * n_seeds
    resident = max(base for _, base, _ in costs.values())
    core_seconds = total.seconds * n_seeds
    busy = min(max(workers, 1), len(seconds))  # of more, no process is started
    return Plan(
        n_cells=len(conditions) * n_seeds,
        n_units=len(units) * n_seeds,
        n_models=total.n_models * n_seeds,
        flops=total.flops * n_seeds,
        core_seconds=core_seconds,
        wall_seconds=_makespan(seconds, busy),
        memory_bytes=busy * resident,
        largest_stack_bytes=total.memory_bytes,
        workers=workers,
        device=device,
        flops_per_second=total.flops / total.seconds if total.seconds else 0.0,
        may_end_sooner=total.may_end_sooner,
        notes=tuple(dict.fromkeys([*said, *(n for _, _, notes in costs.values() for n in notes)])),
    )


def estimate_unit(job: Job, report: Any) -> tuple[Cost, int, list[str]]:
    """Return a unit's cost, the resident memory of a worker that runs it, and notes."""
    context = make_context(job, report)
    cells = [run_cell(job, c, Streams(job.unit.seed)) for c in job.unit.conditions]
    with job.settings.held():
        cost = drive_dry(cells, context)
    if job.device.startswith("cuda"):
        return cost, int(torch.cuda.max_memory_allocated()), context.notes
    # Stacks of networks were built to be timed, so they are in the peak so far; what was only
    # counted comes on top.
    return cost, peak_memory_bytes() + cost.pending_bytes, context.notes


def _makespan(seconds: Sequence[float], workers: int) -> float:
    """Wall time when units are handed in order to whichever worker is free."""
    free = [0.0] * workers
    for s in seconds:
        free[free.index(min(free))] += s
    return max(free)
