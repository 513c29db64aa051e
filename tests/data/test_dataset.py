"""Dataset: views share inputs, and everything a user can get wrong is said."""

import numpy as np
import pytest
import torch

from overparam.data import Dataset, make_dataset
from overparam.errors import DataError


@pytest.fixture
def data() -> Dataset:
    return make_dataset(torch.arange(12.0).reshape(6, 2), [0, 1, 2, 0, 1, 2], name="six")


def test_shapes_and_counts(data):
    assert (len(data), data.input_shape, data.input_dim, data.n_outputs) == (6, (2,), 2, 3)
    images = make_dataset(torch.zeros(2, 3, 4, 5), [[0.0, 1.0], [2.0, 3.0]], None)
    assert (images.input_dim, images.n_outputs, images.n_classes) == (60, 2, None)


def test_views_share_the_inputs(data):
    view = data.subset(torch.tensor([4, 1, 1])).with_labels(torch.tensor([0, 0, 1]), "+new")
    assert view.base is data.base
    assert view.inputs.tolist() == [[8.0, 9.0], [2.0, 3.0], [2.0, 3.0]]
    assert view.labels.tolist() == [0, 0, 1]
    assert data.inputs is data.base
    assert data.head(2).labels.tolist() == [0, 1]
    assert data.head(2).name == "six[:2]"
    assert view.subset(torch.tensor([2, 0])).inputs.tolist() == [[2.0, 3.0], [8.0, 9.0]]
    regression = data.with_labels(torch.zeros(6, 1), "+targets", n_classes=None)
    assert regression.n_outputs == 1


def test_new_inputs_leave_the_old_ones(data):
    other = data.subset(torch.tensor([5, 0])).with_inputs(torch.ones(2, 7), "+ones")
    assert other.input_shape == (7,)
    assert other.labels.tolist() == [2, 0]
    assert data.input_shape == (2,)


def test_conversion():
    data = make_dataset(np.array([[1, 2], [3, 4]]), np.array([0, 1], np.uint8))
    assert (data.base.dtype, data.labels.dtype) == (torch.float32, torch.int64)
    assert make_dataset(torch.zeros(2, 1, dtype=torch.float64), [0, 1]).base.dtype == torch.float64
    assert make_dataset([[0.0], [1.0]], [0, 1], 5).n_classes == 5
    assert make_dataset([[0.0], [1.0]], [0.5, 1.0]).labels.shape == (2, 1)
    assert make_dataset([[0.0], [1.0]], [1, 1], None).labels.dtype == torch.float32


def test_fingerprint_is_of_contents_and_not_of_names(data):
    again = make_dataset(torch.arange(12.0).reshape(6, 2), [0, 1, 2, 0, 1, 2], name="other")
    assert data.fingerprint == again.fingerprint
    assert data.head(6).fingerprint == data.fingerprint
    different = [
        data.head(5),
        data.with_labels(data.labels.flip(0), ""),
        data.with_inputs(data.inputs + 1, ""),
        data.with_labels(data.labels, "", n_classes=4),
        data.with_inputs(data.inputs.double(), ""),
    ]
    assert len({data.fingerprint, *(other.fingerprint for other in different)}) == 6


@pytest.mark.parametrize(
    ("inputs", "labels", "n_classes", "match"),
    [
        ([[1.0], [float("nan")]], [0, 1], -1, r"inputs hold NaN or infinity; got '1 rows, first"),
        ([[1.0], [float("inf")]], [0, 1], -1, "inputs hold NaN or infinity"),
        ([1.0, 2.0], [0, 1], -1, r"inputs must be \[n, \*shape\]"),
        (torch.zeros(0, 3), [], -1, r"inputs must be \[n, \*shape\]"),
        ([["a"], ["b"]], [0, 1], -1, "inputs are not an array of numbers"),
        ([[1.0], [2.0]], ["a", "b"], -1, "labels are not an array of numbers"),
        ([[1.0], [2.0]], [None, 1], -1, "labels are not an array of numbers"),
        ([[1j], [2.0]], [0, 1], -1, "inputs must be real"),
        ([[1.0], [2.0]], 1, -1, "labels must be"),
        ([[1.0], [2.0]], [0, 1, 0], -1, "differ in length; got '2 inputs, 3 labels'"),
        ([[1.0], [2.0]], [0, 0], -1, "all labels are one class"),
        ([[1.0], [2.0]], [0, 2], 2, r"outside the classes; got '0\.\.2'; allowed: 0\.\.1"),
        ([[1.0], [2.0]], [-1, 1], -1, "outside the classes"),
        ([[1.0], [2.0]], [[0, 1], [1, 0]], -1, r"labels must be int64 \[n\]"),
        ([[1.0], [2.0]], [0.0, 1.0], 2, "labels of classes must be integers"),
        ([[1.0], [2.0]], [0.0, float("nan")], None, "targets of 'data' hold NaN"),
        ([[1.0], [2.0]], torch.zeros(2, 1, 1), None, r"targets must be floating \[n, k\]"),
    ],
)
def test_faults(inputs, labels, n_classes, match):
    with pytest.raises(DataError, match=match):
        make_dataset(inputs, labels, n_classes)


@pytest.mark.parametrize(
    ("index", "match"),
    [
        (torch.tensor([0, 6]), r"positions point outside 'six'; got '0\.\.6'; allowed: 0\.\.5"),
        (torch.tensor([-1]), "positions point outside"),
        (torch.tensor([], dtype=torch.int64), "at least one"),
        (torch.tensor([True] * 6), "must be int64"),
    ],
)
def test_faults_of_subsets(data, index, match):
    with pytest.raises(DataError, match=match):
        data.subset(index)


def test_faults_of_views(data):
    for n in (0, 7):
        with pytest.raises(DataError, match="does not have that many rows"):
            data.head(n)
    with pytest.raises(DataError, match="is empty"):
        Dataset(data.base, torch.tensor([], dtype=torch.int64), torch.tensor([]), 2, "none")
    with pytest.raises(DataError, match="rows must be int64"):
        Dataset(data.base, torch.tensor([0.0]), torch.tensor([0]), 2, "x")
    with pytest.raises(DataError, match="rows point outside the inputs"):
        Dataset(data.base, torch.tensor([6]), torch.tensor([0]), 2, "x")
