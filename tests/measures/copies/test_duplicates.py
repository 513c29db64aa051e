"""Exact copies: brute force in every form, two sets, groups, bad input."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.datasets import load_iris

from overparam.errors import DataError, UsageError
from overparam.measures import find_duplicates, group_of_rows


def test_the_pair_of_iris():
    found = find_duplicates(load_iris().data)
    assert [rows.tolist() for rows in found.sets] == [[101, 142]]
    assert np.flatnonzero(found.is_copy).tolist() == [142]
    assert found.group_of_other is None


def mixed(rng, n):
    return pd.DataFrame(
        {
            "x": rng.choice([0.0, 1.5, np.nan], n),
            "word": rng.choice(np.array(["a", "b", None], dtype=object), n),
            "k": rng.integers(2, size=n),
            "kind": pd.Categorical(rng.choice(["u", "v"], n)),
        }
    )


def test_mixed_tables_with_missing_values_as_pandas_finds_them():
    rng = np.random.default_rng(0)
    one, other = mixed(rng, 60), mixed(rng, 40)
    found = find_duplicates(one, other)
    stacked = pd.concat([one, other.astype({"k": float})], ignore_index=True)
    assert (found.is_copy == one.duplicated()).all()
    expected = stacked.groupby(list(one.columns), dropna=False, observed=True).ngroup()
    group = np.r_[found.group, found.group_of_other]
    assert ((group[:, None] == group) == (expected.values[:, None] == expected.values)).all()
    assert 0 < found.is_in_first.sum() < 40


FORMS = {
    "numbers": (np.array([[1, 2], [3, 4]]), np.array([[3.0, 4.0], [1.0, 5.0]])),
    "long rows": (np.arange(400).reshape(2, 200), np.arange(200.0, 600).reshape(2, 200)),
    "images": (np.arange(8).reshape(2, 1, 2, 2), np.arange(4, 12).reshape(2, 1, 2, 2)),
    "texts": (["a", "b"], ["b", "c"]),
    "text arrays": (np.array(["a", "b"]), np.array(["b", "long"])),
    "objects": (np.array([["a", 1], ["b", 2]], object), np.array([["b", 2.0], ["a", 2]], object)),
    "sparse": (scipy.sparse.csr_matrix([[1, 0], [0, 2]]), scipy.sparse.coo_array([[0, 2], [2, 0]])),
}


@pytest.mark.parametrize("form", FORMS)
def test_between_two_sets(form):
    found = find_duplicates(*FORMS[form])
    assert found.is_in_first.tolist() == [True, False]
    assert found.group_of_other.tolist() == [1, 3]


def test_a_number_and_its_text_are_no_copies():
    found = find_duplicates(np.array([[1], [2]]), np.array([["1"], ["2"]]))
    assert not found.is_in_first.any()
    tables = pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": ["1", "2"]})
    assert not find_duplicates(*tables).is_in_first.any()


def test_lists_are_compared_value_by_value():
    found = find_duplicates([[1, "a"], [1.0, "a"], ["1", "a"], [2, "b"]], [[1, "b"], [True, "a"]])
    assert found.group.tolist() == [0, 0, 2, 3]
    assert found.group_of_other.tolist() == [4, 0]
    large = [[2**60 + 1, 0.5], [2**60 + 2, 0.5], [2**60 + 1, 0.5]]
    assert find_duplicates(large).group.tolist() == [0, 1, 0]


def test_groups_join_what_any_grouping_holds_together():
    rng = np.random.default_rng(1)
    one, other = rng.integers(40, size=50), rng.integers(40, size=50)
    group = group_of_rows(one, [f"patient {i}" for i in other])
    together = (one[:, None] == one) | (other[:, None] == other)
    for _ in range(6):  # what a chain of up to 64 links joins
        together = together @ together
    assert ((group[:, None] == group) == together).all()
    assert (group == [np.flatnonzero(row)[0] for row in together]).all()
    np.testing.assert_array_equal(group_of_rows(find_duplicates(one)), find_duplicates(one).group)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ([], None, "inputs hold no rows"),
        (["a"], [], "other hold no rows"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), None, "inputs hold masked values"),
        (np.zeros((2, 3)), np.zeros((2, 4)), "two sets of rows are not of one form"),
        (np.zeros((2, 3)), scipy.sparse.eye_array(3), "two sets of rows are not of one form"),
        (["a"], pd.DataFrame({"a": ["a"]}), "two sets of rows are not of one form"),
        (scipy.sparse.eye_array(3), scipy.sparse.eye_array(4), "not of one form"),
    ],
)
def test_wrong_rows(one, other, words):
    with pytest.raises(DataError, match=words):
        find_duplicates(one, other)


def test_other_columns():
    with pytest.raises(UsageError, match="column"):
        find_duplicates(pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}))


def test_one_set_has_no_other():
    with pytest.raises(DataError, match="there is no other set"):
        _ = find_duplicates(["a"]).is_in_first


@pytest.mark.parametrize(
    ("groupings", "words"),
    [
        ((), "there is nothing to group by"),
        ((3,), "groups must be one value for each row"),
        (([1, 2], [1]), "groups do not fit the rows"),
        (([1, None],), "groups are missing in places"),
    ],
)
def test_wrong_groups(groupings, words):
    with pytest.raises(DataError, match=words):
        group_of_rows(*groupings)


def test_one_index_in_two_orders():
    patients = pd.Series(["x", "y", "y"])
    with pytest.raises(DataError, match="grouping 1 and grouping 3 have the same index in diff"):
        group_of_rows(patients, [1, 2, 3], patients[::-1])
