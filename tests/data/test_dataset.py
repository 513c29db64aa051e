"""Dataset: views share inputs, and everything a user can get wrong is said."""

import numpy as np
import pytest
import scipy.sparse
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
    assert data.inputs.data_ptr() == data.base.data_ptr()
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
    data = make_dataset(np.array([[1, 2], [3, 4]], np.uint8), np.array([0, 1], np.uint8))
    assert (data.base.dtype, data.labels.dtype) == (torch.float32, torch.int64)
    assert make_dataset([[True], [False]], [0, 1]).base.dtype == torch.float32
    assert make_dataset(torch.zeros(2, 1, dtype=torch.float64), [0, 1]).base.dtype == torch.float64
    assert make_dataset([[0.0], [1.0]], [0, 1], 5).n_classes == 5
    assert make_dataset([[0.0], [1.0]], [0.5, 1.0]).labels.shape == (2, 1)
    assert make_dataset([[0.0], [1.0]], [1, 1], None).labels.dtype == torch.float64
    assert make_dataset([[0], [1]], [0.1, 1.0], None).labels.dtype == torch.float64


# How labels are read


@pytest.mark.parametrize("n_classes", [-1, 4])
@pytest.mark.parametrize(
    "labels",
    [[1, 2, 3] * 9, [1.0, 2.0, 3.0] * 9, np.array([[1], [2], [3]] * 9), np.float64([1, 2, 3] * 9)],
)
def test_whole_numbers_are_classes_and_an_empty_one_is_noted(labels, n_classes):
    data = make_dataset(torch.zeros(27, 2), labels, n_classes)
    assert (data.labels.dtype, data.labels.shape, data.n_classes) == (torch.int64, (27,), 4)
    assert "class 0 has no rows (of 4 classes" in repr(data)
    floating = torch.as_tensor(labels).is_floating_point() and n_classes == -1
    assert ("taken as 4 classes; give n_classes=None" in repr(data)) == floating
    assert data.head(3).notes == data.notes
    assert data.with_labels(torch.arange(27) % 4, "+all").notes == ()


def test_targets_are_not_rounded_to_the_half_precision_of_the_inputs():
    data = make_dataset(torch.zeros(2, 1, dtype=torch.float16), [2049, 0.1], None)
    assert (data.base.dtype, data.labels.dtype) == (torch.float16, torch.float32)
    assert data.labels[0, 0] == 2049


def test_booleans_are_two_classes():
    data = make_dataset(torch.zeros(4, 1), np.array([True, False, False, True]))
    assert (data.labels.tolist(), data.n_classes, data.notes) == ([1, 0, 0, 1], 2, ())


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (np.linspace(0, 1, 40), ""),
        (np.arange(40) % 30 * 1.0, "taken as targets of regression; give n_classes"),
        (np.arange(40) % 2 * 2.0 - 1, "taken as targets of regression"),
        (np.arange(40) * 1.0, "taken as targets of regression"),
        (np.ones((40, 2)), ""),
    ],
)
def test_other_floating_numbers_are_targets(labels, note):
    data = make_dataset(torch.zeros(40, 2), labels)
    assert (data.n_classes, data.labels.dtype, data.labels.ndim) == (None, torch.float32, 2)
    assert note in repr(data)
    assert bool(data.notes) == bool(note)


def test_measured_integers_are_not_taken_for_classes():
    """The diabetes task: 442 whole targets up to 346, of which 214 differ."""
    targets = np.random.default_rng(0).normal(150, 77, 442).clip(25, 346).astype(int)
    inputs = torch.zeros(442, 3)
    with pytest.raises(DataError, match=r"look like measured .*n_classes=None for regression, or"):
        make_dataset(inputs, targets)
    with pytest.raises(DataError, match="look like measured numbers"):
        make_dataset(torch.zeros(4000, 1), np.arange(4000) % 2 * 100)  # two of 101
    assert make_dataset(inputs, targets, None).labels.shape == (442, 1)
    assert make_dataset(inputs, targets, np.int64(347)).n_classes == 347
    hundred = make_dataset(torch.zeros(2000, 1), np.arange(2000) % 100)
    assert (hundred.n_classes, len(hundred.notes)) == (100, 1)
    assert "taken as 100 classes" in hundred.notes[0]
    many_empty = make_dataset(torch.zeros(2, 1), [0, 1], 30)
    assert "28 classes (2, 3, 4, 5, 6, ...) have no rows" in many_empty.notes[0]


def test_one_class_is_accepted_where_the_classes_are_named():
    data = make_dataset(torch.zeros(5, 2), [1] * 5, 2)
    assert (data.n_classes, data.labels.tolist()) == (2, [1] * 5)
    assert len(make_dataset(torch.zeros(1, 2), [1.0], 2)) == 1


# What is changed later


def test_labels_are_copies_of_what_was_given():
    for labels in (torch.arange(6) % 3, np.arange(6) % 3, np.linspace(0, 1, 6, dtype=np.float32)):
        data = make_dataset(torch.zeros(6, 2), labels)
        before = data.labels.clone()
        labels[0] = 99
        torch.testing.assert_close(data.labels, before)


def test_a_set_changed_in_place_is_found_by_its_check_and_its_fingerprint(data):
    fingerprint = data.fingerprint
    data.labels[0] = 10**6
    with pytest.raises(DataError, match=r"outside the classes; got '0\.\.1000000'"):
        data.check()
    assert data.fingerprint != fingerprint
    data.labels[0] = 0
    data.check()
    assert data.fingerprint == fingerprint
    data.base[3, 1] += 1
    assert data.fingerprint != fingerprint


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
        ([1.0, 2.0], [0, 1], -1, r"inputs must be \[n, \*shape\].*inputs\[:, None\]"),
        (torch.zeros(0, 3), [], -1, r"inputs must be \[n, \*shape\]"),
        ([["a"], ["b"]], [0, 1], -1, "inputs are not an array of numbers"),
        ([[1.0], [2.0]], ["a", "b"], -1, r"labels are not an array of numbers.*np\.unique"),
        ([[2**70], [1]], [0, 1], -1, r"inputs are not .* some need more than 64 bits"),
        (np.array([[2**63]], np.uint64), [0], 2, r"inputs are not .* needs more than 64 bits"),
        ([[1.0], [2.0]], [None, 1], -1, "labels are not an array of numbers"),
        ([[1j], [2.0]], [0, 1], -1, "inputs must be real"),
        ([[1.0], [2.0]], 1, -1, "labels must be"),
        ([[1.0], [2.0]], [0, 1, 0], -1, "differ in length; got '2 inputs, 3 labels'"),
        ([[1.0], [2.0]], [0, 0], -1, "all labels are one class"),
        ([[1.0], [2.0]], [0, 2], 2, r"outside the classes; got '0\.\.2'; allowed: 0\.\.1"),
        ([[1.0], [2.0]], [-1, 1], -1, "outside the classes"),
        ([[1.0], [2.0]], [[0, 1], [1, 0]], -1, r"labels must be int64 \[n\].*argmax"),
        ([[1.0], [2.0]], [[0, 1], [1, 0]], 2, r"labels must be int64 \[n\]"),
        ([[1.0], [2.0]], [0.0, 0.5], 2, "labels of classes must be integers"),
        ([[1.0], [2.0]], [[0.0, 1.0], [1.0, 0.0]], 2, r"of classes must be integers.*argmax\(1\)"),
        ([[1.0], [2.0]], [0, 1], 2.5, "n_classes must be a whole number of at least 1"),
        ([[1.0], [2.0]], [0, 1], 0, "n_classes must be a whole number of at least 1"),
        ([[1.0], [2.0]], [True, True], -1, "all labels are one class"),
        ([[1.0], [2.0]], [[1, 2], [3]], -1, "labels are not an array of numbers"),
        ([[1.0], [2.0]], [torch.zeros(1), torch.zeros(2)], -1, "labels are not an array"),
        (np.ma.masked_equal([[1.0], [2.0]], 2), [0, 1], -1, r"inputs hold masked.*\.filled\("),
        ([np.ma.masked_equal([1.0], 1), [2.0]], [0, 1], -1, r"inputs hold masked.*'1 masked'"),
        ([[1.0], [2.0]], np.ma.masked_equal([0, 1], 1), -1, "labels hold masked values"),
        ([[1.0], [2.0]], [np.ma.masked, 1.0], None, "labels hold masked values"),
        (np.array([[1], [2]], "m8[s]"), [0, 1], -1, "holds np.timedelta64"),
        ([[1.0], [2.0]], np.array([1, 2], "m8[D]"), -1, "labels are not .*timedelta64"),
        (np.zeros((2, 1), "M8[s]"), [0, 1], -1, "inputs are not an array of numbers"),
        (np.zeros(2, [("a", float)]), [0, 1], -1, "inputs are not an array of numbers"),
        (scipy.sparse.eye(2), [0, 1], -1, r"inputs are sparse.*toarray"),
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


def test_a_set_has_no_gradient_whatever_is_done_with_its_inputs():
    data = make_dataset([[0.0], [1.0]], [[0.0], [0.5]], None)
    data.inputs.requires_grad_()
    assert not data.base.requires_grad
    base, labels = data.base.clone().requires_grad_(), data.labels.clone().requires_grad_()
    made = Dataset(base, data.rows, labels, None, "with gradients")
    assert not made.base.requires_grad
    assert not made.labels.requires_grad
    assert base.requires_grad  # the owner's is as it was


@pytest.mark.parametrize("n", [1, 3])
def test_a_column_is_the_same_however_it_was_made(n):
    inputs, y = np.zeros((n, 2)), np.arange(n) + 0.5
    one, other = (make_dataset(inputs, t, None) for t in (y[:, None], y.reshape(-1, 1).copy()))
    assert (one.origin, one.fingerprint) == (other.origin, other.fingerprint)
    assert one.label_shape == (1,)
