"""Fitted models come back from disk as they were; nothing of a file is run."""

import contextlib
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import overparam as op
from overparam.errors import DataError, ResourceError, UsageError
from overparam.models.plain_layers import build_layers, describe_layers

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(30, 1, 8, 8, generator=GENERATOR)
Y = torch.arange(30) % 3


class Own(nn.Module):
    """A module of the user's own: batch statistics, a buffer not kept, an activation."""

    def __init__(self, width=4, activation=torch.relu):
        super().__init__()
        self.first, self.norm = nn.Linear(64, width), nn.BatchNorm1d(width)
        self.last, self.activation = nn.Linear(width, 3), activation
        self.register_buffer("scale", torch.full((1,), 0.5), persistent=False)

    def forward(self, x):
        return self.last(self.activation(self.norm(self.first(x.flatten(1))))) * self.scale


def own_loss(outputs, labels):
    return (outputs.gather(1, labels[:, None])[:, 0] - 1).square()


RECIPE = op.Recipe(
    epochs=4, learning_rate=0.01, batch_size=10, trace="every", optimizer="adam", betas=(0.8, 0.9),
    schedule=op.Schedule("milestones", rate=0.5, milestones=(0.5, 0.75)),
)  # fmt: skip
FAMILIES = {
    "mlp": lambda: op.models.mlp(64, 5, 3, activation="gelu"),
    "linear": lambda: op.models.linear_model(64, 3, bias=False),
    "convolutional": lambda: op.models.convnet5(2, 3, in_channels=1, image_size=8),
    "with weights": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
}


def same(a, b):
    assert a.state.keys() == b.state.keys()
    for name in a.state:
        torch.testing.assert_close(a.state[name], b.state[name], rtol=0, atol=0)
    assert (a.status, a.n_steps, a.task, a.notes) == (b.status, b.n_steps, b.task, b.notes)
    for name in a.trace.loss:
        np.testing.assert_array_equal(a.trace.loss[name], b.trace.loss[name])
        np.testing.assert_array_equal(a.trace.error[name], b.trace.error[name])
    np.testing.assert_array_equal(a.trace.epoch, b.trace.epoch)
    assert a.predict_proba(X).equal(b.predict_proba(X))


@pytest.mark.parametrize("family", FAMILIES)
def test_families_come_back_without_their_module(tmp_path, family):
    fitted = op.fit(FAMILIES[family](), (X, Y), RECIPE, evaluate={"test": (X, Y)})
    loaded = op.load_fitted(fitted.save(tmp_path / "deep" / "model.pt"))
    same(fitted, loaded)
    assert loaded.recipe == fitted.recipe
    assert list(loaded.trace.loss) == ["train", "test"]
    same(fitted, op.load_fitted(loaded.save(tmp_path / "again.pt"), FAMILIES[family]()))


def test_other_modules_come_back_with_theirs(tmp_path):
    fitted = op.fit(Own(), (X, Y), RECIPE)
    path = fitted.save(tmp_path / "model.pt")
    same(fitted, op.load_fitted(path, Own()))
    with pytest.raises(UsageError, match=r"module of this file, Own, is code.*load_fitted\(path"):
        op.load_fitted(path)
    with pytest.raises(UsageError, match=r"'first.bias' differs; got .4.; allowed: .5"):
        op.load_fitted(op.fit(Own(5), (X, Y), RECIPE).save(tmp_path / "wide.pt"), Own())
    with pytest.raises(UsageError, match=r"differs; got .*; allowed: none"):
        op.load_fitted(path, nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
    with pytest.raises(UsageError, match=r"gives other outputs.*settings and activations"):
        op.load_fitted(path, Own(activation=torch.tanh))
    with pytest.raises(UsageError, match="the model must be a module; got 'type'"):
        op.load_fitted(path, Own)


def test_a_loss_of_ones_own_is_named_and_not_kept(tmp_path):
    recipe = op.Recipe(loss=own_loss, epochs=2, learning_rate=0.01)
    fitted = op.fit(op.models.mlp(64, 5, 3), (X, Y), recipe)
    loaded = op.load_fitted(fitted.save(tmp_path / "model.pt"))
    assert "own_loss" in repr(loaded)
    assert loaded.predict(X).equal(fitted.predict(X))
    with pytest.raises(UsageError, match="'own_loss' is code of its own and was not saved"):
        loaded.recipe.loss(X, Y)
    again = op.load_fitted(loaded.save(tmp_path / "again.pt"))
    assert "own_loss" in repr(again)


def test_fits_whose_outputs_are_never_the_same_or_that_know_no_task_are_kept(tmp_path):
    class Noisy(nn.Linear):
        def forward(self, x):
            return super().forward(x.flatten(1)) + torch.rand(1)

    fitted = op.fit(Noisy(64, 3), (X, Y), op.Recipe(epochs=1))
    loaded = op.load_fitted(fitted.save(tmp_path / "noisy.pt"), Noisy(64, 3))
    assert loaded.state.keys() == fitted.state.keys()
    object.__setattr__(loaded, "task", None)
    assert op.load_fitted(loaded.save(tmp_path / "bare.pt"), Noisy(64, 3)).task is None


class Tied(nn.Module):
    def __init__(self, tie=True):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 3)
        if tie:
            self.b.weight = self.a.weight

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x.flatten(1))))))


def marked(meta=False):
    """Two layers that share a weight, one that stands twice, a frozen bias, a still part."""
    act = nn.ReLU()
    with torch.device("meta" if meta else "cpu"):
        net = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Flatten(),
            nn.Linear(128, 64), act, nn.Linear(64, 64), act, nn.Linear(64, 64),
            *[nn.Linear(64, 64)] * 2, nn.Linear(64, 3),
        )  # fmt: skip
    net[7].weight = net[5].weight
    net[3].bias.requires_grad_(False)
    net[1].eval()
    return net


@pytest.mark.parametrize("meta", [False, True])
def test_ties_frozen_parameters_and_modes_come_back(tmp_path, meta):
    fitted = op.fit(marked(meta), (X, Y), RECIPE)
    path = fitted.save(tmp_path / "model.pt")
    for loaded in (op.load_fitted(path), op.load_fitted(path, marked())):
        same(fitted, loaded)
        assert not loaded.template[1].training
        first, again = fitted.module(), loaded.module()
        for net in (first, again):
            assert net[7].weight is net[5].weight
            assert net[9].weight is net[8].weight
        assert op.census(first).n_params == op.census(again).n_params
        frozen = [name for name, p in again.named_parameters() if not p.requires_grad]
        assert frozen == ["3.bias"]
        recipe = op.Recipe(epochs=2)
        assert op.fit(first, (X, Y), recipe).train_loss == op.fit(again, (X, Y), recipe).train_loss


def test_a_module_of_other_ties_is_not_the_one_that_was_trained(tmp_path):
    path = op.fit(Tied(), (X, Y), RECIPE).save(tmp_path / "tied.pt")
    same(op.load_fitted(path, Tied()), op.load_fitted(path, Tied()))
    with pytest.raises(
        UsageError, match=r"other weights are one; got .none.; allowed: b.weight is"
    ):
        op.load_fitted(path, Tied(tie=False))


def test_layers_with_hooks_are_brought_by_the_user(tmp_path):
    def hooked():
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        net[1].register_forward_hook(lambda module, inputs, outputs: 2 * outputs)
        return net

    fitted = op.fit(hooked(), (X, Y), RECIPE)
    path = fitted.save(tmp_path / "hooked.pt")
    same(fitted, op.load_fitted(path, hooked()))
    with pytest.raises(UsageError, match="Sequential, is code that the file does not hold"):
        op.load_fitted(path)


class Counting(nn.Module):
    """Training changes plain attributes: a count, and a mean that outputs may depend on."""

    def __init__(self, uses_mean=True):
        super().__init__()
        self.linear, self.uses_mean = nn.Linear(64, 3), uses_mean
        self.n_calls, self.mean = 0, torch.zeros(3)

    def forward(self, x):
        found = self.linear(x.flatten(1))
        if self.training:
            self.n_calls += 1
            self.mean = 0.5 * self.mean.to(found) + 0.5 * found.detach().mean(0)
        return found - self.mean.to(found) if self.uses_mean else found


def test_what_weights_alone_would_not_bring_back_is_said_when_it_is_saved(tmp_path):
    with pytest.raises(UsageError, match=r"more of the module.*n_calls, mean.*register_buffer"):
        op.fit(Counting(), (X, Y), RECIPE).save(tmp_path / "model.pt")
    assert not (tmp_path / "model.pt").exists()
    fitted = op.fit(Counting(uses_mean=False), (X, Y), RECIPE)
    same(fitted, op.load_fitted(fitted.save(tmp_path / "m.pt"), Counting(uses_mean=False)))


class Bomb:
    def __reduce__(self):
        return os.mkdir, (str(Bomb.witness),)


@pytest.fixture
def saved(tmp_path) -> Path:
    return op.fit(op.models.mlp(64, 5, 3), (X, Y), RECIPE).save(tmp_path / "model.pt")


def changed(saved, **parts):
    content = torch.load(saved, weights_only=True)
    header = json.loads(content["header"])
    header.update({k: v for k, v in parts.items() if k in header})
    content.update({k: v for k, v in parts.items() if k in content})
    torch.save({**content, "header": json.dumps(header)}, saved)
    return saved


def test_hostile_and_damaged_files_are_data_errors_that_run_nothing(tmp_path, saved):
    Bomb.witness = tmp_path / "witness"
    whole = saved.read_bytes()
    for write in (pickle.dumps, lambda b: _saved_bytes(b, tmp_path)):
        saved.write_bytes(write({"overparam": 1, "header": Bomb(), "state": {}}))
        with pytest.raises(DataError, match=r"not a file that Fitted.save wrote, or is damaged"):
            op.load_fitted(saved)
    assert not Bomb.witness.exists()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        saved.write_bytes(content)
        with pytest.raises(DataError, match=r"not a file that Fitted.save wrote"):
            op.load_fitted(saved)
    torch.save([1, 2], saved)
    with pytest.raises(DataError, match=r"not a file that Fitted.save wrote"):
        op.load_fitted(saved)
    saved.write_bytes(whole)
    assert op.load_fitted(saved).n_steps == 12


def test_a_turned_bit_is_found(saved):
    whole = saved.read_bytes()
    with zipfile.ZipFile(saved) as parts:
        ends = [*(part.header_offset for part in parts.infolist()), parts.start_dir][1:]
    found = op.load_fitted(saved)
    for end in ends:  # the last bytes of each part are its contents, or its checksum
        for back in (1, 2, 4, 17, 40):
            turned = bytearray(whole)
            turned[end - back] ^= 4
            saved.write_bytes(turned)
            with contextlib.suppress(DataError):  # raised but in the padding between two parts
                again = op.load_fitted(saved)
                torch.testing.assert_close(dict(again.state), dict(found.state), rtol=0, atol=0)
                assert (again.recipe, again.n_steps) == (found.recipe, found.n_steps)
    weights = whole.find(next(iter(found.state.values())).numpy().tobytes())
    header = whole.find(b'"n_steps": 12')
    for place in (weights + 2, header + 11):
        turned = bytearray(whole)
        turned[place] ^= 1
        saved.write_bytes(turned)
        with pytest.raises(DataError, match=r"damaged: ValueError the checksum of .* differs"):
            op.load_fitted(saved)


def _saved_bytes(content, folder):
    torch.save(content, folder / "bomb")
    return (folder / "bomb").read_bytes()


@pytest.mark.parametrize(
    ("parts", "error", "match"),
    [
        ({"overparam": 99}, DataError, "damaged: ValueError format 99"),
        ({"state": {"1.weight": "text"}}, DataError, "weights that are no tensors"),
        ({"state": {}}, UsageError, "'1.bias' differs"),
        ({"layers": [["Unfold", {}]]}, DataError, "damaged: KeyError"),
        ({"layers": [["ReLU", {"inplace": True}]]}, DataError, "ReLU takes"),
        ({"recipe": {}}, DataError, "damaged: KeyError"),
        ({"trace": {}}, DataError, "damaged: KeyError"),
        ({"marks": {}}, DataError, "damaged: TypeError"),
        ({"marks": {"ties": [["9.a", "1.b"]], "frozen": [], "evaluating": []}}, DataError, "dama"),
        ({"n_steps": "many"}, DataError, "damaged: ValueError"),
        (
            {"probe": torch.zeros(4, 3).double()},
            UsageError,
            r"gives other outputs; give the module",
        ),
    ],
)
def test_forged_contents(saved, parts, error, match):
    with pytest.raises(error, match=match):
        op.load_fitted(changed(saved, **parts))


def test_paths_that_cannot_be_read_or_written(tmp_path, saved):
    with pytest.raises(DataError, match="there is no file"):
        op.load_fitted(tmp_path / "nowhere.pt")
    with pytest.raises(ResourceError, match="cannot be read"):
        op.load_fitted(tmp_path)
    (tmp_path / "file").write_text("")
    for use in (op.load_fitted, op.load_fitted(saved).save):
        with pytest.raises(UsageError, match="a file stands where a path needs a folder"):
            use(tmp_path / "file" / "model.pt")


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(3, 2),
        nn.Sequential(nn.Linear(3, 2), nn.Dropout()),
        type("Mine", (nn.Sequential,), {})(nn.Linear(3, 2)),
        nn.Sequential(type("Mine", (nn.ReLU,), {})()),
        nn.Sequential(type("ReLU", (nn.Module,), {})()),
        nn.Sequential({"a": nn.Linear(3, 2)}.pop("a"), nn.Sequential(nn.ReLU())),
    ],
)
def test_other_modules_have_no_description(module):
    assert describe_layers(module) is None


def test_layers_named_by_the_user_have_no_description():
    named = nn.Sequential()
    named.add_module("head", nn.Linear(3, 2))
    assert describe_layers(named) is None


def test_every_argument_of_a_layer_is_described():
    layers = nn.Sequential(
        nn.Conv2d(2, 4, (3, 1), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False,
                  padding_mode="circular"),
        nn.BatchNorm2d(4, eps=1e-3, momentum=None, affine=False),
        nn.MaxPool2d(2, stride=1, padding=1, ceil_mode=True),
        nn.Tanh(), nn.GELU("tanh"), nn.Identity(), nn.Flatten(2, 3), nn.Linear(4, 1),
    )  # fmt: skip
    again = build_layers(json.loads(json.dumps(describe_layers(layers))))
    assert repr(again) == repr(layers)
    assert again[0].padding_mode == "circular"


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is a device or a pipe"):
        op.load_fitted(tmp_path / "pipe")
    with pytest.raises(DataError, match="zero is a device or a pipe"):
        op.load_fitted("/dev/zero")
