"""OP604: fits that end badly, and losses that leap."""

import numpy as np
import torch

from overparam.audits.check import ask
from overparam.audits.checks.training import divergence
from overparam.audits.checks.training.divergence import spikes_of
from overparam.audits.evidence import Evidence
from overparam.audits.one_model import fit_one
from overparam.audits.subject import make_subject
from overparam.training.recipe import Recipe
from tests.audits.checks.courses import evidence_of_course
from tests.audits.worlds import blobs, evidence_of, models_of, subject_of


class Ended:
    """A record of a member."""

    def __init__(self, status, error=""):
        self.status, self.error, self.outcome = status, error, None
        self.is_measured = status == "done"


class Members:
    """Models on subsets of which only their records are looked at."""

    def __init__(self, *statuses):
        self.ensemble = type("E", (), {"records": [Ended(*s) for s in statuses]})()


def losses_of(mean, n=160):
    return np.repeat(np.asarray(mean, float)[:, None], n, axis=1)


def test_a_training_that_diverged_is_critical():
    found = ask(divergence.CHECK, evidence_of_course(None, status="diverged"))
    assert (found.status, found.severity) == ("found", "critical")


def test_a_network_that_diverges_is_seen():
    X, y, _ = blobs(60)
    recipe = Recipe(epochs=20, learning_rate=1e12, loss="squared_error")
    model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    subject = make_subject(model, X.astype(np.float32), y, recipe=recipe)
    found = ask(divergence.CHECK, evidence_of(subject, one=fit_one(subject, 0)))
    assert found.severity == "critical"


def test_members_that_diverged_or_failed_are_counted():
    models = Members(*[("done",)] * 6, ("diverged",), ("failed", "out of memory"))
    found = ask(divergence.CHECK, evidence_of_course(None, models=models))
    assert found.status == "found"
    assert found.details["diverged"] == found.details["failed"] == 1
    assert "out of memory" in found.action
    assert found.measured.value == 2 / 9
    assert found.severity == "medium"


def test_fits_that_end_badly_often_are_worse():
    models = Members(*[("done",)] * 20, *[("diverged",)] * 20)
    assert ask(divergence.CHECK, evidence_of_course(None, models=models)).severity == "high"


def test_weights_that_are_not_finite_are_found():
    evidence = evidence_of_course(None)
    evidence.one.fitted.state["weight"] = torch.tensor([1.0, torch.inf])
    found = ask(divergence.CHECK, evidence)
    assert (found.severity, found.details["not_finite"]) == ("high", 1)


def test_a_spike_that_passes_is_low_and_one_that_stays_is_not():
    passing, staying = [4, 2, 1, 3, 0.9, 0.5], [4, 2, 1, 0.5, 3, 3]
    found = [
        ask(divergence.CHECK, evidence_of_course(None, losses=losses_of(mean)))
        for mean in (passing, staying)
    ]
    assert [f.severity for f in found] == ["low", "medium"]
    assert found[0].details["spikes"] == [4]
    assert found[1].details["spikes"] == [5]
    assert len(found[0].figures) == 1


def test_fits_that_end_well_pass():
    subject = subject_of()
    evidence = evidence_of(subject, one=fit_one(subject, 0), models=models_of(subject, 4))
    found = ask(divergence.CHECK, evidence)
    assert found.status == "passed"
    assert "All 5 fits ended well" in found.sentence
    assert found.measured.high > 0


def test_a_loss_that_wavers_has_no_spike():
    rng = np.random.default_rng(0)
    steps = np.arange(50)
    for _ in range(20):
        wavering = np.exp(-steps / 10) * np.exp(0.05 * rng.normal(size=50))
        assert not len(spikes_of(wavering)[0])


def test_a_loss_that_never_falls_has_no_spike():
    assert not len(spikes_of(np.array([1.0, 1.5, 2.0]))[0])


def test_where_nothing_was_trained_nothing_is_said():
    found = ask(divergence.CHECK, Evidence(subject_of()))
    assert found.status == "skipped"
