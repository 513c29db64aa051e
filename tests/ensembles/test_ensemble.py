"""What an ensemble says, held against the measures on plain arrays and against what was planted."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB

import overparam as op
from overparam import measures
from overparam.errors import DataError, StoreError, UsageError
from tests.ensembles.made import FLIPPED, N_ROWS, net_ensemble, points, tree_ensemble


@pytest.fixture(scope="module")
def trees():
    return tree_ensemble(12, evaluate=points(1, 40))


@pytest.fixture(scope="module")
def nets():
    return net_ensemble(8, evaluate=points(1, 40), keep=("models", "logits"))


def test_planted_errors_are_memorized_and_suspected_first(trees):
    scores = trees.memorization_scores(counted=True)
    assert scores.estimate[FLIPPED].mean() > 0.7
    assert np.median(scores.estimate[len(FLIPPED) :]) < 0.1
    first = trees.label_errors().order[: len(FLIPPED)]
    assert len(set(first) & set(FLIPPED)) >= 6
    rate = trees.noise_rate()
    assert rate.low <= len(FLIPPED) / N_ROWS <= rate.high


def test_scores_are_the_measures_of_what_members_say(nets):
    columns = nets.columns
    masks, margins = np.array(columns.in_subset), np.array(columns["margin"])
    assert masks.shape == (8, N_ROWS)
    np.testing.assert_array_equal(margins > 0, columns["correct"])
    theirs = measures.memorization_scores(masks, margins=margins)
    mine = nets.memorization_scores(prior=None)
    assert mine.method == "margin tail"
    np.testing.assert_array_equal(mine.estimate, theirs.estimate)
    np.testing.assert_array_equal(mine.low, theirs.low)
    counted = measures.memorization_scores(masks, margins > 0)
    np.testing.assert_array_equal(nets.memorization_scores(counted=True).estimate, counted.estimate)


def test_probabilities_out_of_sample_are_those_of_logits(nets):
    logits = np.array(list(nets.columns.each("outputs")), np.float64)
    said = torch.from_numpy(logits).softmax(2).numpy()
    theirs = measures.out_of_sample_probabilities(nets.in_subset, said)
    mine = nets.out_of_sample_probabilities()
    np.testing.assert_allclose(
        mine.probabilities, theirs.probabilities, atol=1e-3
    )  # half precision
    np.testing.assert_array_equal(mine.n_out, theirs.n_out)


def test_kept_models_say_what_the_members_said(nets):
    inputs, labels = points(1, 40)
    np.testing.assert_allclose(nets.prediction(inputs), nets.prediction(), atol=1e-3)
    evaluated = nets.influence_scores(memorization=None)
    again = np.concatenate([inputs, inputs[:1] + 100])  # other rows, so that models are asked
    asked = nets.influence_scores(again, np.append(labels, 0), memorization=None)
    assert asked.test.max() < 40
    np.testing.assert_array_equal(asked.influence, evaluated.influence)
    theirs = measures.influence_scores(nets.in_subset, nets.columns["test_correct"])
    np.testing.assert_array_equal(theirs.influence, evaluated.influence)


def test_influence_looks_at_memorized_rows_only(trees):
    least = trees.memorization_scores().estimate
    pairs = trees.influence_scores(threshold=0.05)
    assert (least[pairs.train] >= 0.25).all()


def test_rows_hold_all_scores_of_every_row(trees):
    frame = trees.rows
    assert len(frame) == N_ROWS
    assert frame.index.name == "row"
    np.testing.assert_array_equal(frame["memorization"], trees.memorization_scores().estimate)
    assert sorted(frame["label_error_rank"]) == list(range(N_ROWS))
    suspects = frame.sort_values("label_error_rank").head(5)
    assert (suspects["suggested_label"] != suspects["label"]).all()
    assert set(frame.columns) >= {"p_out", "vulnerability", "memorization_low", "n_out"}
    assert frame["label"].dtype == np.int64


def test_rows_need_pandas_and_the_table_does_not(trees, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    assert len(trees.row_table["memorization"]) == N_ROWS
    with pytest.raises(UsageError, match="needs pandas"):
        _ = trees.rows


def test_labels_may_be_words(tmp_path):
    inputs, labels = points()
    words = np.array(["no", "yes"])[labels]
    found = tree_ensemble(4, data=(inputs, words), folder=tmp_path / "e", evaluate=(inputs, words))
    assert found.classes == ["no", "yes"]
    assert set(found.rows["label"]) == {"no", "yes"}
    assert op.load_ensemble(tmp_path / "e").classes == ["no", "yes"]


@pytest.fixture(scope="module")
def forests():
    return tree_ensemble(8, model=RandomForestClassifier(10))


@pytest.mark.parametrize("attack", ["lira", "ratio", "rmia", "loss"])
def test_membership(forests, attack):
    found = forests.membership(attack)
    assert found.auc.auc > 0.5
    assert found.scores.shape == (8, N_ROWS)
    assert found.by_row.gap.shape == (N_ROWS,)
    assert "not resolved" in found.tpr[0.001].reason
    assert attack in repr(found)


def test_several_ratios_make_a_learning_curve():
    found = tree_ensemble(4, model=GaussianNB(), ratio=(0.2, 0.7))
    curve = found.learning_curve()
    assert curve.ratios.tolist() == [0.2, 0.7]
    assert curve.n_models.tolist() == [4, 4]
    assert found.n_models == 8
    assert found.memorization_scores().n_in.max() < 4  # of the larger ratio alone
    assert found.memorization_scores(ratio=0.2).n_in.max() < 3
    assert found.c_scores().accuracy.shape == (2, N_ROWS)
    with pytest.raises(UsageError, match="no member was trained on such a share"):
        found.memorization_scores(ratio=0.5)


def test_who_only_names_a_class_is_counted():
    inputs, labels = points()

    def fit(rows, seed):
        return GaussianNB().fit(inputs[rows], labels[rows]).predict

    found = tree_ensemble(6, model=fit)
    assert found.memorization_scores().method == "counted"
    assert found.membership("ratio").auc.auc >= 0.4
    with pytest.raises(UsageError, match="attack"):
        found.membership("guess")
    with pytest.raises(UsageError, match="have no margins for this attack"):
        found.membership("lira")


def test_trees_that_are_sure_of_what_they_saw_are_counted(trees):
    assert trees.memorization_scores().method == "counted"
    with pytest.raises(DataError, match="do not vary"):
        trees.membership("lira")
    assert trees.membership("ratio").auc.auc > 0.5


def test_with_so_few_members_that_no_row_is_twice_on_each_side_they_are_counted():
    found = tree_ensemble(4)
    assert found.in_subset.sum(0).max() <= 3
    assert tree_ensemble(2, ratio=0.5).memorization_scores().method == "counted"


def test_a_single_member_has_no_scores_and_says_so():
    found = tree_ensemble(1)
    assert "one model cannot have a row both in and out" in repr(found)
    with pytest.raises(DataError, match="one model cannot have a row both in and out"):
        found.memorization_scores()


def test_ten_lines(trees, nets):
    for found in (trees, nets):
        lines = repr(found).splitlines()
        assert len(lines) <= 10
        assert all(len(line) < 130 for line in lines)
    assert "12 models" in repr(trees)
    assert len(trees) == 12


def test_what_was_not_kept_cannot_be_asked_for(trees):
    inputs, labels = points(1, 40)
    with pytest.raises(UsageError, match="models are not at hand; got 'not kept'"):
        trees.prediction(inputs)
    asked = trees.influence_scores(inputs, labels, memorization=None)  # evaluated in training
    default = trees.influence_scores(memorization=None)
    np.testing.assert_array_equal(asked.influence, default.influence)
    with pytest.raises(UsageError, match="models are not at hand"):
        trees.influence_scores(inputs, 1 - labels)
    with pytest.raises(UsageError, match="no test rows were evaluated"):
        tree_ensemble(4).influence_scores()
    with pytest.raises(UsageError, match="only the weights of networks are kept"):
        tree_ensemble(4, keep="models")
    with pytest.raises(UsageError, match="keep"):
        tree_ensemble(4, keep="everything")


def test_a_member_that_fails_is_lost_alone_and_tried_again(tmp_path):
    inputs, labels = points()

    def fit(rows, seed):
        if not (tmp_path / "mended").exists() and 0 in rows and 1 not in rows:
            raise ValueError("it cannot bear row 0 without row 1")
        return GaussianNB().fit(inputs[rows], labels[rows]).predict_proba

    first = tree_ensemble(10, model=fit, folder=tmp_path / "e")
    assert 0 < first.n_models < 10
    (finding,) = [f for f in first.findings if "failed" in f]
    assert "it cannot bear row 0" in finding
    (tmp_path / "mended").touch()
    assert tree_ensemble(10, model=fit, folder=tmp_path / "e").n_models == 10


def test_a_network_that_diverges_says_nothing():
    with pytest.raises(DataError, match="no member of the ensemble has ended well"):
        net_ensemble(4, recipe=op.Recipe(epochs=20, learning_rate=1e30))


def test_where_all_fail_the_first_error_is_told():
    def fit(rows, seed):
        raise ValueError("never")

    with pytest.raises(DataError, match=r"no member .* ended well; .*never"):
        tree_ensemble(4, model=fit)


def test_a_folder_without_an_ensemble(tmp_path):
    with pytest.raises(StoreError, match="no study"):
        op.load_ensemble(tmp_path)


def test_scores_of_several_ratios_say_whose_they_are():
    found = tree_ensemble(4, ratio=(0.5, 0.7))
    assert "classes; scores are of the 4 on 70 %" in repr(found).splitlines()[0]
    assert "scores are of" not in repr(tree_ensemble(4)).splitlines()[0]
