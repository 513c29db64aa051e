"""`run` and `plan`: verdicts as exit codes, files, interruptions and resumption."""

import dataclasses
import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from overparam import api
from overparam.cli import run_command
from overparam.cli.folders import seconds_of_a_cell
from overparam.cli.output import Output
from overparam.lab.store import Store, peek

N_CELLS = 4 * 2 * 3  # levels, arms, seeds
SMOKE = ("run", "probe.py", "--scale", "smoke", "--workers", "1")


def ran(folder):
    """How often each cell ran."""
    return Counter((folder / "log").read_text().splitlines())


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_study_as_claimed_is_code_0_and_one_json_object(study):
    answer, folder = study
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)  # although every cell printed something
    assert "words of a cell" in answer.stderr
    assert found["as_claimed"] is True
    assert found["exit_code"] == 0
    assert [(a["name"], a["kind"]) for a in found["arms"]] == [
        ("treatment", "observed"),
        ("control", "absent"),
    ]
    clause = found["arms"][0]["clauses"][0]
    assert isinstance(clause, dict)
    assert clause["state"] == "shown"
    assert found["n_cells"] == N_CELLS
    assert found["seeds"] == [0, 1, 2]
    assert found["folder"] == "studies/probe_of_session-smoke"
    assert found["files"] == [f"{found['folder']}/report.{e}" for e in ("html", "json")]
    assert (folder / "report.html").read_text().startswith("<!")
    assert json.loads((folder / "report.json").read_text())["name"] == "probe_of_session"
    assert f"0 of {N_CELLS} cells" in answer.stderr


def test_another_verdict_is_code_1(here, tmp_path, probe_text):
    (tmp_path / "probe_low.py").write_text(probe_text)
    words = ("--scale", "smoke", "--workers", "1", "--seeds", "3", "--no-report")
    code, out, err = here("run", "probe_low.py", *words, "--set", "height=0", "--quiet")
    assert (code, err) == (1, "")
    assert any(line.startswith("treatment  absent") for line in out.splitlines())
    assert "Not observed" in out
    folder = tmp_path / "studies" / "probe_low-smoke-height=0"
    assert peek(folder)["n_records"] == N_CELLS
    assert not (folder / "report.html").exists()
    # Cells that fail are said; the other levels carry the verdict.
    code, _, err = here("run", "probe_low.py", *words, "--set", "height=9")
    assert code == 0
    assert "6 cells failed, first: " in err
    assert "ValueError: nine" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--set", "hight=3"), 2, "no such field; got 'hight'.*did you mean 'height'"),
        (("--set", "height=-3"), 2, "height is out of range; got -3"),
        (("--set", "height=13"), 3, "thirteen is no height"),
        (
            ("--set", "height=14"),
            2,
            r"the design cannot be made with these values; got .*height=14.0 \(ZeroDivisionError",
        ),
        (("--resume", "--out", "nothing"), 4, "there is no study in this folder; got 'nothing'"),
        (("--out", "a_file/study"), 2, "a file stands where a path needs a folder"),
    ],
)
def test_refusals_make_no_folder(here, study_file, tmp_path, words, code, message):
    (tmp_path / "a_file").write_text("")
    found, out, err = here("run", study_file, "--scale", "smoke", *words)
    assert (found, out) == (code, "")
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(err)
    assert [p.name for p in tmp_path.iterdir()] == ["a_file"]


def test_a_study_that_is_being_written_is_code_4(here, study, study_file):
    from overparam.cli.parse import parse_phenomenon

    with Store.open(study[1], parse_phenomenon(str(study_file))):
        code, _, err = here("run", study_file, "--scale", "smoke", "--out", study[1])
    assert code == 4
    assert "is being written" in err


def test_a_study_of_another_phenomenon_is_code_4(here, study):
    code, _, err = here(
        "run", "double_descent/random_features", "--scale", "smoke", "--out", study[1]
    )
    assert code == 4
    assert "is of another phenomenon; got 'probe_of_session'" in err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interruption_keeps_what_is_done_and_says_how_to_go_on(
    probe, start, overparam, number, code
):
    process = start(*SMOKE, "--fresh", "--json", cwd=probe, OVERPARAM_TEST_GATE="2")
    wait_for((probe / "waiting").exists, process)
    # The worker is at its next unit before what it returned is written.
    wait_for(lambda: peek(probe / "studies" / "probe-smoke")["n_records"] == 4, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    answer = json.loads(out)
    assert process.returncode == answer["exit_code"] == code
    kept = answer["n_kept"]
    assert kept == 4  # two levels of two arms of the first seed
    assert f"interrupted; 4 of {N_CELLS} cells are kept in studies/probe-smoke" in err
    assert answer["resume"] == "overparam run probe.py --scale smoke --workers 1 --json"
    assert "Traceback" not in err
    (probe / "go").touch()
    again = overparam(*answer["resume"].split()[1:], cwd=probe)
    assert again.returncode == 0, again.stderr
    assert set(ran(probe).values()) == {1}
    assert len(ran(probe)) == N_CELLS


def test_killed_in_the_middle_it_goes_on_where_it_was(probe, start, overparam):
    process = start(*SMOKE, cwd=probe, OVERPARAM_TEST_GATE="3")
    wait_for((probe / "waiting").exists, process)
    folder = probe / "studies" / "probe-smoke"
    wait_for(lambda: peek(folder)["n_records"] == 6, process)
    process.kill()
    process.wait()
    kept = peek(folder)["n_records"]
    assert kept == 6
    report = overparam("report", folder, "--json", cwd=probe)
    assert report.returncode == 0, report.stderr
    assert json.loads(report.stdout)["n_records"] == kept
    assert "unfinished" in json.loads(report.stdout)["headline"]
    (probe / "go").touch()
    done = overparam(*SMOKE, "--resume", cwd=probe)
    assert done.returncode == 0, done.stderr
    assert f"{kept} of {N_CELLS} cells" in done.stderr
    assert set(ran(probe).values()) == {1}
    assert "open it in a browser: file:///" in done.stdout
    assert (folder / "report.html").is_file()


def test_fresh_forgets_and_more_seeds_add(here, tmp_path, probe_text):
    (tmp_path / "probe_again.py").write_text(probe_text)
    words = ("run", "probe_again.py", "--scale", "smoke", "--workers", "1", "--no-report", "--json")
    here(*words, "--seeds", "1")
    here(*words, "--seeds", "2")
    assert set(ran(tmp_path).values()) == {1}
    assert len(ran(tmp_path)) == 16
    _, out, _ = here(*words, "--seeds", "1", "--first-seed", "1", "--fresh")
    assert json.loads(out)["seeds"] == [1]
    assert sorted(set(ran(tmp_path).values())) == [1, 2]
    assert peek(tmp_path / "studies" / "probe_again-smoke")["n_records"] == 8


def test_the_report_is_opened_on_demand(here, study, study_file, monkeypatch):
    import webbrowser

    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or False)
    code, _, err = here("report", study[1], "--to", "page.html", "--open")
    assert code == 0
    assert opened[0].startswith("file:///")
    assert opened[0].endswith("page.html")
    assert f"no browser could be started; open {opened[0]}" in err


def test_a_terminal_gets_the_verdicts_as_a_table(study, study_file, monkeypatch, capsys):
    from overparam import api

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    found = api.load(study[1], str(study_file))
    run_command.VERDICTS.show(found, Output())
    shown = capsys.readouterr().out
    assert "probe_of_session (smoke)" in shown
    assert "│" in shown


@pytest.mark.parametrize(
    ("kinds", "claimed"),
    [
        ({"treatment": "observed", "c": "absent"}, True),
        ({"treatment": "observed"}, False),
        ({"treatment": "observed", "c": "inconclusive"}, False),
        ({"treatment": "observed", "c": "absent", "d": "observed"}, False),
        ({"treatment": "absent", "c": "absent"}, False),
        ({"c": "absent"}, False),
    ],
)
def test_as_claimed(kinds, claimed):
    class Arm:
        def __init__(self, name, kind):
            self.is_treatment, self.kind = name == "treatment", kind

    class Study:
        class content:
            arms = tuple(Arm(*item) for item in kinds.items())

    assert run_command.as_claimed(Study) is claimed


def test_plan_says_what_a_run_would_take(here, study_file):
    code, out, _ = here("plan", study_file, "--scale", "smoke", "--seeds", "5", "--workers", "2")
    assert code == 0
    assert "40 in 40 units of work" in out
    assert "with 2 workers on cpu" in out
    code, out, _ = here("plan", study_file, "--scale", "smoke", "--memory", "1G", "--json")
    assert json.loads(out)["n_cells"] == N_CELLS


def test_plan_says_what_the_same_took_where_networks_may_stop_early(here, study_file, monkeypatch):
    words = ("plan", study_file, "--scale", "smoke", "--workers", "2")
    real = api.plan

    def may_stop(*arguments, **options):
        found = real(*arguments, **options)
        most = {"core_seconds": 1e6, "wall_seconds": 5e5, "may_end_sooner": True}
        return dataclasses.replace(found, **most)

    monkeypatch.setattr(api, "plan", may_stop)
    _, out, _ = here(*words)
    assert "time        at most 138 h 53 min" in out
    assert "once run here, a plan also says what that took" in out
    here("run", study_file, "--scale", "smoke", "--quiet")
    _, out, _ = here(*words)
    assert "at its pace about" in out
    code, out, _ = here(*words, "--seeds", "100", "--json")
    assert code == 0, out
    found = json.loads(out)
    folder = Path(found["as_in"])
    seconds = peek(folder)["provenance"]["seconds"]
    assert found["likely_core_seconds"] == pytest.approx(seconds * found["n_cells"] / N_CELLS)
    assert found["likely_wall_seconds"] == pytest.approx(found["likely_core_seconds"] / 2)
    phenomenon = api.find(str(study_file))
    assert seconds_of_a_cell(folder, phenomenon, "cpu") == pytest.approx(seconds / N_CELLS)
    # Of another revision, device or machine, or of a damaged study, nothing is known.
    assert seconds_of_a_cell(folder, dataclasses.replace(phenomenon, revision=9), "cpu") is None
    assert seconds_of_a_cell(folder, phenomenon, "cuda") is None
    with monkeypatch.context() as patch:
        patch.setattr("overparam.lab.machine.processor_name", lambda: "another")
        assert seconds_of_a_cell(folder, phenomenon, "cpu") is None
    (folder / "study.sqlite").write_bytes(b"no database")
    assert seconds_of_a_cell(folder, phenomenon, "cpu") is None
