"""Loading: every layout people have, the search order, and what is said when nothing is there."""

import gzip
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from overparam.data import (
    entries,
    load,
    load_cifar10,
    load_fashion_mnist,
    load_mnist,
    loaders,
    where,
)
from overparam.data.digit_tables import read_digit_csv, read_digit_npz
from overparam.data.entries import catalogue, entry_of
from overparam.data.entry import DataFile
from overparam.data.folders import sets_named
from overparam.data.idx import idx_header
from overparam.data.places import cache_folder
from overparam.errors import DataError, ResourceError, UsageError

pytestmark = pytest.mark.usefixtures("only_this_folder")


N_TRAIN, N_TEST = 20, 10


@pytest.fixture
def images() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {
        "train-images-idx3-ubyte": generator.integers(0, 256, (N_TRAIN, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": np.arange(N_TRAIN, dtype=np.uint8) % 10,
        "t10k-images-idx3-ubyte": generator.integers(0, 256, (N_TEST, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(N_TEST, dtype=np.uint8) % 10,
    }


def write_idx_files(folder: Path, arrays: dict, suffix: str = "", dotted: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx_header(array.shape) + array.tobytes()
        name = name.replace("-idx", ".idx") if dotted else name
        content = gzip.compress(content) if suffix else content
        (folder / (name + suffix)).write_bytes(content)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("below", ["MNIST/raw", "MNIST", "mnist", "."])
def test_idx_layouts(tmp_path, images, suffix, dotted, below):
    write_idx_files(tmp_path / "place" / below, images, suffix, dotted)
    train, test = load("mnist", tmp_path / "place", verify=False)
    assert (len(train), len(test), train.n_classes) == (N_TRAIN, N_TEST, 10)
    assert (train.name, test.name) == ("mnist/train", "mnist/test")
    torch.testing.assert_close(
        train.inputs,
        torch.tensor(images["train-images-idx3-ubyte"], dtype=torch.float32)[:, None] / 255,
    )
    assert test.labels.tolist() == list(range(10))


def as_kaggle(place: Path, arrays: dict) -> None:
    """As Kaggle's archive of MNIST unpacks: a folder of each file's name."""
    for name, array in arrays.items():
        write_idx_files(place / name, {name: array})


def dotted_in_dashed(place: Path, arrays: dict) -> None:
    for name, array in arrays.items():
        write_idx_files(place / name, {name: array}, dotted=True)


def by_part(place: Path, arrays: dict) -> None:
    write_idx_files(place / "train", {k: v for k, v in arrays.items() if "train" in k})
    write_idx_files(place / "test", {k: v for k, v in arrays.items() if "t10k" in k}, ".gz")


def in_capitals(place: Path, arrays: dict) -> None:
    write_idx_files(place / "Raw", {k.upper(): v for k, v in arrays.items()}, ".GZ")


def by_links(place: Path, arrays: dict) -> None:
    write_idx_files(place.parent / "far away", arrays)
    (place / "sets").mkdir(parents=True)
    (place / "sets" / "mnist").symlink_to(place.parent / "far away")
    (place / "sets" / "loop").symlink_to(place)
    (place / "sets" / "broken").symlink_to(place / "nowhere")


@pytest.mark.parametrize("write", [as_kaggle, dotted_in_dashed, by_part, in_capitals, by_links])
@pytest.mark.parametrize("below", [".", "archive", "input/mnist-dataset/versions/1"])
def test_folders_that_people_have(tmp_path, images, write, below):
    place = tmp_path / "place"
    write(place / below, images)
    # What lies beside them must not be taken for MNIST: files of the same names, of other sets.
    others = {name: np.zeros_like(array) for name, array in images.items()}
    for folder in ("FashionMNIST/raw", "KMNIST/raw", ".hidden", "a/emnist", "fmnist"):
        write_idx_files(place / folder, others)
    train, test = load("mnist", place, verify=False)
    expected = torch.tensor(images["train-images-idx3-ubyte"], dtype=torch.float32) / 255
    torch.testing.assert_close(train.inputs[:, 0], expected)
    assert len(test) == N_TEST
    assert where("mnist", place)[0].found


def write_csv(path: Path, images: np.ndarray, labels: np.ndarray, header: bool) -> None:
    rows = np.c_[labels, images.reshape(len(images), -1)]
    names = ",".join(["label", *(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29))])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows, "%d", ",", header=names if header else "", comments="")


def mnist_of(images: dict, tmp_path: Path, monkeypatch) -> None:
    """Let these few images be what the catalogue takes for MNIST."""

    def known(file: DataFile) -> DataFile:
        array = images[file.name]
        content = idx_header(array.shape) + array.tobytes()
        return DataFile(file.name, hashlib.sha256(content).hexdigest())

    first, *others = entry_of("mnist").layouts
    idx = replace(first, train=tuple(map(known, first.train)), test=tuple(map(known, first.test)))
    monkeypatch.setattr(entries, "_ENTRIES", (replace(entry_of("mnist"), layouts=(idx, *others)),))


@pytest.mark.parametrize("kind", ["csv", "csv without names", "npz"])
def test_tables_of_mnist_are_held_against_the_same_checksums(tmp_path, images, monkeypatch, kind):
    mnist_of(images, tmp_path, monkeypatch)
    x_train, y_train, x_test, y_test = images.values()
    folder = tmp_path / "place" / "archive"

    def write(labels):
        if kind == "npz":
            folder.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(
                folder / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=labels
            )
        else:
            write_csv(folder / "mnist_train.csv", x_train, y_train, kind == "csv")
            write_csv(folder / "mnist_test.csv", x_test, labels, kind == "csv")

    write(y_test)
    train, test = load("mnist", tmp_path / "place")
    torch.testing.assert_close(train.inputs[:, 0], torch.from_numpy(x_train).float() / 255)
    assert test.labels.tolist() == y_test.tolist()
    assert train.labels.tolist() == y_train.tolist()
    write(y_test[::-1])
    loaders._load_found.cache_clear()
    with pytest.raises(DataError, match=r"checksum of .* is not that of 'mnist'"):
        load("mnist", tmp_path / "place")


@pytest.mark.parametrize(
    "bad", [b"", b"1,2,3\n", b"label\nno numbers", b"1," + b"300," * 783 + b"1"]
)
def test_damaged_tables(tmp_path, bad, monkeypatch):
    path = tmp_path / "table"
    path.write_bytes(bad)
    for read in (read_digit_csv, read_digit_npz):
        with pytest.raises(DataError, match="not such a table of MNIST, or is damaged"):
            read(path, "train")
        with pytest.raises(DataError, match="there is no file"):
            read(tmp_path / "nowhere", "train")
        with pytest.raises(ResourceError, match="cannot be read"):
            read(tmp_path, "train")
    for arrays in ({}, {"x_train": np.zeros((2, 3)), "y_train": np.zeros(2)}):
        with path.open("wb") as file:
            np.savez(file, **arrays)
        with pytest.raises(DataError, match="not such a table"):
            read_digit_npz(path, "train")
    monkeypatch.setattr("overparam.data.digit_tables.MAX_ARRAY_BYTES", 10)
    with pytest.raises(DataError, match=r"x_train\.npy of \d+ bytes"):
        read_digit_npz(path, "train")
    monkeypatch.setattr("overparam.data.digit_tables.MAX_CSV_BYTES", 10)
    with pytest.raises(DataError, match=r"got '\d+ bytes'"):
        read_digit_csv(path, "train")


def test_sets_of_the_same_file_names_are_told_apart_by_their_folders(tmp_path, images):
    fashion = {name: np.roll(array, 1) for name, array in images.items()}
    write_idx_files(tmp_path / "place/sets/kaggle/MNIST", images)
    write_idx_files(tmp_path / "place/sets/kaggle/Fashion-MNIST", fashion)
    for name, arrays in (("mnist", images), ("fashion_mnist", fashion)):
        labels = load(name, tmp_path / "place", verify=False)[0].labels
        np.testing.assert_array_equal(labels, arrays["train-labels-idx1-ubyte"])
    assert sets_named("mnist and fashion") == {"mnist", "fashion_mnist"}
    assert sets_named("qmnist") == sets_named("kuzushiji") == {"another MNIST"}
    assert (sets_named("CIFAR100"), sets_named("cifar")) == ({"cifar100"}, {"cifar10"})


def test_a_search_is_bounded_and_unreadable_folders_are_passed_by(tmp_path, images, monkeypatch):
    write_idx_files(tmp_path / "place/a/b/c/d/e/f/g", images)  # one deeper than is searched
    with pytest.raises(DataError, match="nor up to 6 folders below"):
        load("mnist", tmp_path / "place", verify=False)
    write_idx_files(tmp_path / "place/z", images)
    assert where("mnist", tmp_path / "place")[0].found
    monkeypatch.setattr("overparam.data.folders.MAX_FOLDERS", 1)
    assert not where("mnist", tmp_path / "place")[0].found
    monkeypatch.setattr("overparam.data.folders.MAX_NAMES", 0)
    assert not where("mnist", tmp_path / "place")[0].found
    assert not where("mnist", "nul\0byte")[0].found


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("mnist", "sets/mnist-dataset.zip"),
        ("cifar10", "cifar-10-python.tar.gz"),
        ("cifar10", "cifar-10-batches-bin.tgz"),
        ("fashion_mnist", "FashionMNIST.tar"),
    ],
)
def test_an_archive_that_is_not_unpacked_is_named(tmp_path, name, packed):
    path = tmp_path / "place" / packed
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    (tmp_path / "place" / "holidays.zip").write_bytes(b"")
    with pytest.raises(DataError, match=f"unpack {path}, run"):
        load(name, tmp_path / "place")


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
