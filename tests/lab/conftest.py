"""Fixtures that several files of this folder use."""

import sys
from pathlib import Path

import pytest

from overparam.phenomena import find
from tests.lab.demo_tasks import TASKS

TINY = Path(__file__).with_name("tiny_phenomenon.py")


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """The path of a folder with `pool_tasks.py`, on sys.path here and in the workers."""
    (tmp_path / "pool_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("pool_tasks", None)


@pytest.fixture(scope="module")
def tiny():
    """A phenomenon that takes no time."""
    return find(str(TINY))
