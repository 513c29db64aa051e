"""Links, pipes and odd names where a study keeps its own files: refused, nothing else changed."""

from __future__ import annotations

import os
import shutil

import pytest

from overparam.errors import StoreError, UsageError
from overparam.lab.database import DATABASE
from overparam.lab.store import Store
from tests.lab.conftest import TRACE
from tests.lab.test_store import DEMO, record, write


@pytest.fixture
def victim(tmp_path):
    """Another study, which must stay as it is, and a file."""
    folder = tmp_path / "victim"
    write(folder, record(7, trace=TRACE))
    (folder / "notes.txt").write_text("keep")
    return folder


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["study.lock", "arrays", DATABASE, f"{DATABASE}-wal"])
@pytest.mark.parametrize("fresh", [False, True])
def test_a_link_in_place_of_the_studys_own_is_refused(tmp_path, victim, name, fresh):
    folder = tmp_path / "mine"
    folder.mkdir()
    target = victim / ("notes.txt" if name in ("study.lock", f"{DATABASE}-wal") else name)
    (folder / name).symlink_to(target)
    before = contents(victim)
    with pytest.raises(StoreError, match=r"is a link.*(delete|copy)"):
        Store.open(folder, DEMO, fresh=fresh)
    assert contents(victim) == before


def test_links_within_the_arrays_are_refused(tmp_path, victim):
    (shelf,) = (victim / "arrays").iterdir()
    folder = tmp_path / "mine"
    write(folder, record())
    (folder / "arrays").mkdir(exist_ok=True)
    (folder / "arrays" / shelf.name).symlink_to(shelf)
    before = contents(victim)
    with pytest.raises(StoreError, match="arrays is a link"):
        Store.open(folder, DEMO, fresh=True)
    with Store.open(folder, DEMO) as store, pytest.raises(StoreError, match="arrays is a link"):
        store.write([record(2, trace=TRACE)], "b")
    assert contents(victim) == before


@pytest.mark.parametrize("kind", ["link", "file"])
def test_arrays_that_are_no_folder_are_not_read_either(study, victim, kind):
    shutil.rmtree(study / "arrays", ignore_errors=True)
    place = study / "arrays"
    place.symlink_to(victim / "arrays") if kind == "link" else place.write_text("")
    with pytest.raises(StoreError, match=r"arrays is (a link|no folder).*delete the"):
        Store.read_only(study)


@pytest.mark.parametrize("name", ["study.lock", DATABASE])
def test_a_file_of_two_names_is_not_written(tmp_path, victim, name):
    folder = tmp_path / "mine"
    folder.mkdir()
    os.link(victim / name, folder / name)
    before = contents(victim)
    with pytest.raises(StoreError, match="is a link or no plain file"):
        Store.open(folder, DEMO)
    assert contents(victim) == before


@pytest.mark.parametrize("name", ["study.lock", DATABASE])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(StoreError, match=r"is a link or no plain file|no study"):
        Store.open(tmp_path, DEMO)


def test_a_folder_in_place_of_the_lock_is_told_as_such(tmp_path):
    (tmp_path / "study.lock").mkdir()
    with pytest.raises(StoreError, match=r"study\.lock of this study is a link or no plain file"):
        Store.open(tmp_path, DEMO)


@pytest.mark.parametrize("kind", ["file", "pipe", "link"])
def test_what_is_no_folder_is_told_with_the_remedy(tmp_path, kind):
    place = tmp_path / "mine"
    {"file": place.touch, "pipe": lambda: os.mkfifo(place), "link": lambda: place.symlink_to("x")}[
        kind
    ]()
    with pytest.raises(UsageError, match=r"mine is there and is no folder.*another --out$"):
        Store.open(place, DEMO)


@pytest.mark.parametrize("name", ["file:z#w", "file:memory?mode=memory", "a?b#c%20d", "é ü'"])
def test_names_are_no_addresses(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(name, record(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]
    assert (tmp_path / name / DATABASE).is_file()
    with Store.read_only(name) as store:
        assert len(store.read(DEMO)) == 1
