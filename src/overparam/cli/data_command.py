"""`overparam data`: which data sets there are, where they lie, how to get them."""

from __future__ import annotations

import argparse
from typing import Any

from overparam.cli.interruption import exit_code_of, resuming
from overparam.cli.output import Output, text_table
from overparam.cli.parse import parse_path
from overparam.cli.parser import Parser, examples
from overparam.cli.progress import show_download
from overparam.errors import EXIT_OK


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `data` with `list`, `fetch` and `where`."""
    data = group.add_parser(
        "data",
        help="list, fetch and find data sets",
        description="List, fetch and find data sets. Embedded ones need nothing else.",
        epilog=examples("overparam data list", "overparam data fetch mnist"),
    )
    inner = data.add_group("COMMAND")
    listing = inner.add_parser(
        "list",
        parents=[shared],
        help="list every data set: size, licence, whether it is here",
        description="List every data set that the package knows.",
        epilog=examples("overparam data list", "overparam data list --json"),
    )
    listing.set_defaults(command=list_sets)
    fetching = inner.add_parser(
        "fetch",
        parents=[shared],
        help="fetch a full data set from its public mirrors",
        description=(
            "Fetch a full data set, with checksums. A download that was cut goes on where it was."
        ),
        epilog=examples(
            "overparam data fetch mnist",
            "overparam data fetch cifar10 --to /data --mirror https://example.org/cifar/",
        ),
    )
    fetching.add_argument("name", metavar="NAME", help="a name from `overparam data list`")
    fetching.add_argument(
        "--to", metavar="DIR", type=parse_path, help="default: the cache, which is searched"
    )
    fetching.add_argument(
        "--mirror",
        metavar="URL",
        action="append",
        help="folder that holds the files, tried instead of the public ones; may be repeated",
    )
    fetching.add_argument("--quiet", action="store_true", help="show no progress")
    fetching.set_defaults(command=fetch_set)
    finding = inner.add_parser(
        "where",
        parents=[shared],
        help="show which folders are searched and what lies there",
        description="Show which folders are searched for a data set, in order, and what was found.",
        epilog=examples("overparam data where mnist", "OVERPARAM_DATA=/data overparam data where"),
    )
    finding.add_argument("name", metavar="NAME", nargs="?", help="default: all")
    finding.set_defaults(command=show_places)
    data.set_defaults(command=lambda arguments, out: data.error("name one of its commands"))


def list_sets(arguments: argparse.Namespace, out: Output) -> int:
    """Show the catalogue."""
    from overparam.data import catalogue, where

    entries: list[dict[str, Any]] = []
    for entry in catalogue():
        places = [p for p in where(entry.name) if p.found]
        entries.append(
            {
                "name": entry.name,
                "n_train": entry.n_train,
                "n_test": entry.n_test,
                "input_shape": entry.input_shape,
                "n_classes": entry.n_classes,
                "embedded": entry.embedded,
                "found_in": str(places[0].path) if places else None,
                "licence": entry.licence,
                "source": entry.source,
            }
        )
    rows = [
        [
            e["name"],
            f"{e['n_train']:,}",
            f"{e['n_test']:,}",
            "x".join(map(str, e["input_shape"])),
            str(e["n_classes"]),
            "embedded" if e["embedded"] else e["found_in"] or "not here",
            e["licence"],
        ]
        for e in entries
    ]
    header = ["name", "train", "test", "shape", "classes", "where", "licence"]
    out.say_lines(text_table(header, rows, "lrrrrll"))
    out.emit({"data_sets": entries})
    return EXIT_OK


def fetch_set(arguments: argparse.Namespace, out: Output) -> int:
    """Fetch a set into the cache or another folder."""
    from overparam.data import fetch

    try:
        with show_download(arguments.quiet) as progress:
            folder = fetch(arguments.name, arguments.mirror, arguments.to, progress)
    except KeyboardInterrupt as stop:
        again = resuming(arguments.words)
        out.note(f"overparam: interrupted; what has come is kept; to go on: {again}")
        out.emit({"error": {"message": "interrupted", "remedy": again}})
        return exit_code_of(stop)
    out.say(f"{arguments.name} is in {folder}")
    out.emit({"name": arguments.name, "folder": str(folder)})
    return EXIT_OK


def show_places(arguments: argparse.Namespace, out: Output) -> int:
    """Show the places that are searched."""
    from overparam.data import catalogue, where
    from overparam.report.formatting import format_bytes

    names = [arguments.name] if arguments.name else [entry.name for entry in catalogue()]
    found = {name: where(name) for name in names}
    for name, places in found.items():
        out.say(name)
        for place in places:
            size = format_bytes(place.n_bytes) if place.n_bytes else ""
            state = ", ".join(filter(None, ["found" if place.found else "–", size, place.note]))
            out.say(f"  {place.origin}: {place.path}  {state}")
    out.emit({name: [vars(place) for place in places] for name, places in found.items()})
    return EXIT_OK
