"""A study folder made by somebody who means harm: every part of it is refused, none is believed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import sqlite3

import numpy as np
import pytest

from overparam.errors import ResourceError, StoreError
from overparam.lab.database import DATABASE, peek
from overparam.lab.design import design_of
from overparam.lab.encoding import ArrayAt
from overparam.lab.named_rows import named_row
from overparam.lab.rows import checksum
from overparam.lab.runner import load_study
from overparam.lab.store import Store
from tests.lab.conftest import TRACE
from tests.lab.test_store import DEMO, LARGE, record, write


@contextlib.contextmanager
def database(folder):
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
        yield connection
        connection.commit()


def array_file(folder):
    (path,) = folder.glob("arrays/??/*.npy")
    return path


def look_at_everything(folder):
    with Store.read_only(folder) as store:
        problems = store.check()
        assert not problems, problems[0]
        for r in store.read(DEMO):
            repr(r.outcome)
        store.choices()
        store.counts()
        for name in ("design", "verdicts", "phenomenon"):
            store.get(name)


# ------------------------------------------------------------------ edits


def test_any_edit_of_a_value_is_found(study):
    """Each column of each row of each table, changed by a letter: all are found by `check`."""
    with database(study) as connection:
        tables = ("meta", "choices", "records", "arrays")
        edits = [
            (table, column[1], rowid)
            for table in tables
            for column in connection.execute(f"PRAGMA table_info({table})").fetchall()
            for rowid in range(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            if (table, column[1]) != ("records", "id")
        ]
        assert len(edits) == 35
    unseen = []
    for table, column, number in edits:
        backup = (study / DATABASE).read_bytes()
        with database(study) as connection:
            key = {"arrays": "address", "records": "id"}.get(table, "name")
            row = connection.execute(f"SELECT {key}, {column} FROM {table} ORDER BY 1").fetchall()
            name, value = row[number]
            if isinstance(value, str):
                value = value[:-1] + chr(ord(value[-1]) ^ 1)
            elif isinstance(value, bytes):
                value = value[:-1] + bytes([value[-1] ^ 1])
            else:
                value += 1
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (value, name))
        try:
            with Store.read_only(study) as store:
                if not store.check():
                    unseen.append((table, column, number))
        except StoreError:
            pass
        (study / DATABASE).write_bytes(backup)
    assert unseen == []


@pytest.mark.slow
def test_bytes_written_over_the_database_give_no_other_records(study):
    """At random places: refused, found by `check`, or of no meaning; never other values."""
    whole = (study / DATABASE).read_bytes()
    with Store.read_only(study) as store:
        expected = [(r.condition, repr(r.outcome)) for r in store.read(DEMO)]
    draw = random.Random(3)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(draw.choice([1, 1, 4, 64])):
            content[draw.randrange(len(content))] = draw.randrange(256)
        (study / DATABASE).write_bytes(content)
        with contextlib.suppress(StoreError, ResourceError), Store.read_only(study) as store:
            if not store.check():
                assert [(r.condition, repr(r.outcome)) for r in store.read(DEMO)] == expected


def forge(folder, column, value):
    """Put a value into the first record, with a checksum that fits."""
    from overparam.lab.rows import COLUMNS

    with database(folder) as connection:
        row = list(connection.execute(f"SELECT {COLUMNS} FROM records WHERE id = 1").fetchone())
        row[COLUMNS.split(", ").index(column)] = value
        row[-1] = checksum(row[:-1])
        sets = ", ".join(f"{name} = ?" for name in COLUMNS.split(", "))
        connection.execute(f"UPDATE records SET {sets} WHERE id = 1", row)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("condition", '{"n_train":2,"ridge":0.0,"arm":"treatment","widths":[1]}'),
        ("condition", '{"n_train":1}'),
        ("condition", "[1, 2]"),
        ("condition", "null"),
        ("condition", "[" * 5000 + "]" * 5000),
        ("seed", 9),
        ("seed", "nine"),
        ("status", "splendid"),
        ("error", "7"),
        ("error", b"bytes"),
        ("provenance", "[]"),
        ("provenance", '{"$float": []}'),
        ("outcome", '{"test_error":1}'),
        ("outcome", '{"test_error":1,"trace":{"$array":5}}'),
        ("outcome", '{"test_error":1,"trace":' + "[" * 9000 + "]" * 9000 + "}"),
        ("outcome", '"text"'),
        ("key", "0" * 64),
    ],
    ids=range(17),
)
def test_forged_records_are_refused(study, column, value):
    forge(study, column, value)
    with Store.read_only(study) as store, pytest.raises(StoreError):
        [repr(r.outcome) for r in store.read(DEMO)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("design", "7"),
        ("design", '{"scale":"smoke"}'),
        ("design", '{"scale":[],"settings":{},"seeds":[0],"cells":1}'),
        ("design", '{"scale":"smoke","settings":{"$dict":[[1,2]]},"seeds":[0],"cells":1}'),
        ("design", '{"scale":"smoke","settings":{},"seeds":["a"],"cells":1}'),
        ("design", '{"scale":"smoke","settings":{},"seeds":[-1],"cells":1}'),
        ("design", '{"scale":"smoke","settings":{"nothing":1},"seeds":[0],"cells":1}'),
        ("design", '{"scale":"huge","settings":{},"seeds":[0],"cells":1}'),
        ("design", "[" * 9000 + "]" * 9000),
        ("phenomenon", "[]"),
        ("phenomenon", '"other"'),
        ("revision", '"1"'),
    ],
    ids=range(12),
)
def test_forged_facts_are_refused(study, name, value):
    with database(study) as connection:
        connection.execute("REPLACE INTO meta VALUES (?, ?, ?)", named_row(name, value))
    with pytest.raises(StoreError):
        load_study(study, DEMO)


def test_forged_facts_of_no_importance_do_no_harm(study):
    with database(study) as connection:
        for name in ("provenance", "code"):
            connection.execute("REPLACE INTO meta VALUES (?, ?, ?)", named_row(name, "[5]"))
    assert load_study(study, DEMO).complete
    with pytest.raises(StoreError, match="provenance of this study cannot be read"):
        peek(study)


def test_a_study_that_ended_before_its_first_cell_is_told(tmp_path):
    write(tmp_path, record())
    with Store.read_only(tmp_path) as store, pytest.raises(StoreError, match="before its first"):
        design_of(store)


def test_another_programs_database_is_never_deleted(tmp_path):
    path = tmp_path / DATABASE
    with database(tmp_path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()
    for fresh in (False, True):
        with pytest.raises(StoreError, match=r"no study|another program.*choose another --out"):
            Store.open(tmp_path, DEMO, fresh=fresh)
    assert path.read_bytes() == before


def test_other_tables_than_a_studys_are_refused(study):
    with database(study) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM meta; END")
    with pytest.raises(StoreError, match="other tables than a study's"):
        Store.read_only(study)


# ------------------------------------------------------------------ arrays


def a_link_to_zeros(path):
    path.symlink_to("/dev/zero")


def a_pipe(path):
    os.mkfifo(path)


def a_folder(path):
    path.mkdir()


def a_file_without_end(path):
    path.touch()
    os.truncate(path, 1 << 40)


def an_empty_file(path):
    path.touch()


@pytest.mark.parametrize(
    "make", [a_link_to_zeros, a_pipe, a_folder, a_file_without_end, an_empty_file]
)
def test_an_array_that_is_none_is_not_read(study, make):
    path = array_file(study)
    path.unlink()
    make(path)
    with Store.read_only(study) as store:
        (problem,) = store.check()
        assert "is damaged" in problem or "is missing" in problem
        with pytest.raises(StoreError, match=r"is damaged|is missing"):
            store.read(DEMO)[0].outcome.trace.sum()


def forge_array(folder, npy, **declared):
    """Let the first record's trace be these bytes, under their own address."""
    import json

    address = hashlib.sha256(npy).hexdigest()
    told = {"$array": address, "shape": [LARGE], "dtype": "float64", "bytes": LARGE * 8}
    text = json.dumps({"test_error": 0.5, "trace": {**told, **declared}}, separators=(",", ":"))
    forge(folder, "outcome", text)
    path = folder / "arrays" / address[:2] / f"{address}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(npy)


def npy_of(array, **how):
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def test_arrays_that_are_not_what_their_record_says_are_refused(study):
    good = npy_of(TRACE)
    huge = good.replace(f"({LARGE},)".encode(), b"(9999999999999,)"[: len(f"({LARGE},)")])
    forged = [
        (good, {"shape": [LARGE // 2, 2]}),
        (good, {"dtype": "int64"}),
        (good, {"bytes": 8}),
        (good, {"bytes": 1 << 60}),
        (huge, {}),
        (b"no array".ljust(len(good)), {}),
        (npy_of(np.array([{}] * LARGE), allow_pickle=True), {"bytes": 1000}),
        (good[:128].replace(b"{", b"(") + good[128:], {}),
    ]
    for npy, declared in forged:
        forge_array(study, npy, **declared)
        with Store.read_only(study) as store, pytest.raises(StoreError, match="is damaged"):
            store.read(DEMO)[0].outcome.trace.sum()
    forge_array(study, good)
    with Store.read_only(study) as store:
        np.testing.assert_array_equal(store.read(DEMO)[0].outcome.trace, TRACE)


def test_an_address_cannot_lead_out_of_the_folder(study):
    at = ArrayAt("../../../etc/passwd", (1,), "uint8", 1)
    with Store.read_only(study) as store, pytest.raises(StoreError, match="an address that is"):
        store.array(at)


def test_a_small_array_that_is_no_bytes_is_refused(study):
    with database(study) as connection:
        connection.execute("UPDATE arrays SET npy = 'text'")
    with Store.read_only(study) as store:
        assert len(store.check()) == 2
        with pytest.raises(StoreError, match="no bytes"):
            store.read(DEMO)[1].outcome.trace.sum()


# ------------------------------------------------------------------ the write-ahead log


def test_a_log_that_is_deleted_takes_no_record_along(tmp_path):
    with Store.open(tmp_path, DEMO) as store:
        store.write([record(1)], "a")
        store.write([record(2)], "b")
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"{DATABASE}{suffix}").unlink()
        with pytest.raises(StoreError, match=r"-wal was deleted or replaced.*what was written"):
            store.write([record(3)], "c")
    with Store.read_only(tmp_path) as store:
        assert len(store.read(DEMO)) == 2
        assert store.check() == []


def test_missing_records_are_noticed(study):
    with database(study) as connection:
        connection.execute("DELETE FROM records WHERE id = 2")
    with Store.read_only(study) as store:
        with pytest.raises(StoreError, match=r"records of .* are missing; got '1'; .*at least 2"):
            store.read(DEMO)
        assert len(store.check()) == 1
    with Store.open(study, DEMO) as store:  # a writer computes what is missing
        store.write([record(2, trace=np.ones(3))], "b")
        store.write([record(5, status="failed")], "c")
        assert store.forget_failed() == 1
    look_at_everything(study)


@pytest.mark.parametrize(
    "text",
    [None, "", "[]", '{"records": 2}', '{"records": "many"}', "[" * 990]
    + [f'{{"pid": 1, "host": "h", "records": {n}}}' for n in ("-1", "-5", "true", "2.0", "NaN")],
)
def test_a_lock_file_that_says_nothing_is_noticed_and_not_believed(study, text):
    (study / "study.lock").unlink()
    if text is not None:
        (study / "study.lock").write_text(text)
    with Store.read_only(study) as store:
        (problem,) = store.check()
        assert len(store.read(DEMO)) == 2
    assert f"study.lock is {'missing' if text is None else 'damaged'}, so that nothing" in problem
    Store.open(study, DEMO).close()
    look_at_everything(study)
