"""`main`: the program `overparam`. Finds the command, and turns errors into exit codes."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from overparam import __version__
from overparam.checks import NO_PLACE, check_working_folder
from overparam.cli import (
    audit_command,
    census_command,
    data_command,
    ensemble_command,
    gallery_command,
    list_command,
    plan_command,
    probe_command,
    run_command,
    study_commands,
)
from overparam.cli.interruption import exit_code_of
from overparam.cli.output import Output, Unwritable, standard_streams
from overparam.cli.parser import Parser, examples
from overparam.errors import (
    EXIT_CODE,
    EXIT_OK,
    EXIT_RESOURCE,
    EXIT_USAGE,
    OverparamError,
    ResourceError,
    UsageError,
)
from overparam.lab.blame import place_of, text_of, what_ran_out
from overparam.stopping import is_stop, stop

EXIT_BROKEN_PIPE = 128 + 13  # as of a program that SIGPIPE ended
_RESOURCE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO)
_PATH_ERRNOS = NO_PLACE | {  # that is how the command was used
    errno.EEXIST: "a file stands where a path needs a folder",
    errno.EISDIR: "a folder stands where a file is to be written",
    errno.EROFS: "a path leads to a disk that can only be read",
}
_MORE = {
    "memory": "try a smaller --memory, or fewer --workers",
    "open files": "allow more (ulimit -n), or try fewer --workers",
}
_MOST_PATH_LETTERS = 80  # of a path that is shown because it is too long
_ROOM = "free some space, or choose a place that you may write to"
_EXIT_CODES = """\
exit codes:
  0   done; after run: every verdict is what the phenomenon claims
  1   run: a verdict is another one; audit: something as severe as --fail-on was found
  2   a name, option or value that does not exist, or a path where nothing can be
  3   data that cannot be used
  4   a study folder that is in use, damaged, of another revision or of code edited since
  5   disk, memory, permissions or network
  70  a bug: in a phenomenon's own code (the message names the place), or in overparam
  129, 130, 143  interrupted; the finished cells are kept
  141 the reader of stdout, such as head, closed it
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line (by default this process's) and return its exit code."""
    words = list(sys.argv[1:] if words is None else words)
    out = Output(as_json="--json" in words)
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may hold what a locale does not
    try:
        with standard_streams() as closed, _terminating():
            with out.held():
                code = _guarded(words, out)
            if closed is not None and closed.was_needed:
                raise Unwritable(errno.EBADF, "it is closed")
            sys.stdout.flush()
            return code
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _silence_stdout()
        return EXIT_BROKEN_PIPE
    except OSError as error:  # stdout itself cannot be written
        _silence_stdout()
        text = f"the output cannot be written: {error.strerror}; send it elsewhere"
        return _refuse(out, text, EXIT_RESOURCE)


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="overparam",
        description="A laboratory and an audit bench for overparameterized models.",
        epilog=examples(
            "overparam list",
            "overparam plan double_descent/random_features",
            "overparam run double_descent/random_features",
            "overparam run identity",
            "overparam census preact_resnet18:width=64 --n-train 50000",
            "overparam audit data.csv --target label",
        )
        + "\n\n"
        + _EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"overparam {__version__}")
    parser.set_defaults(command=None, traceback=False)
    shared = Parser(add_help=False)
    shared.add_argument(
        "--json", action="store_true", help="write one JSON object to stdout and nothing else there"
    )
    shared.add_argument("--traceback", action="store_true", help="show where an error comes from")
    group = parser.add_group("COMMAND")
    for commands in (
        list_command,
        run_command,
        plan_command,
        study_commands,
        gallery_command,
        data_command,
    ):
        commands.add_parsers(group, shared)
    census_command.add_parsers(group, shared)
    probe_command.add_parsers(group, shared)
    ensemble_command.add_parsers(group, shared)
    audit_command.add_parsers(group, shared)
    return parser


def _guarded(words: list[str], out: Output) -> int:
    """Run the command; every error ends as one message and a code."""
    show_trace = "--traceback" in words
    try:
        check_working_folder()
        parser = build_parser()
        try:
            arguments = parser.parse(words)
        except SystemExit as end:  # of --help and --version
            return int(end.code or EXIT_OK)
        command: Callable[[Any, Output], int] | None = arguments.command
        if command is None:
            parser.print_help(sys.stderr)
            return EXIT_USAGE
        arguments.words = words
        return command(arguments, out)
    except (BrokenPipeError, Unwritable):
        raise
    except OverparamError as error:
        _trace(show_trace)
        if (about := _path_error(error)) is not None:
            return _refuse(out, about, EXIT_USAGE, kind="UsageError")
        parts = {n: getattr(error, n) for n in ("what", "got", "allowed", "remedy")}
        return _refuse(out, str(error), error.exit_code, kind=type(error).__name__, **parts)
    except BaseException as error:  # whatever code of the user's raises, sys.exit included
        if isinstance(error, KeyboardInterrupt) and is_stop(error):
            return _refuse(out, "interrupted", exit_code_of(error))
        _trace(show_trace)
        if (about := _path_error(error)) is not None:
            return _refuse(out, about, EXIT_USAGE, kind="UsageError")
        if short := what_ran_out(error):
            got = f"; got {text_of(error)!r}" if text_of(error) else ""
            text = f"{short} ran out{got}; {_MORE[short]}"
            return _refuse(out, text, EXIT_RESOURCE)
        if isinstance(error, OSError) and error.errno in _RESOURCE_ERRNOS:
            text = f"{error.filename or 'a file'} cannot be used; got {error.strerror!r}"
            return _refuse(out, f"{text}; {_ROOM}", EXIT_RESOURCE)
        again = (
            "" if show_trace else f"; to see where: {shlex.join(['overparam', *words])} --traceback"
        )
        text = f"unexpected {type(error).__name__}: {text_of(error)}"
        place = place_of(error)
        text += f" at {place}; mend the code" if place else f"; please report this as a bug{again}"
        return _refuse(out, text, EXIT_CODE, kind=type(error).__name__)


def _path_error(error: BaseException) -> str | None:
    """Return what is wrong with a path, where that is what an error, or its cause, is about."""
    # An error of a study or of a phenomenon's own code is about that, whatever caused it.
    cause = error.__cause__ if isinstance(error, ResourceError | UsageError) else error
    if not isinstance(cause, OSError) or cause.errno not in _PATH_ERRNOS:
        return None
    path = str(cause.filename or "")
    shown = path if len(path) <= _MOST_PATH_LETTERS else f"{path[:_MOST_PATH_LETTERS]}…"
    got = f"; got {shown!r}" if path else ""
    return f"{_PATH_ERRNOS[cause.errno]}{got}; choose another"


def _refuse(out: Output, text: str, code: int, **parts: Any) -> int:
    out.note(f"overparam: {text}")
    out.emit({"error": {"message": text, **parts}, "exit_code": code})
    return code


def _trace(wanted: bool) -> None:
    if wanted:
        traceback.print_exc()


def _silence_stdout() -> None:
    """Let what is still in the buffer go nowhere, or Python complains once more at its end."""
    with contextlib.suppress(OSError), open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)


@contextlib.contextmanager
def _terminating() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP end the command in good order inside the block, as `Stopped`.

    A SIGHUP that is ignored, as under `nohup`, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {n: signal.signal(n, stop) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
