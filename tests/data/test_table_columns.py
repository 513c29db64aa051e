"""Tables read column by column: every kind of entry, everything that is missing, every table."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse
import torch

from overparam.data.table_columns import n_rows_of, positions_of, read_column, read_columns, take
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


BIG, NS = 2**60, np.datetime64("2026-01-01T00:00:00", "ns")
NOT_HELD = [
    (np.arange(4) + BIG, "number"),
    (np.arange(4, dtype=np.uint64) + np.uint64(2**63), "number"),
    ([BIG, BIG + 1, BIG + 2, BIG + 3], "number"),
    ([BIG, None, BIG + 1, -BIG], "number"),
    ([BIG, 0.5, BIG + 1, 2], "number"),
    (pd.Series([BIG, None, BIG + 1, 7], dtype="Int64"), "number"),
    (pyarrow.chunked_array([[BIG, None, BIG + 1, 7]]), "number"),
    (torch.arange(4) + BIG, "number"),
    ([Decimal("1." + "0" * 20 + "1"), Decimal(1), None, Decimal(2)], "number"),
    ([Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**20), 1, 0], "number"),
    ([str(10**18 + i) for i in range(4)], "word"),
    (["9" * 1024, "9" * 1023 + "8", "1", ""], "word"),
    (["1e400", "1e401", "2", "3"], "word"),
    ([10**400, 10**400 + 1, 1, None], "word"),
    ([Fraction(10**400), 1, 2, 3], "word"),
    ([Decimal("1e400"), Decimal("1e401"), 1, 2], "word"),
    (NS + 100 * np.arange(4).astype("timedelta64[ns]"), "date"),
    (pd.Series(NS + 100 * np.arange(4).astype("timedelta64[ns]")).astype(object), "date"),
    (pd.Series(NS + 100 * np.arange(4).astype("timedelta64[ns]")).dt.tz_localize("CET"), "date"),
    ([f"2026-01-01T00:00:00.{i:09}" for i in range(4)], "date"),
    ([f"2026-01-01T00:00:00.{i:012}" for i in range(4)], "word"),
    ([NS, np.datetime64("NaT"), NS + np.timedelta64(1, "ns"), NS], "date"),
    (np.datetime64("9000-01-01", "us") + np.arange(4).astype("timedelta64[us]"), "date"),
    (np.array([10**16, 10**16 + 1, 0, 1], dtype="timedelta64[ns]"), "number"),
]


@pytest.mark.parametrize(("entries", "kind"), NOT_HELD)
def test_entries_that_float64_would_merge_stay_apart(entries, kind):
    found = read_column("c", entries)
    assert found.kind == kind
    there = found.values[~found.missing]
    # As Python has them, which compares exactly: what is equal, and what is less.
    given = getattr(entries, "to_pylist", getattr(entries, "tolist", lambda: entries))()
    exact = [given[i] for i in np.flatnonzero(~found.missing)]
    assert len(np.unique(there)) == len(set(exact))
    if kind != "word":
        assert [exact[i] for i in np.argsort(there)] == sorted(exact)


def test_levels_are_the_exact_entries():
    found = read_column("c", [BIG + 1, None, BIG])
    assert found.levels == (BIG, BIG + 1)
    np.testing.assert_array_equal(found.values, [1, NAN, 0])
    found = read_column("c", np.array([NS, NS + np.timedelta64(100, "ns")]))
    assert found.levels[1] - found.levels[0] == Fraction(1, 10**7)
    assert float(found.levels[0]) == read_column("c", ["2026-01-01"]).values[0]


@pytest.mark.parametrize(
    ("entries", "values"),
    [
        ([0, BIG + 1], [0, BIG]),  # rounded as any size is
        (np.array([0, 2**63 - 1]), [0, 2**63]),
        (["0.10000000000000000001", "1e300", "-inf"], [0.1, 1e300, -np.inf]),
        ([Decimal("sNaN"), Decimal("Infinity")], [NAN, np.inf]),
        (["9007199254740992", "1"], [2**53, 1]),
        (np.array([1, "NaT"], dtype="timedelta64[Y]"), [365.2425 * DAY * 1e6, NAN]),
        (np.array([1500, 1], dtype="timedelta64[ns]"), [1.5, 0.001]),
    ],
)
def test_sizes_are_kept_where_nothing_is_merged(entries, values):
    found = read_column("c", entries)
    assert (found.kind, found.levels) == ("number", ())
    np.testing.assert_array_equal(found.values, values)


def test_a_number_that_cannot_be_written():
    with pytest.raises(DataError, match="too many digits to be written"):
        read_column("c", [10**5000, 1])


def test_the_first_day_in_a_zone_of_the_east():
    zone = datetime.timezone(datetime.timedelta(hours=14))
    found = read_column("c", [datetime.datetime(1, 1, 1, tzinfo=zone), datetime.date(1, 1, 1)])
    assert found.values[1] - found.values[0] == 14 * 3600


def test_arrays_as_entries_are_told_apart_in_their_middle():
    arrays = pd.Series([np.zeros(5000), np.r_[np.zeros(2500), 1, np.zeros(2499)]])
    assert len(read_column("c", arrays).levels) == 2


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


@pytest.mark.parametrize(
    ("names", "found"),
    [("w", {1}), (["w", "n"], {0, 1}), (1, {1}), ([np.int64(0), "w"], {0, 1}), (iter("n"), {0})],
)
def test_positions(names, found):
    assert positions_of(names, read_columns(FRAME)) == found


@pytest.mark.parametrize("names", ["z", "nw", ["1"], [2], [-1], [True], 0.5])
def test_no_such_columns(names):
    with pytest.raises(
        UsageError, match=r"the table has no such column.*n, w, or positions up to 1"
    ):
        positions_of(names, read_columns(FRAME))


def test_names_come_before_positions():
    columns = read_columns(FRAME.set_axis([1, 0], axis=1))
    assert positions_of([1], columns) == {0}
    columns = read_columns(FRAME.set_axis([("a", 1), ("b", 1)], axis=1))
    assert positions_of(("b", 1), columns) == {1}


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
