"""`run_unit`: what a worker does with one unit of work."""

from __future__ import annotations

import dataclasses
import platform
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from overparam.errors import OverparamError
from overparam.lab.design import Unit
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.records import Record
from overparam.streams import Streams
from overparam.training.choices import Choices
from overparam.training.native.build import troubles
from overparam.training.request import Context, drive

_REPORT_SECONDS = 0.2  # how often progress is reported; a message per update would cost more


@dataclass(frozen=True)
class Job:
    """A unit with all a worker needs to run it.

    Attributes:
        run, outcome: the phenomenon's; its other functions need not reach the worker.
        skip: keys that are in the store already.
        choices: the study's; choices_path: the machine's file, or None.
    """

    run: Callable[[Any, Streams], Coroutine[Any, Any, Any]]
    outcome: type
    unit: Unit
    skip: frozenset[str]
    device: str
    memory_bytes: int
    choices: dict[str, str]
    choices_path: Path | None


def must_stay_here(phenomenon: Phenomenon) -> bool:
    """Whether another process could not find the phenomenon's functions: those of a running
    script or notebook, and functions defined within functions."""
    needed = (phenomenon.run, phenomenon.condition, phenomenon.outcome)
    return any(f.__module__ == "__main__" or "<locals>" in f.__qualname__ for f in needed)


@dataclass(frozen=True)
class UnitResult:
    """Records of a unit, the choices that were made, and notes about fallbacks."""

    records: list[Record]
    choices: dict[str, str]
    notes: list[str]


def run_unit(job: Job, report: Callable[[float], None]) -> UnitResult:
    """Run the cells of a unit side by side; a cell that fails ends as a record that says so."""
    started = time.perf_counter()
    todo = [c for c, k in zip(job.unit.conditions, job.unit.keys, strict=True) if k not in job.skip]
    context = make_context(job, report)
    streams = Streams(job.unit.seed)
    results = drive([job.run(c, streams) for c in todo], context)
    seconds = (time.perf_counter() - started) / len(todo)
    provenance = {**_provenance(job.device), "unit": job.unit.name, "seconds": seconds}
    records = [
        _record(job, condition, result, i in context.diverged, provenance)
        for i, (condition, result) in enumerate(zip(todo, results, strict=True))
    ]
    return UnitResult(records, context.choices.made, [*context.notes, *troubles()])


def make_context(job: Job, report: Callable[[float], None]) -> Context:
    """Return the engine's context for a job, reporting progress a few times a second."""
    return Context(
        device=torch.device(job.device),
        memory_bytes=job.memory_bytes,
        choices=Choices(job.choices, job.choices_path),
        progress=_Throttled(report),
    )


class _Throttled:
    def __init__(self, report: Callable[[float], None]) -> None:
        self._report, self._amount, self._last = report, 0.0, time.perf_counter()

    def __call__(self, amount: float) -> None:
        self._amount += amount
        now = time.perf_counter()
        if now - self._last >= _REPORT_SECONDS:
            self._report(self._amount)
            self._amount, self._last = 0.0, now


def _record(
    job: Job, condition: Any, result: Any, diverged: bool, provenance: dict[str, Any]
) -> Record:
    seed = job.unit.seed
    if isinstance(result, Exception):
        text = str(result) if isinstance(result, OverparamError) else _describe(result)
        return Record(condition, seed, None, "failed", text, provenance)
    if not isinstance(result, job.outcome):
        text = (
            f"run returned {type(result).__name__}, not {job.outcome.__name__}; "
            "return the outcome that the phenomenon declares"
        )
        return Record(condition, seed, None, "failed", text, provenance)
    return Record(
        condition, seed, _plain(result), "diverged" if diverged else "done", "", provenance
    )


def _plain(outcome: Any) -> Any:
    """Return the outcome with tensors as NumPy values, as the store takes them."""
    changed = {
        f.name: value.item() if value.ndim == 0 else value.detach().cpu().numpy()
        for f in dataclasses.fields(outcome)
        if isinstance(value := getattr(outcome, f.name), torch.Tensor)
    }
    return dataclasses.replace(outcome, **changed) if changed else outcome


def _describe(error: Exception) -> str:
    """Return kind, text and place of an error in the author's code, on one line."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" at {Path(code.co_filename).name}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{place}"


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process in bytes; 0 where it cannot be known."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _provenance(device: str) -> dict[str, Any]:
    return {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "peak_memory_bytes": peak_memory_bytes(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
