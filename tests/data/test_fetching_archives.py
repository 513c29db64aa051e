"""Archives that are fetched: only what is wanted is taken out, and nothing that is unsafe."""

import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from overparam.data.entries import entry_of
from overparam.data.entry import DataFile, Download, Layout
from overparam.data.fetching import extract_files, fetch_entry
from overparam.errors import DataError, ResourceError
from tests.data.local_server import Server, md5, serving


def make_tar(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path.read_bytes()


def test_an_archive_is_fetched_and_only_what_is_wanted_taken_out(tmp_path):
    content = make_tar(
        tmp_path / "made", {"top/one.bin": b"1", "top/two.bin": b"22", "top/readme": b"no"}
    )
    archive = replace(
        entry_of("cifar10"),
        downloads=(Download("set.tar.gz", md5(content)),),
        layouts=(Layout("idx", ("top",), (DataFile("one.bin"),), (DataFile("two.bin"),)),),
        fetch_folder="top",
    )
    with serving(Server({"set.tar.gz": content})) as server:
        folder = fetch_entry(archive, [server.address], tmp_path / "cache")
        fetch_entry(archive, [server.address], tmp_path / "cache")
    assert sorted(os.listdir(folder)) == ["one.bin", "two.bin"]
    assert (folder / "two.bin").read_bytes() == b"22"
    assert len(server.requests) == 1


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../one.bin", b"x"),
        ("top/../../one.bin", b"x"),
        ("/tmp/one.bin", b"x"),
        ("one.bin", special("one.bin", tarfile.SYMTYPE, "/etc/passwd")),
        ("one.bin", special("one.bin", tarfile.LNKTYPE, "../outside")),
        ("one.bin", special("one.bin", tarfile.FIFOTYPE)),
    ],
)
def test_unsafe_archives_are_refused(tmp_path, name, content):
    folder = tmp_path / "in" / "folder"
    folder.mkdir(parents=True)
    make_tar(tmp_path / "made.tar.gz", {name: content})
    with pytest.raises(DataError, match="unsafe member"):
        extract_files(tmp_path / "made.tar.gz", folder, {"one.bin"})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "in", "made.tar.gz"]


def test_other_faults_of_archives(tmp_path, monkeypatch):
    path = tmp_path / "made.tar.gz"
    content = make_tar(path, {"one.bin": os.urandom(5000)})
    with pytest.raises(DataError, match=r"lacks two\.bin"):
        extract_files(path, tmp_path, {"two.bin"})
    for damaged in (content[:2000], content[:100] + b"\0" * 50 + content[150:], b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="is damaged"):
            extract_files(path, tmp_path, {"one.bin"})
    path.write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr("overparam.data.fetching.MAX_MEMBER_BYTES", 4999)
        with pytest.raises(DataError, match="too large"):
            extract_files(path, tmp_path, {"one.bin"})
    with pytest.raises(ResourceError, match="not writable"):
        extract_files(path, tmp_path / "absent", {"one.bin"})
