"""Whether the code in this process is that of its files, which were edited since, perhaps.

A study hashes files, and workers import them. A module that this process imported before an edit
still has the functions of the text before. How it was imported decides what can be compared: the
hash of the text, where imports were watched (`models.own_imports`); else each function's code
with that of the file, and the module's with the one that Python kept in ``__pycache__``.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from overparam.errors import UsageError
from overparam.lab.callables import bare, code_behind
from overparam.models.own_imports import digest_of, digest_when_imported, own_modules
from overparam.training.describe import Code

_KEPT_HEAD = 16  # bytes before the code in a file of __pycache__: mark, flags, time, size


def check_loaded(files: Sequence[Path], parts: Sequence[Any]) -> None:
    """Refuse code in this process that is not that of these files.

    Args:
        parts: functions and classes that are about to run.

    Raises:
        UsageError: a module, or one of the parts, is of another text than its file.
    """
    paths = {os.path.realpath(file) for file in files}
    loaded = {n: f for n, f in own_modules().items() if f in paths and n != "__main__"}
    edited = [f for n, f in loaded.items() if _is_of_another_text(sys.modules[n], f)]
    codes = {file: _codes_in(file) for file in set(loaded.values())}
    for function in _functions_in(map(code_behind, parts)):
        file = os.path.realpath(function.__code__.co_filename)
        if file in codes and not _is_in(codes[file], function.__code__):
            edited.append(file)
    if edited:
        raise UsageError(
            "code of the phenomenon was edited after this process imported it, and the text before "
            "would run",
            got=", ".join(dict.fromkeys(map(os.path.basename, edited))),
            allowed="the text that is in the file",
            remedy="restart Python, or reload the module (importlib.reload) and take the "
            "phenomenon from it anew",
        )


def _is_of_another_text(module: ModuleType, file: str) -> bool:
    known = digest_when_imported(module)
    if known:
        return known != digest_of(file)
    # Of other loaders nobody knows what they make of a text.
    if type(getattr(module.__spec__, "loader", None)) is not SourceFileLoader:
        return False
    codes = _codes_in(file)
    own = (f.__code__ for f in _functions_in(vars(module).values()) if _is_from(f, file))
    # Names that a text no longer has are left over where it was reloaded.
    left = (code for code in own if codes is None or code.co_qualname in codes)
    return any(not _is_in(codes, code) for code in left) or _was_kept_of_another(module, file)


def _functions_in(things: Any) -> Iterator[FunctionType]:
    for thing in map(bare, things):
        if isinstance(thing, FunctionType):
            yield thing
        elif isinstance(thing, type):
            yield from (f for f in map(bare, vars(thing).values()) if isinstance(f, FunctionType))


def _is_from(function: FunctionType, file: str) -> bool:
    return os.path.realpath(function.__code__.co_filename) == file


def _codes_in(file: str) -> Mapping[str, set[str]] | None:
    """Return the names of all functions in a file to digests of their code, "" to the whole's.

    None where it cannot be compiled, as while somebody is editing it.
    """
    try:
        whole = compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return None
    found: dict[str, set[str]] = defaultdict(set)
    found[""] = {repr(Code(whole))}
    waiting = [whole]
    while waiting:
        inner = [c for c in waiting.pop().co_consts if isinstance(c, CodeType)]
        waiting += inner
        for code in inner:
            found[code.co_qualname].add(repr(Code(code)))
    return found


def _is_in(codes: Mapping[str, set[str]] | None, code: CodeType) -> bool:
    return codes is not None and repr(Code(code)) in codes.get(code.co_qualname, ())


def _was_kept_of_another(module: ModuleType, file: str) -> bool:
    """Whether ``__pycache__`` has the module's code of another text than the file's.

    Python writes it when it imports a text anew, so it tells what was imported, where it can be
    written at all.
    """
    kept = getattr(module.__spec__, "cached", None)
    if sys.dont_write_bytecode or not kept or not os.access(os.path.dirname(kept), os.W_OK):
        return False
    try:
        data, about = Path(kept).read_bytes(), os.stat(file)
        flags, time, size = (int.from_bytes(data[i : i + 4], "little") for i in (4, 8, 12))
        is_of_file = (time, size) == (int(about.st_mtime) & 0xFFFFFFFF, about.st_size & 0xFFFFFFFF)
        if flags or is_of_file:
            return False
        before = repr(Code(marshal.loads(data[_KEPT_HEAD:])))
    except (OSError, ValueError, EOFError, TypeError):
        return False
    codes = _codes_in(file)
    return codes is not None and before not in codes[""]
