"""What the attacks share: rounds and a seed from the environment, a small study, its records."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-m", "overparam")
DESIGN = (
    "double_descent/random_features",
    "--scale",
    "smoke",
    "--seeds",
    "3",
    "--set",
    "n_train=60",
)
BY_CLOCK = ("seconds",)


@pytest.fixture
def rounds():
    """How often an attack is made."""
    return range(int(os.environ.get("OVERPARAM_ATTACKS", "2")))


@pytest.fixture
def dice(request):
    """What decides the moments of an attack; its seed is printed when the test fails."""
    seed = os.environ.get("OVERPARAM_ATTACKS_SEED", "0")
    print(f"OVERPARAM_ATTACKS_SEED={seed}")
    return random.Random(f"{seed} {request.node.name}")


@dataclass(frozen=True)
class Studies:
    """Runs of one small study in folders below `place`, and what an undisturbed one recorded."""

    place: Path
    undisturbed: list[dict[str, str]]

    def start(self, name: str, **options: Callable[[], None]) -> subprocess.Popen:
        """Start a run in folder `name`, or go on with it."""
        words = ["run", *DESIGN, "--out", name, "--quiet", "--no-report", "--workers", "2"]
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def finish(self, name: str) -> None:
        """Run it to its end; then it must hold what an undisturbed run recorded."""
        run = self.start(name)
        said, _ = run.communicate(timeout=600)
        assert run.returncode in (0, 1), said
        assert self.say("check", name)[0] == 0
        assert self.records(name) == self.undisturbed

    def say(self, *words: str) -> tuple[int, str]:
        """Return exit code and words of a command."""
        done = subprocess.run(
            [*COMMAND, *words], cwd=self.place, capture_output=True, text=True, timeout=600
        )
        return done.returncode, done.stdout + done.stderr

    def records(self, name: str) -> list[dict[str, str]]:
        """Return what `overparam export` says of a study, without what a clock decided."""
        file = self.place / f"{name}.csv"
        code, said = self.say("export", name, "--to", str(file))
        assert code == 0, said
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        return [{k: v for k, v in row.items() if k not in BY_CLOCK} for row in rows]


@pytest.fixture(scope="session")
def _undisturbed(tmp_path_factory):
    studies = Studies(tmp_path_factory.mktemp("undisturbed"), [])
    run = studies.start("study")
    said, _ = run.communicate(timeout=600)
    assert run.returncode in (0, 1), said
    return studies.records("study")


@pytest.fixture
def studies(tmp_path, _undisturbed):
    """Runs of one small study."""
    return Studies(tmp_path, _undisturbed)
