"""Worker processes on this machine: tasks in, events out, and nothing that can end the study.

Unlike `concurrent.futures` and `multiprocessing`, a worker is a program of its own: it does not
import the user's ``__main__`` again, so notebooks and scripts without a guard work; a worker that
is killed costs the one task it held, which is tried again; and no worker outlives its parent.
POSIX only (it passes an open socket to the worker).
"""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from overparam.checks import check_count
from overparam.errors import UsageError
from overparam.lab.pool_errors import lost, too_late, unreadable
from overparam.lab.worker import call
from overparam.lab.worker_process import (
    GRACE_SECONDS,
    WorkerProcess,
    end_workers,
    greeting,
    start_worker,
)
from overparam.stopping import is_stop

_POLL_SECONDS = 0.5  # how soon a death is seen whose socket a grandchild still holds open


class Task(NamedTuple):
    """One call: ``function`` is "module:qualname" of ``f(payload, report) -> result``."""

    id: Any
    function: str
    payload: Any


@dataclass(frozen=True)
class Progress:
    """The task called ``report(amount)``."""

    id: Any
    amount: float


@dataclass(frozen=True)
class Done:
    """The task ended."""

    id: Any
    result: Any


@dataclass(frozen=True)
class Failed:
    """The task raised `error`; or, where `lost`, its worker died every time, or time was over."""

    id: Any
    error: BaseException
    lost: bool = False


Event = Progress | Done | Failed


@dataclass
class _Attempt:
    task: Task
    message: bytes = b""
    deaths: list[int] = field(default_factory=list)
    begun: float = 0.0


class Pool:
    """Runs tasks in `n_workers` processes of `threads` threads each; a context manager.

    Workers start when a task needs them and are kept until `close`. They have this process's
    ``sys.path``, working directory, environment and output, and see no input.

    Args:
        n_workers: 0 runs the tasks in this process, one after another, with the same events.
        threads: of PyTorch and the BLAS libraries in each worker.
        tries: how often a task is started whose worker dies.
        deadline: reading of `time.monotonic` at which tasks are ended, whatever they do, and no
            other is begun; it may be moved between runs. With no workers a task that is under way
            goes on to its end.
    """

    def __init__(
        self, n_workers: int, threads: int = 1, tries: int = 2, deadline: float | None = None
    ) -> None:
        self.n_workers = check_count("n_workers", n_workers, 0)
        self.threads = check_count("threads", threads)
        self.tries = check_count("tries", tries)
        self.deadline = deadline
        self._running = False
        self._workers: list[WorkerProcess] = []
        self._end = weakref.finalize(self, end_workers, self._workers)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and wait until they are gone; the pool can be used again after it."""
        end_workers(self._workers)

    def run(
        self,
        tasks: Iterable[Task | tuple[Any, str, Any]],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Generator[Event, None, None]:
        """Yield the events of all tasks, in the order in which they happen.

        Each task ends in exactly one `Done` or `Failed`. Tasks are drawn from the iterable as
        workers become free. When the iterator is closed or interrupted, tasks that are under way
        are ended with their workers.

        Args:
            on_progress: takes the `Progress` events at once, instead of their being yielded (with
                no workers, yielding has to wait until the task ends).

        Raises:
            UsageError: another run of this pool is under way.
            ResourceError: a worker process cannot be started.
        """
        if self._running:
            raise UsageError(
                "this pool is running tasks already",
                allowed="one run at a time",
                remedy="close the first iterator, or make another Pool",
            )
        every = (Task(*t) for t in tasks)
        events = self._run_here(every, on_progress) if self.n_workers == 0 else self._run(every)
        self._running = True
        try:
            for event in events:
                if isinstance(event, Progress) and on_progress is not None:
                    on_progress(event)
                else:
                    yield event
        finally:
            self._running = False
            events.close()

    def _run_here(
        self, tasks: Iterator[Task], on_progress: Callable[[Progress], None] | None
    ) -> Generator[Event, None, None]:
        for task in tasks:
            if self._is_over():
                yield Failed(task.id, too_late(None), lost=True)
                continue
            waiting: list[Progress] = []
            tell = on_progress or waiting.append
            end: Event
            try:
                result = call(
                    task.function,
                    task.payload,
                    lambda amount, i=task.id, tell=tell: tell(Progress(i, amount)),  # type: ignore[misc]
                    self.threads,
                )
                end = Done(task.id, result)
            except BaseException as error:
                if is_stop(error):
                    raise
                end = Failed(task.id, error)
            if on_progress is None:
                yield from waiting
            yield end

    def _run(self, tasks: Iterator[Task]) -> Generator[Event, None, None]:
        again: deque[_Attempt] = deque()
        happened: list[Event] = []
        try:
            while True:
                if self._is_over():
                    happened += self._end_all(tasks, again)
                try:  # no worker waits for what is done with an event, such as writing it down
                    happened += self._assign(tasks, again)
                finally:  # nor is one lost where no other worker can be started
                    yield from happened
                happened.clear()
                busy = {w.connection: w for w in self._workers if w.task is not None}
                if not busy:
                    return
                ready = wait(list(busy), _POLL_SECONDS)
                for worker in busy.values():
                    if worker.connection in ready:
                        happened += self._receive(worker, again)
                    elif worker.process.poll() is not None and not worker.connection.poll():
                        happened += self._bury(worker, again)
        finally:
            end_workers(self._workers, [w for w in self._workers if w.task is not None])

    def _is_over(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _end_all(self, tasks: Iterator[Task], again: deque[_Attempt]) -> Iterator[Event]:
        """End what is under way, and begin nothing else; what is done by now is told."""
        for worker in [w for w in self._workers if w.task is not None]:
            while worker.task is not None and worker.connection.poll():
                yield from self._receive(worker, again)
            if worker.task is not None:
                yield Failed(worker.task.task.id, too_late(worker.task.begun), lost=True)
                end_workers(self._workers, [worker])
        for task in (*(attempt.task for attempt in again), *tasks):
            yield Failed(task.id, too_late(None), lost=True)
        again.clear()

    def _assign(self, tasks: Iterator[Task], again: deque[_Attempt]) -> Iterator[Event]:
        """Give every free worker a task, starting workers while there are tasks for them."""
        while True:
            free = next((w for w in self._workers if w.task is None), None)
            if free is None and len(self._workers) >= self.n_workers:
                return
            attempt = None
            while attempt is None:
                task = next(tasks, None)
                if task is None:
                    break
                try:
                    attempt = _Attempt(task, _task_message(task))
                except UsageError as error:
                    yield Failed(task.id, error)
            if attempt is None:
                if not again:
                    return
                attempt = again.popleft()  # last, when fewer others compete for the memory
            self._give(attempt, free)

    def _give(self, attempt: _Attempt, free: WorkerProcess | None) -> None:
        attempt.begun = time.monotonic()
        if free is not None:
            try:
                free.connection.send_bytes(attempt.message)
                free.task = attempt
                return
            except OSError:  # it died while it had nothing to do; that is no task's fault
                end_workers(self._workers, [free])
        worker = start_worker(self.threads)
        worker.task = attempt
        self._workers.append(worker)
        with contextlib.suppress(OSError):  # it died at once; `_bury` will find and count it
            worker.connection.send_bytes(greeting())
            worker.connection.send_bytes(attempt.message)

    def _receive(self, worker: WorkerProcess, again: deque[_Attempt]) -> Iterator[Event]:
        assert worker.task is not None
        try:
            message = worker.connection.recv_bytes()
        except (EOFError, OSError):
            yield from self._bury(worker, again)
            return
        task_id = worker.task.task.id
        try:
            kind, value = pickle.loads(message)
        except Exception as error:
            kind, value = "failed", unreadable(error)
        if kind == "progress":
            yield Progress(task_id, value)
            return
        worker.task = None
        yield Done(task_id, value) if kind == "done" else Failed(task_id, value)

    def _bury(self, worker: WorkerProcess, again: deque[_Attempt]) -> Iterator[Event]:
        """Remove a dead worker; its task is tried again or given up."""
        attempt = worker.task
        assert attempt is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(GRACE_SECONDS)  # its socket closes a moment before it is gone
        end_workers(self._workers, [worker])
        attempt.deaths.append(worker.process.returncode)
        if len(attempt.deaths) < self.tries:
            again.append(attempt)
        else:
            yield Failed(attempt.task.id, lost(attempt.deaths), lost=True)


def pool_of(given: Pool | None, n_processes: int) -> contextlib.AbstractContextManager[Pool]:
    """Return workers that are there already, and stay; or new ones, which end with the block."""
    if given is not None and n_processes:
        return contextlib.nullcontext(given)
    return Pool(n_processes, threads=1, deadline=None if given is None else given.deadline)


def _task_message(task: Task) -> bytes:
    if task.function.startswith("__main__:"):
        raise UsageError(
            "a worker process cannot import a function of the running script or notebook",
            got=task.function,
            remedy="put it into a module, or use no workers",
        )
    try:
        return pickle.dumps((task.function, task.payload), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise UsageError(
            "a task's payload cannot be sent to a worker process",
            got=f"{type(task.payload).__qualname__} ({error})",
            allowed="what pickle takes",
            remedy="define its classes in a module, or use no workers",
        ) from error
