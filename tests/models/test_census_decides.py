"""What decides the answer of an estimator is in its count: each fitted number is moved and seen.

The oracle knows nothing of the definitions: it changes one attribute of a fitted estimator and
looks whether `predict` or the like answers otherwise.
"""

import copy

import numpy as np
import pytest
from sklearn.cluster import BisectingKMeans
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import IsolationForest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.neighbors import LocalOutlierFactor, NearestCentroid

from overparam.models.census import census
from overparam.models.census_definitions import Learned, definition_of, lineage
from overparam.models.estimator_attributes import fitted_attributes
from tests.models.every_estimator import every_estimator, fitted_or_skip

ASKED = ("predict", "predict_proba", "decision_function", "transform")

# Counted by code, or the same numbers in a second form.
BY_CODE = {
    "BaseWeightBoosting": {"estimator_weights_"},
    "BisectingKMeans": {"cluster_centers_"},
    "BaseMultilayerPerceptron": {"coefs_", "intercepts_"},
    "BaseMixture": {"weights_", "means_", "precisions_cholesky_"},
    "QuadraticDiscriminantAnalysis": {"priors_", "means_", "scalings_", "rotations_"},
    "GaussianProcessRegressor": {"X_train_", "alpha_"},
    "BaseLibSVM": {"support_vectors_", "offset_"},
    "LocalOutlierFactor": {"offset_"},
}
SECOND_FORM = {
    "BayesianGaussianMixture": {  # the rows that each component has, as its weight
        "weight_concentration_", "mean_precision_", "degrees_of_freedom_",
    },
    "EllipticEnvelope": {"precision_"},  # the inverse of covariance_
    "Isomap": {"dist_matrix_"},  # of the training rows, which stand in its kernel
    "LatentDirichletAllocation": {"exp_dirichlet_component_"},  # of components_
}  # fmt: skip
CHOSEN = {
    "LatentDirichletAllocation": {"doc_topic_prior_"},  # one over the number of components
    "QuantileTransformer": {"references_"},  # a grid
    "_BaseFilter": {"pvalues_", "scores_"},  # choose among the inputs
    "_BaseEncoder": {"categories_"},  # names
}
NOTED = {  # the count says so
    "_PLS": {"x_rotations_"},
    "LinearDiscriminantAnalysis": {"xbar_", "scalings_"},
}


def moved(value):
    """Return other numbers of the same form, or None of what is no floating numbers."""
    if isinstance(value, float | np.floating):
        return value + 0.37 * (abs(value) + 1)
    if isinstance(value, list) and value:
        made = [moved(v) for v in value]
        return None if any(m is None for m in made) else made
    if isinstance(value, np.ndarray) and value.size and value.dtype.kind == "O":
        made = value.copy()
        for place in np.ndindex(value.shape):
            made[place] = moved(value[place])
        return None if any(m is None for m in made.ravel()) else made
    if isinstance(value, np.ndarray) and value.size and value.dtype.kind == "f":
        draws = np.random.default_rng(1).random(value.shape)
        return value + 0.37 * (abs(value) + 1) * draws
    return None


def answers(estimator, rows):
    found = []
    for method in ASKED:
        for inputs in rows:
            try:
                made = getattr(estimator, method)(inputs)
                made = made.toarray() if hasattr(made, "toarray") else made
                found.append(np.asarray(made, dtype=float))
                break
            except Exception:  # it does not have it, or takes inputs of another form
                continue
    return found


def are_equal(before, after):
    return len(before) == len(after) and all(
        a.shape == b.shape and np.allclose(a, b, equal_nan=True)
        for a, b in zip(before, after, strict=True)
    )


def deciding(estimator):
    """Return the names of the fitted attributes, by scikit-learn's convention, that decide."""
    draws = np.abs(np.random.default_rng(2).standard_normal((24, 4))) + 0.1
    rows = (draws, draws[:, 0], draws @ draws.T, ["a b"])
    before, found = answers(estimator, rows), set()
    if not are_equal(before, answers(estimator, rows)):
        return found  # it answers at random
    for name, value in fitted_attributes(estimator).items():
        if name.endswith("_") and not name.startswith("_") and moved(value) is not None:
            other = copy.deepcopy(estimator)
            try:
                setattr(other, name, moved(value))
            except AttributeError:  # a property
                continue
            if not are_equal(before, answers(other, rows)):
                found.add(name)
    return found


@pytest.mark.filterwarnings("ignore")
@every_estimator
def test_what_decides_is_counted_or_said_to_be_missing(name, kind):
    estimator = fitted_or_skip(kind)
    size, known = census(estimator), definition_of(kind)
    if not size.is_complete or any("counted generically" in note for note in size.notes):
        return
    named = set()
    if isinstance(known, Learned):
        for attributes in (known.weights, known.biases, known.symmetric, known.drawn, known.kept):
            named |= set(attributes)
    for ancestor in lineage(kind):
        for table in (BY_CODE, SECOND_FORM, CHOSEN, NOTED):
            named |= table.get(ancestor, set())
        if ancestor in NOTED:
            assert any("transform has numbers of its own" in note for note in size.notes)
    assert deciding(estimator) <= named


def rows(n=60, d=3):
    return np.random.default_rng(0).standard_normal((n, d))


def test_thresholds_of_outlier_detectors_are_counted():
    x = rows()
    forest = IsolationForest(n_estimators=5, contamination=0.1, random_state=0).fit(x)
    assert census(forest).n_biases == 1
    neighbours = LocalOutlierFactor(novelty=True).fit(x)
    size = census(neighbours)
    assert (size.n_params, size.n_biases, size.n_buffers) == (1, 1, 180)
    assert census(LocalOutlierFactor().fit(x)).n_params == 0  # which predicts nothing


def test_what_more_decides_than_the_obvious():
    x, y = rows(), np.arange(60) % 3
    assert census(NearestCentroid().fit(x, y)).n_params == 3 * 3 + 3 + 3
    # Each of three cuts has two centres; those of the first are no groups in the end.
    assert census(BisectingKMeans(4, random_state=0).fit(x)).n_params == 6 * 3
    scaled = GaussianProcessRegressor(normalize_y=True).fit(x, y)
    assert (census(scaled).n_weights, census(scaled).n_biases) == (60 + 1, 1)


@pytest.mark.parametrize("model", [LinearDiscriminantAnalysis(), PLSRegression()])
def test_linear_models_that_also_transform_are_counted_as_linear(model):
    x, y = rows(), np.arange(60) % 2
    before = census(model, input_shape=(3,), n_outputs=1)
    after = census(model.fit(x, y))
    assert before.n_params == after.n_params == 4
    assert any("transform has numbers of its own" in note for note in after.notes)
