"""Fitted models, tables and compiled objects of libraries as values that a phenomenon holds."""

from __future__ import annotations

import collections
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial import KDTree, cKDTree
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import overparam as op
from overparam.lab.digests import GENERATOR
from overparam.lab.held_values import digest_of_value

HERE = Path(__file__).parent
INPUTS = np.random.default_rng(0).normal(size=(40, 3))
LABELS = (INPUTS[:, 0] + INPUTS[:, 1] ** 2 > 0.5) * 1
GRID = {"C": [0.1, 1.0]}
FITTED = {
    "tree": lambda: DecisionTreeClassifier(random_state=0).fit(INPUTS, LABELS),
    "forest": lambda: RandomForestClassifier(3, random_state=0).fit(INPUTS, LABELS),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=2, random_state=0).fit(
        INPUTS, LABELS
    ),
    "binned boosting": lambda: HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(
        INPUTS, LABELS
    ),
    "network": lambda: MLPClassifier((2,), max_iter=2, random_state=0).fit(INPUTS, LABELS),
    "process": lambda: GaussianProcessRegressor(random_state=0).fit(INPUTS, LABELS),
    "linear": lambda: SGDClassifier(random_state=0).fit(INPUTS, LABELS),
    "neighbors": lambda: KNeighborsClassifier(algorithm="kd_tree").fit(INPUTS, LABELS),
    "search": lambda: GridSearchCV(LogisticRegression(), GRID, cv=2).fit(INPUTS, LABELS),
    "words": lambda: TfidfVectorizer(stop_words="english").fit(["red the cat", "green cat"]),
    "pipeline": lambda: make_pipeline(
        StandardScaler(), MLPClassifier((2,), max_iter=2, random_state=0)
    ).fit(INPUTS, LABELS),
    "of this package": lambda: op.fit(DecisionTreeClassifier(max_depth=2), (INPUTS, LABELS)),
}
PROGRAM = """
import warnings
warnings.simplefilter("ignore")
from tests.lab.test_library_values import FITTED, digest
for name, fit in FITTED.items():
    print(name, digest(fit()), sep=": ")
"""


def digest(value):
    return digest_of_value(value, HERE)[0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fitted_models_are_told_and_the_same_in_another_process():
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    there = dict(line.split(": ", 1) for line in found.stdout.splitlines())
    assert there == {name: digest(fit()) for name, fit in FITTED.items()}
    assert not any("cannot be told" in told for told in there.values())


class OfOnesOwn(ClassifierMixin, BaseEstimator):
    def fit(self, inputs, labels):
        self.classes_, self.generator_ = np.unique(labels), np.random.default_rng(0)
        return self

    def predict(self, inputs):
        return self.generator_.choice(self.classes_, len(inputs))


@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier(random_state=np.random.RandomState(0)),
        OfOnesOwn().fit(INPUTS, LABELS),
        BaggingClassifier(OfOnesOwn()).fit(INPUTS, LABELS),
        [DecisionTreeClassifier().fit(INPUTS, LABELS), np.random.default_rng(0)],
    ],
)
def test_a_generator_of_what_may_draw_from_it_is_one(model):
    assert GENERATOR in digest(model)


def padded(gap, value=1):
    array = np.zeros(2, dtype=np.dtype([("a", "i4"), ("b", "f8")], align=True))
    array.view(np.uint8)[:] = gap
    array["a"], array["b"] = value, 2.0
    return array


def test_what_lies_between_fields_is_nothing():
    assert digest(padded(0)) == digest(padded(255)) != digest(padded(0, value=3))


class Net(nn.Module):
    def __init__(self, activation, factor=2):
        super().__init__()
        self.activation, self.factor = activation, factor

    def forward(self, inputs):
        return self.activation(inputs) * self.factor


def table(**attrs):
    frame = pd.DataFrame({"a": [1]})
    frame.attrs |= attrs
    return frame


def of_arrow(value):
    return pytest.importorskip("pyarrow").table({"a": [value, None], "b": ["x", "y"]})


PAIRS = {
    "tree": lambda x: DecisionTreeClassifier().fit([[0.0], [x]], [0, 1]),
    "points": lambda x: cKDTree([[0.0], [x]]),
    "points again": lambda x: KDTree([[0.0], [x]]),
    "neighbors": lambda x: KNeighborsClassifier(1, algorithm="ball_tree").fit([[0], [x]], [0, 1]),
    "view of a dict": lambda x: types.MappingProxyType({"a": x}),
    "view of memory": lambda x: memoryview(bytes([x])),
    "table of arrow": of_arrow,
    "rows of arrow": lambda x: of_arrow(x).to_batches(),
    "column of arrow": lambda x: of_arrow(x)["a"],
    "schema of arrow": lambda x: of_arrow([1, "a"][x - 1]).schema,
    "traced": lambda x: torch.jit.trace(Net([nn.ReLU(), nn.Tanh()][x - 1]), torch.ones(1)),
    "scripted": lambda x: torch.jit.script(Net(nn.ReLU(), x)),
    "notes on a table": lambda x: table(source=x),
    "notes on a column": lambda x: table(source=x)["a"],
    "name of columns": lambda x: table().rename_axis(str(x), axis="columns"),
    "deque": lambda x: collections.deque([1], maxlen=x),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", PAIRS)
def test_kinds_are_told_apart(name):
    first, again, other = (digest(PAIRS[name](x)) for x in (1, 1, 2))
    assert first == again != other
    assert "cannot be told" not in first


def test_what_is_asked_of_a_value_changes_nothing():
    model, table = FITTED["neighbors"](), of_arrow(1).slice(1)
    before = digest([model, table])
    model.predict(INPUTS)
    assert table["a"].null_count == 1
    assert digest([model, table]) == before
