"""Files that are there whole or not at all, also on a disk that is really full."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from overparam import whole_file
from overparam.errors import ResourceError, UsageError
from overparam.whole_file import half_file, sweep, temporary_folder, write_whole


@pytest.mark.parametrize(
    "content", ["é\n", "é\n".encode(), lambda p: p.write_bytes("é\n".encode())]
)
def test_text_bytes_and_functions_arrive_in_a_folder_of_their_own(tmp_path, content):
    path = tmp_path / "a" / "b" / "page.html"
    assert write_whole(path, content) == path
    assert path.read_bytes() == "é\n".encode()
    assert os.listdir(path.parent) == ["page.html"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder", "circle", "link"])
def test_what_is_no_file_stays(tmp_path, stand_at, kind):
    place = stand_at(tmp_path / "place", kind)
    before = place.lstat().st_ino
    with pytest.raises(UsageError, match=r"stands where a file is to be written|circle of links"):
        write_whole(place, lambda half: pytest.fail("it was made"))
    assert place.lstat().st_ino == before


def test_what_came_to_stand_there_meanwhile_stays(tmp_path, stand_at):
    place = tmp_path / "place"
    with pytest.raises(UsageError, match="a pipe stands where a file is to be written"):
        write_whole(place, lambda half: (half.touch(), stand_at(place, "pipe")))
    assert place.is_fifo()
    assert os.listdir(tmp_path) == ["place"]


def test_a_path_with_nul_is_refused():
    with pytest.raises(UsageError, match="a path holds a NUL character"):
        write_whole(Path("a\0b"), "text")


def test_what_ends_in_the_middle_leaves_the_old_file(tmp_path):
    def half(path):
        path.write_text("ha")
        raise KeyboardInterrupt

    path = write_whole(tmp_path / "page", "old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["page"]


def test_a_full_disk_leaves_the_old_file(full_disk):
    path = write_whole(full_disk.folder / "page", "old")
    full_disk.fill()
    with pytest.raises(ResourceError, match=r"page cannot be written; got 'No space left on dev"):
        write_whole(path, "new" * 10_000)
    assert path.read_text() == "old"
    assert sorted(os.listdir(full_disk.folder)) == ["ballast", "page"]
    full_disk.make_room()
    assert write_whole(path, "new" * 10_000).read_text() == "new" * 10_000


KILLED = """
import os, signal
from pathlib import Path
from overparam.whole_file import write_whole
write_whole(Path({path!r}), lambda half: (half.write_text("ha"), os.kill(os.getpid(), {signal})))
"""


def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path):
    text = KILLED.format(path=str(tmp_path / "page"), signal=int(signal.SIGKILL))
    assert subprocess.run([sys.executable, "-c", text]).returncode == -signal.SIGKILL
    (half,) = os.listdir(tmp_path)
    assert half.startswith(".page.")
    write_whole(tmp_path / "another", "whole")
    assert os.listdir(tmp_path) == ["another"]


def test_what_is_being_written_stays_and_so_does_what_others_may_write(tmp_path, ended_process):
    with half_file(tmp_path / "page") as own:
        own.touch()
        elsewhere = tmp_path / f".page.0123abcd-{ended_process}"  # another machine's numbers
        users = tmp_path / f".notes.{ended_process}"  # who knows what that is
        for path in (elsewhere, users):
            path.touch()
        write_whole(tmp_path / "another", "whole")
        assert sorted(tmp_path.iterdir()) == sorted([own, elsewhere, users, tmp_path / "another"])
        long_ago = time.time() - 2 * 24 * 3600
        for path in (own, elsewhere, users):
            os.utime(path, (long_ago, long_ago))
        sweep(tmp_path)
        assert not own.exists()
        assert not elsewhere.exists()


@pytest.mark.parametrize("alive", [True, False])
def test_halves_of_the_same_file_are_known_by_their_former_name(tmp_path, ended_process, alive):
    half = tmp_path / f".page.{os.getpid() if alive else ended_process}"
    half.touch()
    write_whole(tmp_path / "page", "whole")
    assert half.exists() is alive


def test_a_number_of_another_users_process_or_beyond_all_is_no_obstacle(tmp_path, monkeypatch):
    def refused(process, signal):
        raise PermissionError if process == 1 else OverflowError

    monkeypatch.setattr(os, "kill", refused)
    for number in (1, 10**20):
        (tmp_path / f".page.{number}").touch()
    write_whole(tmp_path / "page", "whole")
    assert len(os.listdir(tmp_path)) == 3


def test_without_names_for_process_tables_there_is_one_per_machine(monkeypatch):
    def missing(path):
        raise FileNotFoundError

    monkeypatch.setattr(os, "readlink", missing)
    assert len(whole_file._process_table.__wrapped__()) == 8


def test_folders_of_killed_processes_are_swept(tmp_path, monkeypatch, ended_process):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_folder() as mine:
        left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended_process}-"))
        elsewhere = mine.with_name(f"overparam-00000000-{ended_process}-x")
        for folder in (left, elsewhere):
            folder.mkdir()
            (folder / "array").write_text("")
        link = mine.with_name(left.name + "y")
        link.symlink_to(elsewhere)
        with temporary_folder() as second:
            assert not left.exists()
            assert {p.name for p in (mine, second, elsewhere, link)} == set(os.listdir(tmp_path))
        assert (elsewhere / "array").exists()
    assert not mine.exists()
