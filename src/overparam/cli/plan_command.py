"""`overparam plan`: what a run would cost on this machine."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from overparam.cli.chapter_run import is_chapter, refuse_what_differs
from overparam.cli.output import Output
from overparam.cli.parse import parse_phenomenon
from overparam.cli.parser import Parser, examples
from overparam.cli.run_command import add_design_options, design_of
from overparam.errors import EXIT_OK


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `plan`."""
    parser = group.add_parser(
        "plan",
        parents=[shared],
        help="say what a run would cost, before anything runs",
        description=(
            "Say what `overparam run` with the same options would cost on this machine: cells,\n"
            "models, operations, memory and time. Data are built and a few updates are timed;\n"
            "nothing is trained and nothing is kept."
        ),
        epilog=examples(
            "overparam plan double_descent/random_features",
            "overparam plan double_descent/random_features --scale full --workers 8 --memory 16G",
            "overparam plan all",
        ),
    )
    add_design_options(parser)
    parser.set_defaults(command=plan)


def plan(arguments: argparse.Namespace, out: Output) -> int:
    """Estimate and show; for a chapter each of its phenomena."""
    design = design_of(arguments)
    if not is_chapter(arguments.name):
        out.emit(_plan_one(arguments.name, design, out))
        return EXIT_OK
    from overparam import collection
    from overparam.report.formatting import format_seconds

    refuse_what_differs(arguments)
    found = [_plan_one(name, design, out) for name in collection.names_in(arguments.name)]
    seconds = sum(one["wall_seconds"] for one in found)
    about = "at most" if any(one["may_end_sooner"] for one in found) else "about"
    text = f"{about} {format_seconds(seconds)}"
    if any(one["as_in"] for one in found):
        likely = sum(one["likely_wall_seconds"] or one["wall_seconds"] for one in found)
        n_known = sum(one["as_in"] is not None for one in found)
        text = f"about {format_seconds(likely)}, {n_known} of them as they took here; {text}"
    out.say(f"all {len(found)} one after the other: {text}")
    out.emit({"chapter": arguments.name, "wall_seconds": seconds, "plans": found})
    return EXIT_OK


def _plan_one(name: str, design: dict[str, Any], out: Output) -> dict[str, Any]:
    phenomenon = parse_phenomenon(name)
    from overparam import api
    from overparam.cli.folders import default_folder, seconds_of_a_cell
    from overparam.report.formatting import format_bytes, format_number, format_seconds

    found = api.plan(phenomenon, **design)
    like = default_folder(phenomenon.name, design["scale"], design["settings"])
    each_cell = seconds_of_a_cell(like, phenomenon, found.device) if found.may_end_sooner else None
    likely_core = likely_wall = None
    if each_cell is not None and found.core_seconds > 0:
        likely_core = min(each_cell * found.n_cells, found.core_seconds)
        likely_wall = found.wall_seconds * likely_core / found.core_seconds
    most, about = ("at most ", "at most ") if found.may_end_sooner else ("", "about ")
    each = f"{found.workers} worker{'s' if found.workers > 1 else ''} on {found.device}"
    facts = [
        ("cells", f"{found.n_cells:,} in {found.n_units:,} units of work"),
        ("models", f"{found.n_models:,}"),
        ("operations", f"{most}{format_number(found.flops)} FLOP"),
        ("rate", f"{format_number(found.flops_per_second / 1e9)} GFLOP/s per worker"),
        ("memory", f"{format_bytes(found.memory_bytes)}, all workers"),
        ("time", f"{about}{format_seconds(found.wall_seconds)} with {each}"),
        ("computing", f"{most}{format_seconds(found.core_seconds)}, all workers"),
    ]
    if likely_wall is not None:
        facts.append(("last time", f"at its pace about {format_seconds(likely_wall)}: {like}"))
    out.say(f"{phenomenon.name} ({design['scale']})")
    for what, text in facts:
        out.say(f"  {what:<11} {text}")
    if found.may_end_sooner:
        out.say(
            "  note: networks stop when they have met their rule, most of them much sooner; 'at "
            "most' counts every update that they may take"
            + ("" if likely_wall else "; once run here, a plan also says what that took")
        )
    for note in found.notes:
        out.say(f"  note: {note}")
    return {
        "name": phenomenon.name,
        "scale": design["scale"],
        **dataclasses.asdict(found),
        "likely_wall_seconds": likely_wall,
        "likely_core_seconds": likely_core,
        "as_in": None if likely_wall is None else str(like),
    }
