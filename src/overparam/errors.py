"""Error kinds. Every message says what was wrong, what was given, what is allowed, what to do.

Each kind carries the exit code that the command line returns for it, so that a script can
tell a misspelt name (2) from a full disk (5) without reading the text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_OK = 0
EXIT_NOT_OBSERVED = 1  # the study ran, and a verdict is not what the phenomenon claims
EXIT_USAGE = 2  # a name, a field or a value that does not exist or is out of range
EXIT_DATA = 3  # labels, inputs or files that cannot be used
EXIT_STORE = 4  # a study folder that is locked, of another revision or damaged
EXIT_RESOURCE = 5  # disk, memory, permissions, a lost worker
EXIT_CODE = 70  # an error in code: of a phenomenon's own, or of this package
EXIT_INTERRUPTED = 130  # Ctrl-C; finished stacks are kept
_MOST_LETTERS = 500  # that are shown of a value that was given


class OverparamError(Exception):
    """Base of all errors that a user can cause and mend.

    Args:
        what: what is wrong, one clause.
        got: the value that was given.
        allowed: what would have been accepted.
        remedy: the next thing to do.

    >>> print(UsageError("learning_rate is out of range", got=-1, allowed="> 0", remedy="try 0.1"))
    learning_rate is out of range; got -1; allowed: > 0; try 0.1
    """

    exit_code = EXIT_USAGE

    def __init__(
        self, what: str, *, got: object = None, allowed: object = None, remedy: str = ""
    ) -> None:
        self.what, self.got, self.allowed, self.remedy = what, got, allowed, remedy
        parts = [what]
        if got is not None:
            parts.append(f"got {_shown(got)}")
        if allowed is not None:
            parts.append(f"allowed: {allowed}")
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(parts))

    def __reduce__(self) -> tuple:
        # Errors cross process borders; Exception's own pickling loses keyword arguments.
        return (_rebuild, (type(self), self.what, self.got, self.allowed, self.remedy))


class UsageError(OverparamError):
    """A name, field or value that does not exist or is out of range."""

    exit_code = EXIT_USAGE


class DataError(OverparamError):
    """Inputs, labels or files that cannot be used."""

    exit_code = EXIT_DATA


class StoreError(OverparamError):
    """A study folder that is locked, of another revision, or damaged."""

    exit_code = EXIT_STORE


class ResourceError(OverparamError):
    """Disk, memory, permissions, or a worker that was lost."""

    exit_code = EXIT_RESOURCE


class CodeError(OverparamError):
    """An exception out of a phenomenon's own code where no cell can take it: a bug to mend."""

    exit_code = EXIT_CODE


def suggest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the nearest known name, or "" where none is near.

    >>> suggest("randm_labels", ["random_labels", "double_descent"])
    "did you mean 'random_labels'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


def _shown(got: object) -> str:
    """Return what was given as text, whatever it is, and not too long."""
    try:
        text = repr(got) if isinstance(got, str) else str(got)
    except Exception as error:  # a number of too many digits, or an object of the user's own
        return f"a value of type {type(got).__name__} that cannot be shown ({error})"[
            :_MOST_LETTERS
        ]
    left_out = len(text) - _MOST_LETTERS
    return text if left_out <= 0 else f"{text[:_MOST_LETTERS]}… ({left_out:,} more letters)"


def _rebuild(
    kind: type[OverparamError], what: str, got: object, allowed: object, remedy: str
) -> OverparamError:
    return kind(what, got=got, allowed=allowed, remedy=remedy)
