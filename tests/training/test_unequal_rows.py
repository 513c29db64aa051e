"""Models of training sets of different lengths side by side: each as a plain loop trains it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from overparam.data.dataset import Dataset
from overparam.streams import Streams
from overparam.training.plan_stacks import plan_stacks
from overparam.training.recipe import Recipe, Schedule
from overparam.training.request import Context, solve, solve_all
from overparam.training.stack_costs import measure_seconds
from overparam.training.train import TrainRequest, train
from tests.training.native.compiled import need_compiled
from tests.training.plain_loop import train_plainly
from tests.training.test_stacks import TOLERANCE, WAYS, always, data, without_weights

LENGTHS = (68, 72, 64, 68, 71, 20)  # batches of 32: the last has 4, 8, 32, 4, 7 and 20 rows
EVERY_WAY = (*WAYS, ("convolutional", "one by one"))


def subset(i: int, n: int) -> Dataset:
    whole = data(100)
    return whole.subset(torch.randperm(100, generator=Streams(i).torch("data"))[:n])


def out_of(i: int, n: int) -> Dataset:
    whole = data(100)
    return whole.subset(torch.randperm(100, generator=Streams(i).torch("data"))[n:])


def recipe(optimizer: str, i: int) -> Recipe:
    return Recipe(
        optimizer=optimizer,
        learning_rate=0.02 * (i + 1),
        momentum=0.9 if optimizer == "sgd" else 0.0,
        weight_decay=0.05 * (i % 2),
        schedule=Schedule("cosine"),
        epochs=4,
        batch_size=32,
        precision="float64",
        trace="every",
    )


@pytest.mark.parametrize(("optimizer", "steps"), [("sgd", None), ("adam", 7)])
@pytest.mark.parametrize(("family", "way"), EVERY_WAY)
def test_each_has_its_own_updates_schedule_and_trace(monkeypatch, family, way, optimizer, steps):
    always(monkeypatch, way)
    cells = []
    for i, n in enumerate(LENGTHS):
        own = recipe(optimizer, i)
        own = own if steps is None else replace(own, epochs=None, steps=steps)
        cells.append((without_weights(family, 3 + i % 2), subset(i, n), own, Streams(i)))
    sets = [{"out": out_of(i, n)} for i, n in enumerate(LENGTHS)]
    many = solve_all([train(*c, evaluate=e) for c, e in zip(cells, sets, strict=True)])
    for cell, out, fitted in zip(cells, sets, many, strict=True):
        alone = solve(train(*cell, evaluate=out))
        n = len(cell[1])
        assert fitted.n_steps == alone.n_steps == cell[2].n_steps(n)
        assert fitted.trace.epoch.tolist() == list(cell[2].traced_epochs(n))
        assert fitted.trace.step.tolist() == alone.trace.step.tolist()
        assert_close(fitted.trace.loss["out"], alone.trace.loss["out"], **TOLERANCE)
        assert_close(fitted.trace.loss["train"], alone.trace.loss["train"], **TOLERANCE)
        plain = train_plainly(*cell)
        assert_close(dict(fitted.state), dict(plain.state_dict()), **TOLERANCE)
        plain.eval()
        wrong = plain(out["out"].inputs).argmax(1) != out["out"].labels
        assert fitted.error("out") == pytest.approx(wrong.double().mean().item(), abs=1e-12)


@pytest.mark.parametrize("way", ["batched", "native"])
def test_those_that_stop_leave_the_others_as_they_were(monkeypatch, way):
    always(monkeypatch, way)
    rule = Recipe(
        learning_rate=0.01, optimizer="adam", epochs=300, batch_size=30, precision="float64",
        trace="every", stop_at_error=0.05,
    )  # fmt: skip
    cells = [
        (without_weights("mlp", w), subset(i, n), rule, Streams(i))
        for i, (w, n) in enumerate(zip((40, 1, 60, 50, 30), LENGTHS, strict=False))
    ]
    many = solve_all([train(*cell) for cell in cells])
    assert [f.status for f in many] == ["stopped", "done", "stopped", "stopped", "stopped"]
    for cell, fitted in zip(cells, many, strict=True):
        alone = solve(train(*cell))
        assert alone.n_steps == fitted.n_steps
        assert_close(dict(fitted.state), dict(alone.state), **TOLERANCE)


def requests(family: str = "mlp") -> list[TrainRequest]:
    return [
        TrainRequest(without_weights(family, 5), subset(i, n), recipe("sgd", 0), Streams(i))
        for i, n in enumerate(LENGTHS)
    ]


def test_in_compiled_code_they_are_one_stack_elsewhere_one_per_length(monkeypatch):
    need_compiled()
    asked = requests()
    assert len({r.group_key() for r in asked}) == 1
    stacks = {}
    for way in ("native", "batched"):
        always(monkeypatch, way)
        stacks[way] = [s.positions for s in plan_stacks(asked, "float64", Context())]
    assert stacks["native"] == [[0, 1, 2, 3, 4, 5]]
    assert sorted(stacks["batched"]) == [[0, 3], [1], [2], [4], [5]]
    always(monkeypatch, "mapped")
    mapped = plan_stacks(requests("convolutional"), "float64", Context())
    assert [(s.positions, s.way) for s in mapped[:2]] == [([0, 3], "mapped"), ([1], "alone")]


@pytest.mark.parametrize("way", ["batched", "native"])
def test_a_plan_counts_what_each_of_them_does(monkeypatch, way):
    always(monkeypatch, way)
    done: list[float] = []
    _, cost = TrainRequest.estimate(requests(), Context())
    TrainRequest.execute(requests(), Context(progress=done.append))
    assert cost.n_models == len(LENGTHS)
    assert cost.flops == pytest.approx(sum(done))
    assert measure_seconds(requests()[:1], "float64", Context(), way) > 0
