"""What functions and classes reach, each by a digest: other code, and the values that they hold.

The text of a file says what its functions are, and not what they hold: what a function finds in
the function around it, default arguments, the object that a method is bound to, what a partial
call was given, and names of its module that have other values now. So functions of the user's own
are followed, and those values are known by what they hold; a function or class among them by its
name. Of a notebook, whose cells are in no file, functions and classes are known by their texts.

Names lead through modules, however deep a thing lies in them. A module that code imports where it
runs is followed if it is there already: a fresh process has it later, and then as it is written.
So of its values those are told that are not as they are written; and of what is not plainly written
it is only said what it is where it is known. So are all values of a module that code takes whole.

Of a value in a file's module the order decides nothing: the text of the file says how it is made.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from overparam.lab.callables import bare
from overparam.lab.digests import ANY_ORDER, IF_KNOWN, ORDER
from overparam.lab.held_values import code_in, digest_of_value
from overparam.lab.names_in_code import (
    all_names,
    closed_over,
    global_names,
    held_modules,
    imported_modules,
)
from overparam.lab.names_in_modules import (
    all_of_modules,
    is_in_no_file,
    is_own_module,
    of_modules,
    settings_in,
)
from overparam.lab.whole_modules import whole_modules
from overparam.lab.written import UNSAID, is_as_written, written
from overparam.training.describe import Code


class Reached(NamedTuple):
    """What is reached.

    Attributes:
        texts, values: digests by name, of the texts of code that is in no file, and of what is
            held. files: of the user's own modules, by name.
    """

    texts: dict[str, str]
    values: dict[str, str]
    files: dict[str, Path]


def what_is_reached(
    parts: Mapping[str, Any], folder: Path, wanted: Collection[str] | None = None
) -> Reached:
    """Return what these functions, classes and other callables reach.

    Code that is installed, or of this package, is not followed.

    Args:
        folder: from which paths are named.
        wanted: names of values; others are followed and have no digest. By default all.
    """
    found = _Found(folder, wanted)
    waiting, later = list(parts.items()), list[tuple[str, Any]]()
    seen: set[int] = set()
    alive = []  # so that no identity is used twice
    while waiting or later:
        is_later = not waiting  # imported within functions, or perhaps read, and nothing else
        name, thing = (later if is_later else waiting).pop()
        into, thing = later if is_later else waiting, bare(thing)
        if not isinstance(thing, FunctionType | type):
            into += [(_name(part), part) for part in found.note_value(name, thing, is_later)]
            continue
        found.note_code(name, thing, is_later)
        if id(thing) not in seen:
            seen.add(id(thing))
            alive.append(thing)
            found.note_text(thing, is_later)
            into += _reached(thing)
            later += _perhaps_read_by(thing)
    texts, values = _one_each(found.texts), _one_each(found.values)
    more = {n: f"{IF_KNOWN}{d}" for n, d in _one_each(found.if_known).items() if n not in values}
    return Reached(texts, dict(sorted((values | more).items())), dict(sorted(found.files.items())))


class _Found:
    """What was found so far; `if_known` has values of which it is not written what they are."""

    def __init__(self, folder: Path, wanted: Collection[str] | None) -> None:
        self.folder, self.wanted = folder, wanted
        self.texts: defaultdict[str, set[str]] = defaultdict(set)
        self.values: defaultdict[str, set[str]] = defaultdict(set)
        self.if_known: defaultdict[str, set[str]] = defaultdict(set)
        self.files: dict[str, Path] = {}

    def note_value(self, name: str, value: Any, is_later: bool) -> list[Any]:
        """Note what is no function and no class; return those that are part of it."""
        if self.wanted is not None and name not in self.wanted:
            return code_in(value)
        # Older studies know no modules.
        is_late = is_later or (isinstance(value, ModuleType) and " in " not in name)
        if is_late and is_as_written(_written(name), value):
            return []
        digest, code = digest_of_value(value, self.folder)
        self._known(name, is_late)[name].add(digest)
        return code

    def note_code(self, name: str, thing: Any, is_later: bool) -> None:
        """Note a function or class where its name does not say which it is."""
        values = self._known(name, is_later)
        # Of two lambdas of one line the text is the same.
        if isinstance(thing, FunctionType) and "<lambda>" in thing.__qualname__:
            values[name].add(repr(Code(thing.__code__)))
        elif _stands_for_another(name, thing):
            values[name].add(_name(thing) if _is_own(thing) else thing.__qualname__)

    def note_text(self, thing: Any, is_later: bool) -> None:
        """Note the text of what is in no file, and the file of what is the user's."""
        if is_in_no_file(thing.__module__):
            self.texts[_name(thing)].add(_digest_of_text(thing))
        elif _is_own(thing) and not is_later:  # what is imported, its unit of work tells
            file = sys.modules[thing.__module__].__file__
            self.files[thing.__module__] = Path(file or "")

    def _known(self, name: str, is_late: bool) -> defaultdict[str, set[str]]:
        is_plain = not is_late or not is_own_module(module_of(name))
        return self.values if is_plain or _written(name) is not UNSAID else self.if_known


def _written(name: str) -> Any:
    """Return what the text of its module says that a value is."""
    module = module_of(name)
    if is_in_no_file(module):  # its text is not among the files of a study
        return UNSAID
    return written(module, name.removesuffix(f" of {module}"))


def _stands_for_another(name: str, thing: Any) -> bool:
    """Whether what is held under a name is a function or class that is called otherwise."""
    if not _is_of_module(name):  # a method, or what was given
        return False
    # Installed code lies in one module or another of its library, from version to version.
    whole = _name(thing) if _is_own(thing) else f"{thing.__qualname__} of {module_of(name)}"
    return name != whole


def module_of(name: str) -> str:
    """Return the module that the name of a value ends with; "" where it names none.

    >>> module_of("N of settings"), module_of("run")
    ('settings', '')
    """
    return name.rpartition(" of ")[2] if _is_of_module(name) else ""


def _is_of_module(name: str) -> bool:
    return " of " in name


def _is_own(thing: Any) -> bool:
    return is_own_module(thing.__module__)


def _reached(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function or class names in its module, holds, or is made of."""
    if isinstance(thing, type):
        yield from _of_class(thing) if _is_own(thing) else ()
        return
    # What a library's function makes within itself, such as a decorator's, holds things too.
    if _is_own(thing) or "<locals>" in thing.__qualname__:
        yield from _held_by(thing)
    if _is_own(thing):
        yield from _named_by(thing)


def _of_class(kind: type) -> Iterator[tuple[str, Any]]:
    for name, held in vars(kind).items():
        thing = bare(held)
        if isinstance(thing, FunctionType):
            if thing.__qualname__ != f"{kind.__qualname__}.{name}" and _is_own(thing):
                yield f"{name} in {_name(kind)}", thing  # another was put in its place
            elif thing.__module__ == kind.__module__:  # else made for it, as by `dataclass`
                yield name, thing
        elif name == "__annotations__" and isinstance(held, dict):  # of a compiled class none
            yield f"{name} in {_name(kind)}", {n: str(a) for n, a in held.items()}
        elif not (name.startswith("__") or name == "_abc_impl" or hasattr(thing, "__set__")):
            yield f"{name} in {_name(kind)}", thing
    yield from ((_name(base), base) for base in kind.__bases__)


def _held_by(function: FunctionType) -> Iterator[tuple[str, Any]]:
    held = dict(function.__kwdefaults__ or {}) | vars(function)
    held.pop("__wrapped__", None)  # it is in the closure
    defaults = function.__defaults__ or ()
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
    held |= zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    held |= closed_over(function)
    for name, value in settings_in(held, set(held)):
        yield f"{name} in {_name(function)}", value


def _named_by(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, value in settings_in(function.__globals__, global_names(function.__code__)):
        yield f"{name} of {function.__module__}", value
    yield from of_modules(held_modules(function), all_names(function.__code__))


def _perhaps_read_by(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function names in modules that it imports itself, and all that it may name."""
    if isinstance(thing, FunctionType) and _is_own(thing):
        names = all_names(thing.__code__)
        yield from of_modules(imported_modules(thing), names)
        yield from all_of_modules(whole_modules(thing), names)


def _name(thing: Any) -> str:
    return f"{thing.__qualname__} of {thing.__module__}"


def _digest_of_text(part: Any) -> str:
    # Of its code, because of a function that wraps another Python shows the text of the other.
    is_function = isinstance(part, FunctionType)
    try:
        text = inspect.getsource(part.__code__ if is_function else part)
    except (OSError, TypeError):
        text = repr(Code(part.__code__)) if is_function else part.__qualname__
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _one_each(digests: Mapping[str, set[str]]) -> dict[str, str]:
    """Return one digest for each name, also where several things have it, in the names' order."""
    return {name: _one(name, digests[name]) for name in sorted(digests)}


def _one(name: str, digests: set[str]) -> str:
    whole = " and ".join(sorted(digests))
    module = module_of(name)
    return whole.replace(ORDER, ANY_ORDER) if module and not is_in_no_file(module) else whole
