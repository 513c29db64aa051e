"""A study folder made by somebody who means harm: every part of it is refused, none is believed."""

from __future__ import annotations

import contextlib
import random

import pytest

from overparam.errors import ResourceError, StoreError
from overparam.lab.database import DATABASE, peek
from overparam.lab.design import design_of
from overparam.lab.named_rows import named_row
from overparam.lab.runner import load_study
from overparam.lab.store import Store
from tests.lab.forging import database, forge
from tests.lab.test_store import DEMO, record, write

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
