"""Leaks, models with and without columns, and blocks: planted, absent, and of every kind."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from overparam.errors import CodeError, DataError, UsageError
from overparam.measures import estimate_leaks, score_in_blocks, score_without_columns
from overparam.measures.tables.held_out_scores import Scale
from overparam.measures.tables.leaks import BETTER_THAN_ALL_OTHERS, BY_PRESENCE
from overparam.measures.tables.screened_target import read_target
from overparam.measures.tables.screening_models import read_predictions

LINEAR = LogisticRegression()


def tree(rows, targets):
    """A model of numbers and of what is missing."""

    def numbers(table):
        return np.hstack([table.select_dtypes("number"), table.isna()])

    fitted = DecisionTreeClassifier(random_state=0).fit(numbers(rows), targets)
    return lambda held_out: fitted.predict(numbers(held_out))


def world(seed, n=300):
    """Five honest columns, of which two matter a little, and classes."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.standard_normal((n, 5)), columns=list("abcde"))
    y = (x["a"] + x["b"] + rng.standard_normal(n) * 1.5 > 0).astype(int)
    return rng, x, y


def test_a_leak_that_beats_all_others():
    rng, x, y = world(0)
    x["leak"] = y + 0.1 * rng.standard_normal(len(y))
    found = estimate_leaks(x, y, fit=LINEAR)
    assert found.suspects == ("leak",)
    assert found.n_strong == 1
    (leak,) = found.strong
    assert leak.reasons == (BETTER_THAN_ALL_OTHERS,)
    assert leak.without is not None
    assert leak.without.one.score > 0.95 > leak.without.other.score
    assert leak.without.difference.low > 0.1
    assert found.together == leak.without


def test_a_leak_that_is_written_down_afterwards():
    # As in `boat` of the Titanic: there for survivors, and of words.
    rng, x, y = world(1, n=150)
    x["boat"] = np.where(y == 1, rng.choice(list("ABCDEFGH"), len(y)), None)
    x["spent"] = np.where(y == 1, rng.gamma(1, 100, len(y)), 0.0)
    x["share"] = x["spent"] / 1000 + 0.0001 * rng.random(len(y))
    found = estimate_leaks(x, y, fit=tree, most_columns=3)
    assert set(found.suspects) >= {"boat", "spent"}
    assert all(BY_PRESENCE in c.reasons for c in found.strong if c.name in ("boat", "spent"))
    assert found.n_strong == 3
    assert found.together is not None
    assert found.together.one.low > 0.95
    assert found.together.other.high < 0.85


def test_petal_width_is_strong_and_no_suspect():
    data = load_iris(as_frame=True)
    found = estimate_leaks(data.data, data.target, fit=KNeighborsClassifier())
    assert "petal width (cm)" in [column.name for column in found.strong]
    assert found.suspects == ()


def test_of_numbers():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 4))
    y = x[:, 0] + rng.standard_normal(200)
    table = np.hstack([x, np.exp(y)[:, None]])
    found = estimate_leaks(table, y, fit=LinearRegression())
    assert found.suspects == ("4",)
    assert found.alone.measure == "R² of ranks"
    assert estimate_leaks(x, y, fit=LinearRegression()).strong == ()


def test_honest_columns_are_not_strong():
    for seed in range(30):
        _, x, y = world(seed, n=60)
        found = estimate_leaks(x, y, fit=LINEAR)
        assert (found.strong, found.n_strong, found.together) == ((), 0, None)


def test_one_column_and_copies_of_one():
    y = np.arange(100) % 2
    found = estimate_leaks(y[:, None] * 1.0, y)  # with the forest
    assert found.strong[0].without is None
    assert found.suspects == ("0",)  # by its presence
    assert found.together is None
    twice = np.stack([y, 1 - y], axis=1) + np.linspace(0, 0.1, 100)[:, None]
    found = estimate_leaks(twice, y, fit=LINEAR)
    assert (found.n_strong, found.suspects, found.together) == (2, (), None)
    assert all(abs(c.without.difference.score) < 0.05 for c in found.strong)


def test_groups_and_drawn_rows():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 5)
    y = rng.integers(0, 2, 40)[group]
    x = np.stack([group, 3.0 * y], axis=1)
    found = estimate_leaks(x, y, groups=group, fit=LINEAR)
    assert (found.alone.n_rows, found.suspects) == (40, ("1",))


def test_with_and_without_is_that_of_scikit_learn():
    _, x, y = world(2)
    found = score_without_columns(LINEAR, x, y, ["a", "b"], n_folds=3)
    assert found.one.score > found.other.high
    assert found.difference.score == pytest.approx(found.one.score - found.other.score)
    predicted = []

    def fit(rows, targets):
        fitted = LogisticRegression().fit(rows, targets)

        def predict(held_out):
            said = fitted.predict(held_out)
            predicted.append((held_out, said))
            return said

        return predict

    found = score_without_columns(fit, x, y, ["a"], n_folds=3)
    rows = np.concatenate([held.index for held, _ in predicted[:3]])
    said = np.concatenate([said for _, said in predicted[:3]])
    assert sorted(rows) == list(range(300))
    assert found.one.score == pytest.approx(balanced_accuracy_score(y[rows], said))
    assert list(predicted[3][0].columns) == list("bcde")


@pytest.mark.parametrize("balanced", [True, False])
def test_intervals_of_scores_and_differences_cover(balanced):
    # Two predictors of known rates that err partly together.
    rng = np.random.default_rng(0)
    covered, draws = np.zeros(3), 1000
    for _ in range(draws):
        codes = np.array([0] * 40 + [1] * 12)
        right = np.array([0.9, 0.7])[codes]
        one = (rng.random(52) < right).astype(float)
        other = np.where(rng.random(52) < 0.7, one, rng.random(52) < right).astype(float)
        scale = Scale(read_target(codes, 52), balanced)
        truth = 0.8 if balanced else (40 * 0.9 + 12 * 0.7) / 52
        for i, outcomes in enumerate((one, other)):
            found = scale.estimate(outcomes, 0.95)
            covered[i] += found.low <= truth <= found.high
        found = scale.difference(one, other, 0.95)
        covered[2] += found.low <= 0 <= found.high
    assert ((covered[:2] / draws > 0.92) & (covered[:2] / draws < 0.97)).all()
    assert covered[2] / draws > 0.95  # few rows differ: it covers more


def test_intervals_of_numbers_cover():
    rng, covered, draws = np.random.default_rng(0), np.zeros(2), 600
    for _ in range(draws):
        y = rng.standard_normal(60)
        scale = Scale(read_target(y, 60), True)
        one, other = (scale.target.ranks + 0.2 * rng.standard_normal(60) for _ in range(2))
        truth = 1 - 0.04 / np.mean((scale.target.ranks - 0.5) ** 2)
        found = scale.estimate(scale.outcomes(one), 0.95)
        covered[0] += found.low <= truth <= found.high
        found = scale.difference(scale.outcomes(one), scale.outcomes(other), 0.95)
        covered[1] += found.low <= 0 <= found.high
    assert ((covered / draws > 0.92) & (covered / draws < 0.98)).all()


def test_groups_widen_intervals_and_stay_together():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 10)
    y, noise = rng.integers(0, 2, 30)[group], rng.standard_normal((30, 3))[group]
    x = np.hstack([noise, np.arange(300)[:, None] % 7])
    near = KNeighborsClassifier(1)
    loose = score_without_columns(near, x, y, [3])
    tight = score_without_columns(near, x, y, [3], groups=group)
    assert loose.other.score == 1  # copies of the row
    assert tight.other.score < 0.8
    width = tight.other.high - tight.other.low
    assert width > 2 * (loose.other.high - loose.other.low)
    with pytest.raises(DataError, match="fewer groups than folds"):
        score_without_columns(near, x, y, [3], groups=np.arange(300) % 4)


def test_blocks_lose_what_neighbours_give():
    rng = np.random.default_rng(0)
    writer = np.repeat(np.arange(20), 15)
    y = rng.integers(0, 3, 20)[writer]
    x = rng.standard_normal((20, 4))[writer] + 0.05 * rng.standard_normal((300, 4))
    found = score_in_blocks(KNeighborsClassifier(3), x, y)
    assert found.one.score > 0.95
    assert found.difference.low > 0.2
    honest = score_in_blocks(KNeighborsClassifier(3), rng.standard_normal((300, 4)), y)
    assert honest.difference.low < 0.05
    grouped = score_in_blocks(KNeighborsClassifier(3), x, y, groups=writer)
    assert grouped.one.score < 0.8
    numbers = score_in_blocks(KNeighborsRegressor(3), x, x[:, 0])
    assert numbers.measure == "R² of ranks"
    assert numbers.difference.low > 0


def test_blocks_of_sorted_classes_have_unseen_classes():
    y = np.repeat(["a", "b", "c"], 20)
    x = np.repeat(np.arange(3.0), 20)[:, None]
    found = score_in_blocks(KNeighborsClassifier(1), x, y, n_folds=3)
    assert (found.one.score, found.other.score) == (1.0, 0.0)


MIXED = pd.DataFrame({"n": np.arange(60.0), "w": list("xyz") * 20, "k": np.arange(60) % 2})


@pytest.mark.parametrize(
    "table",
    [MIXED, pyarrow.Table.from_pandas(MIXED), MIXED.to_numpy(), MIXED.to_numpy().tolist()],
)
def test_every_table_with_the_forest(table):
    y = np.array(["no", "yes"])[np.arange(60) % 2]
    drop = "k" if hasattr(table, "columns") and not isinstance(table, np.ndarray) else 2
    found = score_without_columns(None, table, y, [drop], n_folds=2)
    assert found.one.score > found.other.score


def test_every_kind_of_model():
    _, x, y = world(3, n=120)
    words = np.array(["no", "yes"])[y]
    models = [
        LINEAR,
        LinearSVC(),  # no probabilities
        make_pipeline(SimpleImputer(), LINEAR),
        lambda rows, targets: LogisticRegression().fit(rows, targets).predict_proba,
    ]
    for model in models:
        found = score_without_columns(model, x, words, ["a", "b"], n_folds=3)
        assert found.one.score > 0.6
    sparse = scipy.sparse.csr_array(x.to_numpy())
    assert score_without_columns(LINEAR, sparse, words, [0, 1]).one.score > 0.6


def test_predicted_labels_of_another_type():
    target = read_target(np.arange(12) % 2, 12)
    assert read_predictions(np.array([1.0, 0.0]), target, 2).argmax(1).tolist() == [1, 0]
    of_words = read_target(["no", "yes"] * 6, 12)
    assert read_predictions(["yes", "no"], of_words, 2).argmax(1).tolist() == [1, 0]
    assert read_predictions(np.array([[True], [False]]), target, 2).argmax(1).tolist() == [1, 0]
    numbers = read_target(np.arange(20) ** 2.0, 20)
    said = read_predictions(np.array([-9.0, 0.0, 361.0, 1e9]), numbers, 4)
    np.testing.assert_allclose(said, [0.025, 0.025, 0.975, 0.975])


class Bare:
    """An estimator that is none of scikit-learn's, and has none of its tags."""

    def get_params(self, deep=True):
        return {}

    def fit(self, rows, targets):
        self.nearest = KNeighborsRegressor(1).fit(rows, targets)
        return self

    def predict(self, rows):
        return self.nearest.predict(rows)


class BareClassifier(Bare):
    """One that says only by its probabilities that it is a classifier."""

    def fit(self, rows, targets):
        self.nearest = KNeighborsClassifier(1).fit(rows, targets)
        self.classes_ = self.nearest.classes_
        return self

    def predict_proba(self, rows):
        return self.nearest.predict_proba(rows)


MANY = np.arange(90) % 30  # of more values than are taken for classes
DAYS = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"] * 30).to_numpy()


@pytest.mark.parametrize("model", [KNeighborsClassifier(1), LinearSVC(), BareClassifier()])
@pytest.mark.parametrize("target", [MANY, DAYS, pd.Series(DAYS).astype(object), DAYS.tolist()])
def test_the_target_of_a_classifier_is_classes(model, target):
    codes = np.unique(np.asarray(target), return_inverse=True)[1]
    x = np.stack([np.eye(30)[codes].argmax(1), codes % 7, np.arange(90) % 2], axis=1) * 1.0
    one_hot = np.eye(30)[codes] if isinstance(model, LinearSVC) else x
    found = score_without_columns(model, np.hstack([one_hot, x]), target, [1], n_folds=3)
    assert (found.measure, found.one.score) == ("balanced accuracy", 1.0)
    assert score_in_blocks(model, one_hot, target, n_folds=3).measure == "balanced accuracy"


def test_the_target_of_any_other_estimator_is_what_it_looks_like():
    found = score_without_columns(Bare(), np.stack([MANY, MANY], axis=1), MANY, [1], n_folds=3)
    assert (found.measure, found.one.score) == ("R² of ranks", 1.0)


def test_leaks_of_a_classifier_and_many_whole_numbers():
    x = np.stack([np.random.default_rng(0).random(90), MANY * 1.0], axis=1)
    found = estimate_leaks(x, MANY, fit=KNeighborsClassifier(1))
    assert found.alone.measure == "balanced accuracy"


def test_a_classifier_predicts_no_numbers():
    for score in (
        lambda: estimate_leaks(X, MANY[:60], fit=LinearSVC(), task="numbers"),
        lambda: score_in_blocks(LinearSVC(), X, MANY[:60], task="numbers"),
        lambda: score_without_columns(LinearSVC(), X, MANY[:60], [0], task="numbers"),
    ):
        with pytest.raises(UsageError, match=r'a classifier predicts no numbers.*task="classes"'):
            score()


def halves(rows, targets):
    return lambda held_out: np.full(len(held_out), 0.5)


def probabilities(rows, targets):
    return lambda held_out: np.full((len(held_out), 2), 0.5)


def words(rows, targets):
    return lambda held_out: ["no"] * len(held_out)


def nothing(rows, targets):
    return lambda held_out: 0.5


def ragged(rows, targets):
    return lambda held_out: [[0.5], [0.5, 0.5]]


class Renaming(KNeighborsClassifier):
    """A classifier whose classes are none of the target's."""

    def fit(self, rows, targets):
        super().fit(rows, targets)
        self.classes_ = np.array(["low", "high"])
        return self


@pytest.mark.parametrize("fit", [LinearRegression(), Ridge(), halves, words, Renaming()])
def test_predictions_that_are_no_classes_are_refused(fit):
    # Scores of 0 would make every honest column better than all others.
    rng, x, y = world(0)
    x["strong"] = y + 0.2 * rng.standard_normal(len(y))
    for score in (
        lambda: estimate_leaks(x, y, fit=fit),
        lambda: score_in_blocks(fit, x, y),
        lambda: score_without_columns(fit, x, y, "a"),
    ):
        with pytest.raises(DataError, match=r'no classes of the target.*task="numbers" for a regr'):
            score()
    if fit is not words and not isinstance(fit, Renaming):
        assert estimate_leaks(x, y, fit=fit, task="numbers").alone.measure == "R² of ranks"


def test_one_column_by_its_name_and_by_its_position():
    _, x, y = world(1)
    x = x.rename(columns={"e": "ab"})
    by_name = score_without_columns(LINEAR, x, y, "ab", n_folds=2)
    assert by_name == score_without_columns(LINEAR, x, y, ["ab"], n_folds=2)
    assert by_name == score_without_columns(LINEAR, x, y, 4, n_folds=2)
    assert by_name != score_without_columns(LINEAR, x, y, ["a", "b"], n_folds=2)


def test_an_index_in_another_order():
    _, x, y = world(0, n=60)
    groups = pd.Series(np.arange(60) // 2)
    for more in ({"target": y[::-1]}, {"groups": groups[::-1]}):
        of = {"target": y, "groups": groups, **more}
        for score in (
            lambda of=of: estimate_leaks(x, fit=LINEAR, **of),
            lambda of=of: score_in_blocks(LINEAR, x, **of),
            lambda of=of: score_without_columns(LINEAR, x, columns="a", **of),
        ):
            with pytest.raises(DataError, match="the same index in different orders"):
                score()
    with pytest.raises(DataError, match="targets and groups have the same index in different"):
        score_in_blocks(LINEAR, x.to_numpy(), y, groups=groups[::-1])


def raising(rows, targets):
    raise ValueError("no convergence")


def narrow(rows, targets):
    return lambda held_out: np.zeros(len(held_out) - 1)


def nan(rows, targets):
    return lambda held_out: np.full(len(held_out), np.nan)


def logits(rows, targets):
    return lambda held_out: np.full((len(held_out), 2), -1.0)


def refusing(rows, targets):
    raise DataError("my own")


Y = np.arange(60) % 2
X = np.stack([Y, np.arange(60)], axis=1)


@pytest.mark.parametrize(
    ("fit", "columns", "more", "kind", "words"),
    [
        (raising, [0], {}, CodeError, "cannot be fitted to a part of the rows.*no convergence"),
        (refusing, [0], {}, DataError, "my own"),
        (narrow, [0], {}, DataError, "predictions have the wrong shape"),
        (nothing, [0], {}, DataError, "predictions have the wrong shape"),
        (ragged, [0], {}, DataError, "predictions have the wrong shape"),
        (nan, [0], {}, DataError, "predictions hold NaN"),
        (words, [0], {"task": "numbers"}, DataError, 'are no numbers.*task="classes"'),
        (probabilities, [0], {"task": "numbers"}, DataError, 'wrong shape.*task="classes"'),
        (logits, [0], {}, DataError, "probabilities lie outside"),
        (7, [0], {}, UsageError, "this cannot be fitted"),
        (LogisticRegression, [0], {}, UsageError, "this cannot be fitted.*the class"),
        (LINEAR, [], {}, UsageError, "some of the columns must be left out"),
        (LINEAR, [0, 1], {}, UsageError, "some of the columns must be left out"),
        (LINEAR, ["z"], {}, UsageError, "no such column"),
        (LINEAR, [0], {"confidence": 0}, UsageError, "confidence is out of range"),
        (LINEAR, [0], {"n_folds": 99}, UsageError, "n_folds is out of range"),
    ],
)
def test_wrong_models_and_columns(fit, columns, more, kind, words):
    with pytest.raises(kind, match=words):
        score_without_columns(fit, X, Y, columns, **more)


@pytest.mark.parametrize("more", [{"at_least": 1.0}, {"most_columns": 0}])
def test_wrong_thresholds(more):
    with pytest.raises(UsageError, match="is out of range"):
        estimate_leaks(X, Y, **more)
