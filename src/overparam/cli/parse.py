"""From the command line's strings to objects. Every refusal says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from overparam.checks import (
    MOST_COUNT,
    check_choice,
    check_count,
    check_file,
    check_path,
    read_whole,
)
from overparam.errors import UsageError
from overparam.models.targets import blaming

if TYPE_CHECKING:
    from overparam.lab.phenomenon import Phenomenon

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def choice(name: str, choices: Sequence[str]) -> Callable[[str], str]:
    """Return a parser of one of `choices`, which suggests the near one."""
    return lambda text: check_choice(name, text, choices)


def whole_number(name: str, low: int = 1) -> Callable[[str], int]:
    """Return a parser of a whole number of at least `low`.

    >>> whole_number("--seeds")("1000")
    1000
    """

    def parse(text: str) -> int:
        try:
            number = read_whole(text)
        except ValueError:
            raise UsageError(
                f"{name} must be a whole number", got=text, allowed=f"[{low}, {MOST_COUNT}]"
            ) from None
        return check_count(name, number, low)

    return parse


def parse_bytes(text: str) -> int:
    """Return a size in bytes; units are binary.

    >>> parse_bytes("4G") == 4 * 2**30, parse_bytes("1.5 MiB"), parse_bytes("800")
    (True, 1572864, 800)
    """
    pattern = r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?"
    found = re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.ASCII)
    size = float(found[1]) * _UNITS[found[2].upper()] if found else 0.0
    if not 1 <= size <= MOST_COUNT:
        raise UsageError(
            "--memory: this is no size of memory",
            got=text,
            allowed="a number > 0, with K, M, G or T for units of 1024 bytes, such as 4G",
        )
    return int(size)


def parse_shape(text: str) -> tuple[int, ...]:
    """Return a shape.

    >>> parse_shape("1,28,28"), parse_shape("1x28x28"), parse_shape("784")
    ((1, 28, 28), (1, 28, 28), (784,))
    """
    parts = re.split(r"[,x×]", text.strip().strip("()").rstrip(","))
    try:
        return tuple(check_count("a size", read_whole(part)) for part in parts)
    except (ValueError, UsageError):
        raise UsageError(
            "--input-shape: this is no shape",
            got=text,
            allowed="whole numbers >= 1 and < 2^63, such as 1,28,28",
        ) from None


def parse_path(text: str) -> Path:
    """Return a path; an empty one, as of a shell variable that is not set, is refused.

    >>> str(parse_path("studies/mine"))
    'studies/mine'
    """
    if not text.strip():
        raise UsageError("a path is empty", got=text, remedy="is a variable of the shell not set?")
    return check_path(text)


def parse_file(text: str) -> Path:
    """Return the path of a file to write; where something else stands, it is refused.

    >>> str(parse_file("index.html"))
    'index.html'
    """
    return check_file(parse_path(text))


def parse_settings(texts: Iterable[str]) -> dict[str, str]:
    """Return field to value, still as text: the phenomenon knows the fields' types.

    >>> parse_settings(["n_train=500", "fit=minimum norm"])
    {'n_train': '500', 'fit': 'minimum norm'}
    >>> parse_settings(["label="])  # a text without letters
    {'label': ''}
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not (equals and name):
            raise UsageError(
                "--set takes a field and its value", got=text, allowed="field=value, no spaces"
            )
        if settings.setdefault(name, value) != value:
            raise UsageError(
                f"{name} is set twice",
                got=f"{settings[name]} and {value}",
                remedy="run the study once with each",
            )
    return settings


def parse_list(name: str, choices: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of choices with commas between them.

    >>> parse_list("format", ["svg", "png"])("svg,png")
    ('svg', 'png')
    """
    return lambda text: tuple(check_choice(name, t.strip(), choices) for t in text.split(","))


def parse_phenomenon(text: str) -> Phenomenon:
    """Return the phenomenon of a name or of a ``.py`` file.

    Raises:
        UsageError: no such name or file, a file without PHENOMENON, or one that fails.
    """
    from overparam.api import find

    with blaming(text):
        return find(text)
