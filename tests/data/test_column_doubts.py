"""Columns that are not what a reader takes them for are left out, or told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from overparam.data.column_doubts import doubtful_columns, without_row_numbers
from overparam.data.table_files import as_numbers, read_table_file
from overparam.errors import DataError

TABLE = pd.DataFrame({"x": [0.5, 1.5, 2.5], "kind": ["a", "b", "a"]})


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]], ids=["sorted", "shuffled"])
def test_the_index_that_pandas_writes_is_no_input(tmp_path, order):
    TABLE.iloc[order].to_csv(tmp_path / "t.csv")
    found = read_table_file(tmp_path / "t.csv", "kind")
    assert list(found.inputs.columns) == ["x"]
    assert found.notes == ("the first column has no name and numbers the rows: it was left out",)
    TABLE.to_csv(tmp_path / "plain.csv", index=False)
    assert read_table_file(tmp_path / "plain.csv", "kind").notes == ()


@pytest.mark.parametrize(
    "table",
    [
        TABLE.assign(id=[1, 2, 3])[["id", "x", "kind"]],  # it has a name
        pd.DataFrame({"Unnamed: 0": [1, 1, 2], "x": [1, 2, 3], "kind": [0, 1, 0]}),
        pd.DataFrame({"Unnamed: 0": [0.5, 1, 2], "x": [1, 2, 3], "kind": [0, 1, 0]}),
        pd.DataFrame({"Unnamed: 0": [0, 1, 2], "kind": [0, 1, 0]}),  # nothing else is left
    ],
)
def test_other_columns_stay(table):
    found, notes = without_row_numbers(table, ["kind"])
    assert list(found.columns) == list(table.columns)
    assert notes == ()
    assert without_row_numbers(table, ["Unnamed: 0"])[1] == ()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1", "2", "?"], "read as names because of '?'"),
        (["1.5", "2", "-", "n/a", "7", "8"], "because of '-', 'n/a'"),
        (["12%", "13%"], "such as '12%'"),
        (["$12", "$13.5"], "such as '$12'"),
        (["\N{MINUS SIGN}3", "\N{MINUS SIGN}4"], "ASCII minus"),
        (["red", "blue", "3"], ""),
        (["a1", "b2"], ""),
        (["007", "008"], ""),  # codes, which stay texts
        ([1.5, np.nan], ""),
        ([None, None], ""),
    ],
)
def test_columns_of_numbers_that_are_read_as_names_are_told(values, told):
    notes = doubtful_columns(pd.DataFrame({"c": values}), ["label"])
    assert len(notes) == bool(told)
    assert all(told in note for note in notes)
    assert doubtful_columns(pd.DataFrame({"label": values}), ["label"]) == ()


@pytest.mark.parametrize("date", ["Jan 3 2020", "March 12, 2021", "3 Feb 1999", "03-Feb-99"])
def test_dates_with_names_of_months_are_dates(date):
    with pytest.raises(DataError, match=f"holds dates; got '?{date}"):
        as_numbers(pd.DataFrame({"when": [date, date]}))
