"""OP201 and OP207: rows known by heart, rows that test rows lean on, and rows of use to none."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.memorization import by_heart, leaned_on
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, evidence_of, models_of, subject_of


def lonely_world():
    """Two clear classes; 6 rows alone at places of their own, of which 3 have 20 test rows near."""
    X, y, _ = blobs(120, spread=0.2)
    rng = np.random.default_rng(0)
    alone = np.c_[10.0 + 5 * np.arange(6), np.full(6, 50.0)]
    labels = np.array([0, 1, 0, 1, 0, 1])
    near = np.repeat(np.arange(3), 20)
    clear = blobs(60, seed=1, spread=0.2)
    test = (
        np.r_[alone[near] + 0.01 * rng.normal(size=(60, 2)), clear[0]],
        np.r_[labels[near], clear[1]],
    )
    return make_subject(KNeighborsClassifier(1), np.r_[X, alone], np.r_[y, labels], test=test)


def test_rows_that_test_rows_lean_on_are_told_from_those_that_help_only_themselves():
    subject = lonely_world()
    evidence = evidence_of(subject, models=models_of(subject, 40))
    found = ask(leaned_on.CHECK, evidence)
    assert (found.status, found.severity) == ("found", "low")
    helpful = found.rows[~np.array(found.row_columns["helps only itself"])]
    assert len(helpful)
    assert set(helpful) <= {120, 121, 122}
    assert not set(found.rows[np.array(found.row_columns["helps only itself"])]) & {120, 121, 122}
    assert found.measured.low > 0
    assert found.details["by_chance"] < found.details["weight"]


def test_where_labels_are_random_nothing_is_told():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 2, 200)
    test = rng.normal(size=(200, 4)), rng.integers(0, 2, 200)
    found_of = []
    for seed in range(3):
        subject = make_subject(DecisionTreeClassifier(random_state=seed), X, y, test=test)
        evidence = evidence_of(subject, models=models_of(subject, 4))
        found_of.append(ask(leaned_on.CHECK, evidence).status)
    assert "undecided" in found_of


def test_models_that_memorize_nothing_pass():
    X, y, _ = blobs(160, spread=0.2)
    subject = make_subject(LogisticRegression(), X, y, test=(X[:50] + 0.01, y[:50]))
    evidence = evidence_of(subject, models=models_of(subject, 12))
    assert ask(leaned_on.CHECK, evidence).status == "passed"
    assert ask(by_heart.CHECK, evidence).status == "passed"


def test_wrong_labels_are_known_by_heart():
    X, y, rows = blobs(200, spread=0.2, wrong=0.1)
    subject = make_subject(KNeighborsClassifier(1), X, y)
    found = ask(by_heart.CHECK, evidence_of(subject, models=models_of(subject, 40)))
    assert (found.status, found.severity) == ("found", "low")
    assert len(np.intersect1d(found.rows, rows)) >= 16
    assert found.measured.low < 10 < found.measured.high
    assert found.figures[0].name == "by_heart"


def test_few_models_are_sure_of_no_row():
    subject = subject_of(wrong=0.2, tested=False)
    found = ask(by_heart.CHECK, evidence_of(subject, models=models_of(subject, 4)))
    assert found.status == "undecided"
    assert found.measured.low == 0
