"""Values of a column that become one number in another type are counted, and nothing else is."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import overparam as op
from overparam.data import make_dataset
from overparam.data.merged_values import notes_on_merged, notes_on_whole_columns

N = 60
RNG = np.random.default_rng(0)
CLASSES = np.arange(N) % 2
TIMES = 1e9 + np.arange(N)  # seconds: float32 has two numbers there
RECIPE = op.Recipe(epochs=1)


def merged(column, dtype=torch.float32):
    return notes_on_merged("inputs", torch.from_numpy(np.asarray(column))[:, None], dtype)


@pytest.mark.parametrize(
    "column",
    [
        TIMES,
        2.0**24 + np.arange(N),
        np.append(TIMES, 0.0),
        1e9 + RNG.normal(size=N),
        1e6 + 0.01 * np.arange(5000),
        np.append(np.arange(9.0), [1e12, 1e12 + 1]),
        np.float64(RNG.integers(0, 2**31, 20_000)),
    ],
)
def test_values_that_become_fewer_are_counted(column):
    before, after = len(np.unique(column)), len(np.unique(column.astype(np.float32)))
    assert (
        f"float32 merges different inputs: column 0 ({before:,} values become {after:,}); "
        in (merged(column)[0])
    )


@pytest.mark.parametrize(
    "column",
    [
        np.arange(N) + 0.0,
        RNG.normal(size=200_000),  # some of so many meet, whatever is done
        1e30 * RNG.random(N),
        RNG.lognormal(0, 20, size=3000),
        np.zeros(N),
        np.float32(TIMES),
        np.float16([1, 2]),
        2.0**24 - np.arange(N),
    ],
)
def test_nothing_is_said_where_nothing_is_lost(column):
    assert merged(column) == ()


def test_whole_numbers_in_double_precision():
    ids = 2**53 + np.arange(N)
    assert (
        "float64 merges different inputs: column 0 (60 values become 31); subtract"
        in (merged(ids, torch.float64)[0])
    )
    assert merged(2**53 - np.arange(N), torch.float64) == ()


def test_columns_are_named_and_only_rows_that_are_used_are_counted():
    images = torch.zeros(N, 2, 3, dtype=torch.float64)
    images[:, 1, 2] = torch.from_numpy(TIMES)
    assert "column (1, 2) (60 values" in notes_on_merged("inputs", images, torch.float32)[0]
    table = pd.DataFrame(dict.fromkeys("abcde", TIMES))
    data = make_dataset(table, CLASSES)
    note = op.fit(nn.Linear(5, 2), data.head(10), RECIPE).notes[0]
    assert "columns 'a' (10 values become 1), 'b'" in note
    assert "and 2 more; subtract" in note
    assert notes_on_merged("inputs", torch.empty(3, 0).double(), torch.float32) == ()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"id": 2**53 + np.arange(N), "x": RNG.random(N)}),
        pd.DataFrame({"id": pd.array(2**53 + np.arange(N), dtype="Int64"), "x": RNG.random(N)}),
        pd.DataFrame({"id": np.array([2**53 + i for i in range(N)], object), "x": RNG.random(N)}),
    ],
)
def test_a_table_tells_what_one_array_of_all_columns_would_hide(table):
    note = "float64 merges different inputs: column {} (60 values become 31); subtract"
    made = make_dataset(table, CLASSES).notes
    assert [n for n in made if note.format("'id'") in n]
    assert note.format("0") in notes_on_whole_columns(table.to_numpy(object))[0]
    assert make_dataset(table.assign(id=table["id"] - 2**53), CLASSES).notes == ()


def test_training_says_it_in_every_form_and_not_in_double_precision():
    data = TIMES[:, None], CLASSES
    net, says = op.models.mlp(1, 4, 2), "column 0 (60 values become 2)"
    assert says in op.fit(net, data, RECIPE).notes[0]
    assert says in op.solve(op.train(net, data, RECIPE, op.Streams(0))).notes[0]
    found = op.subset_ensemble(net, *data, 4, recipe=RECIPE, workers=0)
    assert [says in note for note in found.notes].count(True) == 1
    assert op.fit(net, data, op.Recipe(epochs=1, precision="float64")).notes == ()
    whole = op.fit(net, (2**53 + np.arange(N)[:, None], CLASSES), RECIPE).notes
    assert ["60 values become 31" in note for note in whole].count(True) == 1
    assert ["31 values become 1" in note for note in whole].count(True) == 1
    squares, rows = op.Recipe(epochs=1, loss="squared_error"), np.arange(N)[:, None] / N
    targets = op.fit(nn.Linear(1, 1), (rows, TIMES), squares, n_classes=None)
    assert "float32 merges different targets: column 0 (60 values" in targets.notes[0]
