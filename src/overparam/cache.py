"""The folder in which the package keeps what it made or measured on this machine.

What is executed or believed later (compiled code, the report's script, measured choices) is kept
only where no other user can write: in a folder of this user's, closed to others, below which
everything is this user's too. A folder that others may write in is not used for it, and a file
that others may have written is made anew. The hash in a file's name tells damage, not trust.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from overparam.errors import ResourceError
from overparam.whole_file import half_file, sweep

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_BYTES = 64 << 20  # of a file that is kept; all are far smaller


class CacheUnusable(Exception):
    """Nothing can be kept here that only this user can have written; the message says why."""


def cache_home() -> Path | None:
    """Return the folder: ``OVERPARAM_CACHE``, else ``~/.cache/overparam``. It may not exist.

    None where there is no home: a user without an account and without ``HOME``.
    """
    named = os.environ.get("OVERPARAM_CACHE")
    with contextlib.suppress(RuntimeError):
        return Path(named).expanduser() if named else Path.home() / ".cache" / "overparam"
    return None


def private_folder(*names: str) -> Path:
    """Return the cache's folder, or one below it, made where it is missing, for this user alone.

    Raises:
        CacheUnusable: there is none, or others can write in it.
    """
    home = cache_home()
    if home is None:
        raise CacheUnusable("this user has no home folder; OVERPARAM_CACHE may name another")
    folder = Path(os.path.realpath(home))
    return private_at(folder, *names)


def private_at(folder: Path, *names: str) -> Path:
    """Return `folder`, or one below it, made where it is missing, for this user alone.

    Raises:
        CacheUnusable: it cannot be made, or others can write in it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(folder)
        for name in names:
            folder = folder / name
            folder.mkdir(mode=0o700, exist_ok=True)
            _check_folder(folder)
    except OSError as error:
        raise CacheUnusable(f"{folder} cannot be used: {error.strerror or error}") from error
    return folder


def open_private(path: Path) -> tuple[int, bool]:
    """Open a file; return its descriptor and whether it can be written.

    It is made where it is missing, and anew where others could have written it.

    Raises:
        CacheUnusable: others can write in its folder. OSError: it cannot be opened.
    """
    path = private_at(Path(os.path.realpath(path.parent))) / path.name
    with contextlib.suppress(OSError):
        if not _is_private(path.lstat(), stat.S_ISREG):
            path.unlink()
    own = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        handle, writable = os.open(path, os.O_RDWR | os.O_CREAT | own, 0o600), True
    except OSError:
        handle, writable = os.open(path, os.O_RDONLY | own), False
    if not _is_private(os.fstat(handle), stat.S_ISREG):
        os.close(handle)
        raise CacheUnusable(_refusal(path))
    return handle, writable


def kept_file(name: str, make: Callable[[Path], object], *folders: str) -> Path:
    """Return a file that `make` wrote when it was first asked for on this machine.

    One that is damaged, or that others could have written, is removed and made anew.

    Args:
        name: of the file; it tells all that the content depends on. Before its ending comes the
            hash of what was written. folders: below the cache's.

    Raises:
        CacheUnusable: there is no folder for it. ResourceError: it cannot be written, or what
            `make` made is no plain file, or a huge one.
    """
    folder = private_folder(*folders)
    try:
        sweep(folder)
        for path in _versions(folder, name):
            if _is_whole(path, name):
                return path
            path.unlink(missing_ok=True)
        with half_file(folder / name) as half:
            make(half)
            _check_made(half, name)
            half.chmod(0o600)  # whatever the user's files are by default
            path = _named(folder, name, half)
            os.replace(half, path)
    except OSError as error:
        raise ResourceError(
            f"{folder / name} cannot be written", got=error.strerror or str(error)
        ) from error
    return path


def kept_text(name: str, make: Callable[[], str]) -> str:
    """Return what `make` returned when it was first asked for on this machine.

    Where nothing can be kept, it is made anew each time.

    Args:
        name: of the file in the cache; it tells all that the text depends on.
    """
    made: list[str] = []

    def write(path: Path) -> None:
        made.append(make())
        path.write_bytes(made[0].encode())

    with contextlib.suppress(CacheUnusable, ResourceError, OSError):
        return kept_file(name, write).read_bytes().decode()
    return made[0] if made else make()


def _check_made(half: Path, name: str) -> None:
    """Raise where what another program made cannot be opened without harm, or without an end."""
    found = half.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise ResourceError(f"what was made for {name} is no plain file")
    if found.st_size > _MOST_BYTES:
        raise ResourceError(
            f"what was made for {name} is too large",
            got=f"{found.st_size:,} bytes",
            allowed=f"at most {_MOST_BYTES:,}",
        )


def _versions(folder: Path, name: str) -> list[Path]:
    """Return the files called `name`, with whatever hash."""
    stem, ending = os.path.splitext(name)
    found = (f for f in os.listdir(folder) if f.startswith(f"{stem}.") and f.endswith(ending))
    return [folder / f for f in sorted(found)]


def _is_whole(path: Path, name: str) -> bool:
    with contextlib.suppress(OSError):  # another process may have removed it just now
        return _is_private(path.lstat(), stat.S_ISREG) and path == _named(path.parent, name, path)
    return False


def _named(folder: Path, name: str, content: Path) -> Path:
    """Return the path of the file called `name` with this content."""
    stem, ending = os.path.splitext(name)
    with content.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return folder / f"{stem}.{digest[:24]}{ending}"


def _check_folder(folder: Path) -> None:
    """Raise where others can write in a folder; an empty one of this user's is closed to them."""
    if _is_private(folder.lstat(), stat.S_ISDIR):
        return
    status = folder.lstat()
    if os.name == "posix" and stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
        folder.chmod(0o700)
        if not os.listdir(folder):
            return
        folder.chmod(stat.S_IMODE(status.st_mode))
    raise CacheUnusable(_refusal(folder))


def _is_private(status: os.stat_result, kind: Callable[[int], bool]) -> bool:
    """Whether nobody but this user, or root, can have put this there or changed it.

    Where files have no owners in this sense (not POSIX), every file is private.
    """
    if os.name != "posix":
        return kind(status.st_mode)
    own = status.st_uid in (os.geteuid(), 0)
    return kind(status.st_mode) and own and not status.st_mode & _OTHERS_MAY_WRITE


def _refusal(path: Path) -> str:
    return (
        f"{path} is another user's, or others may write it (or it is a link); "
        f"`chmod go-w` it, or name another folder in OVERPARAM_CACHE"
    )
