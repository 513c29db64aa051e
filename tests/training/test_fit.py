"""`fit`: the numbers of `solve(train(...))`, from data in every form that people have."""

import asyncio

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from torch.utils.data import Dataset as RowsOfTheirOwn

import overparam as op
from overparam.data.accepted import as_dataset
from overparam.errors import DataError, ResourceError, UsageError

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


FORMS = {
    "arrays": lambda x, y: (x, y),
    "list of two": lambda x, y: [x, y],
    "tensors": lambda x, y: (torch.from_numpy(x), torch.from_numpy(y)),
    "lists": lambda x, y: (x.astype(float).tolist(), y.tolist()),
    "table and column": lambda x, y: (Frame({f"x{j}": x[:, j] for j in range(5)}), y),
    "table and name": lambda x, y: (
        Frame({"x0": x[:, 0], "label": y, **{f"x{j}": x[:, j] for j in range(1, 5)}}),
        "label",
    ),
    "TensorDataset": lambda x, y: TensorDataset(torch.from_numpy(x), torch.from_numpy(y)),
    "map-style": Rows,
    "Subset": lambda x, y: Subset(Rows(np.r_[x, x], np.r_[y, y]), range(len(x))),
    "DataLoader": lambda x, y: DataLoader(Rows(x, y), batch_size=7, shuffle=True),
    "Dataset": op.make_dataset,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_numbers_of_solve_and_train(form):
    model = op.models.mlp(5, 6, 2)
    dataset, test_set = op.make_dataset(X, Y), op.make_dataset(X_TEST, Y_TEST)
    coroutine = op.train(model, dataset, RECIPE, op.Streams(3), evaluate={"test": test_set})
    expected = op.solve(coroutine)
    before = torch.random.get_rng_state()
    given = FORMS[form]
    fitted = op.fit(model, given(X, Y), RECIPE, seed=3, evaluate=given(X_TEST, Y_TEST))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert weights(fitted).equal(weights(expected))
    assert fitted.error("test") == expected.error("test")
    assert fitted.loss("test") == pytest.approx(expected.trace.loss["test"][-1])


def test_it_works_inside_a_running_event_loop():
    async def notebook():
        return op.fit(op.models.mlp(5, 6, 2), (X, Y), RECIPE)

    alone = op.fit(op.models.mlp(5, 6, 2), (X, Y), RECIPE)
    assert weights(asyncio.run(notebook())).equal(weights(alone))


def test_a_table_is_read_by_the_names_of_its_columns(tmp_path):
    """Columns in another order are other inputs: refused, where a list of names is known."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    turned = frame[list("edcba")]
    model = nn.Linear(5, 2)
    fitted = op.fit(model, (frame, Y), RECIPE)
    fitted.save(tmp_path / "fitted.pt")
    loaded = op.load_fitted(tmp_path / "fitted.pt", nn.Linear(5, 2))
    for one in (fitted, loaded):
        np.testing.assert_array_equal(one.predict(frame), fitted.predict(X))
        with pytest.raises(UsageError, match=r"'e' at position 0.*frame\[\['a', 'b'"):
            one.predict(turned)
        with pytest.raises(UsageError, match="not those of the training set"):
            one.predict(frame.rename(columns={"c": "z"}))
        with pytest.raises(UsageError, match=r"got '?6 columns"):
            one.predict(frame.assign(f=1.0))
    with pytest.raises(UsageError, match="columns are not those of 'train'"):
        op.fit(model, (frame, Y), RECIPE, evaluate={"test": (turned, Y)})
    unnamed = op.fit(model, (X, Y), RECIPE)  # of arrays no names are known
    np.testing.assert_array_equal(unnamed.predict(frame), unnamed.predict(X))


def test_pandas_tables():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, index=range(100, 140)).assign(member=Y, city="Rome")
    model = op.models.mlp(5, 6, 2)
    expected = weights(op.fit(model, (X, Y), RECIPE))
    columns = list(range(5))
    floating = frame["member"].astype(float)  # as a column with gaps comes out of pandas
    labels = [frame["member"], frame["member"].astype("Int64"), frame["member"].astype(bool)]
    for label in [*labels, floating]:
        fitted = op.fit(model, (frame[columns], label), RECIPE)
        torch.testing.assert_close(weights(fitted), expected)
    assert "taken as 2 classes" in fitted.notes[0]
    torch.testing.assert_close(
        weights(op.fit(model, (frame[[*columns, "member"]], "member"), RECIPE)), expected
    )
    probabilities = fitted.predict_proba(frame[columns])
    assert probabilities.shape == (40, 2)
    with pytest.raises(DataError, match=r"inputs are not .*column 'city' holds 'Rome'"):
        op.fit(model, (frame, "member"), RECIPE)
    for label in (frame["city"], frame["city"].astype("category")):
        with pytest.raises(DataError, match=r"labels are not an array of numbers: holds 'Rome'"):
            op.fit(model, (X, label), RECIPE)


def test_a_loaders_rows_are_taken_in_order_and_what_is_not_taken_is_said():
    loader = DataLoader(Rows(), batch_size=7, shuffle=True)
    dataset = as_dataset(loader)
    np.testing.assert_array_equal(dataset.inputs, X)
    assert "batch size (7) and shuffling are not used" in dataset.notes[0]
    fitted = op.fit(op.models.mlp(5, 6, 2), loader, RECIPE)
    assert fitted.n_steps == 3 * 5  # of eight rows, as the recipe has it
    assert fitted.notes == dataset.notes
    some = DataLoader(Rows(), sampler=SubsetRandomSampler([9, 3, 5, 21]))
    np.testing.assert_array_equal(as_dataset(some, 2).inputs, X[[3, 5, 9, 21]])


@pytest.mark.parametrize("rows", [Rows(), TensorDataset(torch.tensor(X), torch.tensor(Y))])
def test_of_a_loader_without_batches_each_item_is_a_row(rows):
    dataset = as_dataset(DataLoader(rows, batch_size=None))
    np.testing.assert_array_equal(dataset.inputs, X)
    np.testing.assert_array_equal(dataset.labels, Y)
    twice = DataLoader(rows, batch_size=None, collate_fn=lambda row: (2 * row[0], row[1]))
    np.testing.assert_array_equal(as_dataset(twice).inputs, 2 * X)

    def halved(items):
        return torch.stack([torch.as_tensor(x) / 2 for x, _ in items]), torch.tensor(
            [y for _, y in items]
        )

    own = DataLoader(Rows(), batch_size=4, collate_fn=halved)
    np.testing.assert_array_equal(as_dataset(own).inputs, X / 2)


def test_random_augmentation_is_drawn_once_and_the_same_each_time():
    before = torch.random.get_rng_state()
    first, second = as_dataset(Rows(jitter=True)), as_dataset(Rows(jitter=True))
    assert first.inputs.equal(second.inputs)
    assert not first.inputs.equal(torch.from_numpy(X))
    assert torch.equal(torch.random.get_rng_state(), before)


# Regression, classes and sizes


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
