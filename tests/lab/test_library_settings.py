"""Settings of a script that reach every cell, wherever it runs, and belong to the study."""

from __future__ import annotations

import dataclasses
import decimal
import re
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import scipy.special
import sklearn
import torch

from overparam.errors import StoreError
from overparam.lab.known_settings import SETTINGS
from overparam.lab.library_settings import LibrarySettings
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.runner import run_study
from overparam.training.request import Request

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


MORE = {
    "torch.backends.mkldnn.matmul.fp32_precision": lambda: setattr(
        torch.backends.mkldnn.matmul, "fp32_precision", "bf16"
    ),
    "torch.backends.mkldnn.enabled": lambda: torch.backends.mkldnn.set_flags(False),
    "torch.backends.mha.set_fastpath_enabled": lambda: torch.backends.mha.set_fastpath_enabled(
        False
    ),
    "decimal.getcontext prec": lambda: setattr(decimal.getcontext(), "prec", 5),
    "scipy.special.seterr domain": lambda: scipy.special.seterr(domain="raise"),
    "pandas.set_option compute.use_numexpr": lambda: pd.set_option("compute.use_numexpr", False),
}


@pytest.mark.parametrize("name", MORE)
def test_other_settings_that_decide_numbers_reach_cells_and_belong_to_the_study(tmp_path, name):
    if "matmul" in name and not hasattr(torch.backends.mkldnn, "matmul"):
        pytest.skip("this PyTorch has no such choice")
    run_study(STUDY, workers=0, folder=tmp_path / "s")
    MORE[name]()
    assert list(LibrarySettings.here().told()) == [name]
    own = repr(LibrarySettings.here())
    for workers in (0, 1):
        found = run_study(STUDY, workers=workers).records.where(sets=False)
        assert {r.outcome.found for r in found} == {own}
    with pytest.raises(StoreError, match=f"set otherwise.*{name}"):
        run_study(STUDY, workers=0, folder=tmp_path / "s")


def test_how_things_look_is_no_part_of_a_study_and_reaches_cells_all_the_same():
    sklearn.set_config(display="text", print_changed_only=False)
    pd.set_option("display.precision", 3)
    np.set_printoptions(precision=2)
    sys.setrecursionlimit(4321)
    assert LibrarySettings.here().told() == {}
    own = repr(LibrarySettings.here())
    assert all(text in own for text in ("'display.precision': 3", "'precision': 2", "4321"))
    for workers in (0, 1):
        found = run_study(STUDY, workers=workers).records.where(sets=False)
        assert {r.outcome.found for r in found} == {own}


def test_options_of_pandas_are_those_that_it_has_registered():
    # Their names and values by themselves are read where pandas keeps them.
    assert "pandas.set_option" not in LibrarySettings.here().values
    found = SETTINGS["pandas.set_option"].default(pd)
    assert found["mode.sim_interactive"] is False
    assert SETTINGS["pandas.set_option"].default(sys) == {}  # as while pandas is being imported
    pd.set_option("mode.sim_interactive", True)
    name = "pandas.set_option mode.sim_interactive"
    assert LibrarySettings.here().told() == {name: "True"}


def test_a_stack_that_is_deeper_already_keeps_its_limit():
    before = sys.getrecursionlimit()
    LibrarySettings({"sys.setrecursionlimit": 2}).put()
    assert sys.getrecursionlimit() == before


def test_cells_find_what_the_script_has_set_wherever_they_run():
    set_all()
    own = repr(LibrarySettings.here())
    for workers in (0, 2):
        for record in run_study(STUDY, workers=workers).records.where(sets=False):
            assert record.outcome.third == 1 / 3
            assert record.outcome.found == own
    assert repr(LibrarySettings.here()) == own


def test_what_a_cell_sets_no_other_cell_sees():
    records = run_study(STUDY, workers=0, seeds=[0, 1, 2]).records
    assert LibrarySettings.here() == USUAL
    assert [r.outcome.third for r in records] == [float(torch.tensor(1.0) / 3)] * 12


class Told(Request):
    """Answered by what is set while the engine works; or by an error that says it."""

    def __init__(self, fails):
        self.fails = fails

    def group_key(self):
        return "told"

    @staticmethod
    def execute(requests, context):
        text = repr((torch.get_default_dtype(), np.geterr()["over"]))
        return [ValueError(text) if r.fails else text for r in requests]


async def run_in_turns(c, streams):
    """Set something, or not, and find it again after the engine's turns, a failed one too."""
    with np.errstate(over="raise" if c.sets else "ignore"):
        torch.set_default_dtype(torch.float16 if c.sets else torch.float64)
        engine = await Told(fails=False)
        before = repr((torch.get_default_dtype(), np.geterr()["over"]))
        with pytest.raises(ValueError, match=re.escape(engine)):
            await Told(fails=True)
        after = repr((torch.get_default_dtype(), np.geterr()["over"]))
    return Outcome(float(before == after), f"{engine} {after} {np.geterr()['over']}")


def test_a_cell_finds_again_in_its_next_turn_what_it_set():
    for record in run_study(dataclasses.replace(STUDY, run=run_in_turns), workers=0).records:
        own = "(torch.float16, 'raise')" if record.condition.sets else "(torch.float64, 'ignore')"
        assert record.outcome == Outcome(1.0, f"(torch.float32, 'warn') {own} warn"), record.error
    assert LibrarySettings.here() == USUAL


def test_a_study_does_not_go_on_under_other_settings(tmp_path):
    torch.set_default_dtype(torch.float64)
    run_study(STUDY, workers=0, folder=tmp_path / "s")
    torch.set_default_dtype(torch.float32)
    with pytest.raises(StoreError, match=r"set otherwise.*as the library has it.*torch\.float64"):
        run_study(STUDY, workers=0, folder=tmp_path / "s", seeds=[0, 1])
    again = run_study(STUDY, workers=0, folder=tmp_path / "s", seeds=[0, 1], accept_edits=True)
    assert len(again.records) == 8
    run_study(STUDY, workers=0, folder=tmp_path / "s", seeds=[0, 1])
