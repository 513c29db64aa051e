"""Compiled training: bits that depend on nothing but the model, and bfloat16 as it is meant.

That it equals a plain loop in float64, whatever loss and optimizer, is in `test_stacks.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training import plan_stacks
from overparam.training.choices import Choices
from overparam.training.dense import dense_shape
from overparam.training.initialise import materialise
from overparam.training.native import models as native_models
from overparam.training.native.models import MOST_LAYERS, NativeModels, can_run, native_bytes
from overparam.training.recipe import Recipe
from overparam.training.request import Context, drive, solve_all
from overparam.training.stepper import Member, Stepper
from overparam.training.train import train
from tests.training.native.compiled import need_compiled


@pytest.fixture(autouse=True)
def compiled():
    need_compiled()


@pytest.fixture
def always_native(monkeypatch):
    monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways: "native")


def points(n: int, dim: int, n_classes: int = 3, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, dim, generator=generator)
    labels = torch.randint(0, n_classes, (n,), generator=generator)
    return make_dataset(inputs, labels, n_classes)


def fit(widths, recipe, n=70, dim=9, threads=1):
    """Train one network per seed and return all weights as one tensor each."""
    data, before = points(n, dim), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        cells = [train(mlp(dim, list(w), 3), data, recipe, Streams(i)) for i, w in widths.items()]
        fits = solve_all(cells)
    finally:
        torch.set_num_threads(before)
    return [torch.cat([v.flatten() for v in f.state.values()]) for f in fits]


RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.05, momentum=0.9, trace="every")


def test_bits_depend_on_neither_neighbours_nor_threads_nor_calls(always_native, monkeypatch):
    widths = {i: (5 + 7 * i, 4) for i in range(5)}
    together = fit(widths, RECIPE)
    for i, w in widths.items():
        assert torch.equal(fit({i: w}, RECIPE)[0], together[i])
    assert all(map(torch.equal, fit(widths, RECIPE, threads=3), together))
    monkeypatch.setattr(native_models, "_FLOPS_PER_CALL", 1)  # a call for each update
    assert all(map(torch.equal, fit(widths, RECIPE), together))


@pytest.mark.parametrize("n", [2, 3, 17, 33, 256, 257, 600])
@pytest.mark.parametrize("batch_size", [1, 16, None])
def test_few_rows_and_odd_batches_equal_the_batched_way(monkeypatch, n, batch_size):
    recipe = Recipe(epochs=2, batch_size=batch_size, optimizer="adam", learning_rate=0.01,
                    precision="float64")  # fmt: skip
    found = {}
    for way in ("batched", "native"):
        monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways, way=way: way)
        found[way] = fit({0: (3,), 1: (1,), 2: (20,)}, recipe, n=n, dim=1)
    for a, b in zip(*found.values(), strict=True):
        assert_close(a, b, rtol=1e-10, atol=1e-10)


def rounded(values: torch.Tensor) -> torch.Tensor:
    return values.bfloat16().double()


# Sizes at, below and above what a vector, a panel and a tile of the processor take, narrow beside
# wide: what is padding of one layer was filled by another. 600 rows are passed in parts.
SIZES = [
    ((7, 10, 6, 3), 24),
    ((9, 1, 2, 3), 5),
    ((64, 32, 16, 3), 64),
    ((65, 33, 17, 3), 49),
    ((70, 130, 5, 90, 31, 3), 100),
    ((200, 100, 300, 12), 130),
    ((784, 48, 3), 600),
]


@pytest.mark.parametrize(("dims", "n"), SIZES)
def test_bfloat16_rounds_what_is_multiplied_and_nothing_else(dims, n):
    need_compiled("bfloat16")
    k = dims[-1]
    data, recipe = points(n, dims[0], k), Recipe(epochs=1, batch_size=None, learning_rate=0.5)
    module = materialise(mlp(dims[0], dims[1:-1], k), Streams(0), torch.float32)
    state, shape = dict(module.named_parameters()), dense_shape(module)
    member = Member(recipe, data, {}, Streams(0))
    models = NativeModels([member], [shape], [state], "bfloat16")
    Stepper([member], models, torch.device("cpu")).run_epoch()

    # The same update in float64, in which only the operands of products are rounded.
    weights = [p.detach().double() for p in state.values()]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    units = [rounded(data.inputs.double()).T]
    for w, b in layers:
        above = rounded(w) @ units[-1] + b[:, None]
        units.append(above if len(units) == len(layers) else rounded(above.relu()))
    signal = torch.softmax(units.pop(), 0) - nn.functional.one_hot(data.labels, k).double().T
    signal = rounded(signal / n)
    for layer in reversed(range(len(layers))):
        w, b = layers[layer]
        gradients = signal @ units[layer].T, signal.sum(1)
        signal = rounded((rounded(w).T @ signal) * (units[layer] > 0))
        layers[layer] = (w - 0.5 * gradients[0], b - 0.5 * gradients[1])
    expected = [p for layer in layers for p in layer]
    # Sums in float32 differ by 1e-7; a number that this rounds up and that down, by 4e-3 of it.
    for found, wanted in zip(models.state_of(0).values(), expected, strict=True):
        assert_close(found.double(), wanted, rtol=0, atol=2e-4)
        assert float((found.double() - wanted).abs().median()) < 1e-6


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_losses_and_errors_are_those_of_pytorch(always_native, precision, activation):
    data, test_set = points(200, 12), points(333, 12, seed=1)
    recipe = Recipe(epochs=4, batch_size=50, precision=precision)
    net = mlp(12, [40], 3, activation=activation)
    cell = train(net, data, recipe, Streams(0), evaluate={"test": test_set})
    (fitted,) = solve_all([cell])
    module = fitted.module()
    outputs = module(test_set.inputs)
    loss = nn.functional.cross_entropy(outputs, test_set.labels).item()
    # float32 rounds at 1e-7; bfloat16 moves an output by 1e-2 and so turns a row or two.
    near = 1e-5 if precision == "float32" else 2e-2
    assert fitted.trace.loss["test"][-1] == pytest.approx(loss, abs=near)
    error = (outputs.argmax(1) != test_set.labels).float().mean().item()
    assert fitted.error("test") == pytest.approx(error, abs=1e-6 if near == 1e-5 else 3 / 333)


def test_a_model_that_blows_up_is_diverged_and_its_neighbour_is_not(always_native):
    data, context = points(60, 4), Context()
    for precision in ("float32", "float64"):
        cells = [
            train(mlp(4, [8], 3), data, Recipe(learning_rate=rate, loss="squared_error", epochs=9,
                  batch_size=20, trace="every", precision=precision), Streams(0))
            for rate in (0.01, 1e30)
        ]  # fmt: skip
        assert [f.status for f in drive(cells, context)] == ["done", "diverged"]


@pytest.mark.parametrize("chosen", ["here", "by another process"])
def test_code_that_computes_something_else_is_not_used(monkeypatch, tmp_path, chosen):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))  # no choice is known yet
    monkeypatch.setattr(plan_stacks, "_held", set())
    if chosen == "by another process":
        monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways: "native")
    real = NativeModels.update

    def wrong(self, order, n_updates, progress):
        real(self, order, n_updates, progress)
        self._weights[0] += 0.1

    monkeypatch.setattr(NativeModels, "update", wrong)
    context, used = Context(), []
    monkeypatch.setattr(NativeModels, "measure", lambda *a: used.append(a))
    (fitted,) = drive([train(mlp(9, [5], 3), points(70, 9), RECIPE, Streams(0))], context)
    assert not used
    assert fitted.status == "done"
    assert any("the compiled code's update is off by" in note for note in context.notes)


def test_without_a_compiler_the_same_models_are_trained_by_batches(always_native, monkeypatch):
    widths = {0: (5,), 1: (30, 8)}
    recipe = Recipe(epochs=3, batch_size=16, precision="float64")
    compiled = fit(widths, recipe)
    monkeypatch.setenv("OVERPARAM_CC", "none")
    for a, b in zip(fit(widths, recipe), compiled, strict=True):
        assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_a_study_begun_without_a_compiler_goes_on_without(monkeypatch, tmp_path):
    cell = lambda: train(mlp(9, [5], 3), points(70, 9), RECIPE, Streams(0))  # noqa: E731
    machine = tmp_path / "choices.json"
    monkeypatch.setenv("OVERPARAM_CC", "none")
    without = Context(choices=Choices(path=machine))
    drive([cell()], without)
    assert list(without.choices.made.values()) == ["batched"]
    assert not without.notes
    assert not machine.exists()  # the machine may have a compiler one day
    monkeypatch.delenv("OVERPARAM_CC")
    resumed = Context(choices=Choices(without.choices.made, machine))
    drive([cell()], resumed)
    assert resumed.choices.made == without.choices.made


def test_a_study_begun_with_a_compiler_says_that_it_is_gone(monkeypatch):
    cell = lambda: train(mlp(9, [5], 3), points(70, 9), RECIPE, Streams(0))  # noqa: E731
    (key,) = _made_without_compiler(monkeypatch, cell())
    context = Context(choices=Choices({key: "native"}))
    (fitted,) = drive([cell()], context)
    assert fitted.status == "done"
    (note,) = context.notes
    assert "is not to be had: OVERPARAM_CC is none; records agree with it to rounding" in note


def _made_without_compiler(monkeypatch, cell):
    monkeypatch.setenv("OVERPARAM_CC", "none")
    context = Context()
    drive([cell], context)
    return context.choices.made


def test_what_the_kernels_do_not_know_is_left_to_pytorch():
    deep = dense_shape(mlp(3, [2] * MOST_LAYERS, 3))
    deepest = dense_shape(mlp(3, [2] * (MOST_LAYERS - 1), 3))
    assert not can_run(deep, RECIPE)
    assert can_run(deepest, RECIPE)
    own = Recipe(loss=lambda f, y: f.square().sum(-1), epochs=1)
    assert not can_run(deepest, own)


def test_as_many_layers_as_there_may_be(monkeypatch):
    found = []
    for way in ("batched", "native"):
        monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways, way=way: way)
        recipe = Recipe(epochs=1, precision="float64", learning_rate=1.0)
        found += fit({0: [3] * (MOST_LAYERS - 1)}, recipe)
    assert_close(found[0], found[1], rtol=1e-10, atol=1e-10)


def test_bytes_grow_with_models_and_moments():
    shape = dense_shape(mlp(50, [200], 10))
    n_params = 50 * 200 + 200 + 200 * 10 + 10
    one = native_bytes([shape], [Recipe(epochs=1)], 100, "float32")
    three = native_bytes([shape] * 3, [Recipe(epochs=1)] * 3, 100, "float32")
    adam = native_bytes([shape], [Recipe(optimizer="adam", epochs=1)], 100, "float32")
    if torch.get_num_threads() == 1:
        assert three - one == 2 * 2 * 4 * n_params
    assert adam - one == 2 * 4 * n_params
