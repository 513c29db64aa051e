"""Estimators, functions and predictions that are refused, each with what to do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from overparam.data import as_examples
from overparam.errors import DataError, UsageError
from tests.training.small_estimators import TWO, N, Rule, X, Y, draws, fitted_to


class Unclonable(BaseEstimator):
    """Changes an argument of its constructor."""

    def __init__(self, level=[1]):  # noqa: B006
        self.level = list(level)

    def fit(self, inputs, labels):
        return self


class Plain:
    """No get_params."""

    def fit(self, inputs, labels):
        return self


class Writes(ClassifierMixin, BaseEstimator):
    """Writes to its inputs."""

    def fit(self, inputs, labels):
        inputs -= inputs.mean(0)
        return self


class Answers(ClassifierMixin, BaseEstimator):
    """Predicts what it is told to."""

    def __init__(self, answer=None):
        self.answer = answer

    def fit(self, inputs, labels):
        return self

    def predict(self, inputs):
        return self.answer


class Chances(Answers):
    """Gives probabilities that it is told."""

    def predict_proba(self, inputs):
        return self.answer


def nothing(rows, seed):
    """No function."""


async def coroutine(rows, seed):
    """Not of its kind."""


def raises(rows, seed):
    """Fails in the user's own code."""
    raise KeyError("lost")


FRAME = pd.DataFrame({"city": ["Rome", "Oslo"] * 30})
COLUMNS = make_pipeline(make_column_transformer((OneHotEncoder(), ["city"])), LogisticRegression())


@pytest.mark.parametrize(
    ("estimator", "data", "match"),
    [
        (LogisticRegression, (X, Y), r"a class, not an estimator.*LogisticRegression\(\.\.\.\)"),
        (nn.Linear(4, 3), (X, Y), "trained by gradient descent.*op.train|await train"),
        (Unclonable(), (X, Y), "Unclonable cannot be cloned.*store its arguments"),
        (Plain(), (X, Y), r"Plain cannot be cloned.*fit without get_params.*BaseEstimator"),
        (3, (X, Y), "cannot be fitted; got 'int'"),
        (coroutine, (X, Y), "cannot be fitted; got 'function'"),
        (lambda rows: None, (X, Y), "must take rows and a seed; got 'too many"),
        (nothing, (X, Y), "nothing must return a function that predicts; got 'NoneType'"),
        (lambda rows, seed: Rule(), (X, Y), r"return its method: model\.predict_proba"),
        (
            raises,
            (X, Y),
            r"raises failed to be fitted; got .KeyError.*lost.*test_estimator_refusals\.py:",
        ),
        (Writes(), (X, Y), "Writes failed to be fitted.*read-only.*writes to its inputs"),
        (LogisticRegression(), (FRAME, TWO), r"LogisticRegression failed.*Rome|Oslo.*an encoder"),
        (COLUMNS, (FRAME.to_numpy(), TWO), r"ColumnTransformer \+ Logistic.*X as a DataFrame"),
        (
            LogisticRegression(),
            (X, X[:, 0]),
            "LogisticRegression is a classifier, and the",
        ),
        (LogisticRegression(), (X[:, 0], TWO), r"Expected 2D.*give X as \[n, columns\]"),
        (LogisticRegression(), (np.where(X > 2, np.nan, X), TWO), "contains NaN.*an imputer"),
        (make_pipeline(SVC(decision_function_shape="ovo")), (X, Y), "SVC gives decision.*of pairs"),
        (StandardScaler(), (X, Y), "StandardScaler cannot be asked for predictions"),
    ],
)
def test_what_cannot_be_fitted_is_told(estimator, data, match):
    with pytest.raises(UsageError, match=match):
        fitted_to(estimator, data)


@pytest.mark.parametrize(
    ("estimator", "match"),
    [
        (Answers(Y[:5]), "Answers returns predictions of a wrong length.*5.*60 rows"),
        (Answers(np.zeros((N, 2))), "returns no labels"),
        (Answers(["other"] * N), "Answers names what is no class of the data; got 'other'"),
        (Answers(3.0), "wrong length"),
        (Chances(np.ones((N, 3))), "probabilities that do not sum to 1"),
        (Chances(np.ones((N, 2)) / 2), r"returns other classes; got .float64 \[60, 2\]"),
        (Chances(np.full((N, 3), np.nan)), "no numbers, or NaN"),
        (Chances(np.array([["a"]] * N)), "no numbers, or NaN"),
    ],
)
def test_what_is_no_prediction_is_told(estimator, match):
    with pytest.raises(UsageError, match=match):
        fitted_to(estimator).outputs(X)


@pytest.mark.parametrize("detector", [IsolationForest(), make_pipeline(OneClassSVM())])
def test_an_outlier_detector_learns_no_classes(detector):
    with pytest.raises(UsageError, match=r"looks for outliers.*got 'classes .*-1 for outliers"):
        fitted_to(detector, (X, TWO))
    judged = fitted_to(detector, (X, np.where(X[:, 0] > 1.5, -1, 1)))
    assert set(judged.predict(X)) == {-1, 1}  # of labels that are its own it can be judged


def test_other_refusals():
    with pytest.raises(UsageError, match=r"arguments are an estimator's.*got 'sample_weight'"):
        fitted_to(draws, arguments={"sample_weight": X})
    with pytest.raises(UsageError, match=r"fit\(\) got an unexpected keyword.*STEP__ARGUMENT"):
        fitted_to(DecisionTreeClassifier(), arguments={"weights": TWO})
    with pytest.raises(DataError, match=r"rows must be rows of the data; got .float64"):
        fitted_to(draws, rows=[0.5])
    with pytest.raises(DataError, match=r"rows must be rows of the data; got .*0 60.*0\.\.59"):
        fitted_to(draws, rows=[0, N])
    with pytest.raises(DataError, match=r"no rows to fit to; got 'rows=\[\]'"):
        fitted_to(draws, rows=[])
    with pytest.raises(UsageError, match=r"no set of this name was evaluated.*evaluate"):
        fitted_to(draws).error("test")
    with pytest.raises(UsageError, match="random numbers come from streams; got 3"):
        fitted_to(draws, streams=3)
    with pytest.raises(UsageError, match="is a regressor, and the labels are classes"):
        fitted_to(LinearRegression(), as_examples((X, Y)))
    with pytest.raises(UsageError, match="is a classifier, and the labels are targets"):
        fitted_to(Rule(), as_examples((X, X[:, 0])))
    with pytest.raises(UsageError, match=r"returns other targets; got .float64 \[60, 2\]"):
        fitted_to(lambda rows, seed: lambda inputs: inputs[:, :2], (X, X[:, 0])).outputs(X)
