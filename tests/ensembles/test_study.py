"""An ensemble is a study: extended, resumed, refused, loaded."""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import overparam as op
from overparam.ensembles.setup import ABOUT, study_of
from overparam.errors import StoreError, UsageError
from overparam.lab.store import Store
from tests.ensembles.made import N_ROWS, net_ensemble, points, same_columns, tree_ensemble
from tests.lab.tiny_phenomenon import PHENOMENON


def counting(log):
    inputs, labels = points()

    def fit(rows, seed):
        with open(log, "a") as file:
            file.write(f"{len(rows)}\n")
        return DecisionTreeClassifier(random_state=seed).fit(inputs[rows], labels[rows]).predict

    return fit


def test_extending_trains_only_what_is_missing_and_changes_no_member(tmp_path):
    found = tree_ensemble(6, model=counting(tmp_path / "log"), folder=tmp_path / "e")
    before = (tmp_path / "log").read_text().count("\n")
    assert before == 6 + 2  # the first is fitted again, to be held against itself
    masks, correct = np.array(found.in_subset), np.array(found.columns["correct"])
    assert found.extend(10) is found
    assert found.n_models == 10
    assert (tmp_path / "log").read_text().count("\n") == before + 4
    np.testing.assert_array_equal(found.in_subset[:6], masks)
    np.testing.assert_array_equal(found.columns["correct"][:6], correct)
    with pytest.raises(UsageError, match="is extended to more models"):
        found.extend(9)
    at_once = tree_ensemble(10, model=counting(tmp_path / "other"), folder=tmp_path / "f")
    assert same_columns(found.columns, at_once.columns)
    again = tree_ensemble(8, model=counting(tmp_path / "log"), folder=tmp_path / "e")
    assert again.n_models == 8
    assert (tmp_path / "log").read_text().count("\n") == before + 4


def test_networks_extended_are_networks_trained_at_once(tmp_path):
    found = net_ensemble(5).extend(9)  # across the bounds of units of four
    np.testing.assert_array_equal(found.in_subset, net_ensemble(9).in_subset)
    np.testing.assert_allclose(
        found.columns["margin"], net_ensemble(9).columns["margin"], rtol=1e-3, atol=1e-4
    )


def test_an_ensemble_without_a_folder_ends_with_itself():
    found = tree_ensemble(4)
    folder = found.folder
    assert (folder / "study.sqlite").is_file()
    found.extend(6)
    assert found.folder == folder
    del found
    assert not folder.exists()


def test_saved_and_loaded_it_says_the_same(tmp_path):
    found = net_ensemble(6, evaluate=points(1, 30))
    place = found.save(tmp_path / "saved")
    loaded = op.load_ensemble(place)
    assert same_columns(found.columns, loaded.columns)
    np.testing.assert_array_equal(found.prediction(), loaded.prediction())
    assert repr(loaded).splitlines()[:4] == repr(found).splitlines()[:4]
    with pytest.raises(UsageError, match="was loaded has no model to train"):
        loaded.extend(10)
    with pytest.raises(
        UsageError, match=r"models are not at hand; got .an ensemble that was loaded"
    ):
        loaded.prediction(points(1, 30)[0])
    with pytest.raises(UsageError, match="saved where nothing is yet"):
        found.save(place)
    assert net_ensemble(8, evaluate=points(1, 30), folder=place).n_models == 8


def others():
    inputs, labels = points()
    flipped = labels.copy()
    flipped[50] = 1 - flipped[50]
    shifted = inputs.copy()
    shifted[50, 0] += 1e-6
    return {
        "another label": ({"data": (inputs, flipped)}, "data set"),
        "another input": ({"data": (shifted, labels)}, "data set"),
        "another width": ({"width": 9}, "model"),
        "another recipe": ({"epochs": 21}, "recipe"),
        "evaluated rows": ({"evaluate": points(1, 30)}, "evaluated rows"),
        "groups": ({"groups": np.arange(N_ROWS) // 2}, "choice of subsets"),
        "classes": ({"by_class": True}, "choice of subsets"),
        "what is kept": ({"keep": "logits"}, "what is kept"),
    }


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    net_ensemble(4, folder=folder)
    return folder


@pytest.mark.parametrize("what", others())
def test_an_ensemble_of_something_else_is_refused_and_loses_nothing(kept, what):
    options, word = others()[what]
    with pytest.raises(StoreError, match=rf"is of another .*{word}.*fresh=True") as caught:
        net_ensemble(4, folder=kept, **options)
    assert caught.value.exit_code == 4
    assert op.load_ensemble(kept).n_models == 4
    assert net_ensemble(4, folder=kept).n_models == 4


def test_another_seed_is_another_choice_of_subsets(kept):
    with pytest.raises(StoreError, match="choice of subsets"):
        net_ensemble(4, folder=kept, seed=1)


def test_fresh_starts_anew(tmp_path):
    net_ensemble(4, folder=tmp_path)
    assert net_ensemble(4, folder=tmp_path, width=9, fresh=True).n_models == 4


def test_another_ratio_joins_the_ensemble(tmp_path):
    tree_ensemble(4, folder=tmp_path)
    found = tree_ensemble(4, folder=tmp_path, ratio=(0.5, 0.7))
    assert found.ratios == (0.5, 0.7)
    assert op.load_ensemble(tmp_path).n_models == 8


def test_parameters_of_an_estimator_are_part_of_it(tmp_path):
    tree_ensemble(4, model=RandomForestClassifier(3), folder=tmp_path)
    with pytest.raises(StoreError, match="of another model"):
        tree_ensemble(4, model=RandomForestClassifier(4), folder=tmp_path)
    weights = {"sample_weight": np.arange(N_ROWS)}
    with pytest.raises(StoreError, match="of another model"):
        tree_ensemble(4, model=RandomForestClassifier(3), folder=tmp_path, arguments=weights)


def test_the_state_of_a_generator_is_part_of_an_estimator(tmp_path):
    def forest(seed):
        return RandomForestClassifier(3, random_state=np.random.RandomState(seed))

    tree_ensemble(4, model=forest(0), folder=tmp_path)
    assert tree_ensemble(5, model=forest(0), folder=tmp_path).n_models == 5
    with pytest.raises(StoreError, match="of another model"):
        tree_ensemble(4, model=forest(1), folder=tmp_path)


def test_two_functions_of_one_structure_are_two_models(tmp_path):
    inputs, labels = points()
    recipe = op.Recipe(epochs=1)

    def small():
        net = nn.Linear(3, 2)
        nn.init.normal_(net.weight, std=0.01)
        return net

    def large():
        net = nn.Linear(3, 2)
        nn.init.normal_(net.weight, std=1.0)
        return net

    op.subset_ensemble(small, inputs, labels, 4, recipe=recipe, folder=tmp_path, workers=0)
    with pytest.raises(StoreError, match="of another model"):
        op.subset_ensemble(large, inputs, labels, 4, recipe=recipe, folder=tmp_path, workers=0)


@pytest.mark.slow
def test_members_are_the_same_wherever_they_are_made():
    inputs, labels = points()

    def fit(rows, seed):
        model = DecisionTreeClassifier(max_features=1, random_state=seed)
        return model.fit(inputs[rows], labels[rows]).predict_proba

    for model, more in ((fit, {}), (op.models.mlp(3, 8, 2), {"recipe": op.Recipe(epochs=5)})):
        here, there = (
            op.subset_ensemble(model, inputs, labels, 8, workers=workers, **more)
            for workers in (0, 2)
        )
        assert same_columns(here.columns, there.columns)
        assert there.findings == ()


MODELS = """
from sklearn.naive_bayes import GaussianNB

class Mine(GaussianNB):
    def fit(self, X, y):
        return super().fit(X, y)
"""


def test_edited_code_is_refused_unless_accepted(tmp_path, monkeypatch):
    file = tmp_path / "ensemble_of_mine.py"
    file.write_text(MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import ensemble_of_mine

    tree_ensemble(4, model=ensemble_of_mine.Mine(), folder=tmp_path / "e")
    file.write_text(MODELS + "\n# a comment\n")
    with pytest.raises(StoreError, match="was edited since its records were made"):
        tree_ensemble(6, model=ensemble_of_mine.Mine(), folder=tmp_path / "e")
    monkeypatch.delitem(sys.modules, "ensemble_of_mine")
    importlib.invalidate_caches()
    again = importlib.import_module("ensemble_of_mine").Mine()
    assert tree_ensemble(6, model=again, folder=tmp_path / "e", accept_edits=True).n_models == 6


SCRIPT = """
import sys
import time
from pathlib import Path
import numpy as np
import overparam as op
from sklearn.naive_bayes import GaussianNB
rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
def helper(rows):
    return GaussianNB().fit(X[rows], y[rows])
def fit(rows, seed):
    with open("log", "a") as log:
        log.write("fitted\\n")
    if int(sys.argv[1]) and len(Path("log").read_text().split()) > 5:
        time.sleep(60)
    return helper(rows).predict_proba
print(op.subset_ensemble(fit, X, y, n_models=8, folder="study", workers=0).n_models)
"""


BRIEF = """
import sys
sys.path.insert(0, "elsewhere")
import numpy as np
import overparam as op
import far_model
def fit(rows, seed):
    return far_model.asked
X, y = np.arange(20.0)[:, None], np.arange(20) % 2
print(op.subset_ensemble(fit, X, y, int(sys.argv[1]), folder="study", workers=0).n_models)
"""


def run_script(text, folder, *words):
    (folder / "script.py").write_text(text)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "script.py", *words], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_script_that_is_killed_goes_on_and_one_with_other_code_is_refused(tmp_path):
    first = run_script(SCRIPT, tmp_path, "1")
    log = tmp_path / "log"
    until = time.monotonic() + 60
    while not (log.exists() and len(log.read_text().split()) > 5) and time.monotonic() < until:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    n_kept = op.load_ensemble(tmp_path / "study").n_models
    assert n_kept == 3  # the first takes three fits
    # What is beside the function in the script is no part of it.
    longer = SCRIPT.replace("n_models=8", "n_models=9")
    out, err = run_script(longer, tmp_path, "0").communicate(timeout=60)
    assert out.split() == ["9"], err
    assert len(log.read_text().split()) == 5 + 1 + 6
    edited = SCRIPT.replace("GaussianNB()", "GaussianNB(var_smoothing=1e-3)")
    _, err = run_script(edited, tmp_path, "0").communicate(timeout=60)
    assert "was edited since its records were made" in err
    assert "helper" in err


def test_code_in_another_folder_is_known_too(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    far = tmp_path / "elsewhere" / "far_model.py"
    far.write_text("def asked(X): return X[:, [0, 0]] * 0 + [0.1, 0.9]")
    for n in ("4", "5"):
        out, err = run_script(BRIEF, tmp_path, n).communicate(timeout=60)
        assert out.split() == [n], err
    far.write_text(far.read_text().replace("[0.1, 0.9]", "[0.9, 0.1]"))
    _, err = run_script(BRIEF, tmp_path, "6").communicate(timeout=60)
    assert "was edited since its records were made; got 'far_model.py'" in err


def test_what_a_folder_says_is_not_believed(tmp_path, kept):
    folder = tmp_path / "copy"
    shutil.copytree(kept, folder)
    study = study_of()
    with Store.open(folder, study) as store:
        about = store.get(ABOUT)
        store.set(ABOUT, {**about, "labels": [7]})
    with pytest.raises(StoreError, match="what this study says of its ensemble cannot be read"):
        op.load_ensemble(folder)


def test_a_study_of_something_else_is_no_ensemble(tmp_path):
    Store.open(tmp_path, PHENOMENON).close()
    with pytest.raises(StoreError, match="is of another phenomenon"):
        op.load_ensemble(tmp_path)
    with pytest.raises(StoreError, match="is of another phenomenon"):
        tree_ensemble(4, folder=tmp_path)


def test_as_a_study_it_has_records_and_makes_no_claim(kept):
    study = op.load(kept)
    assert study.verdicts == {}
    assert len(study.records) == 5  # four members, and the run on all rows
    assert study.records[0].value("accuracy_in") > 0.5
    assert any("makes no claim" in note for note in study.result.provenance["notes"])
    with Store.read_only(kept) as store:
        assert store.check() == []
