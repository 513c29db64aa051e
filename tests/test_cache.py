"""The cache folder, and what in it is taken for this user's own."""

import os
import re
import stat
from pathlib import Path

import pytest

from overparam.cache import (
    CacheUnusable,
    cache_home,
    kept_file,
    kept_text,
    open_private,
    private_folder,
)
from overparam.errors import ResourceError
from overparam.report import page

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def seem_to_be(monkeypatch, user):
    """Let every file seem to be the user's."""
    real = Path.lstat

    def lstat(path):
        found = list(real(path))
        return os.stat_result([*found[:4], user, *found[5:]])

    monkeypatch.setattr(Path, "lstat", lstat)


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path / "cache"))
    page.vega_bundle.cache_clear()
    yield tmp_path / "cache"
    page.vega_bundle.cache_clear()


@pytest.fixture
def open_to_all(own_cache):
    """A cache in which a text is kept, and in which everybody may write."""
    kept_text("name", lambda: "planted")
    own_cache.chmod(0o777)
    return own_cache


def test_tests_have_a_folder_of_their_own():
    assert cache_home().name.startswith("overparam-tests-")


def test_the_folder_is_named_or_below_home(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    assert cache_home() == tmp_path
    monkeypatch.delenv("OVERPARAM_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_home() == tmp_path / ".cache" / "overparam"


@pytest.mark.parametrize("named", [None, "~/cache", "~nobody-has-this-name/cache"])
def test_a_user_without_account_and_home_has_none(monkeypatch, homeless, named):
    if named is not None:
        monkeypatch.setenv("OVERPARAM_CACHE", named)
    assert cache_home() is None
    with pytest.raises(CacheUnusable, match="no home folder; OVERPARAM_CACHE may name another"):
        private_folder()
    assert kept_text("name", lambda: "made") == "made"


def test_a_text_is_made_once(own_cache):
    assert kept_text("name.js", lambda: "first \u00e9\r\n") == "first \u00e9\r\n"
    assert kept_text("name.js", lambda: "second") == "first \u00e9\r\n"
    assert kept_text("other.js", lambda: "second") == "second"


@posix
def test_what_is_made_is_closed_to_others_whatever_the_users_files_are(own_cache):
    before = os.umask(0)
    try:
        path = kept_file("file.so", lambda p: p.write_text("code"), "native")
    finally:
        os.umask(before)
    assert [mode(p) for p in (own_cache, own_cache / "native", path)] == [0o700, 0o700, 0o600]
    assert kept_file("file.so", None, "native") == path
    assert re.fullmatch(r"file\.[0-9a-f]{24}\.so", path.name)


@pytest.mark.parametrize("damaged", [b"", b"first", b"\xff\xfe\n\xff"])
def test_a_damaged_file_is_removed_and_made_anew(own_cache, damaged):
    kept_text("name", lambda: "the first")
    (made,) = own_cache.iterdir()
    made.write_bytes(damaged)
    assert kept_text("name", lambda: "second") == "second"
    assert kept_text("name", lambda: "third") == "second"
    assert not made.exists()


@posix
@pytest.mark.parametrize("others", [0o660, 0o606, 0o666])
def test_a_file_that_others_may_write_is_made_anew(own_cache, others):
    kept_text("name", lambda: "planted")
    (made,) = own_cache.iterdir()
    made.chmod(others)
    assert kept_text("name", lambda: "own") == "own"
    assert [mode(p) for p in own_cache.iterdir()] == [0o600]


def test_a_link_is_not_followed(own_cache, tmp_path):
    kept_text("name", lambda: "planted")
    (made,) = own_cache.iterdir()
    made.rename(tmp_path / "elsewhere")
    made.symlink_to(tmp_path / "elsewhere")
    assert kept_text("name", lambda: "own") == "own"
    assert (tmp_path / "elsewhere").read_text() == "planted"


@posix
@pytest.mark.parametrize(
    "kind", ["pipe", "device", "socket", "folder", "full folder", "link", "hard link"]
)
def test_what_is_no_plain_file_is_not_opened(own_cache, stand_at, tmp_path, kind):
    other = tmp_path / "other"
    other.write_text("another's")
    other.chmod(0o644)

    def make(half):
        if kind == "hard link":
            os.link(other, half)
        elif kind == "link":
            half.symlink_to(other)
        else:
            stand_at(half, kind.removeprefix("full "))
        if kind == "full folder":
            (half / "file").touch()

    with pytest.raises(ResourceError, match=r"what was made for name\.so is no plain file"):
        kept_file("name.so", make)
    assert list(own_cache.iterdir()) == []
    assert mode(other) == 0o644


def test_a_huge_file_is_not_read(own_cache):
    def make(half):
        half.touch()
        os.truncate(half, 1 << 40)

    with pytest.raises(
        ResourceError, match=r"made for name\.so is too large; got '1,099,511,627,776 b"
    ):
        kept_file("name.so", make)
    assert list(own_cache.iterdir()) == []


@posix
def test_nothing_is_taken_from_a_folder_that_others_may_write(open_to_all):
    assert kept_text("name", lambda: "own") == "own"
    with pytest.raises(CacheUnusable, match=r"others may write it .*`chmod go-w` it, or name ano"):
        private_folder()
    with pytest.raises(CacheUnusable, match="others may write it"):
        open_private(open_to_all / "choices.json")
    assert mode(open_to_all) == 0o777  # it may be meant so, for data
    open_to_all.chmod(0o700)
    assert kept_text("name", lambda: "own") == "planted"


@posix
def test_nothing_is_taken_from_below_such_a_folder(own_cache):
    kept_file("file.so", lambda p: p.write_text("code"), "native")
    own_cache.chmod(0o770)
    with pytest.raises(CacheUnusable, match=f"{own_cache} is another user's, or others may write"):
        kept_file("file.so", None, "native")
    own_cache.chmod(0o700)
    (own_cache / "native").chmod(0o1777)
    with pytest.raises(CacheUnusable, match="native is another user's, or others may write"):
        kept_file("file.so", None, "native")


@posix
def test_an_empty_folder_of_this_users_is_closed(own_cache):
    own_cache.mkdir()
    own_cache.chmod(0o777)
    assert private_folder() == own_cache
    assert mode(own_cache) == 0o700


def test_a_folder_below_is_no_link(own_cache, tmp_path):
    own_cache.mkdir(0o700)
    (tmp_path / "elsewhere").mkdir(0o700)
    (own_cache / "native").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CacheUnusable, match="or it is a link"):
        private_folder("native")


def test_the_folder_itself_may_be_a_link(monkeypatch, tmp_path):
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path / "link"))
    assert private_folder() == tmp_path / "real"


@posix
def test_another_users_files_are_not_taken_but_roots_are(own_cache, monkeypatch):
    kept_text("name", lambda: "kept")
    with monkeypatch.context() as patched:
        seem_to_be(patched, 12345)
        assert kept_text("name", lambda: "own") == "own"
        with pytest.raises(CacheUnusable, match="is another user's"):
            private_folder()
        seem_to_be(patched, 0)
        assert kept_text("name", lambda: "own") == "kept"


@posix
@pytest.mark.parametrize(
    "planted",
    [
        lambda path: path.touch(0o600) or path.chmod(0o666),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("elsewhere"),
    ],
    ids=["others may write it", "a pipe", "a link"],
)
def test_a_file_is_opened_that_only_this_user_can_have_written(own_cache, planted):
    path = private_folder() / "choices.json"
    planted(path)
    handle, writable = open_private(path)
    assert writable
    assert os.fstat(handle).st_ino == path.lstat().st_ino
    assert stat.S_ISREG(path.lstat().st_mode)
    assert mode(path) == 0o600
    os.close(handle)


def test_a_file_that_cannot_be_made_is_told(own_cache):
    def fail(path):
        raise OSError("no space")

    with pytest.raises(ResourceError, match=r"name cannot be written; got 'no space'"):
        kept_file("name", fail)
    assert list(own_cache.iterdir()) == []


def test_what_a_killed_process_left_is_swept(own_cache, ended_process):
    private_folder()
    (own_cache / f".name.{ended_process}").write_text("half")
    kept_text("name", lambda: "whole")
    assert [p.name.startswith("name.") for p in own_cache.iterdir()] == [True]


def test_the_reports_script_is_bundled_once(own_cache):
    script = page.vega_bundle()
    (kept,) = own_cache.iterdir()
    before = kept.stat()
    page.vega_bundle.cache_clear()
    assert page.vega_bundle() == script
    assert kept.stat().st_mtime_ns == before.st_mtime_ns
    assert "vegaEmbed" in script
    assert "</script" not in script.lower()


def test_a_cache_that_cannot_be_written_is_no_obstacle(monkeypatch, own_cache):
    own_cache.write_text("a file where a folder should be")
    assert kept_text("name", lambda: "made") == "made"
    with pytest.raises(CacheUnusable, match=r"cannot be used: (File exists|Not a directory)"):
        private_folder()
