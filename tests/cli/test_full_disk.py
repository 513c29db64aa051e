"""The program on a disk that is really full: one message, exit code 5, and nothing is lost."""

import io
import os
import subprocess
from collections import Counter

import pytest

from overparam.cli.output import Output, Unwritable, tell
from overparam.lab.store import peek
from tests.cli.conftest import COMMAND, environment

needs_dev_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
N_SEEDS = 30
N_CELLS = 4 * 2 * N_SEEDS  # levels, arms, seeds of the probe


def test_a_run_that_fills_the_disk_goes_on_when_there_is_room(full_disk, probe, here):
    folder = full_disk.folder / "study"
    words = ("run", "probe.py", "--scale", "smoke", "--seeds", N_SEEDS, "--workers", "1", "--quiet",
             "--out", folder)  # fmt: skip
    full_disk.fill(free=192 * 1024)  # some of it for what the worker is sent
    code, out, err = here(*words)
    assert (code, out) == (5, "words of a cell\n" * out.count("\n"))
    assert err.startswith(f"overparam: {folder}/study.sqlite cannot be used; got 'database or disk")
    assert err.endswith("every finished unit is kept\n")
    assert err.count("\n") == 1
    n_kept = peek(folder)["n_records"]
    assert 0 < n_kept < N_CELLS
    kept = (probe / "log").read_text().splitlines()[:n_kept]
    full_disk.make_room()
    code, _, err = here(*words, "--resume")
    assert (code, err) == (0, "")
    ran = Counter((probe / "log").read_text().splitlines())
    assert len(ran) == N_CELLS
    assert all(ran[cell] == 1 for cell in kept)
    # The page is there; on a full disk another try neither harms it nor needs the disk to read.
    page = (folder / "report.html").read_bytes()
    full_disk.fill()
    code, _, err = here("report", folder)
    assert code == 5
    assert f"{folder}/report.html cannot be written; got 'No space left on device'" in err
    assert (folder / "report.html").read_bytes() == page
    assert here("report", folder, "--to", probe / "elsewhere.html")[0] == 0
    assert here("export", folder, "--to", probe / "elsewhere.csv")[0] == 0
    code, _, err = here("export", folder, "--to", folder / "records.csv")
    assert code == 5
    assert "records.csv cannot be written; got 'No space left on device'" in err
    assert not (folder / "records.csv").exists()


def full_stream():
    return io.TextIOWrapper(open("/dev/full", "wb", buffering=0), write_through=True)


@needs_dev_full
def test_words_about_the_work_may_be_lost_but_no_result(monkeypatch):
    monkeypatch.setattr("sys.stderr", full_stream())
    tell("lost")
    Output().note("lost too")
    monkeypatch.setattr("sys.stdout", full_stream())
    with pytest.raises(Unwritable, match="No space left on device"):
        Output().say("result")


@needs_dev_full
def test_a_log_on_a_full_disk_costs_no_verdict(probe):
    words = ["run", "probe.py", "--scale", "smoke", "--workers", "1", "--no-report"]
    with open("/dev/full", "w") as full:
        answer = subprocess.run(
            [*COMMAND, *words],
            cwd=probe,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=120,
        )
    assert answer.returncode == 0
    assert "treatment  observed" in answer.stdout
