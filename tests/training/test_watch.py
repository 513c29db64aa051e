"""A model that is watched along its training is the one that training would have ended with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.request import Context, drive, solve, solve_all
from overparam.training.train import TrainRequest, train
from tests.training.plain_loop import train_plainly
from tests.training.test_stacks import TOLERANCE, WAYS, WIDTHS, always, data, without_weights


def recipe_of(epochs: int, **more) -> Recipe:
    """A recipe without a schedule, so that fewer epochs are the beginning of more."""
    given = {"momentum": 0.9, "learning_rate": 0.02, "batch_size": 32, "precision": "float64"}
    return Recipe(epochs=epochs, trace="every", **{**given, **more})


def as_it_stands(fitted):
    return fitted


@pytest.mark.parametrize(("family", "way"), [*WAYS, ("own", "alone"), ("convolutional", "alone")])
def test_every_way_tells_the_model_that_fewer_epochs_end_with(monkeypatch, family, way):
    always(monkeypatch, way)
    inputs = data(7, seed=3).inputs

    def cells(epochs, watch=None):
        return [
            train(without_weights(family, w), data(), recipe_of(epochs), Streams(i), watch=watch)
            for i, w in enumerate(WIDTHS)
        ]

    watched, unwatched, fewer = (solve_all(c) for c in (cells(3, as_it_stands), cells(3), cells(2)))
    for i, (w, fitted, plain, ended) in enumerate(
        zip(WIDTHS, watched, unwatched, fewer, strict=True)
    ):
        seen = fitted.trace.watched
        assert [f.trace.epoch.tolist() for f in seen] == [[1], [1, 2], [1, 2, 3]]
        assert [f.n_steps for f in seen] == fitted.trace.step.tolist()
        assert_close(dict(seen[1].state), dict(ended.state), **TOLERANCE)
        loop = train_plainly(without_weights(family, w), data(), recipe_of(2), Streams(i)).eval()
        assert_close(seen[1].outputs(inputs), loop(inputs).detach(), **TOLERANCE)
        for name, tensor in plain.state.items():  # to be watched changes nothing
            assert torch.equal(fitted.state[name], tensor)
            assert torch.equal(seen[2].state[name], tensor)
        assert plain.trace.watched == ()


def test_losses_of_rows_have_the_mean_that_the_trace_tells():
    train_set = data()

    def losses(fitted):
        outputs = fitted.outputs(train_set.inputs)
        return nn.functional.cross_entropy(outputs, train_set.labels, reduction="none").numpy()

    fitted = solve(train(without_weights("mlp", 8), train_set, recipe_of(5), Streams(0),
                         watch=losses))  # fmt: skip
    along = np.stack(fitted.trace.watched)
    assert along.shape == (5, 90)
    np.testing.assert_allclose(along.mean(1), fitted.trace.loss["train"], rtol=1e-10)


def test_what_a_watcher_draws_moves_no_number_of_the_training():
    def cell(watch):
        net = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        nn.init.constant_(net[1].bias, 0.1)
        for p in net.parameters():
            nn.init.normal_(p, generator=torch.Generator().manual_seed(1))
        return solve(train(net, data(), recipe_of(3), Streams(0), watch=watch))

    drawing, plain = cell(lambda fitted: torch.rand(3).sum().item()), cell(None)
    assert len(drawing.trace.watched) == 3
    for name, tensor in plain.state.items():
        assert torch.equal(drawing.state[name], tensor)


def test_models_that_stop_early_are_watched_as_long_as_they_are_trained():
    cells = [
        train(without_weights("mlp", w), data(),
              recipe_of(40, stop_at_loss=0.3, optimizer="adam", momentum=0.0), Streams(i),
              watch=lambda fitted: fitted.n_steps)
        for i, w in enumerate((40, 1, 60))
    ]  # fmt: skip
    many = solve_all(cells)
    assert {f.status for f in many} == {"stopped", "done"}
    for fitted in many:
        assert list(fitted.trace.watched) == fitted.trace.step.tolist()


def test_what_training_changed_besides_tensors_is_seen():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.calls = nn.Linear(16, 3), 0

        def forward(self, x):
            self.calls += self.training
            return self.linear(x.flatten(1)) * (1 + 0.1 * self.calls)

    fitted = solve(train(Counting(), data(), recipe_of(2), Streams(0), watch=as_it_stands))
    calls = [seen.module().calls for seen in fitted.trace.watched]
    assert 0 < calls[0] < calls[1]


def test_a_plan_counts_what_watching_takes():
    asked = []

    def watch(fitted):
        asked.append(fitted)
        return len(fitted.outputs(data().inputs))

    request = TrainRequest(without_weights("mlp", 4), data(), recipe_of(6), Streams(0), watch=watch)
    (stand_in,), cost = TrainRequest.estimate([request], Context())
    assert stand_in.trace.watched == (90,) * 6
    assert len(asked) == 1
    assert cost.n_models == 1


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
@pytest.mark.parametrize(("family", "way"), [*WAYS, ("own", "alone"), ("convolutional", "alone")])
def test_a_watch_that_raises_ends_its_own_cell_only(monkeypatch, family, way, kind):
    always(monkeypatch, way)

    def raises(fitted):
        if len(fitted.trace.epoch) == 2:
            raise kind("mine")

    def cell(i, watch=None):
        model = without_weights(family, WIDTHS[i])
        return train(model, data(), recipe_of(4), Streams(i), watch=watch)

    found = drive([cell(0), cell(1, raises), cell(2, as_it_stands)], Context())
    assert isinstance(found[1], kind)
    for i in (0, 2):
        assert found[i].status == "done"
        assert_close(dict(found[i].state), dict(solve(cell(i)).state), **TOLERANCE)
    assert len(found[2].trace.watched) == 4


@pytest.mark.parametrize("watch", ["losses", 3])
def test_who_watches_can_be_called(watch):
    with pytest.raises(UsageError, match=r"watch is a function .* got"):
        train(without_weights("mlp", 4), data(), recipe_of(1), Streams(0), watch=watch)
