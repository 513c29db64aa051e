"""A few rows with three classes, and small estimators and functions that are fitted to them."""

import random

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

import overparam as op
from overparam.training.fit_estimator import fit_estimator

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 4))
Y = np.array(["low", "mid", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
TWO = np.where(X[:, 0] > 0, 1, 0)
ROWS = np.arange(0, N, 2)
S = op.Streams(3)


def fitted_to(estimator, data=(X, Y), streams=S, **keywords):
    """A fit in a cell of its own."""
    return op.solve(fit_estimator(estimator, data, streams, **keywords))


class Rule(ClassifierMixin, BaseEstimator):
    """Only predicts."""

    def fit(self, inputs, labels):
        self.label = labels[0]
        return self

    def predict(self, inputs):
        return np.full(len(inputs), self.label)


def draws(rows, seed):
    """Scores drawn from all global generators."""
    scores = [random.random(), np.random.random(), torch.rand(()).item()]  # noqa: NPY002
    return lambda inputs: np.tile(scores, (len(inputs), 1))
