"""`overparam audit`: a model and its data in, findings with their costs and next actions out."""

from __future__ import annotations

import argparse
import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.audit_progress import show_audit
from overparam.cli.interruption import exit_code_of, resuming
from overparam.cli.model_options import add_fitting_options, add_machine_options
from overparam.cli.output import Output, text_table
from overparam.cli.parse import choice, parse_list, parse_path, whole_number
from overparam.cli.parser import Parser, examples
from overparam.cli.writing import check_reports, open_page
from overparam.errors import EXIT_NOT_OBSERVED, EXIT_OK, UsageError
from overparam.stopping import is_stop

if TYPE_CHECKING:
    from overparam.audits.demonstration import Fault
    from overparam.audits.plan import AuditPlan
    from overparam.audits.subject import Subject
    from overparam.report.audit import Audit

AUDITS = Path("audits")
_DEMONSTRATION, _ITS_BUDGET = "demonstration", "90s"
_SEVERITIES, _TASKS = ("low", "medium", "high", "critical"), ("classes", "numbers")
_OF_DATA = (
    "target", "model", "test", "groups", "capacity", "task", "fitted", "epochs", "learning_rate",
    "batch_size",
)  # fmt: skip


class _Planned(Exception):
    """The plan is known, and nothing more is wanted."""


def add_parsers(group: Any, shared: Parser) -> None:
    """Add `audit`."""
    parser = group.add_parser(
        "audit",
        parents=[shared],
        help="audit a model and its data: what it learned, what it crammed, what that costs",
        description=(
            "Audit a model and its data within a budget of time, and write a report: what was\n"
            "found, with its interval, what it costs, and what to do next. DATA is a .csv,\n"
            ".parquet or .npz file, a data set's name (`overparam data list`), or a folder of\n"
            "images.\n"
            "Without --model reference models audit the data; without DATA a demonstration with\n"
            "planted faults is audited. The same command goes on after an interruption; with a\n"
            "larger --budget it trains only what is missing."
        ),
        epilog=examples(
            "overparam audit",
            "overparam audit data.csv --target label",
            "overparam audit data.csv --target label --model sklearn.svm:SVC --capacity C=1,10,100",
            "overparam audit a.parquet --target label --model mymodule:make --test b.parquet "
            "--fail-on high",
            "overparam audit digits --model mlp:input_dim=64,hidden=50,n_outputs=10 --plan",
        ),
    )
    add = parser.add_argument
    add("data", metavar="DATA", nargs="?", help="a file, a data set's name, a folder of images")
    add("--target", metavar="NAME", help="column, or array, of the labels (a file has one)")
    add(
        "--model",
        metavar="TARGET",
        help="family:argument=value, module:object or file.py:object that makes an nn.Module or "
        "an estimator, or is fit(rows, seed) -> predict; default: reference models",
    )
    add("--test", metavar="FILE", help="rows that are not trained on, with the same columns")
    add("--groups", metavar="NAME", help="column whose rows belong together")
    add("--budget", metavar="TIME", help="such as 30s, 10m or 2h (default: 10m)")
    add("--out", metavar="DIR", type=parse_path, help="default: audits/DATA")
    add(
        "--fail-on",
        metavar="SEVERITY",
        type=choice("severity", _SEVERITIES),
        help="exit code 1 if anything so severe is found: low, medium, high or critical",
    )
    add("--no-rows", action="store_true", help="leave what rows hold out of the report")
    add("--mute", metavar="CODES", type=_codes, default=(), help="such as OP202,OP504: not shown")
    add(
        "--capacity",
        metavar="KNOB=V,V",
        action="append",
        default=[],
        help="what makes the model larger or smaller; may be repeated",
    )
    add("--task", type=choice("task", _TASKS), help="classes or numbers (default: as labels look)")
    add(
        "--fitted",
        metavar="FILE",
        help="the model in use: weights of a network (.safetensors, .pt), or module:object",
    )
    add("--against", metavar="DIR", type=parse_path, help="an older audit, to be compared with")
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N")
    add_fitting_options(parser)
    add("--plan", action="store_true", help="say what the budget pays for; train nothing")
    add("--fresh", action="store_true", help="forget the models in DIR first")
    add_machine_options(parser)
    add("--open", action="store_true", help="show the report in the browser")
    parser.set_defaults(command=audit)


def audit(arguments: argparse.Namespace, out: Output) -> int:
    """Audit, write the report, tell the verdict, and return the exit code."""
    from overparam.audits.run import USUAL_BUDGET
    from overparam.ensembles.planning import read_seconds

    usual = USUAL_BUDGET if arguments.data else _ITS_BUDGET
    budget = read_seconds(arguments.budget or usual)
    folder: Path = arguments.out or AUDITS / _name_of(arguments.data)
    check_reports(folder)
    old = None
    if arguments.against is not None:
        from overparam.api import load_audit

        old = load_audit(arguments.against)  # before anything is trained
    subject, faults = _subject(arguments)
    if arguments.plan:
        return _plan(arguments, subject, budget, out)
    if arguments.fresh:
        _forget(folder)
    if not arguments.quiet:
        out.note(f"audit of {arguments.data or 'a demonstration'}, kept in {folder}")
    try:
        found = _run(arguments, subject, budget, folder, old)
    except KeyboardInterrupt as stop:
        if not is_stop(stop):
            raise
        again, code = resuming(arguments.words), exit_code_of(stop)
        text = f"interrupted; finished models are kept in {folder}"
        out.note(f"overparam: {text}; to go on: {again}")
        out.emit({"error": {"message": text, "remedy": again}, "exit_code": code})
        return code
    found.save(folder, rows=not arguments.no_rows)
    return _tell(arguments, found, faults, folder, out)


def _name_of(data: str | None) -> str:
    """Return what the folder of an audit is called.

    >>> _name_of("some/where/data.csv"), _name_of("digits"), _name_of("pictures/"), _name_of(None)
    ('data', 'digits', 'pictures', 'demonstration')
    """
    return _DEMONSTRATION if data is None else Path(data).absolute().stem


def _subject(arguments: argparse.Namespace) -> tuple[Subject, tuple[Fault, ...]]:
    if arguments.data is not None:
        from overparam.cli.audit_subject import subject_of

        return subject_of(arguments), ()
    given = [name for name in _OF_DATA if getattr(arguments, name)]
    if given:
        raise UsageError(
            "this goes with data of yours",
            got=f"--{given[0].replace('_', '-')}",
            remedy="name the data first: overparam audit DATA",
        )
    from overparam.audits.demonstration import make_demonstration

    made = make_demonstration(arguments.seed)
    return made.subject, made.faults


def _run(
    arguments: argparse.Namespace, subject: Subject, budget: float, folder: Path, old: Any
) -> Audit:
    from overparam.audits.run import run_audit
    from overparam.report.audit import Audit

    with show_audit(arguments.quiet) as (on_plan, on_progress):
        result = run_audit(
            subject,
            budget=budget,
            mute=arguments.mute,
            folder=folder,
            accept_edits=arguments.accept_edits,
            on_plan=on_plan,
            on_progress=on_progress,
            **_machine(arguments),
        )
    return Audit(result, old, _with_more(arguments.words, budget))


def _machine(arguments: argparse.Namespace) -> dict[str, Any]:
    how = {name: getattr(arguments, name) for name in ("seed", "workers", "device")}
    return how | ({"memory_bytes": arguments.memory} if arguments.memory else {})


def _plan(arguments: argparse.Namespace, subject: Subject, budget: float, out: Output) -> int:
    """Say what the budget pays for. One fit is measured, and nothing is kept."""
    from overparam.audits.run import run_audit
    from overparam.ensembles.planning import in_words

    plans: list[AuditPlan] = []

    def keep(plan: AuditPlan) -> None:
        plans.append(plan)
        raise _Planned

    with contextlib.suppress(_Planned):
        run_audit(subject, budget=budget, mute=arguments.mute, on_plan=keep, **_machine(arguments))
    if not plans:
        out.say(f"the budget of {in_words(budget)} does not pay for one fit; try more --budget")
    for plan in plans:
        out.say_lines("\n".join(plan.lines()))
    for note in subject.notes:
        out.say(f"note: {note}")
    stages = [vars(stage) for plan in plans for stage in plan.stages]
    seconds = sum(plan.seconds for plan in plans)
    out.emit({"budget": budget, "seconds": seconds, "stages": stages, "notes": subject.notes})
    return EXIT_OK


def _tell(
    arguments: argparse.Namespace,
    found: Audit,
    faults: tuple[Fault, ...],
    folder: Path,
    out: Output,
) -> int:
    failing = arguments.fail_on and found.result.at_least(arguments.fail_on)
    code = EXIT_NOT_OBSERVED if failing else EXIT_OK
    page = folder / "report.html"
    out.say_lines(repr(found))
    for note in found.notes:
        out.say(f"note: {note}")
    planted = [(f.code, f.what, f.n_planted, f.n_found(found.findings)) for f in faults]
    if planted:
        _show_planted(planted, out)
    if failing:
        out.say(f"{len(failing)} of severity {arguments.fail_on} or higher: {_codes_of(failing)}")
    out.say(f"report: {page}")
    out.say(f"open it in a browser: {page.resolve().as_uri()}")
    document = found.to_document(rows=not arguments.no_rows)
    names = ("code", "what", "n_planted", "n_found")
    more = {"planted": [dict(zip(names, p, strict=True)) for p in planted]} if planted else {}
    files = [str(folder / name) for name in ("report.html", "audit.json", "rows.csv")]
    out.emit({**document, **more, "folder": str(folder), "files": files, "exit_code": code})
    if arguments.open:
        open_page(page, out)
    return code


def _show_planted(planted: list[tuple[str, str, int, int]], out: Output) -> None:
    out.say()
    rows = [[code, what, str(n), str(found)] for code, what, n, found in planted]
    out.say_lines(text_table(("check", "planted", "how many", "found"), rows, "llrr"))
    kinds = sum(found > 0 for *_, found in planted)
    out.say(f"{kinds} of {len(planted)} kinds of planted faults were found")
    out.say()


def _codes(text: str) -> tuple[str, ...]:
    from overparam.audits.check import found_checks

    return parse_list("code", [check.code for check in found_checks()])(text)


def _codes_of(findings: Any) -> str:
    return ", ".join(f.code for f in findings)


def _with_more(words: list[str], budget: float) -> str:
    """Return the command line that goes on with twice the budget.

    >>> _with_more(["audit", "data.csv", "--budget", "30s"], 30.0)
    'overparam audit data.csv --budget 60s'
    """
    kept: list[str] = []
    for word in words:
        if word.startswith("--budget=") or (kept and kept[-1] == "--budget"):
            kept = kept[:-1] if kept and kept[-1] == "--budget" else kept
        else:
            kept.append(word)
    return resuming([*kept, "--budget", f"{round(2 * budget):d}s"])


def _forget(folder: Path) -> None:
    """Remove the models that an audit has kept in its folder, and nothing else."""
    if not folder.is_dir():
        return
    for place in folder.iterdir():
        if place.is_dir() and not place.is_symlink() and (place / "study.sqlite").is_file():
            shutil.rmtree(place)
    (folder / "trial.json").unlink(missing_ok=True)
