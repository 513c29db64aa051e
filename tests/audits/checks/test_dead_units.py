"""OP605: rectified units that are 0 on every row, wherever they are computed."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from overparam.audits.check import ask
from overparam.audits.checks.training import dead_units
from overparam.audits.checks.training.dead_units import units_alive
from overparam.audits.one_model import fit_one
from overparam.audits.subject import make_subject
from overparam.training.recipe import Recipe
from tests.audits.worlds import blobs, evidence_of, subject_of


def ask_of(model, X=None, epochs=1, rate=1e-6):
    inputs, y, _ = blobs(80)
    X = inputs.astype(np.float32) if X is None else X
    recipe = Recipe(epochs=epochs, learning_rate=rate, optimizer="sgd")
    subject = make_subject(model, X, y, recipe=recipe)
    return ask(dead_units.CHECK, evidence_of(subject, one=fit_one(subject, 0)))


def layers(n_dead, n=10):
    """Two inputs, n rectified units of which some are dead, two classes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, n), nn.ReLU(), nn.Linear(n, 2))
    with torch.no_grad():
        model[0].bias[:] = 5.0
        model[0].bias[:n_dead] = -100.0
    return model


@pytest.mark.parametrize(
    ("n_dead", "severity"), [(0, "none"), (1, "none"), (3, "low"), (6, "medium"), (10, "high")]
)
def test_dead_units_are_counted(n_dead, severity):
    found = ask_of(layers(n_dead))
    assert found.severity == severity
    assert found.status == ("passed" if severity == "none" else "found")
    assert found.details["layers"] == {"1": [n_dead, 10]}
    assert found.measured.value == n_dead / 10


class Written(nn.Module):
    """Rectifies by functions, twice in one module."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 4), nn.Linear(4, 2)
        with torch.no_grad():
            self.first.bias[:] = torch.tensor([-100.0, 100.0, 100.0, 100.0])

    def forward(self, x):
        return self.second(torch.relu(functional.relu(self.first(x)) - 1000.0))


def test_functions_are_seen_as_modules_are():
    found = ask_of(Written())
    assert found.details["layers"] == {"the network": [1, 4], "the network (2)": [4, 4]}
    assert found.severity == "high"


def test_channels_are_the_units_of_images():
    model = nn.Sequential(nn.Conv2d(1, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(5, 2))
    with torch.no_grad():
        model[0].bias[:] = torch.tensor([-100.0, -100.0, 100.0, 100.0, 100.0])
    X = np.random.default_rng(0).normal(size=(80, 1, 2, 2)).astype(np.float32)
    assert ask_of(model, X).details["layers"] == {"1": [2, 5]}


def test_a_row_far_down_keeps_a_unit_alive():
    X = np.zeros((3000, 2), np.float32)
    X[2999] = 1.0
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.ReLU(), nn.Linear(1, 2))
    with torch.no_grad():
        model[0].weight[:] = 1.0
    recipe = Recipe(epochs=1, batch_size=None, learning_rate=1e-9)
    subject = make_subject(model, X, np.arange(3000) % 2, recipe=recipe)
    fitted = fit_one(subject, 0).fitted
    assert units_alive(fitted, torch.from_numpy(X))["1"].tolist() == [True]
    assert units_alive(fitted, torch.from_numpy(X[:2999]))["1"].tolist() == [False]


def test_the_trained_model_is_left_as_it_is():
    X, y, _ = blobs(80)
    subject = make_subject(layers(2), X.astype(np.float32), y, recipe=Recipe(epochs=1))
    one = fit_one(subject, 0)
    before = {k: v.clone() for k, v in one.fitted.state.items()}
    ask(dead_units.CHECK, evidence_of(subject, one=one))
    assert all(torch.equal(v, before[k]) for k, v in one.fitted.state.items())


def test_networks_without_rectifiers_are_left():
    found = ask_of(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)))
    assert found.status == "not applicable"
    assert "ReLU" in found.sentence


def test_models_of_other_kinds_are_left():
    found = ask(dead_units.CHECK, evidence_of(subject_of()))
    assert found.status == "not applicable"


def test_what_diverged_is_left():
    subject = make_subject(layers(0), blobs(80)[0].astype(np.float32), blobs(80)[1],
                           recipe=Recipe(epochs=1))  # fmt: skip
    one = fit_one(subject, 0)
    object.__setattr__(one.fitted, "status", "diverged")
    found = ask(dead_units.CHECK, evidence_of(subject, one=one))
    assert "no trained network" in found.sentence
