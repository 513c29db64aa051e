"""The store on a disk that is really full, or was when its writer was killed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from overparam.errors import ResourceError
from overparam.lab.store import Store, peek
from tests.lab.test_store import DEMO, LARGE, record, write

KILLED = """
import os, signal
from overparam.lab.store import Store
from tests.lab.test_store import DEMO, record
store = Store.open({folder!r}, DEMO)
store.write([record(1)], "unit")
os.kill(os.getpid(), signal.SIGKILL)
"""


def fill_with_units(store, traces):
    for k, trace in enumerate(traces):
        store.write([record(k, trace=trace)], f"unit {k}")


def test_where_no_file_can_be_made_the_message_says_that_it_is_full(full_disk):
    full_disk.fill()
    with pytest.raises(ResourceError, match=r"study\.lock cannot be used; got 'No space left"):
        Store.open(full_disk.folder, DEMO)
    full_disk.make_room()
    full_disk.fill(free=12 * 1024)
    with pytest.raises(ResourceError, match=r"with [\d,]+ bytes free'; free space or"):
        Store.open(full_disk.folder, DEMO)
    full_disk.make_room()
    write(full_disk.folder, record(1))
    assert peek(full_disk.folder)["n_records"] == 1


@pytest.mark.parametrize("n_values", [LARGE // 16, LARGE])  # in the database, in files
def test_it_fills_between_two_units(full_disk, n_values):
    traces = [np.full(n_values, float(k)) for k in range(60)]
    with Store.open(full_disk.folder, DEMO) as store:
        store.write([record(1000)], "first")
        full_disk.fill(free=400 * 1024)
        with pytest.raises(ResourceError, match=r"full|No space left"):
            fill_with_units(store, traces)
        n_kept = len(store.keys())
        assert store.check() == []
    assert 1 < n_kept < 61
    assert not list(full_disk.folder.glob("arrays/.writing-*"))
    full_disk.make_room()
    with Store.open(full_disk.folder, DEMO) as store:
        assert store.check() == []
        store.write([record(n_kept - 1, trace=traces[n_kept - 1])], f"unit {n_kept - 1}")
        assert [r.condition.n_train for r in store.read(DEMO)] == [1000, *range(n_kept)]


def test_a_closed_study_is_read_where_nothing_can_be_written(full_disk):
    write(full_disk.folder, record(1), record(2))
    full_disk.fill()
    with Store.read_only(full_disk.folder) as store:
        assert store.check() == []
        assert len(store.read(DEMO)) == 2
    assert peek(full_disk.folder)["n_records"] == 2


def test_a_study_whose_writer_was_killed_says_what_it_lacks(full_disk):
    text = KILLED.format(folder=str(full_disk.folder))
    subprocess.run([sys.executable, "-c", text], cwd=Path(__file__).parents[2])
    assert (full_disk.folder / "study.sqlite-wal").stat().st_size > 0
    (full_disk.folder / "study.sqlite-shm").unlink()  # as in a copy of the folder
    full_disk.fill()
    with pytest.raises(ResourceError, match=r"last records of .* 0 bytes free'; free some space"):
        Store.read_only(full_disk.folder)
    full_disk.make_room()
    assert peek(full_disk.folder)["n_records"] == 1
