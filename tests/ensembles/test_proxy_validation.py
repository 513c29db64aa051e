"""Proxies held against an ensemble and planted rows, on data of which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.naive_bayes import GaussianNB

import overparam as op
from overparam import measures
from overparam.data.examples import as_examples
from overparam.ensembles.one_run import BASELINES, baselines_of, run_once
from overparam.ensembles.planting import plant
from overparam.ensembles.prepare import prepare
from overparam.ensembles.proxy_validation import _recommend
from overparam.errors import DataError, UsageError
from overparam.measures.one_run import PROXIES
from overparam.streams import Streams

CPU = torch.device("cpu")


def points(n=200, apart=3.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    return rng.normal(size=(n, 4)) + apart * labels[:, None], labels


def digits(n=300):
    data, _ = op.load_data("digits")
    return data.inputs.flatten(1).numpy()[:n], data.labels.numpy()[:n]


def net_and_recipe(epochs=60, **more):
    recipe = op.Recipe(epochs=epochs, learning_rate=0.1, momentum=0.9, batch_size=20, **more)
    return op.models.mlp(4, 64, 3), recipe


@pytest.fixture(scope="module")
def validated():
    """Digits, a network that learns wrong labels by heart, and so a clear answer."""
    recipe = op.Recipe(epochs=40, learning_rate=0.1, momentum=0.9, batch_size=30)
    net = op.models.mlp(64, 128, 10)
    return op.validate_proxies(net, *digits(), 16, recipe=recipe, n_planted=30, workers=0)


# ------------------------------------------------------------------ planted rows


def test_planted_rows_are_what_they_are_said_to_be():
    inputs, labels = points()
    found = plant(as_examples((inputs, labels)), 15, Streams(0))
    examples, n = found.examples, len(labels)
    assert len(examples) == n + 7
    assert found.is_flipped.sum() == 15
    assert found.is_twin.sum() == 14
    assert found.is_own.sum() == n - 22
    changed = examples.labels[:n] != labels
    np.testing.assert_array_equal(changed, ~found.is_own[:n])
    for i in range(n, n + 7):  # every copy has one twin, with the same wrong label
        (twin,) = np.flatnonzero((examples.inputs[:n] == examples.inputs[i]).all(1))
        assert found.is_twin[twin]
        assert examples.labels[i] == examples.labels[twin] != labels[twin]
    again = plant(as_examples((inputs, labels)), 15, Streams(0))
    np.testing.assert_array_equal(again.examples.labels, examples.labels)


def test_wrong_labels_are_classes_that_are_there():
    words = np.array(["a", "b"])[np.arange(60) % 2]
    found = plant(as_examples((np.zeros((60, 1)), words)), None, Streams(0))
    assert set(found.examples.given_labels()) == {"a", "b"}
    _, data = op.load_data("digits")
    few = data.subset(torch.nonzero((data.labels == 2) | (data.labels == 7)).flatten())
    labels = plant(as_examples(few), 10, Streams(0)).examples.labels
    assert set(labels.tolist()) == {2, 7}


def test_too_few_rows_or_too_many_plants_are_refused():
    with pytest.raises(DataError, match=r"too few rows to plant errors in .* got .*39"):
        plant(as_examples((np.zeros((39, 1)), np.arange(39) % 2)), None, Streams(0))
    with pytest.raises(UsageError, match="n_planted"):
        plant(as_examples((np.zeros((40, 1)), np.arange(40) % 2)), 11, Streams(0))


# ------------------------------------------------------------------ networks


def test_all_proxies_and_baselines_are_scored(validated):
    names = [s.name for s in validated.scores]
    assert set(names) == {*PROXIES, *BASELINES}
    spearman = [s.agreement.spearman for s in validated.scores]
    assert spearman == sorted(spearman, reverse=True)
    assert {s.name for s in validated.scores if s.cost == 0} == set(BASELINES)
    assert validated.n_models == 16
    assert validated.ensemble_cost == pytest.approx(16 * 0.7, rel=0.02)
    assert all(len(values) == 315 for values in validated.values.values())
    assert all(s.errors_found.n == 30 for s in validated.scores)


def test_they_are_the_measures_on_the_rows_that_were_left_alone(validated):
    own, reference = validated.planted.is_own, validated.reference.estimate
    values = validated.values["cumulative_loss"]
    found = validated["cumulative_loss"]
    assert found.agreement == measures.rank_agreement(values[own], reference[own])
    rows = ~validated.planted.is_twin
    order = np.argsort(-values[rows], kind="stable")
    recall = measures.recall_of_errors(order, validated.planted.is_flipped[rows])
    assert found.errors_found.rate == pytest.approx(recall)
    assert found.errors_found.low < recall <= found.errors_found.high
    flipped, twin = (values[getattr(validated.planted, k)] for k in ("is_flipped", "is_twin"))
    above = (flipped[:, None] > twin).mean() + (flipped[:, None] == twin).mean() / 2
    assert found.copies_told.auc == pytest.approx(above)


def test_the_reference_knows_that_a_copy_teaches(validated):
    planted, score = validated.planted, validated.reference.estimate
    assert score[planted.is_flipped].mean() > 0.7
    assert score[planted.is_twin].mean() < score[planted.is_flipped].mean() - 0.2


def test_the_cheapest_that_agrees_is_recommended(validated):
    agreeing = [s for s in validated.scores if s.agrees]
    for s in validated.scores:
        shown = s.agreement.spearman_low > 0.4 and s.errors_found.low > 0.5
        assert s.agrees == shown
    assert agreeing
    assert validated.recommended == min(agreeing, key=lambda s: s.cost).name
    assert validated.recommended in validated.reason
    text = repr(validated)
    assert f"*{validated.recommended}" in text
    assert all(name in text for name in PROXIES)
    assert len(text.splitlines()) <= 20
    assert max(map(len, text.splitlines())) < 130
    with pytest.raises(UsageError, match=r"no such score .* cumulative_loss"):
        validated["loss"]


def test_that_none_agrees_is_said(validated):
    none, reason = _recommend(
        [s for s in validated.scores if not s.agrees], validated.reliability, 0.4, 0.5
    )
    assert none is None
    assert reason.startswith("No score agrees")
    shaky = replace(validated.reliability, low=0.1)
    assert _recommend(list(validated.scores), shaky, 0.4, 0.5)[0] is None


def test_a_call_that_was_cut_short_goes_on(tmp_path):
    net, recipe = net_and_recipe(5)
    given = {"recipe": recipe, "workers": 0, "folder": tmp_path / "e"}
    first = op.validate_proxies(net, *points(), 8, **given)
    told = []
    again = op.validate_proxies(net, *points(), 8, **given, on_progress=told.append)
    np.testing.assert_array_equal(first.reference.estimate, again.reference.estimate)
    assert repr(first) == repr(again)


def test_a_run_that_diverges_is_told():
    net, _ = net_and_recipe(3)
    setup = prepare(net, *points(), recipe=op.Recipe(epochs=3, learning_rate=1e30))
    with pytest.raises(DataError, match=r"the run on all rows diverged.*smaller learning_rate"):
        run_once(setup.learner, setup.labels, Streams(0), CPU)


# ------------------------------------------------------------------ estimators


def scores_of(estimator, data=None):
    setup = prepare(estimator, *(points() if data is None else data))
    return run_once(setup.learner, setup.labels, Streams(0), CPU), setup


def test_an_estimator_has_the_loss_of_its_fit():
    run, _ = scores_of(GaussianNB())
    inputs, labels = points()
    said = GaussianNB().fit(inputs, labels).predict_proba(inputs)
    own = said[np.arange(200), labels]
    np.testing.assert_allclose(run.scores["final_loss"], -np.log(own))
    np.testing.assert_allclose(run.scores["el2n"], np.linalg.norm(said - np.eye(3)[labels], axis=1))
    assert set(run.scores) == {"final_loss", "el2n", "area_under_margin", *BASELINES}
    assert run.costs["final_loss"] == 1


def test_boosted_trees_have_a_trace_along_their_stages():
    inputs, labels = points()
    run, _ = scores_of(GradientBoostingClassifier(n_estimators=6, random_state=0))
    fitted = GradientBoostingClassifier(n_estimators=6)
    assert {"cumulative_loss", "forgetting_events", "iteration_learned"} <= set(run.scores)
    seed = prepare(fitted, inputs, labels).learner
    model = op.solve(seed.fit(np.arange(200), Streams(0))).model
    losses = [-np.log(p[np.arange(200), labels]) for p in model.staged_predict_proba(inputs)]
    np.testing.assert_allclose(run.scores["cumulative_loss"], np.sum(losses, 0))


def test_a_forest_is_asked_out_of_bag():
    run, _ = scores_of(RandomForestClassifier(30, oob_score=True, random_state=0))
    out = run.scores["out_of_bag"]
    assert out.shape == (200,)
    assert ((out >= 0) & (out <= 1)).all()
    assert np.mean(out) > np.mean(run.scores["final_loss"] > 1)


def test_scores_that_are_noise_are_said_to_be():
    found = op.validate_proxies(
        DummyClassifier(strategy="stratified"), *points(), 8, workers=0, n_planted=10
    )
    assert found.reliability.low < 0.2
    assert found.recommended is None
    assert "may be pure noise" in found.reason


def test_rows_that_are_no_numbers_have_no_baselines():
    assert baselines_of(["a", "b"], np.array([0, 1])) == {}
    pandas = pytest.importorskip("pandas")
    inputs, labels = points()
    frame = pandas.DataFrame(inputs * [1, 1, 1, 1e6], columns=list("abcd"))
    of_a_table = baselines_of(frame.assign(b=frame["b"] > 0), labels)
    of_an_array = baselines_of(frame.assign(b=1.0 * (frame["b"] > 0)).to_numpy(), labels)
    assert set(of_a_table) == set(of_an_array) == {"neighbor_disagreement", "class_distance"}
    for name, values in of_a_table.items():
        np.testing.assert_array_equal(values, of_an_array[name])
    assert baselines_of(frame.assign(e="text"), labels) == {}


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        (lambda rows, seed: None, {}, "cannot be planted in the data of a fit of one's own"),
        (GaussianNB(), {"n_models": 7}, "n_models"),
        (GaussianNB(), {"least_agreement": 2}, "least_agreement"),
        (GaussianNB(), {"least_recall": -1}, "least_recall"),
        (op.models.mlp(4, 8, 3), {}, "a network is trained by a recipe"),
    ],
)
def test_faults(model, more, words):
    with pytest.raises(UsageError, match=words):
        op.validate_proxies(model, *points(), **more, workers=0)
