"""What somebody who means harm does to a study's folder, and a look at all that is in it."""

from __future__ import annotations

import contextlib
import sqlite3

from overparam.lab.database import DATABASE
from overparam.lab.rows import checksum
from overparam.lab.store import Store
from tests.lab.test_store import DEMO


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


def forge(folder, column, value):
    """Put a value into the first record, with a checksum that fits."""
    from overparam.lab.rows import COLUMNS

    with database(folder) as connection:
        row = list(connection.execute(f"SELECT {COLUMNS} FROM records WHERE id = 1").fetchone())
        row[COLUMNS.split(", ").index(column)] = value
        row[-1] = checksum(row[:-1])
        sets = ", ".join(f"{name} = ?" for name in COLUMNS.split(", "))
        connection.execute(f"UPDATE records SET {sets} WHERE id = 1", row)
