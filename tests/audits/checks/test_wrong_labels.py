"""OP102: labels that follow nothing, learned by heart or not."""

import numpy as np
import pytest

from overparam.audits.check import ask
from overparam.audits.checks.capacity import wrong_labels
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, evidence_of, said_models, subject_of


def asked(fifth, all_, subject=None):
    subject = subject_of() if subject is None else subject
    parts = ((0.2, said_models(subject, 2, seen=fifth)), (1.0, said_models(subject, 2, seen=all_)))
    return ask(wrong_labels.CHECK, evidence_of(subject, shuffled=parts))


def test_a_model_that_fits_any_labels_is_found_and_harmless():
    found = asked(0.0, 0.0)
    assert (found.status, found.severity) == ("found", "low")
    assert found.measured.value == 1.0
    assert 0.95 < found.measured.low < 1.0
    assert found.measured.baseline == pytest.approx(0.5)
    assert "OP301" in found.action


def test_a_model_that_does_not_is_passed_with_how_far_it_comes():
    found = asked(0.1, 0.4)
    assert found.status == "passed"
    assert found.measured.low < 0.6 < found.measured.high
    assert "though it fits them" not in found.sentence
    assert "though it fits them with 20% of the labels wrong" in asked(0.0, 0.4).sentence


def test_targets_are_told_of_in_shares_of_the_variance():
    X, y, _ = blobs()
    subject = make_subject(None, X, y + 0.5, task="numbers")
    found = asked(0.0, 0.2, subject)
    assert "of the variance" in found.sentence
    assert "targets" in found.sentence
    assert found.measured.baseline == 0.0
    assert found.measured.low < found.measured.value <= found.measured.high <= 1.0
    assert np.isfinite(found.measured.low)
