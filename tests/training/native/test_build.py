"""Compiling the kernels: found, kept, and missing without harm."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from overparam.training.native import build
from overparam.training.native.build import (
    NativeUnavailable,
    describe_compiler,
    find_compiler,
    load_library,
)
from overparam.training.native.models import DENSE


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, and the compiler that the machine has."""
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    monkeypatch.delenv("OVERPARAM_CC", raising=False)
    return tmp_path / "native"


@pytest.fixture
def compiler(own_cache):
    """The machine's compiler; skipped where there is none."""
    try:
        return find_compiler()
    except NativeUnavailable as error:
        pytest.skip(str(error))


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_a_compiler_it_says_so(own_cache, monkeypatch):
    monkeypatch.setenv("OVERPARAM_CC", "none")
    with pytest.raises(NativeUnavailable, match="OVERPARAM_CC is none"):
        load_library(DENSE, "float32")
    monkeypatch.setenv("OVERPARAM_CC", "no-such-compiler")
    with pytest.raises(NativeUnavailable, match="there is no C compiler no-such-compiler"):
        load_library(DENSE, "float32")
    assert not own_cache.exists()


def test_the_compiler_is_described(own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPARAM_CC", script(tmp_path / "some", 'echo "some cc 1.2"; echo more'))
    assert describe_compiler() == "some cc 1.2"
    monkeypatch.setenv("OVERPARAM_CC", "none")
    assert describe_compiler() == "none: OVERPARAM_CC is none"


def test_a_compiler_may_be_named_with_options(own_cache, tmp_path, monkeypatch):
    made = script(tmp_path / "wrapper", "exit 0")
    monkeypatch.setenv("OVERPARAM_CC", f"{made} -m64 'an option'")
    assert find_compiler() == [made, "-m64", "an option"]


def test_the_compiler_from_the_package_index_is_the_last_resort(own_cache, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NativeUnavailable, match="there is no C compiler"):
        find_compiler()
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: name == "ziglang")
    assert find_compiler() == [sys.executable, "-m", "ziglang", "cc"]


@pytest.mark.skipif(os.name != "posix", reason="owners are POSIX's")
def test_another_users_library_is_not_loaded(compiler, own_cache, monkeypatch):
    library = build._build(DENSE, "float32", own_cache)
    real = Path.stat

    def foreign(path, **options):
        found = list(real(path, **options))
        return os.stat_result([*found[:4], 12345, *found[5:]])

    monkeypatch.setattr(Path, "stat", foreign)
    with pytest.raises(NativeUnavailable, match=f"{library.name} is another user's"):
        build._build(DENSE, "float32", own_cache)


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(own_cache, tmp_path, monkeypatch):
    broken = script(tmp_path / "broken", 'echo "dense.c:1: error: out of patience" >&2; exit 1')
    monkeypatch.setenv("OVERPARAM_CC", broken)
    with pytest.raises(NativeUnavailable, match="error: out of patience"):
        load_library(DENSE, "float32")
    assert list(own_cache.iterdir()) == []


def test_a_compiler_that_makes_no_library_is_no_crash(own_cache, tmp_path, monkeypatch):
    lying = script(tmp_path / "lying", "exit 0")  # says it is done, and leaves an empty file
    monkeypatch.setenv("OVERPARAM_CC", lying)
    with pytest.raises(NativeUnavailable, match="could not be compiled or loaded"):
        load_library(DENSE, "float32")


@pytest.mark.skipif(os.name != "posix", reason="needs a file in place of a folder")
def test_a_cache_that_cannot_be_written_is_no_crash(compiler, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path / "file"))
    with pytest.raises(NativeUnavailable, match="could not be compiled or loaded"):
        load_library(DENSE, "float32")


def test_it_is_compiled_once(compiler, own_cache):
    load_library(DENSE, "float64")
    (made,) = own_cache.iterdir()
    before = made.stat()
    build._load.cache_clear()
    load_library(DENSE, "float64")
    after = made.stat()
    assert list(own_cache.iterdir()) == [made]
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_processes_that_compile_at_once_do_not_disturb_each_other(compiler, own_cache):
    command = (
        "from overparam.training.native.build import load_library\n"
        "from overparam.training.native.models import DENSE\n"
        "load_library(DENSE, 'float32').scratch"
    )
    runs = [subprocess.Popen([sys.executable, "-c", command]) for _ in range(3)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    assert len(list(own_cache.iterdir())) == 1


def test_other_sources_or_another_processor_are_compiled_anew(compiler, own_cache, monkeypatch):
    first = build._build(DENSE, "float32", own_cache)
    monkeypatch.setattr(build, "_processor", lambda: b"another")
    second = build._build(DENSE, "float32", own_cache)
    assert first != second
    assert second.exists()
