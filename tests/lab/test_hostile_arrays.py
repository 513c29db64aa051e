"""Arrays and lock files made by somebody who means harm: they are refused, none is believed."""

from __future__ import annotations

import hashlib
import io
import json
import os

import numpy as np
import pytest

from overparam.errors import StoreError
from overparam.lab.database import DATABASE
from overparam.lab.encoding import ArrayAt
from overparam.lab.store import Store
from tests.lab.conftest import TRACE
from tests.lab.forging import array_file, database, forge, look_at_everything
from tests.lab.test_store import DEMO, LARGE, record

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
