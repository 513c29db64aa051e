"""A whole audit of small subjects: what is measured, what is kept, what is said of the rest."""

import numpy as np
import pytest
from torch import nn

from overparam.audits.check import Check
from overparam.audits.finding import Finding
from overparam.audits.run import run_audit
from overparam.audits.subject import make_subject
from overparam.errors import UsageError
from tests.audits.worlds import blobs, line_subject, subject_of


def audited(subject, budget=60, **options):
    return run_audit(subject, budget=budget, workers=0, **options)


@pytest.fixture(scope="module")
def of_a_tree():
    return audited(subject_of(wrong=0.1))


def test_every_check_has_a_row_and_none_fails(of_a_tree):
    failed = [f for f in of_a_tree.findings.values() if f.status == "failed"]
    assert not failed, failed
    assert len(of_a_tree.findings) >= 10


def test_the_verdict_says_what_is_fitted(of_a_tree):
    assert of_a_tree.verdict.startswith("It fits all 160 rows")
    assert of_a_tree.numbers["Error and gap"] != "not measured"


def test_every_row_is_told_of(of_a_tree):
    assert {len(column) for column in of_a_tree.row_table.values()} == {160}
    assert of_a_tree.row_table["OP201"].any()


def test_wrong_labels_are_known_by_heart(of_a_tree):
    flipped = blobs(160, wrong=0.1)[2]
    flagged = np.flatnonzero(of_a_tree.row_table["OP201"])
    assert len(set(flipped) & set(flagged)) >= 0.7 * len(flipped)


def test_the_same_audit_says_the_same(of_a_tree):
    again = audited(subject_of(wrong=0.1))
    assert again.verdict == of_a_tree.verdict
    for code, finding in again.findings.items():
        assert finding.sentence == of_a_tree.findings[code].sentence


def test_a_budget_too_small_for_anything_is_no_error():
    found = audited(subject_of(), budget=1e-6)
    skipped = [f.code for f in found.findings.values() if f.status == "skipped"]
    assert "OP201" in skipped
    assert "does not pay for it" in found.findings["OP201"].sentence
    assert found.findings["OP505"].status == "passed"


def test_a_model_that_cannot_be_trained_leaves_the_data():
    def fit(rows, seed):
        raise ValueError("no such luck")

    X, y, _ = blobs()
    found = audited(make_subject(fit, X, y))
    assert found.findings["OP201"].status == "failed"
    assert "no such luck" in found.findings["OP201"].sentence
    assert found.verdict.startswith("No model could be trained: fit failed to be fitted")
    assert found.findings["OP505"].status == "passed"


def test_a_network_without_a_recipe_is_refused():
    X, y, _ = blobs()
    with pytest.raises(UsageError, match="a network is trained by a recipe"):
        audited(make_subject(nn.Linear(2, 2), X, y))


def test_data_alone_are_audited_by_reference_models():
    X, y, _ = blobs()
    found = audited(make_subject(None, X, y), budget=20)
    assert found.about["name"] == "a random forest"
    assert found.findings["OP505"].status == "passed"


def test_checks_of_ones_own_are_asked():
    check = Check("MY101", "Mine", lambda evidence: Finding("found", "it is so", "medium"))
    found = audited(subject_of(), budget=1e-6, checks=[check])
    assert found.at_least("medium")[0].code == "MY101"
    muted = audited(subject_of(), budget=1e-6, checks=[check], mute=["MY101"])
    assert not muted.at_least("medium")
    with pytest.raises(UsageError, match="no check has such a code"):
        audited(subject_of(), mute=["OP999"])


def test_numbers_are_audited():
    found = audited(line_subject())
    assert found.findings["OP301"].status == "passed"
