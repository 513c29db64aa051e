"""Running a study from the command line: into its folder, to its report, to its exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.interruption import exit_code_of, resuming
from overparam.cli.output import Output
from overparam.cli.progress import show_progress
from overparam.cli.writing import check_reports, open_page, write_reports
from overparam.errors import EXIT_NOT_OBSERVED, EXIT_OK
from overparam.stopping import is_stop

if TYPE_CHECKING:
    from overparam.report.study import Study


@dataclass(frozen=True)
class Telling:
    """How a command tells what a study found.

    Attributes:
        show: writes it for people. facts: what ``--json`` adds. good: whether the exit code is 0.
    """

    show: Callable[[Study, Output], None]
    facts: Callable[[Study], dict[str, Any]]
    good: Callable[[Study], bool]


def run_study_command(
    arguments: argparse.Namespace,
    out: Output,
    phenomenon: Any,
    folder: Path,
    design: dict[str, Any],
    telling: Telling,
) -> int:
    """Run a study into its folder, write its report, tell it, and return the exit code."""
    check_reports(folder)
    try:
        study = _run(arguments, out, phenomenon, folder, design)
        files = [] if arguments.no_report else write_reports(study, folder)
        return _conclude(arguments, out, study, folder, files, telling)
    except KeyboardInterrupt as stop:
        if not is_stop(stop):
            raise
        return _interrupted(arguments, out, folder, exit_code_of(stop))


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
        return api.run(
            phenomenon,
            out=folder,
            fresh=fresh,
            accept_edits=arguments.accept_edits,
            on_progress=on_progress,
            **design,
        )


def _conclude(
    arguments: argparse.Namespace,
    out: Output,
    study: Study,
    folder: Path,
    files: list[Path],
    telling: Telling,
) -> int:
    content = study.content
    code = EXIT_OK if telling.good(study) else EXIT_NOT_OBSERVED
    for status, trouble in (("failed", content.failed), ("diverged", content.diverged)):
        if trouble.count:
            out.note(f"overparam: {trouble.count:,} cells {status}, first: {trouble.cells[0]}")
    if not out.as_json:
        telling.show(study, out)
    if files:
        out.say(f"report: {files[0]}")
        out.say(f"open it in a browser: {files[0].resolve().as_uri()}")
    out.emit(
        {
            "name": content.name,
            "scale": content.scale,
            "seeds": content.seeds,
            "settings": content.settings,
            **telling.facts(study),
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
