"""Where the files of a data set lie. Imports no torch.

Places, and the folders below them, are searched in this order; the first that holds a training and
a test part is taken (`overparam.data.folders` has the names and nestings that count):

1. the folder given as argument,
2. the folder named by the environment variable ``OVERPARAM_DATA``,
3. the cache: the folder named by ``OVERPARAM_CACHE``, else ``~/.cache/overparam/data``,
4. ``./data``, where torchvision's examples put their downloads,
5. ``/usr/share/datasets``, Debian's folder (package ``dataset-fashion-mnist``).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from overparam.cache import cache_home
from overparam.data.entries import EMBEDDED_FOLDER, entry_of
from overparam.data.entry import Entry, Layout
from overparam.data.folders import files_of, folders_below

DEBIAN_FOLDER = Path("/usr/share/datasets")


@dataclass(frozen=True)
class Found:
    """The files of a data set in one folder: paths in the order of `layout.train` and `.test`."""

    folder: Path
    layout: Layout
    train: tuple[Path, ...]
    test: tuple[Path, ...]

    @property
    def complete(self) -> bool:
        """Whether every training file is there."""
        return len(self.train) == len(self.layout.train)

    @property
    def n_bytes(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in (*self.train, *self.test))


@dataclass(frozen=True)
class Place:
    """One place that is searched for a data set.

    Attributes:
        path: the folder. origin: why it is searched, such as ``"OVERPARAM_DATA"``.
        found: whether a training and a test part are there. n_bytes: their size on disk.
        note: what is missing, where a part of the training files is there.
    """

    path: Path
    origin: str
    found: bool
    n_bytes: int = 0
    note: str = ""


def where(name: str, root: str | os.PathLike[str] | None = None) -> tuple[Place, ...]:
    """Return the places searched for data set `name`, in order, and what lies there.

    Args:
        name: a name from `catalogue()`.
        root: a folder to search before all others.

    Raises:
        UsageError: unknown name.

    >>> where("digits")[0].origin
    'scikit-learn'
    """
    entry = entry_of(name)
    if name == "digits":
        spec = importlib.util.find_spec("sklearn")  # found, not imported
        folder = Path(spec.origin).parent if spec and spec.origin else Path()
        return (Place(folder, "scikit-learn", spec is not None),)
    if entry.embedded:
        paths = [EMBEDDED_FOLDER / file.name for file in entry.files]
        found = all(path.is_file() for path in paths)
        size = sum(path.stat().st_size for path in paths) if found else 0
        return (Place(EMBEDDED_FOLDER, "the package", found, size),)
    places = []
    for folder, origin in places_to_search(root):
        hit = find(entry, folder)
        if hit is None:
            places.append(Place(folder, origin, False))
            continue
        note = "" if hit.complete else f"{len(hit.train)} of {len(hit.layout.train)} training files"
        places.append(Place(hit.folder, origin, True, hit.n_bytes, note))
    return tuple(places)


def cache_folder() -> Path | None:
    """Return the folder that `fetch` fills: ``OVERPARAM_CACHE``, else one below ``~/.cache``.

    None for a user without a home.
    """
    home = cache_home()
    return home if home is None or os.environ.get("OVERPARAM_CACHE") else home / "data"


def places_to_search(root: str | os.PathLike[str] | None = None) -> list[tuple[Path, str]]:
    """Return (folder, origin) of every place that is searched for full sets, in order."""
    places = [(Path(root).expanduser(), "the folder given")] if root is not None else []
    if named := os.environ.get("OVERPARAM_DATA"):
        places.append((Path(named).expanduser(), "OVERPARAM_DATA"))
    if cache := cache_folder():
        places.append((cache, "the cache"))
    places.append((Path("data").absolute(), "torchvision's ./data"))
    places.append((DEBIAN_FOLDER, "Debian's data sets"))
    return places


def find(entry: Entry, place: Path) -> Found | None:
    """Return the files of `entry` in `place`: complete ones before some, usual folders before all
    others below it.
    """
    partial = None
    for folder, layout in _rooms(entry, place):
        train = files_of(folder, layout.train, layout.kind)
        test = files_of(folder, layout.test, layout.kind)
        if not train or len(test) < len(layout.test):
            continue
        found = Found(folder, layout, tuple(train), tuple(test))
        if found.complete:
            return found
        if layout.partial and partial is None:
            partial = found
    return partial


def _rooms(entry: Entry, place: Path) -> Iterator[tuple[Path, Layout]]:
    for layout in entry.layouts:
        yield from ((place / name, layout) for name in layout.folders)
    for folder in folders_below(place, entry.name):
        yield from ((folder, layout) for layout in entry.layouts)
