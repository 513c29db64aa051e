"""What was proved of one model is not proved again of its like, and of nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from overparam.data.dataset import make_dataset
from overparam.errors import UsageError
from overparam.models.convolutional import convnet5, preact_resnet18
from overparam.streams import Streams
from overparam.training import fits, lean
from overparam.training.counts import counts_of
from overparam.training.initialise import materialise
from overparam.training.proofs import Answers, kind_of
from overparam.training.recipe import Recipe
from overparam.training.request import solve
from overparam.training.train import train

N = 24
IMAGES = torch.randn(N, 1, 8, 8, generator=torch.Generator().manual_seed(0))
DATA = make_dataset(IMAGES, [0, 1, 2] * 8)
RECIPE = Recipe(steps=1, batch_size=8)


def net(width: int = 2) -> nn.Module:
    return convnet5(width, n_classes=3, in_channels=1, image_size=8)


class Own(nn.Sequential):
    """A class of the user's, whose code may look at numbers."""


@pytest.fixture
def proofs(monkeypatch):
    """Count what is tried and proved, from nothing."""
    counted = {"tried": 0, "proved": 0}
    monkeypatch.setattr(fits, "_FITS", Answers())
    monkeypatch.setattr(lean, "_FORMS", Answers())
    for module, name, what in ((fits, "_try", "tried"), (lean, "_prove", "proved")):
        function = getattr(module, name)

        def count(*arguments, function=function, what=what):
            counted[what] += 1
            return function(*arguments)

        monkeypatch.setattr(module, name, count)
    return counted


def fit(module: nn.Module, data=DATA, recipe: Recipe = RECIPE, seed: int = 0):
    return solve(train(module, data, recipe, Streams(seed), evaluate={"test": data.head(9)}))


def test_models_of_one_kind_are_proved_once(proofs):
    for seed in range(3):
        fit(net(), seed=seed)
        fit(net(), DATA.subset(torch.randperm(N, generator=Streams(seed).torch("data"))))
    assert proofs == {"tried": 1, "proved": 1}


@pytest.mark.parametrize(
    ("model", "data", "recipe"),
    [
        (net(3), DATA, RECIPE),
        (net().eval(), DATA, RECIPE),
        (net(), DATA.head(N - 3), RECIPE),
        (net(), make_dataset(IMAGES, torch.rand(N, 3).softmax(1)), RECIPE),
        (net(), DATA, Recipe(steps=1, batch_size=6)),
        (net(), DATA, Recipe(steps=1, batch_size=8, loss="squared_error")),
        (net(), DATA, Recipe(steps=1, batch_size=8, precision="float64")),
    ],
)
def test_what_differs_in_anything_is_tried_anew(proofs, model, data, recipe):
    fit(net())
    fit(model, data, recipe)
    assert proofs["tried"] == 2


def test_of_a_users_own_class_or_loss_every_model_is_tried(proofs):
    for seed in range(2):
        fit(Own(*net()), seed=seed)
        fit(
            net(), recipe=Recipe(steps=1, loss=lambda f, y: F.cross_entropy(f, y, reduction="none"))
        )
    assert proofs == {"tried": 4, "proved": 4}


def test_weights_of_zero_prove_nothing_for_others(proofs):
    blank = net().to_empty(device="cpu")
    for parameter in blank.parameters():
        nn.init.zeros_(parameter)
    for buffer in blank.buffers():
        buffer.fill_(1)
    fit(blank)
    fit(net().to_empty(device="cpu").apply(reset))
    assert proofs["proved"] == 2


def reset(part: nn.Module) -> None:
    if hasattr(part, "reset_parameters"):
        part.reset_parameters()


class Forgetful(nn.Sequential):
    """Copies as something else, or with other numbers."""

    def __init__(self, layers, copied) -> None:
        super().__init__(*layers)
        self.copied = copied

    def __deepcopy__(self, memo):
        return self.copied()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_copy_that_is_another_model_is_refused_where_its_like_was_proved(seed):
    def drawn(seed: int) -> nn.Module:
        return materialise(net(), Streams(seed), torch.float32)

    fit(drawn(0))
    with pytest.raises(UsageError, match="a copy of the model computes something else"):
        fit(Forgetful(drawn(2), lambda: drawn(seed)))


def test_what_is_refused_is_refused_again(proofs):
    flat = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 3))
    for _ in range(2):
        with pytest.raises(UsageError, match="cannot be trained on the last batch"):
            fit(flat, DATA.head(9), Recipe(epochs=1, batch_size=8))
    assert proofs["tried"] == 2


def test_the_kind_of_a_module(monkeypatch):
    kind = kind_of(net())
    assert kind == kind_of(net()) != kind_of(net(3))
    assert kind != kind_of(net().eval())
    assert kind != kind_of(net().to_empty(device="cpu"))
    assert kind_of(preact_resnet18(1)) is not None
    assert kind_of(Own(*net())) is None
    hooked = net()
    hooked[0].register_forward_hook(print)
    assert kind_of(hooked) is None
    assert kind_of(nn.Sequential(*[nn.ReLU()] * 2)) is None
    holding = net()
    holding[0].stream = iter([1])
    assert kind_of(holding) is None
    relu = F.relu
    monkeypatch.setattr(F, "relu", lambda *given, **named: relu(*given, **named))
    assert kind_of(net()) != kind


class Seeing(TorchFunctionMode):
    """Sees every operation."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def test_how_pytorch_is_set_to_compute_is_part_of_a_kind():
    kind = kind_of(net())
    with torch.autocast("cpu", torch.bfloat16):
        assert kind_of(net()) != kind
    with Seeing():
        assert kind_of(net()) is None
    assert kind_of(net()) == kind


def test_a_method_that_was_put_in_the_place_of_pytorchs_makes_another_kind(monkeypatch):
    kind, before = kind_of(net()), nn.Conv2d._conv_forward
    monkeypatch.setattr(nn.Conv2d, "_conv_forward", lambda self, *given: before(self, *given))
    assert kind_of(net()) != kind


def test_answers_are_kept_by_key_and_the_oldest_go(monkeypatch):
    monkeypatch.setattr("overparam.training.proofs._MOST_KEPT", 2)
    answers, asked = Answers(), []

    def ask(key, holds=None):
        return answers.once(key, lambda: asked.append(key) or len(asked), holds)

    assert [ask(k) for k in ("a", "b", "a", "c", "a", "b", None, None)] == [1, 2, 1, 3, 1, 4, 5, 6]
    assert [ask("d", lambda found: False), ask("d", lambda found: False)] == [7, 8]


def test_counts_are_per_row_and_of_one_pass():
    conv = 2 * 9 * 64 * 4
    assert counts_of(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1)), (1, 8, 8)).flops == conv

    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 3)

        def forward(self, inputs):
            raise RuntimeError("not on zeros")

    roughly = counts_of(Fails(), (64,))
    assert (roughly.units, roughly.flops) == (195, 390)


def test_training_does_not_import_pytorchs_compiler():
    code = """
import sys, torch
from overparam.data.dataset import make_dataset
from overparam.models.convolutional import convnet5
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.request import solve
from overparam.training.train import train
data = make_dataset(torch.randn(80, 3, 8, 8), [0, 1] * 40)
net = convnet5(1, n_classes=2, image_size=8)
solve(train(net, data, Recipe(steps=1, batch_size=8), Streams(0)))
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
