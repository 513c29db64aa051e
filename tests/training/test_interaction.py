"""Rows of which one changes what is said of another: errors and predictions pass the same rows."""

import numpy as np
import pytest
import torch
from torch import nn

import overparam as op
from overparam.training import batches
from overparam.training.fit import solve
from overparam.training.interaction import others_matter, rows_interact
from overparam.training.request import solve_all

N = 5000
INPUTS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
INPUTS[4096:] += 3  # a piece of them has another mean
LABELS = (INPUTS[:, 0] > np.where(np.arange(N) < 4096, 0, 3)).astype(int)
RECIPE = op.Recipe(epochs=2, batch_size=500, learning_rate=0.1)


class Centred(nn.Module):
    """Takes the mean of its batch away."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        return self.out(x - x.mean(0))


class Pairs(nn.Module):
    """Fails on an odd number of rows."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        return self.out(x.view(len(x) // 2, 2, 3).flip(1).reshape(len(x), 3))


def normalised():
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.ReLU(), nn.Linear(4, 2)
    )


@pytest.mark.parametrize("make", [Centred, normalised])
def test_predictions_are_what_errors_are_of(make):
    torch.manual_seed(0)
    fitted = op.fit(make(), (INPUTS, LABELS), RECIPE, evaluate={"same": (INPUTS, LABELS)})
    plain = fitted.module()(torch.tensor(INPUTS)).detach().numpy()
    np.testing.assert_allclose(fitted.outputs(INPUTS), plain, atol=1e-5)
    wrong = float((fitted.predict(INPUTS) != LABELS).mean())
    assert fitted.error("same") == fitted.train_error == pytest.approx(wrong)
    assert any("depends on the rows passed with it" in note for note in fitted.notes)


def test_where_memory_bounds_a_pass_both_are_cut_alike(monkeypatch):
    monkeypatch.setattr(batches, "_EVALUATION_FLOATS", 2000)
    torch.manual_seed(0)
    made = [Centred(), Centred()]
    alone = op.fit(made[0], (INPUTS, LABELS), RECIPE)
    wrong = float((alone.predict(INPUTS) != LABELS).mean())
    assert alone.train_error == pytest.approx(wrong)
    whole = alone.module()(torch.tensor(INPUTS)).argmax(1).numpy()
    assert (whole != alone.predict(INPUTS)).any()  # so that the cut does matter here
    assert f"up to {2000 // (3 + 2):,} rows at a time" in alone.notes[-1]
    data = op.make_dataset(INPUTS, LABELS)
    beside = solve_all([op.train(net, data, RECIPE, op.Streams(0)) for net in made])
    assert beside[0].train_error == alone.train_error  # pieces do not follow from the stack
    assert solve(op.train(made[1], data, RECIPE, op.Streams(0))).train_error == (
        beside[1].train_error
    )


def test_members_of_an_ensemble_say_what_their_models_say():
    n = 300
    found = op.subset_ensemble(
        Centred(), INPUTS[:n], LABELS[:n], n_models=4, recipe=RECIPE, workers=0,
        keep=("logits", "models"),
    )  # fmt: skip
    said = list(found.columns.each("outputs"))
    for state, outputs in zip(found.columns.each("state"), said, strict=True):
        net = Centred()
        net.load_state_dict({k: torch.tensor(np.array(v)) for k, v in state.items()})
        plain = net(torch.tensor(INPUTS[:n])).detach().numpy()
        np.testing.assert_allclose(np.asarray(outputs).reshape(n, 2), plain, atol=1e-4)
    assert any("depends on the rows" in note for note in found.notes)


@pytest.mark.parametrize(
    ("module", "answer"),
    [
        (Centred(), True),
        (normalised().eval(), True),
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval(), False),
        (nn.Sequential(nn.Linear(3, 500), nn.Tanh(), nn.Linear(500, 2)), False),
        (nn.LayerNorm(3), False),
        (Pairs(), False),  # of halves of five rows nothing is known
    ],
)
def test_which_modules_have_rows_that_interact(module, answer):
    rows = torch.tensor(INPUTS[:10])
    assert rows_interact(module, rows) is answer
    assert not rows_interact(module, rows[:1])
    assert others_matter(module, rows) is (answer or isinstance(module, Pairs))
    assert not others_matter(module, rows[:1])
