"""`overparam census`: how large a model is, and where it stands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from overparam.cli.output import Output, text_table
from overparam.cli.parse import parse_file, parse_shape, whole_number
from overparam.cli.parser import Parser, examples
from overparam.errors import EXIT_OK
from overparam.whole_file import write_whole

if TYPE_CHECKING:
    from overparam.models.census import Census

_MOST_SETTINGS = 30  # shown; --json has them all


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `census`."""
    parser = group.add_parser(
        "census",
        parents=[shared],
        help="count a model's parameters and place it against its interpolation threshold",
        description=(
            "Count the parameters of a PyTorch module or scikit-learn estimator, layer by layer,\n"
            "and place it against its interpolation threshold n_train x n_outputs. TARGET is a\n"
            "built-in family with its arguments, or an object, a class or a function that returns\n"
            "a model, in a module or a file. Nothing is trained."
        ),
        epilog=examples(
            "overparam census preact_resnet18:width=64 --n-train 50000 --input-shape 3,32,32",
            "overparam census mlp:input_dim=784,hidden=512x256,n_outputs=10 --n-train 60000",
            "overparam census my_models.py:make_model --n-train 4000 --input-shape 1,28,28",
            "overparam census sklearn.linear_model:LogisticRegression --n-train 500 "
            "--n-outputs 10 --input-shape 64",
            "overparam census mlp:input_dim=3,hidden=5,n_outputs=2 --picture network.svg",
        ),
    )
    add = parser.add_argument
    add("target", metavar="TARGET", help="family:argument=value, module:object or file.py:object")
    add("--n-train", type=whole_number("--n-train"), metavar="N", help="training examples")
    add(
        "--n-outputs",
        type=whole_number("--n-outputs"),
        metavar="K",
        help="outputs; default: as far as the model tells",
    )
    add(
        "--input-shape",
        type=parse_shape,
        metavar="SHAPE",
        help="of one input, such as 1,28,28; for lazy layers and unfitted estimators",
    )
    add(
        "--picture",
        metavar="FILE.svg",
        type=parse_file,
        help="draw the nodes and edges of a fully connected network",
    )
    parser.set_defaults(command=count)


def count(arguments: argparse.Namespace, out: Output) -> int:
    """Take the census and show it."""
    from overparam.models.census import TABLE_HEADER, census
    from overparam.models.targets import load_target

    model = load_target(arguments.target)
    found = census(
        model,
        n_train=arguments.n_train,
        n_outputs=arguments.n_outputs,
        input_shape=arguments.input_shape,
    )
    picture = None
    if arguments.picture is not None:
        from overparam.models.picture import network_picture

        picture = write_whole(arguments.picture, network_picture(model) + "\n")
    rows = [[_cell(x) for x in row] for row in found.table()]
    out.say(f"{found.name} ({found.library})")
    out.say_lines(text_table(TABLE_HEADER, rows, "llrrrr"))
    out.say()
    settings = found.hyperparameters
    for name, text in settings[:_MOST_SETTINGS]:
        out.say(f"  {name} = {text}")
    if len(settings) > _MOST_SETTINGS:
        out.say(f"  … {len(settings) - _MOST_SETTINGS} more with --json")
    out.say()
    for name, text in _facts(found):
        out.say(f"{name:<24} {text}")
    for note in found.notes:
        out.say(f"note: {note}")
    if picture is not None:
        out.say(f"wrote {picture}")
    out.emit({**found.to_dict(), "picture": None if picture is None else str(picture)})
    return EXIT_OK


def _cell(value: str | int | None) -> str:
    return "unknown" if value is None else value if isinstance(value, str) else f"{value:,}"


def _facts(found: Census) -> list[tuple[str, str]]:
    """Return what is known of the size, name and text."""
    from overparam.report.formatting import format_number

    facts: list[tuple[str, Any]] = [
        ("parameters", found.n_params),
        ("trainable", found.n_trainable),
        ("non-embedding", found.n_non_embedding),
        ("tree nodes", found.n_nodes),
        ("tree leaves", found.n_leaves),
        ("training examples", found.n_train),
        ("outputs", found.n_outputs),
        ("parameters per example", found.params_per_example),
        ("interpolation threshold", found.interpolation_threshold),
        ("parameters / threshold", found.threshold_ratio),
        ("regime", found.regime and f"{found.regime} the threshold"),
    ]
    return [(name, format_number(value)) for name, value in facts if value is not None]
