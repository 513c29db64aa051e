import sys

import pytest
import torch
from torch import nn

from overparam.errors import UsageError
from overparam.probes.architecture import has_decoder, load_image_map
from overparam.streams import Streams

MODELS = """
import threading
import torch
from torch import nn

class Residual(nn.Module):
    def __init__(self, depth=2):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(1, 1, 3, padding=1) for _ in range(depth))
    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x

def features(width=5): return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU())
def maps(): return nn.Conv2d(1, 4, 3, stride=2)
def lazy(): return nn.Sequential(nn.Flatten(), nn.LazyLinear(7))
def unpadded(): return nn.Conv2d(1, 1, 3)
def colour(): return nn.Conv2d(3, 3, 3, padding=1)
def wide(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 1_000_000))
def frozen(): return nn.Conv2d(1, 1, 1).requires_grad_(False)
def batchnorm(): return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4),
                                      nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))

class Odd(nn.Module):
    def __init__(self, what="tuple"):
        super().__init__()
        self.what, self.weight = what, nn.Parameter(torch.ones(1))
    def forward(self, x):
        return {"tuple": (x, x), "whole": x.argmax(1), "mean": x.mean(), "nan": x / 0 * self.weight,
                "one row": x.mean(0, keepdim=True)}[self.what]
class Counting(nn.Module):
    passes = []
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)
        self.norm.eval()
    def forward(self, x):
        if not x.is_meta:
            self.passes.append(self.training)
        return self.norm(self.conv(x))

class Failing(nn.Module):
    def __init__(self, what="lock"):
        super().__init__()
        self.body, self.what = nn.Conv2d(1, 1, 3, padding=1), what
        if what == "lock": self.kept = threading.Lock()
        if what == "cycle": self.body.parent = self
        if what == "hook": self.body.register_forward_hook(lambda *_: 1 / 0)
    def parameters(self, *a, **k):
        if self.what == "parameters": raise RuntimeError("hidden")
        return super().parameters(*a, **k)
    def extra_repr(self):
        if self.what == "text": raise RuntimeError("no text")
        return ""
    def forward(self, x):
        if self.what == "exit": raise SystemExit(0)
        return self.body(x)

def terabyte():
    with torch.device("meta"): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10**10))
def rows(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.BatchNorm1d(20))
instance = Residual(1)
asleep = Residual(1).eval()
number = 3
"""


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    (tmp_path / "probed_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("probed_models", None)


def load(name, shape=(1, 8, 8), seed=0, **arguments):
    target = name if ":" in name else f"probed_models.py:{name}"
    return load_image_map(target, arguments, shape, Streams(seed))


@pytest.mark.parametrize(
    ("name", "decoder"),
    [
        ("Residual", False),
        ("instance", False),
        ("batchnorm", False),
        ("same_convnet:depth=2,n_channels=3", False),
        ("mlp:input_dim=64,hidden=5,n_outputs=64", False),
        ("features", True),
        ("maps", True),
        ("lazy", True),
    ],
)
def test_whatever_it_is_it_maps_images_to_as_many_numbers(name, decoder):
    module = load(name)
    assert module(torch.rand(3, 1, 8, 8)).shape == (3, 64)
    assert has_decoder(module) == decoder


def test_arguments_reach_the_factory():
    assert len(load("Residual", depth=5)[0].layers) == 5


@pytest.mark.parametrize("name", ["features", "lazy", "same_convnet:depth=3"])
def test_weights_come_from_the_seed_alone(name):
    torch.manual_seed(1)
    first = load(name, seed=4)
    torch.manual_seed(2)
    again, other = load(name, seed=4), load(name, seed=5)
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_an_instance_keeps_its_own_weights_and_is_not_changed():
    loaded = load("instance")
    own = sys.modules["probed_models"].instance
    with torch.no_grad():
        next(loaded.parameters()).add_(1)
    assert not torch.equal(next(loaded.parameters()), next(own.parameters()))


def test_the_global_random_numbers_are_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load("lazy")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("number", {}, "number is no PyTorch module; got 'int'"),
        ("sklearn.linear_model:Ridge", {}, "is no PyTorch module; got 'Ridge'"),
        ("colour", {}, r"cannot take images of 1x8x8.*got 'RuntimeError.*--side and --channels"),
        ("unpadded", {}, r"returns images of another size; got '\(1, 6, 6\).*pad the convolutions"),
        ("wide", {}, "too many features for a linear decoder; got '1,000,000 features"),
        ("frozen", {}, "has nothing to train"),
        ("Odd", {"what": "tuple"}, "must return one tensor.*got 'tuple'.*wrap it"),
        ("Odd", {"what": "whole"}, "floating-point numbers; got 'torch.int64'"),
        ("Odd", {"what": "mean"}, "one row for each image"),
        ("Odd", {"what": "one row"}, "one row for each image; got 'shape"),
        ("Odd", {"what": "nan"}, "not finite before any training"),
        ("Failing", {"what": "lock"}, "cannot be copied: TypeError: cannot pickle"),
        ("Failing", {"what": "cycle"}, "Failing failed; got 'RecursionError"),
        ("Failing", {"what": "parameters"}, "Failing failed; got 'RuntimeError: hidden"),
        ("Failing", {"what": "hook"}, "cannot take images.*got 'ZeroDivisionError"),
        ("Failing", {"what": "exit"}, "cannot take images.*got 'SystemExit: 0"),
        ("terabyte", {}, "too large to be probed; got '650,000,000,000 parameters'"),
        ("rows", {}, r"cannot be trained on 1 image\(s\); got 'ValueError.*--images 2"),
        ("instance", {"depth": 3}, "is a model already and takes no arguments; got 'depth'"),
        ("Residual", {"dept": 3}, "did you mean 'depth'"),
    ],
)
def test_refusals(name, arguments, message):
    with pytest.raises(UsageError, match=message):
        load(name, **arguments)


def test_it_is_ready_to_train():
    assert load("batchnorm").training
    assert isinstance(load("features")[-1], nn.Linear)


def test_it_sees_no_image_in_training_mode_and_keeps_its_state():
    module = load("Counting")
    net, kind = module[0], sys.modules["probed_models"].Counting
    assert kind.passes
    assert not any(kind.passes)
    assert net.norm.num_batches_tracked == 0
    assert torch.equal(net.norm.running_mean, torch.zeros(1))
    assert (net.training, net.norm.training) == (True, False)  # as its constructor left them
    assert not load("asleep")[0].training


def test_more_images_may_be_trained_where_one_may_not():
    found = load_image_map("probed_models.py:rows", {}, (1, 8, 8), Streams(0), n_train=2)
    assert found(torch.rand(3, 1, 8, 8)).shape == (3, 64)


def test_a_text_that_raises_does_not_matter():
    assert load("Failing", what="text")(torch.rand(2, 1, 8, 8)).shape == (2, 64)
