"""Who stops: the user with Ctrl-C or a signal, or code that raises what looks like it.

A cell that calls `sys.exit`, is cancelled, or raises `KeyboardInterrupt` itself has failed, and the
study goes on; the user's own Ctrl-C ends it. Where a command handles the signals, they come as
`Stopped`; elsewhere a KeyboardInterrupt may be the user's.
"""

from __future__ import annotations

import signal


class Stopped(KeyboardInterrupt):
    """A signal came: the process is to end in good order."""


class Terminated(Stopped):
    """It was SIGTERM."""


class HungUp(Stopped):
    """It was SIGHUP: the terminal is gone."""


_KINDS: dict[int, type[Stopped]] = {signal.SIGTERM: Terminated, signal.SIGHUP: HungUp}


def is_stop(error: BaseException) -> bool:
    """Whether an exception says that the user wants the process to end.

    >>> is_stop(Stopped()), is_stop(SystemExit(0)), is_stop(ValueError())
    (True, False, False)
    """
    if isinstance(error, Stopped):
        return True
    handled = signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, stop)  # as in a worker; as `stop`
    return isinstance(error, KeyboardInterrupt) and not handled


def stop(number: int, frame: object) -> None:
    """Raise `Stopped`; a handler for SIGINT, SIGTERM and SIGHUP."""
    raise _KINDS.get(number, Stopped)
