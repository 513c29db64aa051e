"""Inputs keep their form, labels their words; rows are cut, and nothing else."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from torch.utils.data import TensorDataset

import overparam as op
from overparam.data import as_examples
from overparam.errors import DataError, UsageError

N = 12
NUMBERS = np.arange(2.0 * N).reshape(N, 2)
LABELS = np.array(["no", "yes", "no"] * 4)
FORMS = {
    "array": NUMBERS,
    "frame": pd.DataFrame({"size": NUMBERS[:, 0], "city": ["Rome", "Oslo"] * 6}),
    "sparse": scipy.sparse.coo_matrix(NUMBERS),
    "texts": [f"text {i}" for i in range(N)],
    "array of texts": np.array([f"text {i}" for i in range(N)]),
    "list of rows": NUMBERS.tolist(),
    "tensor": torch.as_tensor(NUMBERS),
    "positions": np.arange(N),
}


def told(inputs):
    """Rows of inputs as texts."""
    if hasattr(inputs, "iloc"):
        return [repr(row) for row in inputs.itertuples(index=False, name=None)]
    if hasattr(inputs, "toarray"):
        inputs = inputs.toarray()
    return [str(np.asarray(row).tolist()) for row in inputs]


@pytest.mark.parametrize("inputs", FORMS.values(), ids=FORMS)
def test_rows_of_any_form(inputs):
    examples = as_examples((inputs, LABELS))
    assert len(examples) == N
    assert examples.classes.tolist() == ["no", "yes"]
    assert examples.labels.tolist() == [0, 1, 0] * 4
    rows = np.array([3, 0, 11])
    whole, some = examples.take(), examples.take(rows)
    assert told(some) == [told(whole)[i] for i in rows]
    if hasattr(inputs, "iloc"):
        assert some.dtypes.equals(inputs.dtypes)
    assert examples.given_labels(rows).tolist() == [LABELS[i] for i in rows]
    assert as_examples(examples) is examples
    assert "12 rows" in repr(examples)


@pytest.mark.parametrize("inputs", FORMS.values(), ids=FORMS)
def test_the_fingerprint_sees_values_labels_and_forms(inputs):
    first = as_examples((inputs, LABELS)).fingerprint
    assert as_examples((inputs, LABELS.copy())).fingerprint == first
    assert as_examples((inputs, np.roll(LABELS, 1))).fingerprint != first
    other = inputs.tocsr()[::-1] if hasattr(inputs, "tocsr") else inputs
    other = list(reversed(other)) if isinstance(other, list) else other
    other = other.flip(0) if isinstance(other, torch.Tensor) else other
    other = other.iloc[::-1] if hasattr(other, "iloc") else other
    other = other[::-1] if isinstance(other, np.ndarray) else other
    assert as_examples((other, list(LABELS))).fingerprint != first


@pytest.mark.parametrize("rows", [None, np.arange(3)])
def test_what_is_given_out_cannot_change_what_was_given(rows):
    array, frame = NUMBERS.copy(), FORMS["frame"].copy()
    with pytest.raises(ValueError, match="read-only"):
        as_examples((array, LABELS)).take(rows)[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        as_examples((scipy.sparse.csr_matrix(array), LABELS)).take(rows).data[0] = 1
    taken = as_examples((frame, LABELS)).take(rows)
    taken.loc[0, "size"] = 99.0
    assert frame.equals(FORMS["frame"])
    array[0] = 5.0  # and the user's own can still be written to


@pytest.mark.parametrize(
    ("labels", "n_classes", "classes"),
    [
        ([-1, 1] * 6, op.data.labels.ASK, [-1, 1]),
        ([True, False] * 6, op.data.labels.ASK, [False, True]),
        ([3.0, 1.0] * 6, op.data.labels.ASK, [1.0, 3.0]),
        ([0, 1] * 6, 3, [0, 1, 2]),
        ([[0], [1]] * 6, 2, [0, 1]),
        (pd.Series(["b", "a"] * 6, dtype="category"), op.data.labels.ASK, ["a", "b"]),
        ([0, 1] * 6, None, None),
        (np.linspace(0, 1, N), op.data.labels.ASK, None),
        (np.linspace(0, 1, 2 * N).reshape(N, 2), op.data.labels.ASK, None),
    ],
)
def test_what_labels_are(labels, n_classes, classes):
    examples = as_examples((NUMBERS, labels), n_classes)
    if classes is None:
        assert examples.classes is None
        assert examples.labels.dtype == np.float64
        assert examples.labels.shape == (N, examples.n_outputs)
        assert np.array_equal(examples.given_labels(), np.asarray(labels))
    else:
        assert examples.classes.tolist() == classes
        assert examples.given_labels().tolist() == np.ravel(labels).tolist()


def test_the_column_of_labels_and_torch_forms():
    frame = FORMS["frame"].assign(label=LABELS)
    examples = as_examples((frame, "label"))
    assert list(examples.inputs.columns) == ["size", "city"]
    rows = TensorDataset(torch.zeros(N, 1, 2, 2), torch.arange(N) % 3)
    images = as_examples(rows)
    assert images.flat
    assert images.inputs.shape == (N, 1, 2, 2)
    assert images.classes.tolist() == [0, 1, 2]
    targets = op.make_dataset(NUMBERS, np.linspace(0, 1, N))
    assert as_examples(targets).classes is None
    assert as_examples(rows, like=images).labels.tolist() == images.labels.tolist()
    assert as_examples(targets, like=as_examples(targets)).n_outputs == 1


def test_a_set_like_another_has_its_classes():
    train = as_examples((NUMBERS, LABELS), name="train")
    test = as_examples((NUMBERS[:2], ["yes", "yes"]), name="test", like=train)
    assert test.labels.tolist() == [1, 1]
    with pytest.raises(DataError, match=r"'test' lie outside the classes of 'train'.*maybe.*no, y"):
        as_examples((NUMBERS[:2], ["yes", "maybe"]), name="test", like=train)
    one = as_examples((NUMBERS, np.linspace(0, 1, N)), name="train")
    with pytest.raises(DataError, match=r"targets of 'test' are not those.*got .2 for each row"):
        as_examples((NUMBERS, NUMBERS), name="test", like=one)


@pytest.mark.parametrize(
    ("data", "n_classes", "error", "match"),
    [
        (NUMBERS, -1, UsageError, "not a form of data that an estimator"),
        ((NUMBERS, LABELS, 1), -1, UsageError, "tuple of 3 parts"),
        ((NUMBERS, LABELS[:3]), -1, DataError, "got .12 inputs, 3 labels"),
        ((NUMBERS[:0], LABELS[:0]), -1, DataError, "have no rows"),
        ((3.0, LABELS), -1, DataError, "inputs must have rows"),
        (([[1], [1, 2]] * 6, LABELS), -1, DataError, "inputs are no array"),
        ((NUMBERS, ["no"] * N), -1, DataError, "one class; got 'no'"),
        ((NUMBERS, [None, "a"] * 6), -1, DataError, "labels hold missing"),
        ((NUMBERS, [np.nan, 1.0] * 6), -1, DataError, "labels hold missing"),
        ((NUMBERS, pd.array([None, "a"] * 6, dtype="string")), -1, DataError, "labels hold miss"),
        ((NUMBERS, np.arange(N) % 2), 0, DataError, "n_classes must be a whole number"),
        ((NUMBERS, np.array([1, "a"] * 6, dtype=object)), -1, DataError, "no order .*int, str"),
        ((NUMBERS, [1j, 2] * 6), -1, DataError, "labels must be"),
        ((NUMBERS, np.zeros((N, 2), int)), 2, DataError, r"labels of classes must be \[n\]"),
        ((NUMBERS, [0, 5] * 6), 2, DataError, r"lie outside the classes; got .0\.\.5"),
        ((np.ma.masked_equal(NUMBERS, 3), LABELS), -1, DataError, "masked"),
        ((np.zeros((60, 1)), np.arange(60) * 7), -1, DataError, "look like measured numbers"),
    ],
)
def test_what_is_refused(data, n_classes, error, match):
    with pytest.raises(error, match=match):
        as_examples(data, n_classes)
