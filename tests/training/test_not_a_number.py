"""Models whose outputs are NaN: their rows are wrong, in every way of training, and said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import overparam as op
from overparam.errors import UsageError
from overparam.measures import effective_model_complexity, error_rate
from tests.training.test_stacks import always

INPUTS = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
LABELS = torch.zeros(40, dtype=torch.int64).index_fill(0, torch.arange(3), 1)  # class 1 is rare


class Skip(nn.Module):
    """Of the user's own, so that stacks of it are mapped."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x):
        return self.two(x + torch.relu(self.one(x)))


class NanWhereNegative(nn.Module):
    """The first output of rows whose first input is negative is NaN, the others are not."""

    def __init__(self, position: int = 0) -> None:
        super().__init__()
        self.layer, self.position = nn.Linear(6, 2), position

    def forward(self, x):
        hole = (x[:, :1] < 0) & (torch.arange(2) == self.position)
        return self.layer(x).masked_fill(hole, torch.nan)


def without_nan(outputs, labels):
    return F.cross_entropy(torch.nan_to_num(outputs), labels, reduction="none")


@pytest.mark.parametrize(
    ("model", "way"),
    [
        (op.models.mlp(6, 4, 2), "native"),
        (op.models.mlp(6, 4, 2), "batched"),
        (Skip(), "mapped"),
        (nn.Sequential(nn.Linear(6, 2), nn.Dropout(0.1)), "alone"),
    ],
    ids=["native", "batched", "mapped", "alone"],
)
def test_a_model_that_blew_up_has_no_row_right(monkeypatch, model, way):
    always(monkeypatch, way)
    recipe = op.Recipe(learning_rate=1e30, loss="squared_error", epochs=9, batch_size=10,
                       trace="every", stop_at_error=0.2)  # fmt: skip
    train_set, test_set = (
        op.make_dataset(INPUTS, LABELS),
        op.make_dataset(INPUTS[9:], LABELS[9:], 2),
    )
    cells = [
        op.train(model, train_set, recipe, op.Streams(seed), evaluate={"test": test_set})
        for seed in range(1 if way == "alone" else 3)
    ]
    for fitted in op.solve_all(cells):
        assert fitted.status == "diverged"
        assert fitted.outputs(INPUTS).isnan().all()
        assert fitted.train_error == fitted.error("test") == fitted.best_error("test") == 1
        assert np.isnan(fitted.trace.first_epoch_at_error(0.9))
        with pytest.raises(UsageError, match=r"are NaN.*40 rows, first \[0, 1, 2\].*smaller learn"):
            fitted.predict(INPUTS)


@pytest.mark.parametrize("position", [0, 1])
def test_a_row_with_one_nan_is_wrong_and_the_model_has_diverged(position):
    recipe = op.Recipe(loss=without_nan, epochs=30, trace="every", stop_at_error=0.2)
    test = (INPUTS[:9], LABELS[:9])
    fitted = op.fit(NanWhereNegative(position), (INPUTS, LABELS), recipe, evaluate=test)
    outputs = fitted.outputs(INPUTS)
    assert 0 < outputs.isnan().any(1).sum() < 40
    assert (fitted.status, len(fitted.trace.epoch)) == ("diverged", 1)
    assert np.isfinite(fitted.train_loss)
    assert fitted.train_error == pytest.approx(error_rate(outputs, LABELS))
    assert fitted.error("test") == pytest.approx(error_rate(outputs[:9], LABELS[:9]))
    with pytest.raises(UsageError, match=r"are NaN, of which no class.*\.outputs\(inputs\)"):
        fitted.predict(INPUTS.numpy())
    sound = INPUTS[INPUTS[:, 0] >= 0]
    assert torch.equal(fitted.predict(sound), fitted.outputs(sound).argmax(1))


def test_nan_on_a_set_that_is_only_measured_is_wrong_there():
    train_set = (INPUTS.abs(), LABELS)
    recipe = op.Recipe(loss=without_nan, epochs=3)
    fitted = op.fit(NanWhereNegative(), train_set, recipe, evaluate=(INPUTS, LABELS))
    assert fitted.status == "done"
    assert fitted.error("test") == pytest.approx(error_rate(fitted.outputs(INPUTS), LABELS))
    assert fitted.error("test") > 0.3


def test_the_complexity_of_a_procedure_that_diverges_is_below_the_sweep():
    recipe = op.Recipe(loss="squared_error", learning_rate=1e30, epochs=9, batch_size=5)
    sizes = [10, 20, 40]
    errors = [
        op.fit(nn.Linear(6, 2), (INPUTS[-n:], 0 * LABELS[-n:]), recipe, n_classes=2).train_error
        for n in sizes
    ]
    assert errors == [1, 1, 1]
    assert effective_model_complexity(sizes, errors).censored == "below"
