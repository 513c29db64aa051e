import sys

import pytest

from overparam.errors import DataError, UsageError
from overparam.models.targets import family_names, load_target, parse_value


@pytest.fixture(autouse=True)
def own_path(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("own_models", "leaving", "wrong", "without_rows"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("-1e-3", -1e-3), ("True", True), ("None", None), ("5x4", (5, 4)), ("relu", "relu")],
)
def test_values_of_arguments(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_families_are_found_not_listed():
    assert {"mlp", "preact_resnet18", "convnet5", "linear_model"} <= set(family_names())
    assert "mlp_n_params" not in family_names()  # returns a number


def test_a_family_with_its_arguments():
    model = load_target("mlp:input_dim=4,hidden=5x3,n_outputs=2,bias=false")
    assert sum(p.numel() for p in model.parameters()) == 4 * 5 + 5 * 3 + 3 * 2
    assert load_target("lenet_300_100").__class__.__name__ == "Sequential"


MODELS = """
from torch import nn
net = nn.Linear(3, 2)
class Shelf:
    net = nn.Linear(4, 1)
def make(width=5): return nn.Linear(1, width, bias=False)
class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.linear = nn.Linear(1, width, bias=False)
def broken(): raise RuntimeError("oh dear")
number = 3
"""


@pytest.mark.parametrize(
    ("target", "n_params"),
    [
        ("own_models.py:net", 8),
        ("own_models.py:Shelf.net", 5),
        ("own_models.py:make", 5),
        ("own_models.py:make:width=7", 7),
        ("own_models.py:Net", 2),
        ("own_models:Net:width=9", 9),
    ],
)
def test_objects_of_files_and_modules(tmp_path, target, n_params):
    (tmp_path / "own_models.py").write_text(MODELS)
    assert sum(p.numel() for p in load_target(target).parameters()) == n_params


def test_an_estimator_class_is_instantiated():
    assert load_target("sklearn.linear_model:Ridge:alpha=0.5").alpha == 0.5


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mlpp", "unknown family of models; got 'mlpp'.*did you mean 'mlp'"),
        ("mlp", "mlp cannot be made: missing a required argument: 'input_dim'.*after a colon"),
        ("mlp:hiden=3", r"allowed: mlp\(input_dim, hidden, .*did you mean 'hidden'"),
        ("mlp:hidden=0,input_dim=1,n_outputs=1", "hidden is out of range"),
        ("mlp:=3", "this is no argument of a model; got '=3'"),
        ("a:b:c:d", "this names no model; got 'a:b:c:d'"),
        ("missing.py:net", "there is no such file; got 'missing.py'"),
        ("no_such_module:net", "no_such_module cannot be imported.*misspelt"),
        ("own_models.py:nett", "own_models has no such object; got 'nett'; did you mean 'net'"),
        ("own_models.py:broken", "broken failed; got 'RuntimeError: oh dear .*own_models.py:11"),
        ("leaving.py:net", "leaving.py failed; got 'SystemExit: 3"),
        ("wrong.py:net", "wrong.py failed; got 'SyntaxError"),
    ],
)
def test_targets_that_cannot_be_used(tmp_path, target, message):
    (tmp_path / "own_models.py").write_text(MODELS)
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "wrong.py").write_text("def f(:\n")
    with pytest.raises(UsageError, match=message):
        load_target(target)


def test_an_error_of_the_package_in_a_users_file_keeps_its_kind(tmp_path):
    text = "from overparam.errors import DataError\nraise DataError('no rows')\n"
    (tmp_path / "without_rows.py").write_text(text)
    with pytest.raises(DataError, match="no rows"):
        load_target("without_rows.py:net")


def test_arguments_given_beside_the_text_win(tmp_path):
    (tmp_path / "own_models.py").write_text(MODELS)
    assert load_target("own_models.py:make:width=7", width=2).out_features == 2
    with pytest.raises(UsageError, match=r"own_models.py:net is a model already.*got 'width'"):
        load_target("own_models.py:net", width=2)


def test_a_file_is_executed_once(tmp_path):
    (tmp_path / "own_models.py").write_text(MODELS)
    first, second = (load_target("own_models.py:Net") for _ in range(2))
    assert type(first) is type(second)
