"""Small ensembles for tests: two classes of points, some labels wrong, fitted in no time."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

import overparam as op
from overparam.ensembles.columns import Columns
from overparam.ensembles.member import MemberOutcome, packed_subsets

N_ROWS, FLIPPED = 120, np.arange(8)


def points(seed=0, n=N_ROWS):
    """Points of two classes that lie apart, and labels of which the first eight are wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    inputs = rng.normal(size=(n, 3)) + 3.0 * labels[:, None]
    labels[FLIPPED] = 1 - labels[FLIPPED]
    return inputs, labels


def tree_ensemble(n_models=10, model=None, data=None, **options):
    """An ensemble of trees, made in this process."""
    inputs, labels = points() if data is None else data
    model = DecisionTreeClassifier(max_depth=6) if model is None else model
    return op.subset_ensemble(model, inputs, labels, n_models=n_models, workers=0, **options)


def net_ensemble(n_models=6, width=8, data=None, epochs=20, model=None, **options):
    """An ensemble of networks, made in this process."""
    inputs, labels = points() if data is None else data
    recipe = op.Recipe(epochs=epochs, learning_rate=0.1, momentum=0.9, batch_size=20)
    net = op.models.mlp(3, width, 2) if model is None else model
    given = {"recipe": recipe, "workers": 0, **options}
    return op.subset_ensemble(net, inputs, labels, n_models=n_models, **given)


def made_up_outcomes(n_models, n_rows, n_classes, seed=0, *, keep_outputs=False):
    """What members would say that nobody trained."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_rows)
    masks = op.data.draw_subsets(n_models, n_rows, 0.7, op.Streams(seed))
    hard = rng.random(n_rows) < 0.2
    outcomes = []
    for inside in masks:
        margin = rng.normal(size=n_rows) + np.where(hard & ~inside, -1.0, 2.0)
        said = rng.dirichlet(np.ones(n_classes), n_rows)
        probability = said[np.arange(n_rows), labels]
        outputs = rng.normal(size=(n_rows, n_classes)) if keep_outputs else np.empty(0)
        outcomes.append(
            MemberOutcome(
                int(inside.sum()), 1.0, 0.8, np.nan, "logits", packed_subsets(inside),
                margin.astype(np.float32), probability.astype(np.float32), margin > 0,
                said[~inside].astype(np.float16), np.empty(0, np.float32), np.empty(0, bool),
                np.empty((0, n_classes), np.float16), outputs.astype(np.float32), {},
                np.empty(0, np.float32),
            )
        )  # fmt: skip
    return masks, labels, outcomes


def same_columns(one: Columns, other: Columns) -> bool:
    """Whether members say the same, bit by bit."""
    names = ("margin", "probability", "correct")
    same = np.array_equal(one.in_subset, other.in_subset)
    return same and all(np.array_equal(one[n], other[n], equal_nan=n != "correct") for n in names)
