"""Modules of every kind: their outputs are read from a pass that leaves no trace."""

import random
import re
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from overparam.data.dataset import make_dataset
from overparam.errors import UsageError
from overparam.models.census import census
from overparam.models.trial import copy_on, trial_pass, walk


class Heads(nn.Module):
    """A main head, made first, and an auxiliary one that only training uses."""

    def __init__(self):
        super().__init__()
        self.head, self.body, self.aux = nn.Linear(16, 10), nn.Linear(20, 16), nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.body(x))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 10)
        self.body = nn.TransformerEncoderLayer(16, 2, 64, batch_first=True)

    def forward(self, x):
        return self.head(self.body(x).mean(1))


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.read = nn.Embedding(10, 4), nn.LSTM(4, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.read(x)[0][:, -1] if x.is_floating_point() else self.last(x))

    def last(self, x):
        return self.read(self.embed(x))[0][:, -1]


class Applied(nn.Module):
    """A linear layer and what is done with its outputs."""

    def __init__(self, then, n_in=3, n_out=2, **kept):
        super().__init__()
        self.linear, self.then = nn.Linear(n_in, n_out), then
        for name, value in kept.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.then(self.linear(x))


def conv_head():
    return nn.Sequential(nn.Conv2d(1, 7, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def ring():
    net = Applied(nn.Identity())
    net.linear.parent = net
    return net


def unreadable():
    def refuse(self, *_, **__):
        raise RuntimeError("hidden")

    names = ("parameters", "named_parameters", "named_modules", "modules", "children", "extra_repr")
    return type("Unreadable", (nn.Linear,), dict.fromkeys((*names, "__repr__"), refuse))(3, 2)


def plain():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


@pytest.mark.parametrize(
    ("net", "shape", "n_outputs"),
    [
        (Heads(), (20,), 10),
        (Attention(), (5, 16), 10),
        (Tokens(), (7,), 3),
        (conv_head(), (1, 9, 9), 7),
        (conv_head(), None, 7),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), None, 10),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (1, 28, 28), 10),
        (nn.Conv2d(1, 2, 3, padding=1), (1, 8, 8), 128),
        (nn.Bilinear(3, 4, 5), (3,), None),
        (Applied(lambda y: y.squeeze(-1), n_out=1), (3,), 1),
        (Applied(lambda y: (y, y)), (3,), None),
        (Applied(lambda y: {"logits": y}), (3,), None),
        (Applied(lambda y: y.mean()), (3,), None),
        (Applied(lambda y: y.reshape(-1)), (3,), None),
        (Applied(lambda y: 1 / 0), (3,), None),
        (Applied(lambda y: exit(0)), (3,), None),
        (Applied(lambda y: y * (2 if y.sum().item() > 0 else 1)), (3,), 2),
        (Applied(lambda y: y + torch.from_numpy(np.zeros(2, np.float32))), (3,), 2),
        (Applied(nn.Identity()).double(), (3,), 2),
        (Applied(nn.Identity(), lock=threading.Lock()), (3,), 2),
        (ring(), (3,), 2),
        (unreadable(), (3,), 2),
        (nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 2))), (3,), 2),
        (nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 2))), (3,), 2),
        (parametrizations.orthogonal(nn.Linear(3, 2)), (3,), 2),
        (prune.l1_unstructured(nn.Linear(3, 2), "weight", 0.5), (3,), 2),
        (torch.fx.symbolic_trace(plain()), (3,), 2),
        (torch.jit.trace(plain().eval(), torch.zeros(2, 3)), (3,), 2),
        (nn.Linear(0, 0), None, None),
        (Applied(nn.Identity(), n_out=0), (3,), None),
        (Heads(), None, None),
        (nn.ReLU(), None, None),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_outputs_are_read_from_a_forward_pass(net, shape, n_outputs):
    size = census(net, n_train=100, input_shape=shape)
    assert (size.n_outputs, size.is_complete) == (n_outputs, True)
    assert size.interpolation_threshold == (None if n_outputs is None else 100 * n_outputs)
    if n_outputs is None:
        assert size.regime is None
        assert len(size.notes) >= 2  # why, and what follows


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (lambda y: (y, y), "returns a tuple: give n_outputs"),
        (lambda y: y.mean(), r"returns \[\] for 2 inputs"),
        (lambda y: 1 / 0, "failed: ZeroDivisionError: division by zero"),
        (lambda y: y[:, :0], "returns no numbers"),
    ],
)
def test_why_the_outputs_are_not_known(then, words):
    notes = " ".join(census(Applied(then), n_train=5, input_shape=(3,)).notes)
    assert re.search(words, notes), notes
    told = " ".join(census(Applied(then), n_train=5).notes)
    assert "give input_shape" in told


def test_what_is_given_and_what_the_training_set_says():
    x = torch.randn(9, 20)
    ten = census(Heads(), make_dataset(x, [0, 1, 2] * 3))
    assert ten.n_outputs == 10
    assert "the training set has 3 classes" in ten.notes
    given = census(Heads(), n_train=9, input_shape=(20,), n_outputs=4)
    assert given.n_outputs == 4
    assert any("the model returns 10 numbers" in note for note in given.notes)
    tuples = Applied(lambda y: (y, y), n_in=20)
    assert census(tuples, make_dataset(x, [0, 1, 2] * 3)).n_outputs == 3
    unknown = census(tuples, make_dataset(x, [0, 1, 0] * 3))
    assert unknown.n_outputs is None
    assert any("one number or two: give n_outputs" in note for note in unknown.notes)


seen_by_a_hook = []


def test_the_pass_leaves_no_trace(capsys):
    seen = []

    def hook(module, inputs, outputs):
        seen.append(outputs)
        seen_by_a_hook.append(outputs)
        print("a pass")
        random.random(), np.random.rand(), torch.rand(3)  # noqa: NPY002

    net = plain()
    net.register_forward_hook(hook)
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert census(net, input_shape=(3,)).n_outputs == 2
    assert (seen, seen_by_a_hook, capsys.readouterr().out) == ([], [], "")
    assert (net.training, net[0].training, net[1].training) == (True, True, False)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert states[:2] == after[:2]
    assert torch.equal(states[2], after[2])


def test_a_terabyte_is_counted_and_not_allocated():
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(500_000, 500_000), nn.Linear(500_000, 7))
    size = census(net, n_train=100, input_shape=(500_000,))
    assert (size.n_params, size.n_outputs) == (500_000 * 500_001 + 500_001 * 7, 7)


def test_trial_passes_in_training_mode_and_on_the_cpu():
    assert trial_pass(plain(), (3,), n_inputs=1).error is None
    failed = trial_pass(plain(), (3,), n_inputs=1, training=True)
    assert "more than 1 value per channel" in str(failed.error)
    net = plain()
    copied = copy_on(net, "cpu")
    assert [name for name, _ in walk(copied)] == ["", "0", "1"]
    assert torch.equal(copied[0].weight, net[0].weight)
    assert copied[0].weight is not net[0].weight
    shared = threading.Lock()
    assert copy_on(Applied(nn.Identity(), lock=shared), "meta").lock is shared


def test_a_chain_deeper_than_the_stack_is_counted():
    net = nn.Linear(3, 3)
    for _ in range(3_000):
        net = nn.Sequential(net)
    assert census(net).n_params == 12


def test_a_module_whose_own_code_fails_is_named():
    class Half(nn.Module):
        def __init__(self):
            pass

    with pytest.raises(UsageError, match=r"the census of Half failed; got .AttributeError"):
        census(Half())


def test_settings_that_raise_are_said():
    class Mute(nn.Linear):
        def extra_repr(self):
            raise RuntimeError("no words")

    told = dict(census(Mute(3, 2)).hyperparameters)["(root)"]
    assert told == "Mute(its extra_repr failed: RuntimeError: no words)"


def test_a_shape_that_is_none():
    with pytest.raises(UsageError, match="input_shape must be a whole number"):
        census(nn.Linear(3, 2), input_shape=(1.5,))


def test_it_shows_itself_in_ten_lines():
    lines = repr(census(nn.Sequential(*(nn.Linear(3, 3) for _ in range(50))), n_train=7)).split(
        "\n"
    )
    assert len(lines) <= 10
    assert lines[0] == "Census of Sequential (torch): 50 layer(s)"
    assert "  n_params                600" in lines
    assert "not complete" in repr(census(nn.LazyLinear(3)))
