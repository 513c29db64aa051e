"""Ensembles of regressions: what they say, and that they are studies as those of classes are."""

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor
from torch import nn

import overparam as op
from overparam.ensembles import TargetEnsemble
from overparam.ensembles.prepare import prepare
from overparam.ensembles.setup import ABOUT, study_of
from overparam.errors import DataError, StoreError, UsageError
from overparam.lab.store import Store
from overparam.measures import target_memorization

N, WRONG = 120, np.arange(6)
RECIPE = op.Recipe(epochs=15, learning_rate=0.05, loss="squared_error", batch_size=20)


def line(seed=0, n=N, wrong=WRONG):
    """Targets that lie on a plane but for some noise, the first six far off it."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, 3))
    targets = inputs @ [2.0, -1.0, 0.5] + 0.1 * rng.normal(size=n)
    targets[wrong] += 8.0
    return inputs, targets


INPUTS, TARGETS = line()
TESTED = line(1, 30, [])


def regressions(n_models=10, model=None, data=None, **options):
    inputs, targets = (INPUTS, TARGETS) if data is None else data
    model = DecisionTreeRegressor() if model is None else model
    return op.subset_ensemble(model, inputs, targets, n_models, workers=0, **options)


@pytest.fixture(scope="module")
def trees():
    return regressions(12, evaluate=TESTED)


@pytest.fixture(scope="module")
def nets():
    net = op.models.mlp(3, 16, 1)
    return regressions(5, net, recipe=RECIPE, evaluate=TESTED, keep=("models", "logits"))


def test_arrays_are_what_the_members_predict(trees):
    assert isinstance(trees, TargetEnsemble)
    assert trees.predictions.shape == trees.in_subset.shape == (12, N)
    assert trees.predictions.dtype == np.float64
    # A tree that is grown to its end predicts what it saw, to the last digit.
    np.testing.assert_array_equal(
        trees.predictions[trees.in_subset], np.tile(TARGETS, (12, 1))[trees.in_subset]
    )
    assert np.abs(trees.predictions - TARGETS)[~trees.in_subset].min() > 0
    np.testing.assert_array_equal(trees.targets, TARGETS)
    np.testing.assert_array_equal(trees.test_targets, TESTED[1])
    assert trees.test_predictions.shape == (12, 30)
    np.testing.assert_array_equal(trees.prediction(), trees.test_predictions.mean(0))
    assert len(trees) == trees.n_models == len(trees.records) == 12
    assert set(trees.ratio_of_each) == set(trees.ratios) == {0.7}


def test_members_are_fits_to_their_rows():
    found = regressions(4, LinearRegression(), evaluate=TESTED)
    for rows, said, tested in zip(
        found.in_subset, found.predictions, found.test_predictions, strict=True
    ):
        alone = LinearRegression().fit(INPUTS[rows], TARGETS[rows])
        np.testing.assert_allclose(said, alone.predict(INPUTS), rtol=1e-12)
        np.testing.assert_allclose(tested, alone.predict(TESTED[0]), rtol=1e-12)


def test_rows_that_stand_out_are_memorized_and_have_large_residuals(trees):
    frame = trees.rows
    assert list(frame.columns) == [
        "target", "prediction", "prediction_standard_error", "residual", "error_in", "error_out",
        "memorization", "memorization_low", "memorization_high", "memorization_standard_error",
        "n_in", "n_out",
    ]  # fmt: skip
    assert set(frame["memorization"].nlargest(6).index) == set(WRONG)
    assert set(frame["residual"].nlargest(6).index) == set(WRONG)
    assert (frame["memorization_low"][WRONG] > 0).sum() >= 5  # of three models each
    theirs = target_memorization(trees.in_subset, trees.predictions, TARGETS)
    np.testing.assert_array_equal(frame["memorization"], theirs.estimate)
    np.testing.assert_array_equal(frame["residual"], TARGETS - theirs.prediction)
    assert (trees.row_table["n_in"] + trees.row_table["n_out"] == 12).all()


def test_ten_lines(trees, nets):
    for found in (trees, nets):
        lines = repr(found).splitlines()
        assert len(lines) <= 10
        assert all(len(line) < 130 for line in lines)
    assert "12 models, DecisionTreeRegressor, each on 70 % of 120 rows, targets" in repr(trees)
    assert "root mean square 0 on rows seen" in repr(trees)
    assert "of the targets' variance [" in repr(trees)


def test_several_ratios_have_scores_each():
    found = regressions(4, LinearRegression(), ratio=(0.3, 0.7))
    assert found.n_models == 8
    assert found.ratio_of_each.tolist() == [0.3] * 4 + [0.7] * 4
    assert "scores are of the 4 on 70 %" in repr(found)
    assert found.at_ratio()["prediction"].shape == (4, N)
    assert found.at_ratio(0.3).in_subset.sum(1).tolist() == [36] * 4
    assert found.memorization_scores(ratio=0.3).n_in.max() < 3
    with pytest.raises(UsageError, match="no member was trained on such a share"):
        found.memorization_scores(ratio=0.5)


def test_networks_and_their_kept_models(nets):
    assert nets.memorization_scores().mean < 0.2
    np.testing.assert_allclose(nets.prediction(TESTED[0]), nets.prediction(), rtol=1e-5, atol=1e-6)
    assert nets.prediction(INPUTS[:2]).shape == (2,)
    assert nets.members.run is None  # a prior is for right and wrong
    assert nets.setup.has_run is False


def test_a_function_of_ones_own_that_keeps_state_is_found():
    seen = []

    def fit(rows, seed):
        seen.append(rows)
        every = np.unique(np.concatenate(seen))
        return LinearRegression().fit(INPUTS[every], TARGETS[every]).predict

    (finding,) = [f for f in regressions(4, fit).findings if "fitted, or made, twice" in f]
    assert "keeps something between fits" in finding
    sound = regressions(
        4, lambda rows, seed: LinearRegression().fit(INPUTS[rows], TARGETS[rows]).predict
    )
    assert sound.findings == ()


def test_errors_that_fall_with_the_order_of_fits_are_found():
    calls = []

    def fit(rows, seed):
        calls.append(seed)
        share = min(len(calls) / 20, 1.0)
        return lambda inputs: share * (inputs @ [2.0, -1.0, 0.5])

    found = regressions(16, fit, line(wrong=[]))
    assert any("out of sample falls with the order of the fits" in f for f in found.findings)


def test_members_that_know_nothing_are_found():
    noise = np.random.default_rng(3).normal(size=N)
    (finding,) = regressions(6, data=(INPUTS, noise)).findings
    assert "not shown that members predict rows that they did not see better than" in finding


def test_a_network_that_diverges_says_nothing():
    wild = op.Recipe(epochs=20, learning_rate=1e20, loss="squared_error")
    with pytest.raises(DataError, match="no member of the ensemble has ended well"):
        regressions(4, op.models.mlp(3, 16, 1), recipe=wild)


def test_a_model_of_several_outputs_is_told():
    pair = nn.Sequential(nn.Linear(3, 2))

    def loss(outputs, targets):
        return (outputs[:, :1] - targets).square().sum(1)

    recipe = op.Recipe(epochs=1, loss=loss)
    with pytest.raises(DataError, match="puts out several numbers"):
        regressions(4, pair, recipe=recipe)


def test_whole_numbers_are_targets_where_a_model_or_the_user_says_so():
    counts = np.arange(N) % 9

    def fit(rows, seed):
        return LinearRegression().fit(INPUTS[rows], counts[rows]).predict

    assert prepare(RandomForestRegressor(), INPUTS, counts).classes is None
    assert prepare(GaussianNB(), INPUTS, counts).classes == list(range(9))
    assert prepare(fit, INPUTS, counts).classes == list(range(9))
    found = regressions(4, fit, data=(INPUTS, counts), task="numbers")
    assert found.targets.tolist() == counts.tolist()
    many = np.arange(N) % 40  # which a classifier takes, and nobody could tell of a function
    assert len(prepare(fit, INPUTS, many, task="classes").classes) == 40
    assert len(prepare(GaussianNB(), INPUTS, many).classes) == 40
    assert (
        prepare(op.models.mlp(3, 4, 1), INPUTS, counts, recipe=RECIPE, task="numbers").classes
        is None
    )


TREE, NET, PAIRS = DecisionTreeRegressor(), op.models.mlp(3, 4, 1), np.stack([TARGETS] * 2, 1)
BY_ENTROPY = {"recipe": op.Recipe(epochs=1)}


@pytest.mark.parametrize(
    ("model", "y", "options", "error", "message"),
    [
        (TREE, PAIRS, {}, DataError, r"one target for each.*y\[:, 0\]"),
        (TREE, np.ones(N), {}, DataError, "all targets are alike"),
        (TREE, np.where(TARGETS > 5, np.nan, TARGETS), {}, DataError, "missing"),
        (TREE, TARGETS, {"task": "ranks"}, UsageError, "unknown task"),
        (TREE, TARGETS, {"task": "classes"}, DataError, "targets of regression"),
        (TREE, TARGETS, {"by_class": True}, UsageError, "have no classes of which"),
        (GaussianNB(), TARGETS, {"task": "numbers"}, UsageError, "is a classifier"),
        (NET, TARGETS, BY_ENTROPY, UsageError, "cross-entropy needs classes"),
    ],
)
def test_what_is_refused_before_any_fit(model, y, options, error, message):
    with pytest.raises(error, match=message):
        prepare(model, INPUTS, y, **options)


def test_examples_of_classes_are_no_numbers():
    read = op.data.examples.as_examples((INPUTS, np.arange(N) % 3))
    with pytest.raises(UsageError, match="are of classes already"):
        prepare(LinearRegression(), read, task="numbers")


def test_extended_saved_and_loaded_it_says_the_same(tmp_path):
    log = str(tmp_path / "log")

    def fit(rows, seed):
        with open(log, "a") as file:
            file.write(".")
        return LinearRegression().fit(INPUTS[rows], TARGETS[rows]).predict

    found = regressions(4, fit, folder=tmp_path / "e", evaluate=TESTED)
    before = np.array(found.predictions)
    assert (
        len(Path(log).read_text()) == 4 + 2
    )  # the first is fitted again, to be held against itself
    assert found.extend(6) is found
    assert (found.n_models, len(Path(log).read_text())) == (6, 8)
    np.testing.assert_array_equal(found.predictions[:4], before)
    loaded = op.load_ensemble(found.save(tmp_path / "saved"))
    assert isinstance(loaded, TargetEnsemble)
    np.testing.assert_array_equal(loaded.predictions, found.predictions)
    np.testing.assert_array_equal(loaded.targets, TARGETS)
    np.testing.assert_array_equal(loaded.prediction(), found.prediction())
    assert repr(loaded).splitlines()[:3] == repr(found).splitlines()[:3]
    with pytest.raises(UsageError, match="was loaded has no model to train"):
        loaded.extend(10)
    with pytest.raises(UsageError, match="models are not at hand"):
        loaded.prediction(INPUTS)
    assert (
        op.subset_ensemble(
            fit, INPUTS, TARGETS, 6, folder=tmp_path / "e", workers=0, evaluate=TESTED
        ).n_models
        == 6
    )
    assert len(Path(log).read_text()) == 8  # all were there


def test_without_evaluated_rows_there_is_no_prediction(tmp_path):
    found = regressions(4, LinearRegression())
    assert found.test_targets is None
    with pytest.raises(UsageError, match="no test rows were evaluated"):
        _ = found.test_predictions


@pytest.mark.parametrize(
    ("data", "model", "word"),
    [
        ((INPUTS, np.where(np.arange(N) == 50, 0.0, TARGETS)), LinearRegression(), "data set"),
        ((INPUTS, TARGETS), LinearRegression(fit_intercept=False), "model"),
        ((INPUTS, (TARGETS > 0).astype(int)), GaussianNB(), "data set"),
    ],
)
def test_a_folder_of_something_else_is_refused_and_loses_nothing(tmp_path, data, model, word):
    regressions(4, LinearRegression(), folder=tmp_path)
    with pytest.raises(StoreError, match=rf"is of another .*{word}.*fresh=True"):
        regressions(4, model, data, folder=tmp_path)
    assert op.load_ensemble(tmp_path).n_models == 4


def test_a_description_that_is_none_of_numbers_is_refused(tmp_path):
    regressions(4, LinearRegression(), folder=tmp_path)
    with Store.open(tmp_path, study_of()) as store:
        store.set(ABOUT, {**store.get(ABOUT), "labels": [math.inf, 1]})
    with pytest.raises(StoreError, match="says of its ensemble cannot be read"):
        op.load_ensemble(tmp_path)


def test_a_plan_is_of_predictions():
    plan = op.plan_ensemble(LinearRegression(), INPUTS, TARGETS, n_models=30, workers=0)
    assert plan.standard_error == pytest.approx(1 / 3)  # 1 / sqrt(.3 * 30)
    assert "standard error of a prediction out of sample" in repr(plan)
    surer = op.plan_ensemble(LinearRegression(), INPUTS, TARGETS, standard_error=0.1, workers=0)
    assert surer.n_models == 334
    assert plan.disk_bytes >= 30 * 8 * N


def test_keys_of_ensembles_of_classes_are_what_they_were():
    """Pinned: studies that people have kept go on."""
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2
    found = [
        prepare(GaussianNB(), X, y, **options).digest
        for options in (
            {},
            {"evaluate": (X[:3], y[:3])},
            {"keep": "logits", "groups": np.arange(12) // 2, "by_class": True},
        )
    ]
    assert found == ["db1779eb7ea1d969", "a60e851328fedf86", "70d458a1259afe7b"]
    assert study_of().name == "subset_ensemble"
