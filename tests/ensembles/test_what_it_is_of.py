"""Whatever decides what members say is part of an ensemble, and extending it looks again."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import overparam as op
from overparam.errors import StoreError
from tests.ensembles.made import N_ROWS, points, tree_ensemble

POWER = 1


def raised(rows):
    return rows**POWER


def kernel(one, other):
    return raised(one) @ other.T


def fit_raised(depth, rows, seed):
    inputs, labels = points()
    tree = DecisionTreeClassifier(max_depth=depth, random_state=seed)
    return tree.fit(raised(inputs[rows]), labels[rows]).predict


@pytest.mark.parametrize(
    "model",
    [
        SVC(kernel=kernel),
        make_pipeline(FunctionTransformer(raised), DecisionTreeClassifier(max_depth=2)),
        make_pipeline(
            FunctionTransformer(lambda rows: rows), FunctionTransformer(lambda rows: raised(rows)),
            DecisionTreeClassifier(max_depth=2),
        ),
        lambda: SVC(kernel=kernel),
        functools.partial(lambda depth, rows, seed: fit_raised(depth, rows, seed), 2),
    ],
    ids=["kernel", "pipeline", "lambdas", "factory", "partial"],
)  # fmt: skip
def test_what_functions_within_an_estimator_read_is_part_of_it(tmp_path, monkeypatch, model):
    found = tree_ensemble(4, model=model, folder=tmp_path)
    monkeypatch.setitem(globals(), "POWER", 3)
    with pytest.raises(StoreError, match=r"was edited since.*got 'POWER of"):
        tree_ensemble(5, model=model, folder=tmp_path)
    with pytest.raises(StoreError, match=r"was edited since.*got 'POWER of"):
        found.extend(5)
    assert found.extend(5, accept_edits=True).n_models == 5


def table(**columns):
    return pd.DataFrame(points()[0], columns=list("abc")).assign(**columns)


def of_categories(order):
    words = pd.Categorical(np.where(points()[0][:, 0] > 0, "p", "q"), categories=order)
    return table(c=words)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (of_categories(["p", "q"]), of_categories(["q", "p"])),
        (table(), table().set_index(np.arange(N_ROWS)[::-1])),
        (table(), table().rename_axis("row")),
    ],
    ids=["categories", "index", "name of the index"],
)
def test_categories_and_index_are_part_of_a_table(tmp_path, before, after):
    codes = FunctionTransformer(
        lambda rows: rows.assign(c=pd.factorize(rows.c, sort=True)[0], i=rows.index)
    )
    model = make_pipeline(codes, DecisionTreeClassifier(max_depth=2))
    labels = points()[1]
    tree_ensemble(4, model, (before, labels), folder=tmp_path)
    assert tree_ensemble(5, model, (before.copy(), labels), folder=tmp_path).n_models == 5
    with pytest.raises(StoreError, match="of another data set"):
        tree_ensemble(4, model, (after, labels), folder=tmp_path)


def test_an_ensemble_of_what_was_changed_since_is_not_extended():
    inputs, labels = points()
    frame, asked, groups = table(), inputs[:10].copy(), np.arange(N_ROWS)
    tree, net = DecisionTreeClassifier(max_depth=2), nn.Linear(3, 2)
    recipe = op.Recipe(epochs=1)

    def set_weights():
        with torch.no_grad():
            net.weight.fill_(9.0)

    made = {
        "model": (tree_ensemble(4, tree), lambda: tree.set_params(max_depth=None)),
        "data set": (tree_ensemble(4, data=(frame, labels)), lambda: frame.insert(0, "d", 0.0)),
        "set of evaluated rows": (
            tree_ensemble(4, evaluate=(asked, labels[:10])), lambda: asked.fill(0.0),
        ),
        "choice of subsets": (tree_ensemble(4, groups=groups), lambda: groups.sort()),
        "model again": (
            op.subset_ensemble(net, inputs, labels, 4, recipe=recipe, workers=0), set_weights,
        ),
    }  # fmt: skip
    groups[:2] = 1, 0
    for name, (found, change) in made.items():
        if name != "choice of subsets":  # which was changed already
            change()
        what = f"was changed since.* of another {name.removesuffix(' again')}"
        with pytest.raises(StoreError, match=what):
            found.extend(5)
        assert found.n_models == 4


def test_what_fits_change_themselves_is_no_change():
    inputs, labels = points()
    found, known = {}, {}

    def fit(rows, seed):
        known[len(known)] = seed
        tree = DecisionTreeClassifier(max_depth=2, random_state=0)
        return tree.fit(inputs[rows], labels[rows]).predict

    found = tree_ensemble(4, model=fit)
    for n in (5, 6):
        assert found.extend(n).n_models == n
