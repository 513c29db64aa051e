"""Stacked training against one model at a time, and against a plain PyTorch loop, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.data.dataset import Dataset, make_dataset
from overparam.errors import ResourceError, UsageError
from overparam.streams import Streams
from overparam.training import plan_stacks
from overparam.training import train as train_module
from overparam.training.recipe import Recipe, Schedule
from overparam.training.request import Context, drive, solve, solve_all
from overparam.training.train import train
from tests.training.native.compiled import need_compiled
from tests.training.plain_loop import train_plainly

WIDTHS = (3, 7, 5, 7)
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def absolute_loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return (outputs - nn.functional.one_hot(labels, outputs.shape[-1])).abs().sum(-1)


class Residual(nn.Module):
    """A module of a user's own: LayerNorm, GELU and a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(16, width), nn.LayerNorm(width)
        self.second, self.last = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        unit = self.first(inputs.flatten(1))
        return self.last(unit + nn.functional.gelu(self.second(self.norm(unit))))


def mlp(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, width), nn.ReLU(), nn.Linear(width, width), nn.Tanh(),
        nn.Linear(width, 3, bias=False),
    )  # fmt: skip


def linear(width: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def convolutional(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * width, 3),
    )  # fmt: skip


WAYS = (
    ("mlp", "batched"), ("mlp", "native"), ("linear", "batched"), ("linear", "native"),
    ("convolutional", "mapped"), ("own", "mapped"),
)  # fmt: skip
FAMILIES = {"mlp": mlp, "linear": linear, "convolutional": convolutional, "own": Residual}


def without_weights(family: str, width: int) -> nn.Module:
    with torch.device("meta"):
        return FAMILIES[family](width)


def data(n: int = 90, seed: int = 0) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 1, 4, 4, generator=generator, dtype=torch.float64)
    return make_dataset(inputs, torch.randint(0, 3, (n,), generator=generator), 3)


def recipe_of(optimizer: str, loss: object, i: int) -> Recipe:
    return Recipe(
        loss=loss,  # type: ignore[arg-type]
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


def always(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Run every stack that way, whatever is faster here."""
    if way == "native":
        need_compiled()
    monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways: way)


@pytest.fixture(params=["batched", "native"])
def either_way(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Run fully connected networks as batched products, then in compiled code."""
    always(monkeypatch, request.param)


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run stacks of other modules mapped over the models."""
    always(monkeypatch, "mapped")


@pytest.mark.parametrize("own_rows", [False, True], ids=["shared batches", "own batches"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", absolute_loss])
@pytest.mark.parametrize(("family", "way"), WAYS)
def test_a_stack_equals_single_models_and_a_plain_loop(
    monkeypatch, family, way, loss, optimizer, own_rows
):
    always(monkeypatch, way)
    whole, test_set = data(), data(40, seed=1)
    cells = []
    for i, width in enumerate(WIDTHS):
        streams = Streams(i if own_rows else 0)
        rows = torch.randperm(90, generator=streams.torch("data"))[:75]
        cells.append(
            (
                without_weights(family, width),
                whole.subset(rows),
                recipe_of(optimizer, loss, i),
                streams,
            )
        )
    stacked = solve_all([train(*cell, evaluate={"test": test_set}) for cell in cells])
    for cell, fitted in zip(cells, stacked, strict=True):
        alone = solve(train(*cell, evaluate={"test": test_set}))
        assert_close(dict(fitted.state), dict(alone.state), **TOLERANCE)
        assert_close(fitted.trace.loss["test"], alone.trace.loss["test"], **TOLERANCE)
        assert fitted.trace.error["test"].tolist() == alone.trace.error["test"].tolist()
        plain = train_plainly(*cell)
        assert_close(dict(fitted.state), dict(plain.state_dict()), **TOLERANCE)
        plain.eval()
        errors = (plain(test_set.inputs).argmax(1) != test_set.labels).double().mean()
        assert fitted.error("test") == pytest.approx(errors.item(), abs=1e-12)


def test_floating_targets_and_soft_labels(either_way):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 16, generator=generator, dtype=torch.float64)
    targets = torch.rand(50, 3, generator=generator, dtype=torch.float64).softmax(1)
    whole = make_dataset(inputs, targets, None)
    for loss in ("squared_error", "cross_entropy"):
        cells = [
            (without_weights("mlp", w), whole, recipe_of("sgd", loss, i), Streams(i))
            for i, w in enumerate(WIDTHS)
        ]
        for cell, fitted in zip(cells, solve_all([train(*c) for c in cells]), strict=True):
            assert_close(dict(fitted.state), dict(train_plainly(*cell).state_dict()), **TOLERANCE)
            assert torch.isnan(torch.tensor(fitted.train_error))


@pytest.mark.parametrize(("family", "way"), [w for w in WAYS if w[0] in {"mlp", "own"}])
def test_float32_and_bfloat16_stay_near_float64(monkeypatch, family, way):
    always(monkeypatch, way)

    def fit(precision: str) -> torch.Tensor:
        recipe = Recipe(epochs=3, batch_size=16, learning_rate=0.1, precision=precision)
        fitted = solve(train(without_weights(family, 8), data(), recipe, Streams(3)))
        return torch.cat([v.double().flatten() for v in fitted.state.values()])

    exact = fit("float64")
    # float32 rounds at 6e-8, and 18 updates add up to little more; bfloat16 products round at
    # 4e-3 of each term. A wrong sign or a missed update moves weights by about 0.1.
    assert_close(fit("float32"), exact, rtol=0, atol=2e-6)
    assert_close(fit("bfloat16"), exact, rtol=0, atol=2e-2)


def test_stop_rules_take_models_out_and_pack_the_rest(either_way):
    cells = [
        train(without_weights("mlp", w), data(), Recipe(
            learning_rate=0.01, optimizer="adam", epochs=300, batch_size=30, precision="float64",
            trace="every", stop_at_error=0.05), Streams(i))
        for i, w in enumerate((40, 1, 60, 50, 30))
    ]  # fmt: skip
    many = solve_all(cells)
    assert [f.status for f in many] == ["stopped", "done", "stopped", "stopped", "stopped"]
    for i, (w, fitted) in enumerate(zip((40, 1, 60, 50, 30), many, strict=True)):
        recipe = fitted.recipe
        alone = solve(train(without_weights("mlp", w), data(), recipe, Streams(i)))
        assert alone.n_steps == fitted.n_steps
        assert_close(dict(fitted.state), dict(alone.state), **TOLERANCE)
        if fitted.status == "stopped":
            assert fitted.train_error <= 0.05 < fitted.trace.error["train"][-2]


def test_stopping_in_a_mapped_stack_keeps_each_models_buffers(mapped):
    recipe = Recipe(
        learning_rate=0.05,
        optimizer="adam",
        epochs=60,
        batch_size=30,
        eps=1e-3,
        precision="float64",
        trace="every",
        stop_at_loss=0.2,
    )
    widths = (12, 1, 16, 8)
    many = solve_all([
        train(without_weights("convolutional", w), data(), recipe, Streams(i))
        for i, w in enumerate(widths)
    ])  # fmt: skip
    assert len({f.n_steps for f in many}) > 1
    for i, (w, fitted) in enumerate(zip(widths, many, strict=True)):
        alone = solve(train(without_weights("convolutional", w), data(), recipe, Streams(i)))
        assert_close(dict(fitted.state), dict(alone.state), **TOLERANCE)


def test_a_diverged_model_says_so_and_leaves_its_neighbours_alone(either_way):
    def cell(rate: float, seed: int):
        recipe = Recipe(
            learning_rate=rate,
            loss="squared_error",
            epochs=8,
            batch_size=30,
            precision="float64",
            trace="every",
        )
        return train(without_weights("linear", 0), data(), recipe, Streams(seed))

    context = Context()
    good, bad = drive([cell(0.01, 0), cell(1e200, 1)], context)
    assert (good.status, bad.status) == ("done", "diverged")
    assert context.diverged == {1}
    assert_close(dict(good.state), dict(solve(cell(0.01, 0)).state), **TOLERANCE)


def test_running_out_of_memory_halves_the_stack(monkeypatch):
    real, sizes = train_module.make_stepper, []

    def small(requests, precision, context, way):
        sizes.append(len(requests))
        if len(requests) > 1:
            raise torch.OutOfMemoryError("no room")
        return real(requests, precision, context, way)

    monkeypatch.setattr(train_module, "make_stepper", small)
    context = Context()
    recipe = Recipe(epochs=1, precision="float64")
    cells = [train(without_weights("linear", 0), data(), recipe, Streams(i)) for i in range(4)]
    assert [f.status for f in drive(cells, context)] == ["done"] * 4
    assert sizes == [4, 2, 1, 1, 2, 1, 1]
    assert any("halved" in note for note in context.notes)


def test_one_model_that_does_not_fit_is_an_error_of_its_cell(monkeypatch):
    def never(requests, precision, context, way):
        raise MemoryError

    monkeypatch.setattr(train_module, "make_stepper", never)
    cell = train(without_weights("linear", 0), data(), Recipe(epochs=1), Streams(0))
    with pytest.raises(ResourceError, match="out of memory while training one model"):
        solve(cell)


def test_dropout_runs_alone_and_repeats_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))  # no choice is known yet

    def cell(seed: int):
        with torch.device("meta"):
            net = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Dropout(0.5),
                                nn.Linear(8, 3))  # fmt: skip
        return train(net, data(), Recipe(epochs=2, precision="float64"), Streams(seed))

    before = torch.random.get_rng_state()
    context = Context()
    first = drive([cell(0), cell(1)], context)
    assert torch.equal(before, torch.random.get_rng_state())
    assert context.notes == []  # it is known to draw, and nothing else was tried
    for seed, fitted in enumerate(first):
        assert_close(dict(fitted.state), dict(solve(cell(seed)).state), rtol=0, atol=0)


def test_a_users_module_keeps_its_weights_and_mode():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    fitted = solve(train(net, data(), Recipe(epochs=1, learning_rate=1e-12), Streams(0)))
    assert_close(dict(net.state_dict()), before, rtol=0, atol=0)
    assert not net.training
    assert_close(dict(fitted.state), before, rtol=0, atol=1e-9)


def test_steps_cut_the_last_epoch_short(either_way):
    recipe = Recipe(steps=5, batch_size=32, precision="float64", learning_rate=0.1)
    cell = (without_weights("mlp", 4), data(), recipe, Streams(0))
    fitted = solve(train(*cell))
    assert fitted.n_steps == 5
    assert_close(dict(fitted.state), dict(train_plainly(*cell).state_dict()), **TOLERANCE)


def test_sizes_that_do_not_fit_the_data_are_told():
    with torch.device("meta"):
        wide = nn.Sequential(nn.Flatten(), nn.Linear(17, 3))
        many = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    recipe = Recipe(epochs=1)
    with pytest.raises(UsageError, match="input size differs"):
        solve(train(wide, data(), recipe, Streams(0)))
    with pytest.raises(UsageError, match="output size differs"):
        solve(train(many, data(), recipe, Streams(0)))
    with torch.device("meta"):
        fitting = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    for other, message in (
        (make_dataset(torch.randn(4, 9), torch.tensor([0, 1, 2, 0]), 3), "the evaluated set 'new'"),
        (make_dataset(torch.randn(4, 16), torch.tensor([0, 1, 3, 0]), 4), "from 'new': the number"),
        (
            make_dataset(torch.randn(4, 16), torch.randn(4, 2), None),
            "'new' has floating targets where",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            solve(train(fitting, data(), recipe, Streams(0), evaluate={"new": other}))
    fewer = make_dataset(torch.randn(4, 16), torch.tensor([0, 1, 1, 0]), 2)
    fitted = solve(train(fitting, data(), recipe, Streams(0), evaluate={"new": fewer}))
    assert fitted.error("new") in {0, 0.25, 0.5, 0.75, 1}
    with pytest.raises(UsageError, match="'train' is the training set's own"):
        solve(train(many, data(), recipe, Streams(0), evaluate={"train": data()}))
