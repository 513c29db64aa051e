import sys

import pytest

from overparam.cli.folders import default_folder
from overparam.cli.parse import (
    choice,
    family_names,
    parse_bytes,
    parse_list,
    parse_phenomenon,
    parse_settings,
    parse_shape,
    parse_target,
    parse_value,
    whole_number,
)
from overparam.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def own_path(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("own_models", "leaving", "wrong", "half_written", "without_rows"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("800 b", 800), ("2k", 2048), ("4G", 4 << 30), ("1.5GiB", 3 << 29), ("1T", 1 << 40)],
)
def test_sizes_of_memory(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1", "0", "4X", "G", "1e9", "0.2"])
def test_what_is_no_size_of_memory(text):
    with pytest.raises(UsageError, match=r"this is no size of memory.*such as 4G"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["1,28,28", "1x28x28", "(1, 28, 28)", "1×28×28", "1,28,28,"])
def test_shapes(text):
    assert parse_shape(text) == (1, 28, 28)


@pytest.mark.parametrize("text", ["", "0", "1,,2", "-3", "3.5", "a", "1,0"])
def test_what_is_no_shape(text):
    with pytest.raises(UsageError, match=r"this is no shape.*such as 1,28,28"):
        parse_shape(text)


def test_settings_keep_what_follows_the_first_equals_sign():
    assert parse_settings(["a=b=c", " d = 1 ", "a=b=c"]) == {"a": "b=c", "d": "1"}


@pytest.mark.parametrize("text", ["width", "=3", "width=", ""])
def test_what_is_no_setting(text):
    with pytest.raises(UsageError, match="takes a field and its value"):
        parse_settings([text])


def test_a_field_cannot_be_set_to_two_values():
    with pytest.raises(UsageError, match="n is set twice; got '1 and 2'; run the study once"):
        parse_settings(["n=1", "n=2"])


def test_whole_numbers():
    assert whole_number("--seeds")("12") == 12
    assert whole_number("--first-seed", 0)("0") == 0
    with pytest.raises(UsageError, match=r"--seeds must be a whole number; got '1.5'"):
        whole_number("--seeds")("1.5")
    with pytest.raises(UsageError, match="--seeds is out of range; got 0"):
        whole_number("--seeds")("0")


def test_choices_suggest_the_near_one():
    with pytest.raises(UsageError, match=r"unknown scale; got 'ful'.*did you mean 'full'"):
        choice("scale", ["smoke", "full"])("ful")
    assert parse_list("format", ["svg", "pdf"])("svg, pdf") == ("svg", "pdf")
    with pytest.raises(UsageError, match="unknown format; got 'svgg'"):
        parse_list("format", ["svg", "pdf"])("pdf,svgg")


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
    model = parse_target("mlp:input_dim=4,hidden=5x3,n_outputs=2,bias=false")
    assert sum(p.numel() for p in model.parameters()) == 4 * 5 + 5 * 3 + 3 * 2
    assert parse_target("lenet_300_100").__class__.__name__ == "Sequential"


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
    assert sum(p.numel() for p in parse_target(target).parameters()) == n_params


def test_an_estimator_class_is_instantiated():
    assert parse_target("sklearn.linear_model:Ridge:alpha=0.5").alpha == 0.5


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
        parse_target(target)


def test_a_phenomenon_that_cannot_be_imported_names_the_line(tmp_path):
    (tmp_path / "half_written.py").write_text("x = 1\ny = 1 / 0\n")
    with pytest.raises(UsageError, match=r"failed; got 'ZeroDivisionError: .*half_written.py:2"):
        parse_phenomenon("half_written.py")
    with pytest.raises(UsageError, match="unknown phenomenon; got 'doubel'"):
        parse_phenomenon("doubel")


def test_an_error_of_the_package_in_a_users_file_keeps_its_kind(tmp_path):
    text = "from overparam.errors import DataError\nraise DataError('no rows')\n"
    (tmp_path / "without_rows.py").write_text(text)
    with pytest.raises(DataError, match="no rows"):
        parse_target("without_rows.py:net")


def test_default_folders_tell_settings_apart_and_are_plain_names():
    plain = default_folder("x", "smoke", {})
    one = default_folder("x", "smoke", {"b": "minimum norm", "a": "../up"})
    assert plain.as_posix() == "studies/x-smoke"
    assert one.as_posix() == "studies/x-smoke-a=.._up-b=minimum_norm"
    assert one == default_folder("x", "smoke", {"a": "../up", "b": "minimum norm"})
