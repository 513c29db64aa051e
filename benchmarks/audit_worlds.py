"""Worlds with a known truth, for audits: data and a model with one planted fault, or with none.

A world names the findings that it must give; `"OP501|OP309"` is either. One whose `wanted` is empty
is clean: nothing of severity medium or more may be found in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import overparam as op

N, M, P = 400, 300, 8  # training rows, test rows, columns
TARGETS = ("linear", "forest", "boosting", "network")
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class World:
    """What is audited and what must be found.

    Attributes:
        X, y, X_test, y_test: the data. wanted: codes. rows: of the planted fault, or empty.
        model: None for each of `TARGETS` in turn. options: of `overparam.audit` beside them.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    wanted: tuple[str, ...] = ()
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    model: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


def model_of(target: str, world: World) -> tuple[Any, dict[str, Any]]:
    """Return a target as a world's data need it, and what `overparam.audit` takes beside it."""
    has_classes = world.y.dtype.kind == "i"
    if target == "linear":
        last = LogisticRegression() if has_classes else Ridge()
        return make_pipeline(SimpleImputer(), StandardScaler(), last), {}
    if target == "forest":
        return (RandomForestClassifier if has_classes else RandomForestRegressor)(30), {}
    if target == "boosting":
        kind = HistGradientBoostingClassifier if has_classes else HistGradientBoostingRegressor
        return kind(max_iter=30, early_stopping=False), {}
    n_out = len(np.unique(world.y)) if has_classes else 1
    loss = "cross_entropy" if has_classes else "squared_error"
    recipe = op.Recipe(epochs=20, learning_rate=0.05, momentum=0.9, batch_size=32, loss=loss)
    return op.models.mlp(world.X.shape[1], [32], n_out), {"recipe": recipe}


def classes(rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two Gaussian classes that differ in four of eight columns; 2.3 % cannot be told apart."""
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, P))
    X[:, :4] += 2.0 * y[:, None] - 1
    return X.astype(np.float32), y


def gaussian(rng: Rng) -> World:
    return World(*classes(rng, N), *classes(rng, M))


def apart(rng: Rng) -> World:
    """Three classes that are far from each other."""
    centers = 5 * np.eye(3, P)
    y, y_test = rng.integers(0, 3, N), rng.integers(0, 3, M)
    X, X_test = (centers[t] + rng.normal(size=(len(t), P)) for t in (y, y_test))
    return World(X.astype(np.float32), y, X_test.astype(np.float32), y_test)


def straight_line(rng: Rng) -> World:
    """Numbers from a linear model: a linear function with noise of a third of its spread."""
    X = rng.normal(size=(N + M, P)).astype(np.float32)
    y = X[:, :4].sum(1) + 2 / 3 * rng.normal(size=N + M).astype(np.float32)
    model = make_pipeline(StandardScaler(), Ridge())  # the right one: others are surely worse
    return World(X[:N], y[:N], X[N:], y[N:], model=model)


def wrong_labels(rng: Rng) -> World:
    world, rows = gaussian(rng), np.sort(rng.permutation(N)[: round(0.08 * N)])
    return replace(world, y=_flipped(world.y, rows), wanted=("OP202",), rows=rows)


def exact_duplicates(rng: Rng) -> World:
    world = gaussian(rng)
    X, y = world.X.copy(), world.y.copy()
    X[-40:], y[-40:] = X[:40], y[:40]
    return replace(world, X=X, y=y, wanted=("OP204",), rows=_both_ends(40))


def near_duplicates(rng: Rng) -> World:
    """Fifteen rows measured twice: the search supposes that at most a tenth have near copies."""
    world = gaussian(rng)
    X, y = world.X.copy(), world.y.copy()
    X[-15:], y[-15:] = X[:15] + 1e-3 * rng.normal(size=(15, P)), y[:15]
    return replace(world, X=X, y=y, wanted=("OP205",), rows=_both_ends(15))


def conflicts(rng: Rng) -> World:
    world = exact_duplicates(rng)
    return replace(world, y=_flipped(world.y, np.arange(N - 40, N)), wanted=("OP203",))


def copied_tests(rng: Rng) -> World:
    world = gaussian(rng)
    X_test, y_test = world.X_test.copy(), world.y_test.copy()
    X_test[:60], y_test[:60] = world.X[:60], world.y[:60]
    return replace(world, X_test=X_test, y_test=y_test, wanted=("OP206",))


def leak(rng: Rng) -> World:
    """A column that knows the label of wrong rows too, as one written down afterwards."""
    world = wrong_labels(rng)
    test = _flipped(world.y_test, np.flatnonzero(rng.random(M) < 0.08))
    X, X_test = (
        np.column_stack([X, y + 0.1 * rng.normal(size=len(y))]).astype(np.float32)
        for X, y in ((world.X, world.y), (world.X_test, test))
    )
    return World(X, world.y, X_test, test, ("OP501|OP309",))


def idle_columns(rng: Rng) -> World:
    world = gaussian(rng)
    X, X_test = (
        np.column_stack([X, np.full(len(X), 3.0), X[:, 0]]).astype(np.float32)
        for X in (world.X, world.X_test)
    )
    return replace(world, X=X, X_test=X_test, wanted=("OP504",))


def order(rng: Rng) -> World:
    """Rows of twenty sources, one after the other, each with a place and mostly one label."""
    world, each = gaussian(rng), N // 20
    mostly = np.repeat(rng.permutation(20) % 2, each)
    y = np.where(rng.random(N) < 0.1, 1 - mostly, mostly)
    X = rng.normal(size=(N, P))
    X[:, :4] += 0.4 * (2.0 * y[:, None] - 1)
    X[:, 4:] = 0.3 * X[:, 4:] + np.repeat(2 * rng.normal(size=(20, 4)), each, axis=0)
    return replace(world, X=X.astype(np.float32), y=y, wanted=("OP502",))


def shift(rng: Rng) -> World:
    world = gaussian(rng)
    X_test = world.X_test.copy()
    X_test[:, 4:6] += 1
    return replace(world, X_test=X_test, wanted=("OP506",))


def missing(rng: Rng) -> World:
    """A column that is missing for 60 % of one class and 5 % of the other."""
    world = gaussian(rng)
    X, X_test = world.X.copy(), world.X_test.copy()
    for inputs, y in ((X, world.y), (X_test, world.y_test)):
        inputs[rng.random(len(y)) < np.where(y == 1, 0.6, 0.05), 7] = np.nan
    return replace(world, X=X, X_test=X_test, wanted=("OP503",))


def weak_segment(rng: Rng) -> World:
    """Labels of the fifth of rows where column 5 is above 0.8 say nothing."""
    world = gaussian(rng)
    y, y_test = (
        np.where(X[:, 5] > 0.8, rng.integers(0, 2, len(y)), y)
        for X, y in ((world.X, world.y), (world.X_test, world.y_test))
    )
    return replace(world, y=y, y_test=y_test, wanted=("OP305",))


def imbalance(rng: Rng) -> World:
    """Two of 1,000 rows, and of as many test rows, are of the second class."""
    y = (np.arange(2000) % 1000 < 2).astype(int)
    X = rng.normal(size=(2000, P)).astype(np.float32)
    X[:, :4] += 2.0 * y[:, None] - 1
    return World(X[:1000], y[:1000], X[1000:], y[1000:], ("OP505",))


def harmful_fit(rng: Rng) -> World:
    """A tree that learns 25 % wrong labels: a smaller one is better."""
    world = _noisy(rng, 0.25)
    return replace(world, model=DecisionTreeClassifier(), wanted=("OP103", "OP201", "OP402"))


def overconfident(rng: Rng) -> World:
    """Naive Bayes that counts every column ten times."""
    world = _noisy(rng, 0.15)
    X, X_test = (np.tile(X, 10) for X in (world.X, world.X_test))
    return replace(world, X=X, X_test=X_test, model=GaussianNB(), wanted=("OP303",))


def beaten(rng: Rng) -> World:
    """A linear model where the sign of a product decides."""
    world = gaussian(rng)
    y, y_test = ((X[:, 6] * X[:, 7] > 0).astype(int) for X in (world.X, world.X_test))
    return replace(world, y=y, y_test=y_test, model=LogisticRegression(), wanted=("OP308",))


def few_rows(rng: Rng) -> World:
    """Numbers from nearest neighbours, of 120 rows: more rows would help."""
    world = beaten(rng)
    return replace(
        world, X=world.X[:120], y=world.y[:120], model=RandomForestClassifier(30),
        wanted=("OP306",),
    )  # fmt: skip


def stored_rows(rng: Rng) -> World:
    return replace(_noisy(rng, 0.25), model=KNeighborsClassifier(1), wanted=("OP401", "OP402"))


def open_coefficients(rng: Rng) -> World:
    """A linear model of numbers, one of whose columns is the sum of two others."""
    world = straight_line(rng)
    X, X_test = (
        np.column_stack([X, X[:, 0] + X[:, 1]])
        for X in (world.X.astype(np.float64), world.X_test.astype(np.float64))
    )
    return replace(world, X=X, X_test=X_test, model=LinearRegression(), wanted=("OP104",))


def overtrained(rng: Rng) -> World:
    """A network that is trained until it knows 30 % wrong labels."""
    world = _noisy(rng, 0.3)
    recipe = op.Recipe(epochs=150, learning_rate=0.1, momentum=0.9, batch_size=32)
    return replace(
        world, model=op.models.mlp(P, [64], 2), options={"recipe": recipe}, wanted=("OP602",)
    )


def diverging(rng: Rng) -> World:
    recipe = op.Recipe(epochs=10, learning_rate=1e6, batch_size=32)
    world = straight_line(rng)
    recipe = replace(recipe, loss="squared_error")
    return replace(
        world, model=op.models.mlp(P, [32], 1), options={"recipe": recipe}, wanted=("OP604",)
    )


def dead_units(rng: Rng) -> World:
    """A network most of whose units answer no row."""

    def make() -> nn.Module:
        first = nn.Linear(P, 32)
        with torch.no_grad():
            first.bias[:24] = -100.0
        return nn.Sequential(first, nn.ReLU(), nn.Linear(32, 2))

    recipe = op.Recipe(epochs=10, learning_rate=0.05, momentum=0.9, batch_size=32)
    return replace(gaussian(rng), model=make, options={"recipe": recipe}, wanted=("OP605",))


def carried_state(rng: Rng) -> World:
    """A loop that goes on with the network of the fit before."""
    world = _noisy(rng, 0.25)
    X, y = torch.from_numpy(world.X), torch.from_numpy(world.y)
    net = nn.Sequential(nn.Linear(P, 64), nn.ReLU(), nn.Linear(64, 2))

    def fit(rows: np.ndarray, seed: int) -> Callable[[Any], Any]:
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
            optimizer.step()
        return lambda inputs: net(torch.as_tensor(inputs)).detach()

    return replace(world, model=fit, wanted=("OP603",))


CLEAN: dict[str, Callable[[Rng], World]] = {f.__name__: f for f in (gaussian, apart, straight_line)}
PLANTED: dict[str, Callable[[Rng], World]] = {
    f.__name__: f
    for f in (
        wrong_labels, exact_duplicates, near_duplicates, conflicts, copied_tests, leak,
        idle_columns, order, shift, missing, weak_segment, imbalance, harmful_fit, overconfident,
        beaten, few_rows, stored_rows, open_coefficients, overtrained, diverging, dead_units,
        carried_state,
    )
}  # fmt: skip


def _noisy(rng: Rng, share: float) -> World:
    """Two Gaussian classes, a share of whose labels is wrong, in training and in test."""
    world = gaussian(rng)
    return replace(
        world,
        y=_flipped(world.y, np.flatnonzero(rng.random(N) < share)),
        y_test=_flipped(world.y_test, np.flatnonzero(rng.random(M) < share)),
    )


def _flipped(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    changed = y.copy()
    changed[rows] = 1 - changed[rows]
    return changed


def _both_ends(n: int) -> np.ndarray:
    return np.r_[np.arange(n), np.arange(N - n, N)]
