"""Files that were edited after this process imported them: the text before must not run."""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys

import pytest

from overparam.errors import UsageError
from overparam.lab.loaded_code import check_loaded
from overparam.lab.runner import run_study
from overparam.models.own_imports import watched_imports

TEXT = """
import functools, dataclasses
import edited_helper
LEVEL = 1
class Kind:
    @property
    def size(self): return 1
@functools.cache
def cached(): return 1
def run(c, streams):
    def inner(): return LEVEL
    return inner
@dataclasses.dataclass(frozen=True)
class Data:
    x: int = 0
"""
EDITS = {
    "a function": ("def cached(): return 1", "def cached(): return 22"),
    "a function in a function": ("return LEVEL", "return LEVEL + 1"),
    "a method": ("size(self): return 1", "size(self): return 33"),
    "a value": ("LEVEL = 1", "LEVEL = 100"),
    "a name": ("def cached()", "def cached_otherwise()"),
    "no Python": ("class Kind:", "class Kind"),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "edited_helper.py").write_text("A = 1\n")
    (tmp_path / "edited_here.py").write_text(TEXT)
    yield tmp_path
    for name in ("edited_here", "edited_helper"):
        sys.modules.pop(name, None)


def imported(place, text=TEXT):
    (place / "edited_here.py").write_text(text)
    importlib.invalidate_caches()
    return importlib.import_module("edited_here")


def check(place, *parts):
    check_loaded([place / "edited_here.py", place / "edited_helper.py"], parts)


def test_code_that_is_as_in_its_file_runs(place):
    module = imported(place)
    check(place, module.run, module.Data)
    # A comment moves lines; what runs is the same.
    (place / "edited_here.py").write_text("# A comment\n" + TEXT)
    check(place, module.run, module.Data)


@pytest.mark.parametrize(("before", "after"), EDITS.values(), ids=EDITS)
def test_an_edit_after_the_import_is_refused_until_it_is_reloaded(place, before, after):
    module = imported(place)
    (place / "edited_here.py").write_text(TEXT.replace(before, after))
    with pytest.raises(UsageError, match=r"edited after .*got 'edited_here\.py'.*reload"):
        check(place, module.run)
    if "def Kind" not in after and after != "class Kind":
        check(place, importlib.reload(module).run)


def test_a_function_from_before_a_reload_is_refused(place):
    module = imported(place)
    old = module.run
    (place / "edited_here.py").write_text(TEXT.replace("return LEVEL", "return -LEVEL"))
    check(place, importlib.reload(module).run)
    with pytest.raises(UsageError, match=r"edited after .*got 'edited_here\.py'"):
        check(place, old)


def test_what_it_imports_is_compared_too(place):
    module = imported(place)
    (place / "edited_helper.py").write_text("A = 222\n")
    with pytest.raises(UsageError, match=r"edited after .*got 'edited_helper\.py'"):
        check(place, module.run)


def test_where_imports_are_watched_the_text_itself_is_compared(place):
    with watched_imports():
        module = imported(place)
    check(place, module.run)
    (place / "edited_here.py").write_text("# A comment\n" + TEXT)
    with pytest.raises(UsageError, match=r"edited after .*got 'edited_here\.py'"):
        check(place, module.run)


@pytest.mark.parametrize("kept", [b"", b"\0" * 40, None])
def test_what_python_kept_may_be_anything(place, kept):
    module = imported(place)
    path = module.__spec__.cached
    os.remove(path)
    if kept is not None:
        with open(path, "wb") as file:
            file.write(kept)
    check(place, module.run)


def test_a_study_of_an_edited_module_is_refused(tiny, place, tmp_path):
    module = imported(place)
    (place / "edited_here.py").write_text(TEXT.replace("return LEVEL", "return 5"))
    phenomenon = dataclasses.replace(tiny, run=module.run, name="edited_here")
    with pytest.raises(UsageError, match=r"edited after .*got 'edited_here\.py'"):
        run_study(phenomenon, "smoke", workers=0, folder=tmp_path / "study")
