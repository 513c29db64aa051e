"""`overparam probe identity`: an architecture of one's own, from its name to its report."""

import json
import re

import pytest

MODELS = """
from torch import nn

def convnet(depth=1):
    layers = []
    for i in range(depth):
        n_in, n_out = 1 if i == 0 else 8, 1 if i == depth - 1 else 8
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers[:-1])

def dense(width=32): return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU())
def unpadded(): return nn.Conv2d(1, 1, 3)
def rows(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.BatchNorm1d(20))
class Seen(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)
    def forward(self, x):
        if self.training and not x.is_meta: print("trained", file=open("log", "a"))
        return self.norm(self.conv(x))
"""
QUICK = ("--side", "8", "--seeds", "2", "--set", "learning_rate=1e-2", "--set", "target_loss=1e-4")


@pytest.fixture
def models(tmp_path):
    (tmp_path / "cli_probed_models.py").write_text(MODELS)


def probe(here, *words):
    return here("probe", "identity", *words, "--workers", "1", "--quiet")


def test_from_an_architecture_to_an_answer_and_a_report(here, models, tmp_path):
    words = ("cli_probed_models.py:convnet", "--sweep", "depth=2,3", *QUICK, "--out", "study")
    code, out, _ = probe(here, *words, "--json")
    found = json.loads(out)
    assert code == found["exit_code"] == 0
    trained = [row for row in found["levels"] if row["arm"] == "trained"]
    assert [row["level"] for row in trained] == ["2", "3"]
    for row in trained:
        assert row["n_learned"] == row["n_seeds"] == 2
        assert -1.5 < row["preference"]["estimate"] < 1.5
    page = (tmp_path / "study" / "report.html").read_text()
    assert "cli_probed_models.py:convnet" in page
    assert "overparam probe identity cli_probed_models.py:convnet" in page
    # Going on finds everything done; the report can be made again without the architecture.
    (tmp_path / "cli_probed_models.py").rename(tmp_path / "gone.txt")
    code, out, err = here("report", "study")
    assert code == 0, err
    assert "prefers" in out


def test_features_get_a_decoder_and_one_level_a_table(here, models):
    code, out, err = probe(here, "cli_probed_models.py:dense", *QUICK)
    assert code == 0, err
    assert "the constant" in out
    assert "untrained" in out
    assert "prefers: on these images" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cli_probed_models.py:unpadded", "--side", "8"), "returns images of another size"),
        (("cli_probed_models.py:convnet", "--sweep", "dpth=1,2"), "did you mean 'depth'"),
        (("cli_probed_models.py:convnet", "--sweep", "depth"), "NAME=A,B"),
        (("cli_probed_models.py:convnet", "--sweep", "depth=2,2"), "each value once"),
        (("cli_probed_models.py:convnet", "--side", "9", "--set", "side=8"), "side is set twice"),
        (("cli_probed_models.py:convnet", "--set", "sides=8"), "no such field"),
        (("cli_probed_models.py:nothing",), "has no such object"),
        (("cli_probed_models.py:rows", "--side", "8"), "cannot be trained on 1 image"),
        (("absent.py:net",), "there is no such file"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_runs(here, models, tmp_path, words, message):
    code, _, err = probe(here, *words)
    assert code == 2
    assert re.search(message, err), err
    assert not (tmp_path / "studies").exists()


def test_a_network_that_does_not_train_is_no_answer(here, models):
    words = ("cli_probed_models.py:convnet", "--side", "8", "--seeds", "1", "--steps", "2")
    code, out, _ = probe(here, *words)
    assert code == 1
    assert "did not fit" in out


def test_an_unknown_task_is_told_the_near_one(here):
    code, _, err = here("probe", "identiy", "x")
    assert code == 2
    assert "did you mean 'identity'" in err


def test_the_untrained_arm_sees_no_image_in_training_mode(models, tmp_path, monkeypatch):
    from overparam.probes.identity_probe import PHENOMENON, Condition
    from overparam.streams import Streams
    from overparam.training.request import solve

    monkeypatch.chdir(tmp_path)
    condition = Condition("cli_probed_models.py:Seen", side=8, arm="untrained", max_steps=1)
    assert solve(PHENOMENON.run(condition, Streams(0))).n_steps == 0
    assert not (tmp_path / "log").exists()
