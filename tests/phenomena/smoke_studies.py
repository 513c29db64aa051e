"""The smoke study of each phenomenon, run once for all tests, with seeds that nobody chose."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from overparam import phenomena
from overparam.lab.runner import run_study
from overparam.lab.study import StudyResult

FIRST_SEED = 40


@functools.cache
def smoke(name: str) -> StudyResult:
    """The study of a phenomenon at smoke scale, kept in a folder until the tests end."""
    seeds = range(FIRST_SEED, FIRST_SEED + seeds_of(name))
    return run_study(phenomena.find(name), "smoke", seeds=seeds, folder=_place() / name)


def seeds_of(name: str) -> int:
    """How many seeds it has."""
    return phenomena.find(name).scales["smoke"].n_seeds


@functools.cache
def _place() -> Path:
    place = Path(tempfile.mkdtemp(prefix="overparam-smoke-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place
