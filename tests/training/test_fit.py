"""`fit`: the numbers of `solve(train(...))`, from data in every form that people have."""

import asyncio

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, SubsetRandomSampler, TensorDataset

import overparam as op
from overparam.data.accepted import as_dataset
from overparam.errors import DataError, UsageError
from tests.training.rows_as_given import RECIPE, X_TEST, Y_TEST, Frame, Rows, X, Y, weights

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


def test_arguments_of_an_estimators_fit_are_refused_for_a_network():
    data, recipe = (np.eye(4), [0, 1, 0, 1]), op.Recipe(epochs=1)
    with pytest.raises(UsageError, match="are for estimators; got 'sample_weight, no_such_thing'"):
        op.fit(nn.Linear(4, 2), data, recipe, arguments={"sample_weight": 1, "no_such_thing": 2})
