"""`fetch(name)`: get the files of a full data set, resuming what an earlier try left. No torch.

A file is written beside its place as ``NAME.part`` and renamed when its MD5 is the published one,
so that a file under its own name is always whole. A cut connection is taken up where it broke
(HTTP Range), now or by the next call; a server that ignores Range sends the whole again. Archives
are checked before they are opened, and only the files wanted are taken out. One process at a time
fetches into a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tarfile
import urllib.parse
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from overparam.cache import CacheUnusable, private_folder
from overparam.checks import check_file, check_path
from overparam.data.download import (
    PIECE_BYTES,
    DownloadFailed,
    Progress,
    download,
    not_writable,
    write_piece,
)
from overparam.data.entries import entry_of
from overparam.data.entry import Download, Entry
from overparam.data.places import cache_folder, find
from overparam.errors import DataError, ResourceError, UsageError

try:
    import fcntl
except ImportError:  # not POSIX: two processes may fetch at once; the checksum still decides
    fcntl = None  # type: ignore[assignment]

MAX_MEMBER_BYTES = 1 << 28  # of one file in an archive; a CIFAR-10 batch has 31 MB


def fetch(
    name: str,
    mirrors: Sequence[str] | None = None,
    to: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch the files of data set `name`; those already there are kept.

    Args:
        name: a full set's name from `catalogue()`.
        mirrors: addresses (``http://`` or ``https://``) of folders that hold the files, tried in
            order; by default the well-known public ones.
        to: the place that receives them, in torchvision's layout; by default the cache, which
            `load` searches.
        progress: called after every piece.

    Returns:
        The folder with the files.

    Raises:
        UsageError: unknown name, an embedded set, or a mirror that is not HTTP.
        DataError: what came has a wrong checksum, or the archive is damaged or unsafe.
        ResourceError: no network, not at any mirror, folder not writable, disk full, or another
            process is fetching into the folder.
    """
    entry = entry_of(name)
    if not entry.downloads:
        raise UsageError(
            f"{name!r} comes with the package and needs no fetching", remedy=f'load("{name}")'
        )
    return fetch_entry(entry, mirrors, _in_cache() if to is None else check_path(to), progress)


def _in_cache() -> Path:
    """Return the cache's place for data; what else is kept in the cache needs it closed."""
    folder = cache_folder()
    if folder is None:
        raise ResourceError(
            "there is no folder to fetch into",
            got="a user without a home folder",
            remedy="name one with `to`, or set OVERPARAM_CACHE",
        )
    with contextlib.suppress(CacheUnusable):  # data may lie where others write: they are checked
        private_folder()
    return folder


def fetch_entry(
    entry: Entry, mirrors: Sequence[str] | None, place: Path, progress: Progress | None = None
) -> Path:
    """Fetch the files of `entry` into its folder below `place`. See `fetch`."""
    for mirror in mirrors or ():
        if not _is_http(mirror):
            raise UsageError("a mirror must be an HTTP address", got=mirror, allowed="http(s)://…")
    place = place.expanduser()
    folder = place / entry.fetch_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(folder, error) from error
    with _only_fetcher(folder):
        try:
            _fetch_missing(entry, mirrors or entry.mirrors, place, folder, progress)
        except OSError as error:  # the folder was taken away, or its permissions, meanwhile
            raise not_writable(folder, error) from error
    return folder


def _fetch_missing(
    entry: Entry, mirrors: Sequence[str], place: Path, folder: Path, progress: Progress | None
) -> None:
    for wanted in entry.downloads:
        if not wanted.name.endswith(".tar.gz"):
            _fetch_file(wanted, mirrors, folder, progress)
            continue
        found = find(entry, place)
        if found is not None and found.complete:
            continue
        archive = _fetch_file(wanted, mirrors, folder, progress)
        layout = entry.layouts[0]
        extract_files(archive, folder, {file.name for file in (*layout.train, *layout.test)})
        archive.unlink()


def extract_files(archive: Path, folder: Path, names: set[str]) -> None:
    """Take the files called `names` out of a ``.tar.gz`` into `folder`, and nothing else.

    Raises:
        DataError: damaged; a member that is a link, a device or points outside; one too large;
            or a name that is not there.
        ResourceError: disk full or folder not writable.
    """
    missing = set(names)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                regular = member.isfile() or member.isdir()
                if path.is_absolute() or ".." in path.parts or not regular:
                    raise DataError(
                        f"{archive.name} holds an unsafe member",
                        got=member.name,
                        allowed="plain files and folders below its own",
                    )
                if not member.isfile() or path.name not in names:
                    continue
                if member.size > MAX_MEMBER_BYTES:
                    raise DataError(
                        f"{archive.name} holds a member that is too large",
                        got=f"{path.name}, {member.size} bytes",
                        allowed=f"at most {MAX_MEMBER_BYTES}",
                    )
                source = tar.extractfile(member)
                assert source is not None  # it is a plain file
                _write_whole(source, folder / path.name)
                missing.discard(path.name)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive.name} is damaged: {error}", remedy="fetch it again") from None
    if missing:
        raise DataError(f"{archive.name} lacks {', '.join(sorted(missing))}")


def _fetch_file(
    wanted: Download, mirrors: Sequence[str], folder: Path, progress: Progress | None
) -> Path:
    target = folder / wanted.name
    part = check_file(folder / f"{wanted.name}.part")
    check_file(target)
    if _md5(target) == wanted.md5:
        return target
    failures = []
    wrong_checksum = False
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + wanted.name
        resumed = part.exists()
        try:
            download(url, part, progress)
            if _md5(part) != wanted.md5 and resumed:
                part.unlink(missing_ok=True)  # what was there before may be at fault
                download(url, part, progress)
        except DownloadFailed as failure:
            failures.append(f"{url}: {failure}")
            continue
        found = _md5(part)
        if found == wanted.md5:
            os.replace(part, target)
            return target
        wrong_checksum = True
        failures.append(f"{url}: MD5 {found} instead of {wanted.md5}")
        part.unlink()
    kind = DataError if wrong_checksum else ResourceError
    raise kind(
        f"{wanted.name} could not be fetched: {'; '.join(failures)}",
        remedy="check the network and run it again (it resumes), name another mirror, or put the "
        f"file into {folder}",
    )


def _write_whole(source: IO[bytes], target: Path) -> None:
    part = check_file(target.with_name(f"{target.name}.part"))
    check_file(target)
    try:
        file = part.open("wb", buffering=0)
    except OSError as error:
        raise not_writable(target.parent, error) from error
    with file:
        while piece := source.read(PIECE_BYTES):
            write_piece(file, piece, part)
    os.replace(part, target)


@contextlib.contextmanager
def _only_fetcher(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which leaves no file behind and ends with the process."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResourceError(
                f"another process is fetching into {folder}",
                allowed="one at a time",
                remedy="wait for it to end and run it again, or name another folder",
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


def _is_http(address: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(address)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port or 80) > 0
            and not re.search(r"[\s\x00-\x1f\x7f]", address)
        )
    except ValueError:  # brackets without an address, a port that is no number
        return False


def _md5(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
