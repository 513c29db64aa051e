"""Predictions of somebody else's models as what is audited."""

import numpy as np
import pytest

from overparam.audits.run import run_audit
from overparam.audits.subject import make_subject
from overparam.errors import DataError, UsageError

K, N = 30, 120
RNG = np.random.default_rng(0)
MASK = RNG.random((K, N)) < 0.7
LABELS = RNG.integers(0, 3, N)
# Models that answer rightly, but know rows 0 to 9 only where these are in their subset.
HARD = np.arange(N) < 10
VOTES = np.where(HARD & ~MASK, (LABELS + 1) % 3, LABELS)


def audited(predictions, y, **options):
    return run_audit(make_subject(predictions, y, mask=MASK, **options))


def test_rows_that_only_their_own_models_know_are_known_by_heart():
    found = audited(VOTES, LABELS).findings["OP201"]
    assert found.status == "found"
    assert set(found.rows) == set(range(10))


def test_probabilities_and_words_say_the_same_as_votes():
    words = np.array(["a", "b", "c"])
    for said, y in ((np.eye(3)[VOTES], LABELS), (words[VOTES], words[LABELS])):
        assert set(audited(said, y).findings["OP201"].rows) == set(range(10))


def test_what_needs_a_model_or_inputs_does_not_apply():
    findings = audited(VOTES, LABELS).findings.values()
    assert {f.status for f in findings} <= {"found", "passed", "undecided", "not applicable"}
    assert any("there is no model to train" in f.sentence for f in findings)


def test_whole_numbers_are_targets_where_the_task_says_so():
    targets = RNG.integers(0, 50, N)
    result = audited(targets + RNG.normal(size=(K, N)), targets, task="numbers")
    assert result.about["task"] == "numbers"
    assert result.findings["OP301"].status == "passed"


def test_predictions_on_test_rows_are_counted():
    tested = (np.tile(LABELS[:40], (K, 1)), LABELS[:40])
    assert "points on test rows" in audited(VOTES, LABELS, test=tested).findings["OP301"].sentence


def test_what_no_predictions_need_is_refused():
    with pytest.raises(UsageError, match="takes predictions and labels"):
        make_subject(VOTES, np.zeros((N, 2)), LABELS, mask=MASK)
    with pytest.raises(UsageError, match="nothing to train; got 'arguments=, capacity='"):
        make_subject(VOTES, LABELS, mask=MASK, arguments={"a": 1}, capacity={"C": [1]})
    with pytest.raises(DataError, match="come with the labels of their rows"):
        make_subject(VOTES, 5, mask=MASK)
