"""What a cell sets for its process is its own, in all its turns, and ends with it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch

from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.runner import run_study
from tests.lab.test_library_settings import Told

NAME = "OVERPARAM_SET_BY_A_CELL"


def find():
    """Return what is set, as a text."""
    return repr(
        (
            pd.get_option("display.precision"),
            np.get_printoptions()["precision"],
            os.getcwd(),
            os.environ.get(NAME),
            os.environ.get("HOME"),
            sys.getrecursionlimit(),
        )
    )


def set_all(folder):
    """Set everything otherwise."""
    pd.set_option("display.precision", 1)
    np.set_printoptions(precision=1)
    os.chdir(folder)
    os.environ[NAME] = "1"
    os.environ.pop("HOME", None)
    sys.setrecursionlimit(5000)
    torch.set_num_threads(2)


@dataclass(frozen=True)
class Condition:
    """Where the cell works; only the one of number 2 sets something."""

    folder: str = factor("")
    number: int = factor(0, low=0)


@dataclass(frozen=True)
class Outcome:
    """What the cell finds before the engine's turn, and after it."""

    first: str = quantity("none")
    later: str = quantity("none")
    threads: int = quantity("none")


async def run(c, streams):
    """Set, wait, and find it again."""
    if c.number == 2:
        set_all(c.folder)
    first = find()
    await Told(fails=False)
    return Outcome(first, find(), torch.get_num_threads())


STUDY = Phenomenon(
    doc="A cell sets.\n\nClaim: Nobody else sees it.",
    condition=Condition,
    outcome=Outcome,
    cells=lambda base: [replace(base, number=n) for n in range(4)],
    run=run,
    summarise=lambda records: {"treatment": records.measured},
    verdict=None,
    figures=lambda summary, records: [],
    scales={"standard": Scale(Condition(), n_seeds=2)},
)


@pytest.mark.parametrize("workers", [0, 1])
def test_other_cells_and_the_process_are_as_they_were(tmp_path, monkeypatch, workers):
    monkeypatch.delenv(NAME, raising=False)
    own, threads = find(), torch.get_num_threads()
    records = run_study(STUDY, workers=workers, settings={"folder": str(tmp_path)}).records
    assert (find(), torch.get_num_threads()) == (own, threads)
    for record in records:
        assert record.status == "done", record.error
        assert record.outcome.first == record.outcome.later
        assert record.outcome.threads == 1  # in every turn, whatever was set in the one before
        assert (record.outcome.later == own) == (record.condition.number != 2)
    setting = [r.outcome.first for r in records if r.condition.number == 2]
    assert setting == [repr((1, 1, os.path.realpath(tmp_path), "1", None, 5000))] * 2


async def run_in_a_folder_that_goes(c, streams):
    """Work in a folder, and delete it."""
    if c.number == 2:
        gone = os.path.join(c.folder, f"gone{streams.seed}")
        os.mkdir(gone)
        os.chdir(gone)
        os.rmdir(gone)
    await Told(fails=False)
    return Outcome("", "" if c.number == 2 else os.getcwd(), 1)


def test_a_cell_may_work_in_a_folder_that_it_deletes(tmp_path):
    here, study = os.getcwd(), replace(STUDY, run=run_in_a_folder_that_goes)
    records = run_study(study, workers=0, settings={"folder": str(tmp_path)}).records
    assert os.getcwd() == here
    assert [r.error for r in records if r.status != "done"] == []
    assert {r.outcome.later for r in records if r.condition.number != 2} == {here}
