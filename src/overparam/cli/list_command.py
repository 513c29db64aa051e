"""`overparam list`: the phenomena, and what the studies here found."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from pathlib import Path
from typing import Any

from overparam.cli.output import Output
from overparam.cli.parse import parse_path
from overparam.cli.parser import Parser, examples
from overparam.errors import EXIT_OK

_MOST_COLUMNS = 100


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `list`."""
    parser = group.add_parser(
        "list",
        parents=[shared],
        help="list the phenomena and their last verdicts",
        description=(
            "List every phenomenon with its claim and the last verdict at each scale, read from\n"
            "the study folders, and studies of phenomena of your own."
        ),
        epilog=examples("overparam list", "overparam list --studies results --json"),
    )
    parser.add_argument(
        "--studies",
        metavar="DIR",
        type=parse_path,
        help="folder of study folders (default: studies)",
    )
    parser.set_defaults(command=list_phenomena)


def list_phenomena(arguments: argparse.Namespace, out: Output) -> int:
    """Show names, claims and verdicts."""
    from overparam.cli.folders import STUDIES
    from overparam.cli.run_command import SCALES
    from overparam.phenomena import claim_of, names

    place = arguments.studies or STUDIES
    studies = _studies_in(place)
    # A folder's name tells studies at default settings from those with fields set by hand.
    rows = [
        {
            "name": name,
            "claim": claim_of(name),
            "studies": {scale: studies.pop(f"{name}-{scale}", None) for scale in SCALES},
        }
        for name in names()
    ]
    others = list(studies.values())
    _show(out, rows, others, place)
    out.emit({"phenomena": rows, "other_studies": others, "scales": SCALES})
    return EXIT_OK


def _studies_in(place: Path) -> dict[str, dict[str, Any]]:
    """Return folder name to what its study says, by folder name."""
    from overparam.cli.folders import describe_folder

    if not place.is_dir():
        return {}
    # Those of a chapter lie in its folder.
    folders = sorted(p for some in ("*", "*/*") for p in place.glob(some) if p.is_dir())
    found = {folder.relative_to(place).as_posix(): describe_folder(folder) for folder in folders}
    return {name: study for name, study in found.items() if study is not None}


def _show(out: Output, rows: list[Any], others: list[Any], place: Path) -> None:
    width = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    for row in rows:
        out.say(row["name"])
        out.say(textwrap.fill(row["claim"], width, initial_indent="  ", subsequent_indent="  "))
        for scale, study in row["studies"].items():
            out.say(f"    {scale:<9} {_verdict(study)}")
        out.say()
    if others:
        out.say(f"other studies in {place}")
        for study in others:
            out.say(f"    {Path(study['folder']).name}  {_verdict(study)}")


def _verdict(study: dict[str, Any] | None) -> str:
    if study is None:
        return "–"
    kinds = "; ".join(f"{arm} {kind}" for arm, kind in study["verdicts"].items())
    text = f"{kinds or 'no verdict yet'}"
    if study["created"]:
        text += f" ({study['created'][:10]})"
    if not study["n_cells"]:
        text += ", not begun"
    elif not study["complete"]:
        text += f", unfinished: {study['n_records']:,} of {study['n_cells']:,} cells"
    return text
