"""From the name of a model to the model: families of this package, and the user's own objects.

`FAMILY`, `FAMILY:argument=value,…`, `module:object`, `module:factory` or `file.py:object`. Names
are resolved here and nowhere else, in the command line and again in each worker process, because
an object of the user's may not survive the way there.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from textwrap import shorten
from types import ModuleType
from typing import TYPE_CHECKING, Any

from overparam.checks import read_number
from overparam.errors import OverparamError, UsageError, suggest
from overparam.models.own_modules import find_first, import_file, module_file, source_files
from overparam.stopping import is_stop

if TYPE_CHECKING:
    from inspect import Signature

_MOST_LETTERS = 400  # of another library's error; PyTorch's hold whole stacks of C++


def load_target(text: str, **arguments: Any) -> Any:
    """Return the model that a census target names.

    ``FAMILY``, ``FAMILY:argument=value,…``, ``module:object``, ``module:factory`` or
    ``file.py:object``, the last three also followed by ``:argument=value,…``. A class or function
    is called with these arguments (or none); what it returns is the model.

    Args:
        text: the name. arguments: more of them, which win over those in `text`.

    Raises:
        UsageError: nothing of this name, it fails, or arguments for an object that takes none.

    >>> load_target("mlp:input_dim=4,n_outputs=2", hidden=3)[1].out_features
    3
    """
    return find_target(text)(**arguments)


def find_target(text: str) -> Callable[..., Any]:
    """Return the function that makes the model of `load_target`, its module being imported.

    Apart, because importing a module may draw random numbers, and does so only the first time.
    """
    found, written = find_object(text)

    def make(**arguments: Any) -> Any:
        given = {**written, **arguments}
        if callable(found) and (isinstance(found, type) or not _is_model(found)):
            return _call(text, found, given)
        if given:
            raise UsageError(
                f"{text} is a model already and takes no arguments",
                got=", ".join(given),
                remedy="name a class or a function that makes the model",
            )
        return found

    return make


def find_object(text: str) -> tuple[Any, dict[str, Any]]:
    """Return the object that a target names, not called, and the arguments that are written."""
    module, name, written = _parts(text)
    found = _attribute(_module(module), name) if module else _family(name)
    return found, _arguments(written)


def sources_of(text: str) -> list[Path]:
    """Return the files of the user's of which a target is made, sorted; none for a family.

    The target's own file and those of its folder that it imports, directly or through others;
    read from their text, so that nothing is imported. Installed packages are not among them.
    """
    module, _, _ = _parts(text)
    path = Path(module) if module.endswith(".py") else module_file(module) if module else None
    return source_files(path) if path is not None and path.is_file() else []


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


def parse_value(text: str) -> Any:
    """Return a family's argument: number, true, false, none, sizes such as 512x256, or text.

    >>> [parse_value(t) for t in ("10", "0.5", "true", "none", "512x256", "tanh")]
    [10, 0.5, True, None, (512, 256), 'tanh']
    """
    word = text.strip()
    constants = {"true": True, "false": False, "none": None}
    if word.lower() in constants:
        return constants[word.lower()]
    with contextlib.suppress(ValueError):
        return read_number(word)
    if re.fullmatch(r"[0-9]{1,20}(x[0-9]{1,20})+", word):
        return tuple(int(part) for part in word.split("x"))
    return word


@contextlib.contextmanager
def blaming(name: str) -> Iterator[None]:
    """Turn an error in the user's own code into one that names its place."""
    try:
        yield
    except (OverparamError, KeyboardInterrupt, GeneratorExit):
        raise
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{name} cannot be imported", got=str(error), remedy="is it installed, or misspelt?"
        ) from error
    except BaseException as error:  # SystemExit, pytest.skip and others are no Exception
        raise UsageError(f"{name} failed", got=f"{error_text(error)}{_place(error)}") from error


def error_text(error: BaseException) -> str:
    """Return kind and words of an error in code of the user's, on one line, whatever they hold."""
    try:
        words = str(error)
    except BaseException as second:  # of a class that the user wrote
        if is_stop(second):
            raise
        words = "(its text cannot be made)"
    printable = "".join(
        c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in words
    )
    return f"{type(error).__name__}: {shorten(printable, _MOST_LETTERS)}".removesuffix(": ")


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


def _parts(text: str) -> tuple[str, str, str]:
    """Return the module or file ("" for a family), the name, and the arguments as written."""
    module, rest = _file_and_rest(text)
    if not module:
        head, _, rest = text.partition(":")
        if "=" in rest.partition(":")[0] or not rest:
            return "", head, rest
        module = head
    name, _, written = rest.partition(":")
    if not name or (written and "=" not in written.partition(":")[0]):
        raise UsageError(
            "this names no model",
            got=text,
            allowed="module:object, file.py:object or family:argument=value",
            remedy="name an object of it, such as its class or function" if not name else "",
        )
    return module, name, written


def _file_and_rest(text: str) -> tuple[str, str]:
    """Return the path of a file and what follows its colon; paths may hold colons of their own."""
    splits = [(text[: m.start() + 3], text[m.end() :]) for m in re.finditer(r"\.py(:|$)", text)]
    for path, rest in splits:
        if Path(path).is_file():
            return path, rest
    is_argument = re.match(r"[^\W\d][\w.]*:([\w.]+:)?\w+=", text) and len(splits) == 1
    return splits[0] if splits and not is_argument else ("", text)


def _module(name: str) -> ModuleType:
    import importlib  # here and below: not for `--help`, which is to answer at once

    path = Path(name)
    if name.endswith(".py") and not path.is_file():
        raise UsageError("there is no such file", got=name, allowed="a Python file")
    with blaming(name):
        if name.endswith(".py"):
            return import_file(path)
        find_first(Path.cwd())
        importlib.invalidate_caches()
        return importlib.import_module(name)


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
    with blaming(text):
        return factory(**arguments)


def _without_types(signature: Signature) -> Signature:
    empty = signature.empty
    parameters = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=empty)


def _is_model(found: Any) -> bool:
    """Whether it is an instance to count: networks can be called, but are no factories."""
    return hasattr(found, "named_parameters") or hasattr(found, "get_params")


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""  # its own text names the line
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
