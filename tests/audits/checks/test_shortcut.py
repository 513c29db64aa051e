"""OP309: a patch, colours and columns that a model hangs on, and what is no shortcut."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from overparam.audits.check import ask
from overparam.audits.checks.generalization import shortcut
from overparam.audits.checks.generalization._parts import drawable, parts_of
from overparam.audits.subject import make_subject
from overparam.training.recipe import Recipe
from tests.audits.worlds import evidence_of, one_of

N_TRAIN, N = 900, 1500


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return found.images[:N] / 16, found.target[:N]


def asked(model, X, y, *, tested=True, **options):
    train, test = (X[:N_TRAIN], y[:N_TRAIN]), (X[N_TRAIN:], y[N_TRAIN:])
    subject = make_subject(model, *train, test=test if tested else None, **options)
    return ask(shortcut.CHECK, evidence_of(subject, one=one_of(subject)))


def with_corner(images, labels):
    """Digits with two by two pixels in a corner that tell the class, brightly."""
    marked = images.copy()
    code = (labels[:, None] >> np.arange(4)) & 1
    marked[:, :2, 6:] = 3.0 * code.reshape(-1, 2, 2)
    return marked


def flat_network(n_inputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(n_inputs, 32), nn.ReLU(), nn.Linear(32, 10))


RECIPE = Recipe(epochs=30, batch_size=50, learning_rate=0.1)


def test_a_corner_patch_is_found_where_it_is(digits):
    images, labels = digits
    found = asked(flat_network(64), with_corner(images, labels)[:, None], labels, recipe=RECIPE)
    assert (found.status, found.severity) == ("found", "critical"), found
    assert "rows 0 to 1, columns 6 to 7 of 8 x 8 pixels" in found.sentence
    assert found.cost.low > 10
    grid = found.figures[1]
    assert grid.images.shape == (2, 6, 8, 8)
    assert np.isfinite(grid.images[1]).sum() == 6 * 4  # the patch alone
    assert found.details["error_of_a_model_trained_without_it"] < 15


def test_clean_digits_are_quiet(digits):
    images, labels = digits
    found = asked(flat_network(64), images[:, None], labels, recipe=RECIPE)
    assert found.status == "passed", found
    assert "No single patch" in found.sentence


def test_colours_are_found(digits):
    images, labels = digits
    hues = np.random.default_rng(0).uniform(0, 3, (10, 3))
    hues *= 3 / hues.sum(1, keepdims=True)
    coloured = images[:, None] * hues[labels][:, :, None, None]
    found = asked(flat_network(192), coloured, labels, recipe=RECIPE)
    assert found.status == "found", found
    assert "hangs on the colours" in found.sentence
    assert len(found.figures) == 1  # they are nowhere in particular


@pytest.mark.parametrize("marked", [True, False])
def test_digits_laid_flat_are_read_as_images_too(digits, marked):
    images, labels = digits
    images = with_corner(images, labels) if marked else images
    model = make_pipeline(LogisticRegression(max_iter=200))
    found = asked(model, images.reshape(N, 64), labels)
    assert found.status == ("found" if marked else "passed")
    if marked:
        assert "columns 6 to 7 of 8 x 8 pixels" in found.sentence
        assert found.severity == "critical"


def table(tells, seed=0):
    """Two numbers that tell the class together, and a word that tells it as often as given."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, N)
    X = pd.DataFrame(rng.normal(size=(N, 4)) + 0.7 * (2 * y[:, None] - 1), columns=list("abcd"))
    word = np.where(rng.random(N) < tells, y, 1 - y)
    X["stamp"] = np.array(["old", "new"])[word]
    return X, y


def forest():
    words = make_column_transformer((OneHotEncoder(), ["stamp"]), remainder="passthrough")
    return make_pipeline(words, RandomForestClassifier(30, min_samples_leaf=3))


@pytest.mark.parametrize("tested", [True, False])
def test_a_column_that_tells_more_than_all_others_is_found(tested):
    found = asked(forest(), *table(0.99), tested=tested)
    assert found.status == "found", found
    assert "column stamp" in found.sentence
    assert found.severity == "low"  # what fails may cost much; whether it will, OP501 asks
    assert "strong and honest" not in found.sentence


def test_a_strong_column_that_others_can_replace_is_low():
    X, y = table(0.5)
    X["twin"] = X["sum"] = X[list("abcd")].sum(axis=1)
    X["twin"] += 0.1 * np.random.default_rng(1).normal(size=N)
    found = asked(DecisionTreeClassifier(max_depth=1), X.drop(columns="stamp"), y)
    assert (found.status, found.severity) == ("found", "low"), found
    assert "strong and honest" in found.sentence


def test_a_column_that_nothing_can_replace_is_no_shortcut():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 6))
    found = asked(LogisticRegression(), X, (X[:, 4] > 0).astype(int))
    assert found.status == "passed", found
    assert "column 4, and nothing else tells as much" in found.sentence


def test_few_rows_leave_it_undecided():
    X, y = table(0.75)
    subject = make_subject(forest(), X[:150], y[:150], test=(X[150:210], y[150:210]))
    found = ask(shortcut.CHECK, evidence_of(subject, one=one_of(subject)))
    assert found.status in ("undecided", "passed")


def test_a_model_that_knows_nothing_has_no_shortcut():
    rng = np.random.default_rng(0)
    found = asked(LogisticRegression(), rng.normal(size=(N, 3)), rng.integers(0, 2, N))
    assert found.status == "skipped"
    assert "not surely better than a constant answer" in found.sentence


def test_what_it_does_not_apply_to():
    X, y = table(0.9)
    of_rows = make_subject(lambda rows, seed: None, X[list("abcd")].to_numpy(), y)
    sparse = make_subject(LogisticRegression(), csr_matrix(np.eye(40)), np.arange(40) % 2)
    single = make_subject(LogisticRegression(), X[["a"]], y)
    for subject, why in (
        (of_rows, "holds its inputs itself"),
        (sparse, "neither a table nor images"),
        (single, "nothing else to learn from"),
    ):
        found = ask(shortcut.CHECK, evidence_of(subject))
        assert found.status == "not applicable"
        assert why in found.sentence


def test_a_part_is_exchanged_and_nothing_else():
    X, _ = table(0.9)
    X = X.set_index(np.arange(N) * 3)[["a", "stamp"]].astype({"stamp": "category"})
    (both,) = parts_of(X)
    source = np.roll(np.arange(N), 1)
    changed = both.inside[1].exchange(X, source)
    assert changed["a"].equals(X["a"])
    assert changed["stamp"].tolist() == X["stamp"].iloc[source].tolist()
    assert changed.dtypes.equals(X.dtypes)
    assert changed.index.equals(X.index)


@pytest.mark.parametrize("shape", [(5, 12, 16), (5, 3, 12, 16), (5, 12, 16, 3), (5, 1, 12, 16)])
def test_patches_of_any_layout(shape):
    images = np.random.default_rng(0).random(shape)
    patches = [part for part in parts_of(images) if part.box]
    small = {p.box: p for part in patches for p in part.inside}
    assert all(box[2:] == (3, 4) for box in small)
    covered = np.zeros((12, 16), bool)
    for (top, left, height, width), part in small.items():
        covered[top : top + height, left : left + width] = True
        changed = drawable(part.exchange(images, np.roll(np.arange(5), 1)))
        apart = (changed != drawable(images)).reshape(5, 12, 16, -1).any((0, 3))
        assert apart.sum() == 12
        assert apart[top : top + height, left : left + width].all()
        assert len(part.values(images)) == 5
    assert covered.all()


def test_numbers_that_hang_on_a_stamp():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 5))
    y = X[:, :4].sum(1)
    X[:, 4] = y + 0.2 * rng.normal(size=N)
    found = asked(RandomForestRegressor(30), X, y + 0.01 * rng.normal(size=N))
    assert found.status == "found", found
    assert "column 4" in found.sentence
