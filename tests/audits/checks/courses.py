"""Courses of a training, written by hand, for the tests of checks of training."""

import numpy as np

from overparam.audits.course import Course
from overparam.audits.evidence import Evidence
from overparam.audits.one_model import OneModel, Said
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, subject_of


def rows_wrong(shares, n, seed=0, hardest=None):
    """Errors `[T, n]`, of which so many are wrong: of the same hard rows each time."""
    order = np.random.default_rng(seed).permutation(n) if hardest is None else hardest
    error = np.zeros((len(shares), n), np.float32)
    for step, share in enumerate(shares):
        error[step, order[: round(share * n)]] = 1
    return error


def course_of(train, test=None, *, n=160, m=200, probabilities=None):
    """A course with these shares of rows wrong, at each of as many epochs."""
    steps = np.arange(1, len(train) + 1)
    of_train = rows_wrong(train, n, 1)
    if test is None:
        return Course("epoch", steps, np.arange(n), of_train)
    of_test = test if isinstance(test, np.ndarray) else rows_wrong(test, m, 2)
    m = of_test.shape[1]
    told = None if probabilities is None else np.arange(m)
    return Course(
        "epoch", steps, np.arange(n), of_train, np.arange(m), of_test, told, probabilities
    )


def evidence_of_course(course, *, losses=None, status="done", wrong=0.0, subject=None, **parts):
    """Evidence whose one model had this course."""
    if subject is None:
        m = 200 if course is None or course.test_error is None else course.test_error.shape[1]
        X, y, _ = blobs(160, wrong=wrong)
        tested = course is not None and course.test_error is not None
        subject = make_subject(
            subject_of().model, X, y, test=blobs(m, seed=1)[:2] if tested else None
        )
    n = subject.n_rows
    losses = np.empty((0, n)) if losses is None else losses
    evidence = Evidence(subject)
    fitted = type("Ended", (), {"status": status, "state": {}})()
    said = Said(np.zeros((n, 2)), np.zeros(n))
    epochs = np.arange(1, len(losses) + 1)
    evidence.put("one", OneModel(fitted, said, None, 1.0, epochs, losses, course))
    for name, part in parts.items():
        evidence.put(name, part)
    return evidence
