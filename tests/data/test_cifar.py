"""CIFAR-10's batches: both versions give the same arrays; hostile pickles run nothing."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overparam.data import cifar
from overparam.data.cifar import read_cifar_binary, read_cifar_pickle
from overparam.errors import DataError, ResourceError

N = 7


@pytest.fixture
def rows() -> tuple[np.ndarray, list[int]]:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (N, 3072), dtype=np.uint8)
    return pixels, generator.integers(0, 10, N).tolist()


def as_python2(pixels: np.ndarray, labels: list[int]) -> bytes:
    """The instructions that Python 2's cPickle writes at protocol 2, as in the published files."""

    def text(value: bytes) -> bytes:
        short = len(value) < 256
        size = len(value).to_bytes(1 if short else 4, "little")
        return (b"U" if short else b"T") + size + value

    def number(value: int) -> bytes:
        return b"K" + bytes([value]) if value < 256 else b"M" + value.to_bytes(2, "little")

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85"
        + text(b"b")
        + b"\x87R(K\x01"
        + number(len(pixels))
        + number(pixels.shape[1])
        + b"\x86cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + text(pixels.tobytes())
        + b"tb"
    )
    listed = b"](" + b"".join(number(label) for label in labels) + b"e"
    return (
        b"\x80\x02}q\x01(" + text(b"data") + array + text(b"labels") + listed
        + text(b"batch_label") + text(b"testing batch 1 of 1") + b"u."
    )  # fmt: skip


def test_both_versions_give_the_same(tmp_path, rows):
    pixels, labels = rows
    expected = np.stack([row.reshape(3, 32, 32) for row in pixels])
    binary = tmp_path / "data_batch_1.bin"
    binary.write_bytes(
        b"".join(bytes([y]) + x.tobytes() for x, y in zip(pixels, labels, strict=True))
    )
    contents = [as_python2(pixels, labels)]
    contents += [
        pickle.dumps({key("data"): pixels, key("labels"): labels}, protocol)
        for key in (str, str.encode)
        for protocol in (2, 3, 4, 5)
    ]
    results = [read_cifar_binary(binary)]
    for content in contents:
        (tmp_path / "batch").write_bytes(content)
        results.append(read_cifar_pickle(tmp_path / "batch"))
    for images, read_labels in results:
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(read_labels, labels)


def test_handwritten_python2_pickle_is_a_true_one(rows):
    pixels, labels = rows
    batch = pickle.loads(as_python2(pixels, labels), encoding="bytes")
    np.testing.assert_array_equal(batch[b"data"], pixels)
    assert batch[b"labels"] == labels


class Bomb:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def read_content(tmp_path, content: bytes):
    (tmp_path / "batch").write_bytes(content)
    return read_cifar_pickle(tmp_path / "batch")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_code_in_a_pickle_is_not_run(tmp_path, protocol):
    witness = tmp_path / "witness"
    content = pickle.dumps({"data": Bomb(os.mkdir, str(witness)), "labels": []}, protocol)
    with pytest.raises(DataError, match=r"it (names|holds the instruction)"):
        read_content(tmp_path, content)
    assert not witness.exists()


def nested(depth: int) -> list:
    inner: list = []
    for _ in range(depth):
        inner = [inner, inner]
    return inner


def test_hostile_pickles_are_data_errors_in_little_memory(tmp_path, rows):
    deep = b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s."  # a tuple 200,000 deep, as a key
    encode = b"\x80\x02](c_codecs\nencode\nq\x01X\x40\x42\x0f\x00" + b"a" * 1_000_000
    encode += b"q\x02X\x06\x00\x00\x00latin1q\x03" + b"h\x01h\x02h\x03\x86R" * 40 + b"e."
    # Whole multiples of 2^61 - 1 have one hash: n of them take n^2 comparisons as keys.
    long_keys = pickle.dumps({k * (2**61 - 1): None for k in range(50)}, 2)
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
    cases = [
        (deep, "tuples and objects"),
        (encode, "more bytes than the file holds"),
        (long_keys, "instruction LONG1"),
        (pickle.dumps(dict.fromkeys(range(101)), 2), "more keys than a batch has"),
        (b"\x80\x02}" + b"K\x01Ns" * 101 + b".", "more keys than a batch has"),
        (b"\x80\x02u.", "not a CIFAR-10 Python batch"),
        (b"\x80\x02Nr\xff\xff\xff\xff.", "memory cell"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00abc.", "expected"),
        (b"\x80\x02" + array + b"J\xff\xff\xff\x7f\x85U\x01btR.", "not a dictionary"),
        (b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.", "calls or changes"),
        (b"\x80\x02cnumpy\nndarray\nN}U\x01aK\x01s\x86b.", "calls or changes"),
        (pickle.dumps({"data": nested(60), "labels": []}, 2), "not a NumPy array"),
        (pickle.dumps({"data": np.zeros((2, 3072)), "labels": [1, 2]}, 2), "not uint8"),
        (pickle.dumps({"data": np.zeros(3072, np.uint8), "labels": [1]}, 2), "not a matrix"),
        (pickle.dumps({"data": np.zeros((2, 9), np.uint8), "labels": [1, 2]}, 2), "have shape"),
        (pickle.dumps({"data": np.zeros((0, 3072), np.uint8), "labels": []}, 3), "no content"),
        (pickle.dumps({"data": rows[0], "labels": [1]}, 2), "7 images and 1 labels"),
        (pickle.dumps({"data": rows[0], "labels": ["1"] * N}, 2), "list of integers"),
        (pickle.dumps({"data": rows[0], "labels": {1: 1}}, 2), "list of integers"),
        (pickle.dumps({"data": rows[0], "labels": [10] * N}, 2), "outside the classes"),
        (pickle.dumps({"data": rows[0], "labels": [-1] * N}, 2), "outside the classes"),
        (pickle.dumps([1, 2], 2), "not a dictionary"),
        (pickle.dumps({"data": rows[0]}, 2), "labels"),
        (b"", "not a CIFAR-10 Python batch"),
    ]
    tracemalloc.start()
    try:
        for content, match in cases:
            with pytest.raises(DataError, match=match):
                read_content(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 1e7
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_garbage_is_a_data_error(tmp_path_factory, data):
    good = as_python2(np.zeros((1, 3072), np.uint8), [3])
    structure = len(good) - 3072
    position = data.draw(st.integers(0, structure))
    position += 3072 if position > 180 else 0  # damage the instructions rather than the pixels
    damage = data.draw(st.binary(min_size=1, max_size=4))
    content = data.draw(
        st.sampled_from([damage, good[:position], good[:position] + damage + good[position + 1 :]])
    )
    tmp_path = tmp_path_factory.mktemp("cifar")
    try:
        images, labels = read_content(tmp_path, content)
    except DataError:
        return
    assert images.shape[1:] == (3, 32, 32)
    assert len(labels) == len(images)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=50), st.integers(-2, 2), st.integers(0, 2))
def test_binary_garbage_is_a_data_error(tmp_path_factory, head, off, n_rows):
    path = tmp_path_factory.mktemp("cifar") / "batch.bin"
    content = (head + bytes(n_rows * 3073))[: max(n_rows * 3073 + off, 0)]
    path.write_bytes(content)
    whole = len(content) > 0 and len(content) % 3073 == 0
    if whole and all(content[i * 3073] < 10 for i in range(n_rows)):
        assert len(read_cifar_binary(path)[0]) == n_rows
    else:
        with pytest.raises(DataError, match=r"truncated|outside the classes"):
            read_cifar_binary(path)


def test_faults_of_files(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="there is no file"):
        read_cifar_binary(tmp_path / "absent")
    with pytest.raises(ResourceError, match="cannot be read"):
        read_cifar_pickle(tmp_path)
    monkeypatch.setattr(cifar, "MAX_FILE_BYTES", 10)
    with pytest.raises(DataError, match="too long"):
        read_content(tmp_path, bytes(11))
