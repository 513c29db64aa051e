"""OP308: simple models of other kinds: better, as good, worse."""

import pytest

from overparam.audits.check import ask
from overparam.audits.checks.generalization import baseline
from tests.audits.worlds import evidence_of, said_models, subject_of, variant


def asked(*unseen, n=600, n_models=10):
    subject = subject_of(n=n)
    others = [
        (variant(f"model {i}", "reference"), said_models(subject, n_models, unseen=u, seed=i + 1))
        for i, u in enumerate(unseen)
    ]
    models = said_models(subject, n_models)
    return ask(baseline.CHECK, evidence_of(subject, models=models, references=others))


def test_a_simple_model_that_is_better_is_found_with_its_gain():
    found = asked(0.3, 0.05)
    assert (found.status, found.severity) == ("found", "critical")
    assert found.gain.low > 10
    assert "model 1" in found.sentence
    assert found.figures[0].columns["model"] == ["DecisionTreeClassifier", "model 0", "model 1"]


def test_one_that_is_as_good_is_low():
    found = asked(0.2, n=3000, n_models=20)
    assert (found.status, found.severity) == ("found", "low")
    assert "does as well" in found.sentence
    assert found.gain is None


def test_worse_ones_pass():
    found = asked(0.3, 0.4)
    assert found.status == "passed"
    assert found.measured.high < 0


@pytest.mark.parametrize("n", [60])
def test_few_rows_leave_it_undecided(n):
    assert asked(0.21, n=n, n_models=2).status == "undecided"
