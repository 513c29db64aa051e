"""What a value holds, as a digest that is the same in every process for equal values.

Numbers, texts, containers, arrays, tables, networks and objects of one's own classes are known by
what they hold, also objects of classes that are made from Python's own, such as a dict with
attributes. Where that cannot be told, as of an open file, a lock or a generator, the digest
is of all the rest, and says so.

The order of what a value holds has a digest of its own (see `digests.py`).
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

from overparam.data.dataset import Dataset
from overparam.data.examples import Examples
from overparam.lab.callables import bare
from overparam.lab.digests import ORDER, WITHOUT
from overparam.lab.value_walk import ValueWalk, are_numbers, digest_of_told


def digest_of_value(value: Any, folder: Path) -> tuple[str, list[Any]]:
    """Return the digest of what a value holds, and the functions and classes that are part of it.

    Args:
        folder: paths and texts that lead into it are known by the way from there, so that a
            folder may be moved.
    """
    hashed: dict[int, str] = {}
    walks = ValueWalk(str(folder), hashed), _Sorted(str(folder), hashed)
    try:
        order, held = (digest_of_told(walk.describe(value)) for walk in walks)
    except RecursionError:
        return f"{WITHOUT}{type(value).__name__}", walks[0].code
    missing = ", ".join(sorted(set(walks[0].missing)))
    digest = f"{held}{ORDER}{order[:16]}"
    return f"{digest} {WITHOUT}{missing}" if missing else digest, walks[0].code


def code_in(value: Any) -> list[Any]:
    """Return the functions and classes that are part of a value; its data are not read."""
    walk = _Unread("\0", {})
    with suppress(RecursionError):
        walk.describe(value)
    return walk.code


class _Unread(ValueWalk):
    """Meets what it holds in the order of a `ValueWalk`, and hashes no data."""

    def _object(self, kind: type, thing: Any) -> Hashable:
        return "data" if isinstance(thing, Dataset | Examples) else super()._object(kind, thing)

    def _hashed(self, thing: Any, digest: Callable[[Any], str]) -> str:
        return ""


class _Sorted(ValueWalk):
    """Describes values past the order of what they hold, but for that of numbers.

    A set of numbers has the same order in every process.
    """

    def __init__(self, folder: str, hashed: dict[int, str]) -> None:
        super().__init__(folder, hashed)
        self._told: dict[int, str] = {}

    def describe(self, thing: Any) -> Hashable:
        thing = bare(thing)
        if id(thing) in self._told:
            return self._told[id(thing)]
        told = super().describe(thing)
        if id(thing) in self.seen:  # short, because it may be held in many places
            self._told[id(thing)] = told = digest_of_told(told)
        return told

    def _again(self, thing: object) -> Hashable:
        return "that which holds it"

    def _in_order(self, plain: Any) -> Any:
        return plain if are_numbers(plain) else sorted(map(repr, plain))

    def _object(self, kind: type, thing: Any) -> Hashable:
        if kind in (dict, OrderedDict, defaultdict):
            made = self.describe(getattr(thing, "default_factory", None))
            pairs = [(self.describe(k), self.describe(v)) for k, v in thing.items()]
            return (kind.__name__, made, *sorted(pairs, key=repr))
        if kind in (list, tuple, set, frozenset) and not self._is_plain(kind, thing):
            items = list(map(self.describe, thing))
            is_set = kind in (set, frozenset)
            kept = are_numbers(thing) and not is_set
            return (kind.__name__, *(items if kept else sorted(items, key=repr)))
        return super()._object(kind, thing)
