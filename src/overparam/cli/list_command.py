"""`overparam list`: the chapters, their phenomena, and what the studies here found."""

from __future__ import annotations

import argparse
import os
import shutil
import textwrap
from pathlib import Path
from typing import Any

from overparam.checks import check_folder
from overparam.cli.output import Output
from overparam.cli.parse import parse_path
from overparam.cli.parser import Parser, examples
from overparam.errors import EXIT_OK
from overparam.texts import printable

_MOST_COLUMNS = 100
_STANDARD = "standard"  # the scale whose verdicts the short listings show
_MOST_LETTERS = 400  # of what a study says of itself


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `list`."""
    parser = group.add_parser(
        "list",
        parents=[shared],
        help="list the chapters, or a chapter's phenomena, and their last verdicts",
        description=(
            "List the chapters with a line each; with CHAPTER, its phenomena. Verdicts are read\n"
            "from the study folders. Studies of phenomena of your own are listed too."
        ),
        epilog=examples(
            "overparam list",
            "overparam list identity",
            "overparam list --long",
            "overparam list --studies results --json",
        ),
    )
    parser.add_argument("chapter", metavar="CHAPTER", nargs="?", help="only this chapter")
    parser.add_argument(
        "--long", action="store_true", help="every phenomenon with its claim and all scales"
    )
    parser.add_argument(
        "--studies",
        metavar="DIR",
        type=parse_path,
        help="folder of study folders (default: studies)",
    )
    parser.set_defaults(command=list_phenomena)


def list_phenomena(arguments: argparse.Namespace, out: Output) -> int:
    """Show chapters, or names, claims and verdicts."""
    from overparam import phenomena
    from overparam.cli.folders import STUDIES
    from overparam.cli.run_command import SCALES

    place = arguments.studies or STUDIES
    if arguments.studies or os.path.lexists(place):
        check_folder("studies", place)
    chosen = arguments.chapter
    chapters = phenomena.chapters() if chosen is None else [chosen]
    introductions = {c: phenomena.introduction(c) for c in chapters}
    studies = _studies_in(place)
    # A folder's name tells studies at default settings from those with fields set by hand.
    rows = [
        {
            "name": name,
            "chapter": chapter,
            "title": phenomena.title_of(name),
            "claim": phenomena.claim_of(name),
            "studies": {scale: studies.pop(f"{name}-{scale}", None) for scale in SCALES},
        }
        for chapter in chapters
        for name in phenomena.names(chapter)
    ]
    others = [] if chosen else list(studies.values())
    if arguments.long:
        _show_long(out, rows)
    elif chosen:
        _show_chapter(out, introductions[chosen], rows)
    else:
        _show_chapters(out, introductions, rows)
    if others:
        out.say(f"other studies in {place}")
        for study in others:
            folder = printable(Path(study["folder"]).name, one_line=True)
            out.say(f"    {folder}  {_verdict(study)}")
    told = [{"name": c, "introduction": text} for c, text in introductions.items()]
    out.emit({"chapters": told, "phenomena": rows, "other_studies": others, "scales": SCALES})
    return EXIT_OK


def _studies_in(place: Path) -> dict[str, dict[str, Any]]:
    """Return what its study says of each folder, by the folder's path below `place`."""
    from overparam.cli.folders import describe_folder

    if not place.is_dir():
        return {}
    # Those of a chapter lie in its folder.
    folders = sorted(p for some in ("*", "*/*") for p in place.glob(some) if p.is_dir())
    found = {folder.relative_to(place).as_posix(): describe_folder(folder) for folder in folders}
    return {name: study for name, study in found.items() if study is not None}


def _show_chapters(out: Output, introductions: dict[str, str], rows: list[Any]) -> None:
    width = max(map(len, introductions))
    for chapter, introduction in introductions.items():
        own = [row for row in rows if row["chapter"] == chapter]
        done = sum(row["studies"][_STANDARD] is not None for row in own)
        title = _first_line(introduction).partition(": ")[2] or _first_line(introduction)
        counts = f"{len(own)} phenomena" + (f", {done} run here" if done else "")
        out.say(f"{chapter:<{width}}  {title} ({counts})")
    out.say()
    out.say("overparam list CHAPTER shows its phenomena, overparam run CHAPTER runs them all")


def _show_chapter(out: Output, introduction: str, rows: list[Any]) -> None:
    out.say_lines(introduction)
    out.say()
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        study = row["studies"][_STANDARD]
        verdict = f"  [{_kind(study)}]" if study else ""
        out.say(f"{row['name']:<{width}}  {row['title']}{verdict}")


def _show_long(out: Output, rows: list[Any]) -> None:
    width = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    for row in rows:
        out.say(row["name"])
        claim = textwrap.fill(row["claim"], width, initial_indent="  ", subsequent_indent="  ")
        out.say_lines(claim)
        for scale, study in row["studies"].items():
            out.say(f"    {scale:<9} {_verdict(study)}")
        out.say()


def _kind(study: dict[str, Any]) -> str:
    found = "cannot be read" if study["problem"] else study["verdicts"].get("treatment", "–")
    return printable(found, _MOST_LETTERS, one_line=True)


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip(".")


def _verdict(study: dict[str, Any] | None) -> str:
    if study is None:
        return "–"
    if study["problem"]:
        return f"cannot be read: {printable(study['problem'], 200, one_line=True)}"
    kinds = "; ".join(f"{arm} {kind}" for arm, kind in study["verdicts"].items())
    text = f"{kinds or 'no verdict yet'}"
    if study["created"]:
        text += f" ({study['created'][:10]})"
    if not study["n_cells"]:
        text += ", not begun"
    elif not study["complete"]:
        text += f", unfinished: {study['n_records']:,} of {study['n_cells']:,} cells"
    return printable(text, _MOST_LETTERS, one_line=True)
