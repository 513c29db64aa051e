"""`run_unit`: what a worker does with one unit of work."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import platform
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from overparam.errors import OverparamError, UsageError
from overparam.lab.blame import text_of
from overparam.lab.design import Unit
from overparam.lab.encoding import encode
from overparam.lab.imports_in_cells import imports_apart
from overparam.lab.lazy import fields_of
from overparam.lab.library_settings import LibrarySettings
from overparam.lab.own_settings import with_own_settings
from overparam.lab.records import Record, Status
from overparam.lab.rows import field_values
from overparam.models.own_imports import imported_files
from overparam.stopping import is_stop
from overparam.streams import Streams
from overparam.training.choices import Choices
from overparam.training.native.build import troubles
from overparam.training.request import Context, drive

_MOST_LETTERS = 1 << 26  # of one field in the store, arrays apart
_NUMBERS = ("float", "int")
_KINDS: dict[str, tuple[type, ...]] = {  # of fields that are declared so
    "float": (int, float, np.integer, np.floating),
    "int": (int, np.integer),
    "str": (str,),
    "bool": (bool, np.bool_),
}
_REPORT_SECONDS = 0.2  # how often progress is reported; a message per update would cost more


@dataclass(frozen=True)
class Job:
    """A unit with all a worker needs to run it.

    Attributes:
        run, outcome: the phenomenon's; its other functions need not reach the worker.
        skip: keys that are in the store already.
        choices: the study's; choices_path: the machine's file, or None.
        settings: of libraries, in the process that asks for the unit.
    """

    run: Callable[[Any, Streams], Coroutine[Any, Any, Any]]
    outcome: type
    unit: Unit
    skip: frozenset[str]
    device: str
    memory_bytes: int
    choices: dict[str, str]
    choices_path: Path | None
    settings: LibrarySettings


@dataclass(frozen=True)
class UnitResult:
    """Records of a unit, the choices that were made, and notes about fallbacks.

    Attributes:
        imported: files of the user's that the process had imported, with digests.
    """

    records: list[Record]
    choices: dict[str, str]
    notes: list[str]
    imported: dict[str, str] = dataclasses.field(default_factory=dict)


def run_unit(job: Job, report: Callable[[float], None]) -> UnitResult:
    """Run the cells of a unit side by side; a cell that fails ends as a record that says so.

    Whatever a cell raises is its own failure, and so is an outcome that cannot be kept.
    """
    started = time.perf_counter()
    todo = [c for c, k in zip(job.unit.conditions, job.unit.keys, strict=True) if k not in job.skip]
    context = make_context(job, report)
    streams = Streams(job.unit.seed)
    with job.settings.held(), imports_apart():
        cells = [run_cell(job, c, streams) for c in todo]
        results = drive(cells, context, streams.entropy("global generators"))
    seconds = (time.perf_counter() - started) / len(todo)
    provenance = {**_provenance(job.device), "unit": job.unit.name, "seconds": seconds}
    records = [
        _record(job, condition, result, i in context.diverged, provenance)
        for i, (condition, result) in enumerate(zip(todo, results, strict=True))
    ]
    notes = [*context.notes, *troubles()]
    return UnitResult(records, context.choices.made, notes, imported_files())


async def run_cell(job: Job, condition: Any, streams: Streams) -> Any:
    """Run one cell, which has what it sets for its process to itself."""
    return await with_own_settings(partial(_outcome, job, condition, streams))


async def _outcome(job: Job, condition: Any, streams: Streams) -> Any:
    """Return what a cell returns; here what is no coroutine fails in the cell, too."""
    process = os.getpid()
    try:
        found = await job.run(condition, streams)
        # What a cell returns is kept when its unit ends; cells may share what they write into.
        return _apart(found) if type(found) is job.outcome else found
    finally:
        if os.getpid() != process:  # a child that the cell forked must not go on as the worker
            os._exit(0)


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
        self._process = os.getpid()

    def __call__(self, amount: float) -> None:
        self._amount += amount
        now = time.perf_counter()
        # A forked child shares the worker's pipe, and has nothing to say on it.
        if now - self._last >= _REPORT_SECONDS and os.getpid() == self._process:
            self._report(self._amount)
            self._amount, self._last = 0.0, now


def _record(
    job: Job, condition: Any, result: Any, diverged: bool, provenance: dict[str, Any]
) -> Record:
    seed = job.unit.seed
    if not isinstance(result, BaseException):
        try:
            outcome = _keepable(job.outcome, result)
            status: Status = "diverged" if diverged else "done"
            return Record(condition, seed, outcome, status, "", provenance)
        except BaseException as error:
            if is_stop(error):
                raise
            result = error
    text = text_of(result) if isinstance(result, OverparamError) else _describe(result)
    return Record(condition, seed, None, "failed", text, provenance)


def _keepable(kind: type, result: Any) -> Any:
    """Return an outcome as the store takes it.

    Raises:
        UsageError: another type, or a field that could not be kept as it is.
    """
    if type(result) is not kind:
        raise UsageError(
            f"run returned {type(result).__name__}, not {kind.__name__}",
            remedy="return the outcome that the phenomenon declares",
        )
    outcome = _plain(result)
    for field in fields_of(outcome.__class__):
        _check_declared(field, getattr(outcome, field.name))
    for name, value in (field_values(outcome) or {}).items():
        try:
            n_letters = len(encode(value, lambda array: ""))
        except UsageError as error:
            raise UsageError(
                f"{name} of the outcome cannot be kept: {error.what}",
                got=error.got,
                allowed=error.allowed,
                remedy=error.remedy,
            ) from None
        if n_letters > _MOST_LETTERS:
            raise UsageError(
                f"{name} of the outcome is too long to be kept",
                got=f"{n_letters:,} letters",
                allowed=f"{_MOST_LETTERS:,}; arrays may be larger",
                remedy="keep numbers as an array",
            )
    return outcome


def _apart(outcome: Any) -> Any:
    """Return an outcome whose arrays and containers nobody else holds."""
    made = copy.copy(outcome)
    for field in fields_of(outcome.__class__):
        object.__setattr__(made, field.name, _copied(getattr(outcome, field.name)))
    return made


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple | list | dict | set):
        with contextlib.suppress(Exception):  # what cannot be copied cannot be kept either
            return copy.deepcopy(value)
    return value


def _plain(outcome: Any) -> Any:
    """Return the outcome with tensors as NumPy values, as the store takes them."""
    changed = {
        f.name: _plain_tensor(f.name, value)
        for f in fields_of(outcome.__class__)
        if isinstance(value := getattr(outcome, f.name), torch.Tensor)
    }
    return dataclasses.replace(outcome, **changed) if changed else outcome


def _plain_tensor(name: str, tensor: torch.Tensor) -> Any:
    """Return a tensor as NumPy's.

    Raises:
        UsageError: it is of a type or layout that NumPy does not have.
    """
    if tensor.ndim == 0:
        return tensor.item()
    try:
        return tensor.detach().cpu().numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise UsageError(
            f"{name} of the outcome cannot be kept as an array",
            got=f"a tensor of {tensor.dtype}, {tensor.layout} ({text_of(error)[:100]})",
            allowed="dense tensors of types that NumPy has",
            remedy="convert it first, such as by .float(), .to_dense() or .resolve_conj()",
        ) from None


def _check_declared(field: dataclasses.Field, value: Any) -> None:
    """Refuse a value that is not of the kind that its field is declared to be.

    Only plain kinds are looked at: what is declared a number goes into means and tables, where
    text, a truth value or an array would end the study's summary, or be averaged unnoticed.

    Raises:
        UsageError: it is of another kind, or a number beyond the range of floats.
    """
    declared = getattr(field.type, "__name__", str(field.type))  # a text, if postponed
    kinds = _KINDS.get(declared)
    if kinds is None:
        return
    if not isinstance(value, kinds) or (declared in _NUMBERS and isinstance(value, bool)):
        raise UsageError(
            f"{field.name} of the outcome is declared {declared}",
            got=f"{_short(value)} ({type(value).__name__})",
            allowed=", ".join(kind.__name__ for kind in kinds),
            remedy="return that, or declare the field as what it is",
        )
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise UsageError(
            f"{field.name} of the outcome is beyond the range of floats",
            got=f"a whole number of {value.bit_length():,} bits",
            allowed=f"up to {sys.float_info.max:.2g}",
            remedy="return its logarithm",
        )


def _short(value: Any) -> str:
    try:
        return repr(value)[:80]
    except BaseException as error:
        if is_stop(error):
            raise
        return "without a text"


def _describe(error: BaseException) -> str:
    """Return kind, text and place of an error in the author's code, on one line."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" at {Path(code.co_filename).name}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {text_of(error)}{place}"


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process in bytes; 0 where it cannot be known.

    On Linux as /proc tells it: by `getrusage` the peak of a process is never below that of the one
    that started it, such as a notebook with all its data.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
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
