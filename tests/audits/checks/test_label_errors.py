"""OP202: planted wrong labels are found, clean ones are not, and mending them is measured."""

from dataclasses import replace

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

from overparam.audits.canaries import Canaries, caught, planted_labels
from overparam.audits.check import ask
from overparam.audits.checks.memorization.label_errors import CHECK
from overparam.audits.subject import make_subject
from overparam.audits.subset_models import SubsetModels
from overparam.audits.suspects import suspects_among
from overparam.streams import Streams
from tests.audits.worlds import blobs, evidence_of, models_of, subject_of


def flipped_subject(n=400, wrong=0.08, **options):
    X, y, rows = blobs(n, spread=0.3, wrong=wrong)
    return make_subject(LogisticRegression(), X, y, **options), rows


def mended(subject, evidence, n_models=12):
    labels = subject.train.labels.copy()
    labels[evidence.suspects.rows] = evidence.suspects.suggested
    return models_of(subject, n_models, data=replace(subject.train, labels=labels))


def canaries_of(subject, n_models=12):
    rows, copy = planted_labels(subject.train, Streams(0))
    return Canaries(rows, copy, models_of(subject, n_models, data=copy))


def test_planted_labels_are_found_and_the_right_ones_suggested():
    subject, rows = flipped_subject()
    found = ask(CHECK, evidence_of(subject, models=models_of(subject, 12)))
    assert (found.status, found.severity) == ("found", "low")
    assert len(np.intersect1d(found.rows, rows)) >= 0.9 * len(rows)
    assert np.isin(found.rows, rows).mean() >= 0.9
    assert found.row_columns["suggested"] == [1 - label for label in found.row_columns["label"]]
    assert found.measured.low < 100 * len(rows) / 400 < found.measured.high
    assert found.details["n_likely"] == len(found.rows)
    assert found.details["precision"]["value"] > 0.8
    assert "was not measured" in found.sentence


def test_clean_labels_pass():
    subject, _ = flipped_subject(wrong=0.0)
    found = ask(CHECK, evidence_of(subject, models=models_of(subject, 12)))
    assert found.status == "passed"
    assert not len(found.rows)
    assert found.measured.value == 0 < found.measured.high < 5


def test_models_that_know_nothing_doubt_nothing():
    subject = subject_of(DummyClassifier(strategy="prior"), tested=False)
    found = ask(CHECK, evidence_of(subject, models=models_of(subject)))
    assert found.status == "undecided"
    assert "cannot doubt a label" in found.sentence


def test_mending_labels_that_mislead_is_measured_on_rows_that_were_not_doubted():
    X, y, _ = blobs(400, spread=0.3, wrong=0.2)
    subject = make_subject(
        RandomForestClassifier(1, bootstrap=False), X, y, test=blobs(300, seed=1, spread=0.3)[:2]
    )
    evidence = evidence_of(subject, models=models_of(subject, 12))
    evidence.put("cleaned", mended(subject, evidence))
    found = ask(CHECK, evidence)
    assert found.gain.low > 3
    assert found.severity in ("high", "critical")
    assert f"{found.gain}" in found.sentence


def test_mending_what_needs_none_gains_nothing():
    subject, _ = flipped_subject(wrong=0.05)  # a line through blobs is hardly misled
    evidence = evidence_of(subject, models=models_of(subject, 12))
    evidence.put("cleaned", mended(subject, evidence))
    found = ask(CHECK, evidence)
    assert found.gain.low < 1
    assert found.severity == "low"


def test_canaries_say_how_many_are_caught():
    subject, _ = flipped_subject()
    evidence = evidence_of(subject, models=models_of(subject, 12), canaries=canaries_of(subject))
    found = ask(CHECK, evidence)
    trap = found.details["canaries"]
    assert trap["recall"]["value"] > 80
    assert trap["recall"]["low"] < trap["recall"]["value"] <= trap["recall"]["high"]
    assert trap["precision"]["value"] > 80
    assert set(trap["baselines"]) == {"one run's loss on its own rows", "ten nearest neighbours"}
    assert "on your own data it catches" in found.sentence
    assert found.figures[0].name == "canaries"


def test_rows_that_are_doubted_anyway_count_neither_way():
    subject, _ = flipped_subject()
    canaries = canaries_of(subject)
    known = suspects_among(models_of(subject, 12))
    told = caught(canaries, suspects_among(canaries.models), known, subject, 0.95)
    assert told.n_planted == len(np.setdiff1d(canaries.rows, known.rows))
    assert told.precision.value > 80  # although the flipped ones are doubted there too
    nothing = caught(canaries, known, known, subject, 0.95)
    assert nothing.recall.value == 0
    assert str(nothing.precision) == "unknown"


def test_planted_labels_are_all_wrong():
    subject, _ = flipped_subject(wrong=0.0)
    rows, copy = planted_labels(subject.train, Streams(0))
    assert np.array_equal(np.flatnonzero(copy.labels != subject.train.labels), rows)
    assert len(rows) == 20


def test_a_row_in_an_ambiguous_conflict_is_no_error():
    # Ten inputs of forty rows decide the label; four more have either label, half and half.
    x = np.repeat(np.arange(14.0), 40)
    y = (x >= 5).astype(int)
    y[x >= 10] = np.arange(160) % 3 == 0
    subject = make_subject(RandomForestClassifier(10), x[:, None], y)
    evidence = evidence_of(subject, models=models_of(subject, 12))
    assert evidence.undecided_rows.sum() == 160
    assert not np.isin(evidence.suspects.rows, np.flatnonzero(x >= 10)).any()


def regression(wrong):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (300, 2))
    y = X[:, 0] + 0.1 * rng.normal(size=300)
    rows = rng.permutation(300)[:wrong]
    y[rows] += 3.0
    return make_subject(RandomForestRegressor(10, random_state=0), X, y), rows


class FewTargets:
    """What a `TargetEnsemble` says, by hand."""

    def __init__(self, subject, n_models=10):
        rng = np.random.default_rng(1)
        self.targets = subject.train.labels[:, 0]
        truth = np.asarray(subject.train.inputs)[:, 0]
        self.predictions = truth + 0.05 * rng.normal(size=(n_models, len(truth)))
        self.in_subset = rng.random((n_models, len(truth))) < 0.7
        self.n_models, self.test_targets = n_models, None


def test_targets_far_from_their_prediction_are_found_and_normal_residuals_are_not():
    subject, rows = regression(6)
    models = SubsetModels(subject, FewTargets(subject))
    found = ask(CHECK, evidence_of(subject, models=models))
    assert found.status == "found"
    assert np.isin(rows, found.rows).all()
    assert len(found.rows) <= 7
    subject, _ = regression(0)
    found = ask(CHECK, evidence_of(subject, models=SubsetModels(subject, FewTargets(subject))))
    assert found.status == "passed"
