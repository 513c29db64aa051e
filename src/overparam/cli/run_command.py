"""`overparam run`: from a name to a report."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from overparam.cli.chapter_run import is_chapter, run_chapter_command
from overparam.cli.output import Output
from overparam.cli.parse import (
    choice,
    parse_bytes,
    parse_path,
    parse_phenomenon,
    parse_settings,
    whole_number,
)
from overparam.cli.parser import Parser, examples
from overparam.cli.study_run import Telling, run_study_command

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
            "A study that was interrupted goes on where it was; more seeds add to it.\n"
            "With a chapter's name, or all, run its phenomena, and write an index of the reports."
        ),
        epilog=examples(
            "overparam run double_descent/random_features",
            "overparam run double_descent/random_features --scale smoke --set n_train=100",
            "overparam run my_phenomenon.py --seeds 20 --out results/mine",
            "overparam run identity --scale smoke",
            "overparam run all",
            "overparam run double_descent/random_features --json | jq .arms",
        ),
    )
    add_design_options(parser)
    add_folder_options(parser, "studies/NAME-SCALE")
    parser.set_defaults(command=run)


def add_design_options(parser: Parser) -> None:
    """Add the arguments that say what is run, and on what: those of `run` and of `plan`."""
    add = parser.add_argument
    add("name", metavar="NAME", help="a name from `overparam list`, or a .py file")
    add(
        "--scale",
        type=choice("scale", SCALES),
        default="standard",
        metavar="SCALE",
        help="smoke (seconds), standard (default; minutes) or full (the source's own scale)",
    )
    add_study_options(parser)


def add_study_options(parser: Parser) -> None:
    """Add seeds, fields of the design, and the machine: those of everything that is run."""
    add = parser.add_argument
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


def add_folder_options(parser: Parser, default: str) -> None:
    """Add where a study is kept, whether it goes on, and what is shown of it."""
    parser.add_argument("--out", metavar="DIR", type=parse_path, help=f"default: {default}")
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--resume", action="store_true", help="go on with the study in DIR; there must be one"
    )
    start.add_argument("--fresh", action="store_true", help="forget the study in DIR first")
    parser.add_argument(
        "--accept-edits",
        action="store_true",
        help="keep the records in DIR although code of your own was edited since",
    )
    parser.add_argument("--no-report", action="store_true", help="write no report")
    parser.add_argument("--open", action="store_true", help="show the report in the browser")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def design_of(
    arguments: argparse.Namespace, settings: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the arguments of `api.run` and `api.plan` that the options stand for.

    Args:
        settings: fields that are held; by default those of ``--set``.
    """
    design = {
        "scale": arguments.scale,
        "n_seeds": arguments.seeds,
        "first_seed": arguments.first_seed,
        "settings": parse_settings(arguments.set) if settings is None else settings,
        "workers": arguments.workers,
        "device": arguments.device,
    }
    return design | ({"memory_bytes": arguments.memory} if arguments.memory else {})


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Run what is missing, write the report, show the verdicts."""
    design = design_of(arguments)
    if is_chapter(arguments.name):
        return run_chapter_command(arguments, out, design)
    phenomenon = parse_phenomenon(arguments.name)
    from overparam.cli.folders import default_folder

    folder = arguments.out or default_folder(phenomenon.name, arguments.scale, design["settings"])
    return run_study_command(arguments, out, phenomenon, folder, design, VERDICTS)


def as_claimed(study: Study) -> bool:
    """Whether the treatment's verdict is `observed` and every control's `absent`.

    There must be a control: an effect that nothing was held against is not what was claimed.
    """
    arms = study.content.arms
    return {a.is_treatment for a in arms} == {True, False} and all(
        a.kind == ("observed" if a.is_treatment else "absent") for a in arms
    )


def _show_verdicts(study: Study, out: Output) -> None:
    if not sys.stdout.isatty():
        out.say_lines(str(study))
        return
    from rich.console import Console

    from overparam.report.terminal import verdict_table

    Console().print(verdict_table(study.content))


VERDICTS = Telling(_show_verdicts, lambda study: {"as_claimed": as_claimed(study)}, as_claimed)
