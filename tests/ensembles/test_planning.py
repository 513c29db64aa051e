"""K, precision and time: one follows from the other, and the first fits correct it."""

import numpy as np
import pytest
from scipy.special import ndtr
from sklearn.tree import DecisionTreeClassifier

import overparam as op
from overparam.ensembles import create
from overparam.ensembles.planning import (
    EnsemblePlan,
    expected_standard_error,
    in_words,
    read_seconds,
    share_on_both_sides,
)
from overparam.errors import UsageError
from tests.ensembles.made import points, tree_ensemble

PLAN = EnsemblePlan(40, (0.7,), 0.12, 1.0, 40.0, 2.0, 2**30, 40_000, 2)


def test_more_models_are_surer_slower_and_larger():
    larger = PLAN.at(160)
    assert larger.standard_error == pytest.approx(0.06)
    assert larger.seconds == 160.0
    assert larger.disk_bytes == 160_000
    assert PLAN.at(2).share_on_both_sides < 1


def test_what_a_time_buys():
    assert PLAN.within(60.0).n_models == 60
    assert PLAN.within(1.0).n_models == 4  # until every row is in and out of some
    assert PLAN.corrected(4.0, 10).seconds == 60.0  # of 40 there are ten
    assert PLAN.corrected(4.0, 10).within(60.0).n_models == 40
    assert PLAN.corrected(4.0, 10).measured


def test_what_a_precision_takes():
    found = PLAN.as_sure_as(0.06)
    assert found.n_models == 160
    assert PLAN.as_sure_as(0.5).n_models == 4
    with pytest.raises(UsageError, match="more models than anybody trains"):
        PLAN.as_sure_as(1e-4)


def test_the_expected_error_is_that_of_rows_in_doubt():
    rng = np.random.default_rng(0)
    masks = op.data.draw_subsets(40, 4000, 0.7, op.Streams(0))
    mean = rng.normal(scale=3, size=4000)
    margins = rng.normal(size=(40, 4000)) + np.where(masks, 6.0, mean)
    doubtful = np.abs(mean) < 0.3  # about half of the models are right when the row is out
    truth = 1 - ndtr(mean)
    for counted, given in ((False, {"margins": margins}), (True, {"correct": margins > 0})):
        scores = op.measures.memorization_scores(masks, **given)
        error = np.sqrt(np.mean((scores.estimate - truth)[doubtful] ** 2))
        assert error == pytest.approx(expected_standard_error(40, 0.7, counted=counted), rel=0.2)


def test_rows_on_both_sides():
    assert share_on_both_sides(2, 0.7) == pytest.approx(0.6)
    assert share_on_both_sides(10, 0.9) == 1.0


@pytest.mark.parametrize("text", ["", "ten minutes", "10", "0 s", "-1 s", "1 d", None, True])
def test_what_is_no_budget(text):
    with pytest.raises(UsageError, match="no budget of time"):
        read_seconds(text)


@pytest.mark.parametrize("number", [0, -1.0, float("nan")])
def test_a_budget_out_of_range(number):
    with pytest.raises(UsageError, match="budget"):
        read_seconds(number)


def test_times_in_words():
    assert in_words(0.5) == "0.5 s"
    assert in_words(600) == "10 min"
    assert in_words(36000) == "10 h"


def test_a_plan_of_networks_and_of_an_estimator():
    inputs, labels = points()
    net, recipe = op.models.mlp(3, 8, 2), op.Recipe(epochs=20)
    for model, more in ((net, {"recipe": recipe}), (DecisionTreeClassifier(), {})):
        found = op.plan_ensemble(model, inputs, labels, 20, workers=0, **more)
        assert not found.measured
        assert found.n_models == 20
        assert found.seconds_per_model > 0
        assert found.standard_error == pytest.approx(expected_standard_error(20, 0.7, counted=True))
        assert len(repr(found).splitlines()) <= 10
        assert [row[0] for row in found.table()][:3] == [10, 20, 40]
    surer = op.plan_ensemble(net, inputs, labels, standard_error=0.05, workers=0, recipe=recipe)
    assert surer.standard_error <= 0.05
    with pytest.raises(UsageError, match="a plan follows from one number"):
        op.plan_ensemble(net, inputs, labels, 20, budget="1 min", recipe=recipe)
    with pytest.raises(UsageError, match="standard_error"):
        op.plan_ensemble(net, inputs, labels, standard_error=0.0, recipe=recipe)


def test_the_bytes_of_a_plan_are_those_of_the_study():
    inputs, labels = points(n=2000)
    found = tree_ensemble(4, data=(inputs, labels), evaluate=points(1, 100))
    planned = op.plan_ensemble(
        DecisionTreeClassifier(), inputs, labels, 4, workers=0, evaluate=points(1, 100)
    ).disk_bytes
    kept = sum(f.stat().st_size for f in found.folder.rglob("*") if f.is_file())
    assert 0.5 * kept < planned < 1.5 * kept


def test_a_budget_is_spent_as_the_first_fits_say(monkeypatch):
    now, ran = [0.0], [0]

    def trial(setup, n_models, **_):
        return EnsemblePlan(n_models, setup.ratios, 0.1, 1.0, 0.0, 1.0, 0, 0, 1)

    def run_in_a_tenth(setup, n_models, *given, **options):
        now[0] += 0.1 * (n_models - ran[-1])  # of a second each, and not a second
        ran.append(n_models)
        return run(setup, n_models, *given, **options)

    run = create._run
    monkeypatch.setattr(create, "_run", run_in_a_tenth)
    monkeypatch.setattr(create, "plan_setup", trial)
    monkeypatch.setattr(create.time, "monotonic", lambda: now[0])
    found = tree_ensemble(None, budget=1.95)
    assert ran == [0, 1, 4, 16, 19]  # a unit first, then at most four times as many
    assert found.n_models == 19
    now[0], ran[:] = 0.0, [0]
    assert tree_ensemble(6, budget=1.95).n_models == 6


def test_a_budget_that_buys_next_to_nothing_still_gives_every_row_both_sides():
    assert tree_ensemble(None, budget="0.000001 s").n_models == 4
