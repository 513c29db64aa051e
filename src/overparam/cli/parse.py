"""From the command line's strings to objects. Every refusal says what is allowed."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from overparam.checks import check_choice, check_count
from overparam.errors import OverparamError, UsageError, suggest

if TYPE_CHECKING:
    from inspect import Signature

    from overparam.lab.phenomenon import Phenomenon

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def choice(name: str, choices: Sequence[str]) -> Callable[[str], str]:
    """Return a parser of one of `choices`, which suggests the near one."""
    return lambda text: check_choice(name, text, choices)


def whole_number(name: str, low: int = 1) -> Callable[[str], int]:
    """Return a parser of a whole number of at least `low`.

    >>> whole_number("--seeds")("1_000")
    1000
    """

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise UsageError(
                f"{name} must be a whole number", got=text, allowed=f">= {low}"
            ) from None
        return check_count(name, number, low)

    return parse


def parse_bytes(text: str) -> int:
    """Return a size in bytes; units are binary.

    >>> parse_bytes("4G") == 4 * 2**30, parse_bytes("1.5 MiB"), parse_bytes("800")
    (True, 1572864, 800)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.I)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise UsageError(
            "this is no size of memory",
            got=text,
            allowed="a number > 0, with K, M, G or T for units of 1024 bytes, such as 4G",
        )
    return size


def parse_shape(text: str) -> tuple[int, ...]:
    """Return a shape.

    >>> parse_shape("1,28,28"), parse_shape("1x28x28"), parse_shape("784")
    ((1, 28, 28), (1, 28, 28), (784,))
    """
    parts = re.split(r"[,x×]", text.strip().strip("()").rstrip(","))
    if not all(re.fullmatch(r"\s*[1-9]\d*\s*", part) for part in parts):
        raise UsageError(
            "this is no shape", got=text, allowed="whole numbers >= 1, such as 1,28,28"
        )
    return tuple(int(part) for part in parts)


def parse_settings(texts: Iterable[str]) -> dict[str, str]:
    """Return field to value, still as text: the phenomenon knows the fields' types.

    >>> parse_settings(["n_train=500", "fit=minimum norm"])
    {'n_train': '500', 'fit': 'minimum norm'}
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not (equals and name and value):
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


def parse_value(text: str) -> Any:
    """Return a family's argument: number, true, false, none, sizes such as 512x256, or text.

    >>> [parse_value(t) for t in ("10", "0.5", "true", "none", "512x256", "tanh")]
    [10, 0.5, True, None, (512, 256), 'tanh']
    """
    word = text.strip()
    constants = {"true": True, "false": False, "none": None}
    if word.lower() in constants:
        return constants[word.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    if re.fullmatch(r"\d+(x\d+)+", word):
        return tuple(int(part) for part in word.split("x"))
    return word


def parse_phenomenon(text: str) -> Phenomenon:
    """Return the phenomenon of a name or of a ``.py`` file.

    Raises:
        UsageError: no such name or file, a file without PHENOMENON, or one that fails.
    """
    from overparam.phenomena import find

    with _blaming(text):
        return find(text)


def parse_target(text: str) -> Any:
    """Return the model that a census target names.

    ``FAMILY``, ``FAMILY:argument=value,…``, ``module:object``, ``module:factory`` or
    ``file.py:object``, the last three also followed by ``:argument=value,…``. A class or function
    is called with these arguments (or none); what it returns is the model.

    Raises:
        UsageError: nothing of this name, or it fails.
    """
    parts = text.split(":")
    if len(parts) > 1 and parts[-1] and "=" not in parts[-1]:
        parts.append("")
    *where, arguments = parts if len(parts) > 1 else [text, ""]
    if len(where) == 1:
        return _call(text, _family(where[0]), _arguments(arguments))
    if len(where) != 2:
        raise UsageError(
            "this names no model",
            got=text,
            allowed="module:object, file.py:object or family:argument=value",
        )
    found = _attribute(_module(where[0]), where[1])
    if not callable(found) or (not isinstance(found, type) and _is_model(found)):
        return found
    return _call(text, found, _arguments(arguments))


def family_names() -> list[str]:
    """Return the names of the built-in families: functions of `overparam.models` that make one."""
    import inspect

    from overparam import models

    functions = {n: getattr(models, n) for n in models.__all__}
    return sorted(
        n
        for n, f in functions.items()
        if inspect.isfunction(f) and str(inspect.signature(f).return_annotation).startswith("nn.")
    )


def _family(name: str) -> Callable[..., Any]:
    from overparam import models

    known = family_names()
    if name not in known:
        raise UsageError(
            "unknown family of models",
            got=name,
            allowed=", ".join(known),
            remedy=suggest(name, known) or "or name an object, as module:object or file.py:object",
        )
    return getattr(models, name)


def _module(name: str) -> ModuleType:
    import importlib.util  # here and below: not for `--help`, which is to answer at once

    path = Path(name)
    if name.endswith(".py") and not path.is_file():
        raise UsageError("there is no such file", got=name, allowed="a Python file")
    # As with `python FILE`: what lies beside it, or in this folder, can be imported.
    folder = str(path.resolve().parent if name.endswith(".py") else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with _blaming(name):
        if not name.endswith(".py"):
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
        assert spec is not None  # it ends in .py
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module  # dataclasses and pickles look their module up by name
        spec.loader.exec_module(module)
        return module


def _attribute(module: ModuleType, dotted: str) -> Any:
    try:
        return reduce(getattr, dotted.split("."), module)
    except AttributeError:
        names = [n for n in vars(module) if not n.startswith("_")]
        raise UsageError(
            f"{module.__name__} has no such object", got=dotted, remedy=suggest(dotted, names)
        ) from None


def _arguments(text: str) -> dict[str, Any]:
    arguments = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise UsageError("this is no argument of a model", got=part, allowed="argument=value")
        arguments[name.strip()] = parse_value(value)
    return arguments


def _call(text: str, factory: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    import inspect

    with contextlib.suppress(ValueError):  # some built-in functions have no signature
        signature = inspect.signature(factory)
        try:
            signature.bind(**arguments)
        except TypeError as error:
            unknown = [n for n in arguments if n not in signature.parameters]
            near = suggest(unknown[0], signature.parameters) if unknown else ""
            raise UsageError(
                f"{text} cannot be made: {error}",
                allowed=f"{factory.__name__}{_without_types(signature)}",
                remedy=near or "give arguments after a colon, such as :width=10",
            ) from None
    with _blaming(text):
        return factory(**arguments)


def _without_types(signature: Signature) -> Signature:
    empty = signature.empty
    parameters = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=empty)


def _is_model(found: Any) -> bool:
    """Whether it is an instance to count: networks can be called, but are no factories."""
    return hasattr(found, "named_parameters") or hasattr(found, "get_params")


@contextlib.contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Turn an error in the user's own code into one that names its place."""
    try:
        yield
    except (OverparamError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{name} cannot be imported", got=str(error), remedy="is it installed, or misspelt?"
        ) from error
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{name} failed", got=f"{type(error).__name__}: {error}{_place(error)}"
        ) from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""  # its own text names the line
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
