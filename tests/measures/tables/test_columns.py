"""What each column says of the target: closed forms, every kind of entry, and worlds without."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from scipy.stats import beta, chi2_contingency, kruskal

from overparam.data.table_columns import read_column
from overparam.errors import DataError, UsageError
from overparam.measures import class_balance, estimate_column_scores, find_column_faults
from overparam.measures.tables.column_cells import (
    cells_of,
    cross_fitted,
    is_missing,
    is_usual,
    permutation_p_values,
    target_scores,
)
from overparam.measures.tables.screened_target import read_target


def target_of(values, task=None):
    return read_target(values, len(values), task)


def test_cells_hold_equal_values_together_and_what_is_missing_apart():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(400) < 0.5, 0.0, rng.standard_normal(400) ** 2)
    values[:30] = np.nan
    cells = cells_of(read_column("a", values))
    assert len(np.unique(cells[:30])) == 1
    assert not np.isin(cells[30:], cells[:30]).any()
    zeros = values == 0
    assert len(np.unique(cells[zeros])) == 1
    assert not np.isin(cells[~zeros], cells[zeros]).any()
    words = np.array(["a"] * 20 + ["b"] * 5 + ["c", "d", "e"], dtype=object)
    assert np.bincount(cells_of(read_column("w", words))).tolist() == [3, 20, 5]


def test_indicators():
    column = read_column("a", [1.0, np.nan, 1.0, 2.0])
    assert is_missing(column).tolist() == [0, 1, 0, 0]
    assert is_usual(column).tolist() == [1, 0, 1, 0]
    assert is_usual(read_column("a", [np.nan, np.nan, 1.0])).tolist() == [1, 1, 0]
    assert is_usual(read_column("a", [1.0, 2.0, 3.0])).tolist() == [0, 0, 0]
    same = read_column("a", [np.nan, np.nan])
    assert is_usual(same).tolist() == is_missing(same).tolist() == [0, 0]  # no empty cell


@pytest.mark.filterwarnings("error")
def test_constant_and_empty_columns_warn_of_nothing():
    x = np.stack([np.ones(20), np.full(20, np.nan), np.arange(20.0)], axis=1)
    for of in ("values", "missing", "presence"):
        found = estimate_column_scores(x, np.arange(20) % 2, of=of)
        assert found.p_value[:2].tolist() == [1, 1]


def test_cross_fitting_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    cells, folds = rng.integers(0, 6, 60), rng.integers(0, 4, 60)
    for target in (target_of(rng.integers(0, 3, 60)), target_of(rng.standard_normal(60))):
        said = cross_fitted(cells, target, folds)
        of_class = np.eye(3)[target.codes] if target.n_classes else target.ranks[:, None]
        for i in range(60):
            others = folds != folds[i]
            inside = others & (cells == cells[i])
            whole = of_class[others].mean(0)
            want = (of_class[inside].sum(0) + whole) / (inside.sum() + 1)
            np.testing.assert_allclose(said[i], want if target.n_classes else want[0])


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_statistic_orders_as_the_textbooks_do(kind):
    # One column: p-values by permutation near those of the asymptotic tests of SciPy.
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 4, 400)
    values = rng.standard_normal(400) + 0.16 * cells
    if kind == "classes":
        target = target_of((values > 0.3).astype(int))
        table = np.array([np.bincount(cells[target.codes == k], minlength=4) for k in (0, 1)])
        want = chi2_contingency(table, correction=False).pvalue
    else:
        target = target_of(values)
        want = kruskal(*(values[cells == c] for c in range(4))).pvalue
    found = permutation_p_values([cells], target_scores(target), 4000, rng)
    assert found[0] == pytest.approx(want, abs=0.01)


def test_a_perfect_column_and_a_constant_one():
    y = np.arange(60) % 3
    table = pd.DataFrame({"y": [f"class {v}" for v in y], "constant": 1, "empty": None})
    found = estimate_column_scores(table, y)
    assert found.names == ("y", "constant", "empty")
    assert found.measure == "balanced accuracy"
    assert found.score[0] == 1
    assert found.high[0] == 1
    assert found.low[0] > found.low_of_all[0] > 0.85
    assert found.chance == pytest.approx(1 / 3)
    assert found.p_value[0] <= 0.01
    assert found.p_value[1:].tolist() == [1, 1]
    np.testing.assert_allclose(found.score[1:], 1 / 3)
    assert found.predictive == ("y",)


def test_any_form_of_dependence_and_any_rising_function():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 4))
    y = np.cos(6 * x[:, 0]) + 0.1 * rng.standard_normal(600)  # no correlation
    found = estimate_column_scores(x, y)
    assert found.measure == "R² of ranks"
    assert (found.chance, found.predictive) == (0.0, ("0",))
    assert found.score[0] > 0.8
    other = estimate_column_scores(np.exp(20 * x), np.exp(5 * y))
    np.testing.assert_allclose(other.score, found.score)
    np.testing.assert_allclose(other.p_value, found.p_value)


def test_imbalance_balanced_and_plain():
    rng = np.random.default_rng(0)
    y = (rng.random(1000) < 0.05).astype(int)
    x = np.where(rng.random(1000) < 0.9, y, 1 - y)[:, None]
    found = estimate_column_scores(x, y)
    assert found.low[0] < 0.9 < found.high[0]
    plain = estimate_column_scores(x, y, balanced=False)
    assert (plain.measure, plain.chance) == ("accuracy", 1 - y.mean())
    assert plain.score[0] == pytest.approx(1 - y.mean())


def test_missing_entries_that_tell():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    x = pd.DataFrame(rng.standard_normal((300, 3)), columns=["a", "b", "c"])
    x.loc[(y == 1) & (rng.random(300) < 0.7), "b"] = np.nan
    x.loc[rng.random(300) < 0.3, "c"] = np.nan
    found = estimate_column_scores(x, y, of="missing")
    assert found.predictive == ("b",)
    assert found.low[1] < 0.85 < found.high[1]
    assert found.p_value[0] == 1
    assert "b" in estimate_column_scores(x, y).predictive


def test_groups_are_looked_at_once():
    # Without groups 10 copies of each of 30 rows make chance look certain.
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(30), 10)
    found = 0
    for _ in range(20):
        x, y = rng.standard_normal((30, 3))[group], rng.integers(0, 2, 30)[group]
        found += bool(estimate_column_scores(x, y, groups=group, n_permutations=99).predictive)
        assert estimate_column_scores(x, y, n_permutations=99).predictive
    assert found <= 4


def test_rows_are_drawn_where_there_are_more():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 500)
    found = estimate_column_scores(y[:, None] + 0.0, y, most_rows=100)
    assert (found.n_rows, found.score[0]) == (100, 1.0)


FORMS = [np.array, torch.tensor, scipy.sparse.csr_array, pd.DataFrame, lambda x: x.tolist()]


def test_forms_of_tables_and_targets_and_seeds():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (50, 3)).astype(float)
    y = (x[:, 1] > 1).astype(int)
    want = estimate_column_scores(x, y, seed=3)
    for form in FORMS:
        found = estimate_column_scores(form(x), y, seed=3)
        np.testing.assert_array_equal(found.score, want.score)
        np.testing.assert_array_equal(found.p_value, want.p_value)
    words = np.array(["no", "yes"])[y]
    for labels in (words, words.tolist(), pd.Series(words), y[:, None], y == 1, y * 1.0):
        np.testing.assert_array_equal(estimate_column_scores(x, labels, seed=3).score, want.score)
    before = x.copy()
    estimate_column_scores(x, y)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("n", [40, 200])
@pytest.mark.parametrize("effect", [0, 1, 3])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_intervals_cover_the_mean_score_over_worlds(n, effect, kind):
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, n) if kind == "classes" else rng.standard_normal(n)
        x = effect * y + rng.standard_normal(n)
        scores = estimate_column_scores(x[:, None], y, n_permutations=19, seed=seed)
        found.append((scores.score[0], scores.low[0], scores.high[0]))
    score, low, high = np.array(found).T
    covered = ((low <= score.mean()) & (score.mean() <= high)).mean()
    assert covered > 0.88  # 132 of 150: at .93, fewer have probability .01


@pytest.mark.parametrize(
    ("n", "p", "table", "target"),
    [
        (40, 5, "normal", "classes"),
        (40, 50, "heavy", "numbers"),  # more columns than rows
        (120, 10, "discrete", "rare"),
    ],
)
def test_nothing_is_found_where_nothing_is(n, p, table, target):
    found, draws = 0, 60
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        x = {
            "normal": rng.standard_normal((n, p)),
            "heavy": rng.standard_cauchy((n, p)),
            "discrete": rng.integers(0, 3, (n, p)).astype(float),
        }[table]
        y = {
            "classes": rng.integers(0, 2, n),
            "numbers": rng.standard_cauchy(n),
            "rare": (np.arange(n) < 8).astype(int),
        }[target]
        scores = estimate_column_scores(x, y, n_permutations=39, seed=seed)
        found += bool(scores.predictive)
        assert not (scores.low_of_all >= scores.chance + 0.8 * (1 - scores.chance)).any()
    assert found <= 7  # of 60 at .05: more have probability .01


@pytest.mark.parametrize(
    ("of", "words", "kind"),
    [
        ({"of": "value"}, "unknown of", UsageError),
        ({"task": "ranks"}, "unknown task", UsageError),
        ({"confidence": 1}, "confidence is out of range", UsageError),
        ({"n_permutations": 5}, "n_permutations is out of range", UsageError),
        ({"n_folds": 1}, "n_folds is out of range", UsageError),
        ({"n_folds": 21}, "n_folds is out of range", UsageError),
        ({"most_rows": 3}, "most_rows is out of range", UsageError),
        ({"groups": [0, 1]}, "groups are of another number of rows", DataError),
        ({"groups": [None] + [1] * 19}, "groups have missing entries", DataError),
        ({"groups": [0] * 20}, "too few groups", DataError),
    ],
)
def test_wrong_arguments(of, words, kind):
    x = np.arange(20.0)[:, None]
    with pytest.raises(kind, match=words):
        estimate_column_scores(x, np.arange(20) % 2, **of)


@pytest.mark.parametrize(
    ("target", "task", "words"),
    [
        (np.zeros(20), None, "all rows have one target"),
        (["a"] * 20, None, "all rows have one target"),
        ([0, 1] * 5, None, "target is of another number of rows"),
        ([np.nan] + [0, 1] * 9 + [0], None, "target has missing entries"),
        (["a", "b"] * 9 + ["a", None], None, "target has missing entries"),
        (["a", "b"] * 10, "numbers", "target is words where numbers are asked for"),
        (np.zeros((20, 2)), None, "target must have one entry for each row"),
    ],
)
def test_wrong_targets(target, task, words):
    with pytest.raises(DataError, match=words):
        estimate_column_scores(np.arange(20.0)[:, None], target, task=task)


def test_an_index_in_another_order():
    x = pd.DataFrame({"a": np.arange(20.0)})
    y, groups = pd.Series(np.arange(20) % 2), pd.Series(np.arange(20))
    with pytest.raises(DataError, match="the same index in different orders"):
        estimate_column_scores(x, y[::-1])
    with pytest.raises(DataError, match="groups have the same index in different orders"):
        estimate_column_scores(x, y, groups=groups[::-1])
    assert estimate_column_scores(x, y[::-1].to_numpy(), groups=groups.to_numpy()).n_rows == 20


def test_too_few_rows():
    with pytest.raises(DataError, match="too few rows to screen"):
        estimate_column_scores(np.arange(9.0)[:, None], [0, 1, 0, 1, 0, 1, 0, 1, 0])


def test_what_targets_are_taken_for():
    whole = np.arange(200) % 20
    assert target_of(whole).n_classes == 20
    assert target_of(whole * 1.0).n_classes == 20
    assert target_of(np.arange(200)).n_classes == 0
    assert target_of(np.arange(200), "classes").n_classes == 200
    assert target_of(whole, "numbers").n_classes == 0
    assert target_of([True, False] * 10).classes.tolist() == [False, True]
    assert target_of([1, "a"] * 10).classes.tolist() == ["1", "a"]
    assert target_of(pd.array([0, 1] * 10, dtype="Int64")).classes.tolist() == [0, 1]
    assert target_of(pd.Categorical(["u", "v"] * 10)).classes.tolist() == ["u", "v"]
    assert target_of(pd.date_range("2020", periods=30)).n_classes == 0
    days = pd.date_range("2020", periods=2).repeat(10)
    assert target_of(days).n_classes == target_of([str(day) for day in days]).n_classes == 2
    assert target_of(days, "numbers").n_classes == 0
    np.testing.assert_allclose(target_of(np.arange(40) ** 3.0).ranks, (np.arange(40) + 0.5) / 40)


BIG = 2**60


def test_targets_that_float64_would_merge():
    found = target_of(BIG + np.arange(40) % 2)
    assert found.classes.tolist() == [BIG, BIG + 1]
    mixed = pd.array([BIG, BIG + 1, BIG] * 10, dtype="Int64")
    assert target_of(mixed).classes.tolist() == [BIG, BIG + 1]
    assert class_balance([2**70, 2**70 + 1] * 5).classes.tolist() == [str(2**70), str(2**70 + 1)]
    found = target_of(BIG + 3 * np.arange(40)[::-1])
    np.testing.assert_array_equal(found.given, 3.0 * np.arange(40)[::-1])  # sizes, not places
    np.testing.assert_allclose(found.ranks, (np.arange(40)[::-1] + 0.5) / 40)


@pytest.mark.parametrize(
    "names",
    [
        BIG + np.arange(200),
        [str(10**18 + i) for i in range(200)],
        ["7" * 1020 + f"{i:03}" for i in range(200)],
    ],
)
def test_long_names_are_told_apart(names):
    names = np.array(names)
    y = np.arange(200) % 2
    few = names[y]
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"key": names, "few": few, "other": names[rng.permutation(200)]})
    found = find_column_faults(table)
    assert (found.constant, found.duplicated) == ((), ())
    scores = estimate_column_scores(table, y, n_permutations=99)
    assert scores.score[1] == 1
    assert scores.predictive == ("few",)
    again = find_column_faults(table.assign(again=table["key"]))
    assert again.duplicated == (("key", "again"),)


def test_columns_of_a_stray_sign():
    table = pd.DataFrame(
        {"age": ["31", "44", "?", "50"], "word": list("abcd"), "half": ["1", "2", "x", "y"]}
    )
    assert find_column_faults(table).nearly_numbers == {"age": ("?",)}


def test_faults_by_name():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 50))
    code = rng.integers(0, 3, 50)
    table = pd.DataFrame(
        {
            "a": a,
            "b": b,
            "sum": a + 2 * b + 3,
            "a again": a,
            "code": code,
            "word": np.array(["u", "v", "w"])[code],
            "one": "x",
            "none": None,
            "gaps": np.where(rng.random(50) < 0.2, np.nan, a),
            "huge": a * 1e200,
            "key": [f"id{i}" for i in range(50)],
            "long": BIG + np.arange(50),
        }
    )
    found = find_column_faults(table)
    assert (found.constant, found.empty, found.not_checked) == (
        ("one",),
        ("none",),
        ("gaps", "huge", "long"),
    )
    assert found.duplicated == (("a", "a again"),)
    assert found.renamed == (("code", "word"),)
    (relation,) = found.collinear
    made = sum(f * (1 if n == "(intercept)" else table[n]) for n, f in relation.terms.items())
    np.testing.assert_allclose(made, table[relation.name], atol=1e-12)
    assert {relation.name, *relation.terms} == {"a", "b", "sum", "(intercept)"}


def test_no_faults_where_there_are_none():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = find_column_faults(rng.standard_normal((12, 10)))
        assert (found.constant, found.empty, found.duplicated) == ((), (), ())
        assert (found.renamed, found.collinear) == ((), ())
    assert find_column_faults(rng.standard_normal((5, 9))).collinear == ()
    same = np.array([1.0, np.nan, 2.0])[:, None]
    assert find_column_faults(np.hstack([same, same])).duplicated == (("0", "1"),)


def test_balance_of_classes():
    found = class_balance(np.repeat(["a", "b", "c", "d"], 25))
    assert found.n_effective == pytest.approx(4)
    assert found.majority == 0.25
    found = class_balance([1] * 95 + [0] * 5)
    assert found.classes.tolist() == [1, 0]
    want = beta.ppf([0.025, 0.975], 5.5, 95.5)
    np.testing.assert_allclose([found.low[1], found.high[1]], want)
    for target, words in (([1] * 20, "all rows have one"), ([1, 2], "too few rows")):
        with pytest.raises(DataError, match=words):
            class_balance(target)
    with pytest.raises(UsageError, match="confidence is out of range"):
        class_balance([0, 1] * 10, confidence=0)
