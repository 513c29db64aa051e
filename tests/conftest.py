"""What everything that writes may meet: a full disk, and places where something stands."""

import os
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class FullDisk:
    """A small disk of its own, mounted at `folder`."""

    folder: Path

    def fill(self, free: int = 0) -> None:
        """Put a ballast there that leaves `free` bytes, in whole pages."""
        ballast = self.folder / "ballast"
        with open(ballast, "ab", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                size = file.tell()
        with open(ballast, "r+b") as file:
            file.truncate(size - free)

    def make_room(self) -> None:
        """Take the ballast away."""
        (self.folder / "ballast").unlink()


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 2 MiB that a test can fill; skipped where this process may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounting = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no mount on this machine")
    if mounting.returncode:
        pytest.skip(f"a disk of its own cannot be mounted (needs root): {mounting.stderr.strip()}")
    try:
        yield FullDisk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def homeless(monkeypatch):
    """This process is a user's without an account and without HOME."""

    def nobody(user):
        raise KeyError(f"no such user: {user}")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr("pwd.getpwnam", nobody)
    for name in ("HOME", "OVERPARAM_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ended_process():
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def stand_at():
    """Let something stand at a path that is no folder, or no plain file; return the path."""

    def make(path, kind):
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            path.write_text("a file")
        elif kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            try:
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
            except PermissionError:
                pytest.skip("making a device needs root")
        elif kind == "socket":
            before = os.getcwd()
            os.chdir(path.parent)  # a socket's address is short
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(path.name)
            os.chdir(before)
        elif kind == "circle":
            path.symlink_to(path.name)
        elif kind == "link":
            path.symlink_to(make(path.with_name("far"), "pipe"))
        else:
            assert kind == "nothing"
        return path

    return make
