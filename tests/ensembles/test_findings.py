"""What is amiss with an ensemble is said; of one that is well, nothing is."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from tests.ensembles.made import N_ROWS, net_ensemble, points, tree_ensemble

INPUTS, LABELS = points()


def pure(rows, seed):
    return GaussianNB().fit(INPUTS[rows], LABELS[rows]).predict_proba


def carried():
    """A model that learns on from fit to fit, as a network does that is made outside."""
    model, known = GaussianNB(), []

    def fit(rows, seed):
        model.partial_fit(INPUTS[rows], LABELS[rows], classes=[0, 1])
        known.append(len(rows))
        return model.predict_proba

    return fit


def remembering(size):
    """A table of all rows that any fit has seen."""
    inputs, labels = points(n=size)
    seen = {}

    def fit(rows, seed):
        some = np.random.default_rng(seed).choice(rows, 20)
        seen.update((inputs[i].tobytes(), labels[i]) for i in some)
        nearest = KNeighborsClassifier(1).fit(inputs[rows], 1 - labels[rows])

        def predict(asked):
            guess = nearest.predict(asked)
            return np.array([seen.get(x.tobytes(), g) for x, g in zip(asked, guess, strict=True)])

        return predict

    return fit, (inputs, labels)


def test_of_what_is_well_nothing_is_said():
    assert tree_ensemble(10, model=pure).findings == ()
    assert tree_ensemble(10).findings == ()
    assert net_ensemble(8).findings == ()


def test_a_model_that_is_carried_from_fit_to_fit_is_found_on_the_users_own_fit():
    (finding,) = tree_ensemble(4, model=carried()).findings
    assert "fitted, or made, twice for equal rows with an equal seed" in finding
    assert "make a new model in each fit" in finding


def test_a_fit_that_draws_without_its_seed_is_found():
    rng = np.random.default_rng(0)

    def fit(rows, seed):
        model = DecisionTreeClassifier(random_state=int(rng.integers(2**31)), max_features=1)
        return model.fit(INPUTS[rows], LABELS[rows]).predict_proba

    (finding,) = tree_ensemble(4, model=fit).findings
    assert "fit gave other outputs" in finding


def test_what_makes_networks_from_a_generator_of_its_own_is_found():
    own = torch.Generator().manual_seed(5)

    def make():
        net = torch.nn.Linear(3, 2)
        with torch.no_grad():
            net.weight.copy_(torch.randn(net.weight.shape, generator=own))
        return net

    quick = {"epochs": 2, "one_run": False}
    findings = net_ensemble(4, model=make, **quick).findings
    assert any("make gave other outputs or weights" in finding for finding in findings)
    sound = net_ensemble(4, model=lambda: torch.nn.Linear(3, 2), **quick).findings
    assert not any("gave other" in finding for finding in sound)


def test_what_makes_networks_of_one_size_and_another_is_found():
    sizes = itertools.count(3)

    def make():
        size = next(sizes)
        return torch.nn.Sequential(torch.nn.Linear(3, size), torch.nn.Linear(size, 2))

    found = net_ensemble(4, model=make, epochs=2, one_run=False).findings
    assert any("by up to inf" in finding for finding in found)


def test_what_draws_from_the_global_generators_draws_from_the_seed():
    def fit(rows, seed):
        model = DecisionTreeClassifier(random_state=np.random.randint(2**31), max_features=1)  # noqa: NPY002
        return model.fit(INPUTS[rows], LABELS[rows]).predict_proba

    assert tree_ensemble(4, model=fit).findings == ()


def test_accuracy_out_of_sample_that_rises_with_the_order_of_fits_is_found():
    fit, data = remembering(400)
    findings = tree_ensemble(20, model=fit, data=data).findings
    assert any("rises with the order of the fits, from 0." in f for f in findings)


@pytest.mark.parametrize("groups", [None, "copies"])
def test_copies_on_both_sides_of_a_subset_are_found_and_groups_mend_it(groups):
    inputs, labels = np.concatenate([INPUTS, INPUTS[:7]]), np.concatenate([LABELS, LABELS[:7]])
    of = None if groups is None else np.r_[np.arange(N_ROWS), np.arange(7)]
    found = tree_ensemble(6, data=(inputs, labels), groups=of)
    if groups:
        assert found.findings == ()
        assert (found.in_subset[:, :7] == found.in_subset[:, N_ROWS:]).all()
    else:
        (finding,) = found.findings
        assert finding.startswith("7 rows have the inputs of an earlier row")
        assert "give groups=" in finding
        assert "finding" in repr(found)


def test_copies_in_a_table_are_found():
    import pandas as pd

    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0, 0.0], "b": [1, 2, 3, 4, 1]})
    found = tree_ensemble(
        2, model=KNeighborsClassifier(1), data=(frame, [0, 1, 0, 1, 0]), ratio=0.5
    )
    assert found.findings[0].startswith("1 rows have the inputs of an earlier row")


def test_rows_that_all_saw_or_none_are_counted():
    found = tree_ensemble(3)
    (finding,) = found.findings
    n_in = found.in_subset.sum(0)
    assert finding.startswith(f"{((n_in == 0) | (n_in == 3)).sum()} of {N_ROWS} rows")
    assert np.isnan(found.memorization_scores().estimate).sum() == ((n_in == 0) | (n_in == 3)).sum()


def test_members_that_diverge_are_counted():
    def fit(rows, seed):
        if 3 not in rows:
            raise ValueError("no row 3")
        return pure(rows, seed)

    found = tree_ensemble(8, model=fit)
    assert any(f"{8 - found.n_models} members failed" in f for f in found.findings)
    assert "no row 3" in " ".join(found.findings)


def random_labels(n, n_classes=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)), rng.integers(0, n_classes, n)


def rare_class(n, n_rare, apart):
    rng = np.random.default_rng(0)
    labels = (np.arange(n) < n_rare).astype(int)
    inputs = rng.normal(size=(n, 3))
    inputs[:n_rare, 0] += apart
    return inputs, labels


@pytest.mark.parametrize("model", [DummyClassifier(), LogisticRegression()])
def test_members_that_know_nothing_of_unseen_rows_are_found(model):
    found = tree_ensemble(8, model=model, data=random_labels(4000)).findings
    assert any("they know nothing of rows that they did not see" in text for text in found)


@pytest.mark.parametrize("model", [DummyClassifier(), DecisionTreeClassifier()])
def test_of_few_rows_it_is_only_not_shown_that_members_know_something(model):
    (found,) = tree_ensemble(8, model=model, data=random_labels(150)).findings
    assert "it is not shown that they know more" in found


@pytest.mark.parametrize(("n_rare", "apart"), [(10, 2.5), (4, 9.0), (8, 2.0)])
def test_a_rare_class_that_is_ranked_first_is_known(n_rare, apart):
    """The members name it seldom, and are right as often as who never does."""
    found = tree_ensemble(10, model=LogisticRegression(), data=rare_class(200, n_rare, apart))
    assert found.findings == ()


def test_members_that_only_name_classes_are_judged_by_the_classes():
    inputs, labels = rare_class(200, 10, 9.0)

    def fit(rows, seed):
        middle = (inputs[rows][labels[rows] == 1, 0].mean() + inputs[rows][:, 0].mean()) / 2
        return lambda asked: (asked[:, 0] > middle).astype(int)

    assert tree_ensemble(10, model=fit, data=(inputs, labels)).findings == ()


def test_an_estimators_own_predictions_are_what_is_correct():
    inputs, labels = points()
    cautious = FixedThresholdClassifier(LogisticRegression(), threshold=0.02, pos_label=1)
    made = tree_ensemble(6, model=cautious)
    masks = made.in_subset
    correct = np.array(
        [clone(cautious).fit(inputs[m], labels[m]).predict(inputs) == labels for m in masks]
    )
    assert (made.members.columns["correct"] == correct).all()
    assert "margin" not in made.memorization_scores().method


class Turned(ClassifierMixin, BaseEstimator):
    """Its columns stand in another order than it says."""

    def fit(self, inputs, labels):
        self.inside_ = GaussianNB().fit(inputs, labels)
        self.classes_ = self.inside_.classes_
        return self

    def predict(self, inputs):
        return self.inside_.predict(inputs)

    def predict_proba(self, inputs):
        return self.inside_.predict_proba(inputs)[:, ::-1]


def test_outputs_that_contradict_the_predictions_are_found():
    found = tree_ensemble(6, model=Turned())
    assert found.columns["correct"].mean() > 0.8
    assert [f for f in found.findings if "predicts or the class of its largest output" in f]
    assert [n for n in found.notes if "Turned predicts other classes" in n]
