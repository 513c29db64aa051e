"""Values of modules as the user's process has them, for workers, which import the modules anew.

A worker has the N of the file `settings.py`, whatever the user's process has made of `settings.N`
since; and what a module draws, or reads from a clock, is another in each process. So what modules,
their classes and attributes of their functions hold goes with the jobs, with its digests. A worker
takes over what is another there, and computes nothing where something remains another.

Two things are left as they are. The order of what a module makes from a set is always the same in
workers (`worker_process.py`). And what is empty in a worker, in a closure, fills there as it did
here: a memory of what was computed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from overparam.errors import UsageError
from overparam.lab.code import PHENOMENON, OwnCode
from overparam.lab.digests import IF_KNOWN, is_other
from overparam.lab.held_values import digest_of_value
from overparam.lab.names_in_modules import is_in_no_file
from overparam.lab.reached import module_of, what_is_reached


@dataclass(frozen=True)
class ModuleValues:
    """What the modules hold that some functions and classes reach.

    Attributes:
        parts: the functions and classes. folder: from which paths are named.
        digests: of what is held, by name, in functions and classes of the modules too.
        held: values that can be set, with the names of each; in a worker, as bytes.
    """

    parts: Mapping[str, Any]
    folder: Path
    digests: Mapping[str, str]
    held: Sequence[tuple[Sequence[str], Any]]

    def take_over(self, opened: Callable[[bytes], Any]) -> None:
        """Set in this process what is another here.

        Args:
            opened: makes a value from bytes.

        Raises:
            UsageError: something is another here and cannot be set.
        """
        for module in {module_of(name) for name in self.digests}:
            with suppress(Exception):  # some are imported only where a function runs
                importlib.import_module(module)
        others = self._others()
        for names, data in self.held if others else ():
            if others.intersection(names):
                with suppress(Exception):  # then it is another still
                    value = opened(data)
                    for name in names:
                        setattr(_owner(name), _attribute(name), value)
        remaining = self._others() if others else others
        if remaining:
            raise UsageError(
                "worker processes import code from its files, and have other values than this one",
                got=", ".join(sorted(remaining)),
                allowed="values of modules and classes, which they are sent if they can be "
                "pickled; not default arguments and closures of a file",
                remedy="set them in the file, hand them to the phenomenon's functions, or say "
                "workers=0",
            )

    def _others(self) -> set[str]:
        known = what_is_reached(self.parts, self.folder, wanted=self.digests).values
        # Here it may be reached otherwise, as by way of what is taken over only then.
        missing = _values([name for name in self.digests if name not in known])
        known |= what_is_reached(missing, self.folder, wanted=missing).values
        here = {name: digest.removeprefix(IF_KNOWN) for name, digest in known.items()}
        nothings: list[Any] = [None, {}, [], set()]
        empty = [digest_of_value(nothing, self.folder)[0] for nothing in nothings]
        return {
            name
            for name, digest in self.digests.items()
            # Here all of it is known, if it can be imported at all.
            if is_other(digest.removeprefix(IF_KNOWN), here.get(name))
            and (_owner(name) or all(is_other(here.get(name), nothing) for nothing in empty))
        }


def values_of(code: OwnCode) -> ModuleValues | None:
    """Return what the user's modules hold that cells read; None where they read none."""
    parts, values = code.in_cells
    digests = {n: d for n, d in values.items() if not is_in_no_file(module_of(n))}
    if not digests:
        return None
    held: dict[int, tuple[list[str], Any]] = {}
    for name, value in _values(digests).items():
        held.setdefault(id(value), ([], value))[0].append(name)
    folder = code.folders.get(PHENOMENON, Path.cwd())
    return ModuleValues(parts, folder, digests, list(held.values()))


def _values(names: Iterable[str]) -> dict[str, Any]:
    """Return the values that can be set, by name."""
    owners = {name: _owner(name) for name in names}
    return {
        name: vars(owner)[_attribute(name)]
        for name, owner in owners.items()
        if owner is not None and _attribute(name) in vars(owner)
    }


def _attribute(name: str) -> str:
    return name.removesuffix(f" of {module_of(name)}").partition(" in ")[0]


def _owner(name: str) -> Any:
    """Return the module, class or function whose attribute a value is; None of a closure's."""
    owner: Any = sys.modules.get(module_of(name))
    within = name.removesuffix(f" of {module_of(name)}").partition(" in ")[2]
    for part in within.split(".") if within else ():
        owner = getattr(owner, part, None)
    if isinstance(owner, FunctionType):  # what it has not is a default argument, or in the closure
        return owner if _attribute(name) in vars(owner) else None
    return owner if isinstance(owner, ModuleType | type) else None
