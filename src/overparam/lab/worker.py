"""A worker process of the pool, started as ``python -m overparam.lab.worker FD PARENT THREADS``.

It speaks pickled tuples over the socket FD, never over stdout, which belongs to the tasks:

- from the parent: first ``(sys.path, PYTHONPATH or None)``, then ``(function, payload)`` per task;
- to the parent: ``("progress", amount)`` any number of times, then ``("done", result)`` or
  ``("failed", error)``.

A thread reads the socket all the time, so that the end of the parent, however sudden, is seen at
once, also while a task computes. Importing this module imports neither NumPy nor PyTorch.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from overparam.errors import OverparamError, UsageError
from overparam.lab.blame import text_of
from overparam.models.own_imports import watch_imports
from overparam.threads import torch_threads

Report = Callable[[float], None]
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(argv: list[str]) -> None:
    """Serve tasks until the parent closes the socket or ends."""
    handle, parent, threads = (int(a) for a in argv)
    _ignore_interrupts()
    _die_with(parent)
    os.set_inheritable(handle, False)  # a task's own child must not keep the socket open
    connection = Connection(handle)
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, inbox), daemon=True).start()
    sys.path[:], python_path = pickle.loads(inbox.get())
    if python_path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = python_path
    watch_imports()
    while True:
        answer = _answer(inbox.get(), lambda done: _send(connection, ("progress", done)), threads)
        _flush()
        connection.send_bytes(answer)


def call(function: str, payload: Any, report: Report, threads: int) -> Any:
    """Return `function(payload, report)` with PyTorch, if it is used, at `threads` threads."""
    with uncollected():
        found = find_function(function)
    with torch_threads(threads):
        return found(payload, report)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Import libraries inside the block: the collector of garbage waits.

    Their objects are many and all stay. To look at them again and again took a sixth of the time
    in which a worker starts.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def find_function(name: str) -> Callable[[Any, Report], Any]:
    """Return the function called ``"module:qualname"``.

    Raises:
        UsageError: the name has another form, or names nothing that can be called.
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise UsageError("a task's function is misspelt", got=name, allowed="'module:qualname'")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError("a task's function does not exist", got=name, allowed="'module:qualname'")
    return found


def portable(error: BaseException) -> BaseException:
    """Return `error` such that it survives pickling, with the traceback's text in its notes.

    An `OverparamError` says all there is to say and goes as it is. An error that cannot be
    rebuilt from its pickle becomes a RuntimeError of the same text.
    """
    if isinstance(error, OverparamError):
        return error
    text = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
    except BaseException:  # of a class of the user's
        copy = RuntimeError(f"{type(error).__qualname__}: {text_of(error)}")
    copy.add_note(f"In a worker process:\n{text}")
    return copy


def _answer(message: bytes, report: Report, threads: int) -> bytes:
    try:
        try:
            function, payload = pickle.loads(message)
        except Exception as error:
            raise UsageError(
                "a task's payload cannot be rebuilt in a worker process",
                got=f"{type(error).__name__}: {text_of(error)}",
                remedy="define its classes in a module that can be imported, or use no workers",
            ) from error
        del message
        return _result_bytes(call(function, payload, report, threads))
    except BaseException as error:  # a task that calls sys.exit() must not take the worker along
        return pickle.dumps(("failed", portable(error)))


def _result_bytes(result: Any) -> bytes:
    try:
        return pickle.dumps(("done", result), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise UsageError(
            "a task's result cannot be sent back from a worker process",
            got=f"{type(result).__qualname__} ({error})",
            allowed="what pickle takes",
        ) from error


def _send(connection: Connection, message: Any) -> None:
    connection.send_bytes(pickle.dumps(message))


def _read(connection: Connection, inbox: queue.SimpleQueue[bytes]) -> None:
    while True:
        try:
            inbox.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # the parent closed the pool, or is gone: no result can reach anybody


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # closed, or None
            stream.flush()


def _ignore_interrupts() -> None:
    """Leave Ctrl-C, which the terminal sends to every process, to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # the parent had it blocked


def _die_with(parent: int) -> None:
    """On Linux, let the kernel kill this process when its parent ends, whatever it is doing."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we came here
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
