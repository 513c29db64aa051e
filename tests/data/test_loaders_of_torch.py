"""PyTorch's datasets and loaders: trained on are the rows that they yield, and no others."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from torch.utils.data import Dataset as RowsOfTheirOwn

import overparam as op
from overparam.data.accepted import as_dataset
from overparam.data.examples import as_examples
from overparam.errors import DataError, UsageError

X, Y = torch.arange(24.0).reshape(12, 2), torch.arange(12) % 3
ROWS = TensorDataset(X, Y)


class Scaled(TensorDataset):
    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return 100 * x, y


class Half(TensorDataset):
    def __len__(self):
        return 6


class Together(RowsOfTheirOwn):
    """Knows how to give many rows at once, and nothing else."""

    def __len__(self):
        return 12

    def __getitems__(self, positions):
        if max(positions) > 7:
            raise OSError("shard 7 is not there")
        return [(X[i], Y[i]) for i in positions]


def yielded(loader):
    """The rows of one pass, in the order of their numbers."""
    inputs = torch.cat([batch for batch, _ in loader])
    return inputs[inputs[:, 0].argsort()]


@pytest.mark.parametrize(
    "wrap", [lambda d: d, lambda d: Subset(d, range(len(d))), lambda d: ConcatDataset([d])]
)
def test_a_subclass_of_a_tensor_dataset_is_asked_for_its_rows(wrap):
    assert torch.equal(as_dataset(wrap(Scaled(X, Y))).inputs, 100 * X)
    assert torch.equal(as_dataset(wrap(Half(X, Y))).inputs, X[:6])
    test = op.fit(torch.nn.Linear(2, 3), (X, Y), op.Recipe(epochs=1), evaluate=wrap(Scaled(X, Y)))
    assert test.error("test") == pytest.approx(op.measures.error_rate(test.outputs(100 * X), Y))


LOADERS = {
    "in order": DataLoader(ROWS, 5),
    "shuffled": DataLoader(ROWS, 5, shuffle=True),
    "shuffled without the last": DataLoader(ROWS, 12, shuffle=True, drop_last=True),
    "in order without the last": DataLoader(ROWS, 5, drop_last=True),
    "first rows": DataLoader(ROWS, 4, sampler=SequentialSampler(range(6))),
    "shuffled first rows": DataLoader(ROWS, 4, sampler=RandomSampler(range(6))),
    "some rows": DataLoader(ROWS, 4, sampler=SubsetRandomSampler([1, 1, 7])),
    "list": DataLoader(ROWS, 4, sampler=[7, 0, 5]),
    "range": DataLoader(ROWS, 4, sampler=range(2, 9, 3)),
    "batches of some": DataLoader(
        ROWS, batch_sampler=BatchSampler(SubsetRandomSampler(range(6)), 4, False)
    ),
    "batches in order": DataLoader(
        ROWS, batch_sampler=BatchSampler(SequentialSampler(ROWS), 5, True)
    ),
    "list of batches": DataLoader(ROWS, batch_sampler=[[0, 1], [5, 3]]),
    "no batches": DataLoader(ROWS, batch_size=None, sampler=[3, 4]),
    "half": DataLoader(Half(X, Y), 4),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_the_rows_of_a_loader_are_those_that_it_yields(kind):
    loader = LOADERS[kind]
    dataset = as_dataset(loader, 3)
    found = dataset.inputs[dataset.inputs[:, 0].argsort()]
    wanted = yielded(loader) if kind != "no batches" else X[3:5]
    assert torch.equal(found, wanted)
    assert torch.equal(dataset.labels, (dataset.inputs[:, 0] / 2).long() % 3)


@pytest.mark.parametrize(
    ("options", "positions", "said"),
    [
        ({"sampler": [*range(11, -1, -1)]}, range(12), "numbered as in its dataset"),
        ({"batch_sampler": [[3, 1], [0, 2]]}, range(4), "numbered as in its dataset"),
        ({"shuffle": True}, range(12), "numbered as in its dataset"),
        ({"sampler": [7, 0, 5]}, [7, 0, 5], r"(rows 0 to 2 are rows 7, 0, 5 of its dataset)"),
        ({"sampler": [7]}, [7], "(row 0 is row 7 of its dataset)"),
        (
            {"sampler": SubsetRandomSampler([9, 8, 1, 7, 6, 5])}, [1, 5, 6, 7, 8, 9],
            "(rows 0 to 4 are rows 1, 5, 6, 7, 8, ... of its dataset)",
        ),
    ],
)  # fmt: skip
def test_which_row_of_its_dataset_a_row_is_can_be_told(options, positions, said):
    dataset = as_dataset(DataLoader(ROWS, **options), 3)
    assert torch.equal(dataset.inputs, X[list(positions)])
    assert said in dataset.notes[0]


def test_a_census_counts_the_rows_of_a_loader():
    census = op.census(torch.nn.Linear(2, 3), LOADERS["batches of some"])
    assert census.interpolation_threshold == 6 * 3


def test_a_collating_function_is_given_the_loaders_batches():
    def centred(rows):
        inputs = torch.stack([x for x, _ in rows])
        return inputs - inputs.mean(0), torch.stack([y for _, y in rows])

    loader = DataLoader(ROWS, 4, collate_fn=centred)
    assert torch.equal(as_dataset(loader).inputs, torch.cat([batch for batch, _ in loader]))


class FirstOnly(SequentialSampler):
    def __iter__(self):
        return iter([0, 1, 2])


class AlwaysZero(RandomSampler):
    def __iter__(self):
        return iter([0, 0, 0])


class OwnSampler(Sampler):
    def __iter__(self):
        return iter([0, 1, 2])


class OwnBatches(BatchSampler):
    def __iter__(self):
        return iter([[0, 1]])


class OwnPass(DataLoader):
    def __iter__(self):
        for inputs, labels in super().__iter__():
            yield 100 * inputs, labels


@pytest.mark.parametrize(
    ("loader", "got"),
    [
        (DataLoader(ROWS, 4, sampler=FirstOnly(ROWS)), "FirstOnly"),
        (DataLoader(ROWS, 4, sampler=AlwaysZero(ROWS)), "AlwaysZero"),
        (DataLoader(ROWS, 4, sampler=OwnSampler()), "OwnSampler"),
        (DataLoader(ROWS, 4, sampler=RandomSampler(ROWS, num_samples=5)), "RandomSampler"),
        (DataLoader(ROWS, 4, sampler=RandomSampler(ROWS, replacement=True)), "RandomSampler"),
        (DataLoader(ROWS, batch_sampler=OwnBatches(SequentialSampler(ROWS), 4, False)),
         "OwnBatches.*list of batches"),
        (DataLoader(ROWS, batch_sampler=BatchSampler(WeightedRandomSampler([1.0], 9), 4, True)),
         "WeightedRandomSampler"),
        (OwnPass(ROWS, 4), "OwnPass with a __iter__ of its own"),
    ],
)  # fmt: skip
def test_a_loader_whose_rows_nobody_can_tell_is_refused(loader, got):
    with pytest.raises(UsageError, match=rf"draws rows in a way of its own.*{got}.*Subset\("):
        as_dataset(loader)


def test_a_subclass_of_a_loader_that_changes_nothing_of_its_rows_is_taken():
    class Named(DataLoader):
        name = "train"

    assert torch.equal(as_dataset(Named(ROWS, 4, shuffle=True)).inputs, X)


class Failing(RowsOfTheirOwn):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        return X[i], {}["seven"] if i == 7 else Y[i]


class TooLong(TensorDataset):
    def __len__(self):
        return 20


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (Failing(), "row 7 of the dataset cannot be read: KeyError: 'seven'.*Failing"),
        (TooLong(X, Y), "row 12 of the dataset cannot be read: IndexError"),
        (Together(), "rows 0 to 11 of the dataset cannot be read: OSError: shard 7"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(dataset, said):
    for form in (dataset, DataLoader(dataset, 20)):
        with pytest.raises(DataError, match=said):
            as_dataset(form)


def test_rows_that_come_together_are_asked_for_together():
    assert torch.equal(as_dataset(DataLoader(Together(), 3, sampler=range(6))).inputs, X[:6])


def test_rows_that_a_shuffled_loader_would_drop_are_said():
    notes = as_dataset(DataLoader(TensorDataset(X, Y), 5, shuffle=True, drop_last=True)).notes
    assert f"nor is drop_last, which leaves {len(X) % 5} other rows out of each" in notes[0]
    assert "drop_last" not in as_dataset(DataLoader(TensorDataset(X, Y), 5, shuffle=True)).notes[0]


class Drawn(RowsOfTheirOwn):
    """Rows of which `part` is another whenever it is read."""

    def __init__(self, part):
        self.part, self.reads = part, 0

    def __len__(self):
        return 20

    def __getitem__(self, i):
        self.reads += 1
        noise = torch.randn(2) if self.part == "inputs" else torch.zeros(2)
        label = int(torch.randint(2, ())) if self.part == "labels" else i % 2
        return torch.tensor([i, 1.0]) + noise, label


@pytest.mark.parametrize("part", ["inputs", "labels", "nothing"])
@pytest.mark.parametrize("loaded", [False, True])
def test_rows_that_are_drawn_anew_are_told(part, loaded):
    rows = Drawn(part)
    given = DataLoader(rows, batch_size=7, shuffle=True) if loaded else rows
    notes = [note for note in as_dataset(given, 2).notes if "read again" in note]
    assert len(notes) == (part != "nothing")
    assert rows.reads <= 28
    found = [note for note in as_examples(given).notes if "read again" in note]
    assert len(found) == (part != "nothing")
