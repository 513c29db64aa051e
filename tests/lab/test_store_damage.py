"""The store after kills, damage and on full disks."""

import contextlib
import dataclasses
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from overparam.errors import ResourceError, StoreError
from overparam.lab.database import DATABASE
from overparam.lab.recorded import load_records
from overparam.lab.rows import COLUMNS, checksum
from overparam.lab.runner import run_study
from overparam.lab.store import Store
from tests.lab.test_store import DEMO, LARGE, record, write

WRITER = """
import sys
sys.path.insert(0, {tests!r})
from test_store import DEMO, LARGE, Condition, Outcome, Record, Store, np
with Store.open(sys.argv[1], DEMO) as store:
    done = len(store.keys()) // 4
    print("open", flush=True)
    for unit in range(done, done + 100_000):
        store.write(
            [
                Record(Condition(unit), seed, Outcome(seed, np.full(n, float(unit))))
                for seed, n in enumerate((3, 3, LARGE, 1))
            ],
            str(unit),
        )
        print(unit, flush=True)
"""


def start_writer(folder):
    code = WRITER.format(tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True)


def test_a_living_writer_is_named_and_a_killed_one_leaves_whole_units(tmp_path):
    """Killed at random moments, many times: nothing half, nothing lost, nothing twice."""
    moment = random.Random(0)
    for _ in range(6):
        writer = start_writer(tmp_path)
        try:
            assert writer.stdout.readline() == "open\n"
            with pytest.raises(StoreError, match=f"being written; got 'process {writer.pid} on"):
                Store.open(tmp_path, DEMO)
            time.sleep(moment.uniform(0.0, 0.15))
        finally:
            writer.send_signal(signal.SIGKILL)
            said = writer.stdout.read().split()
            writer.wait()
        with Store.read_only(tmp_path) as store:
            assert store.check() == []
            found = store.read(DEMO)
        units = [r.condition.n_train for r in found]
        assert units == [u for u in range(len(found) // 4) for _ in range(4)]
        assert len(found) // 4 >= int(said[-1]) + 1 if said else True
        for r in found:
            assert (np.asarray(r.outcome.trace) == r.condition.n_train).all()
    with Store.open(tmp_path, DEMO):  # sweeps what the killed writers left half
        assert list((tmp_path / "arrays").glob(".writing-*")) == []


# ------------------------------------------------------------------ damage


def make_damaged(folder, damage, n=2000):
    write(folder, *[record(i, test_error="x" * 300) for i in range(n)])
    path = folder / "study.sqlite"
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)


def truncate(content):
    del content[len(content) // 2 :]


def zero_a_page(content):
    content[8192 : 8192 + 4096] = bytes(4096)


def scribble(content):
    content[:4096] = os.urandom(4096)


@pytest.mark.parametrize("damage", [truncate, zero_a_page, scribble])
def test_a_damaged_file_is_refused_with_a_remedy(tmp_path, damage):
    make_damaged(tmp_path, damage)
    for attempt in (lambda: Store.open(tmp_path, DEMO), lambda: Store.read_only(tmp_path)):
        with pytest.raises(StoreError, match="--fresh"):
            attempt()
    with Store.open(tmp_path, DEMO, fresh=True) as store:
        assert store.check() == []


def test_a_changed_letter_inside_a_record_is_found(tmp_path):
    # SQLite sees no wrong page here; the record's own checksum does.
    def change(content):
        at = content.rindex(b"xxxx")
        content[at] = ord("y")

    make_damaged(tmp_path, change, n=3)
    with Store.read_only(tmp_path) as store:
        (problem,) = store.check()
        assert "is damaged" in problem
        with pytest.raises(StoreError, match=r"record [0-9a-f]{12} is damaged"):
            store.read(DEMO)


def test_damaged_and_missing_arrays_are_named(tmp_path):
    write(tmp_path, record(1, trace=np.zeros(LARGE)), record(2, trace=np.ones(LARGE)))
    first, second = sorted(tmp_path.glob("arrays/??/*.npy"))
    first.write_bytes(first.read_bytes()[:-1] + b"\1")
    with Store.read_only(tmp_path) as store:
        (problem,) = store.check()
        assert f"array {first.stem[:12]} is damaged" in problem
        records = store.read(DEMO)  # an array is read when it is looked at
        assert {r.outcome.test_error for r in records} == {0.5}
        with pytest.raises(StoreError, match=r"is damaged; got .*another checksum"):
            [r.outcome.trace for r in records]
        first.unlink()
        second.write_bytes(b"")
        assert [f"{first.stem[:12]} is missing" in p for p in sorted(store.check())].count(
            True
        ) == 1
        with pytest.raises(StoreError, match=r"is missing|is damaged"):
            [r.outcome.trace for r in store.read(DEMO)]


def test_a_damaged_array_is_mended_when_it_is_written_again(tmp_path):
    write(tmp_path, record(1, trace=np.zeros(LARGE)))
    (path,) = tmp_path.glob("arrays/??/*.npy")
    path.write_bytes(b"damaged")
    write(tmp_path, record(2, trace=np.zeros(LARGE)))
    with Store.read_only(tmp_path) as store:
        assert store.check() == []


def test_an_empty_file_left_by_a_killed_start_becomes_a_study(tmp_path):
    (tmp_path / "study.sqlite").touch()
    write(tmp_path, record())
    with Store.read_only(tmp_path) as store:
        assert len(store.keys()) == 1


# ------------------------------------------------------------------ disks


def test_a_folder_that_cannot_be_made_is_a_resource_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"cannot be used.*choose a writable folder"):
        Store.open(tmp_path / "file" / "study", DEMO)


@contextlib.contextmanager
def files_no_longer_than(n_bytes):
    """A full disk, as far as files of this process are concerned."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("trace", [np.zeros(10 * LARGE), tuple("x" * 1000 for _ in range(1000))])
def test_a_full_disk_keeps_what_was_written_before(tmp_path, trace):
    with Store.open(tmp_path, DEMO) as store:
        store.write([record(1)], "a")
        with (
            files_no_longer_than(400_000),
            pytest.raises(ResourceError, match=r"cannot be used.*free space.*every finished unit"),
        ):
            store.write([record(2), record(3, trace=trace)], "b")
        assert [r.condition.n_train for r in store.read(DEMO)] == [1]
        store.write([record(4, trace=trace)], "c")  # there is space again
    with Store.read_only(tmp_path) as store:
        assert [r.condition.n_train for r in store.read(DEMO)] == [1, 4]
        assert store.check() == []
    assert list((tmp_path).glob("arrays/.writing-*")) == []


# ------------------------------------------------------------------ forged rows, right checksums


def forge(folder, column, change):
    """Change one column of a study's first record, and let its checksum fit."""
    names = COLUMNS.split(", ")
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as database:
        row = list(database.execute(f"SELECT {COLUMNS} FROM records WHERE id = 1").fetchone())
        row[names.index(column)] = change(row[names.index(column)])
        row[-1] = checksum(row[:-1])
        sets = ", ".join(f"{name} = ?" for name in names)
        database.execute(f"UPDATE records SET {sets} WHERE id = 1", row)
        database.commit()


@pytest.mark.parametrize(
    ("column", "change", "text"),
    [
        ("key", lambda v: "f" * 64, "values that this package does not write"),
        ("status", lambda v: "running", "values that this package does not write"),
        ("status", lambda v: "failed", "values that this package does not write"),
        ("seed", lambda v: v + 100, "values that this package does not write"),
        ("outcome", lambda v: "null", "values that this package does not write"),
        ("outcome", lambda v: v.replace("0.25", '"0.25"'), "this package does not write"),
        ("outcome", lambda v: v.replace("0.25", "true"), "this package does not write"),
        ("outcome", lambda v: v.replace("0.25", "NaN"), "a stored value cannot be read"),
        ("outcome", lambda v: "{" + v[1:-1] + "," + v[1:], "cannot be read.*twice"),
        ("outcome", lambda v: "{}", "the stored fields are not those of Outcome"),
        ("error", lambda v: "5", "values that this package does not write"),
        ("provenance", lambda v: "[]", "values that this package does not write"),
    ],
)
def test_a_record_that_was_never_written_is_damage(tiny, tmp_path, column, change, text):
    async def run(c, streams):
        return tiny.outcome(0.25, np.zeros(3))

    run_study(dataclasses.replace(tiny, run=run), seeds=[0], workers=0, folder=tmp_path)
    with Store.read_only(tmp_path) as store:
        assert store.check() == []
    forge(tmp_path, column, change)
    with Store.read_only(tmp_path) as store:
        (problem,) = store.check()
    assert re.search(text, problem)
    with pytest.raises(StoreError, match=text):
        load_records(tmp_path)


def test_what_a_study_tells_of_itself_is_checked(tiny, tmp_path):
    run_study(tiny, "smoke", seeds=[0], workers=0, folder=tmp_path)
    for name, value, text in (
        ("told", {"doc": 5, "condition": [], "outcome": []}, "tells of its phenomenon cannot be"),
        ("design", {"scale": "smoke", "settings": {}, "seeds": ["a"], "cells": 1}, "design of"),
    ):
        with Store.open(tmp_path, tiny) as store:
            store.set(name, value)
            (problem,) = store.check()
            assert text in problem


def test_reading_leaves_nothing_beside_the_study(tiny, tmp_path):
    run_study(tiny, "smoke", seeds=[0], workers=0, folder=tmp_path)
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    with Store.read_only(tmp_path) as store:
        assert store.check() == []
        assert len(store.read(tiny)) == 4
        with pytest.raises(StoreError, match=r"read|writ"):
            store.set("note", 1)
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == before
