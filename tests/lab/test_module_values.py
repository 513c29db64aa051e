"""Values of modules reach workers as the user's process has them, or are refused."""

from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import overparam as op
from overparam.data.dataset import make_dataset
from overparam.errors import CodeError, StoreError, UsageError
from overparam.lab.code import edited_files
from overparam.lab.held_values import code_in, digest_of_value
from overparam.lab.module_values import ModuleValues
from overparam.lab.plan import plan_study
from overparam.lab.reached import what_is_reached
from overparam.lab.runner import load_study, run_study
from overparam.models.own_imports import own_modules
from overparam.phenomena import find
from tests.ensembles.made import same_columns

SETTINGS = """
import random
N, DATA, DRAWN, NOTHING = 1.0, None, random.SystemRandom().random(), {}
NAMES = list({"a", "b", "c", "d", "e"})
ORDER = {name: None for name in {"a", "b", "c", "d", "e"}}
def act(x, more=0.5): return x + more - 0.5
def other(x): return x + 100
class Kind:
    level = 0.0
    def more(self): return 0.0
    @staticmethod
    def own(): return 0.0
def remembering(f):
    known = {}
    def g(x):
        if x not in known:
            known[x] = f(x)
        return known[x]
    return g
@remembering
def twice(x): return 2 * x
"""
CLAIM = """
from __future__ import annotations
from dataclasses import dataclass
import torch
from torch.nn import functional as F
import settings_of_own as settings
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import decide
from settings_of_own import act

@dataclass(frozen=True)
class Condition:
    level: float = factor(0.0)

@dataclass(frozen=True)
class Outcome:
    size: float = quantity("m")
    drawn: float = quantity("m")
    names: str = quantity()

async def run(c, streams):
    data = 0.0 if settings.DATA is None else settings.DATA.sum()
    size = act(settings.N) + data + F.relu(torch.tensor(-1.0)) + settings.Kind.level
    size += settings.twice(0) + settings.Kind().more() + settings.Kind.own()
    size += torch.tanh(torch.tensor(5.0)) // 1
    names = "".join(settings.NAMES) + "".join(settings.ORDER)
    return Outcome(float(size) + c.level, settings.DRAWN, names)

def verdict(found):
    sizes = mean_interval([r.outcome.size for r in found])
    return decide(sizes, at_least=0.5, unit="m", rule="mean > 0.5 m")

PHENOMENON = Phenomenon(
    doc="Claim: it is large.", condition=Condition, outcome=Outcome, run=run, verdict=verdict,
    cells=lambda base: [base], figures=lambda s, r: [],
    summarise=lambda records: {"treatment": records.measured},
    scales={name: Scale(Condition(), 2) for name in ("smoke", "standard", "full")},
)
"""


@pytest.fixture
def claim(tmp_path, monkeypatch):
    """A phenomenon in a file, with a module of settings beside it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path / "own"
    place.mkdir()
    (place / "settings_of_own.py").write_text(SETTINGS)
    (place / "claim_of_own.py").write_text(CLAIM)
    yield find(str(place / "claim_of_own.py"))
    for name, file in own_modules().items():
        if Path(file).is_relative_to(place):
            del sys.modules[name]


def settings():
    return sys.modules["settings_of_own"]


CHANGES = {
    "N of settings_of_own": lambda: (settings(), "N", 5.0),
    "DATA of settings_of_own": lambda: (settings(), "DATA", torch.ones(10**6)),
    "act of claim_of_own": lambda: (sys.modules["claim_of_own"], "act", settings().other),
    "relu of torch.nn.functional": lambda: (F, "relu", settings().other),
    "tanh of torch": lambda: (torch, "tanh", torch.relu),
    "level in Kind of settings_of_own": lambda: (settings().Kind, "level", 7.0),
    "more in Kind of settings_of_own": lambda: (settings().Kind, "more", lambda self: 11.0),
    "own in Kind of settings_of_own": lambda: (settings().Kind, "own", staticmethod(thirteen)),
}


def thirteen():
    return 13.0


def test_values_that_were_set_reach_the_workers(claim, monkeypatch):
    for change in CHANGES.values():
        monkeypatch.setattr(*change())
    settings().twice(1)  # what it remembers is not what a worker remembers, and no setting
    found = [r for n in (0, 2) for r in run_study(claim, "smoke", workers=n).records]
    assert [r.outcome.size for r in found] == [105 + 1e6 + 99 + 5 + 7 + 11 + 13] * 4
    # So does what a module draws; what it makes of a set has one order in all workers.
    assert {r.outcome.drawn for r in found} == {settings().DRAWN}
    assert len({r.outcome.names for r in found[2:]}) == 1


@pytest.mark.parametrize("name", CHANGES)
def test_values_that_were_set_are_part_of_a_studys_identity(claim, monkeypatch, tmp_path, name):
    run_study(claim, "smoke", workers=0, folder=tmp_path / "study")
    monkeypatch.setattr(*CHANGES[name]())
    is_new = any(part in name for part in ("torch", "more", "own in"))
    new = r" \(new\)" if is_new else ""
    with pytest.raises(StoreError, match=rf"was edited since.*{name}{new}"):
        run_study(claim, "smoke", workers=0, folder=tmp_path / "study")


OWN_KINDS = """
import enum, typing
from dataclasses import dataclass
class Act(enum.Enum):
    RELU = 1
    TANH = 2
class Size(typing.NamedTuple):
    width: int
@dataclass
class Config:
    act: Act
    size: Size
    scale = 2.0
    def value(self): return self.scale * self.act.value + self.size.width
"""


@pytest.fixture
def settings_of_own_kinds(claim, tmp_path):
    """Functions of a notebook that hold settings of classes of one's own module."""
    (tmp_path / "own" / "kinds_of_own.py").write_text(OWN_KINDS)
    kinds = importlib.import_module("kinds_of_own")
    config = kinds.Config(kinds.Act.TANH, kinds.Size(3))

    async def run(c, streams):
        return claim.outcome(config.value(), 0.0, config.act.name)

    run.__module__ = "__main__"
    return kinds, dataclasses.replace(claim, run=run)


def test_settings_of_ones_own_classes_reach_workers(settings_of_own_kinds, monkeypatch):
    kinds, notebook = settings_of_own_kinds
    monkeypatch.setattr(kinds.Config, "scale", 5.0)
    (sizes,) = {r.outcome.size for r in run_study(notebook, "smoke", workers=1).records}
    assert sizes == 13.0


def test_what_is_reached_in_another_way_and_is_equal_is_no_other_value(claim, tmp_path):
    digests = what_is_reached({"run": claim.run}, tmp_path).values
    names = ("N of settings_of_own", "level in Kind of settings_of_own")
    known = {name: digests[name] for name in names}
    ModuleValues({}, tmp_path, known, []).take_over(bytes)
    settings().N = 2.0
    with pytest.raises(UsageError, match=r"other values.*got 'N of settings_of_own'"):
        ModuleValues({}, tmp_path, known, []).take_over(bytes)


def test_data_of_values_that_are_only_followed_are_not_read(claim, tmp_path, monkeypatch):
    held = [settings().Kind(), settings().act, make_dataset(torch.ones(2, 1), torch.arange(2), 2)]
    _, code = digest_of_value(held, tmp_path)
    monkeypatch.setattr("overparam.lab.value_walk.digest_of", None)
    assert set(code_in([*held, np.ones(2)])) == {*code, settings().Kind, settings().act}


def test_what_cannot_be_set_is_refused(claim, monkeypatch):
    monkeypatch.setattr(settings().act, "__defaults__", (7.5,))
    with pytest.raises(UsageError, match=r"other values.*got 'more in act of .*workers=0"):
        run_study(claim, "smoke", workers=1)
    assert run_study(claim, "smoke", workers=0).records[0].outcome.size == 8.0


MODEL = """
import numpy as np
import settings_of_own as settings
def fit(rows, seed):
    return lambda asked: np.tile([1 - settings.N, settings.N], (len(asked), 1))
"""


def test_members_of_an_ensemble_have_them_too(claim, monkeypatch, tmp_path):
    (tmp_path / "own" / "model_of_own.py").write_text(MODEL)
    model = importlib.import_module("model_of_own")
    monkeypatch.setattr(settings(), "N", 0.75)
    inputs, labels = np.arange(20.0)[:, None], np.arange(20) % 2
    here, there = (op.subset_ensemble(model.fit, inputs, labels, 4, workers=n) for n in (0, 1))
    assert same_columns(here.columns, there.columns)


class Exits:
    """An object that ends the process when somebody asks what it is."""

    @property
    def __class__(self):
        sys.exit(0)


class ExitsWhenPickled:
    def __reduce__(self):
        sys.exit(0)


def test_a_value_that_exits_ends_nothing_unsaid(claim, monkeypatch):
    monkeypatch.setattr(settings(), "DATA", ExitsWhenPickled())
    with pytest.raises(UsageError, match=r"other values.*got 'DATA of settings_of_own'"):
        plan_study(claim, "smoke", workers=1)
    monkeypatch.setattr(settings(), "DATA", Exits())
    with pytest.raises(CodeError, match="a value in the code of claim_of_own raised SystemExit"):
        run_study(claim, "smoke", workers=1)


def test_what_cannot_be_pickled_is_refused_in_a_plan_too(claim, monkeypatch):
    with open(__file__) as file:
        monkeypatch.setattr(settings(), "DATA", file)
        with pytest.raises(UsageError, match=r"other values.*got 'DATA of settings_of_own'"):
            plan_study(claim, "smoke", workers=1)


def test_an_order_that_no_file_tells_is_refused_with_the_remedy(claim, tmp_path):
    async def run(c, streams):
        return claim.outcome(1.0, 1.0, "".join(order))

    notebook = dataclasses.replace(claim, run=run)
    run.__module__ = "__main__"
    order = ["a", "b"]
    run_study(notebook, "smoke", workers=0, folder=tmp_path / "study")
    order.reverse()
    match = r"got 'order in .*\.run of __main__ \(its order\)'.*sort it"
    with pytest.raises(StoreError, match=match):
        run_study(notebook, "smoke", workers=0, folder=tmp_path / "study")


def in_a_process(place, seed, code):
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    text = (
        "import sys, overparam as op\n"
        "from overparam.lab.runner import run_study\nfrom overparam.phenomena import find\n"
        f"claim = find({str(place / 'own' / 'claim_of_own.py')!r})\n{code}"
    )
    found = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True
    )
    return found.returncode, found.stdout + found.stderr


def test_the_order_of_a_set_is_no_edit(claim, tmp_path, monkeypatch):
    drawn = SETTINGS.replace("random.SystemRandom().random()", "0.5")
    (tmp_path / "own" / "settings_of_own.py").write_text(drawn)
    study = tmp_path / "study"
    run = (
        f"from pathlib import Path\nfound = run_study(claim, 'smoke', folder=Path({str(study)!r}), "
        "seeds=range(%s), workers=0)\nprint(*found.provenance['notes'], sep='\\n')"
    )
    for n in (1, 2):
        code, out = in_a_process(tmp_path, n, run % n)
        assert code == 0, out
    for name in ("NAMES", "ORDER"):
        assert f"{name} of settings_of_own holds the same in another order" in out
    assert len({r.outcome.names for r in load_study(study, claim).records}) == 2


def within(outcome):
    """A cell that imports where it runs, and names things by dots."""

    async def run(c, streams):
        import settings_of_own as settings
        from settings_of_own import act

        size = sum(torch.nn.functional.relu(torch.tensor(-1.0)) for _ in range(1))
        return outcome(float(act(settings.N) + size), 0.0, "")

    return run


def replaced(claim):
    return dataclasses.replace(claim, run=within(claim.outcome))


def test_what_a_cell_imports_or_names_by_dots_reaches_the_workers(claim, monkeypatch):
    monkeypatch.setattr(settings(), "N", 5.0)
    monkeypatch.setattr(settings(), "act", settings().other)
    monkeypatch.setattr(F, "relu", settings().other)
    found = [r for n in (0, 2) for r in run_study(replaced(claim), "smoke", workers=n).records]
    assert [r.outcome.size for r in found] == [105.0 + 99.0] * 4


@pytest.mark.parametrize("name", ["N of ", "act of ", "relu of torch"])
def test_it_is_part_of_a_studys_identity(claim, monkeypatch, tmp_path, name):
    changes = {"N of ": (settings(), "N", 5.0), "act of ": (settings(), "act", settings().other)}
    study = replaced(claim)
    assert run_study(study, "smoke", workers=0, folder=tmp_path / "study").complete
    monkeypatch.setattr(*changes.get(name, (F, "relu", settings().other)))
    with pytest.raises(StoreError, match=rf"was edited since.*{name}"):
        run_study(study, "smoke", workers=0, folder=tmp_path / "study")


def test_whether_a_module_was_imported_before_is_no_change(claim, monkeypatch):
    run = within(claim.outcome)
    here = what_is_reached({"run": run}, Path.cwd()).values
    monkeypatch.delitem(sys.modules, "settings_of_own")
    fresh = what_is_reached({"run": run}, Path.cwd()).values
    for before, after in ((here, fresh), (fresh, here)):
        assert edited_files({"values": before}, {"values": after}) == []
