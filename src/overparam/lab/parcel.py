"""What worker processes are sent by value: code that no other process can find, and large arrays.

A function of a notebook, of the running script, or defined within another function has no name
under which a worker could import it. So the jobs of a run are pickled once, with such code by
value (cloudpickle), into one file. Arrays and tensors of more than a mebibyte lie beside it, each
once, and every worker maps them: pages are shared until somebody writes to them, and what is
written stays in that process. What comes back are instances of the classes that were sent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import io
import itertools
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any

import cloudpickle
import numpy as np
import torch

from overparam.errors import ResourceError, UsageError
from overparam.lab.blame import text_of
from overparam.lab.module_values import ModuleValues
from overparam.lab.names_in_code import named_submodules
from overparam.lab.pool import Task
from overparam.lab.worker import find_function, uncollected
from overparam.stopping import is_stop

SHARED_BYTES = 1 << 20  # what is larger is mapped from a file, not copied
_OF_PYTHON = 1 << 9  # flag of classes that Python code made

_numbers = itertools.count()
_sent: dict[str, list[type]] = {}  # here: the classes that went with each parcel, in order
_opened: dict[str, tuple[Mapping[str, Any], dict[type, int]]] = {}  # in a worker: the last one
# What dataclasses compare by identity, by names under which it is found again.
_MARKS = {
    id(value): name
    for name, value in vars(dataclasses).items()
    if type(value).__module__ == "dataclasses" and not isinstance(value, type)
}


@dataclass(frozen=True)
class Sent:
    """One job of a parcel, as a task's payload.

    Attributes:
        path: of the parcel. name: of the job. function: ``"module:qualname"`` of
            ``f(job, report) -> result``.
    """

    path: Path
    name: str
    function: str


@contextlib.contextmanager
def tasks_of(
    jobs: Mapping[str, Any],
    function: str,
    n_processes: int,
    folder: Path,
    values: ModuleValues | None = None,
) -> Iterator[tuple[list[Task], int, list[str]]]:
    """Yield jobs as tasks, in how many processes they run, and a note where that is none.

    Args:
        function: ``"module:qualname"`` of ``f(job, report) -> result``.
        n_processes: that are wanted; 0, or what cannot be sent, runs in this process.
        folder: of this run's own, for what is sent.
        values: what workers take over before they run a job.

    Raises:
        ResourceError: there is no room for it.
    """
    here = [Task(name, function, job) for name, job in jobs.items()]
    if n_processes == 0 or not jobs:
        yield here, n_processes, []
        return
    try:
        path, classes = pack(jobs, folder, values)
    except UsageError as error:
        yield here, 0, [f"cells ran in this process, one unit after another: {error}"]
        return
    _sent[str(path)] = classes
    sent = "overparam.lab.parcel:run_sent"
    try:
        yield [Task(name, sent, Sent(path, name, function)) for name in jobs], n_processes, []
    finally:
        del _sent[str(path)]


def pack(
    jobs: Mapping[str, Any], folder: Path, values: ModuleValues | None = None
) -> tuple[Path, list[type]]:
    """Write jobs and what they share; return the parcel and the classes that went by value.

    Raises:
        UsageError: something in them cannot be sent. ResourceError: there is no room for them.
    """
    path = folder.resolve() / f"jobs-{next(_numbers)}.pickle"
    try:
        with open(path, "wb") as file:
            pickler = _Sender(file, path.parent)
            pickler.dump(dict(jobs))
            pickler.dump(values and replace(values, held=pickler.each(values.held)))
            classes = list(pickler.classes.values())
            pickler.dump(classes)
            pickler.dump(sorted(pickler.modules))
    except OSError as error:
        raise ResourceError(
            "there is no room for what the workers share",
            got=f"{folder}: {error.strerror or error}",
            remedy="free some space, or choose another folder",
        ) from error
    except BaseException as error:  # whatever an object of the user's raises when it is pickled
        if is_stop(error):
            raise
        raise UsageError(
            "code of the phenomenon cannot be sent to worker processes",
            got=f"{type(error).__name__}: {text_of(error)}",
            remedy="let its functions make open files, locks and generators themselves",
        ) from error
    return path, classes


def run_sent(sent: Sent, report: Callable[[float], None]) -> Returned:
    """Run one job of a parcel in a worker.

    Raises:
        UsageError: the parcel cannot be opened there, or values of modules are others. Else what
        the job's function raises.
    """
    key = str(sent.path)
    if key not in _opened:
        _opened.clear()
        try:
            with open(sent.path, "rb") as file, uncollected():
                opener = _Opener(file, sent.path.parent)
                jobs, values, kinds, modules = (opener.load() for _ in range(4))
        except Exception as error:
            raise UsageError(
                "a unit of work cannot be rebuilt in a worker process",
                got=f"{type(error).__name__}: {text_of(error)}",
                remedy="define what it needs in a module that can be imported, or say workers=0",
            ) from error
        for module in modules:
            with contextlib.suppress(ImportError):  # then the cell that needs it says so
                importlib.import_module(module)
        if values is not None:
            values.take_over(lambda data: _Opener(io.BytesIO(data), sent.path.parent).load())
        _opened[key] = jobs, {kind: i for i, kind in enumerate(kinds)}
    jobs, classes = _opened[key]
    return Returned(find_function(sent.function)(jobs[sent.name], report), key, classes)


class Returned:
    """A result on its way back, which arrives as itself, made of the classes that were sent."""

    def __init__(self, result: Any, key: str, classes: Mapping[type, int]) -> None:
        self.result, self.key, self.classes = result, key, classes

    def __reduce__(self) -> tuple:
        file = io.BytesIO()
        _Returner(file, self.key, self.classes).dump(self.result)
        return pickle.loads, (file.getvalue(),)


class _Sender(cloudpickle.Pickler):
    """Pickles code by value where it has no name, and large arrays as the files that hold them."""

    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.classes: dict[int, type] = {}
        self.modules: set[str] = set()  # that functions name as parts of packages
        self._folder = folder
        self._files: dict[tuple, str] = {}
        self._alive: list[Any] = []  # so that no address is used twice

    def persistent_id(self, obj: Any) -> Any:
        """Return what names the file of an array or of a tensor's memory; None for all else."""
        if type(obj) in (np.ndarray, np.memmap) and _is_shared(obj):
            place = obj.__array_interface__["data"][0]
            key = ("array", place, obj.shape, obj.strides, obj.dtype.str)
            return ("array", self._file(key, obj, lambda path: np.save(path, np.asarray(obj))))
        if isinstance(obj, torch.storage.TypedStorage):
            memory = obj._untyped_storage
            if memory.device.type == "cpu" and memory.nbytes() > SHARED_BYTES:
                write = functools.partial(_write_memory, memory)
                name = self._file(("memory", memory.data_ptr(), memory.nbytes()), memory, write)
                return ("memory", name, memory.nbytes(), obj.dtype)
        return None

    def reducer_override(self, obj: Any) -> Any:
        """Return how classes, cached functions and marks of `dataclasses` are made again."""
        if id(obj) in _MARKS:
            return getattr, (dataclasses, _MARKS[id(obj)])
        if isinstance(obj, functools._lru_cache_wrapper) and not _has_name(obj):
            settings = obj.cache_parameters()
            return _cached, (obj.__wrapped__, settings["maxsize"], settings["typed"])
        if isinstance(obj, type) and obj.__flags__ & _OF_PYTHON and not _has_name(obj):
            self.classes[id(obj)] = obj
        if isinstance(obj, FunctionType) and not _has_name(obj):
            self.modules |= named_submodules(obj)  # cloudpickle knows those of the outer code
        return super().reducer_override(obj)

    def each(self, held: Sequence[tuple[Sequence[str], Any]]) -> list[tuple[Sequence[str], bytes]]:
        """Pickle named values, each by itself; those that cannot be pickled are left out."""
        pickled = []
        for names, value in held:
            file = io.BytesIO()
            one = _Sender(file, self._folder)
            one._files, one._alive, one.modules = self._files, self._alive, self.modules
            try:
                one.dump(value)
            except OSError:
                raise
            except BaseException as error:  # whatever an object of the user's raises
                if is_stop(error):
                    raise
                continue
            pickled.append((names, file.getvalue()))
        return pickled

    def _file(self, key: tuple, held: Any, write: Any) -> str:
        if key not in self._files:
            self._files[key] = f"array-{next(_numbers)}.npy"
            self._alive.append(held)
            write(self._folder / self._files[key])
        return self._files[key]


class _Opener(pickle.Unpickler):
    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder
        self._mapped: dict[str, Any] = {}  # each file once, as one object was sent

    def persistent_load(self, pid: Any) -> Any:
        """Return an array or a tensor's memory, mapped so that writing reaches no other process."""
        kind, name, *more = pid
        path = self._folder / name
        if kind == "array":
            if name not in self._mapped:
                self._mapped[name] = np.asarray(np.load(path, mmap_mode="c"))
            return self._mapped[name]
        size, dtype = more
        if name not in self._mapped:
            mapped = torch.UntypedStorage.from_file(str(path), shared=False, nbytes=size)
            self._mapped[name] = mapped
        return torch.storage.TypedStorage(
            wrap_storage=self._mapped[name], dtype=dtype, _internal=True
        )


class _Returner(cloudpickle.Pickler):
    def __init__(self, file: Any, key: str, classes: Mapping[type, int]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._key, self._classes = key, classes

    def reducer_override(self, obj: Any) -> Any:
        """Name a class that was sent; all else as cloudpickle does."""
        if isinstance(obj, type) and obj in self._classes:
            return _class_sent, (self._key, self._classes[obj])
        return super().reducer_override(obj)


def _class_sent(key: str, number: int) -> type:
    return _sent[key][number]


def _cached(function: Any, maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize, typed)(function)


def _has_name(obj: Any) -> bool:
    """Whether another process can import a class or function by its name."""
    module = getattr(obj, "__module__", None)
    if module in (None, "__main__") or module not in sys.modules:
        return False
    found: Any = sys.modules[module]
    for part in getattr(obj, "__qualname__", "").split("."):
        found = getattr(found, part, None)
    return found is obj


def _is_shared(array: np.ndarray) -> bool:
    return array.nbytes > SHARED_BYTES and not array.dtype.hasobject


def _write_memory(memory: torch.UntypedStorage, path: Path) -> None:
    whole = torch.empty(0, dtype=torch.uint8).set_(memory)  # type: ignore[call-overload]
    whole.numpy().tofile(path)
