"""Linear designs: rank, identification and relations against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from overparam.errors import DataError, UsageError
from overparam.measures import identify_coefficients, minimum_norm_solution


def exact_echelon(x):
    """Reduced row echelon form of the float matrix as it is, and its pivot columns."""
    rows = [[Fraction(float(v)) for v in row] for row in x]
    pivots, top = [], 0
    for j in range(len(rows[0])):
        found = next((i for i in range(top, len(rows)) if rows[i][j] != 0), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        head = rows[top][j]
        rows[top] = [v / head for v in rows[top]]
        for i in range(len(rows)):
            if i != top and rows[i][j] != 0:
                factor = rows[i][j]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[top], strict=True)]
        pivots.append(j)
        top += 1
        if top == len(rows):
            break
    return rows[:top], pivots


def exactly_identified(x):
    """Rank, and whether each unit vector lies in the row space: adding it adds no rank."""
    rank = len(exact_echelon(x)[1])
    units = np.eye(x.shape[1])
    return rank, [len(exact_echelon(np.vstack([x, e]))[1]) == rank for e in units]


def with_constant(x):
    return np.hstack([np.ones((len(x), 1)), x])


def integers(seed, n, p, rank):
    """A random matrix of small whole numbers of a rank, some columns of which stand alone."""
    rng = np.random.default_rng(seed)
    left, right = rng.integers(-3, 4, (n, rank)), rng.integers(-1, 2, (rank, p))
    return (left @ (right * (rng.random((rank, p)) < 0.5))).astype(float)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_rank_and_identification_are_those_of_exact_arithmetic(seed, fit_intercept):
    x = integers(seed, 9, 7, 2 + seed % 5)
    found = identify_coefficients(x, fit_intercept=fit_intercept)
    rank, known = exactly_identified(with_constant(x) if fit_intercept else x)
    assert found.rank + fit_intercept == rank
    assert found.identified.tolist() == known[int(fit_intercept) :]
    if fit_intercept:
        assert found.intercept_identified == known[0]
    assert found.leverage.sum() == pytest.approx(rank)
    assert not found.doubtful


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_units_of_columns_do_not_matter(fit_intercept):
    rng = np.random.default_rng(0)
    x = integers(3, 12, 8, 5)
    plain = identify_coefficients(x, fit_intercept=fit_intercept)
    for scale in (2.0 ** rng.integers(-300, 300, 8), 10.0 ** rng.integers(-12, 12, 8)):
        found = identify_coefficients(x * scale, fit_intercept=fit_intercept)
        assert found.rank == plain.rank
        assert found.identified.tolist() == plain.identified.tolist()
        np.testing.assert_allclose(found.leverage, plain.leverage, atol=1e-10)
        np.testing.assert_allclose(found.variance_inflation, plain.variance_inflation, rtol=1e-9)


def test_a_column_of_large_mean_and_small_spread():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 3)) + np.array([1e8, 0, 0])
    found = identify_coefficients(x, fit_intercept=True)
    assert (found.rank, found.identified.tolist()) == (3, [True, True, True])
    x[:, 2] = 12345.678
    found = identify_coefficients(x, fit_intercept=True)
    assert found.not_identified == ("2", "(intercept)")
    assert found.relations[0].terms == {"(intercept)": pytest.approx(12345.678)}
    assert identify_coefficients(x).rank == 3


@pytest.mark.parametrize(("n", "rank"), [(3, 3), (6, 6), (9, 9), (11, 11), (20, 13)])
def test_hilbert_matrices(n, rank):
    # Exactly of full rank. Of the 20th, 13 singular values lie above 20 x 2.2e-16 of the largest,
    # and the last is 4.1e-29 of it (mpmath 1.3, svd_r at 60 digits).
    i = np.arange(n)
    found = identify_coefficients(1 / (i[:, None] + i + 1))
    assert abs(found.rank - rank) <= (n > 11)
    assert found.identified.all() == (found.rank == n)
    if n > 11:
        assert found.gap < 100
    if n <= 9:
        mpmath = pytest.importorskip("mpmath")
        with mpmath.workdps(50):
            exact = mpmath.svd_r(mpmath.matrix(n, n) + mpmath.hilbert(n), compute_uv=False)
            condition = float(exact[0] / exact[n - 1])
        assert found.condition_number == pytest.approx(condition, rel=1e-3)


def test_duplicated_and_summed_columns_by_name():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((20, 3)), columns=["a", "b", "c"])
    frame["twice a"] = 2 * frame["a"]
    frame["b less c"] = frame["b"] - frame["c"]
    frame["alone"] = rng.standard_normal(20)
    found = identify_coefficients(frame)
    assert found.rank == 4
    assert found.not_identified == ("a", "b", "c", "twice a", "b less c")
    assert len(found.relations) == 2
    for relation in found.relations:
        made = sum(factor * frame[name] for name, factor in relation.terms.items())
        np.testing.assert_allclose(made, frame[relation.name], atol=1e-12)
    assert any(combination.terms == {"alone": 1.0} for combination in found.combinations)


def test_combinations_are_what_all_solutions_agree_on():
    x = integers(5, 12, 7, 4)
    found, rng = identify_coefficients(x), np.random.default_rng(0)
    y = rng.standard_normal(12)
    shortest = np.linalg.pinv(x) @ y
    beyond = np.eye(7) - np.linalg.pinv(x) @ x
    for _ in range(5):
        other = shortest + beyond @ rng.standard_normal(7) * 10
        for combination in found.combinations:
            of_both = [
                sum(f * b[int(name)] for name, f in combination.terms.items())
                for b in (shortest, other)
            ]
            assert of_both[0] == pytest.approx(of_both[1], abs=1e-9)
        changed = np.abs(other - shortest) > 1e-6
        assert not changed[found.identified].any()


def test_the_dummy_trap():
    frame = pd.DataFrame({"colour": list("rgbrgbrgbr"), "size": np.arange(10.0) ** 2})
    y = np.arange(10.0)
    for drop, unknown in ((None, 4), ("first", 0)):
        model = make_pipeline(
            make_column_transformer(
                (OneHotEncoder(drop=drop), ["colour"]),
                ("passthrough", ["size"]),
                verbose_feature_names_out=False,
            ),
            LinearRegression(),
        ).fit(frame, y)
        found = identify_coefficients(frame, model=model)
        assert len(found.not_identified) == unknown
        assert "size" not in found.not_identified
        if unknown:
            assert found.relations[0].terms["(intercept)"] == 1
            assert found.intercept_identified is False
            assert found.relations[0].text.startswith("colour_")


def test_more_columns_than_rows():
    x = np.random.default_rng(0).standard_normal((5, 9))
    found = identify_coefficients(x)
    assert (found.rank, found.identified.any(), len(found.relations)) == (5, False, 4)
    np.testing.assert_allclose(found.leverage, 1)
    assert np.isinf(found.variance_inflation).all()
    found = identify_coefficients(np.hstack([x, 0 * x[:, :1]]), fit_intercept=True)
    assert found.rank == 4


def test_targets_in_another_order_of_the_index():
    x = pd.DataFrame({"a": np.arange(9.0)})
    y = pd.Series(np.arange(9.0))
    with pytest.raises(DataError, match="features and targets have the same index in different"):
        minimum_norm_solution(x, y[::-1])
    assert minimum_norm_solution(x, y[::-1].to_numpy()).coefficients.shape == (1, 1)


def test_one_row_and_only_zeros():
    found = identify_coefficients([[1.0, 2.0]])
    assert (found.rank, found.not_identified) == (1, ("0", "1"))
    found = identify_coefficients([[1.0], [1.0]], fit_intercept=True)
    assert (found.rank, found.not_identified) == (0, ("0", "(intercept)"))
    assert found.combinations == ()
    found = identify_coefficients(np.zeros((3, 2)))
    assert (found.rank, found.not_identified, found.relations[0].text) == (0, ("0", "1"), "0 = 0")


def test_variance_inflation_and_condition_are_the_textbook_ones():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 4)) @ rng.standard_normal((4, 4)) + 3
    found = identify_coefficients(x, fit_intercept=True)
    inverse = np.diag(np.linalg.inv(np.corrcoef(x.T)))
    np.testing.assert_allclose(found.variance_inflation, inverse, rtol=1e-10)
    assert found.condition_number == pytest.approx(np.linalg.cond(x - x.mean(0)), rel=1e-10)
    hat = with_constant(x) @ np.linalg.pinv(with_constant(x))
    np.testing.assert_allclose(found.leverage, np.diag(hat), atol=1e-12)


def test_every_form_of_features():
    x = integers(1, 8, 5, 3)
    want = identify_coefficients(x)
    forms = [x.tolist(), torch.tensor(x), scipy.sparse.csr_array(x), pd.DataFrame(x), x.astype(int)]
    for form in forms:
        found = identify_coefficients(form)
        assert (found.rank, found.names) == (want.rank, want.names)
        np.testing.assert_array_equal(found.identified, want.identified)


def test_a_model_says_its_intercept_and_names():
    x = pd.DataFrame(np.random.default_rng(0).standard_normal((20, 2)), columns=["u", "v"])
    x["w"] = 1.0 - x["u"]
    y = np.arange(20) % 2
    for model in (LinearRegression(), Ridge(), LogisticRegression()):
        found = identify_coefficients(x, model=model.fit(x, y))
        assert found.fit_intercept
        assert found.not_identified == ("u", "w", "(intercept)")
    model = make_pipeline(StandardScaler(), LinearRegression(fit_intercept=False)).fit(x, y)
    found = identify_coefficients(x, model=model)
    assert (found.fit_intercept, found.names) == (False, ("u", "v", "w"))
    assert found.not_identified == ("u", "w")


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(12, 4), (6, 9), (8, 8)])
def test_minimum_norm_is_that_of_the_pseudoinverse(fit_intercept, shape):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape), rng.standard_normal((shape[0], 2))
    x[:, 1] = x[:, 0]
    found = minimum_norm_solution(x, y, fit_intercept=fit_intercept)
    middle = (x.mean(0), y.mean(0)) if fit_intercept else (0, 0)
    want = np.linalg.pinv(x - middle[0]) @ (y - middle[1])
    np.testing.assert_allclose(found.coefficients, want, atol=1e-10)
    fitted = x @ found.coefficients + found.intercept
    np.testing.assert_allclose(fitted, found.leave_one_out.with_row, atol=1e-9)


def test_leave_one_out_is_that_of_refitting():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((15, 4)), rng.standard_normal(15)
    x[:, 3] = x[:, 0] + x[:, 1]
    found = minimum_norm_solution(x, y, fit_intercept=True).leave_one_out
    for i in range(15):
        rest = np.arange(15) != i
        middle = x[rest].mean(0), y[rest].mean()
        b = np.linalg.pinv(x[rest] - middle[0]) @ (y[rest] - middle[1])
        assert found.without_row[i, 0] == pytest.approx(
            (x[i] - middle[0]) @ b + middle[1], abs=1e-10
        )


def test_badly_scaled_minimum_norm_fits_and_has_no_part_outside_the_row_space():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((6, 9)) * 10.0 ** rng.integers(-4, 5, 9)
    y = rng.standard_normal(6)
    found = minimum_norm_solution(x, y)
    np.testing.assert_allclose(x @ found.coefficients[:, 0], y, atol=1e-8)
    in_rows = x.T @ np.linalg.lstsq(x.T, found.coefficients[:, 0])[0]
    np.testing.assert_allclose(in_rows, found.coefficients[:, 0], atol=1e-8)


def test_a_rank_near_the_tolerance_is_said_to_be_near():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 3))
    x = np.hstack([x, x[:, :1] + 1e-12 * rng.standard_normal((20, 1))])
    found = identify_coefficients(x)
    assert found.rank == 4
    loose = identify_coefficients(x, tolerance=1e-9)
    assert (loose.rank, loose.not_identified) == (3, ("0", "3"))
    assert found.scaled_condition > 1e11


X = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("features", "arguments", "kind", "words"),
    [
        ([[1.0, np.nan]], {}, DataError, "features hold NaN or infinity"),
        ([[1.0, np.inf]], {}, DataError, "features hold NaN or infinity"),
        ([[1.0, 1e150]], {}, DataError, "columns are so large or so small"),
        ([[1e-200, 1.0]], {}, DataError, "columns are so large or so small"),
        ([[1.0, "red"]], {}, DataError, "these columns hold words or dates"),
        ([[2**60], [2**60 + 1]], {}, DataError, "different numbers that float64 would merge"),
        (np.zeros((0, 2)), {}, DataError, "a table has rows and columns"),
        (np.zeros(3), {}, DataError, "a table has rows and columns"),
        (X, {"names": ["a", "b"]}, DataError, "names do not tell the columns apart"),
        (X, {"names": ["a", "b", "a"]}, DataError, "names do not tell the columns apart"),
        (X, {"names": ["a", "b", "(intercept)"]}, DataError, "names do not tell the columns"),
        (X, {"tolerance": -1.0}, UsageError, "tolerance is out of range"),
        (X, {"model": LinearRegression()}, UsageError, "this is no fitted linear model"),
        (X, {"model": 3}, UsageError, "this is no fitted linear model"),
        (
            X,
            {"model": KNeighborsClassifier().fit(X, [0, 1, 0, 1])},
            UsageError,
            "this is no fitted linear model",
        ),
        (
            X[:, :2],
            {"model": LinearRegression().fit(X, [0, 1, 0, 1])},
            DataError,
            "another number of coefficients",
        ),
        (
            X[:, :2],
            {"model": make_pipeline(StandardScaler(), LinearRegression()).fit(X, [0, 1, 0, 1])},
            DataError,
            "the pipeline cannot transform",
        ),
        (
            scipy.sparse.csr_array((2**15, 2**14)),
            {},
            DataError,
            "the sparse matrix is too large",
        ),
    ],
)
def test_wrong_designs(features, arguments, kind, words):
    with pytest.raises(kind, match=words):
        identify_coefficients(features, **arguments)


def test_wrong_targets():
    with pytest.raises(DataError, match="targets are of another number of rows"):
        minimum_norm_solution(X, [1.0, 2.0])
