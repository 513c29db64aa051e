"""Files that are there whole or not at all, also on a disk that is really full."""

import os

import pytest

from overparam.errors import ResourceError
from overparam.whole_file import write_whole


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
