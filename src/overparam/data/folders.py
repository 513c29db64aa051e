"""How people keep the files of a data set: names and folders as downloads and archives leave them.

A file counts under any of its names (``train-images-idx3-ubyte``, with a dot for the dash, with
``.gz``, in capitals), in the folder, in one of the file's own name (as Kaggle's archive of MNIST
unpacks) or in one called train or test. Folders may be nested, links are followed. No torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from overparam.data.entry import DataFile, Layout

DEPTH = 6  # of folders in folders that are looked into; kagglehub's cache needs five
MAX_FOLDERS = 2_000  # of one place; a whole home folder is not searched
MAX_NAMES = 20_000  # of one folder: more are pictures
PART_FOLDERS = ("train", "training", "test", "testing")
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip", ".7z")
# Sets whose files have the same names lie in folders that tell them apart.
_NAMED = (
    ("fashion_mnist", re.compile(r"fashion[-_ ]?(mnist)?|(?<![a-z])f-?mnist")),
    ("mnist", re.compile(r"(?<![a-z])mnist")),
    ("another MNIST", re.compile(r"[a-z]-?mnist|kuzushiji")),
    ("cifar100", re.compile(r"cifar[-_ ]?100")),
    ("cifar10", re.compile(r"cifar(?![-_ ]?100)")),
)


def files_of(folder: Path, files: tuple[DataFile, ...], kind: str) -> list[Path]:
    """Return the path of each file that lies in `folder` or as said above, in their order."""
    here = names_in(folder)
    found = []
    for file in files:
        spellings = _spellings(file.name, kind)
        path = _one_of(here, spellings)
        for name in (*spellings, *PART_FOLDERS):
            if path is None and name in here and here[name].is_dir():
                path = _one_of(names_in(here[name]), spellings)
        if path is not None:
            found.append(path)
    return found


def folders_below(place: Path, set_name: str) -> Iterator[Path]:
    """Yield the folders below `place`, near ones first, but none that is named for another set."""
    if not names_in(place):
        return
    level, seen = [place], {os.path.realpath(place)}
    for _ in range(DEPTH):
        below = []
        for folder in level:
            for name, path in sorted(names_in(folder).items()):
                others = sets_named(name)
                if name.startswith((".", "__")) or (others and set_name not in others):
                    continue
                real = os.path.realpath(path)
                if len(seen) > MAX_FOLDERS:
                    return
                if real not in seen and path.is_dir():
                    seen.add(real)
                    below.append(path)
                    yield path
        level = below


def archives_of(set_name: str, layouts: tuple[Layout, ...], place: Path) -> list[Path]:
    """Return archives in `place`, and one folder below, that are named for the set."""
    named = {folder.casefold() for layout in layouts for folder in layout.folders}
    found = []
    for folder in (place, *(path for path in names_in(place).values() if path.is_dir())):
        for name, path in sorted(names_in(folder).items()):
            if name.endswith(ARCHIVES) and path.is_file():
                stem = name.partition(".")[0]
                if stem in named or set_name in sets_named(stem):
                    found.append(path)
    return found


def sets_named(folder: str) -> set[str]:
    """Return the data sets that a folder's name speaks of.

    >>> sets_named("FashionMNIST"), sets_named("raw"), sets_named("cifar-10-batches-py")
    ({'fashion_mnist'}, set(), {'cifar10'})
    """
    text, found = folder.casefold(), set()
    for name, pattern in _NAMED:
        text, n = pattern.subn(" ", text)
        if n:
            found.add(name)
    return found


def names_in(folder: Path) -> dict[str, Path]:
    """Return what lies in a folder by its name in small letters; empty where it is no folder."""
    names: dict[str, Path] = {}
    try:
        with os.scandir(folder) as entries:
            for i, entry in enumerate(entries):
                if i >= MAX_NAMES:
                    break
                known = names.get(entry.name.casefold())
                # Of two that differ in capitals alone the first in order is meant.
                if known is None or entry.name < known.name:
                    names[entry.name.casefold()] = folder / entry.name
    except (OSError, ValueError):
        return {}
    return names


def _one_of(here: dict[str, Path], names: tuple[str, ...]) -> Path | None:
    return next((here[name] for name in names if name in here and here[name].is_file()), None)


def _spellings(name: str, kind: str) -> tuple[str, ...]:
    if kind != "idx":
        return (name.casefold(),)
    dotted = name.replace("-idx", ".idx")
    return (name, f"{name}.gz", dotted, f"{dotted}.gz")
