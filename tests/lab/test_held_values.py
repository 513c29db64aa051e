"""Values that a phenomenon's functions hold are part of a study's identity."""

from __future__ import annotations

import dataclasses
import decimal
import functools
import itertools
import logging
import operator
import os
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overparam.errors import StoreError, UsageError
from overparam.lab.held_values import code_in, digest_of_value
from overparam.lab.runner import load_study, run_study

HOLDERS = """
import functools
import numpy as np
LEVELS, OUTCOME, KNOWN, _CACHE = [0.0], None, {}, {}
async def plain(c, streams, level=0.0): return OUTCOME(level, np.zeros(3))
def closure(level):
    async def run(c, streams): return await plain(c, streams, level)
    return run
def default(level):
    async def run(c, streams, given=level): return await plain(c, streams, given)
    return run
def keyword(level):
    async def run(c, streams, *, given=level): return await plain(c, streams, given)
    return run
def attribute(level):
    async def run(c, streams): return await plain(c, streams, run.level)
    run.level = level
    return run
def partial(level): return functools.partial(plain, level=level)
class Holder:
    def __init__(self, level): self.level, self.lock = [level], open(__file__)
    async def method(self, c, streams): return await plain(c, streams, self.level[0])
    async def __call__(self, c, streams): return await self.method(c, streams)
def method(level): return Holder(level).method
def callable_object(level): return Holder(level)
def decorated(level):
    @functools.wraps(plain)
    async def run(c, streams): return await plain(c, streams, level)
    return run
def global_value(level):
    LEVELS[0] = level
    return reads_global
async def reads_global(c, streams): return await plain(c, streams, LEVELS[0])
async def keeps(c, streams):
    KNOWN[streams.seed] = _CACHE[streams.seed] = np.ones(3)
    return await plain(c, streams)
"""


@pytest.fixture
def holders(tiny, tmp_path, monkeypatch):
    """A module of functions that hold a value, in a file."""
    file = tmp_path / "of_holders.py"
    file.write_text(HOLDERS)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("of_holders")
    module.OUTCOME = tiny.outcome
    yield module
    del sys.modules["of_holders"]


def study_of(tiny, run, folder):
    phenomenon = dataclasses.replace(tiny, run=run, name="of_holders")
    return run_study(phenomenon, "smoke", workers=0, folder=folder)


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ("closure", "level in closure.<locals>.run of of_holders"),
        ("default", "given in default.<locals>.run of of_holders"),
        ("keyword", "given in keyword.<locals>.run of of_holders"),
        ("attribute", "level in attribute.<locals>.run of of_holders"),
        ("partial", "run"),
        ("method", "run"),
        ("callable_object", "run"),
        ("decorated", "level in plain of of_holders"),
        ("global_value", "LEVELS of of_holders"),
    ],
)
def test_another_value_is_refused_in_the_same_folder(tiny, holders, tmp_path, how, name):
    make, folder = getattr(holders, how), tmp_path / "study"
    first = study_of(tiny, make(0.25), folder)
    assert {r.status for r in first.records} == {"done"}
    assert study_of(tiny, make(0.25), folder).complete  # made anew, and the same
    with pytest.raises(StoreError, match=rf"was edited since.*got '{re.escape(name)}'.*values"):
        study_of(tiny, make(0.5), folder)


def test_what_cells_fill_is_none_of_their_settings(tiny, holders, tmp_path):
    first = study_of(tiny, holders.keeps, tmp_path / "study")
    (note,) = [n for n in first.provenance["notes"] if "changed while cells ran" in n]
    assert note.startswith("KNOWN of of_holders")
    assert study_of(tiny, holders.keeps, tmp_path / "study").complete
    holders.KNOWN.clear()
    again = study_of(tiny, holders.keeps, tmp_path / "study")
    assert not any("edited" in note for note in again.provenance["notes"])


def test_what_is_filled_before_a_study_is_none_of_its_settings(tiny, holders, tmp_path):
    study_of(tiny, holders.keeps, tmp_path / "one")
    study_of(tiny, holders.keeps, tmp_path / "study")  # where it was filled before
    holders.KNOWN.clear()  # as in a next process
    assert study_of(tiny, holders.keeps, tmp_path / "study").complete


def test_what_cannot_be_told_is_said(tiny, holders, tmp_path):
    found = study_of(tiny, holders.method(0.25), tmp_path / "study")
    (note,) = [n for n in found.provenance["notes"] if "cannot be told" in n]
    assert note.endswith("a change of it is not seen: run (TextIOWrapper)")


def test_what_is_called_is_named_for_its_code(tiny, holders):
    for how in ("partial", "callable_object", "method"):
        made = dataclasses.replace(tiny, run=getattr(holders, how)(0.5), name="")
        assert made.name == "of_holders"
        assert made.target.endswith("of_holders.py")
    with pytest.raises(UsageError, match=r"run of a phenomenon is no function.*got 3|got 'int'"):
        dataclasses.replace(tiny, run=3)


def test_a_study_from_before_values_were_kept_goes_on(tiny, holders, tmp_path):
    from overparam.lab.store import Store

    folder = tmp_path / "study"
    study_of(tiny, holders.closure(0.25), folder)
    phenomenon = dataclasses.replace(tiny, run=holders.closure(0.25), name="of_holders")
    with Store.open(folder, phenomenon) as store:
        code = store.get("code")
        del code["values"]
        store._put_value("code", code)
    assert study_of(tiny, holders.closure(0.25), folder).complete
    assert load_study(folder, phenomenon).complete


class Plain:
    """Something with a value, a cache and a counter."""

    def __init__(self, value):
        self.value, self._cache, self.log = value, {id(self): 1}, logging.getLogger(str(id(self)))


KINDS = [
    lambda x: {"a": [x, (x, {x})]},
    lambda x: Plain(x),
    lambda x: functools.partial(print, x),
    lambda x: operator.itemgetter(x),
    lambda x: re.compile(str(x)),
    lambda x: decimal.Decimal(x),
    lambda x: range(x),
    lambda x: np.full(3, x),
    lambda x: [np.array([x, None], dtype=object)],
    lambda x: Path(f"/data/{x}"),
    lambda x: {np.tanh: x, np.sum: range},
]


@pytest.mark.parametrize("kind", KINDS, ids=range(len(KINDS)))
def test_equal_values_have_equal_digests_and_others_another(kind, tmp_path):
    first, again, other = (digest_of_value(kind(x), tmp_path)[0] for x in (1, 1, 2))
    assert first == again != other
    assert "cannot be told" not in first


@pytest.mark.parametrize(
    "thing", [itertools.count(), threading.Lock(), np.random.default_rng(0), (i for i in ())]
)
def test_what_counts_or_has_no_contents_never_changes(thing, tmp_path):
    before, _ = digest_of_value({"a": 1, "thing": thing}, tmp_path)
    assert "without what cannot be told" in before
    if hasattr(thing, "random"):
        thing.random()
    elif hasattr(thing, "__next__"):
        next(thing, None)
    assert digest_of_value({"a": 1, "thing": thing}, tmp_path)[0] == before
    assert digest_of_value({"a": 2, "thing": thing}, tmp_path)[0] != before


def test_the_environment_is_no_value(monkeypatch):
    before, _ = digest_of_value([os.environ], Path("/a"))
    monkeypatch.setenv("OVERPARAM_TRIAL", "1")
    assert digest_of_value([os.environ], Path("/a"))[0] == before


def test_a_folder_may_be_moved():
    one, two = (digest_of_value([f / "x", str(f / "y")], f) for f in (Path("/a"), Path("/b/c")))
    assert one == two


def test_whatever_an_object_raises_when_it_is_looked_at_is_its_own():
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

    assert "cannot be told: Hostile" in digest_of_value(Hostile(), Path("/a"))[0]


def test_an_order_of_a_set_decides_nothing():
    pair = ("a", "b")
    sets = [[{pair, ("c", str(i))}, pair] for i in range(20)]
    digests = [digest_of_value([{*reversed(list(s))}, p], Path("/a"))[0] for s, p in sets]
    assert digests == [digest_of_value([s, p], Path("/a"))[0] for s, p in sets]


def categorical(order, is_ordered=False):
    return pd.Categorical(["a", "b"], categories=order, ordered=is_ordered)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.Period("2020"), pd.Period("2021")),
        (pd.Timestamp("2020"), pd.Timestamp("2021")),
        (pd.Interval(0, 1), pd.Interval(0, 2)),
        (categorical(["a", "b"]), categorical(["b", "a"])),
        (categorical(["a", "b"]), categorical(["a", "b"], True)),
        (pd.Series(categorical(["a", "b"])), pd.Series(categorical(["b", "a"]))),
        (pd.Series([1, 2]), pd.Series([1, 2], index=[1, 0])),
        (pd.Series([1], name="a"), pd.Series([1], name="b")),
        (pd.Index([1, 2]), pd.Index([2, 1])),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 2]}, index=[1, 0])),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}, index=pd.Index([0], name="i"))),
    ],
)
def test_what_pandas_holds_is_told(one, other):
    first, second = (digest_of_value(value, Path.cwd())[0] for value in (one, other))
    assert first != second
    assert "cannot be told" not in first + second
    assert digest_of_value(one, Path.cwd())[0] == first


def test_a_vectorized_function_is_known_by_its_types_and_not_by_its_memory():
    floats, numbers = (np.vectorize(lambda x: x, otypes=[kind]) for kind in (float, int))
    before = digest_of_value(floats, Path.cwd())[0]
    floats(1)
    assert digest_of_value(floats, Path.cwd())[0] == before
    assert digest_of_value(numbers, Path.cwd())[0] != before


def test_code_is_found_past_data_that_are_not_read():
    assert code_in({"a": [np.zeros(3), categorical]}) == [categorical]
    deep = []
    for _ in range(10**5):
        deep = [deep]
    assert code_in(deep) == []
