"""A module of which code may read any name is told, and sent to workers, with all that it holds."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import operator
import sys
from pathlib import Path

import numpy as np
import pytest

from overparam.errors import StoreError
from overparam.lab.code import edited_files
from overparam.lab.digests import IF_KNOWN
from overparam.lab.reached import what_is_reached
from overparam.lab.runner import run_study
from overparam.lab.whole_modules import whole_modules

SETTINGS = """
import numpy as np
N, START = 1.0, float("1")
RNG = np.random.default_rng(0)
def act(x): return x
"""
PACKAGE = """
import importlib
from . import a
def by_relative_import(): return importlib.import_module(".a", __package__).N
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A module of settings in a file, of a name of its own, which is put into this one."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "whole_settings.py").write_text(SETTINGS)
    module = importlib.import_module("whole_settings")
    monkeypatch.setitem(globals(), "whole_settings", module)
    yield module
    sys.modules.pop("whole_settings", None)


def by_getattr(name):
    return getattr(whole_settings, name)  # noqa: F821


def by_vars(name):
    return vars(whole_settings)[name]  # noqa: F821


def by_dict(name):
    return whole_settings.__dict__[name]  # noqa: F821


def by_sys_modules(name):
    return sys.modules["whole_settings"].N


def by_import_module(name):
    return importlib.import_module("whole_settings").N


def by_dunder_import(name):
    return __import__("whole_settings").N


def by_an_import_within(name):
    import whole_settings as within

    return operator.attrgetter(name)(within)


def by_another_function(name):
    return of_another(whole_settings)  # noqa: F821


def of_another(module):
    return module.N


def in_an_inner_function(name):
    return next(getattr(module, name) for module in (whole_settings,))  # noqa: F821


WAYS = [
    by_getattr,
    by_vars,
    by_dict,
    by_sys_modules,
    by_import_module,
    by_dunder_import,
    by_an_import_within,
    by_another_function,
    in_an_inner_function,
]


def values(run):
    return what_is_reached({"run": run}, Path.cwd()).values


@pytest.mark.parametrize("way", WAYS)
def test_what_may_be_read_is_told_where_it_is_not_as_it_is_written(settings, way):
    before = values(way)
    assert "N of whole_settings" not in before
    assert before["START of whole_settings"].startswith(IF_KNOWN)  # as nobody had told it before
    settings.N = 5.0
    assert edited_files({"values": before}, {"values": values(way)}) == ["N of whole_settings"]
    settings.N, settings.START = 1.0, 2.0
    assert edited_files({"values": before}, {"values": values(way)}) == ["START of whole_settings"]


def test_a_generator_by_which_a_module_makes_its_data_is_not_read(settings):
    assert "RNG of whole_settings" not in values(by_getattr)
    assert whole_modules(by_getattr) == [settings]


def names_it(name):
    import os.path as paths

    from whole_settings import act

    def inner():
        return paths.sep, whole_settings.N  # noqa: F821

    whole_settings.N += 1  # noqa: F821
    return act(inner), getattr(name, paths.sep), "whole_settings"


def test_what_is_named_by_dots_is_taken_by_its_names(settings):
    assert whole_modules(names_it) == []
    assert "START of whole_settings" not in values(names_it)


def test_a_module_that_reads_its_own_names_is_taken_whole(settings):
    text = (
        "\ndef chosen(name): return globals()[name]\ndef other(name): return sys.modules[__name__]"
    )
    exec(text, vars(settings))
    for function in (settings.chosen, settings.other):
        assert whole_modules(function) == [settings]
        assert "START of whole_settings" in values(function)


def test_packages_are_taken_with_the_modules_within_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "whole_package").mkdir()
    (tmp_path / "whole_package" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "whole_package" / "a.py").write_text("N = float('1')")
    package = importlib.import_module("whole_package")

    def run(first, name):
        return getattr(getattr(package, first), name), np.tanh(first)

    for way in (run, package.by_relative_import):
        assert "N of whole_package.a" in values(way)
    monkeypatch.setattr(np, "tanh", np.sin)
    assert "tanh of numpy" in values(run)
    for name in ("whole_package", "whole_package.a"):
        monkeypatch.delitem(sys.modules, name)


def of_notebook(tiny, way):
    async def run(c, streams):
        return tiny.outcome(way("N"), np.zeros(3))

    run.__module__ = way.__module__ = "__main__"
    return dataclasses.replace(tiny, run=run, name="of_notebook")


def test_workers_have_what_was_set_and_no_other_is_mixed_in(settings, tiny, tmp_path):
    def way(name):
        return getattr(module, name) + importlib.import_module("whole_settings").N

    module = settings
    settings.N = 0.25
    study = of_notebook(tiny, way)
    for workers in (0, 2):
        found = run_study(study, "smoke", workers=workers, folder=tmp_path / str(workers))
        assert {r.outcome.train_error for r in found.records} == {0.5}
    settings.N = 1.0
    with pytest.raises(StoreError, match=r"was edited since.*got 'N of whole_settings"):
        run_study(study, "smoke", workers=0, folder=tmp_path / "0")


def library_calls(x):
    return np.tanh(x), np.trapz([x]), np.abs(x)  # noqa: NPY201


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("tanh", np.sin),
        ("trapz", np.trapezoid),
        ("tanh", np.vectorize(lambda x: x)),
        ("tanh", functools.lru_cache(of_another)),
    ],
)
def test_what_stands_in_a_library_for_its_own_is_told(monkeypatch, name, put):
    before = values(library_calls)
    assert not any("of numpy" in known for known in before)  # `np.abs` is called `absolute`
    monkeypatch.setattr(np, name, put, raising=False)
    edited = edited_files({"values": before}, {"values": values(library_calls)})
    assert f"{name} of numpy" in edited


def test_workers_have_what_was_put_into_a_library(tiny, monkeypatch):
    async def run(c, streams):
        return tiny.outcome(float(np.cbrt(1.0) * np.trapz([0.5, 0.5])), np.zeros(3))  # noqa: NPY201

    monkeypatch.setattr(np, "cbrt", np.sin)
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)
    run.__module__ = "__main__"
    study = dataclasses.replace(tiny, run=run, name="of_notebook")
    found = run_study(study, "smoke", workers=2)
    assert {r.outcome.train_error for r in found.records} == {float(np.sin(1.0) / 2)}
