"""Subsets of an ensemble: balanced over rows and models, and the same when it is extended."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overparam.data.subsets import draw_subsets, models_until_balanced
from overparam.errors import DataError, UsageError
from overparam.streams import Streams

RATIOS = [0.7, 0.5, 0.9, 0.1, 1 / 3, 0.632, 0.55, 0.4999, 0.95123, 0.99, 0.02]
ratios = st.one_of(st.sampled_from(RATIOS), st.floats(0.01, 0.99))


@settings(max_examples=60, deadline=None)
@given(ratios, st.integers(100, 300), st.integers(0, 9), st.data())
def test_every_row_is_in_and_out_of_some_of_the_first_models(ratio, n_rows, seed, data):
    least = models_until_balanced(ratio)
    n_models = data.draw(st.integers(least, 3 * least))
    subsets = draw_subsets(n_models, n_rows, ratio, Streams(seed))
    assert subsets.any(1).all()
    first = subsets[:least]
    assert first.any(0).all()
    assert not first.all(0).any()


@pytest.mark.parametrize("ratio", RATIOS)
def test_rows_and_models_have_their_share(ratio):
    n_rows, n_models = 2000, 300
    subsets = draw_subsets(n_models, n_rows, ratio, Streams(3))
    assert subsets.mean() == pytest.approx(ratio, abs=2e-3)
    # Rounds of at most a hundred models; of 2,000 rows all but the last hand are dealt evenly.
    most = 100 if ratio in (0.99, 0.02) else 25
    assert np.abs(subsets.sum(1) - ratio * n_rows).max() <= most
    in_how_many = subsets.sum(0) / n_models
    assert np.abs(in_how_many - ratio).max() < 0.05


def test_at_seven_tenths_all_is_exact():
    subsets = draw_subsets(40, 1000, 0.7, Streams(0))
    assert set(subsets.sum(0)) == {28}
    assert set(subsets.sum(1)) == {700}
    assert models_until_balanced(0.7) == 4


@settings(max_examples=30, deadline=None)
@given(ratios, st.integers(1, 40), st.integers(0, 40), st.integers(100, 160))
def test_a_larger_ensemble_begins_with_the_smaller(ratio, few, more, n_rows):
    small = draw_subsets(few, n_rows, ratio, Streams(1))
    large = draw_subsets(few + more, n_rows, ratio, Streams(1))
    assert np.array_equal(small, large[:few])


def test_rows_are_paired_no_more_than_by_chance():
    """Rows that are always in together could not be told apart by what the models say."""
    subsets = draw_subsets(1000, 200, 0.7, Streams(0)).astype(float)
    between = np.corrcoef(subsets.T)[np.triu_indices(200, 1)]
    # Independent subsets: 1 / sqrt(1000) = 0.0316. A balanced row has 7 of every 10: sqrt(10/9).
    assert between.std() < 1.15 / np.sqrt(1000)
    assert np.abs(between).max() < 0.2


def test_classes_are_in_every_model_by_their_share():
    classes = np.repeat(["a", "b", "c"], [600, 90, 10])
    subsets = draw_subsets(20, 700, 0.7, Streams(0), classes=classes)
    for name, share in (("a", 420), ("b", 63), ("c", 7)):
        assert set(subsets[:, classes == name].sum(1)) == {share}


@settings(max_examples=40, deadline=None)
@given(ratios, st.integers(100, 300), st.integers(2, 30), st.integers(0, 9))
def test_sizes_and_shares_of_classes_differ_by_one_at_most(ratio, n_rows, n_classes, seed):
    classes = np.random.default_rng(seed).integers(0, n_classes, n_rows)
    least = models_until_balanced(ratio)
    n_models = max(45, least)
    subsets = draw_subsets(n_models, n_rows, ratio, Streams(seed), classes=classes)
    assert np.ptp(subsets.sum(1)) <= 1
    for name in np.unique(classes):
        assert np.ptp(subsets[:, classes == name].sum(1)) <= 1
    assert subsets[:least].any(0).all()
    assert not subsets[:least].all(0).any()
    fewer = draw_subsets(n_models // 2, n_rows, ratio, Streams(seed), classes=classes)
    assert np.array_equal(fewer, subsets[: n_models // 2])


def test_few_rows_of_a_class_are_shared_out_evenly():
    subsets = draw_subsets(40, 60, 0.55, Streams(0), classes=np.arange(60) % 10)
    assert set(subsets.sum(1)) == {33}
    assert set(subsets.sum(0)) == {22}
    assert {int(n) for k in range(10) for n in subsets[:, k::10].sum(1)} == {3, 4}


def test_rows_of_a_class_are_paired_no_more_than_by_chance():
    classes = np.arange(200) % 7
    subsets = draw_subsets(1000, 200, 0.7, Streams(0), classes=classes).astype(float)
    between = np.corrcoef(subsets.T)[np.triu_indices(200, 1)]
    assert between.std() < 1.15 / np.sqrt(1000)
    assert np.abs(between).max() < 0.2


def test_groups_are_in_or_out_together():
    groups = np.random.default_rng(0).integers(0, 40, 300)
    subsets = draw_subsets(30, 300, 0.7, Streams(0), groups=groups, classes=groups % 2)
    for group in np.unique(groups):
        own = subsets[:, groups == group]
        assert (own == own[:, :1]).all()
    per_model = [len(set(groups[row])) for row in subsets]
    assert set(per_model) == {28}


def test_a_group_belongs_to_the_class_of_most_of_its_rows():
    groups = np.repeat(np.arange(20), 5)
    classes = np.repeat(np.arange(20) < 10, 5).astype(int)
    classes[::5] = 1 - classes[::5]  # one row of each group is of the other class
    subsets = draw_subsets(10, 100, 0.7, Streams(0), classes=classes, groups=groups)
    of_groups = subsets[:, ::5]
    assert set(of_groups[:, :10].sum(1)) == set(of_groups[:, 10:].sum(1)) == {7}


@pytest.mark.parametrize("ratio", [0, 1, 0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_ratio_that_leaves_nothing_in_or_out_is_refused(ratio):
    for ask in (
        lambda: draw_subsets(4, 10, ratio, Streams(0)),
        lambda: models_until_balanced(ratio),
    ):
        with pytest.raises(UsageError, match="ratio"):
            ask()


@pytest.mark.parametrize("name", ["classes", "groups"])
def test_what_belongs_to_other_rows_is_refused(name):
    with pytest.raises(DataError, match=rf"{name} do not fit the rows; got \[9\]; allowed: \[10\]"):
        draw_subsets(4, 10, 0.7, Streams(0), **{name: np.zeros(9)})


@pytest.mark.parametrize("values", [np.zeros((10, 2)), 5, torch.zeros(10, 2), torch.tensor(5)])
@pytest.mark.parametrize("name", ["classes", "groups"])
def test_several_values_a_row_are_refused(name, values):
    with pytest.raises(DataError, match=f"{name} must be one value for each row"):
        draw_subsets(4, 10, 0.7, Streams(0), **{name: values})


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
@pytest.mark.parametrize("name", ["classes", "groups"])
def test_what_is_missing_is_no_value(name, missing):
    with pytest.raises(DataError, match=f"{name} are missing in places; got '3 of 10"):
        draw_subsets(4, 10, 0.7, Streams(0), **{name: ["a"] * 7 + [missing] * 3})


def test_values_are_what_they_are():
    groups = [1] * 30 + ["1"] * 30 + [2.5] * 30 + [("a", 1)] * 30
    subsets = draw_subsets(20, 120, 0.5, Streams(0), groups=groups)
    assert len({tuple(s) for s in subsets[:, ::30].T}) > 1
    with pytest.raises(DataError, match="groups must be one value for each row; got 'list'"):
        draw_subsets(4, 2, 0.7, Streams(0), groups=[[1], [2]])


@pytest.mark.parametrize("ratio", [0.001, 0.0037, 0.999])
def test_ratios_near_the_ends_need_little_memory(ratio):
    subsets = draw_subsets(5, 3000, ratio, Streams(0))
    assert subsets.mean() == pytest.approx(ratio, abs=1e-3)


@pytest.mark.parametrize("settings", [{"groups": [0] * 60}, {}])
def test_a_model_without_rows_is_refused(settings):
    ratio = 0.7 if settings else 0.01
    with pytest.raises(UsageError, match="trained on no row"):
        draw_subsets(3, 60, ratio, Streams(0), **settings)


@pytest.mark.parametrize(("n_models", "n_rows"), [(0, 10), (4, 0)])
def test_no_models_and_no_rows_are_refused(n_models, n_rows):
    with pytest.raises(UsageError, match=r"n_(models|rows)"):
        draw_subsets(n_models, n_rows, 0.7, Streams(0))
