"""OP101: the regime, by what was measured; at the threshold only what is shown to cost counts."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from overparam.audits.check import ask
from overparam.audits.checks.capacity import regime
from overparam.audits.one_model import OneModel, Said
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, evidence_of, said_models, subject_of, variant

LOST = 0.1  # of the rows that models see, where they do not fit


def one_that(subject, train_loss=0.0, fitted=None):
    n = subject.n_rows
    said = Said(np.zeros((n, 2)), np.full(n, train_loss))
    return OneModel(fitted, said, None, 1.0, np.empty(0), np.empty((0, n)))


def asked(seen=0.0, wrong=None, n_models=10, subject=None, **parts):
    subject = subject_of() if subject is None else subject
    parts["models"] = said_models(subject, n_models, seen=seen)
    if wrong is not None:
        parts["shuffled"] = ((0.2, said_models(subject, 2, seen=wrong, seed=1)),
                             (1.0, said_models(subject, 2, seen=LOST, seed=2)))  # fmt: skip
    return ask(regime.CHECK, evidence_of(subject, **parts))


def test_what_fits_wrong_labels_too_is_past_its_threshold():
    found = asked(wrong=0.0)
    assert found.status == "passed"
    assert found.sentence.startswith("Past its interpolation threshold")
    assert found.details["chances"]["past"] > 0.9
    assert found.measured.low > 0.7


def test_what_does_not_fit_its_rows_is_under_it():
    found = asked(seen=LOST, wrong=0.3)
    assert found.status == "passed"
    assert found.sentence.startswith("Under its interpolation threshold: it does not fit 112 of")
    assert "% wrong among rows that it saw" in found.sentence


def test_at_the_threshold_nothing_is_grave_unless_it_costs():
    found = asked(wrong=LOST)
    assert (found.status, found.severity) == ("found", "low")
    assert found.details["chances"]["at"] > 0.8
    assert found.cost is None
    assert "that it costs anything is not shown" in found.sentence


@pytest.mark.parametrize(("unseen", "severity"), [(0.05, "critical"), (0.2, "low")])
def test_what_another_recipe_gains_is_what_the_threshold_costs(unseen, severity):
    subject = subject_of(n=400)
    others = [(variant("C=1"), said_models(subject, 10, seen=LOST, unseen=unseen, seed=5))]
    found = asked(wrong=LOST, subject=subject, variants=others)
    assert found.severity == severity
    assert ("with C=1 the error is" in found.sentence) == (severity == "critical")
    assert (found.cost is not None) == (severity == "critical")
    assert "C=1" in found.sentence  # with its interval, also where it gains nothing


def test_one_model_that_does_not_fit_all_rows_is_not_past():
    subject = subject_of()
    found = asked(wrong=0.0, subject=subject, one=one_that(subject, LOST))
    assert found.details["chances"]["past"] == 0
    assert found.details["chances"]["at"] > 0.9


def test_what_was_not_measured_is_not_claimed():
    found = asked()
    assert found.status == "undecided"
    assert set(found.details["chances"]) == {"under", "at or past"}
    assert found.details["chances"]["at or past"] > 0.9


def test_models_that_fit_at_times_are_undecided():
    subject = subject_of()
    models = said_models(subject, 10)
    models.loss[:5][models.in_subset[:5]] = 1.0
    shuffled = ((0.2, said_models(subject, 2, seen=LOST)),)
    found = ask(regime.CHECK, evidence_of(subject, models=models, shuffled=shuffled))
    assert found.status == "undecided"
    assert found.details["chances"]["under"] == pytest.approx(0.5)


@pytest.mark.parametrize(("n_columns", "regime_"), [(90, "at"), (140, "past")])
def test_a_linear_regression_has_room_for_as_many_rows_as_it_has_coefficients(n_columns, regime_):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, n_columns)), rng.normal(size=100)
    subject = make_subject(LinearRegression(), X, y, task="numbers")
    fitted = type("Fitted", (), {"model": LinearRegression().fit(X, y)})()
    found = asked(wrong=0.0, subject=subject, one=one_that(subject, 0.0, fitted))
    chances = found.details["chances"]
    assert max(chances, key=chances.get) == regime_


def test_numbers_are_told_of_in_shares_of_the_variance():
    X, y, _ = blobs()
    subject = make_subject(LinearRegression(), X, y + 0.5, task="numbers")
    found = asked(seen=LOST, subject=subject)
    assert "% of the variance left among rows that it saw" in found.sentence


def test_the_figure_shows_training_error_against_rows():
    subject = subject_of()
    curve = said_models(subject, 4, trained=0.3)
    found = asked(wrong=0.0, subject=subject, curve=curve)
    (chart,) = found.figures
    assert chart.panels[0].series[0].x.tolist() == [48, 112]


def test_probabilities_add_up():
    for seen in (0.0, LOST):
        for wrong in (None, 0.0, LOST):
            chances = asked(seen=seen, wrong=wrong).details["chances"]
            assert sum(chances.values()) == pytest.approx(1.0)
            assert min(chances.values()) >= 0
