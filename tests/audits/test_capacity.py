"""Knobs of capacity: which are known, what turning them makes, and what is refused."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators
from torch import nn

import overparam as op
from overparam.audits.capacity import variants_of
from overparam.audits.knobs import KNOBS, SWAPS
from overparam.audits.subject import make_subject
from overparam.errors import UsageError
from tests.audits.worlds import blobs, subject_of

OURS = {name: kind for name, kind in all_estimators() if name in {*KNOBS, *SWAPS}}


def names(model, **options):
    return [v.name for v in variants_of(subject_of(model, **options))]


def network(**options):
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    X, y, _ = blobs()
    recipe = op.Recipe(**{"epochs": 8, **options.pop("recipe", {})})
    return make_subject(
        options.pop("model", net), X.astype(np.float32), y, recipe=recipe, **options
    )


def test_the_known_are_scikit_learns_but_for_a_few():
    assert set(KNOBS) - set(OURS) == {
        f"{family}{task}" for family in ("XGB", "LGBM") for task in ("Classifier", "Regressor")
    }


@pytest.mark.parametrize("kind", OURS.values(), ids=OURS)
def test_every_known_knob_can_be_turned(kind):
    X, y, _ = blobs()
    subject = make_subject(kind(), X, y.astype(float) if hasattr(kind(), "r2") else y)
    found = variants_of(subject)
    assert len({v.folder for v in found}) == len(found) >= 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for variant in found:
            clone(variant.model).fit(X, y)
            assert variant.cost > 0


def test_pipelines_and_wrappers_are_opened():
    assert names(make_pipeline(StandardScaler(), SVC())) == ["C=0.1", "C=10"]
    inner = Pipeline([("a", StandardScaler()), ("b", make_pipeline(SVC(C=2.0)))])
    (first, _) = variants_of(subject_of(inner))
    assert first.knob == "b__svc__C"
    assert first.model.get_params()["b__svc__C"] == 0.2
    assert inner.get_params()["b__svc__C"] == 2.0  # the user's own stays as it is
    assert names(BaggingClassifier(DecisionTreeClassifier()))[0] == "min_samples_leaf=5"
    assert names(make_pipeline(StandardScaler(), "passthrough")) == []


def test_what_has_no_known_knob_has_no_variants():
    assert names(GaussianNB()) == []
    assert variants_of(subject_of(lambda rows, seed: None)) == ()


def test_a_parameter_at_its_new_value_already_makes_no_variant():
    assert names(DecisionTreeClassifier(min_samples_leaf=5)) == ["min_samples_leaf=20"]
    assert names(KNeighborsClassifier(1)) == ["n_neighbors=5"]


def test_least_squares_are_held_against_a_ridge():
    X, y, _ = blobs()
    y = y + 0.5
    (alone,) = variants_of(make_subject(LinearRegression(), X, y))
    (piped,) = variants_of(make_subject(make_pipeline(StandardScaler(), LinearRegression()), X, y))
    assert isinstance(alone.model, RidgeCV)
    assert isinstance(piped.model.steps[-1][1], RidgeCV)
    assert alone.direction == "regularized"


def test_a_network_is_trained_longer_shorter_and_with_decay_and_made_wider():
    found = variants_of(network())
    assert [v.name for v in found] == [
        "epochs=2", "epochs=16", "weight_decay=0.001", "0.25 x the width", "2 x the width"
    ]  # fmt: skip
    assert [v.direction for v in found] == ["shorter", "longer", "regularized", "smaller", "bigger"]
    assert [v.cost for v in found] == [0.25, 2.0, 1.0, 0.25, 2.0]
    assert found[4].model[0].out_features == 16


def test_a_network_of_ones_own_code_keeps_its_width():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return self.layer(x)

    found = variants_of(network(model=Own(), recipe={"weight_decay": 0.01}))
    assert [v.name for v in found] == ["epochs=2", "epochs=16", "weight_decay=0.1"]


def test_named_knobs_stand_in_for_the_known_ones():
    found = variants_of(subject_of(capacity={"max_depth": [2, None], "min_samples_leaf": (1, 9)}))
    assert [v.name for v in found] == ["max_depth=2", "min_samples_leaf=9"]  # others are in use
    assert [v.direction for v in found] == ["another setting", "regularized"]
    piped = subject_of(make_pipeline(LogisticRegression()), capacity={"logisticregression__C": [3]})
    assert variants_of(piped)[0].direction == "bigger"
    boosted = HistGradientBoostingClassifier()
    found = variants_of(subject_of(boosted, capacity={"max_iter": [50, 200]}))
    assert [v.direction for v in found] == ["shorter", "longer"]


def test_named_knobs_of_recipes_and_of_what_makes_a_network():
    found = variants_of(network(capacity={"optimizer": ["adam"], "epochs": [4, 8]}))
    assert [v.name for v in found] == ["optimizer=adam", "epochs=4"]

    def make(width=8):
        return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))

    found = variants_of(network(model=make, capacity={"width": range(4, 13, 8)}))
    assert [(v.name, v.direction) for v in found] == [
        ("width=4", "smaller"),
        ("width=12", "bigger"),
    ]
    assert found[1].model()[0].out_features == 12


def test_a_function_is_given_its_knob():
    def fit(rows, seed, depth=3):
        return depth

    (found,) = variants_of(subject_of(fit, capacity={"depth": [9]}))
    assert found.model(None, 0) == 9


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: subject_of(capacity={"max_dept": [3]}), "no such parameter.*max_depth"),
        (lambda: subject_of(capacity={"max_depth": "23"}), "values of 'max_depth' are no list"),
        (lambda: subject_of(capacity={"max_depth": 3}), "values of 'max_depth' are no list"),
        (lambda: subject_of(capacity={"max_depth": []}), "values of 'max_depth' are no list"),
        (lambda: network(capacity={"width": [3]}), "a module that is made has no knob"),
        (lambda: subject_of(lambda rows, seed: 0, capacity={"k": [1]}), "has no such argument"),
        (lambda: network(capacity={"epochs": [-1]}), "epochs"),
    ],
)
def test_what_cannot_be_turned_is_refused(make, said):
    with pytest.raises(UsageError, match=said):
        variants_of(make())


def test_parameters_that_hold_no_number_are_left_alone():
    assert names(MLPClassifier((64, 8))) == [
        "hidden_layer_sizes=(16, 2)", "hidden_layer_sizes=(128, 16)"
    ]  # fmt: skip
    X, y, _ = blobs()
    subject = make_subject(Ridge(np.ones(1)), X, y + 0.5)
    assert variants_of(subject) == ()
