"""Many studies in one folder: a chapter run to its end, and the index of what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overparam import api, phenomena, probes
from overparam.checks import check_file, check_folder, check_path
from overparam.errors import OverparamError
from overparam.lab.phenomenon import SCALES
from overparam.lab.runner import DEFAULT_MEMORY_BYTES, Advance
from overparam.lab.store import peek
from overparam.report.index_page import IndexEntry, entry_of, render_index
from overparam.report.study import Study
from overparam.whole_file import write_whole

ALL = "all"  # instead of a chapter's name
INDEX, REPORT = "index.html", "report.html"
_DEPTHS = ("*", "*/*")  # below a collection: its studies, and those of its chapters


@dataclass(frozen=True)
class Ended:
    """One study of a chapter that was run.

    Attributes:
        name: of the phenomenon. folder: of the study.
        study: what came out, or None where an error ended it; what was finished is kept.
    """

    name: str
    folder: Path
    study: Study | None
    error: OverparamError | None = None


def names_in(chapter: str) -> list[str]:
    """Return the phenomena of a chapter, or of all, in reading order.

    Raises:
        UsageError: there is no such chapter.
    """
    return phenomena.names() if chapter == ALL else phenomena.names(chapter)


def run_each(
    chapter: str,
    scale: str = "standard",
    *,
    out: str | Path = "studies",
    n_seeds: int | None = None,
    first_seed: int = 0,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    fresh: bool = False,
    on_progress: Callable[[Advance], None] = lambda advance: None,
) -> Iterator[Ended]:
    """Run the phenomena of a chapter one after the other, and yield each study as it ends.

    What an earlier call finished is not run again. An error ends its own study alone. The index
    of the studies so far is written after each.

    Args:
        chapter: its name, or ``all``. out: folder of the collection; a study lies in it under
            ``chapter/name-scale``, the index beside them, or for one chapter in its folder.
        Others: see `overparam.run`.

    Raises:
        UsageError: there is no such chapter. ResourceError: the index cannot be written.
    """
    base = check_path(out)
    place = base if chapter == ALL else base / chapter
    check_file(place / INDEX)
    entries: list[IndexEntry] = []
    for name in names_in(chapter):
        folder = base / f"{name}-{scale}"
        try:
            check_file(folder / REPORT)
            study = api.run(
                name, scale, n_seeds=n_seeds, first_seed=first_seed, workers=workers,
                device=device, memory_bytes=memory_bytes, out=folder, fresh=fresh,
                on_progress=on_progress,
            )  # fmt: skip
        except OverparamError as error:
            yield Ended(name, folder, None, error)
            continue
        report = study.save_report(folder / REPORT)
        entries.append(entry_of(study, _link(report, place)))
        _save_index(entries, place)
        yield Ended(name, folder, study)


def run_chapter(chapter: str, scale: str = "standard", **options: Any) -> list[Study]:
    """Run the phenomena of a chapter and return their studies; see `run_each` for the options.

    Raises:
        OverparamError: the first error that ended a study, after all others have been run.
    """
    ended = list(run_each(chapter, scale, **options))
    for one in ended:
        if one.error is not None:
            raise one.error
    return [one.study for one in ended if one.study is not None]


def write_index(folder: str | Path, to: str | Path | None = None) -> tuple[Path, list[IndexEntry]]:
    """Write the index of all studies below a folder, and return its file and entries.

    Studies of the package's own phenomena are read, and a report is written where there is none.
    Of others the verdicts are shown that were kept, and none of their code is run.

    Args:
        folder: its studies lie in it or in folders (chapters) of it.
        to: the file; by default ``index.html`` in the folder.

    Raises:
        UsageError: there is no such folder, or something else than a file is where the page is to
            be. ResourceError: the index cannot be written.
    """
    place = check_folder("studies", folder)
    target = check_file(place / INDEX if to is None else check_path(to))
    own = phenomena.names()
    found = [
        (_order(told, own), path, told)
        for depth in _DEPTHS
        for path in sorted(place.glob(depth))
        if path.is_dir() and (told := _told(path)) is not None
    ]
    entries = [
        _entry(path, told, target.parent) for _, path, told in sorted(found, key=lambda f: f[0])
    ]
    return _save_index(entries, target.parent, target), entries


def _told(folder: Path) -> Mapping[str, Any] | None:
    """Return what is kept of the study in a folder, without its records; None: no study."""
    try:
        found = peek(folder)
    except OverparamError as error:
        return {"phenomenon": folder.name, "trouble": str(error)}
    return found if found is not None and "phenomenon" in found else None


def _order(told: Mapping[str, Any], own: Sequence[str]) -> tuple[int, str, int]:
    """Return where a study stands: in reading order, those of others last, small scales first."""
    name = str(told["phenomenon"])
    scale = (told.get("design") or {}).get("scale")
    return (
        own.index(name) if name in own else len(own),
        name,
        SCALES.index(scale) if scale in SCALES else len(SCALES),
    )


def _entry(folder: Path, told: Mapping[str, Any], place: Path) -> IndexEntry:
    name = str(told["phenomenon"])
    report = folder / REPORT
    if "trouble" not in told and name in (*phenomena.names(), *probes.NAMES):
        try:
            study = api.load(folder)
            if not report.is_file():
                study.save_report(report)
            return entry_of(study, _link(report, place))
        except OverparamError as error:
            told = {**told, "trouble": str(error)}
    return IndexEntry(
        name=name,
        title=name.partition("/")[2] or name,
        claim="",
        headline="",
        link=_link(report, place) if report.is_file() else "",
        verdicts=tuple((str(a), str(k)) for a, k in (told.get("verdicts") or {}).items()),
        facts=(str((told.get("design") or {}).get("scale", "")),),
        note=str(
            told.get("trouble") or "A phenomenon of one's own: its code was not run for this."
        ),
    )


def _save_index(entries: Sequence[IndexEntry], place: Path, target: Path | None = None) -> Path:
    chapters = [c for c in dict.fromkeys(e.chapter for e in entries) if c in phenomena.chapters()]
    introductions = [(chapter, phenomena.introduction(chapter)) for chapter in chapters]
    title = "Studies of overparameterized models"
    if len(introductions) == 1 and len({e.chapter for e in entries}) == 1:
        title = introductions[0][1].partition("\n")[0].rstrip(".")
    page = render_index(entries, title, introductions)
    return write_whole(place / INDEX if target is None else target, page)


def _link(report: Path, place: Path) -> str:
    """Return the address of a report relative to the index's folder."""
    from urllib.parse import quote

    relative = Path(os.path.relpath(report, place)).as_posix()
    return quote(relative, errors="surrogateescape")
