"""Tables read column by column: every kind of entry, everything that is missing, every table."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse
import torch

from overparam.data.table_columns import n_rows_of, position_of, read_column, read_columns, take
from overparam.errors import DataError, UsageError

NAN = float("nan")
DAY = 86400.0


@pytest.mark.parametrize(
    ("entries", "kind", "values"),
    [
        ([1, 2.5, None], "number", [1, 2.5, NAN]),
        ([True, False], "number", [1, 0]),
        (["1", " 2.5 ", "", "nan"], "number", [1, 2.5, NAN, NAN]),
        ([Decimal("1.5"), None], "number", [1.5, NAN]),
        (np.ma.masked_array([1, 2], [False, True]), "number", [1, NAN]),
        (pd.array([1, None], dtype="Int64"), "number", [1, NAN]),
        (pd.array([True, None], dtype="boolean"), "number", [1, NAN]),
        (np.array([1, 2], dtype="timedelta64[s]"), "number", [1e6, 2e6]),
        (torch.tensor([1.5, 2.0], dtype=torch.bfloat16), "number", [1.5, 2]),
        ([None, NAN, ""], "number", [NAN, NAN, NAN]),
        (["b", "a", None, " "], "word", [1, 0, NAN, NAN]),
        (["1", "2", "x"], "word", [0, 1, 2]),
        ([1, "a", 1], "word", [0, 1, 0]),
        ([b"a", b"b"], "word", [0, 1]),
        (pd.Categorical(["u", None, "v"]), "word", [0, NAN, 1]),
        (["1970-01-02", "1970-01-03T12:00:00", ""], "date", [DAY, 2.5 * DAY, NAN]),
        (["02.01.1970", "31.01.1970"], "date", [DAY, 30 * DAY]),
        (["01/31/1970", "01/02/1970"], "date", [30 * DAY, DAY]),
        (["01/02/1970", "02/01/1970"], "word", [0, 1]),  # days and months could be either
        ([datetime.date(1970, 1, 2), None], "date", [DAY, NAN]),
        (pd.to_datetime(["1970-01-02", None]), "date", [DAY, NAN]),
        (pd.to_datetime(["1970-01-02 01:00"]).tz_localize("Europe/Berlin"), "date", [DAY]),
        ([np.datetime64("1970-01-02"), np.datetime64("NaT")], "date", [DAY, NAN]),
    ],
)
def test_kinds_and_values(entries, kind, values):
    found = read_column("c", entries)
    assert (found.name, found.kind) == ("c", kind)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.missing, np.isnan(np.array(values, dtype=float)))


def test_words_keep_their_texts():
    assert read_column("c", ["b", "a", "b"]).levels == ("a", "b")


FRAME = pd.DataFrame({"n": [1.0, 2.0, 3.0], "w": ["x", None, "y"]})


@pytest.mark.parametrize("table", [FRAME, pyarrow.Table.from_pandas(FRAME)])
def test_tables_with_names(table):
    columns = read_columns(table)
    assert [(c.name, c.kind) for c in columns] == [("n", "number"), ("w", "word")]
    some = take(table, np.array([2, 0]), [0])
    assert (n_rows_of(some), read_columns(some)[0].values.tolist()) == (2, [3, 1])
    assert n_rows_of(take(table, None)) == 3


X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


@pytest.mark.parametrize("form", [np.array, torch.tensor, scipy.sparse.csr_array, list])
def test_tables_without_names(form):
    table = form(X.tolist() if form is list else X)
    columns = read_columns(table)
    assert [c.name for c in columns] == ["0", "1"]
    np.testing.assert_array_equal(np.stack([c.values for c in columns], 1), X)
    assert read_columns(take(table, np.array([1]), [1]))[0].values.tolist() == [4]
    assert n_rows_of(table) == 3


def test_positions():
    columns = read_columns(FRAME)
    assert position_of("w", columns) == 1
    with pytest.raises(UsageError, match="the table has no such column"):
        position_of("z", columns)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (np.zeros(3), "a table has rows and columns"),
        (np.zeros((2, 3, 4)), "a table has rows and columns"),
        (np.zeros((0, 3)), "a table has rows and columns"),
        (FRAME[:0], "a table has rows and columns"),
        ([[1, 2], [3]], "a table has rows and columns"),
        (scipy.sparse.csr_array((3, 0)), "a table has rows and columns"),
        (np.zeros((3, 2), dtype=complex), "neither numbers, dates nor words"),
        (pd.concat([FRAME, FRAME], axis=1), "several columns of one name"),
    ],
)
def test_wrong_tables(table, words):
    with pytest.raises(DataError, match=words):
        read_columns(table)


def test_a_column_of_many_axes():
    with pytest.raises(DataError, match="c must have one entry for each row"):
        read_column("c", X)
