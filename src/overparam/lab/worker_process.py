"""One worker process as its parent sees it: start it, end it, say how it died."""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from overparam.errors import ResourceError

GRACE_SECONDS = 0.5  # between asking a worker to end and killing it
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(eq=False)
class WorkerProcess:
    """A running worker, the socket to it, and what it is working on."""

    process: subprocess.Popen
    connection: Connection
    task: Any = None


def start_worker(threads: int) -> WorkerProcess:
    """Start a worker whose libraries use `threads` threads; `greeting` must be sent to it first."""
    ours, theirs = (_above_standard(s) for s in socket.socketpair())
    environment = {
        **os.environ,
        **{name: str(threads) for name in _THREAD_VARIABLES},  # read when a library is loaded
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if isinstance(p, str)),
        # What code makes from a set of texts has one order in all workers, and in every run.
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
    }
    arguments = [str(theirs), str(os.getpid()), str(threads)]
    # Until the worker ignores Ctrl-C itself it must not see any: it inherits what is blocked here.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process = subprocess.Popen(
            # -P: a file of the working directory must not stand in for a module of Python's.
            [sys.executable, *_flags(), "-P", "-m", "overparam.lab.worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=_output(1),
            stderr=_output(2),
            pass_fds=[theirs],
            env=environment,
        )
    except OSError as error:
        os.close(ours)
        raise ResourceError(
            "a worker process cannot be started",
            got=f"{sys.executable}: {error.strerror}",
            remedy="run with --workers 1, or on a machine with more memory",
        ) from error
    finally:
        os.close(theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return WorkerProcess(process, Connection(ours))


def _flags() -> list[str]:
    """Return those of Python's options that decide what code does: whether it asserts."""
    optimize, compare = "O" * sys.flags.optimize, "b" * sys.flags.bytes_warning
    return [f"-{letters}" for letters in (optimize, compare) if letters]


def _above_standard(end: socket.socket) -> int:
    """Return a descriptor above 2: where stdin is closed, the socket may have got number 0."""
    with end:
        return fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)


def _output(descriptor: int) -> int | None:
    try:
        os.fstat(descriptor)
    except OSError:  # closed here; a file that a worker opens must not get its number
        return subprocess.DEVNULL
    return None


def greeting() -> bytes:
    """Return the first message to a worker: where it shall import from."""
    return pickle.dumps((list(sys.path), os.environ.get("PYTHONPATH")))


def how_it_died(code: int) -> str:
    """Return a process's exit code in words.

    >>> how_it_died(-9)
    'signal 9 (SIGKILL)'
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def end_workers(workers: list[WorkerProcess], which: Iterable[WorkerProcess] | None = None) -> None:
    """End and reap the workers (by default all of them) and take them out of the list."""
    ending = list(workers if which is None else which)
    for worker in ending:
        if worker.process.poll() is None:
            worker.process.terminate()
        worker.connection.close()
    deadline = time.monotonic() + GRACE_SECONDS
    for worker in ending:
        try:
            worker.process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        if worker in workers:
            workers.remove(worker)
