"""`write_whole`: a file that is there whole or not at all, whatever ends the writing.

A page that is made again takes the place of the old one only when it is complete, so a disk that
fills, or a process that is killed, in the middle costs neither. What a killed process leaves is
half a file beside the place, ``.NAME.TABLE-PID``, which the next one that writes there removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Container, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

from overparam.checks import check_file
from overparam.errors import ResourceError

_OWN_FOLDER = re.compile(r"overparam-(?P<table>[0-9a-f]{8})-(?P<process>\d+)-\w+")
_HALF = re.compile(r"\.(?P<name>.+?)\.((?P<table>[0-9a-f]{8})-)?(?P<process>\d+)")
_LONGEST_SECONDS = 24 * 3600  # that a file is being written, with much to spare


def write_whole(path: Path, content: str | bytes | Callable[[Path], object]) -> Path:
    """Write `path` beside its place first, then move it there; return `path`.

    Its folder is made. A link is followed: the file it points to is replaced. What is no file, such
    as a device, is left alone.

    Args:
        content: text (kept as UTF-8), bytes, or a function that writes a file of a given path.

    Raises:
        UsageError: what stands there is no plain file, or nothing can be there.
        ResourceError: it cannot be written. What was there before is untouched.
    """
    check_file(path)
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent, {target.name})
        with half_file(target) as temporary:
            if callable(content):
                content(temporary)
            else:
                temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            os.replace(temporary, check_file(target))  # again: writing may have taken long
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written",
            got=error.strerror or str(error),
            allowed="a file or folder that you may write to, with space for it",
            remedy="free some space, or choose another place",
        ) from error
    return path


@contextlib.contextmanager
def half_file(target: Path) -> Iterator[Path]:
    """Give the path beside `target` at which to write it; what is still there is removed."""
    temporary = target.with_name(f".{target.name}.{_process_table()}-{os.getpid()}")
    try:
        yield temporary
    finally:
        if temporary.is_dir() and not temporary.is_symlink():  # another program made it
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)


def sweep(folder: Path, names: Container[str] | None = None) -> None:
    """Remove the half files in `folder` whose writers are gone.

    Of a process of another machine or container nothing is known, and a number is given to
    another process one day, so what is old enough goes whoever wrote it.

    Args:
        names: of files whose halves may be called ``.NAME.PID``, as they once were; of another
            file it is not sure that it was called so here. None in a folder of the package's own.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _HALF.fullmatch(entry.name)
            if found is None or not (found["table"] or names is None or found["name"] in names):
                continue
            with contextlib.suppress(OSError):
                old = time.time() - entry.stat(follow_symlinks=False).st_mtime > _LONGEST_SECONDS
                here = found["table"] in (None, _process_table())
                if old or (here and not _is_alive(int(found["process"]))):
                    os.unlink(entry.path)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder of this process's own among temporary files, removed after the block.

    Folders of processes that were killed are removed first.
    """
    _sweep_folders(Path(tempfile.gettempdir()))
    prefix = f"overparam-{_process_table()}-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        yield Path(folder)


def _sweep_folders(place: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            found = _OWN_FOLDER.fullmatch(entry.name)
            if found is None or found["table"] != _process_table():
                continue
            if not entry.is_dir(follow_symlinks=False) or _is_alive(int(found["process"])):
                continue
            shutil.rmtree(entry.path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


@cache
def _process_table() -> str:
    """Return a name for where process numbers mean what they mean here: machine and container."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def check_sums(archive: BinaryIO) -> None:
    """Hold every part of a zip archive against its checksum, and go back to its beginning.

    Raises:
        ValueError: one differs. zipfile.BadZipFile: it is no archive. And what `zipfile` raises.
    """
    with zipfile.ZipFile(archive) as parts:
        damaged = parts.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} differs")
    archive.seek(0)
