"""Rows and labels as people have them, and small parts of tests of `fit`."""

import numpy as np
import torch
from torch.utils.data import Dataset as RowsOfTheirOwn

import overparam as op

RECIPE = op.Recipe(epochs=3, learning_rate=0.1, batch_size=8)


def rows(n=40, d=5, seed=0):
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((n, d)).astype(np.float32)
    return inputs, (inputs[:, 0] > 0).astype(np.int64)


X, Y = rows()
X_TEST, Y_TEST = rows(12, seed=1)


class Rows(RowsOfTheirOwn):
    """A map-style dataset as people write it: a row and its label."""

    def __init__(self, inputs=X, labels=Y, jitter=False):
        self.inputs, self.labels, self.jitter = inputs, labels, jitter

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, i):
        noise = torch.randn(self.inputs.shape[1]).numpy() if self.jitter else 0
        return self.inputs[i] + noise, int(self.labels[i])


class Frame:
    """What of pandas' and polars' tables is asked for."""

    def __init__(self, columns):
        self._columns = columns

    @property
    def columns(self):
        return list(self._columns)

    def select(self, names):
        return Frame({name: self._columns[name] for name in names})

    def __getitem__(self, name):
        return self._columns[name]

    def to_numpy(self):
        return np.stack(list(self._columns.values()), axis=1)


def weights(fitted):
    return torch.cat([v.flatten() for v in fitted.state.values()])
