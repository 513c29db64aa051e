"""`fit`: targets and classes, whole-numbered inputs, progress, and what is refused."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler

import overparam as op
from overparam.data.accepted import as_dataset
from overparam.errors import DataError, ResourceError, UsageError
from tests.training.rows_as_given import RECIPE, X_TEST, Y_TEST, Frame, Rows, X, Y, weights


def test_regression():
    targets = X @ np.arange(5.0).astype(np.float32)
    recipe = op.Recipe(loss="squared_error", epochs=200, learning_rate=0.05)
    fitted = op.fit(nn.Linear(5, 1), (X, targets), recipe, evaluate={"again": (X, targets)})
    predicted = fitted.predict(X)
    assert predicted.shape == (40,)
    np.testing.assert_allclose(predicted, targets, atol=1e-3)
    assert fitted.loss("again") < 1e-5
    two = op.fit(nn.Linear(5, 2), (X, np.stack([targets, -targets], 1)), recipe)
    assert two.predict(X).shape == (40, 2)
    counts = (np.abs(targets) * 40).astype(int)
    whole = op.fit(nn.Linear(5, 1), (X, counts), recipe, n_classes=None)
    assert whole.task.n_classes is None


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_cross_entropy_of_floating_targets_is_refused(n_outputs):
    targets = np.random.default_rng(0).standard_normal((40, n_outputs))
    with pytest.raises(UsageError, match=r'cross-entropy needs classes.*loss="squared_error"'):
        op.fit(nn.Linear(5, n_outputs), (X, targets), RECIPE)
    dataset = op.make_dataset(X, targets)
    with pytest.raises(UsageError, match="cross-entropy needs classes"):
        op.solve(op.train(nn.Linear(5, n_outputs), dataset, RECIPE, op.Streams(0)))


def test_rows_of_probabilities_are_targets_of_cross_entropy():
    soft = np.stack([0.9 - 0.8 * Y, 0.1 + 0.8 * Y], 1)
    fitted = op.fit(nn.Linear(5, 2), (X, soft), op.Recipe(epochs=300, learning_rate=1.0))
    assert (fitted.predict(X) == Y).mean() >= 0.9
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert entropy < fitted.train_loss < np.log(2)
    with pytest.raises(UsageError, match="cross-entropy needs classes"):
        op.fit(nn.Linear(5, 2), (X, soft * 2), RECIPE)


def test_sets_of_another_kind_than_the_training_set_are_refused():
    classes, targets = op.make_dataset(X, Y), op.make_dataset(X, X[:, :2])
    recipe = op.Recipe(loss="squared_error", epochs=1)
    with pytest.raises(UsageError, match=r"'test' has floating targets where .* has classes"):
        op.fit(nn.Linear(5, 2), classes, recipe, evaluate=targets)
    with pytest.raises(UsageError, match=r"'test' has classes where .* has floating targets"):
        op.fit(nn.Linear(5, 2), targets, recipe, evaluate=classes)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_a_fraction_of_wrong_rows_to_stop_at_needs_classes(loss):
    soft = np.stack([0.9 - 0.8 * Y, 0.1 + 0.8 * Y], 1)
    recipe = op.Recipe(loss=loss, epochs=9, trace="every", stop_at_error=0.5)
    with pytest.raises(UsageError, match=r"stop_at_error is a fraction.*say stop_at_loss"):
        op.fit(nn.Linear(5, 2), (X, soft), recipe)


def test_names_of_sets_to_evaluate_are_text():
    dataset = op.make_dataset(X, Y)
    for evaluate, said in (({1: dataset}, r"must be text; got '1'"), ({"train": dataset}, "own")):
        with pytest.raises(UsageError, match=said):
            op.fit(nn.Linear(5, 2), dataset, RECIPE, evaluate=evaluate)
        with pytest.raises(UsageError, match=said):
            op.train(nn.Linear(5, 2), dataset, RECIPE, op.Streams(0), evaluate=evaluate)


def test_sets_to_evaluate_are_read_as_the_training_set_is():
    one_class = (X_TEST[Y_TEST == 1], Y_TEST[Y_TEST == 1])
    fitted = op.fit(op.models.mlp(5, 6, 2), (X, Y), RECIPE, evaluate=one_class)
    assert 0 <= fitted.error("test") <= 1
    whole = (np.ones((3, 5), int), [0, 1, 1])
    assert 0 <= op.fit(nn.Linear(5, 2), (X, Y), RECIPE, evaluate=whole).error("test") <= 1
    with pytest.raises(DataError, match=r"labels of 'test' lie outside.*allowed: 0\.\.1"):
        op.fit(op.models.mlp(5, 6, 2), (X, Y), RECIPE, evaluate=(X_TEST, Y_TEST + 1))


def test_how_labels_were_read_stands_in_the_error_about_sizes():
    with pytest.raises(UsageError, match=r"output size.*taken as 2 classes; give n_classes=None"):
        op.fit(op.models.mlp(5, 6, 1), (X, Y.astype(float)), RECIPE)
    with pytest.raises(UsageError, match="output size"):
        op.fit(op.models.mlp(5, 6, 1), (X, Y), RECIPE)
    assert "class 0 has no rows" in repr(op.fit(op.models.mlp(5, 6, 3), (X, Y + 1), RECIPE))


def test_how_labels_were_read_stands_in_the_census():
    notes = op.census(op.models.mlp(5, 4, 3), op.make_dataset(X, Y + 1)).notes
    assert any("class 0 has no rows" in note for note in notes)


# Whole-numbered inputs


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(50, 4), nn.Linear(12, 2)

    def forward(self, tokens):
        return self.head(self.embed(tokens).flatten(1))


def test_a_table_of_whole_numbers_becomes_floating_where_the_model_takes_no_integers():
    counts = np.random.default_rng(0).integers(0, 9, (40, 5))
    for model in (nn.Linear(5, 2), nn.Linear(5, 2).double(), op.models.mlp(5, 6, 2)):
        fitted = op.fit(model, (counts, Y), RECIPE)
        floating = op.fit(model, (counts.astype(np.float32), Y), RECIPE)
        assert weights(fitted).equal(weights(floating))
        assert "inputs are whole numbers" in fitted.notes[0]
        np.testing.assert_array_equal(fitted.predict(counts), floating.predict(counts * 1.0))


@pytest.mark.parametrize("bad", [np.full((1, 3), 0.5), torch.full((2, 3), 1.5)])
def test_tokens_stay_whole_numbers(bad):
    tokens = np.random.default_rng(0).integers(0, 50, (40, 3))
    fitted = op.fit(Text(), (tokens, Y), RECIPE)
    assert fitted.task.takes_integers
    assert fitted.notes == ()
    assert fitted.predict(tokens).shape == (40,)
    np.testing.assert_array_equal(fitted.predict(tokens * 1.0), fitted.predict(tokens))
    with pytest.raises(DataError, match="trained on whole numbers"):
        fitted.predict(bad)


# The entrance


def test_progress_and_device(capsys):
    said = []
    recipe = op.Recipe(epochs=50, learning_rate=0.1, batch_size=8)
    plain = op.fit(op.models.mlp(5, 6, 2), (X, Y), recipe)
    fitted = op.fit(op.models.mlp(5, 6, 2), (X, Y), recipe, device="cpu", progress=said.append)
    assert weights(fitted).equal(weights(plain))
    assert said == sorted(said)
    assert said[-1] == 1.0
    assert all(0 < fraction <= 1 for fraction in said)
    op.fit(op.models.mlp(5, 6, 2), (X, Y), recipe, progress=True)
    assert capsys.readouterr().err.endswith("training: 100 %\n")


class Endless(IterableDataset):
    def __iter__(self):
        return iter(())


class Ragged(Rows):
    def __getitem__(self, i):
        return np.zeros(i + 1, np.float32), 0


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (None, UsageError, "not a form of data"),
        ({"data": X, "target": Y}, UsageError, r"not a form of data.*give \(X, y\)"),
        (X, UsageError, r"not a form of data"),
        ((X, Y, Y), UsageError, r"a tuple must hold inputs and labels.*3 parts.*several inputs"),
        ((X,), UsageError, r"a tuple must hold.*give \(X, y\)"),
        (TensorDataset(torch.zeros(3, 1)), UsageError, "a TensorDataset must hold"),
        ((Frame({"a": Y, "b": Y}), "c"), UsageError, "no such column .*allowed: a, b"),
        ((X, "label"), UsageError, "no such column .*allowed: a DataFrame"),
        (Endless(), UsageError, "iterable dataset has no rows"),
        (Rows(X[:0], Y[:0]), DataError, "the dataset is empty"),
        (Ragged(), DataError, "do not make a tensor.*pad sequences"),
        (Rows(np.ma.masked_less(X, 0), Y), DataError, "rows of the dataset hold masked values"),
        (DataLoader(Rows(), sampler=WeightedRandomSampler([1.0] * 40, 40)), UsageError,
         "draws rows in a way of its own.*give the dataset itself"),
        ((X[:, 0], Y), DataError, r"inputs must be \[n, \*shape\]"),
    ],
)  # fmt: skip
def test_faults_of_data(data, error, match):
    with pytest.raises(error, match=match):
        op.fit(nn.Linear(5, 2), data, RECIPE)


def test_a_dataset_has_its_own_classes():
    dataset = op.make_dataset(X, Y)
    assert as_dataset(dataset, 2) is dataset
    with pytest.raises(UsageError, match=r"is a Dataset and has its own n_classes; got 5"):
        op.fit(nn.Linear(5, 5), dataset, RECIPE, n_classes=5)


@pytest.mark.parametrize(
    ("model", "recipe", "keywords", "error", "match"),
    [
        (LogisticRegression(), RECIPE, {}, UsageError, r"LogisticRegression.*without a recipe"),
        (nn.Linear(5, 2), None, {}, UsageError, r"fit needs a recipe; got 'NoneType'"),
        (Text, RECIPE, {}, UsageError, r"give an instance: Text\(\.\.\.\)"),
        (nn.Linear(5, 2), {"epochs": 3}, {}, UsageError, r"fit needs a recipe; got 'dict'"),
        (nn.Linear(5, 2), RECIPE, {"seed": 0.5}, UsageError, "seed must be a whole number"),
        (nn.Linear(5, 2), RECIPE, {"device": "cdua"}, ResourceError, r"no such device.*cdua"),
        (nn.Linear(5, 2), RECIPE, {"device": 1.5}, ResourceError, r"no such device"),
    ],
)
def test_faults_of_the_entrance(model, recipe, keywords, error, match):
    with pytest.raises(error, match=match):
        op.fit(model, (X, Y), recipe, **keywords)


def test_integers_that_no_type_helps_are_refused_by_the_engine():
    class Refuses(nn.Linear):
        def forward(self, x):
            raise RuntimeError("never")

    with pytest.raises(Exception, match="never"):
        op.fit(Refuses(5, 2), (np.ones((40, 5), int), Y), RECIPE)
