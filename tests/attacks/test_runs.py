"""Runs that are killed, run side by side, or find the disk full: every record once, and right."""

from __future__ import annotations

import os
import resource
import signal
import time

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does"),
]
SECONDS = 6.0  # after which a run on an idle machine has ended, about


def test_killed_at_any_moment_a_study_goes_on_where_it_was(studies, rounds, dice):
    for number in rounds:
        name = f"killed-{number}"
        for how in (signal.SIGKILL, signal.SIGTERM):
            run = studies.start(name)
            time.sleep(dice.uniform(0.0, SECONDS))
            run.send_signal(how)
            run.communicate(timeout=60)
        studies.finish(name)
        left = [p.name for p in (studies.place / name).rglob(".*") if not p.is_dir()]
        assert left == [], left


def test_side_by_side_on_one_folder_one_runs_and_the_others_say_so(studies, rounds, dice):
    for number in rounds:
        name = f"shared-{number}"
        runs = [studies.start(name) for _ in range(4)]
        while any(run.poll() is None for run in runs):
            code, said = studies.say(dice.choice(["check", "report", "list"]), name)
            assert code in (0, 2, 4), said  # 2 and 4: there is no study yet, or nothing to show
            assert "Traceback" not in said
        answers = [(run.returncode, run.communicate()[0]) for run in runs]
        assert all(code in (0, 1, 4) for code, _ in answers), answers
        assert any(code != 4 for code, _ in answers), answers
        studies.finish(name)


@pytest.mark.parametrize("largest", [0, 4096, 40_000, 80_000])
def test_where_files_cannot_grow_there_is_one_message_and_nothing_is_lost(studies, largest):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    run = studies.start("limited", preexec_fn=limit)
    said, _ = run.communicate(timeout=600)
    assert run.returncode in (0, 1, 5), said
    assert "Traceback" not in said
    if run.returncode == 5:
        assert said.startswith("overparam: ")
        assert said.count("\n") == 1
    studies.finish("limited")
