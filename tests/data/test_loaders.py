"""Loading: every layout people have, and folders that are searched for it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from overparam.data import entries, load, loaders, where
from overparam.data.digit_tables import read_digit_csv, read_digit_npz
from overparam.data.entries import entry_of
from overparam.data.entry import DataFile
from overparam.data.folders import sets_named
from overparam.data.idx import idx_header
from overparam.errors import DataError, ResourceError
from tests.data.idx_folders import N_TEST, N_TRAIN, write_idx_files

pytestmark = pytest.mark.usefixtures("only_this_folder")


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
