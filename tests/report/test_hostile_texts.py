"""No text, whatever it holds, ends the process that draws it or leaves a broken file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_hostile_texts_in_every_figure_and_format():
    done = subprocess.run(
        [sys.executable, "-m", "tests.report.hostile_figures"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "drawn\n"
