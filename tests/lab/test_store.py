"""The store: round trips, refusals, and what is left after faults."""

import contextlib
import dataclasses
import os
import sqlite3
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overparam.errors import StoreError, UsageError
from overparam.lab.phenomenon import Phenomenon, Scale
from overparam.lab.records import Record
from overparam.lab.store import Store, peek, record_key
from overparam.lab.stored_arrays import SMALL_ARRAY_BYTES
from overparam.lab.verdict import Interval, decide


@dataclasses.dataclass(frozen=True)
class Condition:
    n_train: int
    ridge: float = 0.0
    arm: str = "treatment"
    widths: tuple[int, ...] = (1, 2)


@dataclasses.dataclass(frozen=True)
class Outcome:
    test_error: Any
    trace: Any = None


async def run(condition, streams):
    return Outcome(0.5)


def make_phenomenon(**changes):
    return Phenomenon(
        **{
            "doc": "Claim: none.",
            "condition": Condition,
            "outcome": Outcome,
            "cells": lambda base: [base],
            "run": run,
            "summarise": lambda records: {"treatment": None},
            "verdict": lambda s: decide(Interval(0, 0, 0), at_least=1, unit="", rule=""),
            "figures": lambda summaries, records: [],
            "scales": {"smoke": Scale(Condition(1), 1)},
            "name": "demo",
        }
        | changes
    )


DEMO = make_phenomenon()
LARGE = SMALL_ARRAY_BYTES  # float64 entries of an array that gets a file of its own


def record(n_train=1, seed=0, test_error: Any = 0.5, trace=None, **more):
    return Record(Condition(n_train), seed, Outcome(test_error, trace), **more)


def write(folder, *records, unit="unit"):
    with Store.open(folder, DEMO) as store:
        store.write(records, unit)


# ------------------------------------------------------------------ round trips

arrays = hnp.arrays(
    hnp.scalar_dtypes() | hnp.unicode_string_dtypes(),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.complex_numbers()
fields = scalars | arrays | st.lists(scalars | arrays, max_size=3).map(tuple)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(test_error=fields, trace=fields, error=st.text(st.characters()))
def test_outcomes_come_back_as_they_were(tmp_path, test_error, trace, error):
    written = record(test_error=test_error, trace=trace, error=error)
    with Store.open(tmp_path, DEMO, fresh=True) as store:
        store.write([written], "unit")
        (found,) = store.read(DEMO)
        assert store.check() == []
    assert found.condition == written.condition
    assert found.error == written.error
    assert_same(found.outcome.test_error, test_error)
    assert_same(found.outcome.trace, trace)


def assert_same(found, written):
    assert type(found) is type(written)
    if isinstance(written, tuple):
        assert len(found) == len(written)
        for f, w in zip(found, written, strict=True):
            assert_same(f, w)
    elif isinstance(written, np.ndarray):
        assert found.dtype == written.dtype
        assert found.shape == written.shape
        assert found.tobytes() == np.asarray(written, order="C").tobytes()
    else:
        np.testing.assert_equal(found, written)


@pytest.mark.parametrize("n", [10, LARGE])
def test_arrays_of_any_layout_come_back_and_equal_ones_are_kept_once(tmp_path, n):
    array = np.asfortranarray(np.arange(2.0 * n).reshape(2, n))
    write(tmp_path, record(1, trace=array), record(2, trace=array.copy()), record(3, trace=array.T))
    with Store.read_only(tmp_path) as store:
        found = store.read(DEMO)
    for r, expected in zip(found, (array, array, array.T), strict=True):
        np.testing.assert_array_equal(r.outcome.trace, expected)
    files = list(tmp_path.glob("arrays/??/*.npy"))
    assert len(files) == (0 if n == 10 else 2)
    assert all(np.load(f).size == 2 * n for f in files)


def test_a_failed_cell_has_no_outcome(tmp_path):
    write(tmp_path, Record(Condition(1), 0, None, "failed", "out of memory", {"seconds": 1.5}))
    with Store.read_only(tmp_path) as store:
        (found,) = store.read(DEMO)
        assert store.counts() == {"failed": 1}
    assert found == Record(Condition(1), 0, None, "failed", "out of memory", {"seconds": 1.5})


def test_records_come_in_the_order_asked_for(tmp_path):
    with Store.open(tmp_path, DEMO) as store:
        store.write([record(3), record(1)], "a")
        store.write([record(2)], "b")
        keys = {n: record_key("demo", 1, Condition(n), 0) for n in (1, 2, 3, 4)}
        assert store.keys() == {keys[1], keys[2], keys[3]}
        assert [r.condition.n_train for r in store.read(DEMO)] == [3, 1, 2]
        asked = store.read(DEMO, [keys[2], keys[4], keys[3]])
        assert [r.condition.n_train for r in asked] == [2, 3]


def test_metadata_and_choices(tmp_path):
    with Store.open(tmp_path, DEMO) as store:
        store.set("settings", {"ridge": float("inf"), "widths": (1, 2)})
        store.set("scale", "smoke")
        store.set("scale", "full")
        assert store.add_choice("stack-1", "compiled") == "compiled"
        assert store.add_choice("stack-1", "one by one") == "compiled"
    with Store.open(tmp_path, DEMO) as store:
        assert store.get("settings") == {"ridge": float("inf"), "widths": (1, 2)}
        assert store.get("scale") == "full"
        assert store.get("missing", 7) == 7
        assert store.choices() == {"stack-1": "compiled"}
        with pytest.raises(UsageError, match="the store's own"):
            store.set("revision", 2)


def test_peek_says_what_a_listing_shows(tmp_path):
    assert peek(tmp_path) is None
    with Store.open(tmp_path, DEMO) as store:
        store.write([record(1), record(2, status="diverged", test_error=float("nan"))], "a")
        store.set("verdicts", {"treatment": "observed"})
    assert peek(tmp_path) == {
        "phenomenon": "demo",
        "revision": 1,
        "verdicts": {"treatment": "observed"},
        "counts": {"done": 1, "diverged": 1},
        "n_records": 2,
    }
    (tmp_path / "study.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="is damaged"):
        peek(tmp_path)


def test_peek_imports_nothing_heavy(tmp_path):
    write(tmp_path, record())
    code = (
        "import sys; from overparam.lab.store import peek; assert peek(sys.argv[1])['n_records'];"
        "print(sorted({'numpy', 'torch', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------ refusals


def test_a_cell_is_written_once_and_its_unit_all_or_none(tmp_path):
    with Store.open(tmp_path, DEMO) as store:
        store.write([record(1)], "a")
        with pytest.raises(StoreError, match="there already; none of the unit was written"):
            store.write([record(2), record(1)], "b")
        with pytest.raises(StoreError, match="there already"):
            store.write([record(3), record(3)], "c")
        assert [r.condition.n_train for r in store.read(DEMO)] == [1]


def test_a_value_that_cannot_be_kept_is_refused_with_its_unit(tmp_path):
    with Store.open(tmp_path, DEMO) as store:
        with pytest.raises(UsageError, match="cannot be kept"):
            store.write([record(1), record(2, test_error=object())], "a")
        with pytest.raises(UsageError, match="seed is out of range"):
            store.write([record(seed=2**63)], "a")
        assert store.keys() == set()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"name": "other"}, "another phenomenon; got 'demo'; allowed: other; .*--fresh"),
        ({"revision": 2}, "another revision; got 1; allowed: 2; .*--fresh"),
    ],
)
def test_another_phenomenon_or_revision_is_refused(tmp_path, changes, match):
    write(tmp_path, record())
    with pytest.raises(StoreError, match=match):
        Store.open(tmp_path, make_phenomenon(**changes))
    with Store.read_only(tmp_path) as store, pytest.raises(StoreError, match=match):
        store.read(make_phenomenon(**changes))
    with Store.open(tmp_path, make_phenomenon(**changes), fresh=True) as store:
        assert store.keys() == set()


def test_other_fields_than_the_dataclass_has_are_refused(tmp_path):
    write(tmp_path, record())

    @dataclasses.dataclass(frozen=True)
    class Changed:
        test_error: float

    with (
        Store.read_only(tmp_path) as store,
        pytest.raises(StoreError, match=r"fields.*got 'trace'"),
    ):
        store.read(make_phenomenon(outcome=Changed))


def test_another_version_of_the_tables_is_refused(tmp_path):
    write(tmp_path, record())
    with contextlib.closing(sqlite3.connect(tmp_path / "study.sqlite")) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="another version of overparam; got 99; allowed: 2"):
        Store.open(tmp_path, DEMO)
    with pytest.raises(StoreError, match="another version"):
        peek(tmp_path)


def test_a_database_of_somebody_else_is_refused(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "study.sqlite")) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="no study of overparam"):
        Store.open(tmp_path, DEMO)


def test_a_study_that_was_stopped_before_it_had_tables_begins_anew(tmp_path):
    (tmp_path / "study.sqlite").touch()
    with pytest.raises(StoreError, match=r"stopped before it kept anything.*run it again"):
        Store.read_only(tmp_path)
    with Store.open(tmp_path, DEMO) as store:
        assert store.keys() == set()


def test_a_missing_study_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no study in this folder"):
        Store.read_only(tmp_path)
    with pytest.raises(StoreError, match="no study in this folder"):
        Store.open(tmp_path / "new", DEMO, create=False)
    assert list(tmp_path.iterdir()) == []


def test_reading_only_cannot_write(tmp_path):
    write(tmp_path, record())
    with Store.read_only(tmp_path) as store, pytest.raises(StoreError, match="reading only"):
        store.write([record(2)], "b")


def test_fresh_deletes_only_what_the_store_made(tmp_path):
    write(tmp_path, record(trace=np.zeros(LARGE)))
    (own,) = tmp_path.glob("arrays/??/*.npy")
    mine = [tmp_path / "notes.txt", own.parent / "mine.npy", tmp_path / "arrays" / "readme"]
    for path in mine:
        path.write_text("keep")
    with Store.open(tmp_path, DEMO, fresh=True) as store:
        assert store.keys() == set()
    assert not own.exists()
    assert all(path.read_text() == "keep" for path in mine)


# ------------------------------------------------------------------ two processes


def test_a_second_writer_is_refused_and_told_who_holds_it(tmp_path):
    with Store.open(tmp_path, DEMO) as store:
        with pytest.raises(StoreError, match=rf"being written; got 'this process \({os.getpid()}"):
            Store.open(tmp_path, DEMO)
        with pytest.raises(StoreError, match="being written"):
            Store.open(tmp_path, DEMO, fresh=True)
        store.write([record(1)], "a")
        with Store.read_only(tmp_path) as reader:
            assert len(reader.read(DEMO)) == 1
            store.write([record(2)], "b")
            assert len(reader.read(DEMO)) == 2
    write(tmp_path, record(3))
