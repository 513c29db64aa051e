"""What a notebook's functions reach: any change that decides a record changes a digest."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from overparam.errors import StoreError
from overparam.lab.code import edited_files
from overparam.lab.digests import IF_KNOWN
from overparam.lab.reached import what_is_reached
from overparam.lab.runner import run_study

NOTEBOOK = """
import functools
import numpy as np
import pandas as pd
import torch
import overparam as op
N, NAMES = 3, {"b", "a"}
X = np.arange(6.0)
FRAME = pd.DataFrame({"a": ["x", "y"]})
NET = torch.nn.Linear(2, 2)
NET.load_state_dict({"weight": torch.eye(2), "bias": torch.zeros(2)})
EXAMPLES = op.data.as_examples((X[:4], [0, 1, 0, 1]))
UNUSED = 0

def inner(): return N
@functools.cache
def cached(): return inner() + X.sum()
class Base:
    level: float = 1.0
    def deep(self): return NAMES
class Kind(Base):
    @property
    def size(self): return cached()
class Setting:
    def deep(self): return 2
SETTING = Setting()
def make(level):
    def run(c): return Kind().size, level, NET, FRAME, EXAMPLES, SETTING
    return run
run = make(5)
"""


def reached(text):
    """Digests of a notebook of this text, made anew."""
    module = type(sys)("a_notebook")
    exec(text, module.__dict__)
    for value in vars(module).values():
        if getattr(value, "__module__", None) == "builtins":
            value.__module__ = "a_notebook"
    found = what_is_reached({"run": module.run}, Path.cwd())
    return found.texts | found.values


def test_the_same_text_has_the_same_digests():
    first, again = reached(NOTEBOOK), reached(NOTEBOOK)
    assert first == again
    assert not any("cannot be told" in digest for digest in first.values())
    assert not any("UNUSED" in name for name in first)


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("N, NAMES = 3", "N, NAMES = 4", "N of "),
        ('{"b", "a"}', '{"b", "c"}', "NAMES of "),
        ("np.arange(6.0)", "np.arange(1.0, 7.0)", "X of "),
        ('["x", "y"]', '["x", "z"]', "FRAME of "),
        ("torch.zeros(2)", "torch.ones(2)", "NET of "),
        ("[0, 1, 0, 1]", "[0, 1, 1, 1]", "EXAMPLES of "),
        ("return N\n", "return N + 1\n", "inner of "),
        ("inner() + X", "inner() - X", "cached of "),
        ("return NAMES", "return sorted(NAMES)", "Base.deep of "),
        ("level: float = 1.0", "level: float = 2.0", "level in Base of "),
        ("level: float = 1.0", "level: int = 1.0", "__annotations__ in Base of "),
        ("return 2", "return 3", "Setting.deep of "),
        ("return cached()", "return -cached()", "Kind.size of "),
        ("make(5)", "make(6)", "level in make.<locals>.run of "),
    ],
)
def test_any_change_that_is_reached_is_seen(before, after, name):
    first, second = reached(NOTEBOOK), reached(NOTEBOOK.replace(before, after))
    changed = [n for n in {**first, **second} if first.get(n) != second.get(n)]
    assert any(n.startswith(name) for n in changed), changed


def test_an_object_that_is_called_is_followed():
    class Run:
        def __init__(self, level):
            self.level = level

        def __call__(self, c, streams):
            return self.level

    Run.__module__ = "a_notebook"
    first, second = (what_is_reached({"run": Run(n)}, Path.cwd()) for n in (1, 2))
    assert first.texts == second.texts
    assert [name for name in first.values if first.values[name] != second.values[name]] == ["run"]


def test_what_cannot_be_followed_changes_nothing():
    text = NOTEBOOK.replace("N, NAMES = 3", "N, NAMES = (i for i in ())")
    assert "cannot be told: generator" in reached(text)["N of a_notebook"]
    assert what_is_reached({"a": torch.nn.Linear, "b": np.mean}, Path.cwd()).texts == {}


def test_another_value_in_the_same_folder_is_refused(tiny, tmp_path):
    module = type(sys)("a_notebook")
    module.OUTCOME = tiny.outcome
    text = "import numpy as np\nasync def run(c, s): return OUTCOME(LEVEL, np.zeros(3))"
    exec(text, module.__dict__)
    module.run.__module__ = "a_notebook"
    phenomenon = dataclasses.replace(tiny, run=module.run, name="of_a_notebook")
    module.LEVEL = 0.25
    assert run_study(phenomenon, "smoke", workers=0, folder=tmp_path).complete
    module.LEVEL = 0.5
    with pytest.raises(StoreError, match=r"was edited since.*got 'LEVEL of a_notebook'"):
        run_study(phenomenon, "smoke", workers=0, folder=tmp_path)
    assert run_study(phenomenon, "smoke", workers=0, folder=tmp_path, accept_edits=True).complete


def test_an_attribute_is_not_the_global_of_its_name():
    text = """
level, N = 1, 2
class Kind:
    def __init__(self, level): self.level = level
    def fit(self): return [self.level * N for _ in range(2)]
    def set(self): self.level = 3
def run(c): return Kind(c).fit()
"""
    known = reached(text)
    assert reached(text.replace("level, N = 1, 2", "level, N = 5, 2")) == known
    assert reached(text.replace("level, N = 1, 2", "level, N = 1, 3")) != known
    asked = text.replace("return Kind(c)", "global level; level += 1; return Kind(c)")
    assert reached(asked.replace("level, N = 1", "level, N = 5")) != reached(asked)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("import numpy.linalg as V", "import scipy.linalg as V"),
        ("V = {'a': [lambda: N]}", "V = {'a': [lambda: M]}"),
    ],
)
def test_what_a_global_is_or_holds_is_told(text, other):
    run = f"N, M = 1, 2\n{text}\ndef run(c): return V"
    assert reached(run) == reached(run)
    assert reached(run) != reached(run.replace(text, other))


def test_older_studies_which_know_no_modules_go_on():
    known = reached("import numpy as np\ndef run(c): return np.pi")
    assert known["np of a_notebook"].startswith(IF_KNOWN)
    without = {name: digest for name, digest in known.items() if "np of" not in name}
    assert edited_files({"values": without}, {"values": known}) == []


def test_modules_within_modules_are_followed(monkeypatch):
    run = "import torch, numpy as np\ndef run(c): return [np.linalg.norm(c) for _ in c]"
    before = reached(run)
    monkeypatch.setattr(np.linalg, "norm", lambda x: 99.0)
    assert set(reached(run)) - set(before) >= {"norm of numpy.linalg"}
