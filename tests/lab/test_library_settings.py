"""Settings of a script that reach every cell, wherever it runs, and belong to the study."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import sklearn
import torch

from overparam.errors import StoreError
from overparam.lab.library_settings import LibrarySettings
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.runner import run_study

USUAL = LibrarySettings({}, tuple(warnings.filters))


@dataclass(frozen=True)
class Condition:
    """Whether the cell sets something itself."""

    sets: bool = factor(False)
    number: int = factor(0, low=0)


@dataclass(frozen=True)
class Outcome:
    """What the cell finds."""

    third: float = quantity("none")
    found: str = quantity("none")


async def run(c, streams):
    """Tell what is set."""
    third = float(torch.tensor(1.0) / 3)
    if c.sets:
        torch.set_default_dtype(torch.float16)
        np.seterr(all="raise")
        warnings.simplefilter("error")
    return Outcome(third, repr(LibrarySettings.here()))


STUDY = Phenomenon(
    doc="Settings reach cells.\n\nClaim: They do.",
    condition=Condition,
    outcome=Outcome,
    cells=lambda base: [Condition(sets, number) for sets in (False, True) for number in (0, 1)],
    run=run,
    summarise=lambda records: {"treatment": records.measured},
    verdict=None,
    figures=lambda summary, records: [],
    scales={"standard": Scale(Condition(), n_seeds=1)},
)


@pytest.fixture(autouse=True)
def usual():
    with USUAL.held():
        yield


def set_all():
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("high")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_flush_denormal(True)
    torch.set_grad_enabled(False)
    torch.backends.cudnn.deterministic = True
    sklearn.set_config(transform_output="pandas", working_memory=77)
    np.seterr(over="raise", divide="ignore")
    warnings.filterwarnings("ignore", "nothing of the kind")


def test_what_is_set_is_told_and_can_be_put_elsewhere():
    usual = LibrarySettings.here()
    set_all()
    told = LibrarySettings.here().told()
    assert told["torch.set_default_dtype"] == "torch.float64"
    assert told["sklearn.set_config transform_output"] == "'pandas'"
    assert told["numpy.seterr over"] == "'raise'"
    assert "numpy.seterr divide" not in told  # a word on the screen
    assert len(told) == 9 - (sys.float_info.min / 2 != 0)  # where a processor cannot flush
    with usual.held():
        assert LibrarySettings.here() == usual
    assert LibrarySettings.here().told() == told


def test_how_things_look_is_no_part_of_a_study():
    sklearn.set_config(display="text", print_changed_only=False)
    assert LibrarySettings.here().told() == {}


def test_cells_find_what_the_script_has_set_wherever_they_run():
    set_all()
    own = repr(LibrarySettings.here())
    for workers in (0, 2):
        for record in run_study(STUDY, workers=workers).records.where(sets=False):
            assert record.outcome.third == 1 / 3
            assert record.outcome.found == own
    assert repr(LibrarySettings.here()) == own


def test_what_a_cell_sets_ends_with_its_unit():
    records = run_study(STUDY, workers=0, seeds=[0, 1, 2]).records
    assert LibrarySettings.here() == USUAL
    first = [r.outcome.third for r in records.where(sets=True, number=0)]
    assert first == [float(torch.tensor(1.0) / 3)] * 3


def test_a_study_does_not_go_on_under_other_settings(tmp_path):
    torch.set_default_dtype(torch.float64)
    run_study(STUDY, workers=0, folder=tmp_path / "s")
    torch.set_default_dtype(torch.float32)
    with pytest.raises(StoreError, match=r"set otherwise.*as the library has it.*torch\.float64"):
        run_study(STUDY, workers=0, folder=tmp_path / "s", seeds=[0, 1])
    again = run_study(STUDY, workers=0, folder=tmp_path / "s", seeds=[0, 1], accept_edits=True)
    assert len(again.records) == 8
    run_study(STUDY, workers=0, folder=tmp_path / "s", seeds=[0, 1])
