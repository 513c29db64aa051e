"""The command line under test: in this process, in one of its own, and a phenomenon to run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Cells cost nothing and write to `log` when they run, so that a test can see which ran how often.
# With OVERPARAM_TEST_GATE=k, cells from level k on wait until the file `go` lies beside this one.
PROBE = '''
"""A claim for tests.

Claim: numbers near 1 are large.

Control: numbers near 0.
"""
from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from overparam.errors import DataError
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import decide

HERE = Path(__file__).parent

def gate():
    return int(os.environ.get("OVERPARAM_TEST_GATE", "1000"))


@dataclass(frozen=True)
class Condition:
    level: int = factor(0, low=0)
    arm: str = factor("treatment", choices=("treatment", "control"))
    height: float = factor(1.0, unit="m", low=0)


@dataclass(frozen=True)
class Outcome:
    size: float = quantity("m")


def cells(base):
    if base.height == 13:
        raise DataError("thirteen is no height")
    if base.height == 14:
        raise ZeroDivisionError("fourteen")
    return [replace(base, level=k, arm=a) for k in range(4) for a in ("treatment", "control")]


async def run(c, streams):
    print("words of a cell")
    if c.level >= gate():  # not a value of the module: those decide records
        (HERE / "waiting").touch()
        while not (HERE / "go").exists():
            time.sleep(0.01)
    with open(HERE / "log", "a") as log:
        log.write(f"{c.level} {c.arm} {streams.seed}\\n")
    if c.height == 9 and c.level == 0:
        raise ValueError("nine")
    mean = c.height if c.arm == "treatment" else 0.0
    return Outcome(mean + 0.01 * float(streams.numpy("noise").normal()))


def summarise(records):
    return {a: records.where(arm=a) for a in ("treatment", "control")}


def verdict(found):
    sizes = mean_interval([r.outcome.size for r in found.measured])
    return decide(sizes, at_least=0.5, unit="m", rule="mean > 0.5 m")


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=lambda summaries, records: [],
    scales={name: Scale(Condition(), n_seeds=3) for name in ("smoke", "standard", "full")},
    stack_size=1,
)
'''
COMMAND = (sys.executable, "-m", "overparam.cli.main")


def environment(**more):
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **more}


@pytest.fixture(scope="session")
def probe_text():
    return PROBE


@pytest.fixture
def probe(tmp_path):
    """A folder with a phenomenon's file of its own, for programs that run in it."""
    (tmp_path / "probe.py").write_text(PROBE)
    return tmp_path


@pytest.fixture
def overparam():
    """Run the program to its end; keywords are environment variables."""

    def run(*words, cwd, **more):
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            cwd=cwd,
            env=environment(**more),
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def start():
    """Start the program and return it; it is ended with the test."""
    running = []

    def run(*words, cwd, **more):
        process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=cwd,
            env=environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    """Run a command in this process and folder `tmp_path`: exit code, stdout, stderr."""
    from overparam.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*words):
        capfd.readouterr()
        code = main([str(w) for w in words])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A finished study, never to be changed: what the program answered, and its folder."""
    place = tmp_path_factory.mktemp("cli")
    (place / "probe_of_session.py").write_text(PROBE)
    words = ["run", "probe_of_session.py", "--scale", "smoke", "--workers", "1", "--json"]
    answer = subprocess.run(
        [*COMMAND, *words],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return answer, place / "studies" / "probe_of_session-smoke"


@pytest.fixture(scope="session")
def study_file(study) -> Path:
    return study[1].parent.parent / "probe_of_session.py"
