"""Fetching, against servers on the loopback that do what real ones do on a bad day."""

import errno
import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from overparam.data.entries import entry_of
from overparam.data.entry import Download
from overparam.data.fetching import fetch, fetch_entry
from overparam.data.places import cache_folder, places_to_search
from overparam.errors import DataError, ResourceError, UsageError
from tests.data.local_server import CONTENT, Server, md5, serving


@pytest.fixture
def entry():
    """An entry of one file with `CONTENT`."""
    return replace(
        entry_of("mnist"),
        downloads=(Download("file.gz", md5(CONTENT)),),
        fetch_folder="Set/raw",
    )


def test_a_file_arrives_whole_with_progress(tmp_path, entry):
    seen = []
    with serving(Server({"file.gz": CONTENT})) as server:
        folder = fetch_entry(
            entry, [server.address], tmp_path, lambda *progress: seen.append(progress)
        )
    assert folder == tmp_path / "Set" / "raw"
    assert (folder / "file.gz").read_bytes() == CONTENT
    assert os.listdir(folder) == ["file.gz"]
    assert seen[-1] == ("file.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert len(seen) > 1


def test_what_is_there_is_not_fetched_again(tmp_path, entry):
    with serving(Server({"file.gz": CONTENT})) as server:
        fetch_entry(entry, [server.address], tmp_path)
        fetch_entry(entry, [server.address], tmp_path)
    assert len(server.requests) == 1


def test_a_damaged_file_is_replaced(tmp_path, entry):
    (tmp_path / "Set/raw").mkdir(parents=True)
    (tmp_path / "Set/raw/file.gz").write_bytes(CONTENT[:-1])
    with serving(Server({"file.gz": CONTENT})) as server:
        folder = fetch_entry(entry, [server.address], tmp_path)
    assert (folder / "file.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_is_continued_or_begun_anew(tmp_path, entry, ranges):
    part = tmp_path / "Set/raw/file.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:100_000])
    seen = []
    with serving(Server({"file.gz": CONTENT}, ranges)) as server:
        folder = fetch_entry(entry, [server.address], tmp_path, lambda *p: seen.append(p))
    assert (folder / "file.gz").read_bytes() == CONTENT
    assert server.requests == [("/data/file.gz", "bytes=100000-")]
    assert seen[-1][1:] == (len(CONTENT), len(CONTENT))
    assert not part.exists()


@pytest.mark.parametrize(
    "left", [b"not the beginning of it", CONTENT + b"more", CONTENT], ids=["wrong", "long", "all"]
)
def test_a_part_that_cannot_be_continued_is_dropped(tmp_path, entry, left):
    part = tmp_path / "Set/raw/file.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    with serving(Server({"file.gz": CONTENT})) as server:
        folder = fetch_entry(entry, [server.address], tmp_path)
    assert (folder / "file.gz").read_bytes() == CONTENT


def test_a_cut_connection_is_taken_up(tmp_path, entry):
    with serving(Server({"file.gz": CONTENT}, cut=300_000)) as server:
        folder = fetch_entry(entry, [server.address], tmp_path)
    assert (folder / "file.gz").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=300000-", "bytes=600000-"]


def test_what_arrived_is_kept_for_the_next_call(tmp_path, entry):
    with serving(Server({"file.gz": CONTENT}, cut=100_000)) as server:
        with pytest.raises(ResourceError, match=r"connection was cut 3 times.*it resumes"):
            fetch_entry(entry, [server.address], tmp_path)
        assert (tmp_path / "Set/raw/file.gz.part").stat().st_size == 300_000
        assert not (tmp_path / "Set/raw/file.gz").exists()
        server.cut = None
        fetch_entry(entry, [server.address], tmp_path)
    assert server.requests[-1] == ("/data/file.gz", "bytes=300000-")


def test_wrong_checksum_leaves_nothing(tmp_path, entry):
    server = Server({"file.gz": CONTENT[:-1] + b"!"})
    with serving(server), pytest.raises(DataError, match=r"MD5 [0-9a-f]{32} instead of"):
        fetch_entry(entry, [server.address], tmp_path)
    assert os.listdir(tmp_path / "Set/raw") == []


def test_the_next_mirror_is_tried(tmp_path, entry):
    bad, good = Server({"file.gz": b"other"}), Server({"file.gz": CONTENT})
    with serving(bad), serving(good), serving(Server({})) as empty:
        addresses = [empty.address, bad.address, good.address.rstrip("/")]
        folder = fetch_entry(entry, addresses, tmp_path)
    assert (folder / "file.gz").read_bytes() == CONTENT


def test_not_found_and_no_network(tmp_path, entry):
    with serving(Server({})) as server, pytest.raises(ResourceError, match="HTTP 404"):
        fetch_entry(entry, [server.address], tmp_path)
    with pytest.raises(ResourceError, match=r"no connection .*check the network"):
        fetch_entry(entry, [server.address], tmp_path)  # nobody listens there any more


def test_a_full_disk(full_disk, entry, monkeypatch):
    with serving(Server({"file.gz": CONTENT})) as server:
        usage = namedtuple("usage", "free")
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda _: usage(1000))
            with pytest.raises(ResourceError, match="no space for"):
                fetch_entry(entry, [server.address], full_disk.folder)
            full_disk.fill()
            patch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40))  # it fills meanwhile
            with pytest.raises(
                ResourceError, match=r"cannot be written: " + os.strerror(errno.ENOSPC)
            ):
                fetch_entry(entry, [server.address], full_disk.folder)


def test_a_folder_that_cannot_be_written(tmp_path, entry):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="not writable"):
        fetch_entry(entry, ["http://127.0.0.1:1/"], tmp_path / "file")


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link"])
@pytest.mark.parametrize("name", ["file.gz", "file.gz.part"])
def test_what_is_no_file_is_neither_opened_nor_replaced(tmp_path, entry, stand_at, name, kind):
    place = stand_at(tmp_path / "Set/raw" / name, kind)
    before = place.lstat().st_ino
    with pytest.raises(UsageError, match="stands where a file is to be written"):
        fetch_entry(entry, ["http://127.0.0.1:1/"], tmp_path)
    assert place.lstat().st_ino == before


def test_without_a_home_there_is_no_cache_to_fetch_into(homeless):
    assert cache_folder() is None
    assert "the cache" not in [origin for _, origin in places_to_search()]
    with pytest.raises(ResourceError, match=r"no folder to fetch into.*set OVERPARAM_CACHE"):
        fetch("mnist", ["http://127.0.0.1:1/"])


def test_the_cache_is_closed_to_others_and_what_lies_open_may_stay_so(tmp_path, monkeypatch):
    closed, shared = tmp_path / "closed", tmp_path / "shared"
    shared.mkdir()
    (shared / "notes").touch()
    shared.chmod(0o777)
    for folder, mode in ((closed, 0o700), (shared, 0o777)):
        monkeypatch.setenv("OVERPARAM_CACHE", str(folder))
        with pytest.raises(ResourceError, match="could not be fetched"):
            fetch("mnist", ["http://127.0.0.1:1/"])
        assert folder.stat().st_mode & 0o777 == mode


def test_names_and_mirrors_are_checked(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        fetch("mnits", to=tmp_path)
    with pytest.raises(UsageError, match="needs no fetching"):
        fetch("digits", to=tmp_path)
    with pytest.raises(UsageError, match="HTTP address"):
        fetch("mnist", ["file:///etc/"], to=tmp_path)


def test_fetch_takes_the_files_of_the_catalogue_to_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    with serving(Server({})) as server, pytest.raises(ResourceError, match=r"train-images.*404"):
        fetch("fashion_mnist", [server.address])
    assert (tmp_path / "FashionMNIST" / "raw").is_dir()
    assert [path for path, _ in server.requests] == ["/data/train-images-idx3-ubyte.gz"]


@pytest.mark.fulldata
def test_mnist_arrives_from_a_mirror(tmp_path):
    root = os.environ.get("OVERPARAM_DATA")
    if not root:
        pytest.skip("OVERPARAM_DATA is not set")
    source = Path(root) / "MNIST" / "raw"
    if not source.is_dir():
        pytest.skip("no MNIST/raw below OVERPARAM_DATA")
    files = {path.name: path.read_bytes() for path in source.glob("*.gz")}
    with serving(Server(files)) as server:
        folder = fetch("mnist", [server.address], to=tmp_path)
    assert sorted(os.listdir(folder)) == sorted(files)
