"""Start-up, help, refusals: what every command has in common."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from overparam import __version__
from overparam.cli import list_command
from overparam.cli import main as main_module
from overparam.cli.main import build_parser, main
from overparam.cli.output import Output, strict, text_table
from overparam.stopping import Stopped, Terminated

HEAVY = {"torch", "numpy", "scipy", "sklearn", "rich", "jinja2", "altair", "vl_convert"}


def commands():
    """Every command as words, groups and their members."""
    found = []
    for name, parser in build_parser().commands.items():
        found.append([name])
        found += [[name, inner] for inner in parser.commands]
    return found


def modules_after(words, cwd):
    """The modules loaded when a command line has run."""
    text = (
        "import sys\nfrom overparam.cli.main import main\n"
        f"code = main({words!r})\nprint('|'.join([str(code), *sys.modules]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", text], cwd=cwd, capture_output=True, text=True)
    code, *modules = done.stderr.strip().splitlines()[-1].split("|")
    return int(code), set(modules)


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["run", "--help"], ["census", "--help"], ["data", "list"], ["rnu"]],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded_before_it_is_needed(words, tmp_path):
    code, modules = modules_after(words, tmp_path)
    assert code == (2 if words == ["rnu"] else 0)
    assert not HEAVY & modules


def test_listing_with_a_study_loads_no_torch(study):
    _, folder = study
    code, modules = modules_after(["list", "--studies", str(folder.parent)], folder)
    assert code == 0
    assert not {"torch", "scipy", "sklearn", "rich", "jinja2", "altair"} & modules


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"overparam {__version__}\n"


@pytest.mark.parametrize("words", [[], *commands()], ids=" ".join)
def test_every_help_page_describes_and_gives_examples(words, capsys):
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "examples:\n  overparam " in shown or "examples:\n  OVERPARAM" in shown
    assert shown.startswith("usage: overparam")
    assert all(len(line) <= 110 for line in shown.splitlines())


def test_the_help_lists_the_exit_codes_of_the_documentation(capsys):
    main(["--help"])
    told = capsys.readouterr().out.partition("exit codes:")[2]
    documented = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    rows = re.findall(r"^\| ([\d, ]+) \|", documented, re.MULTILINE)
    assert len(rows) == 9
    for code in rows:
        assert re.search(rf"^  {code} ", told, re.MULTILINE)


def test_no_command_shows_the_help_and_is_a_usage_error(capsys):
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "no such command of overparam; got 'rnu'; .*did you mean 'run'"),
        (["data", "fetsh"], "no such command of overparam data; .*did you mean 'fetch'"),
        (["data"], "name one of its commands; see overparam data --help"),
        (["run"], "required: NAME; see overparam run --help"),
        (["run", "x", "--scael", "full"], "no such option of overparam run; .*mean '--scale'"),
        (["run", "x", "--zzzzzz"], "got '--zzzzzz'; see overparam run --help"),
        (["run", "x.py", "--", "--scale", "smoke"], "too many: '--scale'; options stand before --"),
        (["run", "x.py", "y", "--scale", "smoke"], "one argument too many: 'y'; see overparam run"),
        (["run", "x", "--se=3"], "no such option of overparam run; got '--se'"),
        (["list", "everything"], "unknown chapter"),
        (["run", "x", "--seeds"], "expected one argument; see overparam run --help"),
        (["run", "x", "--resume", "--fresh"], "not allowed with argument"),
        (["run", "x", "--scale", "ful"], "unknown scale; got 'ful'; .*did you mean 'full'"),
        (["run", "x", "--device", "gpu"], "unknown device; got 'gpu'; allowed: auto, cpu, cuda"),
        (["run", "x", "--workers", "0"], "--workers is out of range; got 0"),
        (["plan", "x", "--memory", "much"], "this is no size of memory; got 'much'"),
        (["plan", "x", "--set", "n"], "--set takes a field and its value; got 'n'"),
        (
            ["plan", "double_descent_random_featurs"],
            "did you mean 'double_descent/random_features'",
        ),
        (["run", "nowhere.py"], "there is no such file; got 'nowhere.py'"),
        (["export", "here"], "required: --to"),
        (["report", "here", "--figures", "gif"], "unknown figure format; got 'gif'"),
    ],
)
def test_refusals_of_words_say_what_is_allowed(here, words, message):
    code, out, err = here(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("overparam: ")
    assert err.count("\n") == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(err)


def test_refusals_as_json(here):
    code, out, err = here("run", "no_such_thing", "--json")
    answer = json.loads(out)
    assert code == answer["exit_code"] == 2
    assert answer["error"]["kind"] == "UsageError"
    assert answer["error"]["got"] == "no_such_thing"
    assert answer["error"]["message"] in err


def failing(error):
    def command(arguments, out):
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RuntimeError("oh"), 70, f"unexpected RuntimeError: oh at {__file__}:"),
        (MemoryError(), 5, "memory ran out; try a smaller --memory, or fewer --workers"),
        (OSError(errno.ENOSPC, "No space left", "/x"), 5, "No space left"),
        (OSError(errno.ENOMEM, "Cannot allocate"), 5, "memory ran out"),
        (OSError(errno.EMFILE, "Too many"), 5, "open files ran out; got '[Errno 24] Too many'"),
        (ImportError("x.so: failed to map segment from shared object"), 5, "memory ran out"),
        (ImportError("no module x"), 70, "unexpected ImportError"),
        (OSError(errno.ENOENT, "No such file"), 70, "unexpected FileNotFoundError"),
        (Stopped(), 130, "interrupted"),
        (Terminated(), 143, "interrupted"),
        (KeyboardInterrupt(), 70, "unexpected KeyboardInterrupt"),  # not the user's: of some code
        (SystemExit(0), 70, "unexpected SystemExit: 0"),
        (GeneratorExit(), 70, "unexpected GeneratorExit"),
    ],
)
def test_unexpected_errors_are_short(here, monkeypatch, error, code, message):
    monkeypatch.setattr(list_command, "list_phenomena", failing(error))
    found, out, err = here("list")
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_traceback_on_demand(here, monkeypatch):
    monkeypatch.setattr(list_command, "list_phenomena", failing(RuntimeError("oh")))
    code, _, err = here("list", "--traceback")
    assert code == 70
    assert "Traceback (most recent call last)" in err
    assert "in command" in err
    assert "--traceback" not in err.splitlines()[-1]


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "overparam.cli.main", "list"]
    done = subprocess.run(words, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("word", ["list", "--help", "--version"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written(tmp_path, word, unbuffered):
    words = [sys.executable, "-m", "overparam.cli.main", word]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 5
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("word", ["list", "list --json", "--help"])
def test_output_that_is_closed_cannot_be_written(tmp_path, word):
    words = f"{sys.executable} -m overparam.cli.main {word}"
    done = subprocess.run(f"{words} >&-", shell=True, cwd=tmp_path, capture_output=True)
    assert done.returncode == 5
    assert b"the output cannot be written: it is closed; send it elsewhere" in done.stderr
    # Stderr has only words about the work.
    done = subprocess.run(f"{words} 2>&- <&-", shell=True, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0
    assert done.stdout


def test_a_working_folder_that_was_deleted(tmp_path):
    (tmp_path / "gone").mkdir()
    for program in ("overparam", "overparam.cli.main"):
        (tmp_path / "gone").mkdir(exist_ok=True)
        words = f"rmdir ../gone; {sys.executable} -m {program} list"
        done = subprocess.run(words, shell=True, cwd=tmp_path / "gone", capture_output=True)
        assert done.returncode == 2
        assert b"overparam: the working folder cannot be used; got" in done.stderr
        assert done.stderr.count(b"\n") == 1


def test_json_goes_alone_to_stdout_and_stdout_comes_back(capfd):
    out = Output(as_json=True)
    with out.held():
        print("words of a library")
        os.system("echo words of a program")
        out.say("words for people")
        out.emit({"n": 1, "path": main_module.__file__, "ratio": float("nan")})
    print("after")
    shown = capfd.readouterr()
    body, after = shown.out[: shown.out.rindex("}") + 1], shown.out[shown.out.rindex("}") + 1 :]
    assert json.loads(body) == {"n": 1, "path": main_module.__file__, "ratio": None}
    assert after == "\nafter\n"
    assert sorted(shown.err.splitlines()) == ["words of a library", "words of a program"]


def test_text_mode_emits_nothing(capsys):
    out = Output()
    with out.held():
        out.emit({"n": 1})
        out.say("words")
    assert capsys.readouterr().out == "words\n"


def test_strict_values():
    given = {1: (1, True, None, "x"), "r": range(2), "inf": float("-inf"), "ok": 0.5}
    assert strict(given) == {"1": [1, True, None, "x"], "r": [0, 1], "inf": None, "ok": 0.5}


def test_text_table_with_no_rows():
    assert text_table(["a", "bb"], []) == "a  bb\n-  --"
