"""A study that is deleted, moved, replaced or cut off while it is being written."""

import os
import shutil

import numpy as np
import pytest

from overparam.errors import StoreError
from overparam.lab.store import Store
from tests.lab.test_store import DEMO, LARGE, record


def delete_file(folder):
    (folder / "study.sqlite").unlink()


def delete_folder(folder):
    shutil.rmtree(folder)


def move_folder(folder):
    folder.rename(folder.with_name("moved"))


def replace_file(folder):
    shutil.copy(folder / "study.sqlite", folder / "copy")
    os.replace(folder / "copy", folder / "study.sqlite")


def cut_off(folder):
    os.truncate(folder / "study.sqlite", 512)


@pytest.mark.parametrize(
    ("harm", "match"),
    [
        (
            delete_file,
            r"was deleted, moved or replaced .*no such file.* run the same command again",
        ),
        (delete_folder, r"was deleted, moved or replaced .*no such file"),
        (move_folder, r"was deleted, moved or replaced .*no such file"),
        (replace_file, r"was deleted, moved or replaced .*another file"),
        (cut_off, r"was cut off .*512 bytes.* --fresh"),
    ],
)
@pytest.mark.parametrize("trace", [None, np.zeros(LARGE)])
def test_nothing_is_written_where_it_would_be_lost(tmp_path, harm, match, trace):
    folder = tmp_path / "study"
    with Store.open(folder, DEMO) as store:
        store.write([record(1)], "a")
        harm(folder)
        with pytest.raises(StoreError, match=match):
            store.write([record(2, trace=trace)], "b")
        with pytest.raises(StoreError, match=match):
            store.set("note", 1)
        assert not (folder / "arrays").exists()


def test_a_moved_study_keeps_its_units(tmp_path):
    folder = tmp_path / "study"
    with Store.open(folder, DEMO) as store:
        store.write([record(1)], "a")
        move_folder(folder)
        with pytest.raises(StoreError, match="was deleted, moved or replaced"):
            store.write([record(2)], "b")
    with Store.read_only(tmp_path / "moved") as store:
        assert store.check() == []
        assert len(store.read(DEMO)) == 1
