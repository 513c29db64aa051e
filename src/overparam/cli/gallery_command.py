"""`overparam gallery`: the index page of the studies that are there."""

from __future__ import annotations

import argparse
from typing import Any

from overparam.cli.output import Output
from overparam.cli.parse import parse_file, parse_path
from overparam.cli.parser import Parser, examples
from overparam.cli.writing import open_page
from overparam.errors import EXIT_OK


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `gallery`."""
    parser = group.add_parser(
        "gallery",
        parents=[shared],
        help="write an index page of studies",
        description=(
            "Write index.html into a folder of studies: claim, verdicts, picture and report of\n"
            "each, to be searched. Nothing is trained. The folder can be sent as it is."
        ),
        epilog=examples("overparam gallery", "overparam gallery studies/identity --open"),
    )
    parser.add_argument(
        "studies",
        metavar="STUDIES",
        nargs="?",
        type=parse_path,
        help="folder of study folders (default: studies)",
    )
    parser.add_argument("--to", metavar="FILE", type=parse_file, help="another file to write")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    parser.set_defaults(command=gallery)


def gallery(arguments: argparse.Namespace, out: Output) -> int:
    """Read the studies and write the page."""
    from overparam.cli.folders import STUDIES
    from overparam.collection import write_index

    page, entries = write_index(arguments.studies or STUDIES, arguments.to)
    for entry in entries:
        if entry.note:
            out.note(f"overparam: {entry.name}: {entry.note}")
    counted = f"{len(entries)} {'study' if len(entries) == 1 else 'studies'}"
    out.say(f"index of {counted}: {page}")
    out.say(f"open it in a browser: {page.resolve().as_uri()}")
    found = [{"name": e.name, "report": e.link, "verdicts": dict(e.verdicts)} for e in entries]
    out.emit({"file": str(page), "studies": found})
    if arguments.open:
        open_page(page, out)
    return EXIT_OK
