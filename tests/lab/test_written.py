"""What a file says its names are is read from its text, where that is plain."""

from __future__ import annotations

import os.path
import sys

import pytest

from overparam.lab.written import UNSAID, is_as_written, written

TEXT = """
import os.path
import json as words
from xml.dom import minidom
from . import nothing
N, NAMES = 3, ["a"]
LEVEL: float = 0.5
TWICE = 1
TWICE = N
if N:
    UNDER = 1
OVER = 1
try:
    import json as OVER
except ImportError:
    pass
A, *REST = 1, 2
def defined(): return 1
@staticmethod
def decorated(): return 1
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "written_here.py").write_text(TEXT.replace("from . import nothing\n", ""))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "written_here", raising=False)
    found = __import__("written_here")
    (tmp_path / "written_here.py").write_text(TEXT)
    return found


@pytest.mark.parametrize("name", ["N", "NAMES", "LEVEL", "os", "words", "minidom"])
def test_what_is_written_plainly(module, name):
    said = written("written_here", name)
    assert is_as_written(said, getattr(module, name))
    assert not is_as_written(said, 4)


@pytest.mark.parametrize("name", ["TWICE", "UNDER", "OVER", "REST", "decorated", "nothing"])
def test_what_has_to_be_computed_is_not_said(module, name):
    assert written("written_here", name) is UNSAID


def test_what_is_defined_is_said_to_be(module):
    assert written("written_here", "defined") is not UNSAID


def test_what_has_no_text_says_nothing(module, tmp_path):
    assert written("sys", "path") is UNSAID
    (tmp_path / "written_here.py").write_text("N = (")
    os.utime(tmp_path / "written_here.py", (1, 1))
    assert written("written_here", "N") is UNSAID
    (tmp_path / "written_here.py").unlink()
    assert written("written_here", "N") is UNSAID
