"""`run_bounded`: a program that may hang, ended in time with all that it started.

A compiler that hangs must cost seconds, not the study, and nothing of it may stay, also when the
process that asked for it is killed meanwhile. So a watcher stands between: this file, started as
``python bounded.py SECONDS COMMAND...``. It ends the command's process group when the time is up
or when its input closes, which the kernel does for a process that is gone.

What it writes has bounds too: each of its files, what it says included.

Seconds are those of an idle machine: what shares its core with three others has four times as
long. Else a busy machine would go without compiled code, and come to other numbers.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

try:
    import resource
except ImportError:  # not POSIX
    resource = None  # type: ignore[assignment]

TIMED_OUT = 124  # exit code of the watcher, as of `timeout` of the GNU core utilities
_POLL_SECONDS = 0.02
_MOST_BYTES = 256 << 20  # of a file
_MOST_SAID = 1 << 20  # bytes that are read of what a program says


@dataclass(frozen=True)
class Answer:
    """The beginning of what a program said, and its exit code."""

    code: int
    out: bytes
    err: bytes


def run_bounded(command: Sequence[str], seconds: float) -> Answer:
    """Run a command without input to its end.

    Raises:
        TimeoutError: it took longer. OSError: it cannot be started.
    """
    # Files, not pipes: a grandchild out of the watcher's reach would keep a pipe open.
    with contextlib.ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        watching, alive = os.pipe()
        open_end = stack.enter_context(contextlib.ExitStack())
        open_end.callback(os.close, alive)
        try:
            watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(seconds), *command],
                stdin=watching,
                stdout=out,
                stderr=err,
            )
        finally:
            os.close(watching)
        try:
            code = watcher.wait()
        except BaseException:
            open_end.close()  # upon which the watcher ends the command, and itself
            watcher.wait()
            raise
        if code == TIMED_OUT:
            raise TimeoutError(f"{command[0]} did not end within {seconds:g} s")
        for file in (out, err):
            file.seek(0)
        return Answer(code, out.read(_MOST_SAID), err.read(_MOST_SAID))


def main(argv: Sequence[str]) -> int:
    """Watch over a command; return its exit code."""
    patience, last = float(argv[0]), time.monotonic()
    _bound_files()
    try:
        child = subprocess.Popen(argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"error: {argv[1]}: {error.strerror}", file=sys.stderr)
        return 127
    try:
        while child.poll() is None:
            asked_to_end, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
            now = time.monotonic()
            patience, last = patience - (now - last) * _share(), now
            if asked_to_end or patience < 0:
                return TIMED_OUT
        return child.returncode
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _bound_files() -> None:
    """Let the kernel end whoever writes a file without an end, before the disk is full."""
    if resource is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        if soft == resource.RLIM_INFINITY or soft > _MOST_BYTES:
            resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, hard))


def _share() -> float:
    """Return which part of a core a process has now, at most 1."""
    return min(1.0, (os.cpu_count() or 1) / max(os.getloadavg()[0], 1.0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
