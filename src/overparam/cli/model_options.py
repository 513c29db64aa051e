"""The user's model on the command line, how a network of theirs is trained, and on what machine."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from overparam.cli.parse import choice, parse_bytes, whole_number
from overparam.cli.parser import Parser
from overparam.cli.run_command import DEVICES
from overparam.errors import UsageError

_FITS = ("epochs", "learning_rate", "batch_size")


def add_fitting_options(parser: Parser) -> None:
    """Add what a network of the user's own is trained by."""
    add = parser.add_argument
    add("--epochs", type=whole_number("--epochs"), metavar="N", help="of a network of yours")
    add("--learning-rate", type=float, metavar="ETA", help="of a network of yours")
    add("--batch-size", type=whole_number("--batch-size"), metavar="N", help="the same")


def add_machine_options(parser: Parser) -> None:
    """Add on what models are trained, which changes nothing of what they say."""
    add = parser.add_argument
    add("--accept-edits", action="store_true", help="go on although code of yours was edited")
    add(
        "--workers",
        type=whole_number("--workers", 0),
        metavar="N",
        help="processes of one thread each (default: one per core); 0: this process",
    )
    add("--device", type=choice("device", DEVICES), default="auto", metavar="DEVICE")
    add("--memory", type=parse_bytes, metavar="SIZE", help="bound, such as 4G (default: 2G)")
    add("--quiet", action="store_true", help="show no progress")


def model_named(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the model that ``--model`` names, and the recipe where it is a network."""
    from overparam.ensembles.learners import NamedModel, named_model
    from overparam.ensembles.usual_network import RECIPE

    model = named_model(arguments.model)
    if isinstance(model, NamedModel):
        given = {name: getattr(arguments, name) for name in _FITS}
        recipe = dataclasses.replace(RECIPE, **{k: v for k, v in given.items() if v is not None})
        return {"model": model, "recipe": recipe}
    refuse_fits(arguments, "of what is no network")
    return {"model": model}


def refuse_fits(arguments: argparse.Namespace, where: str) -> None:
    """Refuse options of a network's training where there is none.

    Raises:
        UsageError: one was given.
    """
    given = [name for name in _FITS if getattr(arguments, name) is not None]
    if given:
        raise UsageError(
            "these options are of a network of your own",
            got=f"--{given[0].replace('_', '-')} {where}",
            remedy="leave it out, or name a network with --model",
        )
