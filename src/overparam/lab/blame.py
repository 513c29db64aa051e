"""Whose error it is: what code of the user's raises is told with its place in that code."""

from __future__ import annotations

import contextlib
import errno
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from overparam.errors import CodeError, ResourceError, StoreError
from overparam.models.own_imports import is_installed
from overparam.stopping import is_stop

_MOST_LETTERS = 2000  # of another's error
_PACKAGE_FOLDER = f"{Path(__file__).parents[1]}{os.sep}"
_MORE = {
    "memory": "run it with more memory, or let it hold less at a time",
    "open files": "allow more (ulimit -n), or let it hold fewer open at a time",
}
# How the system says that there was no room for a library.
_NOT_LOADED = {
    "failed to map segment": "memory",
    os.strerror(errno.ENOMEM): "memory",
    os.strerror(errno.EMFILE): "open files",
}
_ERRNOS = {errno.ENOMEM: "memory", errno.EMFILE: "open files", errno.ENFILE: "open files"}


@contextlib.contextmanager
def blaming_code(
    name: str,
    function: str,
    passing: tuple[type[Exception], ...] = (StoreError, ResourceError),
    remedy: str = "mend the code",
    code: Callable | None = None,
) -> Iterator[None]:
    """Turn what a phenomenon's function raises into an error that names the place.

    Args:
        name: of the phenomenon. passing: errors that say themselves what is to be done, errors
            about studies and resources only where this package raised them.
        code: the function, whose own line is named where it had returned already.

    Raises:
        ResourceError: memory or open files ran out. CodeError: anything else was raised,
        `sys.exit` included, but for the user's Ctrl-C.
    """
    try:
        yield
    except BaseException as error:
        if is_stop(error) or isinstance(error, CodeError):
            raise
        # Code of the user's knows nothing of a study's state: it only borrows these names.
        borrowed = isinstance(error, StoreError | ResourceError) and not _raised_here(error)
        if isinstance(error, passing) and not borrowed:
            raise
        place = place_of(error)
        defined = getattr(code, "__code__", None)
        if place is None and defined is not None:
            place = f"{defined.co_filename}:{defined.co_firstlineno} in {defined.co_name}"
        elif place is None:
            place = _told(_frames(error)[-1])
        short = what_ran_out(error)
        if short:
            raise ResourceError(
                f"{short} ran out in {function} of {name}", got=place, remedy=_MORE[short]
            ) from error
        raise CodeError(
            f"{function} of {name} raised {type(error).__name__}: {text_of(error)}",
            got=place,
            remedy=remedy,
        ) from error


def place_of(error: BaseException) -> str | None:
    """Return where in the user's own code an error was raised, or None where it was not there.

    Where the function of the user's itself was, and not what it called in a library.
    """
    own = [f for f in _frames(error) if not _is_library(f.filename)]
    return _told(own[-1]) if own else None


def what_ran_out(error: BaseException) -> str:
    """Return what of the machine's an error is about, "memory" or "open files"; "" if neither.

    >>> what_ran_out(OSError(24, "Too many open files"))
    'open files'
    """
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, OSError):
        return _ERRNOS.get(error.errno or 0, "")
    if isinstance(error, ImportError):
        return next((what for sign, what in _NOT_LOADED.items() if sign in text_of(error)), "")
    return ""


def text_of(error: BaseException) -> str:
    """Return what an exception says, bounded, also where its own `__str__` raises or exits."""
    try:
        text = str(error)
    except BaseException as second:
        if is_stop(second):
            raise
        text = f"(its text raises {type(second).__name__})"
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…"


def _raised_here(error: BaseException) -> bool:
    return _frames(error)[-1].filename.startswith(_PACKAGE_FOLDER)


def _frames(error: BaseException) -> traceback.StackSummary:
    return traceback.extract_tb(error.__traceback__)


def _told(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename}:{frame.lineno} in {frame.name}"


def _is_library(filename: str) -> bool:
    return filename.startswith("<frozen") or is_installed(filename)
