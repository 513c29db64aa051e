"""`overparam ensemble`: which rows of a table are memorized, mislabelled, exposed."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.given_table import read_given_table
from overparam.cli.interruption import exit_code_of, resuming
from overparam.cli.model_options import (
    add_fitting_options,
    add_machine_options,
    model_named,
    refuse_fits,
)
from overparam.cli.output import Output, text_table
from overparam.cli.parse import parse_path, whole_number
from overparam.cli.parser import Parser, examples
from overparam.cli.progress import show_progress
from overparam.cli.target_rows import show_targets, tell_end
from overparam.cli.writing import check_reports
from overparam.errors import EXIT_OK, UsageError
from overparam.stopping import is_stop
from overparam.whole_file import write_whole

if TYPE_CHECKING:
    from overparam.data.table_files import TableFile
    from overparam.ensembles import Ensemble, TargetEnsemble

_SHOWN = 10  # rows of each list


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `ensemble`."""
    parser = group.add_parser(
        "ensemble",
        parents=[shared],
        help="train models on random subsets: which rows are memorized, which labels are wrong",
        description=(
            "Train models on random subsets of a table, and say of every row how much its label\n"
            "is memorized, how likely it is wrong, and how exposed its membership is. DATA is a\n"
            ".csv, .parquet or .npz file, or the name of a data set (`overparam data list`). The\n"
            "same command goes on after an interruption; more --models train only those missing."
        ),
        epilog=examples(
            "overparam ensemble data.csv --target label --plan",
            "overparam ensemble data.csv --target label --models 80 --out studies/mine",
            "overparam ensemble digits --model mlp:input_dim=64,hidden=50,n_outputs=10",
            "overparam ensemble data.csv --target label --model "
            "sklearn.ensemble:RandomForestClassifier",
        ),
    )
    add = parser.add_argument
    add("data", metavar="DATA", help="a file of a table, or the name of a data set")
    add("--target", metavar="NAME", help="column, or array, of the labels (a file has one)")
    add(
        "--model",
        metavar="TARGET",
        help="family:argument=value, module:object or file.py:object that makes an nn.Module or "
        "an estimator, or is fit(rows, seed) -> predict; default: a network of one hidden layer",
    )
    add("--models", type=whole_number("--models"), metavar="K", help="default: 40")
    add("--ratio", type=float, default=0.7, metavar="R", help="share of rows (default: 0.7)")
    add("--budget", metavar="TIME", help="such as '10 min': as many models as it buys")
    add("--standard-error", type=float, metavar="E", help="with --plan: the precision to reach")
    add("--groups", metavar="NAME", help="column whose rows are in or out together")
    add("--by-class", action="store_true", help="every subset has its share of each class")
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N")
    add_fitting_options(parser)
    add("--plan", action="store_true", help="say what it costs and buys; train nothing")
    add("--out", metavar="DIR", type=parse_path, help="default: studies/ensemble-DATA")
    add("--fresh", action="store_true", help="forget what is in DIR first")
    add_machine_options(parser)
    parser.set_defaults(command=ensemble)


def ensemble(arguments: argparse.Namespace, out: Output) -> int:
    """Plan, or train what is missing, write ``rows.csv`` and tell what was found."""
    options, notes = _options(arguments)
    if arguments.plan:
        return _plan(arguments, options, notes, out)
    if arguments.standard_error is not None:
        raise UsageError("--standard-error goes with --plan, which says the number of models")
    folder: Path = arguments.out or Path("studies") / f"ensemble-{Path(arguments.data).stem}"
    check_reports(folder)
    if not arguments.quiet:
        out.note(f"ensemble of {arguments.data}, kept in {folder}")
    try:
        with show_progress(arguments.quiet) as on_progress:
            from overparam.ensembles import TargetEnsemble, subset_ensemble

            found = subset_ensemble(
                **options,
                n_models=arguments.models,
                budget=arguments.budget,
                folder=folder,
                fresh=arguments.fresh,
                accept_edits=arguments.accept_edits,
                on_progress=on_progress,
            )
    except KeyboardInterrupt as stop:
        if not is_stop(stop):
            raise
        again, code = resuming(arguments.words), exit_code_of(stop)
        text = f"interrupted; finished models are kept in {folder}"
        out.note(f"overparam: {text}; to go on: {again}")
        out.emit({"error": {"message": text, "remedy": again}, "exit_code": code})
        return code
    rows = write_whole(folder / "rows.csv", _csv(found))
    if isinstance(found, TargetEnsemble):
        show_targets(found, rows, notes, out)
    else:
        _show(found, rows, notes, out)
    return EXIT_OK


def _options(arguments: argparse.Namespace) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the arguments of `subset_ensemble` and `plan_ensemble` that the words stand for.

    Beside them, how a file was read.
    """
    from overparam.data.merged_values import notes_on_whole_columns
    from overparam.ensembles.usual_network import usual_network

    (X, y, notes), groups, evaluate = _data(arguments)
    options: dict[str, Any] = {
        "ratio": arguments.ratio,
        "seed": arguments.seed,
        "groups": groups,
        "by_class": arguments.by_class,
        "evaluate": evaluate,
        "workers": arguments.workers,
        "device": arguments.device,
    }
    if arguments.memory:
        options["memory_bytes"] = arguments.memory
    if arguments.model is None:
        model, inputs, labels, recipe = usual_network(X, y)
        refuse_fits(arguments, "without --model")
        usual = {"model": model, "X": inputs, "y": labels, "recipe": recipe, "evaluate": None}
        return options | usual, (*notes, *notes_on_whole_columns(X))
    return options | model_named(arguments) | {"X": X, "y": y}, notes


def _data(arguments: argparse.Namespace) -> tuple[TableFile, Any, Any]:
    """Return inputs and labels, groups, and what every member is asked about besides."""
    from overparam.data import load
    from overparam.data.table_files import TableFile

    if not Path(arguments.data).suffix:
        if arguments.target or arguments.groups:
            raise UsageError(
                "--target and --groups are columns of a file",
                got=arguments.data,
                remedy="leave them out for a data set by its name",
            )
        train_set, test_set = load(arguments.data)
        return TableFile(train_set, None), None, test_set
    X, y, groups, notes = read_given_table(arguments.data, arguments.target, arguments.groups)
    return TableFile(X, y, notes), groups, None


def _plan(
    arguments: argparse.Namespace, options: dict[str, Any], notes: tuple[str, ...], out: Output
) -> int:
    from overparam.ensembles import plan_ensemble
    from overparam.ensembles.planning import in_words

    found = plan_ensemble(
        **options,
        n_models=arguments.models,
        budget=arguments.budget,
        standard_error=arguments.standard_error,
    )
    out.say_lines("\n".join(repr(found).splitlines()[:5]))
    out.say()
    header = ("models", "standard error", "rows both in and out", "time")
    rows = [
        [f"{k:,}{' *' if k == found.n_models else ''}", f"{e:.2g}", f"{100 * s:.4g} %", in_words(t)]
        for k, e, s, t in found.table()
    ]
    out.say_lines(text_table(header, rows, "rrrr"))
    for note in (*notes, *found.notes):
        out.say(f"note: {note}")
    table = [dict(zip(("n_models", "standard_error", "both", "seconds"), r)) for r in found.table()]  # noqa: B905
    out.emit({**dataclasses.asdict(found), "table": table, "notes": [*notes, *found.notes]})
    return EXIT_OK


def _csv(found: Ensemble | TargetEnsemble) -> str:
    table = found.row_table
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *table])
    columns = [column.tolist() for column in table.values()]
    writer.writerows(zip(range(found.n_rows), *columns, strict=True))
    return text.getvalue()


def _show(found: Ensemble, rows: Path, notes: tuple[str, ...], out: Output) -> None:
    from overparam.ensembles.telling import lines_of

    table = found.row_table
    n_lines = 5 - 1  # the study's own line is told at the end
    out.say_lines("\n".join(lines_of(found)[:n_lines]))
    out.say()
    scores = table["memorization"].tolist()
    most = sorted(range(found.n_rows), key=lambda i: _last_if_unknown(scores[i]))
    out.say("memorized most")
    shown = [
        [str(i), str(table["label"][i]), _number(table["memorization"][i]),
         f"[{_number(table['memorization_low'][i])}, {_number(table['memorization_high'][i])}]",
         _number(table["p_out"][i])]
        for i in most[:_SHOWN]
    ]  # fmt: skip
    header = ("row", "label", "memorization", "interval", "probability out of sample")
    out.say_lines(text_table(header, shown, "rlrrr"))
    out.say()
    out.say("labels most likely wrong")
    ranked = {int(rank): i for i, rank in enumerate(table["label_error_rank"]) if rank >= 0}
    suspects = [ranked[k] for k in range(min(_SHOWN, len(ranked)))]
    shown = [
        [str(i), str(table["label"][i]), str(table["suggested_label"][i]),
         _number(table["p_out"][i])]
        for i in suspects
    ]  # fmt: skip
    out.say_lines(text_table(("row", "label", "rather", "probability"), shown, "rllr"))
    more = {"label_errors": suspects, "noise_rate": _noise_rate(found)}
    tell_end(found, rows, notes, out, {"memorized_most": most[:_SHOWN], **more})


def _noise_rate(found: Ensemble) -> dict[str, float] | None:
    from overparam.errors import DataError

    try:
        rate = found.noise_rate()
    except DataError:  # too few rows
        return None
    return {"rate": rate.rate, "low": rate.low, "high": rate.high}


def _last_if_unknown(score: float) -> float:
    return 2.0 if score != score else -score


def _number(value: float) -> str:
    return "unknown" if value != value else f"{value:.3f}"
