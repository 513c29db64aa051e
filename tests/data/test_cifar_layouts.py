"""CIFAR: its folders and files, its batches, and files with a wrong checksum."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from overparam.data import load, load_cifar10, where
from overparam.errors import DataError

pytestmark = pytest.mark.usefixtures("only_this_folder")


def batch(seed: int, n: int = 10) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (n, 3072), dtype=np.uint8)
    return pixels, generator.permutation(n).astype(np.uint8) % 10


def write_binary(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels, labels = batch(seed)
    path.write_bytes(np.concatenate([labels[:, None], pixels], axis=1).tobytes())


def write_pickle(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels, labels = batch(seed)
    path.write_bytes(pickle.dumps({b"data": pixels, b"labels": labels.tolist()}, protocol=2))


@pytest.mark.parametrize(
    ("write", "folder", "suffix"),
    [
        (write_binary, "cifar-10-batches-bin", ".bin"),
        (write_binary, ".", ".bin"),
        (write_pickle, "cifar-10-batches-py", ""),
        (write_pickle, ".", ""),
        (write_binary, "CIFAR10", ".bin"),
        (write_binary, "cifar10/cifar-10-batches-bin", ".bin"),
        (write_pickle, "input/cifar-10-python/cifar-10-batches-py", ""),
        (write_pickle, "CIFAR-10", ""),
    ],
)
def test_cifar_layouts(tmp_path, write, folder, suffix):
    below = tmp_path / "place" / folder
    write(below / f"test_batch{suffix}", 0)
    for i in (5, 2):
        write(below / f"data_batch_{i}{suffix}", i)
    train, _ = load("cifar10", tmp_path / "place", verify=False)
    assert train.name == f"cifar10/train(data_batch_2{suffix}, data_batch_5{suffix})"
    assert [place.note for place in where("cifar10", tmp_path / "place") if place.found] == [
        "2 of 5 training files"
    ]
    for i in (1, 3, 4):
        write(below / f"data_batch_{i}{suffix}", i)
    train, test = load("cifar10", tmp_path / "place", verify=False)
    assert (train.name, len(train), train.input_shape) == ("cifar10/train", 50, (3, 32, 32))
    expected = np.concatenate([batch(i)[0] for i in range(1, 6)]).reshape(-1, 3, 32, 32) / 255
    torch.testing.assert_close(train.inputs, torch.tensor(expected, dtype=torch.float32))
    np.testing.assert_array_equal(train.labels, np.concatenate([batch(i)[1] for i in range(1, 6)]))
    np.testing.assert_array_equal(test.labels, batch(0)[1])


def test_all_batches_are_preferred_to_some(tmp_path):
    write_binary(tmp_path / "data/cifar-10-batches-bin/test_batch.bin", 0)
    write_binary(tmp_path / "data/cifar-10-batches-bin/data_batch_1.bin", 1)
    write_pickle(tmp_path / "data/cifar-10-batches-py/test_batch", 0)
    for i in range(1, 6):
        write_pickle(tmp_path / f"data/cifar-10-batches-py/data_batch_{i}", i)
    assert len(load("cifar10", verify=False)[0]) == 50


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (write_binary, ("test_batch.bin", "data_batch_1.bin")),
        (write_pickle, ("test_batch", "data_batch_3")),
    ],
)
def test_cifar_checksums(tmp_path, write, names):
    for i, name in enumerate(names):
        write(tmp_path / "data" / name, i)
    with pytest.raises(DataError, match=rf"checksum of .*{names[1]}"):
        load_cifar10()


@pytest.mark.parametrize(("suffix", "first"), [(".bin", "data_batch_1"), ("", "data_batch_3")])
def test_what_has_a_wrong_checksum_is_not_parsed(tmp_path, monkeypatch, suffix, first):
    def refuse(*_):
        raise AssertionError("parsed")

    monkeypatch.setattr("overparam.data.cifar._unpickle", refuse)
    monkeypatch.setattr("overparam.data.cifar._check_labels", refuse)
    for name in (first, "test_batch"):
        path = tmp_path / "data" / (name + suffix)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(3073))
    with pytest.raises(DataError, match=rf"checksum of .*{first}"):
        load_cifar10()
