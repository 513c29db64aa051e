"""The entrance of loading: order of search, checksums, contents, names, and the full sets."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overparam.data import (
    entries,
    load,
    load_cifar10,
    load_fashion_mnist,
    load_mnist,
    loaders,
    where,
)
from overparam.data.entries import catalogue, entry_of
from overparam.data.entry import DataFile
from overparam.data.idx import idx_header
from overparam.data.places import cache_folder
from overparam.errors import DataError, UsageError
from tests.data.idx_folders import N_TEST, N_TRAIN, write_idx_files

pytestmark = pytest.mark.usefixtures("only_this_folder")


def test_fashion_mnist_in_debians_folder(tmp_path, images):
    write_idx_files(tmp_path / "debian" / "fashion-mnist", images, ".gz")
    assert len(load("fashion_mnist", verify=False)[0]) == N_TRAIN
    assert [place.origin for place in where("fashion_mnist") if place.found] == [
        "Debian's data sets"
    ]


def test_places_are_searched_in_order(tmp_path, images, monkeypatch):
    monkeypatch.setenv("OVERPARAM_DATA", str(tmp_path / "variable"))
    places = ["argument", "variable", "cache", "data", "debian"]
    for i, place in reversed(list(enumerate(places))):
        arrays = {name: array[: len(array) - i] for name, array in images.items()}
        write_idx_files(tmp_path / place / "MNIST" / "raw", arrays)
        train, _ = load("mnist", tmp_path / "argument", verify=False)
        assert len(train) == N_TRAIN - i
    found = where("mnist", tmp_path / "argument")
    assert [place.path for place in found] == [tmp_path / p / "MNIST" / "raw" for p in places]
    assert all(place.found and place.n_bytes > 28 * 28 * (N_TRAIN + N_TEST - 10) for place in found)


def test_nothing_found_says_where_it_looked_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPARAM_DATA", str(tmp_path / "variable"))
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path / "argument")
    for part in ("argument", "variable", "cache", "data", "debian"):
        assert str(tmp_path / part) in str(caught.value)
    assert "overparam data fetch mnist" in str(caught.value)
    assert not any(place.found for place in where("mnist"))
    for load_one in (load_fashion_mnist, load_cifar10):
        with pytest.raises(DataError, match="none of the places searched"):
            load_one()


def test_checksums_are_of_the_contents(tmp_path, images, monkeypatch):
    write_idx_files(tmp_path / "data" / "MNIST" / "raw", images, ".gz")
    with pytest.raises(DataError, match=r"checksum of .*train-images.* is not that of 'mnist'"):
        load_mnist()
    layout = entry_of("mnist").layouts[0]

    def known(file: DataFile) -> DataFile:
        array = images[file.name]
        content = idx_header(array.shape) + array.tobytes()
        return DataFile(file.name, hashlib.sha256(content).hexdigest())

    layout = replace(
        layout, train=tuple(map(known, layout.train)), test=tuple(map(known, layout.test))
    )
    entry = replace(entry_of("mnist"), layouts=(layout,))
    monkeypatch.setattr(entries, "_ENTRIES", (entry,))
    assert len(load_mnist()[0]) == N_TRAIN
    write_idx_files(
        tmp_path / "data" / "MNIST" / "raw", {"t10k-labels-idx1-ubyte": np.ones(10, "u1")}
    )
    loaders._load_found.cache_clear()
    with pytest.raises(DataError, match="t10k-labels"):
        load_mnist()


@pytest.mark.parametrize(
    ("name", "array", "match"),
    [
        ("train-images-idx3-ubyte", np.zeros((N_TRAIN, 27, 28), np.uint8), "does not hold"),
        ("train-labels-idx1-ubyte", np.zeros((N_TRAIN, 1), np.uint8), "does not hold"),
        ("train-labels-idx1-ubyte", np.zeros(N_TRAIN - 1, np.uint8), "differ in number"),
        ("t10k-labels-idx1-ubyte", np.full(N_TEST, 10, np.uint8), "outside the classes"),
        ("t10k-labels-idx1-ubyte", np.arange(N_TEST, dtype=np.uint8) + 1, "outside the classes"),
    ],
)
def test_wrong_contents(tmp_path, images, name, array, match):
    write_idx_files(tmp_path / "data" / "MNIST", {**images, name: array})
    with pytest.raises(DataError, match=match):
        load("mnist", verify=False)


def test_a_training_part_alone_is_not_found(tmp_path, images):
    del images["t10k-labels-idx1-ubyte"]
    write_idx_files(tmp_path / "data", images)
    with pytest.raises(DataError, match="none of the places"):
        load("mnist", verify=False)


# The entrance


def test_full_sets_are_shared_between_calls(tmp_path, images):
    write_idx_files(tmp_path / "data" / "MNIST", images)
    assert load("mnist", verify=False)[0] is load("mnist", verify=False)[0]


@pytest.mark.parametrize("ask", [load, where])
def test_misspelt_names_get_a_suggestion(ask):
    with pytest.raises(UsageError, match=r"unknown data set.*did you mean 'fashion_mnist'"):
        ask("fasion_mnist")


def test_where_of_embedded_sets():
    for entry in catalogue():
        if entry.embedded:
            (place,) = where(entry.name)
            assert place.found
            assert place.path.is_dir()
    assert where("fashion_mnist_small")[0].n_bytes > 1_000_000


def test_cache_folder_without_variable(monkeypatch):
    monkeypatch.delenv("OVERPARAM_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "overparam" / "data"


def test_catalogue_names_source_and_licence_of_every_set():
    names = [entry.name for entry in catalogue()]
    assert names == [
        "fashion_mnist_small", "mnist_small", "digits", "mnist", "fashion_mnist", "cifar10",
    ]  # fmt: skip
    for entry in catalogue():
        assert entry.source
        assert entry.licence
        assert entry.embedded == (not entry.downloads)


# Full data


@pytest.mark.fulldata
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_full_sets_load_with_their_checksums(name, full_data):
    train, test = load(name, full_data)
    entry = entry_of(name)
    assert len(train) == entry.n_train or (name == "cifar10" and len(train) % 10_000 == 0)
    assert len(test) == entry.n_test
    assert train.input_shape == entry.input_shape
    assert test.labels.bincount().tolist() == [1000] * 10 or name == "mnist"
    assert (float(test.inputs.min()), float(test.inputs.max())) == (0.0, 1.0)
    if name == "cifar10":
        assert train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]


@pytest.fixture
def full_data():
    if not _FULL:
        pytest.skip("OVERPARAM_DATA is not set")
    yield _FULL
    loaders._load_found.cache_clear()  # gives the memory back


_FULL = os.environ.get("OVERPARAM_DATA")  # read before `only_this_folder` removes it
