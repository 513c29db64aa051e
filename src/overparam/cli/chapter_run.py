"""`overparam run CHAPTER`: its phenomena one after the other, and the index of their reports."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.interruption import exit_code_of, resuming
from overparam.cli.output import Output
from overparam.cli.progress import show_progress
from overparam.cli.writing import check_reports, open_page, write_json
from overparam.errors import EXIT_NOT_OBSERVED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from overparam.collection import Ended


def is_chapter(name: str) -> bool:
    """Whether `overparam run` is asked for a chapter, or for ``all`` of them."""
    from overparam import phenomena

    return name == "all" or name in phenomena.chapters()


def run_chapter_command(arguments: argparse.Namespace, out: Output, design: dict[str, Any]) -> int:
    """Run what is missing of every study, write reports and index, and tell each verdict."""
    from overparam.cli.folders import STUDIES

    refuse_what_differs(arguments)
    base = arguments.out or STUDIES
    options = {k: v for k, v in design.items() if k not in ("scale", "settings")}
    try:
        return _run(arguments, out, base, options)
    except KeyboardInterrupt as stop:
        code, again = exit_code_of(stop), resuming(arguments.words)
        out.note(f"overparam: interrupted; finished cells are kept in {base}; to go on: {again}")
        out.emit({"error": {"message": "interrupted", "remedy": again}, "exit_code": code})
        return code


def _run(arguments: argparse.Namespace, out: Output, base: Path, options: Mapping[str, Any]) -> int:
    from overparam.cli.run_command import as_claimed
    from overparam.collection import ALL, INDEX, names_in, run_each

    names = names_in(arguments.name)
    for name in names:
        check_reports(base / f"{name}-{arguments.scale}")
    ended: list[Ended] = []
    codes = {EXIT_OK}
    if not arguments.quiet:
        out.note(f"1 of {len(names)}: {names[0]} ({arguments.scale})")
    with show_progress(arguments.quiet) as on_progress:
        for one in run_each(
            arguments.name,
            arguments.scale,
            out=base,
            fresh=arguments.fresh,
            on_progress=on_progress,
            **options,
        ):
            ended.append(one)
            codes.add(_tell(one, out, as_claimed))
            if not arguments.quiet and len(ended) < len(names):
                out.note(f"{len(ended) + 1} of {len(names)}: {names[len(ended)]}")
    index = (base if arguments.name == ALL else base / arguments.name) / INDEX
    code = max(codes)
    if any(one.study for one in ended):
        out.say(f"index: {index}")
        out.say(f"open it in a browser: {index.resolve().as_uri()}")
    out.emit(
        {
            "chapter": arguments.name,
            "scale": arguments.scale,
            "index": str(index),
            "studies": [_facts(one, as_claimed) for one in ended],
            "exit_code": code,
        }
    )
    if arguments.open and index.is_file():
        open_page(index, out)
    return code


def _tell(one: Ended, out: Output, as_claimed: Any) -> int:
    """Write one study's line, and its report as JSON; return its exit code."""
    if one.study is None:
        assert one.error is not None
        out.note(f"overparam: {one.name}: {one.error}")
        out.say(f"{one.name}: not finished")
        return one.error.exit_code
    write_json(one.study, one.folder)
    out.say(f"{one.name}: {one.study.content.headline}")
    return EXIT_OK if as_claimed(one.study) else EXIT_NOT_OBSERVED


def _facts(one: Ended, as_claimed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": one.name, "folder": str(one.folder)}
    if one.study is None:
        return {**facts, "error": str(one.error)}
    verdicts = {arm: verdict.kind for arm, verdict in one.study.verdicts.items()}
    return {**facts, "verdicts": verdicts, "as_claimed": as_claimed(one.study)}


def refuse_what_differs(arguments: argparse.Namespace) -> None:
    """Refuse options that mean something else for every phenomenon, or nothing for a chapter."""
    for option in ("--set", "--resume"):
        if getattr(arguments, option.strip("-"), None):
            raise UsageError(
                f"{option} is for one phenomenon, not for a chapter",
                got=arguments.name,
                remedy="run the one phenomenon; a chapter goes on by itself where it was",
            )
    if getattr(arguments, "no_report", False):
        raise UsageError(
            "a chapter is run for its reports", got="--no-report", remedy="leave it out"
        )
