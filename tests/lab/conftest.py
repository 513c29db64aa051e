"""Fixtures that several files of this folder use."""

import sys
from pathlib import Path

import numpy as np
import pytest

from overparam.lab.store import Store
from overparam.phenomena import find
from tests.lab.demo_tasks import TASKS
from tests.lab.test_store import DEMO, LARGE, record

TRACE = np.arange(float(LARGE))
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


@pytest.fixture
def study(tmp_path):
    """The folder of a study with two records, of arrays in a file and in the database."""
    folder = tmp_path / "study"
    with Store.open(folder, DEMO) as store:
        store.write([record(1, trace=TRACE), record(2, trace=np.ones(3), error="text")], "a")
        store.set("design", {"scale": "smoke", "settings": {}, "seeds": [0], "cells": 1})
        store.set("verdicts", {"treatment": "observed"})
        store.add_choice("stack", "native")
    return folder
