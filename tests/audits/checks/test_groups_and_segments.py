"""OP304 and OP305: classes, named groups and regions where a model is worse, and where none is."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.generalization import groups, segments
from overparam.audits.checks.generalization._elsewhere import better_elsewhere
from overparam.audits.one_model import OneModel, Said
from overparam.audits.subject import make_subject
from overparam.audits.variants import Variant
from tests.audits.worlds import (
    blobs,
    evidence_of,
    line_subject,
    models_of,
    one_of,
    subject_of,
)


def judged(wrong_rate, n=1000, seed=0, columns=None, n_classes=3):
    """A model that is wrong on test rows at a rate `[n]` that their inputs or classes decide."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    for name, values in (columns or {}).items():
        X[name] = values(n, rng)
    rate = wrong_rate(X, labels)
    loss = (rng.random(n) < rate).astype(float)
    subject = make_subject(DecisionTreeClassifier(), X[:300], labels[:300], test=(X, labels))
    one = OneModel(
        None, Said(np.zeros((300, 3)), np.zeros(300)), Said(np.zeros((n, 3)), loss),
        1.0, np.empty(0), np.empty((0, 300)),
    )  # fmt: skip
    return evidence_of(subject, one=one)


def ward(n, rng):
    return np.array(["north", "south", "west"])[np.arange(n) // 3 % 3]


def test_a_class_that_is_worse_is_found():
    found = ask(groups.CHECK, judged(lambda X, y: np.where(y == 2, 0.4, 0.1)))
    assert (found.status, found.severity) == ("found", "low")
    assert found.sentence.startswith("class 2 is worse than the rest")
    assert found.measured.low < 30 < found.measured.high
    assert found.cost.low < 10 < found.cost.high  # a third of the rows
    table = found.figures[0].columns
    assert table["worse than the rest"] == ["", "", "yes"]
    assert "gap to training" in table


def test_a_named_group_that_is_worse_is_found():
    evidence = judged(lambda X, y: np.where(X["ward"] == "west", 0.4, 0.1), columns={"ward": ward})
    found = ask(groups.CHECK, evidence)
    assert found.details["worse"] == [["ward", "west"]]
    assert "by class and by ward" in found.sentence


def test_groups_that_do_not_differ_are_hardly_ever_found():
    n_found = 0
    for seed in range(40):
        evidence = judged(lambda X, y: np.full(len(X), 0.2), 300, seed, {"ward": ward})
        n_found += ask(groups.CHECK, evidence).status == "found"
    assert n_found <= 4  # of at most 5 %: 5 or more of 40 come in 3 of 100


def test_copies_count_once():
    evidence = judged(lambda X, y: np.where(y == 2, 0.4, 0.1))
    test = evidence.test
    ten = np.repeat(np.arange(60), 20)  # 60 different rows, each twenty times
    X = test.inputs.iloc[ten].reset_index(drop=True)
    subject = make_subject(
        DecisionTreeClassifier(), evidence.subject.train.inputs,
        evidence.subject.train.labels, test=(X, test.labels[ten]),
    )  # fmt: skip
    loss = (test.labels[ten] == 2) & (ten % 2 == 0)
    one = OneModel(
        None, evidence.one.train, Said(np.zeros((1200, 3)), loss.astype(float)),
        1.0, np.empty(0), np.empty((0, 300)),
    )  # fmt: skip
    found = ask(groups.CHECK, evidence_of(subject, one=one))
    assert sum(found.figures[0].columns["rows"]) == 60


def test_numbers_have_no_error_rates():
    assert ask(groups.CHECK, evidence_of(line_subject())).status == "not applicable"


def test_a_weak_region_is_found_and_told_as_a_rule():
    evidence = judged(lambda X, y: np.where(X["a"] > 0.8, 0.6, 0.1), 1500)
    found = ask(segments.CHECK, evidence)
    assert (found.status, found.severity) == ("found", "low")
    assert "a >= " in found.sentence
    assert found.measured.low > 20
    assert found.cost.low > 0


def test_regions_that_do_not_differ_are_hardly_ever_found():
    n_found = 0
    for seed in range(40):
        evidence = judged(lambda X, y: np.full(len(X), 0.2), 300, seed)
        n_found += ask(segments.CHECK, evidence).status == "found"
    assert n_found <= 4


def xor_below(n=600, seed=0):
    """A line tells the class where b >= 0; where b < 0 only a tree does."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 3))
    X[:, 2] += np.sign(X[:, 2])  # a gap, so that a tree has no trouble at the border
    straight = X[:, 0] > 0
    return X, np.where(X[:, 2] > 0, straight, straight ^ (np.abs(X[:, 0]) > 0.5)).astype(int)


def with_others(model, other):
    X, y = xor_below()
    subject = make_subject(model, X, y)
    others = ((Variant("trees", "reference", "references-trees", other),
               models_of(subject, 8, model=other)),)  # fmt: skip
    return evidence_of(subject, models=models_of(subject, 8), references=others)


def test_what_another_model_surely_wins_in_a_region_decides_its_severity():
    evidence = with_others(LogisticRegression(), DecisionTreeClassifier(min_samples_leaf=3))
    found = ask(segments.CHECK, evidence)
    assert found.severity in ("high", "critical")
    assert "There trees is better" in found.sentence
    assert found.gain.low > 3
    assert len(found.rows)
    assert found.rows.max() < 600


def test_a_region_that_is_hard_for_all_costs_nothing_that_could_be_won():
    evidence = with_others(LogisticRegression(), LogisticRegression(C=2.0))
    found = ask(segments.CHECK, evidence)
    assert (found.status, found.severity) == ("found", "low")
    assert found.gain is None


def test_a_model_that_is_worse_elsewhere_wins_nothing():
    evidence = with_others(DecisionTreeClassifier(min_samples_leaf=3), LogisticRegression())
    straight = evidence.subject.train.inputs[:, 2] > 0
    assert better_elsewhere(evidence, straight) is None
    assert better_elsewhere(evidence, np.zeros(600, bool)) is None


def test_images_are_searched_by_their_likeness():
    rng = np.random.default_rng(0)
    kind = np.arange(600) % 4 == 0
    images = rng.normal(size=(600, 6, 6)) + 6 * kind[:, None, None]
    labels = np.arange(600) % 2
    loss = (rng.random(600) < np.where(kind, 0.6, 0.1)).astype(float)
    one = OneModel(
        None, Said(np.zeros((600, 2)), np.zeros(600)), Said(np.zeros((600, 2)), loss),
        1.0, np.empty(0), np.empty((0, 600)),
    )  # fmt: skip
    subject = make_subject(lambda rows, seed: None, images, labels, test=(images, labels))
    found = ask(segments.CHECK, evidence_of(subject, one=one))
    assert found.status == "found"
    assert found.figures[1].images.shape[1:] == (8, 6, 6)


def test_few_rows_are_skipped():
    subject = subject_of(n=30, tested=False)
    found = ask(segments.CHECK, evidence_of(subject, models=models_of(subject, 6)))
    assert found.status == "skipped"
    assert "fewer than 40 independent rows" in found.sentence


def test_sparse_rows_have_no_regions():
    subject = make_subject(DecisionTreeClassifier(), csr_matrix(np.eye(40)), np.arange(40) % 2)
    assert ask(segments.CHECK, evidence_of(subject)).status == "not applicable"


def test_test_rows_of_one_class_have_no_groups():
    X, y, _ = blobs()
    subject = make_subject(DecisionTreeClassifier(), X, y, test=(X[y == 1][:30], y[y == 1][:30]))
    found = ask(groups.CHECK, evidence_of(subject, one=one_of(subject)))
    assert found.status == "not applicable"
    assert "are of one class" in found.sentence
