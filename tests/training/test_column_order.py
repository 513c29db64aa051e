"""Which column of an estimator's outputs is of which class, however it is told."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

import overparam as op
from overparam.errors import DataError, UsageError
from overparam.training.column_order import shown_order
from tests.training.small_estimators import ROWS, TWO, N, X, Y, fitted_to

CLASSES = np.unique(Y)
TURNED = np.array([2, 0, 1])  # columns in another order than the classes


class Nameless(BaseEstimator):
    """A logistic regression with its columns turned, which it does not say."""

    def __init__(self, order=None, predicts=True):
        self.order, self.predicts = order, predicts

    def fit(self, inputs, labels):
        self.inside_ = LogisticRegression().fit(inputs, labels)
        return self

    def predict_proba(self, inputs):
        said = self.inside_.predict_proba(inputs)
        return said if self.order is None else said[:, self.order]

    def __getattr__(self, name):
        if name == "predict" and self.predicts:
            return self.inside_.predict
        raise AttributeError(name)


class Scored(BaseEstimator):
    """Nameless, and of two classes one decision value, of the first or the second."""

    def __init__(self, sign=1.0):
        self.sign = sign

    def fit(self, inputs, labels):
        self.inside_ = LogisticRegression().fit(inputs, labels)
        return self

    def decision_function(self, inputs):
        return self.sign * self.inside_.decision_function(inputs)

    def predict(self, inputs):
        return self.inside_.predict(inputs)


class Tabled(Nameless):
    """Returns a table, whose columns have names."""

    def __init__(self, order=None, names=None):
        super().__init__(order)
        self.names = names

    def predict_proba(self, inputs):
        said = super().predict_proba(inputs)
        return pd.DataFrame(said, columns=CLASSES[self.order] if self.names is None else self.names)


class Wrong(ClassifierMixin, Nameless):
    """Says that its columns are in an order in which they are not."""

    def fit(self, inputs, labels):
        self.classes_ = np.unique(labels)
        return super().fit(inputs, labels)


def plain(inputs=X, labels=Y):
    return LogisticRegression().fit(inputs, labels).predict_proba(X)


@pytest.mark.parametrize(
    "estimator", [Nameless(), Nameless(TURNED), Tabled(TURNED), Tabled(names=range(3))]
)
def test_columns_are_in_the_order_of_the_classes(estimator):
    fitted = fitted_to(estimator)
    np.testing.assert_array_equal(fitted.outputs(X), plain())
    assert fitted.notes == ()


def test_a_function_may_name_its_columns_too():
    def fit(rows, seed):
        model = LogisticRegression().fit(X[rows], Y[rows])
        return lambda asked: pd.DataFrame(
            model.predict_proba(asked)[:, TURNED], columns=CLASSES[TURNED]
        )

    np.testing.assert_array_equal(op.fit(fit, (X, Y)).outputs(X), plain())


def test_names_may_be_the_texts_of_numbers():
    numbers = np.searchsorted(CLASSES, Y) + 1
    named = fitted_to(Tabled(TURNED, names=["3", "1", "2"]), (X, numbers))
    np.testing.assert_array_equal(named.outputs(X), plain(X, numbers))


def test_a_class_that_the_rows_lack_is_left_out_of_the_order():
    rows = np.flatnonzero(CLASSES[1] != Y)
    fitted = fitted_to(Nameless(np.array([1, 0])), rows=rows)
    np.testing.assert_array_equal(fitted.outputs(X)[:, [0, 2]], plain(X[rows], Y[rows])[:, :2])
    assert not fitted.outputs(X)[:, 1].any()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_decision_value_has_the_sign_that_predictions_show(sign):
    fitted = fitted_to(Scored(sign), (X, TWO))
    found = fitted.outputs(X)
    assert (found.argmax(1) == LogisticRegression().fit(X, TWO).predict(X)).all()
    with pytest.raises(UsageError, match=r"cannot be told.*predictions that do not show it"):
        fitted_to(FixedNameless(), (X, TWO))


class FixedNameless(Scored):
    """Predicts by another threshold than that of its scores."""

    def predict(self, inputs):
        return (self.decision_function(inputs) > np.quantile(self.inside_.coef_, 0.5)).astype(int)


def test_an_order_that_nothing_tells_is_refused():
    with pytest.raises(UsageError, match=r"cannot be told.*no predict.*self\.classes_"):
        fitted_to(Nameless(predicts=False))
    with pytest.raises(UsageError, match="whose columns are not named by the classes"):
        fitted_to(Tabled(names=["a", "b", "c"]))
    with pytest.raises(UsageError, match="whose columns are not named by the classes"):
        fitted_to(Tabled(names=["low", "low", "mid"]))


def test_masked_predictions_are_refused():
    def fit(rows, seed):
        return lambda asked: np.ma.masked_less(plain(), 0.1)

    with pytest.raises(DataError, match="predictions hold masked values"):
        op.fit(fit, (X, Y))


def test_what_contradicts_its_own_predictions_is_noted():
    note = fitted_to(Wrong(TURNED)).notes[-1]
    assert "predicts other classes than those of its largest outputs" in note
    swapped = fitted_to(Wrong(np.array([1, 0, 2]))).notes
    assert len(swapped) == 1
    mild = FixedThresholdClassifier(LogisticRegression(), threshold=0.6, pos_label=1)
    assert fitted_to(mild, (X, TWO), rows=ROWS).notes == ()


@pytest.mark.parametrize(
    ("largest", "named", "order"),
    [
        ([0, 1, 2], [2, 0, 1], [2, 0, 1]),
        ([0, 1, 1], [2, 0, 0], [2, 0, 1]),  # the last takes what is left
        ([0, 0, 0], [0, 0, 0], [0, 1, 2]),  # two are left, and what is shown rises
        ([0, 0, 0], [1, 1, 1], None),  # two are left, and what is shown does not
        ([0, 0, 1], [0, 1, 1], None),
        ([0, 1, 1], [0, 0, 0], None),
        ([0, 1, 2], [0, 1, 7], None),  # of no class that was seen
    ],
)
def test_what_predictions_show(largest, named, order):
    found = shown_order(np.eye(3)[largest], np.array(named), np.arange(3))
    assert (None if found is None else found.tolist()) == order


def test_ties_show_nothing():
    scores = np.array([[0.5, 0.5], [0.4, 0.6]])
    assert shown_order(scores, np.array([0, 0]), np.arange(2)).tolist() == [1, 0]


def test_categories_in_another_order_than_their_names_are_told():
    levels = pd.Series(pd.Categorical(Y, categories=["low", "mid", "high"], ordered=True))
    notes = op.fit(LogisticRegression(), (X, levels)).notes
    assert [n for n in notes if "sorted order (high, low, mid), not in that of the cat" in n]
    sorted_too = pd.Series(pd.Categorical(Y))
    assert op.fit(LogisticRegression(), (X, sorted_too)).notes == ()
    unlabelled = np.where(np.arange(N) % 4, TWO, -1)
    assert "a class of their own" in op.fit(LogisticRegression(), (X, unlabelled)).notes[0]
    assert op.fit(LogisticRegression(), (X, 2 * TWO - 1)).notes == ()
