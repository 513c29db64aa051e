"""The model in use: asked about rows, held against a fresh fit, refused where it does not fit."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import overparam as op
from overparam.audits.check import ask
from overparam.audits.checks.generalization.error import CHECK
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.fitted_model import fitted_model, is_fitted
from overparam.audits.in_use import ask_in_use, gap_to_fresh
from overparam.audits.one_model import Said, fit_one
from overparam.audits.subject import make_subject
from overparam.data.examples import as_examples
from overparam.errors import UsageError
from tests.audits.worlds import blobs, evidence_of, line_subject, subject_of

RECIPE = op.Recipe(epochs=2, learning_rate=0.1, batch_size=32)


def in_use(fitted, model=None, **options):
    return subject_of(LogisticRegression() if model is None else model, fitted=fitted, **options)


def wrong_of(predict):
    X, y, _ = blobs()
    return float(np.mean(predict(X) != y))


@pytest.mark.parametrize(
    "kind",
    [
        DecisionTreeClassifier(max_depth=1),
        LinearSVC(),
        make_pipeline(StandardScaler(), LinearSVC()),
    ],
)
def test_an_estimator_is_asked(kind):
    X, y, _ = blobs()
    fitted = kind.fit(X[:100], y[:100])
    found = ask_in_use(in_use(fitted))
    assert found.train_loss == wrong_of(fitted.predict)
    assert len(found.test.loss) == 200


def test_a_function_that_predicts_is_asked():
    found = ask_in_use(in_use(lambda X: np.stack([X[:, 0] < 0, X[:, 0] >= 0], 1).astype(float)))
    assert found.train_loss == wrong_of(lambda X: (X[:, 0] >= 0).astype(int))
    labels = ask_in_use(in_use(lambda X: (X[:, 0] >= 0).astype(int)))
    assert labels.train_loss == found.train_loss


def test_a_module_and_what_fit_returned_are_asked():
    X, y, _ = blobs()
    network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    fitted = op.fit(network, (X, y), RECIPE)
    expected = wrong_of(fitted.predict)
    for model in (fitted, fitted.module(), fitted.module().eval()):
        assert ask_in_use(in_use(model, network, recipe=RECIPE)).train_loss == expected


def test_numbers_are_asked():
    subject = line_subject()
    X, y = subject.train.inputs, subject.train.labels[:, 0]
    line = LinearRegression().fit(X, y)
    again = make_subject(subject.model, X, y, fitted=line)
    squared = ((line.predict(X) - y) ** 2).mean() / y.var()
    assert ask_in_use(again).train_loss == pytest.approx(squared)


def test_without_one_nothing_is_said():
    with pytest.raises(Missing, match="no model in use was given"):
        Evidence(subject_of()).require("in_use")


def test_a_fitted_estimator_is_the_model_in_use_and_a_clone_is_audited():
    X, y, _ = blobs()
    tree = DecisionTreeClassifier(max_depth=1).fit(X[:40], y[:40])
    subject = make_subject(tree, X, y)
    assert not is_fitted(subject.model)
    assert subject.model.max_depth == 1
    assert subject.fitted.model is tree
    assert any("was fitted already" in note for note in subject.notes)
    assert not make_subject(DecisionTreeClassifier(), X, y).fitted
    # One that is named besides is the one in use.
    other = DecisionTreeClassifier().fit(X, y)
    assert make_subject(tree, X, y, fitted=other).fitted.model is other


def test_the_error_says_what_the_model_in_use_does():
    X, y, _ = blobs()
    good = LogisticRegression().fit(X, y)
    evidence = evidence_of(in_use(good))
    evidence.put("one", fit_one_of(evidence.subject))
    found = ask(CHECK, evidence)
    assert "The model in use errs" in found.sentence
    assert "(no clear difference)" in found.sentence
    bad = LogisticRegression().fit(X, 1 - y)
    worse = evidence_of(in_use(bad), one=evidence.one)
    found = ask(CHECK, worse)
    gap = found.details["in_use"]["more_than_a_fresh_fit"]
    assert gap["low"] > 50
    assert "(no clear difference)" not in found.sentence


def fit_one_of(subject):
    return fit_one(subject, 0)


def test_the_gap_is_paired_and_copies_count_as_one():
    subject = in_use(LogisticRegression().fit(*blobs()[:2]))
    used, fresh = ask_in_use(subject), fit_one_of(subject)
    apart = used.test.loss - fresh.test.loss
    loss = np.zeros(200)
    loss[:20] = 1.0
    said = Said(used.test.outputs, fresh.test.loss + loss)
    worse = dataclasses.replace(used, test=said)
    gap = gap_to_fresh(worse, fresh, 0.95)
    assert gap.value == pytest.approx(10)
    assert gap.low > 0
    one = np.r_[np.zeros(20, int), np.arange(1, 181)]  # the twenty are one row twenty times
    assert gap_to_fresh(worse, fresh, 0.95, one).low < 0
    assert gap_to_fresh(used, fresh, 0.95).value == pytest.approx(100 * apart.mean())
    assert gap_to_fresh(dataclasses.replace(used, test=None), fresh, 0.95) is None
    silent = dataclasses.replace(used, test=Said(said.outputs, np.full(200, np.nan)))
    assert gap_to_fresh(silent, fresh, 0.95) is None


def refused(model, X, y, match, recipe=None):
    with pytest.raises(UsageError, match=match):
        fitted_model(model, as_examples((X, y)), recipe)


def test_what_does_not_fit_is_refused():
    X, y, _ = blobs()
    fit = DecisionTreeClassifier().fit
    does_not = "the model in use does not fit the data"
    refused(DecisionTreeClassifier(), X, y, "the model in use is not fitted")
    refused(DecisionTreeClassifier().fit(X, y + 1), X, y, f"{does_not}.*classes 0, 1")
    refused(fit(X[:, :1], y), X, y, f"{does_not}.*got '2 columns'; allowed: 1 columns")
    refused(LinearRegression().fit(X, y), X, y, does_not)
    refused(fit(X, y), X, X[:, 0], does_not)
    table = pd.DataFrame(X, columns=["width", "height"])
    other = table.rename(columns={"width": "breadth"})
    refused(fit_of(other, y), table, y, f"{does_not}.*'width' for 'breadth'")
    refused(lambda rows: np.ones((len(rows), 3)), X, y, does_not)
    refused("a path", X, y, "this is no model in use")
    refused(nn.Linear(2, 2), X, y, "goes with a network that is audited")
    refused(nn.Linear(3, 2), X, y, does_not, RECIPE)
    refused(nn.Linear(2, 3), X, y, does_not, RECIPE)
    three = op.fit(nn.Linear(2, 3), (X, np.arange(len(X)) % 3), RECIPE)
    refused(three, X, y, f"{does_not}.*got '2 classes'; allowed: 3 classes")


def fit_of(table, y):
    return DecisionTreeClassifier().fit(table, y)


def test_a_module_that_its_owner_has_is_not_changed():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    ask_in_use(in_use(module, nn.Linear(2, 2), recipe=RECIPE))
    assert not module.training
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
