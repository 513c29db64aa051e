"""The IDX parser: what it reads, and that garbage gives a DataError and nothing else."""

import gzip
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overparam.data.idx import TYPES, idx_header, parse_idx, read_idx
from overparam.errors import DataError, ResourceError


@contextmanager
def little_memory(n_bytes: float) -> Iterator[None]:
    """Fail where Python allocates more than this at once inside the block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < n_bytes
    finally:
        tracemalloc.stop()


def idx_bytes(array: np.ndarray) -> bytes:
    code = {dtype: code for code, dtype in TYPES.items()}[array.dtype]
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(TYPES.values())).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=4, max_side=5))
    )
)
def test_every_type_and_shape_comes_back(array):
    result = parse_idx(idx_bytes(array))
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_reads_files_plain_and_gzipped(tmp_path, compress):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "some-idx3-ubyte"
    path.write_bytes(compress(idx_header(array.shape) + array.tobytes()))
    np.testing.assert_array_equal(read_idx(path), array)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64))
def test_garbage_is_a_data_error_or_an_array(content):
    try:
        array = parse_idx(content)
    except DataError:
        return
    assert idx_bytes(array) == content


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 60), st.binary(min_size=1, max_size=3))
def test_damaged_files_are_data_errors(tmp_path_factory, head, position, replacement):
    good = gzip.compress(idx_header((5, 4)) + bytes(20), mtime=0)
    path = tmp_path_factory.mktemp("idx") / "file"
    damaged = good[:position] + replacement + good[position + len(replacement) :]
    for content in (head, b"\x1f\x8b" + head, damaged):
        path.write_bytes(content)
        try:
            array = read_idx(path)
        except DataError:
            continue
        assert array.shape  # the change was harmless, as in the header's file name or time


def test_huge_claims_take_no_memory(tmp_path):
    path = tmp_path / "file"
    header = idx_header((60_000, 60_000))  # 3.6 GB, below the largest accepted
    for content in (header + bytes(100), gzip.compress(header + bytes(100))):
        path.write_bytes(content)
        with little_memory(4e6), pytest.raises(DataError, match="is truncated; got '1"):
            read_idx(path)


def test_bombs_are_read_no_further_than_the_header_says(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(idx_header((10,)) + bytes(30_000_000)))
    with little_memory(4e6), pytest.raises(DataError, match="longer than its header says"):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x07\x01\0\0\0\x01\0", "not an IDX file"),
        (b"\0\0\x08\0", "strange number of dimensions"),
        (b"\0\0\x08\x09" + bytes(36), "strange number of dimensions"),
        (b"\0\0\x08\x02\0\0", "truncated within its header"),
        (b"\0\0\x08\x01\0\0\0\0", "claims an array of 0 bytes"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "claims an array of"),
        (idx_header((3,)) + b"ab", "truncated"),
        (idx_header((3,)) + b"abcd", "longer than its header says"),
    ],
)
def test_each_fault_has_its_message(content, match):
    with pytest.raises(DataError, match=match):
        parse_idx(content)


def test_faults_of_files(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_idx(tmp_path / "absent")
    with pytest.raises(ResourceError, match="cannot be read"):
        read_idx(tmp_path)
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(idx_header((9,)) + b"abcdefghi")[:-9])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_idx(path)


def test_max_bytes_is_kept():
    content = idx_header((5,)) + bytes(5)
    assert len(parse_idx(content, max_bytes=5)) == 5
    with pytest.raises(DataError, match=r"allowed: 1\.\.4 bytes"):
        parse_idx(content, max_bytes=4)
