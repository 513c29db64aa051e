"""Order of rows and shift between tables: planted, absent, exact, and refused."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from overparam.data.table_columns import read_column
from overparam.errors import DataError, UsageError
from overparam.measures import estimate_row_order, estimate_shift
from overparam.measures.tables.column_cells import largest_of_all
from overparam.measures.tables.row_order import _likeness, _scores
from overparam.measures.tables.shift import _areas


def test_likeness_over_all_orders_is_minus_one_over_n():
    # Exact, over all 720 orders of 6 rows; and the p-value is their share.
    scores = _scores(read_column("a", [1.0, 2.0, 3.0, 5.0, 8.0, 13.0]))
    orders = [np.array(order) for order in itertools.permutations(range(6))]
    found = _likeness(scores, orders)
    assert found.mean() == pytest.approx(-1 / 6)
    assert largest_of_all(found[None])[0] == pytest.approx((found >= found[0] - 1e-9).mean())
    ranks = np.arange(6) - 2.5
    assert found[0] == pytest.approx((ranks[1:] * ranks[:-1]).sum() / (ranks**2).sum())


def test_blocks_of_words_and_a_drift_are_found_by_name():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "noise": rng.standard_normal(200),
            "batch": np.repeat(list("abcdefghij"), 20),
            "drift": np.linspace(0, 2, 200) + rng.standard_normal(200),
            "time": pd.date_range("2020", periods=200, freq="h"),
            "id": np.arange(200)[::-1],
            "key": [f"k{i:04}" for i in rng.permutation(200)],
        }
    )
    y = (rng.random(200) < np.linspace(0.05, 0.95, 200)).astype(int)
    found = estimate_row_order(table, y)
    assert set(found.dependent) >= {"batch", "drift", "time", "id"}
    assert "noise" not in found.dependent
    assert found.rising == ("time", "id")
    assert found.identifiers == ("id", "key")
    assert found.position is not None
    assert found.position.predictive == ("0",)
    assert found.names[-1] == "(target)"
    assert estimate_row_order(table).position is None


def test_running_numbers_that_float64_would_merge():
    found = estimate_row_order((2**60 + np.arange(100))[:, None])
    assert found.rising == found.identifiers == found.dependent == ("0",)
    ticks = np.datetime64("2026-01-01", "ns") + 100 * np.arange(100).astype("timedelta64[ns]")
    assert estimate_row_order(pd.DataFrame({"at": ticks})).rising == ("at",)


def test_a_target_sorted_by_class():
    found = estimate_row_order(np.random.default_rng(0).standard_normal((60, 2)), [0, 1, 2] * 20)
    assert found.dependent == ()
    y = np.repeat([0, 1, 2], 20)
    found = estimate_row_order(np.random.default_rng(0).standard_normal((60, 2)), y)
    assert found.dependent == ("(target)",)
    assert found.position is not None
    assert found.position.score[0] > 0.85


def test_columns_that_do_not_vary_and_missing_entries():
    x = np.stack([np.ones(40), np.full(40, np.nan), np.arange(40.0)], axis=1)
    x[::5, 2] = np.nan
    found = estimate_row_order(x)
    assert np.isnan(found.likeness[:2]).all()
    assert found.p_value[:2].tolist() == [1, 1]
    assert found.dependent == ("2",)
    assert found.rising == ("2",)


@pytest.mark.parametrize("kind", ["normal", "discrete", "heavy"])
def test_no_order_is_found_in_rows_at_random(kind):
    found, draws = 0, 60
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        x = {
            "normal": rng.standard_normal((40, 8)),
            "discrete": rng.integers(0, 2, (40, 8)),
            "heavy": rng.standard_cauchy((40, 50)),
        }[kind]
        order = estimate_row_order(x, rng.integers(0, 3, 40), n_permutations=59, seed=seed)
        found += bool(order.dependent or order.position.predictive)
    assert found <= 7  # of 60 at .05: more have probability .01


def test_wrong_orders():
    with pytest.raises(DataError, match="too few rows to screen"):
        estimate_row_order(np.zeros((9, 2)))
    with pytest.raises(UsageError, match="n_permutations is out of range"):
        estimate_row_order(np.zeros((20, 2)), n_permutations=3)
    with pytest.raises(UsageError, match="confidence is out of range"):
        estimate_row_order(np.zeros((20, 2)), confidence=1)


def test_areas_are_those_of_mann_and_whitney():
    rng = np.random.default_rng(0)
    said = rng.integers(0, 5, (30, 3)).astype(float)
    signs = np.stack([rng.permutation([0.0] * 12 + [1.0] * 18) for _ in range(3)], axis=1)
    for j, area in enumerate(_areas(said, signs)):
        one, other = said[signs[:, j] == 1, j], said[signs[:, j] == 0, j]
        assert area == pytest.approx(mannwhitneyu(one, other).statistic / 18 / 12)


def test_a_shift_of_one_column_is_found_by_name():
    rng = np.random.default_rng(0)
    one = pd.DataFrame({"a": rng.standard_normal(150), "b": rng.choice(list("xyz"), 150)})
    other = pd.DataFrame({"a": rng.standard_normal(90), "b": rng.choice(list("xzw"), 90)})
    found = estimate_shift(one, other)
    assert found.columns.predictive == ("b",)
    assert found.p_value <= 0.02
    assert found.together.low > 0.5
    assert (found.n_one, found.n_other) == (150, 90)


def test_a_shift_of_how_columns_go_together_is_found_by_all_of_them():
    rng = np.random.default_rng(0)
    one = rng.standard_normal((200, 2))
    other = rng.standard_normal((200, 1)) + 0.2 * rng.standard_normal((200, 2))
    found = estimate_shift(one, other / other.std(0))
    assert found.columns.predictive == ()
    assert found.p_together <= 0.01
    assert found.p_value == pytest.approx(2 * found.p_together)


def test_more_missing_entries_and_rows_drawn():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 300, 3))
    other[rng.random(300) < 0.4, 1] = np.nan
    found = estimate_shift(one, other, most_rows=150)
    assert (found.columns.predictive, found.n_one) == (("1",), 150)
    empty = other.copy()
    empty[:, 1] = np.nan  # of no kind
    assert estimate_shift(one[:60], empty[:60]).columns.predictive == ("1",)


@pytest.mark.parametrize("kind", ["normal", "discrete", "wide"])
def test_no_shift_is_found_between_halves(kind):
    found, draws = 0, 60
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        one, other = {
            "normal": rng.standard_normal((2, 40, 4)),
            "discrete": rng.integers(0, 2, (2, 40, 4)),
            "wide": rng.standard_cauchy((2, 20, 50)),
        }[kind]
        found += estimate_shift(one, other, n_permutations=59, seed=seed).p_value <= 0.05
    assert found <= 7


def test_numbers_that_float64_would_merge():
    rng, big = np.random.default_rng(0), 2**60
    same = estimate_shift(*(big + rng.integers(0, 50, (60, 1)) for _ in range(2)))
    assert same.p_value > 0.05
    moved = estimate_shift(*(big + i + rng.integers(0, 20, (60, 1)) for i in (0, 20)))
    assert moved.columns.predictive == ("0",)
    # One table has only numbers that stay apart when rounded: the other is rounded alike.
    alike = estimate_shift(np.full((60, 1), big + 1), big + 1 + np.arange(60)[:, None] % 2)
    assert alike.p_value == 1


def test_constant_tables_tell_nothing():
    found = estimate_shift(np.ones((20, 2)), np.ones((30, 2)))
    assert (found.together.auc, found.p_value) == (0.5, 1.0)
    # A fold that holds more of one table leaves less of it to its classifier.
    assert estimate_shift(np.ones((21, 2)), np.ones((33, 2))).together.auc == 0.5


def test_the_auc_of_tables_that_are_alike_is_a_half_and_covered():
    aucs, missed, draws = [], 0, 150
    for seed in range(draws):
        one, other = np.random.default_rng(seed).standard_normal((2, 50, 2))
        found = estimate_shift(one, other, n_permutations=39, seed=seed).together
        aucs.append(found.auc)
        missed += not found.low <= 0.5 <= found.high
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.012)
    assert missed <= 12  # nominal 7.5


FRAME = pd.DataFrame({"a": np.arange(12.0), "b": list("xy") * 6})


@pytest.mark.parametrize(
    ("one", "other", "more", "kind", "words"),
    [
        (FRAME, FRAME[["b", "a"]], {}, UsageError, "the table's columns are not those of"),
        (np.zeros((12, 2)), np.zeros((12, 3)), {}, DataError, "different numbers of columns"),
        (FRAME, FRAME[["b", "a"]].to_numpy(), {}, DataError, "is of another kind in the second"),
        (FRAME, FRAME[:5], {}, DataError, "too few rows to screen"),
        (FRAME, FRAME[:10], {"n_folds": 11}, UsageError, "n_folds is out of range"),
        (FRAME, FRAME, {"n_permutations": 1}, UsageError, "n_permutations is out of range"),
        (FRAME, FRAME, {"confidence": 1}, UsageError, "confidence is out of range"),
        (FRAME, FRAME, {"most_rows": 1}, UsageError, "most_rows is out of range"),
    ],
)
def test_wrong_pairs_of_tables(one, other, more, kind, words):
    with pytest.raises(kind, match=words):
        estimate_shift(one, other, **more)
