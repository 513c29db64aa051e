"""`download`: one file from one address, taken up where an earlier try was cut. No torch."""

from __future__ import annotations

import http.client
import io
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from overparam.errors import ResourceError

Progress = Callable[[str, int, int | None], None]
"""Called with file name, bytes so far, and bytes in all (None where the server does not say)."""

TIMEOUT_S = 30.0  # without a single byte
N_TRIES = 3  # per mirror, each taking up where the last was cut
PIECE_BYTES = 1 << 18
MAX_FILE_BYTES = 1 << 30  # of one download; CIFAR-10's archive has 170 MB


class DownloadFailed(Exception):
    """One mirror did not give the file; another may."""


def download(url: str, part: Path, progress: Progress | None = None) -> None:
    """Append to file `part` what it lacks of the file at `url`.

    Raises:
        DownloadFailed: the server has it not, or the connection was cut again and again; what has
            come is kept for the next call.
        ResourceError: disk full or folder not writable.
    """
    reason = ""
    for _ in range(N_TRIES):
        try:
            if _continue_download(url, part, progress):
                return
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():  # it has more than the server's file
                part.unlink()
                continue
            raise DownloadFailed(f"HTTP {error.code} {_one_line(error.reason)}") from None
        except urllib.error.URLError as error:
            raise DownloadFailed(f"no connection ({error.reason})") from None
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = f", the last time: {_one_line(error)}"
    raise DownloadFailed(f"the connection was cut {N_TRIES} times{reason}")


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
            file = part.open("ab" if offset else "wb", buffering=0)
        except OSError as error:
            raise not_writable(part.parent, error) from error
        done = offset
        with file:
            while piece := _next_piece(response):
                write_piece(file, piece, part)
                done += len(piece)
                if done > MAX_FILE_BYTES:
                    part.unlink()
                    raise DownloadFailed(f"it sends more than {MAX_FILE_BYTES:,} bytes")
                if progress is not None:
                    progress(part.name.removesuffix(".part"), done, total)
    return total is None or done >= total


def _next_piece(response: http.client.HTTPResponse) -> bytes:
    """Return what has come, so that of a slow server's file, too, all that came is kept."""
    try:
        return response.read1(PIECE_BYTES)
    except TimeoutError:
        raise
    except OSError as error:  # such as TLS's own
        raise ConnectionError(str(error)) from error


def write_piece(file: io.FileIO, piece: bytes, path: Path) -> None:
    """Write all of `piece` to a file opened without a buffer, or raise a `ResourceError`."""
    try:
        rest = memoryview(piece)
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written: {error.strerror}",
            remedy="free some space or name another folder, and run it again (it resumes)",
        ) from None


def _check_space(path: Path, n_bytes: int) -> None:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise not_writable(path.parent, error) from error
    if n_bytes > free:
        raise ResourceError(
            f"no space for {path.name} in {path.parent}",
            got=f"{free} bytes free",
            allowed=f"at least {n_bytes}",
            remedy="free some space or name another folder",
        )


def not_writable(folder: Path, error: OSError) -> ResourceError:
    """Return what to raise where files cannot be made in `folder`."""
    return ResourceError(
        f"folder {folder} is not writable: {error.strerror}",
        remedy="name another with `to`, or set OVERPARAM_CACHE",
    )


def _one_line(text: object) -> str:
    return " ".join(str(text).split()) or type(text).__name__
