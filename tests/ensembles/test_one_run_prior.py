"""The run on all rows that gives an ensemble of networks its prior."""

import dataclasses

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import overparam as op
from overparam import measures
from overparam.data.accepted import as_dataset
from overparam.ensembles.member import WHOLE
from overparam.errors import UsageError
from overparam.measures.rows_seen import WatchLosses, watchable
from overparam.training.train import train
from tests.ensembles.made import N_ROWS, net_ensemble, points, tree_ensemble


@pytest.fixture(scope="module")
def nets():
    return net_ensemble(8)


def test_it_is_the_loss_of_one_network_on_all_rows_summed_along_its_training(nets):
    inputs, labels = points()
    data = as_dataset((inputs, labels), 2)
    recipe = op.Recipe(epochs=20, learning_rate=0.1, momentum=0.9, batch_size=20)
    watched = watchable(recipe, N_ROWS)
    streams = op.Streams(0).child("one run")
    run = op.solve(train(op.models.mlp(3, 8, 2), data, watched, streams, watch=WatchLosses(data)))
    along = np.stack(run.trace.watched)
    assert along.shape == (20, N_ROWS)
    np.testing.assert_allclose(nets.members.prior, along.sum(0), rtol=1e-4)


def test_scores_have_it_by_themselves(nets):
    masks, margins = np.array(nets.in_subset), np.array(nets.columns["margin"])
    theirs = measures.memorization_scores(masks, margins=margins, prior=nets.members.prior)
    mine = nets.memorization_scores()
    assert mine.method == "margin tail and prior"
    np.testing.assert_array_equal(mine.estimate, theirs.estimate)
    np.testing.assert_array_equal(nets.row_table["memorization"], theirs.estimate)
    own = np.arange(N_ROWS, dtype=float)
    given = nets.memorization_scores(prior=own)
    assert (given.estimate != mine.estimate).any()
    assert nets.memorization_scores(prior=None).method == "margin tail"
    assert nets.memorization_scores(counted=True).method == "counted"
    with pytest.raises(UsageError, match="prior"):
        nets.memorization_scores(prior="two runs")


def test_it_is_no_member(nets):
    assert nets.n_models == len(nets.records) == 8
    assert nets.ratios == (0.7,)
    assert nets.in_subset.shape == (8, N_ROWS)
    assert nets.members.run.condition.ratio == WHOLE
    assert nets.members.run.outcome.n_train == N_ROWS
    assert nets.findings == ()


def test_it_is_trained_once_and_read_again(tmp_path):
    first = net_ensemble(4, folder=tmp_path / "e")
    told = []
    larger = net_ensemble(6, folder=tmp_path / "e", on_progress=told.append)
    assert larger.n_models == 6
    assert told[0].cells_done >= 5  # four members and the run were there
    assert told[-1].cells == 7
    np.testing.assert_array_equal(larger.members.prior, first.members.prior)
    loaded = op.load_ensemble(tmp_path / "e")
    assert loaded.n_models == 6
    np.testing.assert_array_equal(
        loaded.memorization_scores().estimate, larger.memorization_scores().estimate
    )


def test_several_ratios_share_it():
    found = net_ensemble(4, ratio=(0.5, 0.7))
    assert found.ratios == (0.5, 0.7)
    assert found.memorization_scores(ratio=0.5).method == "margin tail and prior"
    assert len(found.learning_curve().ratios) == 2


def test_estimators_and_few_rows_have_none():
    assert tree_ensemble(6, model=GaussianNB()).members.run is None
    few = points(n=49)
    found = net_ensemble(6, data=few)
    assert found.members.run is None
    assert found.memorization_scores().method == "margin tail"
    assert net_ensemble(4, data=points(n=50)).members.prior.shape == (50,)


def test_a_run_that_is_lost_is_told_and_scores_go_on(nets):
    for status, error in (("failed", "out of memory"), ("diverged", "")):
        run = dataclasses.replace(nets.members.run, outcome=None, status=status, error=error)
        lost = op.ensembles.Ensemble(dataclasses.replace(nets.members, run=run))
        assert lost.memorization_scores().method == "margin tail"
        (finding,) = lost.findings
        assert f"the run on all rows {status}" in finding
        assert error in finding


def test_its_cost_stands_in_the_plan():
    inputs, labels = points()
    recipe = op.Recipe(epochs=20, learning_rate=0.1, batch_size=20)
    net = op.models.mlp(3, 8, 2)
    plan = op.plan_ensemble(net, inputs, labels, 8, recipe=recipe, workers=0)
    assert plan.run_seconds > 0
    assert plan.seconds == pytest.approx(8 * plan.seconds_per_model + plan.run_seconds)
    assert "for one run on all rows" in repr(plan)
    assert plan.at(8, n_done=4).seconds == pytest.approx(4 * plan.seconds_per_model)
    seconds = 6.5 * plan.seconds_per_model + plan.run_seconds
    assert plan.within(seconds).n_models == 6
    none = op.plan_ensemble(GaussianNB(), inputs, labels, 8, workers=0)
    assert none.run_seconds == 0
    assert "one run" not in repr(none)


def test_it_helps_where_models_are_few():
    """Four models of digits, against forty others: the prior agrees better on rows that matter."""
    data, _ = op.load_data("digits")
    inputs, labels = data.inputs.flatten(1).numpy()[:300], data.labels.numpy()[:300].copy()
    labels[:30] = (labels[:30] + 1) % 10
    recipe = op.Recipe(epochs=30, learning_rate=0.1, momentum=0.9, batch_size=30)
    net = op.models.mlp(64, 64, 10)
    given = {"recipe": recipe, "workers": 0}
    reference = op.subset_ensemble(net, inputs, labels, 40, seed=1, **given)
    wanted = reference.memorization_scores(prior=None).estimate
    few = op.subset_ensemble(net, inputs, labels, 6, seed=2, **given)
    with_prior, without = (
        measures.rank_agreement(few.memorization_scores(**how).estimate, wanted).spearman
        for how in ({}, {"prior": None})
    )
    assert with_prior > without + 0.03


def test_it_can_be_left_out_and_made_up_for(tmp_path):
    without = net_ensemble(4, folder=tmp_path / "e", one_run=False)
    assert without.members.run is None
    assert without.memorization_scores().method == "margin tail"
    later = net_ensemble(4, folder=tmp_path / "e")
    assert later.memorization_scores().method == "margin tail and prior"
    np.testing.assert_array_equal(
        later.memorization_scores(prior=None).estimate, without.memorization_scores().estimate
    )
