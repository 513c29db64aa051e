"""`overparam run`: from a name to a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.interruption import exit_code_of, resuming
from overparam.cli.output import Output
from overparam.cli.parse import choice, parse_bytes, parse_phenomenon, parse_settings, whole_number
from overparam.cli.parser import Parser, examples
from overparam.cli.progress import show_progress
from overparam.errors import EXIT_NOT_OBSERVED, EXIT_OK, ResourceError

if TYPE_CHECKING:
    from overparam.report.study import Study

SCALES = ("smoke", "standard", "full")
DEVICES = ("auto", "cpu", "cuda")


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `run`."""
    parser = group.add_parser(
        "run",
        parents=[shared],
        help="run a phenomenon and write its report",
        description=(
            "Run a phenomenon, the claim and its control, on every core, and write its report.\n"
            "A study that was interrupted goes on where it was; more seeds add to it."
        ),
        epilog=examples(
            "overparam run double_descent_random_features",
            "overparam run double_descent_random_features --scale smoke --set n_train=100",
            "overparam run my_phenomenon.py --seeds 20 --out results/mine",
            "overparam run double_descent_random_features --json | jq .arms",
        ),
    )
    add_design_options(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, help="default: studies/NAME-SCALE")
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--resume", action="store_true", help="go on with the study in DIR; there must be one"
    )
    start.add_argument("--fresh", action="store_true", help="forget the study in DIR first")
    parser.add_argument("--no-report", action="store_true", help="write no report")
    parser.add_argument("--open", action="store_true", help="show the report in the browser")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(command=run)


def add_design_options(parser: Parser) -> None:
    """Add the arguments that say what is run, and on what: those of `run` and of `plan`."""
    add = parser.add_argument
    add("name", metavar="NAME", help="a name from `overparam list`, or a phenomenon's .py file")
    add(
        "--scale",
        type=choice("scale", SCALES),
        default="standard",
        metavar="SCALE",
        help="smoke (seconds), standard (default; minutes) or full (the source's own scale)",
    )
    add(
        "--seeds",
        type=whole_number("--seeds"),
        metavar="N",
        help="how many; default: the scale's own number",
    )
    add(
        "--first-seed",
        type=whole_number("--first-seed", 0),
        default=0,
        metavar="K",
        help="seeds K to K + N - 1 (default: 0)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="hold a field of the design at a value; may be repeated",
    )
    add(
        "--workers",
        type=whole_number("--workers"),
        metavar="N",
        help="processes of one thread each (default: one per core)",
    )
    add(
        "--device",
        type=choice("device", DEVICES),
        default="auto",
        metavar="DEVICE",
        help="auto (default), cpu or cuda",
    )
    add(
        "--memory",
        type=parse_bytes,
        metavar="SIZE",
        help="bound for the stacks of all workers, such as 4G (default: 2G)",
    )


def design_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `api.run` and `api.plan` that the options stand for."""
    design = {
        "scale": arguments.scale,
        "n_seeds": arguments.seeds,
        "first_seed": arguments.first_seed,
        "settings": parse_settings(arguments.set),
        "workers": arguments.workers,
        "device": arguments.device,
    }
    return design | ({"memory_bytes": arguments.memory} if arguments.memory else {})


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Run what is missing, write the report, show the verdicts."""
    design = design_of(arguments)
    phenomenon = parse_phenomenon(arguments.name)
    from overparam.cli.folders import default_folder

    folder = arguments.out or default_folder(phenomenon.name, arguments.scale, design["settings"])
    try:
        study = _run(arguments, out, phenomenon, folder, design)
        files = [] if arguments.no_report else write_reports(study, folder)
        return _conclude(arguments, out, study, folder, files)
    except KeyboardInterrupt as stop:
        return _interrupted(arguments, out, folder, exit_code_of(stop))


def write_reports(study: Study, place: Path, stem: str = "report") -> list[Path]:
    """Write the report as HTML and as JSON into folder `place` and return both files."""
    page = study.save_report(place / f"{stem}.html")
    return [page, write_text(page.with_suffix(".json"), study.to_json() + "\n")]


def write_text(path: Path, text: str) -> Path:
    """Write a file, making its folder.

    Raises:
        ResourceError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written",
            got=error.strerror,
            remedy="choose a writable folder, or free some space",
        ) from error
    return path


def open_page(path: Path, out: Output) -> None:
    """Show a page in the browser, or say how to."""
    import webbrowser

    address = path.resolve().as_uri()
    if not webbrowser.open(address):
        out.note(f"overparam: no browser could be started; open {address}")


def as_claimed(study: Study) -> bool:
    """Whether the treatment's verdict is `observed` and every control's `absent`."""
    arms = study.content.arms
    return any(a.is_treatment for a in arms) and all(
        a.kind == ("observed" if a.is_treatment else "absent") for a in arms
    )


def _run(
    arguments: argparse.Namespace, out: Output, phenomenon: Any, folder: Path, design: Any
) -> Study:
    from overparam import api
    from overparam.cli.folders import keep_source
    from overparam.lab.machine import find_device
    from overparam.lab.store import Store

    fresh = arguments.fresh
    # These refuse what cannot be run before any folder is made.
    phenomenon.conditions(arguments.scale, design["settings"])
    find_device(arguments.device)
    if arguments.resume:
        Store.open(folder, phenomenon, create=False).close()
    if arguments.name.endswith(".py"):
        keep_source(folder, phenomenon, Path(arguments.name), fresh)
        fresh = False
    if not arguments.quiet:
        out.note(f"{phenomenon.name} ({arguments.scale}), kept in {folder}")
    with show_progress(arguments.quiet) as on_progress:
        return api.run(phenomenon, out=folder, fresh=fresh, on_progress=on_progress, **design)


def _conclude(
    arguments: argparse.Namespace, out: Output, study: Study, folder: Path, files: list[Path]
) -> int:
    content = study.content
    code = EXIT_OK if as_claimed(study) else EXIT_NOT_OBSERVED
    for status, trouble in (("failed", content.failed), ("diverged", content.diverged)):
        if trouble.count:
            out.note(f"overparam: {trouble.count:,} cells {status}, first: {trouble.cells[0]}")
    if not out.as_json:
        _show_verdicts(study)
    if files:
        out.say(f"report: {files[0]}")
        out.say(f"open it in a browser: {files[0].resolve().as_uri()}")
    out.emit(
        {
            "name": content.name,
            "scale": content.scale,
            "seeds": content.seeds,
            "settings": content.settings,
            "as_claimed": code == EXIT_OK,
            "headline": content.headline,
            "arms": [vars(arm) for arm in content.arms],
            "n_cells": content.n_planned,
            "n_failed": content.failed.count,
            "n_diverged": content.diverged.count,
            "folder": str(folder),
            "files": [str(f) for f in files],
            "command": content.command,
            "exit_code": code,
        }
    )
    if arguments.open and files:
        open_page(files[0], out)
    return code


def _show_verdicts(study: Study) -> None:
    if not sys.stdout.isatty():
        print(study)
        return
    from rich.console import Console

    from overparam.report.terminal import verdict_table

    Console().print(verdict_table(study.content))


def _interrupted(arguments: argparse.Namespace, out: Output, folder: Path, code: int) -> int:
    from overparam.cli.folders import describe_folder

    found = describe_folder(folder) or {"n_records": 0, "n_cells": 0}
    again, n_kept, n_cells = resuming(arguments.words), found["n_records"], found["n_cells"]
    of = f" of {n_cells:,}" if n_cells >= n_kept else ""
    text = f"interrupted; {n_kept:,}{of} cells are kept in {folder}"
    out.note(f"overparam: {text}; to go on: {again}")
    out.emit(
        {
            "error": {"message": text, "remedy": again},
            "folder": str(folder),
            "n_kept": n_kept,
            "n_cells": n_cells,
            "resume": again,
            "exit_code": code,
        }
    )
    return code
