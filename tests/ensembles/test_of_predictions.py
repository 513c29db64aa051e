"""Ensembles of given predictions say what the ensembles say that made them; gaps and misfits."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB

import overparam as op
from overparam.ensembles import Ensemble, TargetEnsemble, ensemble_of_predictions
from overparam.errors import DataError, UsageError
from tests.ensembles.made import FLIPPED, N_ROWS, net_ensemble, points, tree_ensemble

INPUTS, LABELS = points()
TESTED = points(1, 40)


def outputs_of(ensemble):
    return np.array(list(ensemble.columns.each("outputs")), np.float64)


@pytest.fixture(scope="module")
def bayes():
    return tree_ensemble(8, GaussianNB(), evaluate=TESTED, keep="logits")


@pytest.fixture(scope="module")
def nets():
    return net_ensemble(5, evaluate=TESTED, keep="logits", one_run=False)


def test_probabilities_say_what_their_ensemble_says(bayes):
    tested = np.array(list(bayes.columns.each("test_probabilities")), np.float64)
    found = ensemble_of_predictions(
        outputs_of(bayes), LABELS, bayes.in_subset, test=(tested, TESTED[1])
    )
    assert isinstance(found, Ensemble)
    for name, column in bayes.row_table.items():
        # Outputs were kept in float32, in which 1 - p of a sure answer has few digits.
        reach = 0.1 if name.startswith("vulnerability") else 1e-5
        np.testing.assert_allclose(
            found.row_table[name].astype(float), column.astype(float), reach, reach, err_msg=name
        )
    np.testing.assert_array_equal(found.columns["test_correct"], bayes.columns["test_correct"])
    np.testing.assert_allclose(found.prediction(), bayes.prediction(), atol=1e-3)
    for ask in (
        lambda e: e.noise_rate().rate,
        lambda e: e.membership("rmia").auc.auc,
        lambda e: e.c_scores().estimate,
        lambda e: e.influence_scores(memorization=None).influence,
        lambda e: e.label_errors().order,
    ):
        np.testing.assert_allclose(ask(found), ask(bayes), rtol=1e-5)
    assert found.findings == bayes.findings
    assert found.notes == ()
    assert repr(found).splitlines()[1:4] == repr(bayes).splitlines()[1:4]
    assert "study" not in repr(found)


def test_logits_are_told_from_probabilities(nets):
    found = ensemble_of_predictions(outputs_of(nets), LABELS, nets.in_subset)
    np.testing.assert_allclose(found.columns["margin"], nets.columns["margin"], rtol=1e-5)
    said, theirs = (e.out_of_sample_probabilities().probabilities for e in (found, nets))
    np.testing.assert_allclose(said, theirs, atol=1e-3)
    (note,) = found.notes
    assert "taken as logits" in note
    assert (found.memorization_scores().estimate == nets.memorization_scores().estimate).all()


def test_labels_are_votes_in_any_form_of_label():
    words = np.array(["no", "yes"])[LABELS]
    found = tree_ensemble(6, evaluate=TESTED)
    named = np.where(found.columns["correct"], LABELS, 1 - LABELS)
    gaps = np.array(["no", "yes"], object)[named]
    for y in (words, pd.Series(words), pd.Categorical(words, ["yes", "no"])):
        made = ensemble_of_predictions(gaps, y, found.in_subset)
        assert made.classes == ["no", "yes"]
        assert made.memorization_scores().method == "counted"
        np.testing.assert_array_equal(made.columns["correct"], found.columns["correct"])
    numbers = ensemble_of_predictions(torch.tensor(named), torch.tensor(LABELS), found.in_subset)
    theirs = found.memorization_scores(counted=True)
    np.testing.assert_array_equal(numbers.memorization_scores().estimate, theirs.estimate)
    assert numbers.label_errors().order.shape == (N_ROWS,)


def folds(predict, n_columns, k=5):
    masks = np.ones((k, N_ROWS), bool)
    said = np.full((k, N_ROWS, n_columns), np.nan)
    split = KFold(k, shuffle=True, random_state=0).split(INPUTS)
    for fold, (train, held) in enumerate(split):
        masks[fold, held] = False
        said[fold, held] = predict(train, held).reshape(len(held), n_columns)
    return said, masks


def test_out_of_folds_there_are_label_errors_and_no_memorization():
    def predict(train, held):
        return GaussianNB().fit(INPUTS[train], LABELS[train]).predict_proba(INPUTS[held])

    said, masks = folds(predict, 2)
    found = ensemble_of_predictions(said, LABELS, masks)
    assert found.ratios == (0.8,)
    assert set(found.label_errors().order[:8]) == set(FLIPPED)
    rate = found.noise_rate()
    assert rate.low <= len(FLIPPED) / N_ROWS <= rate.high
    np.testing.assert_allclose(
        found.out_of_sample_probabilities().probabilities, np.nansum(said, 0), atol=1e-3
    )
    right = np.nansum(said, 0).argmax(1) == LABELS
    np.testing.assert_array_equal(found.c_scores().estimate, right)
    assert found.learning_curve().accuracy == pytest.approx(right.mean())
    rows = found.row_table
    assert np.isnan(rows["memorization"]).all()
    np.testing.assert_array_equal(rows["accuracy_out"], right)
    assert (rows["n_in"] == 0).all()
    assert (rows["n_out"] == 1).all()
    with pytest.raises(DataError, match="both in and out"):
        found.memorization_scores()
    assert "unknown on rows seen" in repr(found)
    assert found.findings == ()


def test_gaps_are_no_wrong_answers():
    whole = tree_ensemble(10)
    named = np.where(whole.columns["correct"], LABELS, 1 - LABELS).astype(float)
    hidden = np.random.default_rng(0).random(named.shape) < 0.3
    found = ensemble_of_predictions(np.where(hidden, np.nan, named), LABELS, whole.in_subset)
    theirs = op.measures.memorization_scores(
        whole.in_subset, np.where(hidden, np.nan, whole.columns["correct"])
    )
    np.testing.assert_array_equal(found.memorization_scores().estimate, theirs.estimate)
    np.testing.assert_array_equal(found.row_table["n_in"], theirs.n_in)
    accuracy = [r.outcome.accuracy_out for r in found.records]
    wanted = [
        whole.columns["correct"][k][~whole.in_subset[k] & ~hidden[k]].mean() for k in range(10)
    ]
    np.testing.assert_allclose(accuracy, wanted)


def test_gaps_in_logits_of_classes_that_a_model_does_not_know():
    said = np.random.default_rng(0).normal(size=(3, N_ROWS, 2)) * 3
    said[0, 5:9, 1], said[0, 0] = -np.inf, np.nan
    masks = np.arange(N_ROWS) % 3 == np.arange(3)[:, None]
    columns = ensemble_of_predictions(said, LABELS, masks).columns
    assert np.isnan(columns["margin"][0, 0])
    assert np.isfinite(columns["probability"][0, 1:]).all()
    assert columns["probability"][0, 5:9].tolist() == (1.0 - LABELS[5:9]).tolist()
    assert np.isfinite(columns["margin"][0, 1:]).all()


def test_sizes_of_subsets_are_ratios_and_bootstraps_one():
    rng = np.random.default_rng(0)
    named = rng.integers(0, 2, (40, N_ROWS))
    counts = [np.isin(np.arange(N_ROWS), rng.integers(0, N_ROWS, N_ROWS)) for _ in range(40)]
    found = ensemble_of_predictions(named, LABELS, counts)
    assert len(found.ratios) == 1
    assert found.ratios[0] == pytest.approx(0.63, abs=0.03)
    sizes = [12, 60, 96]
    masks = [rng.permutation(N_ROWS) < sizes[k % 3] for k in range(12)]
    several = ensemble_of_predictions(named[:12], LABELS, masks)
    assert several.ratios == (0.1, 0.5, 0.8)
    assert several.learning_curve().n_models.tolist() == [4, 4, 4]
    left_out = np.arange(N_ROWS) != np.arange(4)[:, None]
    (ratio,) = ensemble_of_predictions(named[:4], LABELS, left_out).ratios
    assert ratio < 1


def test_columns_are_of_sorted_classes_or_as_named(bayes):
    said, masks = outputs_of(bayes), bayes.in_subset
    words = np.array(["no", "yes"])[LABELS]
    turned = ensemble_of_predictions(said[:, :, ::-1], words, masks, classes=["yes", "no"])
    np.testing.assert_allclose(turned.columns["margin"], bayes.columns["margin"], rtol=1e-5)
    tables = [pd.DataFrame(one[:, ::-1], columns=["yes", "no"]) for one in said]
    tables[3] = tables[3][["no", "yes"]]
    by_name = ensemble_of_predictions(tables, words, masks, test=(tables, words))
    np.testing.assert_array_equal(by_name.columns["margin"], turned.columns["margin"])
    plain = ensemble_of_predictions([pd.DataFrame(one) for one in said], words, masks)
    np.testing.assert_array_equal(plain.columns["margin"], turned.columns["margin"])
    more = np.concatenate([said, np.zeros((8, N_ROWS, 3))], 2)  # classes 2 to 4 have no rows
    assert ensemble_of_predictions(more, LABELS, masks).classes == [0, 1, 2, 3, 4]


def test_numbers_make_an_ensemble_of_targets():
    targets = INPUTS @ [1.0, 2.0, 3.0]

    def fitted(rows):
        return LinearRegression().fit(INPUTS[rows], targets[rows] + rows % 3)

    tested = TESTED[0] @ [1.0, 2.0, 3.0]
    masks = op.data.draw_subsets(6, N_ROWS, 0.7, op.Streams(0))
    models = [fitted(np.flatnonzero(mask)) for mask in masks]
    said = np.array([m.predict(INPUTS) for m in models])
    on_test = np.array([m.predict(TESTED[0]) for m in models])
    found = ensemble_of_predictions(said, targets, masks, test=(on_test, tested))
    assert isinstance(found, TargetEnsemble)
    np.testing.assert_array_equal(found.predictions, said)
    np.testing.assert_array_equal(found.test_predictions, on_test)
    np.testing.assert_array_equal(found.test_targets, tested)
    assert (found.row_table["n_in"] > 0).all()
    single = ensemble_of_predictions(said[:, :, None], targets, masks)
    np.testing.assert_array_equal(single.predictions, said)
    for many in (5, 60):  # whole numbers beside fractions
        whole = ensemble_of_predictions(said, np.arange(N_ROWS) % many, masks)
        assert isinstance(whole, TargetEnsemble)
    rounded = ensemble_of_predictions(said.round(), np.arange(N_ROWS) % 5, masks, task="numbers")
    assert isinstance(rounded, TargetEnsemble)
    gaps = np.where(masks, np.nan, said).astype(object)
    gaps[np.isnan(gaps.astype(float))] = None
    out = ensemble_of_predictions(gaps, targets, masks)
    np.testing.assert_allclose(
        out.row_table["prediction"], np.nanmean(np.where(masks, np.nan, said), 0)
    )
    assert np.isnan(out.row_table["memorization"]).all()
    assert "no model says anything of a row that it saw" in repr(out)


def test_saved_it_is_a_study_and_more_cannot_be_trained(tmp_path, bayes):
    found = ensemble_of_predictions(outputs_of(bayes), LABELS, bayes.in_subset)
    loaded = op.load_ensemble(found.save(tmp_path / "saved"))
    assert repr(loaded).splitlines()[:4] == repr(found).splitlines()[:4]
    np.testing.assert_array_equal(loaded.row_table["p_out"], found.row_table["p_out"])
    assert loaded.has_folder
    assert not found.has_folder
    with pytest.raises(UsageError, match="of predictions has no model to train"):
        found.extend(20)
    with pytest.raises(UsageError, match=r"not at hand; got .*or is of predictions"):
        found.prediction(INPUTS)
    with pytest.raises(UsageError, match="no test rows were evaluated"):
        found.prediction()


K = 4
MASKS = np.arange(N_ROWS) % 2 == np.arange(K)[:, None] % 2
VOTES = np.tile(LABELS, (K, 1))
SAID = np.eye(2)[VOTES] * 0.8 + 0.1
NUMBERS = INPUTS[:, 0]
GAPS = np.full((K, N_ROWS), np.nan)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ((SAID[:1], LABELS, MASKS[:1]), {}, "one model cannot have a row both in and out"),
        ((SAID[:, 1:], LABELS, MASKS), {}, "not of the same models and rows"),
        ((SAID[0, :, 0], LABELS, MASKS), {}, "predictions have a wrong shape"),
        (([[0.1, 0.9], [0.2]], LABELS, MASKS), {}, "predictions have a wrong shape"),
        ((SAID, LABELS, MASKS * 2), {}, "other values than 0 and 1"),
        ((SAID, LABELS, MASKS | [[1], [0], [0], [0]]), {}, "no row was in training.*models 0 of 4"),
        ((SAID, LABELS, MASKS & [[0], [1], [0], [1]]), {}, "no row was in training.*models 0, 2"),
        ((SAID, LABELS[1:], MASKS), {}, "predictions and y are not of the same rows"),
        ((SAID, 5, MASKS), {}, "predictions and y are not of the same rows"),
        ((SAID, np.zeros(N_ROWS, int), MASKS), {}, "one class"),
        ((SAID, NUMBERS, MASKS), {}, "targets of regression"),
        ((SAID, NUMBERS, MASKS), {"task": "numbers"}, "numbers have no classes"),
        ((SAID, np.arange(N_ROWS) % 3, MASKS), {}, "not a column for each class of y.*classes=est"),
        ((SAID, LABELS, MASKS), {"classes": ["a"]}, "do not name every column once"),
        ((SAID, LABELS, MASKS), {"classes": ["a", "b"]}, "lie outside the classes"),
        ((SAID.astype(str), LABELS, MASKS), {}, "hold no numbers"),
        ((SAID * 0.5, LABELS, MASKS), {}, "neither probabilities nor logits"),
        ((np.where(SAID > 0.5, np.inf, 0), LABELS, MASKS), {}, "predictions hold infinity"),
        ((SAID * np.inf, LABELS, MASKS), {}, "predictions hold infinity"),
        ((GAPS, LABELS, MASKS), {}, "nothing but missing values"),
        ((VOTES * 3, LABELS, MASKS), {}, "no class of y; got '3 of model 0'"),
        ((SAID[:, :, 1], LABELS, MASKS), {}, r"fractions, and y are classes.*np.stack\(\[1 - p"),
        ((SAID[:, :, 1], ["a", "b"] * 60, MASKS), {}, "fractions, and y are classes"),
        ((VOTES.astype(str), NUMBERS, MASKS), {}, "are no numbers, and y are targets"),
        ((NUMBERS + GAPS, [np.nan, *NUMBERS[1:]], MASKS), {}, "missing values"),
        ((SAID, LABELS, MASKS), {"test": SAID}, "test is no pair"),
        ((SAID, LABELS, MASKS), {"test": (SAID[:2], LABELS)}, "not of the same models and classes"),
        ((SAID, LABELS, MASKS), {"test": (SAID, LABELS[1:])}, "and labels of the test are not of"),
        ((SAID, LABELS, MASKS), {"test": (SAID, LABELS + 5)}, "lie outside the classes"),
        ((SAID, LABELS, MASKS), {"test": (SAID * 9, LABELS)}, "are of two forms"),
        (([pd.DataFrame({"a": [0.5], "b": [0.5]}), pd.DataFrame({"a": [0.5], "c": [0.5]})],
          ["a"], [[1], [0]]), {}, "tables of other columns"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_remedy(given, options, message):
    with pytest.raises(DataError, match=message):
        ensemble_of_predictions(*given, **options)


def test_a_gap_in_the_test_and_a_task_that_is_none():
    gap = SAID.copy()
    gap[0, 0] = np.nan
    with pytest.raises(DataError, match="test predictions have gaps; got '1 of"):
        ensemble_of_predictions(SAID, LABELS, MASKS, test=(gap, LABELS))
    with pytest.raises(UsageError, match="unknown task"):
        ensemble_of_predictions(SAID, LABELS, MASKS, task="ranks")
    with pytest.raises(DataError, match="masked"):
        ensemble_of_predictions(np.ma.masked_less(SAID, 0.2), LABELS, MASKS)
