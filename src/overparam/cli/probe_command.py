"""`overparam probe`: small tasks with known answers, put to an architecture of the user's."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from overparam.cli.output import Output, text_table
from overparam.cli.parse import parse_settings, whole_number
from overparam.cli.parser import Parser, examples
from overparam.cli.run_command import (
    add_folder_options,
    add_study_options,
    design_of,
)
from overparam.cli.study_run import Telling, run_study_command
from overparam.errors import UsageError

if TYPE_CHECKING:
    from overparam.phenomena.identity._levels import Level
    from overparam.report.study import Study


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `probe` with its tasks."""
    parser = group.add_parser(
        "probe",
        help="put a small task with a known answer to an architecture of your own",
        description="Put a small task with a known answer to an architecture of your own.",
        epilog=examples("overparam probe identity my_models.py:make_model"),
    )
    tasks = parser.add_group("TASK")
    _add_identity(tasks, shared)


def _add_identity(tasks: Any, shared: Parser) -> None:
    parser = tasks.add_parser(
        "identity",
        parents=[shared],
        help="which map does it learn from one image: the identity, or a constant?",
        description=(
            "Train the architecture to return one image, and see what it makes of images that it\n"
            "never saw: does it return them (the identity), or the training image (a constant)?\n"
            "TARGET is a built-in family with its arguments, or a class or function that makes an\n"
            "nn.Module, in a module or a file. It maps images [n, channels, side, side] to images\n"
            "of the same size; to one that returns other numbers a linear decoder is added."
        ),
        epilog=examples(
            "overparam probe identity same_convnet:n_channels=32 --sweep depth=3,7,12 --side 14",
            "overparam probe identity my_models.py:AutoEncoder --side 32 --channels 3",
            "overparam probe identity my_models.py:make:width=64 --sweep depth=2,4,8 --seeds 5",
        ),
    )
    add = parser.add_argument
    add("target", metavar="TARGET", help="family:argument=value, module:object or file.py:object")
    add(
        "--sweep",
        metavar="NAME=A,B,…",
        type=_sweep,
        help="an argument of the factory and its values, such as depth=2,4,8",
    )
    add("--side", type=whole_number("--side", 8), metavar="PIXELS", help="of images (default: 28)")
    add("--channels", type=whole_number("--channels"), metavar="N", help="of images (default: 1)")
    add("--images", type=whole_number("--images"), metavar="N", help="to learn (default: 1)")
    add("--steps", type=whole_number("--steps"), metavar="N", help="at most (default: 5000)")
    add_study_options(parser)
    add_folder_options(parser, "studies/identity_probe-…")
    parser.set_defaults(command=probe_identity, scale="standard", name="identity_probe")


def probe_identity(arguments: argparse.Namespace, out: Output) -> int:
    """Check the architecture at every level, run what is missing, say which map it prefers."""
    from overparam.cli.folders import default_folder
    from overparam.probes.identity_probe import PHENOMENON

    settings = _settings(arguments)
    _check_architecture(PHENOMENON, settings)
    folder = arguments.out or default_folder(PHENOMENON.name, arguments.scale, settings)
    design = design_of(arguments, settings)
    return run_study_command(arguments, out, PHENOMENON, folder, design, LEVELS)


def _settings(arguments: argparse.Namespace) -> dict[str, str]:
    settings = parse_settings(arguments.set)
    named: dict[str, Any] = {
        "target": arguments.target,
        "side": arguments.side,
        "n_channels": arguments.channels,
        "n_train": arguments.images,
        "max_steps": arguments.steps,
    }
    if arguments.sweep:
        named |= dict(zip(("sweep", "levels"), arguments.sweep, strict=True))
    for name, value in named.items():
        if value is None:
            continue
        if name in settings:
            raise UsageError(
                f"{name} is set twice",
                got=f"{value} and {settings[name]}",
                remedy="leave out --set or the option",
            )
        settings[name] = str(value)
    return settings


def _check_architecture(phenomenon: Any, settings: dict[str, str]) -> None:
    """Make the architecture once at every level, so that a mistake is told before anything runs."""
    from overparam.probes.architecture import load_image_map
    from overparam.probes.identity_probe import arguments, image_shape
    from overparam.streams import Streams

    for c in phenomenon.conditions("standard", settings):
        if c.arm == "trained":
            load_image_map(c.target, arguments(c), image_shape(c), Streams(0), n_train=c.n_train)


def _show(study: Study, out: Output) -> None:
    table = next((f for f in study.figures if f.name == "levels"), None)
    if table is not None:
        columns = table.columns  # type: ignore[union-attr]
        rows = [[str(x) for x in row] for row in zip(*columns.values(), strict=True)]
        out.say_lines(text_table(list(columns), rows, "llllllrr"))
        out.say()
    out.say(study.content.headline)


def _facts(study: Study) -> dict[str, Any]:
    return {"levels": [asdict(level) for level in _levels(study)]}


def _has_answer(study: Study) -> bool:
    """Whether some network fitted its image: any preference is an answer."""
    return any(level.n_learned for level in _levels(study))


def _levels(study: Study) -> list[Level]:
    from overparam.phenomena.identity._levels import levels_of
    from overparam.probes.identity_probe import summarise

    usable = study.records.where(lambda r: r.outcome is not None)
    return levels_of(summarise(usable)) if len(usable) else []


def _sweep(text: str) -> tuple[str, str]:
    name, equals, values = text.partition("=")
    parts = [v.strip() for v in values.split(",")]
    if not (equals and name.strip().isidentifier() and all(parts)) or len(set(parts)) < len(parts):
        raise UsageError(
            "--sweep takes an argument and its values",
            got=text,
            allowed="NAME=A,B,…, each value once, such as depth=2,4,8",
        )
    return name.strip(), ",".join(parts)


LEVELS = Telling(_show, _facts, _has_answer)
