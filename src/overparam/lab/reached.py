"""What functions and classes reach, each by a digest: other code, and the values that they hold.

The text of a file says what its functions are, and not what they hold: what a function finds in
the function around it, default arguments, the object that a method is bound to, what a partial
call was given, and names of its module that have other values now. So functions of the user's own
are followed, and those values are known by what they hold; a function or class among them by its
name. Of a notebook, whose cells are in no file, functions and classes are known by their texts.

Of a value in a file's module the order decides nothing: the text of the file says how it is made.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from overparam.lab.callables import bare
from overparam.lab.digests import ANY_ORDER, ORDER
from overparam.lab.held_values import code_in, digest_of_value, is_cache
from overparam.models.own_imports import is_own
from overparam.training.describe import Code

_LOOK_UPS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")  # Python's instructions


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
    texts, values, files = defaultdict(set), defaultdict(set), {}
    waiting = list(parts.items())
    seen: set[int] = set()
    alive = []  # so that no identity is used twice
    while waiting:
        name, thing = waiting.pop()
        thing = bare(thing)
        if not isinstance(thing, FunctionType | type):
            if wanted is None or name in wanted:
                digest, code = digest_of_value(thing, folder)
                values[name].add(digest)
            else:
                code = code_in(thing, folder)
            waiting += [(_name(part), part) for part in code]
            continue
        # Of two lambdas of one line the text is the same.
        if isinstance(thing, FunctionType) and "<lambda>" in thing.__qualname__:
            values[name].add(repr(Code(thing.__code__)))
        elif _stands_for_another(name, thing):
            values[name].add(_name(thing) if _is_own(thing) else thing.__qualname__)
        if id(thing) not in seen:
            seen.add(id(thing))
            alive.append(thing)
            if is_in_no_file(thing.__module__):
                texts[_name(thing)].add(_digest_of_text(thing))
            elif _is_own(thing):
                files[thing.__module__] = Path(sys.modules[thing.__module__].__file__ or "")
            waiting += _reached(thing)
    return Reached(_one_each(texts), _one_each(values), dict(sorted(files.items())))


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


def is_in_no_file(module: str) -> bool:
    """Whether code is of a notebook, of the running script, or of a module that nobody can find."""
    if module in sys.builtin_module_names or _origin(module) in ("frozen", "built-in"):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return module == "__main__" or file is None


def _is_of_module(name: str) -> bool:
    return " of " in name


def _origin(module: str) -> str | None:
    return getattr(getattr(sys.modules.get(module), "__spec__", None), "origin", None)


def _is_own(thing: Any) -> bool:
    module = thing.__module__
    if is_in_no_file(module):
        return True
    return is_own(module, getattr(sys.modules.get(module), "__file__", None))


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
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount]
    held |= zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            held[variable] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    for name, value in _settings_in(held, set(held)):
        yield f"{name} in {_name(function)}", value


def _named_by(function: FunctionType) -> Iterator[tuple[str, Any]]:
    names = set(_names_in(function.__code__))
    for name, value in _settings_in(function.__globals__, set(_globals_in(function.__code__))):
        if isinstance(value, ModuleType):
            whole = is_own(value.__name__, getattr(value, "__file__", None))
            for other, held in _settings_in(vars(value), names):
                # Of a library, what the user put there: a function in place of its own.
                if _is_put(held, other) or (whole and not isinstance(held, ModuleType)):
                    yield f"{other} of {value.__name__}", held
        else:
            yield f"{name} of {function.__module__}", value


def _is_put(thing: Any, name: str) -> bool:
    """Whether what a library has under a name may have been put there by the user."""
    if not isinstance(thing, FunctionType | BuiltinFunctionType | type):
        return False
    return thing.__name__ != name or (thing.__module__ in sys.modules and _is_own(thing))


def _settings_in(held: Mapping[str, Any], names: set[str]) -> Iterator[tuple[str, Any]]:
    for name in names & set(held):
        if not (name.startswith("__") or is_cache(name, held[name])):
            yield name, held[name]


def _globals_in(code: CodeType) -> Iterator[str]:
    """Yield the names that code looks up in its module; those of attributes are not among them."""
    yield from (str(i.argval) for i in dis.get_instructions(code) if i.opname in _LOOK_UPS)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_in(constant)


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


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
