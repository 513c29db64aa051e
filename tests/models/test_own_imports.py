"""Imports of the user's files: the bytes that are hashed are the bytes that run."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib._bootstrap_external as bootstrap
import importlib.util
import os
import runpy
import sys
import types
import zipfile

import pytest

from overparam.models.own_imports import (
    digest_of,
    imported_files,
    is_own,
    own_modules,
    watched_imports,
)
from overparam.models.own_modules import import_file


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name, file in own_modules().items():
        if file.startswith(os.path.realpath(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("kind", ["of its time", "unchecked"])
def test_code_kept_of_another_text_is_not_run(place, kind):
    file = place / "kept_elsewhere.py"
    file.write_text("FACTOR = 2")
    old, about = compile("FACTOR = 1", str(file), "exec"), file.stat()
    data = bootstrap._code_to_timestamp_pyc(old, int(about.st_mtime), about.st_size)
    if kind == "unchecked":
        data = bootstrap._code_to_hash_pyc(old, importlib.util.source_hash(b"FACTOR = 1"), False)
    kept = place / os.path.relpath(importlib.util.cache_from_source(str(file)), place)
    kept.parent.mkdir()
    kept.write_bytes(data)
    assert import_file(file).FACTOR == 2
    assert imported_files()[str(file)] == hashlib.sha256(b"FACTOR = 2").hexdigest()


def test_a_file_is_known_as_it_was_when_it_was_imported(place):
    file = place / "edited_later.py"
    file.write_text("FACTOR = 1")
    with watched_imports():
        importlib.invalidate_caches()
        module = importlib.import_module("edited_later")
        before = imported_files()[str(file)]
        file.write_text("FACTOR = 22")
        assert imported_files()[str(file)] == before == hashlib.sha256(b"FACTOR = 1").hexdigest()
        assert importlib.reload(module).FACTOR == 22
    assert imported_files()[str(file)] == digest_of(file) != before
    # The same file under another name, of another text.
    file.write_text("FACTOR = 333")
    spec = importlib.util.spec_from_file_location("edited_later_again", file)
    sys.modules["edited_later_again"] = importlib.util.module_from_spec(spec)
    assert " and " in imported_files()[str(file)]


def test_a_module_in_an_archive_is_known_by_the_archive(place):
    with zipfile.ZipFile(place / "code.zip", "w") as archive:
        archive.writestr("in_an_archive.py", "FACTOR = 3")
    sys.path.insert(0, str(place / "code.zip"))
    with watched_imports():
        assert importlib.import_module("in_an_archive").FACTOR == 3
    assert imported_files()[str(place / "code.zip")] == digest_of(place / "code.zip")


def test_a_module_whose_file_is_told_late_and_one_that_takes_anothers_place_are_known(place):
    known = lambda: {os.path.basename(f) for n, f in own_modules().items() if n == "late"}  # noqa: E731
    (place / "late.py").write_text("")
    sys.modules["late"] = types.ModuleType("late")
    try:
        assert known() == set()
        sys.modules["late"].__file__ = str(place / "late.py")
        assert known() == {"late.py"}
        sys.modules["late"] = sys.modules["json"]  # of no user's
        assert known() == set()
        del sys.modules["late"]
        importlib.import_module("late")
        assert known() == {"late.py"}
    finally:
        sys.modules.pop("late", None)


def test_what_is_installed_is_not_the_users():
    assert not is_own("json", json_file := importlib.util.find_spec("json").origin), json_file
    assert not is_own("numpy.linalg", "/home/me/numpy/linalg/__init__.py")
    assert not is_own("sys", "built-in")
    assert not is_own("six", "/home/me/.local/lib/python3/site-packages/six.py")
    assert is_own("tests.of_mine", __file__)


def test_the_package_is_not_the_users_whatever_a_file_of_it_is_called(tmp_path):
    """A worker is called `__main__`; a checkout may be reached through a link."""
    worker = importlib.util.find_spec("overparam.lab.worker").origin
    link = tmp_path / "link"
    link.symlink_to(os.path.dirname(os.path.dirname(worker)))
    for name in ("__main__", "__mp_main__", "worker"):
        assert not is_own(name, worker)
        assert not is_own(name, str(link / "lab" / "worker.py"))
    beside = tmp_path / "overparam_of_mine.py"
    beside.write_text("")
    assert is_own("__main__", str(beside))


def test_what_is_executed_is_known_by_its_last_text_while_somebody_watches(place):
    file = place / "by_path.py"
    for text, watch in (("A = 1", True), ("A = 22", True), ("A = 333", False)):
        file.write_text(text)
        with watched_imports() if watch else contextlib.nullcontext():
            assert runpy.run_path(str(file))["A"] == int(text[4:])
    assert imported_files()[str(file)] == hashlib.sha256(b"A = 22").hexdigest()


def test_a_file_that_cannot_be_looked_at_is_executed_all_the_same(place, monkeypatch):
    def broken(path):
        raise RuntimeError("no digest")

    file = place / "without_digest.py"
    file.write_text("A = 1")
    monkeypatch.setattr("overparam.models.own_imports.digest_of", broken)
    with watched_imports():
        assert runpy.run_path(str(file))["A"] == 1
