"""The folders of a run: where its study is kept, and what its workers share while it runs."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from overparam.errors import ResourceError
from overparam.whole_file import temporary_folder

_SHARED = ".workers"  # in the folder of a study


@contextlib.contextmanager
def run_folder(folder: Path | None) -> Iterator[Path]:
    """Give the folder of a study, or one that is there only inside the block.

    Raises:
        ResourceError: there is no room for temporary files.
    """
    if folder is not None:
        yield folder.absolute()  # a cell may go to another working folder
        return
    try:
        with temporary_folder() as place:
            yield place
    except OSError as error:
        raise ResourceError(
            "no room for temporary files",
            got=str(error),
            remedy=f"set TMPDIR, now {os.environ.get('TMPDIR', '/tmp')}, or name a folder",
        ) from error


@contextlib.contextmanager
def shared_folder(place: Path) -> Iterator[Path]:
    """Give an empty folder within a run's; it is removed with all that is in it.

    Whoever runs a study has locked its folder, so what stands there was left by a run that was
    killed.

    Raises:
        ResourceError: it cannot be made.
    """
    folder = place / _SHARED
    try:
        _remove(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ResourceError(
            "there is no place for what the workers share",
            got=f"{folder}: {error.strerror or error}",
            remedy="choose another folder",
        ) from error
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            _remove(folder)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():  # of no run: what it leads to is not touched
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
