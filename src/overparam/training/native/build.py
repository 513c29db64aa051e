"""Compiling the kernels for this processor, once, and loading them."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from overparam.cache import cache_home, is_trusted
from overparam.errors import ResourceError
from overparam.whole_file import write_whole

PRECISIONS = {"float32": "FLOAT32", "float64": "FLOAT64", "bfloat16": "BFLOAT16"}
POINTER, WHOLE = ctypes.c_void_p, ctypes.c_int64

# No -ffast-math: a model that diverges is told by what is not a number.
_FLAGS = (
    "-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
    "-fno-strict-aliasing", "-fopenmp-simd", "-shared", "-fPIC",
)  # fmt: skip
_ARM = ("aarch64", "arm64")  # where the processor is named by another option
_SECONDS_TO_COMPILE = 120


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


def load_library(kernels: Kernels, precision: str) -> ctypes.CDLL:
    """Return kernels of a precision, compiled for this processor if that is still to do.

    The compiler is what the environment variable ``OVERPARAM_CC`` says (``none`` for none), else
    ``CC``, else ``cc``, ``gcc`` or ``clang``, else the one in the package ``ziglang``. What it
    makes is kept in the cache folder under the hash of sources, compiler and processor.

    Raises:
        NativeUnavailable: no compiler, none that can compile this, or no folder to write in.

    Cost: 2 to 5 seconds the first time on a machine, then milliseconds.
    """
    found = _load(
        kernels, precision, os.environ.get("OVERPARAM_CC", ""), str(cache_home() / "native")
    )
    if isinstance(found, str):
        raise NativeUnavailable(found)
    return found


@cache
def _load(kernels: Kernels, precision: str, wanted: str, folder: str) -> ctypes.CDLL | str:
    """Return the library, or why there is none; asked once per process."""
    try:
        return _open(_build(kernels, precision, Path(folder)), kernels)
    except NativeUnavailable as error:
        return str(error)
    except (OSError, ResourceError, subprocess.SubprocessError) as error:
        return f"the kernels could not be compiled or loaded: {error}"


def find_compiler() -> list[str]:
    """Return the command that starts the C compiler.

    Raises:
        NativeUnavailable: there is none.
    """
    wanted = os.environ.get("OVERPARAM_CC") or os.environ.get("CC")
    if wanted == "none":
        raise NativeUnavailable("OVERPARAM_CC is none")
    for command in [wanted] if wanted else ["cc", "gcc", "clang"]:
        name, *options = shlex.split(command)
        path = shutil.which(name)
        if path:
            return [path, *options]
    if not wanted and importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise NativeUnavailable(f"there is no C compiler {wanted or ''}".strip())


def describe_compiler() -> str:
    """Return the compiler's first line about itself, or why there is none."""
    try:
        return _version(find_compiler()).decode(errors="replace").splitlines()[0]
    except (NativeUnavailable, OSError, subprocess.SubprocessError, IndexError) as error:
        return f"none: {error}"


def _build(kernels: Kernels, precision: str, folder: Path) -> Path:
    compiler = find_compiler()
    here = Path(__file__).parent
    kind = "-mcpu" if "ziglang" in compiler or platform.machine() in _ARM else "-march"
    command = [*compiler, *_FLAGS, f"{kind}=native", f"-D{PRECISIONS[precision]}"]
    parts = [(here / s).read_bytes() for s in (kernels.source, *kernels.headers)]
    parts += [" ".join(command).encode(), _version(compiler), _processor()]
    name = hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]
    library = folder / f"{Path(kernels.source).stem}-{precision}-{name}.so"
    if not library.exists():
        _compile([*command, str(here / kernels.source)], library)
    if not is_trusted(library):
        raise NativeUnavailable(f"{library} is another user's")
    return library


def _compile(command: Sequence[str], library: Path) -> None:
    """Compile beside the library and move it there whole: two processes may do so at once."""

    def compile_to(made: Path) -> None:
        done = subprocess.run(
            [*command, "-o", str(made), "-lm"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS_TO_COMPILE,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").splitlines()
            reason = next((line for line in said if "error" in line), "it said nothing")
            raise NativeUnavailable(f"{command[0]} cannot compile the kernels: {reason.strip()}")

    write_whole(library, compile_to)


def _version(compiler: Sequence[str]) -> bytes:
    return subprocess.run(
        [*compiler, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=30
    ).stdout


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
