"""`overparam report`, `export` and `check`: what to do with a study that is there."""

from __future__ import annotations

import argparse
from typing import Any

from overparam.checks import check_file
from overparam.cli.output import Output
from overparam.cli.parse import parse_file, parse_list, parse_path
from overparam.cli.parser import Parser, examples
from overparam.cli.writing import check_reports, open_page, write_reports
from overparam.errors import EXIT_OK, EXIT_STORE, UsageError
from overparam.whole_file import write_whole

FIGURE_FORMATS = ("svg", "png", "pdf", "csv")


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `report`, `export` and `check`."""
    _add(
        group,
        shared,
        "report",
        report,
        "rebuild the report of a study",
        "Rebuild report.html and report.json from what a study folder holds, also while it is\n"
        "running or after it was interrupted. Nothing is trained. Of a phenomenon of your own the\n"
        "records are shown; name its file with --phenomenon for verdicts and figures, for which\n"
        "its code is run.",
        "overparam report studies/double_descent/random_features-standard --open",
        "overparam report studies/double_descent/random_features-standard --figures svg,pdf",
    )
    parser = group.choices["report"]
    parser.add_argument(
        "--to",
        metavar="FILE",
        type=parse_path,
        help="an .html or .json file, or a folder (default: DIR)",
    )
    parser.add_argument(
        "--figures",
        metavar="FORMATS",
        type=parse_list("figure format", FIGURE_FORMATS),
        help="also write each figure: svg, png, pdf, csv, with commas between them",
    )
    parser.add_argument("--open", action="store_true", help="show the report in the browser")
    _add(
        group,
        shared,
        "export",
        export,
        "write a study's records as a table",
        "Write the records of a study, one row each, for other tools. Units go along: beside a\n"
        "CSV file as FILE.units.json, in Parquet as metadata of the columns.",
        "overparam export studies/double_descent/random_features-standard --to records.csv",
    )
    group.choices["export"].add_argument(
        "--to", metavar="FILE", type=parse_file, required=True, help="a .csv or .parquet file"
    )
    _add(
        group,
        shared,
        "check",
        check,
        "verify that a study is undamaged",
        "Read a study once and verify every checksum: of the database, of every record and of\n"
        "every array. Exit code 4 where something is damaged or missing.",
        "overparam check studies/double_descent/random_features-standard",
    )


def report(arguments: argparse.Namespace, out: Output) -> int:
    """Write the report, and figures where they are asked for."""
    from overparam import api
    from overparam.cli.folders import phenomenon_of

    target = arguments.to or arguments.folder
    if target.suffix not in ("", ".html", ".json") and not target.is_dir():
        raise UsageError(
            "a report is HTML or JSON", got=target.name, allowed="FILE.html, FILE.json or a folder"
        )
    is_file = bool(target.suffix) and not target.is_dir()
    if is_file:
        check_file(target)
    else:
        check_reports(target, links=target != arguments.folder)
    study = api.load(arguments.folder, phenomenon_of(arguments.folder, arguments.phenomenon))
    place = target.parent if is_file else target
    if not is_file:
        files = write_reports(study, target)
    elif target.suffix == ".json":
        files = [write_whole(target, study.to_json() + "\n")]
    else:
        files = [study.save_report(target)]
    if arguments.figures:
        files += study.save_figures(place / "figures", arguments.figures)
    out.say_lines(str(study))
    for note in study.result.provenance["notes"]:
        out.say(f"note: {note}")
    for path in files:
        out.say(f"wrote {path}")
    if pages := [f for f in files if f.suffix == ".html"]:
        out.say(f"open it in a browser: {pages[0].resolve().as_uri()}")
    out.emit(
        {
            "name": study.content.name,
            "headline": study.content.headline,
            "verdicts": {arm: v.kind for arm, v in study.verdicts.items()},
            "n_records": study.content.n_recorded,
            "n_cells": study.content.n_planned,
            "notes": study.result.provenance["notes"],
            "files": [str(f) for f in files],
        }
    )
    if arguments.open and pages:
        open_page(pages[0], out)
    return EXIT_OK


def export(arguments: argparse.Namespace, out: Output) -> int:
    """Write the records."""
    from overparam.cli.folders import phenomenon_of
    from overparam.lab.export import export_records, in_order, table_files
    from overparam.lab.recorded import recorded_phenomenon
    from overparam.lab.store import Store

    table_files(arguments.to)  # before all is read
    phenomenon = phenomenon_of(arguments.folder, arguments.phenomenon)
    with Store.read_only(arguments.folder) as store:
        phenomenon = phenomenon or recorded_phenomenon(store)
        records = in_order(store.read(phenomenon))
    files = export_records(records, phenomenon, arguments.to)
    out.say(f"wrote {len(records):,} records to {' and '.join(map(str, files))}")
    out.emit({"n_records": len(records), "files": [str(f) for f in files]})
    return EXIT_OK


def check(arguments: argparse.Namespace, out: Output) -> int:
    """Verify the checksums."""
    from overparam.lab.store import Store

    with Store.read_only(arguments.folder) as store:
        counts, problems = store.counts(), store.check()
    n_records = sum(counts.values())
    kinds = ", ".join(f"{n:,} {status}" for status, n in counts.items())
    out.say(f"{arguments.folder}: {n_records:,} records" + (f" ({kinds})" if kinds else ""))
    for problem in problems:
        out.say(f"damaged: {problem}")
    if not problems:
        out.say("undamaged")
    out.emit(
        {
            "folder": str(arguments.folder),
            "ok": not problems,
            "n_records": n_records,
            "counts": counts,
            "problems": problems,
        }
    )
    return EXIT_STORE if problems else EXIT_OK


def _add(
    group: Any,
    shared: Parser,
    name: str,
    command: Any,
    short: str,
    description: str,
    *lines: str,
) -> None:
    parser = group.add_parser(
        name, parents=[shared], help=short, description=description, epilog=examples(*lines)
    )
    parser.add_argument("folder", metavar="DIR", type=parse_path, help="a study folder")
    if name != "check":
        parser.add_argument(
            "--phenomenon",
            metavar="FILE.py",
            help="a phenomenon's file, whose code is then run; nothing else of a study's is",
        )
    parser.set_defaults(command=command)
