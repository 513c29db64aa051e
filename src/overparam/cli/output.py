"""`Output`: where a command's words go. Results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from overparam.texts import printable

_MOST_LETTERS = 1_000_000  # said at once: a table is long, and no text of a study's may be longer


class Unwritable(OSError):
    """Stdout cannot be written, such as where it goes to a full disk."""


class Closed(io.StringIO):
    """Stands in for a stdout that is closed, and knows whether anybody wrote to it."""

    was_needed = False

    def write(self, text: str) -> int:
        """Write to nowhere."""
        self.was_needed = self.was_needed or bool(text)
        return len(text)


@contextlib.contextmanager
def standard_streams() -> Iterator[Closed | None]:
    """Let descriptors 0 to 2 be open inside the block, so that no other file gets their numbers.

    Yields what stands in for stdout where that is closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stdout is not None:
        yield None
        return
    closed = Closed()
    sys.stdout = closed
    try:
        yield closed
    finally:
        sys.stdout = None


class Output:
    """Writes text for people, or one JSON object and nothing else.

    With `as_json`, stdout is held back while the command runs: whatever prints in the meantime,
    in this process or in a worker, lands on stderr, so that stdout can be piped into a parser.

    Args:
        as_json: `say` is silent and `emit` writes; otherwise the other way round.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._stream: TextIO | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[Output]:
        """Hold stdout back inside the block (with `as_json`), and give it back after it."""
        if not self.as_json:
            yield self
            return
        if isinstance(sys.stdout, Closed):
            self._stream = sys.stdout
            with contextlib.redirect_stdout(sys.stderr):
                yield self
            return
        _flush()
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            with (
                open(kept, "w", encoding="ascii", closefd=False) as self._stream,
                contextlib.redirect_stdout(sys.stderr),  # where sys.stdout is not descriptor 1
            ):
                yield self
        finally:
            self._stream = None
            _flush()
            os.dup2(kept, 1)
            os.close(kept)

    def say(self, text: str = "") -> None:
        """Write one line of the result for people; a path in it may hold ends of lines."""
        self.say_lines(printable(text, _MOST_LETTERS, one_line=True))

    def say_lines(self, text: str) -> None:
        """Write several lines of the result, such as a table."""
        if not self.as_json:
            with writing():
                print(printable(text, _MOST_LETTERS))

    def note(self, text: str) -> None:
        """Write one line about the work to stderr; if it cannot be written, the work goes on."""
        tell(printable(text, one_line=True))

    def emit(self, result: Mapping[str, Any]) -> None:
        """Write the result as strict JSON; values that are not finite are null."""
        if self._stream is not None:
            with writing():
                self._stream.write(json.dumps(strict(result), indent=2, allow_nan=False) + "\n")
                self._stream.flush()


def strict(value: Any) -> Any:
    """Return `value` with tuples as lists, paths as text and non-finite numbers as None.

    A dataclass becomes an object of its fields.

    >>> strict({"shape": (2, float("inf"))})
    {'shape': [2, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: strict(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, list | tuple | range):
        return [strict(v) for v in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Return aligned columns; those whose letter in `right` is "r" are aligned to the right.

    >>> print(text_table(["layer", "weights"], [["1", "100"]], "lr"))
    layer  weights
    -----  -------
    1          100
    """
    header, *rows = ([printable(cell, one_line=True) for cell in row] for row in (header, *rows))
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    right = right.ljust(len(header), "l")
    lines = []
    for row in (header, ["-" * w for w in widths], *rows):
        cells = [
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def tell(text: str = "", end: str = "\n") -> None:
    """Write to stderr. Where that cannot be written, such as a log on a full disk, nothing is said:
    no result may be lost for want of words about it. (A reader who has gone ends the command.)
    """
    if sys.stderr is not None:
        try:
            print(text, end=end, file=sys.stderr, flush=True)
        except BrokenPipeError:
            raise
        except OSError:
            pass


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Tell an error of stdout itself from those of other files."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable(error.errno, error.strerror) from error


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()
