"""Compiling the kernels: found, kept, and missing without harm."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys

import pytest

from overparam.training.native import build
from overparam.training.native.build import (
    NativeBroken,
    NativeUnavailable,
    describe_compiler,
    find_compiler,
    load_library,
    troubles,
)
from overparam.training.native.models import DENSE
from overparam.training.native.normalise import NORMALISE

USUAL = dict(os.environ)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, and the compiler that the machine has."""
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    monkeypatch.delenv("OVERPARAM_CC", raising=False)
    monkeypatch.setattr(build, "_troubles", {})
    monkeypatch.setattr(build, "_hanging", {})
    build._load.cache_clear()
    yield tmp_path / "native"
    build._load.cache_clear()


@pytest.fixture
def compiler(own_cache):
    """The machine's compiler; skipped where there is none."""
    try:
        return find_compiler()
    except NativeUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def quick(compiler, tmp_path, monkeypatch):
    """A compiler that answers at once with what the machine's own once made; it counts its runs."""
    with monkeypatch.context() as usual:
        usual.setattr(os, "environ", dict(USUAL))
        library = build._build(DENSE, "float64")
    return copying(tmp_path, library, monkeypatch)


def copying(folder, made, monkeypatch):
    """Let the compiler be a script that copies a file; return the file in which it counts."""
    count = folder / "count"
    copies = f'while [ "$1" != -o ]; do shift; done; cp {made} "$2"; echo >> {count}'
    version = 'test "$1" = --version && exit'
    monkeypatch.setenv("OVERPARAM_CC", script(folder / "cc", f"{version}\n{copies}"))
    return count


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_a_compiler_it_says_so(own_cache, monkeypatch):
    monkeypatch.setenv("OVERPARAM_CC", "none")
    with pytest.raises(NativeUnavailable, match="OVERPARAM_CC is none"):
        load_library(DENSE, "float32")
    assert troubles() == []
    assert not own_cache.exists()


@pytest.mark.parametrize("variable", ["OVERPARAM_CC", "CC"])
@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("no-such-compiler", "there is no C compiler 'no-such-compiler' that can be run"),
        ("'", r"is not a command: \"'\" \(No closing quotation\)"),
        ('""', "there is no C compiler '\"\"' that can be run"),
        (__file__, "test_build.py' that can be run"),
    ],
)
def test_a_compiler_that_is_none_is_a_line_in_the_study(
    own_cache, monkeypatch, variable, wanted, why
):
    monkeypatch.setenv(variable, wanted)
    with pytest.raises(NativeBroken, match=why):
        load_library(DENSE, "float32")
    (told,) = troubles()
    assert variable in told
    assert re.match(f"compiled code is not used: .*{why}", told)
    assert re.match(f"none: .*{why}", describe_compiler())
    assert not own_cache.exists()


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_blanks_name_no_compiler(own_cache, monkeypatch, blank):
    monkeypatch.delenv("CC", raising=False)
    try:
        usual = find_compiler()
    except NativeUnavailable:
        pytest.skip("no compiler")
    for variable in ("OVERPARAM_CC", "CC"):
        monkeypatch.setenv(variable, blank)
    assert find_compiler() == usual


def test_the_compiler_is_described(own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPARAM_CC", script(tmp_path / "some", 'echo "some cc 1.2"; echo more'))
    assert describe_compiler() == "some cc 1.2"
    monkeypatch.setenv("OVERPARAM_CC", "none")
    assert describe_compiler() == "none: OVERPARAM_CC is none"
    monkeypatch.setenv("OVERPARAM_CC", script(tmp_path / "mute", "exit 0"))
    assert describe_compiler() == "it says nothing about itself"


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


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(own_cache, tmp_path, monkeypatch):
    broken = script(tmp_path / "broken", 'echo "dense.c:1: error: out of patience" >&2; exit 1')
    monkeypatch.setenv("OVERPARAM_CC", broken)
    with pytest.raises(NativeBroken, match="error: out of patience"):
        load_library(DENSE, "float32")
    assert list(own_cache.iterdir()) == []


def test_a_processor_that_lacks_something_is_no_trouble(own_cache, tmp_path, monkeypatch):
    text = "precision.h:34:2: error: #error this processor has no products of bfloat16"
    monkeypatch.setenv("OVERPARAM_CC", script(tmp_path / "cc", f'echo "{text}" >&2; exit 1'))
    with pytest.raises(NativeUnavailable, match="no products of bfloat16"):
        load_library(DENSE, "bfloat16")
    assert troubles() == []


@pytest.mark.parametrize("answers", [True, False])
def test_a_compiler_that_hangs_is_waited_for_once(own_cache, tmp_path, monkeypatch, answers):
    asked = tmp_path / "asked"
    version = 'case "$*" in *--version*) echo cc 1; exit;; esac' if answers else ""
    hangs = script(tmp_path / "hangs", f"{version}\necho >> {asked}\nsleep 600")
    monkeypatch.setenv("OVERPARAM_CC", hangs)
    monkeypatch.setattr(build, "_SECONDS_TO_COMPILE", 0.5)
    monkeypatch.setattr(build, "_SECONDS_TO_ANSWER", 5 if answers else 0.5)
    for kernels in (DENSE, NORMALISE):
        with pytest.raises(NativeBroken, match=r"hangs did not end within 0\.5 s"):
            load_library(kernels, "float32")
    assert asked.read_text() == "\n"
    assert len(troubles()) == 1
    assert describe_compiler() == ("cc 1" if answers else f"none: {hangs} did not end within 0.5 s")
    assert not own_cache.exists() or list(own_cache.iterdir()) == []


def test_a_compiler_that_makes_no_library_is_no_crash(own_cache, tmp_path, monkeypatch):
    lying = script(tmp_path / "lying", "exit 0")  # says it is done
    monkeypatch.setenv("OVERPARAM_CC", lying)
    with pytest.raises(NativeBroken, match=r"compiled or loaded: .* cannot be written"):
        load_library(DENSE, "float32")


@pytest.mark.parametrize(
    "leaves",
    [
        'rm -f "$2"; mkfifo "$2"',
        'ln -s /dev/zero "$2"',
        'mkdir "$2"; touch "$2/file"',
        'truncate -s 100M "$2"',
    ],
)
def test_a_compiler_that_leaves_no_plain_file_is_no_trap(own_cache, tmp_path, monkeypatch, leaves):
    left = script(tmp_path / "leaving", f'while [ "$1" != -o ]; do shift; done; {leaves}')
    monkeypatch.setenv("OVERPARAM_CC", left)
    with pytest.raises(NativeBroken, match=r"what was made for .* is (no plain file|too large)"):
        load_library(DENSE, "float32")
    (told,) = troubles()
    assert told.startswith("compiled code is not used: the kernels could not be compiled or loaded")
    assert list(own_cache.iterdir()) == []


def test_of_a_noisy_compiler_little_is_told(own_cache, tmp_path, monkeypatch):
    noise = "head -c 3000000 /dev/urandom | tr -d '\\n'"
    noisy = script(tmp_path / "noisy", f"{noise}; (printf error; {noise}) >&2; exit 1")
    monkeypatch.setenv("OVERPARAM_CC", noisy)
    with pytest.raises(NativeBroken, match="cannot compile the kernels") as told:
        load_library(DENSE, "float32")
    assert len(str(told.value)) < 4000
    assert len(describe_compiler()) < 4000
    assert str(told.value).isprintable()


@pytest.mark.parametrize("content", ["", "no library", "int other(void) { return 0; }"])
def test_a_library_without_its_functions_is_built_twice_and_not_kept(
    compiler, own_cache, tmp_path, monkeypatch, content
):
    made = tmp_path / "made"
    made.write_text(content)
    if content.startswith("int"):
        (tmp_path / "other.c").write_text(content)
        built = [*compiler, "-shared", "-fPIC", tmp_path / "other.c", "-o", made]
        subprocess.run(built, check=True)
    count = copying(tmp_path, made, monkeypatch)
    with pytest.raises(NativeBroken, match="could not be compiled or loaded"):
        load_library(DENSE, "float32")
    assert count.read_text() == "\n\n"
    assert list(own_cache.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs a file in place of a folder")
def test_a_cache_that_cannot_be_written_is_no_crash(compiler, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path / "file"))
    with pytest.raises(NativeUnavailable, match="could not be compiled or loaded"):
        load_library(DENSE, "float32")


def test_without_a_home_there_is_none_and_a_note(compiler, homeless):
    build._load.cache_clear()
    with pytest.raises(NativeBroken, match="this user has no home folder"):
        load_library(DENSE, "float64")
    assert len(troubles()) == 1


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_code_from_a_folder_that_others_may_write_is_not_loaded(quick, own_cache):
    load_library(DENSE, "float64")
    own_cache.chmod(0o770)
    build._load.cache_clear()
    with pytest.raises(NativeBroken, match="others may write it"):
        load_library(DENSE, "float64")
    assert quick.read_text() == "\n"


def test_it_is_compiled_once(quick, own_cache):
    load_library(DENSE, "float64")
    (made,) = own_cache.iterdir()
    before = made.stat()
    build._load.cache_clear()
    load_library(DENSE, "float64")
    after = made.stat()
    assert list(own_cache.iterdir()) == [made]
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("damage", ["empty", "cut off", "a bit", "without its functions"])
def test_damaged_code_is_not_loaded_but_made_anew(quick, own_cache, damage):
    load_library(DENSE, "float64")
    (made,) = own_cache.iterdir()
    whole = made.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "empty": b"",
        "cut off": whole[:middle],
        "a bit": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "without its functions": whole.replace(b"scratch", b"scrotch"),
    }[damage]
    made.unlink()  # it is mapped into this process: what is mapped is not written to
    made.write_bytes(damaged)
    build._load.cache_clear()
    assert load_library(DENSE, "float64").scratch
    (anew,) = own_cache.iterdir()
    assert anew.read_bytes() == whole
    assert quick.read_text() == "\n\n"
    assert troubles() == []


def test_processes_that_compile_at_once_do_not_disturb_each_other(quick, own_cache):
    command = (
        "from overparam.training.native.build import load_library\n"
        "from overparam.training.native.models import DENSE\n"
        "load_library(DENSE, 'float64').scratch"
    )
    runs = [subprocess.Popen([sys.executable, "-c", command]) for _ in range(3)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    assert len(list(own_cache.iterdir())) == 1


def test_other_sources_or_another_processor_are_compiled_anew(quick, monkeypatch):
    first = build._build(DENSE, "float32")
    monkeypatch.setattr(build, "_processor", lambda: b"another")
    second = build._build(DENSE, "float32")
    assert first != second
    assert second.exists()
