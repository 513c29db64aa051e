"""Fixtures that several files of this folder use."""

import pytest

from tests.data.idx_folders import few_images


@pytest.fixture
def only_this_folder(tmp_path, monkeypatch):
    """No place holds anything unless the test puts it there."""
    monkeypatch.delenv("OVERPARAM_DATA", raising=False)
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("overparam.data.places.DEBIAN_FOLDER", tmp_path / "debian")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def images():
    """A few images and labels in the files that MNIST has."""
    return few_images()
