"""Copies among rows are found by their values, in every form in which inputs are taken."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
import torch

import overparam as op
from overparam.data.row_keys import first_of_equal
from overparam.data.rows import as_inputs

WORDS = ["a", "b", "a", "c"]
NUMBERS = np.array([[0.0, 1.0], [2.0, np.nan], [-0.0, 1.0], [0.0, 2.0]])
FIRST = [0, 1, 0, 3]


class Opaque:
    """Equal to nothing, and not to be pickled."""

    def __reduce__(self):
        raise TypeError("it stays here")


FORMS = {
    "texts": WORDS,
    "text array": np.array(WORDS),
    "objects": np.array(WORDS, dtype=object),
    "Series": pd.Series(WORDS),
    "categories": pd.Series(pd.Categorical(WORDS)),
    "objects in two columns": np.array([[w, 1] for w in WORDS], dtype=object),
    "numbers": NUMBERS,
    "one column of numbers": NUMBERS[:, 0] + 10 * NUMBERS[:, 1],
    "images": NUMBERS.reshape(4, 1, 2),
    "tensor": torch.tensor(NUMBERS),
    "bfloat16": torch.tensor(NUMBERS).bfloat16(),
    "table": pd.DataFrame({"w": WORDS, "x": NUMBERS[:, 0], "k": [1, 2, 1, 3]}),
    "dates": pd.DataFrame({"t": pd.to_datetime(["2020", "2021", "2020", "2022"])}),
    "missing": pd.DataFrame({"w": [None, "b", None, "c"], "v": pd.array([1, None, 1, 2])}),
    "sparse": scipy.sparse.csr_matrix(np.nan_to_num(NUMBERS, nan=5.0)),
    "coordinates": scipy.sparse.coo_array(np.nan_to_num(NUMBERS, nan=5.0)),
    "dictionaries": [{"w": w, "n": [1, w]} for w in WORDS],
    "lists in cells": pd.DataFrame({"l": [[w, np.float64("nan")] for w in WORDS]}),
    "tensors in cells": pd.DataFrame({"l": [torch.tensor([ord(w)]) for w in WORDS]}),
    "objects in arrays in cells": pd.DataFrame({"l": [np.array([w, 1], object) for w in WORDS]}),
    "objects of somebody's": pd.DataFrame({"l": [slice(ord(w)) for w in WORDS]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_copies_are_found_in_every_form(form):
    assert first_of_equal(as_inputs(FORMS[form])).tolist() == FIRST


def test_long_cells_that_differ_in_the_middle_are_no_copies():
    clips = np.zeros((5, 3000))
    clips[:, 1500] = np.arange(5)
    frame = pd.DataFrame({"clip": list(clips)})
    assert first_of_equal(frame).tolist() == list(range(5))
    assert first_of_equal(clips).tolist() == list(range(5))


def test_explicit_zeros_and_the_order_of_entries_are_no_difference():
    plain = scipy.sparse.csr_matrix(np.array([[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]]))
    odd = scipy.sparse.csr_matrix(
        (np.array([2.0, 1.0, 1.0, 0.0, 2.0]), np.array([2, 0, 0, 1, 2]), np.array([0, 2, 5])),
        shape=(2, 3),
    )
    assert first_of_equal(plain).tolist() == first_of_equal(odd).tolist() == [0, 0]
    assert odd.nnz == 5  # it is as it was


def test_what_nobody_can_compare_is_no_copy():
    frame = pd.DataFrame({"l": [Opaque(), Opaque()]})
    assert first_of_equal(frame).tolist() == [0, 1]


LARGE = 2**60
COUNTS = [LARGE + 1, LARGE + 2, None, LARGE + 1, None]


@pytest.mark.parametrize(
    "column",
    [
        pd.array(COUNTS, dtype="Int64"),
        pd.array(COUNTS, dtype="UInt64"),
        pd.array(COUNTS, dtype=pd.ArrowDtype(pa.int64())),
        pd.Categorical(COUNTS),
        pa.array(COUNTS),
    ],
)
def test_large_whole_numbers_beside_missing_ones_are_exact(column):
    make = pa.table if isinstance(column, pa.Array) else pd.DataFrame
    table = make({"id": column})
    assert first_of_equal(table).tolist() == [0, 1, 2, 0, 2]
    few = make({"id": column[2:3]})  # none of which is large
    assert first_of_equal(few, table).tolist() == [0, 1, 2, 0, 1, 0]


def test_arrays_in_cells_are_compared_as_numbers():
    numbers = np.array([1, 2**40])
    cells = [
        *(numbers.astype(dtype) for dtype in (np.int64, np.uint64, np.float64)),
        np.array([1, 0], np.int8),
        np.array([True, False]),
        np.array([1, -0.0], np.float32),
        np.array([0.5, np.nan], np.float32),
        np.array([0.5, np.nan]),
        np.array([2**60 + 1, 2**63], np.uint64),
        np.array([2.0**60, 2.0**63]),
    ]
    assert first_of_equal(pd.DataFrame({"cell": cells})).tolist() == [0, 0, 0, 3, 3, 3, 6, 6, 8, 9]


def sparse_row(numbers):
    return scipy.sparse.csr_matrix(numbers)


@pytest.mark.parametrize("form", [np.array, sparse_row, pd.DataFrame])
@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (np.int64(LARGE + 1), np.uint64(LARGE + 2), False),
        (np.int64(LARGE + 1), np.uint64(LARGE + 1), True),
        (np.int64(LARGE + 1), np.float64(LARGE), False),
        (np.uint64(2**64 - 1), np.float64(2**64), False),
        (np.int64(-LARGE - 1), np.float32(-LARGE), False),
        (np.int64(-LARGE), np.float32(-LARGE), True),
    ],
)
def test_whole_numbers_are_compared_exactly_whatever_the_types(form, one, other, equal):
    rows = form(np.array([[one, 0], [4, 0]], one.dtype))
    others = form(np.array([[other, 0], [4, 0]], other.dtype))
    assert first_of_equal(rows, others).tolist() == [0, 1, 0 if equal else 2, 1]


@pytest.mark.parametrize("form", ["Series", "sparse", "texts"])
def test_an_ensemble_says_how_many_rows_are_copies(form):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    texts = [f"word{i % 20} more" for i in range(40)]
    words = CountVectorizer(token_pattern=r"\w+")
    inputs = {"Series": pd.Series(texts), "sparse": words.fit_transform(texts), "texts": texts}[
        form
    ]
    model = MultinomialNB() if form == "sparse" else make_pipeline(words, MultinomialNB())
    labels = np.arange(40) % 2
    found = op.subset_ensemble(model, inputs, labels, n_models=4, workers=0)
    assert any("20 rows have the inputs of an earlier row" in text for text in found.findings)
    together = op.subset_ensemble(
        model, inputs, labels, n_models=4, workers=0, groups=np.arange(40) % 20
    )
    assert not any("earlier row" in text for text in together.findings)
