"""Compiling the kernels for this processor, once, and loading them."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from overparam.cache import CacheUnusable, cache_home, kept_file
from overparam.errors import ResourceError
from overparam.texts import printable
from overparam.training.native.bounded import Answer, run_bounded

PRECISIONS = {"float32": "FLOAT32", "float64": "FLOAT64", "bfloat16": "BFLOAT16"}
POINTER, WHOLE = ctypes.c_void_p, ctypes.c_int64

# No -ffast-math: a model that diverges is told by what is not a number.
_FLAGS = (
    "-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
    "-fno-strict-aliasing", "-fopenmp-simd", "-shared", "-fPIC",
)  # fmt: skip
_ARM = ("aarch64", "arm64")  # where the processor is named by another option
_MOST_LETTERS = 300  # of a compiler's line that are told
_SECONDS_TO_COMPILE, _SECONDS_TO_ANSWER = 30.0, 10.0

_hanging: dict[str, str] = {}  # compilers that did not end, with what was said of them
_troubles: dict[str, None] = {}  # in the order in which they were met


@dataclass(frozen=True)
class Kernels:
    """A source that becomes a library.

    Attributes:
        source, headers: files beside this one.
        functions: name to the type of the result and those of the arguments.
    """

    source: str
    headers: tuple[str, ...]
    functions: tuple[tuple[str, Any, tuple[Any, ...]], ...]


class NativeUnavailable(Exception):
    """There are no compiled kernels of a precision here; the message says why."""


class NativeBroken(NativeUnavailable):
    """There should be some: a compiler was named or found, and something is wrong with it, with
    what it made, or with the folder that keeps it."""


def load_library(kernels: Kernels, precision: str) -> ctypes.CDLL:
    """Return kernels of a precision, compiled for this processor if that is still to do.

    The compiler is what the environment variable ``OVERPARAM_CC`` says (``none`` for none), else
    ``CC``, else ``cc``, ``gcc`` or ``clang``, else the one in the package ``ziglang``. What it
    makes is kept in the cache folder under the hash of sources, compiler and processor, with the
    hash of its own bytes: damaged code is not loaded but made anew, once.

    Raises:
        NativeUnavailable: no compiler, none that can compile this, or no folder to write in.

    Cost: 2 to 5 seconds the first time on a machine, then milliseconds.
    """
    found = _load(kernels, precision, os.environ.get("OVERPARAM_CC", ""), str(cache_home()))
    if isinstance(found, NativeUnavailable):
        raise type(found)(str(found))
    return found


def troubles() -> list[str]:
    """Return what was wrong, in this process so far, with code that should be there: notes."""
    return list(_troubles)


@cache
def _load(
    kernels: Kernels, precision: str, wanted: str, home: str
) -> ctypes.CDLL | NativeUnavailable:
    """Return the library, or why there is none; asked once per process."""
    try:
        return _open_or_rebuild(kernels, precision)
    except NativeBroken as error:
        trouble = error
    except NativeUnavailable as error:
        return error
    except (OSError, AttributeError, ResourceError, CacheUnusable) as error:
        trouble = NativeBroken(f"the kernels could not be compiled or loaded: {error}")
    _troubles.setdefault(f"compiled code is not used: {trouble}")
    return trouble


def _open_or_rebuild(kernels: Kernels, precision: str) -> ctypes.CDLL:
    library = _build(kernels, precision)
    try:
        return _open(library, kernels)
    except (OSError, AttributeError):  # whole, but no library, or not all of it
        library.unlink(missing_ok=True)
    library = _build(kernels, precision)
    try:
        return _open(library, kernels)
    except (OSError, AttributeError):
        library.unlink(missing_ok=True)
        raise


def find_compiler() -> list[str]:
    """Return the command that starts the C compiler.

    Raises:
        NativeUnavailable: there is none.
    """
    variable = next((v for v in ("OVERPARAM_CC", "CC") if os.environ.get(v, "").strip()), "")
    wanted = os.environ.get(variable, "")
    if wanted.strip() == "none":
        raise NativeUnavailable(f"{variable} is none")
    for command in [wanted] if wanted else ["cc", "gcc", "clang"]:
        try:
            name, *options = shlex.split(command)
        except ValueError as error:
            raise NativeBroken(f"{variable} is not a command: {wanted!r} ({error})") from None
        path = shutil.which(name)
        if path:
            return [path, *options]
    if wanted:
        raise NativeBroken(f"there is no C compiler {wanted!r} that can be run ({variable})")
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise NativeUnavailable("there is no C compiler")


def describe_compiler() -> str:
    """Return the compiler's first line about itself, or why there is none."""
    try:
        return _lines(_version(tuple(find_compiler())))[0]
    except (NativeUnavailable, OSError) as error:
        return f"none: {error}"
    except IndexError:
        return "it says nothing about itself"


def _build(kernels: Kernels, precision: str) -> Path:
    """Return the library, compiled where it is not there or is damaged."""
    compiler = find_compiler()
    here = Path(__file__).parent
    kind = "-mcpu" if "ziglang" in compiler or platform.machine() in _ARM else "-march"
    command = [*compiler, *_FLAGS, f"{kind}=native", f"-D{PRECISIONS[precision]}"]
    parts = [(here / s).read_bytes() for s in (kernels.source, *kernels.headers)]
    parts += [" ".join(command).encode(), _version(tuple(compiler)), _processor()]
    name = hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]
    return kept_file(
        f"{Path(kernels.source).stem}-{precision}-{name}.so",
        lambda made: _compile([*command, str(here / kernels.source), "-o", str(made), "-lm"]),
        "native",
    )


def _compile(command: Sequence[str]) -> None:
    answer = _ask(tuple(command), _SECONDS_TO_COMPILE)
    if not answer.code:
        return
    reason = next((s for s in _lines(answer.err) if "error" in s), "it said nothing").strip()
    own = "no products of bfloat16" in reason  # the source itself knows better than to be compiled
    kind = NativeUnavailable if own else NativeBroken
    raise kind(f"{command[0]} cannot compile the kernels: {reason}")


def _lines(said: bytes) -> list[str]:
    lines = said.decode(errors="replace").splitlines()
    return [printable(line, _MOST_LETTERS, one_line=True) for line in lines]


@cache
def _version(compiler: tuple[str, ...]) -> bytes:
    answer = _ask((*compiler, "--version"), _SECONDS_TO_ANSWER)
    return answer.out


def _ask(command: tuple[str, ...], seconds: float) -> Answer:
    """Run the compiler; one that once did not end in time is not waited for again."""
    if command[0] in _hanging:
        raise NativeBroken(_hanging[command[0]])
    try:
        return run_bounded(command, seconds)
    except TimeoutError as error:
        _hanging[command[0]] = str(error)
        raise NativeBroken(str(error)) from None


def _processor() -> bytes:
    """What the processor can do: a cache in a shared home folder serves several kinds."""
    try:
        told = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        told = []
    kinds = ("model name", "flags", "Features", "CPU part")
    lines = dict.fromkeys(line for line in told if line.startswith(kinds))
    return "\n".join([platform.machine(), platform.processor(), *lines]).encode()


def _open(path: Path, kernels: Kernels) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    for name, result, arguments in kernels.functions:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
