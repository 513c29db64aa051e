"""What a CSV file says and numbers would not: codes stay texts, commas and dates are refused."""

import numpy as np
import pandas as pd
import pytest

from overparam.data.table_files import as_numbers, read_table_file
from overparam.errors import DataError


def read(tmp_path, target="y", groups=None, **columns):
    lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return read_table_file(tmp_path / "t.csv", target, groups=groups)


X = ["0.5", "-0.25", "10"]


@pytest.mark.parametrize(
    "written",
    [
        ["007", "7", "8"],
        ["-01", "2", "3"],
        ["00123", "", "124"],  # one is missing
        ["9007199254740993", "9007199254740992", ""],
    ],
)
def test_codes_of_inputs_stay_texts(tmp_path, written):
    X_, _, notes = read(tmp_path, x=X, code=written, y=["a", "b", "a"])
    assert [v if isinstance(v, str) else "" for v in X_["code"]] == written
    assert X_["x"].dtype == np.float64
    assert notes == ("column 'code': kept as texts, which numbers would have merged or changed",)


def test_whole_numbers_of_any_size_are_told_apart(tmp_path):
    written = ["12345678901234567890123", "12345678901234567890124", "1"]
    table = read(tmp_path, x=X, code=written, y=written)
    assert list(map(str, table.inputs["code"])) == list(map(str, table.labels)) == written


@pytest.mark.parametrize(
    "written",
    [["1", "01", "2"], ["1", "1.0", "2"], ["1.1", "1.10", "2"], [" 01", "2", "3"]],
)
def test_labels_and_groups_that_would_merge_stay_texts(tmp_path, written):
    table = read(tmp_path, groups="g", x=X, g=written, y=written)
    assert list(table.labels) == [v.strip() for v in written]
    assert list(table.inputs["g"]) == [v.strip() for v in written]
    assert table.notes[0].startswith("columns 'g', 'y': kept as texts")


@pytest.mark.parametrize(
    "written",
    [["1.5", "1.50", "2"], ["0", "0.5", "-0.1"], ["1e3", "1000.0", "5"], ["1", "2", "1"]],
)
def test_numbers_are_numbers(tmp_path, written):
    table = read(tmp_path, x=written, y=["1", "0", "1"])
    np.testing.assert_array_equal(table.inputs["x"], [float(v) for v in written])
    assert table.labels.tolist() == [1, 0, 1]
    assert table.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n01,0.5,a\n02,1.5,b\n",  # an index without a name
        "y,x,z\na,0,0.5,\nb,1,1.5,\n",  # a separator at the end
        "\n\ufeffx,y\n\n1,2,3\n",
    ],
)
def test_more_cells_than_names_shift_nothing(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match="more cells than the header has names; got"):
        read_table_file(tmp_path / "t.csv", "y")


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("y,x,y\na,0,p\nb,1,q\n")
    with pytest.raises(DataError, match=r"several columns of one name; got .*'y'"):
        read_table_file(tmp_path / "t.csv", "y")


def test_labels_as_they_are_written(tmp_path):
    for written in (["True", "TRUE", "False"], ["NA", "None", "US"], ["NA", "01", "1x"]):
        table = read(tmp_path, x=X, y=written)
        assert list(table.labels) == written
        assert table.notes
    assert read(tmp_path, x=X, y=["True", "False", "True"]).labels.dtype == bool
    table = read(tmp_path, x=X, y=["NA", "US", "US"])
    assert table.notes == ("column 'y': 'NA' is a name there, not a missing one",)
    for written in (["1", "NA", "2"], ["a", "", "b"]):  # a number is missing, and a text
        assert read(tmp_path, x=X, y=written).labels.isna().tolist() == [False, True, False]


def test_a_file_that_is_no_csv_is_told_by_its_reader(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "1" * 200_000 + ",a\n")
    assert len(read_table_file(tmp_path / "t.csv", "y").labels) == 1


def test_commas_and_dates_are_no_names():
    with pytest.raises(DataError, match="column 'x' holds numbers with a comma; got '-0,5'"):
        as_numbers(pd.DataFrame({"x": ["1", "-0,5", "2"]}))
    for dates in (["2020-01-02", "2020-01-03 10:00"], ["1.2.2020", "13.2.2020"], ["1/2/20"]):
        with pytest.raises(DataError, match="column 'x' holds dates"):
            as_numbers(pd.DataFrame({"x": dates}))
    with pytest.raises(DataError, match="column 'x' holds dates"):
        as_numbers(pd.DataFrame({"x": pd.to_datetime(["2020-01-02", "2021-01-02"])}))
    assert as_numbers(pd.DataFrame({"x": ["a,b", "1,5"]})).shape == (2, 2)


def test_numbers_with_a_mask_are_numbers():
    frame = pd.DataFrame(
        {"k": pd.array([1, None, 3], "Int64"), "f": [0.5, 1, 2], "b": [True, False, True]}
    )
    found = as_numbers(frame)
    np.testing.assert_array_equal(found, [[1, 0.5, 1], [np.nan, 1, 0], [3, 2, 1]])


def test_labels_with_a_comma_are_no_classes(tmp_path):
    pd.DataFrame({"x": [1, 2], "y": ["1,5", "2,5"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="column 'y' holds numbers with a comma"):
        read_table_file(tmp_path / "t.csv", "y")
