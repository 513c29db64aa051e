"""`Fitted`: what a trained model answers, and what it says when it cannot."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import overparam as op
from overparam.data.accepted import as_dataset
from overparam.errors import DataError, UsageError
from tests.training.rows_as_given import RECIPE, X_TEST, Y_TEST, Rows, X, Y


@pytest.fixture(scope="module")
def fitted():
    return op.fit(op.models.mlp(5, 6, 2), (X, Y), op.Recipe(epochs=60, learning_rate=0.3))


def test_predictions_are_those_of_the_plain_module(fitted):
    module = fitted.module()
    with torch.no_grad():
        logits = module(torch.from_numpy(X))
    torch.testing.assert_close(fitted.outputs(torch.from_numpy(X)), logits)
    np.testing.assert_allclose(fitted.outputs(X), logits.numpy(), rtol=1e-6)
    assert isinstance(fitted.predict(X), np.ndarray)
    assert isinstance(fitted.predict(torch.from_numpy(X)), torch.Tensor)
    np.testing.assert_array_equal(fitted.predict(X.tolist()), logits.argmax(1))
    np.testing.assert_allclose(fitted.predict_proba(X), logits.softmax(1).numpy(), rtol=1e-5)
    assert fitted.predict_proba(torch.from_numpy(X)).dtype == torch.float32
    assert (fitted.predict(X) != Y).mean() == pytest.approx(fitted.train_error)
    outputs = op.solve(op.predict(fitted, X))  # arrays are taken there too
    torch.testing.assert_close(outputs, logits)


@pytest.mark.parametrize(
    ("ask", "error", "match"),
    [
        (lambda f: f.predict(X[0]), UsageError, r"another shape.*'?\[n, 5\]'?; one row is x\[None"),
        (lambda f: f.predict_proba(X[0]), UsageError, "rows have another shape"),
        (lambda f: f.outputs(torch.tensor(X[0])), UsageError, "rows have another shape"),
        (lambda f: op.solve(op.predict(f, X[0])), UsageError, "rows have another shape"),
        (lambda f: f.predict(X[:, :3]), UsageError, r"another shape.*fitted\.module\(\)"),
        (lambda f: f.predict(X[:, None]), UsageError, "rows have another shape"),
        (lambda f: f.predict(X * np.nan), DataError, "hold NaN or infinity; got '40 rows"),
        (lambda f: f.outputs(torch.tensor([[np.inf] * 5])), DataError, r"1 rows, first \[0\]"),
        (lambda f: f.predict_proba(np.ma.masked_less(X, 0)), DataError, "masked values"),
        (lambda f: f.predict(X[:0]), DataError, "at least one row"),
        (lambda f: f.predict(3.0), DataError, "at least one row"),
        (lambda f: f.predict([["a"]]), DataError, "inputs are not an array of numbers"),
        (lambda f: f.error("tset"), UsageError, r"no set of this name.*allowed: train"),
        (lambda f: f.best_error("trian"), UsageError, "did you mean 'train'"),
        (lambda f: f.loss("x"), UsageError, r"train with evaluate=\{'x'"),
        (lambda f: op.solve(op.predict(X, X)), UsageError, "predict asks a fitted model"),
    ],
)
def test_faults_of_asking(fitted, ask, error, match):
    with pytest.raises(error, match=match):
        ask(fitted)


@pytest.mark.parametrize("token", [7, -1])
def test_tokens_beyond_the_table_are_named(token):
    model = nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 2))
    tokens = np.arange(40).reshape(20, 2) % 7
    fitted = op.fit(model, (tokens, np.arange(20) % 2), RECIPE)
    assert fitted.predict(tokens).shape == (20,)
    for ask in (fitted.predict, lambda t: op.solve(op.predict(fitted, t))):
        with pytest.raises(DataError, match=rf"fails on these whole numbers.*{token}"):
            ask([[token, 3]])


def test_numbers_of_lists_keep_their_digits():
    inputs = [[16_777_217.0], [16_777_216.0]] * 2
    recipe = op.Recipe(loss="squared_error", epochs=1, precision="float64", learning_rate=1e-20)
    model = nn.Linear(1, 1)
    for given in (inputs, np.array(inputs), np.array(inputs, np.int64)):
        fitted = op.fit(model, (given, [16_777_217.0, 0.5, 1.0, 2.0]), recipe)
        exact = fitted.module()(torch.tensor(inputs, dtype=torch.float64))
        torch.testing.assert_close(fitted.outputs(given), exact.detach().numpy(), rtol=0, atol=0)
    assert as_dataset((inputs, [16_777_217.0, 0.5, 1.0, 2.0])).labels[0] == 16_777_217


def test_probabilities_are_of_cross_entropy_alone():
    def own(outputs, labels):
        return (outputs[:, 0] - labels).square()

    for loss, name in (("squared_error", "squared_error"), (own, "own")):
        other = op.fit(nn.Linear(5, 2), (X, Y), op.Recipe(loss=loss, epochs=1, learning_rate=1e-3))
        with pytest.raises(UsageError, match=rf"got '{name}'; allowed: cross_entropy"):
            other.predict_proba(X)
        assert set(other.predict(X)) <= {0, 1}


def test_a_model_without_weights_says_why(fitted):
    nothing = copy.copy(fitted)
    object.__setattr__(nothing, "state", {})
    with pytest.raises(UsageError, match="no weights to ask"):
        nothing.predict(X)


def test_an_error_within_the_model_is_not_hidden(fitted):
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("a fault of its own")

    broken = copy.copy(fitted)
    object.__setattr__(broken, "template", Broken())
    object.__setattr__(broken, "state", {"scale": torch.ones(1)})
    with pytest.raises(RuntimeError, match="a fault of its own"):
        broken.predict(X)


def test_a_fitted_model_shows_itself_in_ten_lines():
    sets = {f"part {i}": (X_TEST, Y_TEST) for i in range(9)}
    many = op.fit(op.models.mlp(5, 6, 3), DataLoader(Rows(X, Y + 1)), RECIPE, evaluate={
        k: (x, y + 1) for k, (x, y) in sets.items()
    })  # fmt: skip
    object.__setattr__(many, "notes", (*many.notes, "a note " * 90, "another"))
    lines = repr(many).splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 120
    assert lines[0] == "Fitted: done after 15 updates"
    assert "57 parameters" in lines[1]
    assert "train   loss" in lines[3]
    assert "7 more sets" in repr(many)
    assert "2 more notes" in repr(many)


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_predictions_have_the_shape_of_the_targets(shape, tmp_path):
    targets = X[:, : shape[0]] if shape else X[:, 0]
    recipe = op.Recipe(loss="squared_error", epochs=2, learning_rate=0.01)
    fitted = op.fit(op.models.mlp(5, 4, shape[0] if shape else 1), (X, targets), recipe)
    for asked in (fitted, op.load_fitted(fitted.save(tmp_path / "model.pt"))):
        assert asked.predict(X).shape == targets.shape
        assert asked.predict(torch.from_numpy(X)).shape == targets.shape
    # As it was in files of earlier versions, which do not say.
    object.__setattr__(fitted.task, "label_shape", None)
    assert fitted.predict(X).shape == (40, *(n for n in shape if n > 1))


def test_predicted_classes_have_the_shape_of_the_labels():
    for labels in (Y, Y[:, None]):
        fitted = op.fit(op.models.mlp(5, 4, 2), (X, labels), op.Recipe(epochs=2))
        assert fitted.predict(X).shape == labels.shape


def test_outputs_in_a_block_are_one_row_of_outputs():
    class Block(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs).reshape(-1, 2, 2)

    fitted = op.fit(Block(5, 4), (X, np.arange(len(X)) % 4), op.Recipe(epochs=2))
    flat = fitted.outputs(X).reshape(len(X), 4)
    np.testing.assert_array_equal(fitted.predict(X), flat.argmax(1))
    np.testing.assert_allclose(fitted.predict_proba(X).sum(1), 1, rtol=1e-6)


def test_numbers_beyond_the_weights_precision_are_refused(fitted):
    with pytest.raises(DataError, match=r"inputs are too large for float32.*up to 1e\+300"):
        fitted.predict([[1e300] * 5])


def test_a_relabelled_set_has_the_shape_of_what_it_was_given():
    flat, column = op.make_dataset(X, X[:, 0]), op.make_dataset(X, X[:, :1])
    assert (flat.label_shape, column.label_shape) == ((), (1,))
    assert flat.with_labels(-flat.labels, "-").label_shape == ()
    assert flat.with_labels(torch.zeros(40, 3), "x").label_shape == (3,)
    classes = op.make_dataset(X, Y)
    assert classes.with_labels(torch.zeros(40, 1), "x", None).label_shape == (1,)
