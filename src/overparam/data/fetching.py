"""`fetch(name)`: get the files of a full data set, resuming what an earlier try left. No torch.

A file is written beside its place as ``NAME.part`` and renamed when its MD5 is the published one,
so that a file under its own name is always whole. A cut connection is taken up where it broke
(HTTP Range), now or by the next call; a server that ignores Range sends the whole again. Archives
are checked before they are opened, and only the files wanted are taken out.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from overparam.data.entries import Download, Entry, entry_of
from overparam.data.places import cache_folder, find
from overparam.errors import DataError, ResourceError, UsageError

Progress = Callable[[str, int, int | None], None]
"""Called with file name, bytes so far, and bytes in all (None where the server does not say)."""

TIMEOUT_S = 30.0
N_TRIES = 3  # per mirror, each taking up where the last was cut
PIECE_BYTES = 1 << 18
MAX_MEMBER_BYTES = 1 << 28  # of one file in an archive; a CIFAR-10 batch has 31 MB


class _Failed(Exception):
    """One mirror did not give the file; another may."""


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
        ResourceError: no network, not at any mirror, folder not writable, disk full.
    """
    entry = entry_of(name)
    if not entry.downloads:
        raise UsageError(
            f"{name!r} comes with the package and needs no fetching", remedy=f'load("{name}")'
        )
    return fetch_entry(entry, mirrors, Path(to) if to is not None else cache_folder(), progress)


def fetch_entry(
    entry: Entry, mirrors: Sequence[str] | None, place: Path, progress: Progress | None = None
) -> Path:
    """Fetch the files of `entry` into its folder below `place`. See `fetch`."""
    for mirror in mirrors or ():
        if not mirror.startswith(("http://", "https://")):
            raise UsageError("a mirror must be an HTTP address", got=mirror, allowed="http(s)://…")
    place = place.expanduser()
    folder = place / entry.fetch_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from None
    for download in entry.downloads:
        if not download.name.endswith(".tar.gz"):
            _fetch_file(download, mirrors or entry.mirrors, folder, progress)
            continue
        found = find(entry, place)
        if found is not None and found.complete:
            continue
        archive = _fetch_file(download, mirrors or entry.mirrors, folder, progress)
        layout = entry.layouts[0]
        extract_files(archive, folder, {file.name for file in (*layout.train, *layout.test)})
        archive.unlink()
    return folder


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
    download: Download, mirrors: Sequence[str], folder: Path, progress: Progress | None
) -> Path:
    target = folder / download.name
    part = folder / f"{download.name}.part"
    if _md5(target) == download.md5:
        return target
    failures = []
    wrong_checksum = False
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + download.name
        resumed = part.exists()
        try:
            _download(url, part, progress)
            if _md5(part) != download.md5 and resumed:
                part.unlink(missing_ok=True)  # what was there before may be at fault
                _download(url, part, progress)
        except _Failed as failure:
            failures.append(f"{url}: {failure}")
            continue
        found = _md5(part)
        if found == download.md5:
            os.replace(part, target)
            return target
        wrong_checksum = True
        failures.append(f"{url}: MD5 {found} instead of {download.md5}")
        part.unlink()
    kind = DataError if wrong_checksum else ResourceError
    raise kind(
        f"{download.name} could not be fetched: {'; '.join(failures)}",
        remedy="check the network and run it again (it resumes), name another mirror, or put the "
        f"file into {folder}",
    )


def _download(url: str, part: Path, progress: Progress | None) -> None:
    for _ in range(N_TRIES):
        try:
            if _continue_download(url, part, progress):
                return
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():  # it has more than the server's file
                part.unlink()
                continue
            raise _Failed(f"HTTP {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            raise _Failed(f"no connection ({error.reason})") from None
        except (http.client.HTTPException, ConnectionError, TimeoutError):
            continue
    raise _Failed(f"the connection was cut {N_TRIES} times")


def _continue_download(url: str, part: Path, progress: Progress | None) -> bool:
    """Append what is missing to `part`; return whether all that was promised came."""
    offset = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "overparam"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        content_range = response.headers.get("Content-Range", "")
        if response.status != 206 or not content_range.startswith(f"bytes {offset}-"):
            offset = 0
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length is not None and length.isdecimal() else None
        _check_space(part, 0 if total is None else total - offset)
        try:
            file = part.open("ab" if offset else "wb")
        except OSError as error:
            raise _not_writable(part.parent, error) from None
        done = offset
        with file:
            while piece := response.read(PIECE_BYTES):
                _write(file, piece, part)
                done += len(piece)
                if progress is not None:
                    progress(part.name.removesuffix(".part"), done, total)
    return total is None or done >= total


def _write_whole(source: IO[bytes], target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise _not_writable(target.parent, error) from None
    with file:
        while piece := source.read(PIECE_BYTES):
            _write(file, piece, part)
    os.replace(part, target)


def _write(file: IO[bytes], piece: bytes, path: Path) -> None:
    try:
        file.write(piece)
        file.flush()
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written: {error.strerror}",
            remedy="free some space or name another folder, and run it again (it resumes)",
        ) from None


def _check_space(path: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if n_bytes > free:
        raise ResourceError(
            f"no space for {path.name} in {path.parent}",
            got=f"{free} bytes free",
            allowed=f"at least {n_bytes}",
            remedy="free some space or name another folder",
        )


def _not_writable(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(
        f"folder {folder} is not writable: {error.strerror}",
        remedy="name another with `to`, or set OVERPARAM_CACHE",
    )


def _md5(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
