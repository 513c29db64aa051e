"""OP602: overfitting along training, a bump that passes, a loss that rises alone, and neither."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.training import stopping
from overparam.audits.checks.training._along import bump, halves, smoothed
from tests.audits.checks.courses import course_of, evidence_of_course, rows_wrong
from tests.audits.worlds import blobs, models_of

FLAT = [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]


def ask_of(train, test, **options):
    course = course_of(train, test, probabilities=options.pop("probabilities", None))
    return ask(stopping.CHECK, evidence_of_course(course, **options))


def test_an_error_that_rises_and_stays_is_overfitting():
    found = ask_of(FLAT, [0.4, 0.2, 0.1, 0.15, 0.2, 0.25, 0.3, 0.3])
    assert (found.status, found.severity) == ("found", "critical")
    assert found.details["best"] == 3
    assert found.gain.low > 10
    assert found.gain.low < 20 < found.gain.high


def test_an_error_that_rises_and_falls_again_is_a_bump():
    found = ask_of(FLAT, [0.4, 0.2, 0.1, 0.3, 0.4, 0.3, 0.2, 0.08])
    assert (found.status, found.severity) == ("found", "low")
    assert "epoch-wise double descent" in found.sentence
    assert "patience" in found.action


def test_a_course_that_stays_low_is_passed():
    found = ask_of(FLAT, np.array(rows_wrong(FLAT, 2000, 2)))
    assert found.status == "passed"
    assert "would not gain a point" in found.sentence


def test_a_few_rows_that_become_wrong_leave_it_open():
    found = ask_of(FLAT, [0.4, 0.2, 0.1, 0.1, 0.1, 0.1, 0.11, 0.115])
    assert found.status == "undecided"


def test_the_best_of_many_equal_steps_gains_nothing():
    """Steps that differ by chance alone: the lowest looks better, and is not."""
    graves = 0
    for seed in range(40):
        error = (np.random.default_rng(seed).random((30, 300)) < 0.2).astype(np.float32)
        found = ask_of([0.1] * 30, error)
        graves += found.severity not in ("none", "low")
    assert graves <= 2


def sure(at, labels, wrong):
    """Probabilities of labels, of which some are wrong and all are as sure."""
    said = np.where((labels == 1) ^ wrong, at, 1 - at)
    return np.stack([1 - said, said], axis=1)


def test_a_loss_that_rises_alone_is_calibration():
    labels = blobs(400, seed=1)[1]
    wrong = rows_wrong([0.2], 400, 2)[0] > 0
    said = np.stack([sure(at, labels, wrong) for at in (0.6, 0.8, 0.9, 0.99, 0.999)])
    found = ask_of(FLAT[:5], np.repeat(wrong[None], 5, 0).astype(np.float32), probabilities=said)
    assert (found.status, found.severity) == ("found", "low")
    assert "calibration" in found.sentence
    assert "temperature" in found.action
    assert found.details["loss_rise"]["nats"] > 0.5


def test_a_loss_that_falls_to_the_end_is_no_matter():
    labels = blobs(400, seed=1)[1]
    wrong = rows_wrong([0.2], 400, 2)[0] > 0
    said = np.stack([sure(at, labels, wrong) for at in (0.55, 0.6, 0.7, 0.75, 0.8)])
    found = ask_of(FLAT[:5], np.repeat(wrong[None], 5, 0).astype(np.float32), probabilities=said)
    assert found.status == "passed"
    assert "loss_rise" not in found.details


def test_suspect_rows_are_followed_apart():
    _, _, flipped = blobs(160, wrong=0.1)
    hard_last = np.concatenate([flipped, np.setdiff1d(np.arange(160), flipped)])
    course = course_of(FLAT, [0.4, 0.2, 0.1, 0.15, 0.2, 0.25, 0.3, 0.3])
    course.error[:] = rows_wrong([0.5, 0.3, 0.1, 0.08, 0.05, 0.02, 0.0, 0.0], 160, 0, hard_last)
    evidence = evidence_of_course(course, wrong=0.1)
    models = models_of(evidence.subject, 10, model=DecisionTreeClassifier(max_depth=1))
    evidence.put("models", models)
    found = ask(stopping.CHECK, evidence)
    assert "rows with suspect labels are fitted" in found.sentence
    labels = [s.label for s in found.figures[0].panels[0].series]
    assert labels == ["test rows", "training rows, labels not suspect",
                      "training rows, labels suspect"]  # fmt: skip


def test_without_a_test_set_it_is_not_asked():
    found = ask(stopping.CHECK, evidence_of_course(course_of(FLAT)))
    assert found.status == "not applicable"


def test_too_few_test_rows_are_said():
    found = ask_of(FLAT, np.array(rows_wrong(FLAT, 12, 2)))
    assert found.status == "not applicable"
    assert "too few" in found.sentence


def test_what_diverged_is_left_to_another():
    course = course_of(FLAT, FLAT)
    course.test_error[-1] = np.nan
    found = ask(stopping.CHECK, evidence_of_course(course))
    assert "OP604" in found.sentence


def test_a_bump_has_a_start_a_top_and_an_end():
    assert bump(np.array([0.5, 0.3, 0.4, 0.6, 0.5, 0.2])) == (1, 3, 5)
    before, top, after = bump(np.array([0.5, 0.4, 0.3]))
    assert before <= top <= after


def test_copies_choose_and_judge_together():
    groups = np.repeat(np.arange(50), 3)
    first = halves(150, groups, 0)
    assert first.reshape(50, 3).all(1).sum() + (~first).reshape(50, 3).all(1).sum() == 50
    assert first.sum() == 75


def test_smoothing_averages_three_steps():
    error = np.arange(12.0)[:, None]
    assert smoothed(error)[:3, 0].tolist() == [1 / 3, 1.0, 2.0]
    assert smoothed(error[:5]) is not None
    assert np.array_equal(smoothed(error[:5]), error[:5])
