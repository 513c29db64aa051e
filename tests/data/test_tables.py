"""Tables: columns are taken by name, rows in order; what could mean two things is refused."""

import numpy as np
import pytest

from overparam.data import make_dataset
from overparam.data.accepted import as_dataset
from overparam.data.tables import column_names
from overparam.errors import DataError, UsageError

X = np.random.default_rng(0).normal(size=(12, 3))
Y = np.arange(12) % 2


class Table:
    """What of pandas' and polars' tables is asked for here."""

    def __init__(self, columns: dict, make=lambda columns: np.array(columns, object)) -> None:
        self.columns, self._make = list(columns), make
        self._columns = list(columns.values())

    def to_numpy(self) -> np.ndarray:
        return self._make(self._columns).T


def test_tables_and_the_column_that_holds_no_numbers():
    table = Table({"age": [31, 40], "height": [1.8, 1.7], "member": [True, False]})
    data = make_dataset(table, [0, 1])
    assert data.inputs.tolist() == [[31.0, 1.8, 1.0], [40.0, 1.7, 0.0]]
    for value in ("Rome", None, np.datetime64("2020-01-01"), "x" * 100):
        with pytest.raises(DataError, match=r"inputs are not .* column 'city' holds .*encode"):
            make_dataset(Table({"age": [31, 40], "city": [1, value]}), [0, 1])
    hidden = Table({"a": np.ma.masked_equal([1.0, 2.0], 2)}, np.ma.array)
    with pytest.raises(DataError, match="hold masked"):
        make_dataset(hidden, [0, 1])


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


@pytest.mark.parametrize("names", ["aba", [1, "b", "1"], [("a", 0), ("b", 0), ("a", 0)]])
def test_two_columns_of_one_name_are_refused_wherever_names_decide(pandas, names):
    """Taken by name, each of the two stands for both: three columns became five."""
    names = list(names)
    twice = pandas.DataFrame(X)
    twice.columns = pandas.Index(names, tupleize_cols=False)
    with_label = pandas.concat([twice, pandas.Series(Y, name="label")], axis=1)
    known = as_dataset((pandas.DataFrame(X, columns=list("abc")), Y))
    for data, like in [
        ((with_label, "label"), None),
        ((with_label, names[1]), None),
        ((with_label, names[0]), None),
        ((twice, Y), None),
        ((X, twice), None),  # two targets of one name
        ((twice, Y), known),
    ]:
        with pytest.raises(DataError, match=r"several columns of one name.*rename.*to_numpy"):
            as_dataset(data, like=like)
    np.testing.assert_array_equal(as_dataset((twice.to_numpy(), Y)).inputs, X)


@pytest.mark.parametrize(
    "names",
    [
        [0, 1, 2, 3],
        [False, True, "c", 1.5],  # a list of booleans would be a mask of rows
        [None, float("nan"), b"c", "d"],
        [("a", "u"), ("a", "v"), ("b", "u"), ("b", "v")],
        [(0, 0), (0, 1), (1, 0), (1, 1)],
        [2020, "2020-01-01", np.datetime64("2021-01-01"), ("a", 1)],
    ],
)
@pytest.mark.parametrize("levels", [True, False])
def test_a_column_may_be_called_anything(pandas, names, levels):
    """Each column in turn holds the labels; the others are the inputs, in their order."""
    for position in range(len(names)):
        frame = pandas.DataFrame(np.insert(X, position, Y, axis=1))
        frame.columns = pandas.Index(names, tupleize_cols=levels)
        data = as_dataset((frame, list(frame.columns)[position]))
        np.testing.assert_array_equal(data.inputs, X)
        np.testing.assert_array_equal(data.labels, Y)
        names_left = [str(one) for one in frame.columns]
        del names_left[position]
        assert data.columns == tuple(names_left)


def test_a_name_that_no_column_has(pandas):
    frame = pandas.DataFrame(np.c_[X, Y])
    for name in (4, "3", None, ("a", "l"), pandas.Timestamp(0)):
        with pytest.raises(UsageError, match=r"no such column of labels; .*allowed: 0, 1, 2, 3"):
            as_dataset((frame, name))
    levels = frame.set_axis(pandas.MultiIndex.from_product([["a"], list("uvwl")]), axis=1)
    for name in ("a", ("a",), ("a", "x")):
        with pytest.raises(UsageError, match=r"no such column .*\('a', 'u'\), \('a', 'v'\)"):
            as_dataset((levels, name))
    named = frame.set_axis(list("abcd"), axis=1)
    with pytest.raises(UsageError, match=r"got 4; allowed: 'a', 'b', 'c', 'd'"):
        as_dataset((named, 4))
    with pytest.raises(DataError, match=r"labels must be .*got 'a single number'"):
        as_dataset((X, 4))


def test_what_has_entries_is_labels(pandas):
    frame = pandas.DataFrame(X, columns=pandas.MultiIndex.from_tuples([(0, 0), (0, 1), (1, 1)]))
    assert as_dataset((frame.head(2), (1, 0))).labels.tolist() == [1, 0]  # no column is called so
    assert as_dataset((frame, tuple(Y))).labels.tolist() == Y.tolist()
    assert as_dataset((frame, range(12)), None).labels.flatten().tolist() == list(range(12))
    assert as_dataset((frame.head(2), (0, 1)), None).columns == ("(0, 0)", "(1, 1)")  # one is


def test_tables_of_arrow():
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"label": Y, "a": X[:, 0], "b": X[:, 1]})
    data = as_dataset((table, "label"))
    assert data.columns == ("a", "b") == column_names(table.select(["a", "b"]))
    np.testing.assert_array_equal(data.inputs, X[:, :2])
    np.testing.assert_array_equal(data.labels, Y)
    assert column_names(as_dataset((table.select(["a", "b"]), Y), like=data)) == ()


@pytest.mark.parametrize("index", [range(12), list("abcdefghijkl"), [0, 1, 2] * 4, [0, None] * 6])
def test_one_index_in_two_orders_is_refused(pandas, index):
    """By position, a shuffled table and labels that are not shuffled are noise."""
    frame, labels = pandas.DataFrame(X, index=index), pandas.Series(Y, index=index)
    order = np.random.default_rng(1).permutation(12)
    known = as_dataset((frame, labels))
    for make in (make_dataset, lambda x, y: as_dataset((x, y), like=known)):
        for x, y in ((frame.iloc[order], labels), (frame, labels.iloc[order].to_frame())):
            with pytest.raises(DataError, match=r"in different orders.*\.loc\[inputs\.index\]"):
                make(x, y)
        shuffled = make(frame.iloc[order], labels.iloc[order])
        np.testing.assert_array_equal(shuffled.labels, Y[order])
        np.testing.assert_array_equal(make(frame.iloc[order].to_numpy(), labels).labels, Y)


@pytest.mark.parametrize("index", [range(1, 13), list("abcdefghijkl"), [0] * 12])
def test_other_indexes_say_nothing(pandas, index):
    data = make_dataset(pandas.DataFrame(X), pandas.Series(Y, index=index))
    np.testing.assert_array_equal(data.labels, Y)


def test_one_order_of_one_index_may_be_written_in_two_ways(pandas):
    hours = pandas.date_range("2020", periods=12, freq="h", tz="UTC")
    missing = pandas.Index([pandas.NA, *range(11)], dtype=object)
    for one, other in ((hours, hours.tz_convert("Asia/Tokyo")), (missing, missing.astype("Int64"))):
        data = make_dataset(pandas.DataFrame(X, index=one), pandas.Series(Y, index=other))
        np.testing.assert_array_equal(data.labels, Y)
    frame = pandas.DataFrame(X, index=missing)
    with pytest.raises(DataError, match=r"in different orders; got '<NA> in a row"):
        make_dataset(frame, pandas.Series(Y, index=missing[::-1]))


def test_numbers_of_classes_do_not_stand_for_rows_of_probabilities():
    known = as_dataset((X, np.eye(3)[np.arange(12) % 3]), name="train")
    with pytest.raises(UsageError, match=r"another shape .*\[12\].*\[n, 3\].*np\.eye\(3\)\[lab"):
        as_dataset((X, np.arange(12) % 3), name="v", like=known)
    with pytest.raises(UsageError, match=r"another shape than those of 'train'; got \[12, 2\]"):
        as_dataset((X, np.eye(2)[Y]), like=known)
    assert as_dataset((X, np.eye(3, dtype=int)[Y]), like=known).n_outputs == 3
    single = as_dataset((X, X[:, 0]))
    assert as_dataset((X, Y), like=single).n_outputs == 1


def test_whole_numbers_are_floating_where_those_trained_on_are():
    known = as_dataset((X.astype(np.float16), Y))
    data = as_dataset((np.full((12, 3), 2**53 - 1), Y), like=known)
    assert data.inputs.tolist() == [[2.0**53 - 1] * 3] * 12  # exact
