import sys

import pytest

from overparam.errors import DataError, UsageError
from overparam.models.targets import family_names, load_target, parse_value, sources_of


@pytest.fixture(autouse=True)
def own_path(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


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
def named(text): return text
class Mute(Exception):
    def __str__(self): raise ValueError
def mute(): raise Mute
class Stop(BaseException): pass
def stopped(): raise Stop("\\x1b[2J not now")
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
        ("own_models.py:mute", r"mute failed; got 'Mute: \(its text cannot be made\)"),
        (
            "own_models.py:stopped",
            "stopped failed; got 'Stop: \N{REPLACEMENT CHARACTER}.2J not now",
        ),
        ("own_models.py", "names no model; got 'own_models.py'.*name an object of it"),
        ("own_models.py:", "names no model.*name an object of it"),
        ("12:30/missing.py:net", "there is no such file; got '12:30/missing.py'"),
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


@pytest.mark.parametrize("folder", ["2026-11-25 12:30:00", "x.py:y", "a=b:c", "C:"])
def test_a_path_may_hold_colons(tmp_path, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "own_models.py").write_text(MODELS)
    assert load_target(f"{folder}/own_models.py:net").in_features == 3
    assert load_target(f"{tmp_path}/{folder}/own_models.py:make:width=7").out_features == 7


def test_an_argument_may_hold_colons_and_paths(tmp_path):
    (tmp_path / "own_models.py").write_text(MODELS)
    assert load_target("own_models.py:named:text=C:x/weights.py:3") == "C:x/weights.py:3"
    assert load_target("own_models:named:text=/missing.py:3") == "/missing.py:3"


def test_a_file_in_a_package_is_imported_as_a_part_of_it(tmp_path):
    inner = tmp_path / "nets" / "deep"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").touch()
    (inner.parent / "layers.py").write_text("from torch.nn import Linear as Block\n")
    (inner / "models.py").write_text("from ..layers import Block\ndef net(): return Block(2, 3)\n")
    assert load_target("nets/deep/models.py:net").out_features == 3
    assert sys.modules["nets.deep.models"].__package__ == "nets.deep"
    assert load_target("nets/deep/__init__.py:models.net").out_features == 3


def test_relative_imports_outside_of_a_package_say_the_remedy(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "layers.py").write_text("from torch.nn import Linear as Block\n")
    (tmp_path / "plain" / "models.py").write_text("from .layers import Block\n")
    message = r"imports relatively.*put an empty __init__.py into .*or name it .*plain.models:NAME"
    with pytest.raises(UsageError, match=message):
        load_target("plain/models.py:Block")
    assert load_target("plain.models:Block:in_features=2,out_features=3").out_features == 3


@pytest.mark.parametrize("name", ["random.py", "torch.py", "my.own-net.py"])
def test_a_file_does_not_take_the_name_of_another_module(tmp_path, name):
    before = sys.modules.get(name.removesuffix(".py"))
    (tmp_path / name).write_text(
        MODELS.replace("from torch import nn", "import torch.nn as nn")
        if name != "torch.py"
        else "net = 3\n"
    )
    load_target(f"{name}:net")
    assert sys.modules.get(name.removesuffix(".py")) is before or before is None


def test_two_packages_of_one_name(tmp_path):
    for folder, width in (("one", 2), ("two", 3)):
        (tmp_path / folder / "nets").mkdir(parents=True)
        (tmp_path / folder / "nets" / "__init__.py").touch()
        text = f"from torch import nn\nnet = nn.Linear(1, {width})\n"
        (tmp_path / folder / "nets" / "models.py").write_text(text)
    assert load_target("one/nets/models.py:net").out_features == 2
    assert load_target("two/nets/models.py:net").out_features == 3
    assert load_target("two/nets/models.py:net") is load_target("two/nets/models.py:net")


def test_a_file_that_failed_is_executed_again(tmp_path):
    (tmp_path / "wrong.py").write_text("net = 1 / 0\n")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        load_target("wrong.py:net")
    (tmp_path / "wrong.py").write_text("class net: get_params = 1\n")
    assert load_target("wrong.py:net").get_params == 1


def test_sources_of_a_target_are_the_files_of_its_folder_that_it_imports(tmp_path):
    package = tmp_path / "nets"
    (package / "parts").mkdir(parents=True)
    files = {
        "nets/__init__.py": "",
        "nets/models.py": "import json, torch.nn\nfrom .parts import blocks\nfrom . import sizes\n",
        "nets/sizes.py": "from settings import WIDTH\nimport nets.models\n",
        "nets/parts/__init__.py": "",
        "nets/parts/blocks.py": "def late():\n    from ..late import net\n",
        "nets/late.py": "def f(:\n",
        "settings.py": "WIDTH = 3\n",
        "unused.py": "",
        "nets/unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    made_of = sorted(tmp_path.resolve() / n for n in files if "unused" not in n)
    assert sources_of("nets/models.py:net") == sources_of("nets.models:net:a=b") == made_of
    assert sources_of("settings.py:net") == [tmp_path.resolve() / "settings.py"]
    assert not {"nets", "settings"} & set(sys.modules)  # nothing was imported
    for target in ("mlp:hidden=3", "torch.nn:Linear", "json:loads", "nowhere:net", "gone.py:net"):
        assert sources_of(target) == []
