"""What a module draws while a cell imports it moves no draw of the cell."""

from __future__ import annotations

import importlib
import importlib.util
import random
import sys
import threading

import numpy as np
import pytest
import torch

from overparam.lab.imports_in_cells import imports_apart
from overparam.models.own_imports import own_modules, watched_imports
from overparam.streams import Streams

DRAWS = """
import random
import numpy as np
import torch
DRAWN = [random.random(), float(np.random.normal()), float(torch.rand(()))]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "drawing_a.py").write_text(f"import drawing_b\n{DRAWS}")
    (tmp_path / "drawing_b.py").write_text(DRAWS)
    importlib.invalidate_caches()
    yield tmp_path
    forget()


def forget():
    for name in [n for n in own_modules() if n.startswith("drawing_")]:
        del sys.modules[name]


def draw():
    return random.random(), float(np.random.normal()), float(torch.rand(()))  # noqa: NPY002


def test_imports_leave_the_generators_and_draw_the_same_whoever_imports(place):
    found = []
    for seed, first in ((1, "drawing_a"), (2, "drawing_b")):
        forget()
        with Streams(seed).global_generators("cells"):
            expected = draw()
        with Streams(seed).global_generators("cells"), imports_apart(), watched_imports():
            importlib.import_module(first)
            assert draw() == expected
            found.append([importlib.import_module(f"drawing_{x}").DRAWN for x in "ab"])
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


def test_a_module_has_its_own_loader(place):
    finders = list(sys.meta_path)
    with imports_apart():
        spec = importlib.util.find_spec("drawing_b")
        assert "DRAWN" in spec.loader.get_source("drawing_b")
        module = importlib.import_module("drawing_b")
        assert type(module.__loader__) is type(importlib.__loader__)
        assert module.__spec__.loader is module.__loader__
    assert sys.meta_path == finders


def test_imports_of_other_threads_are_theirs(place):
    states = []

    def imports():
        before = random.getstate()
        importlib.import_module("drawing_b")
        states.append(random.getstate() == before)

    with imports_apart():
        thread = threading.Thread(target=imports)
        thread.start()
        thread.join()
    assert states == [False]


def test_a_finder_that_a_cell_takes_away_is_not_missed():
    with imports_apart():
        del sys.meta_path[0]
    with pytest.raises(ModuleNotFoundError), imports_apart():
        importlib.import_module("no_such_module_anywhere")
