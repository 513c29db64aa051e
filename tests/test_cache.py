"""The cache folder, and whose files in it are trusted."""

import os
from pathlib import Path

import pytest

from overparam.cache import cache_home, is_trusted, kept_text
from overparam.report import html


def owned_by(monkeypatch, user):
    """Let every file seem to be the user's."""
    real = Path.stat

    def stat(path, **options):
        found = list(real(path, **options))
        return os.stat_result([*found[:4], user, *found[5:]])

    monkeypatch.setattr(Path, "stat", stat)


def test_the_folder_is_named_or_below_home(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    assert cache_home() == tmp_path
    monkeypatch.delenv("OVERPARAM_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_home() == tmp_path / ".cache" / "overparam"


@pytest.mark.skipif(os.name != "posix", reason="owners are POSIX's")
@pytest.mark.parametrize(("user", "trusted"), [(0, True), (os.getuid(), True), (12345, False)])
def test_own_files_and_roots_are_trusted(monkeypatch, tmp_path, user, trusted):
    (tmp_path / "file").write_text("")
    owned_by(monkeypatch, user)
    assert is_trusted(tmp_path / "file") is trusted


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    html._vega_bundle.cache_clear()
    yield tmp_path
    html._vega_bundle.cache_clear()


def test_a_text_is_made_once(own_cache):
    assert kept_text("name", lambda: "first \u00e9\r\n") == "first \u00e9\r\n"
    assert kept_text("name", lambda: "second") == "first \u00e9\r\n"
    assert kept_text("other", lambda: "second") == "second"


@pytest.mark.parametrize("damaged", [b"", b"first", b"\xff\xfe\n\xff"])
def test_a_damaged_text_is_made_anew(own_cache, damaged):
    kept_text("name", lambda: "first")
    (own_cache / "name").write_bytes(damaged)
    assert kept_text("name", lambda: "second") == "second"
    assert kept_text("name", lambda: "third") == "second"


@pytest.mark.skipif(os.name != "posix", reason="owners are POSIX's")
def test_another_users_text_is_not_taken(own_cache, monkeypatch):
    kept_text("name", lambda: "another's")
    owned_by(monkeypatch, 12345)
    assert kept_text("name", lambda: "own") == "own"


def test_the_reports_script_is_bundled_once(own_cache):
    script = html._vega_bundle()
    (kept,) = own_cache.iterdir()
    before = kept.stat()
    html._vega_bundle.cache_clear()
    assert html._vega_bundle() == script
    assert kept.stat().st_mtime_ns == before.st_mtime_ns
    assert "vegaEmbed" in script
    assert "</script" not in script.lower()


def test_a_cache_that_cannot_be_written_is_no_obstacle(monkeypatch, own_cache):
    (own_cache / "file").write_text("")
    monkeypatch.setenv("OVERPARAM_CACHE", str(own_cache / "file"))
    assert "vegaEmbed" in html._vega_bundle()
