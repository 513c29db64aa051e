"""A program that may hang is ended in time, with all that it started, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from overparam.training.native import bounded
from overparam.training.native.bounded import run_bounded

HANGS = """#!/bin/sh
sleep 600 &
echo "$$ $!" > {pids}
wait
"""


@pytest.fixture
def hanging(tmp_path):
    """A program that starts another and never ends."""
    path = tmp_path / "hangs"
    path.write_text(HANGS.format(pids=tmp_path / "pids"))
    path.chmod(0o755)
    return path


def its_processes(hanging):
    path = hanging.with_name("pids")
    while not path.exists() or not path.read_text().endswith("\n"):
        time.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


def wait_until_gone(processes):
    """Return when none runs; a test that hangs here has failed."""
    while any(is_running(p) for p in processes):
        time.sleep(0.01)


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_it_says_and_its_code():
    answer = run_bounded(["/bin/sh", "-c", "cat; echo out; echo err >&2; exit 3"], 60)
    assert (answer.code, answer.out, answer.err) == (3, b"out\n", b"err\n")


def test_what_cannot_be_started_is_an_answer(tmp_path):
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    answer = run_bounded([str(tmp_path / "text")], 60)
    assert answer.code == 127
    assert b"text: Exec format error" in answer.err


def test_what_writes_without_end_is_ended(tmp_path, monkeypatch):
    text = Path(bounded.__file__).read_text().replace("256 << 20", "1 << 20")
    (tmp_path / "bounded.py").write_text(text)
    monkeypatch.setattr(bounded, "__file__", str(tmp_path / "bounded.py"))
    monkeypatch.setattr(bounded, "_MOST_SAID", 10)
    answer = run_bounded(["/bin/sh", "-c", f"exec yes >{tmp_path / 'file'}"], 60)
    assert answer.code == -signal.SIGXFSZ % 256
    assert (tmp_path / "file").stat().st_size == 1 << 20
    answer = run_bounded(["/bin/sh", "-c", "exec yes"], 60)
    assert (answer.code, answer.out) == (-signal.SIGXFSZ % 256, b"y\ny\ny\ny\ny\n")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
class TestHanging:
    def test_it_is_ended_with_what_it_started(self, hanging):
        with pytest.raises(TimeoutError, match=r"hangs did not end within 0\.5 s"):
            run_bounded([str(hanging)], 0.5)
        wait_until_gone(its_processes(hanging))

    def test_a_child_out_of_reach_holds_nobody_up(self, tmp_path):
        pid = tmp_path / "pid"
        away = tmp_path / "away.py"
        away.write_text(
            "import os, time\n"
            "os.setsid()\n"
            f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
            "time.sleep(600)\n"
        )
        script = f"{sys.executable} {away} & while [ ! -s {pid} ]; do :; done; sleep 600"
        with pytest.raises(TimeoutError, match=r"sh did not end within 1 s"):
            run_bounded(["/bin/sh", "-c", script], 1)
        os.kill(int(pid.read_text()), signal.SIGKILL)

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
    def test_it_ends_with_the_process_that_asked(self, hanging, how):
        text = (
            "from overparam.training.native.bounded import run_bounded\n"
            f"run_bounded([{str(hanging)!r}], 600)"
        )
        asking = subprocess.Popen([sys.executable, "-c", text])
        processes = its_processes(hanging)
        asking.send_signal(how)
        asking.wait()
        wait_until_gone(processes)

    def test_an_interruption_ends_it(self, hanging, monkeypatch):
        wait = subprocess.Popen.wait

        def interrupted(process):
            monkeypatch.undo()
            its_processes(hanging)
            raise KeyboardInterrupt

        monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_bounded([str(hanging)], 600)
        assert subprocess.Popen.wait is wait
        wait_until_gone(its_processes(hanging))


@pytest.mark.parametrize(("load", "share"), [(0.0, 1.0), (2.0, 1.0), (8.0, 0.25)])
def test_on_a_busy_machine_a_second_is_longer(monkeypatch, load, share):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert bounded._share() == share
