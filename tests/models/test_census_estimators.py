"""Every estimator of scikit-learn is counted by definition, or told unknown: never 0 by accident.

And estimators that hold others, networks, or what cannot be looked into.
"""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from overparam.data.dataset import make_dataset
from overparam.models.census import census
from tests.models.every_estimator import every_estimator, fitted_or_skip

N, D, K = 60, 4, 3
LINEAR = (D + 1) * K  # parameters of a linear classifier

# Those that learn names, choices, labels or nothing at all: 0 is right, and said to be.
WITHOUT_PARAMETERS = {
    *("AdditiveChi2Sampler", "AgglomerativeClustering", "Binarizer", "ClassicalMDS", "DBSCAN"),
    *("CountVectorizer", "DictVectorizer", "FeatureAgglomeration", "FeatureHasher", "HDBSCAN"),
    *("FunctionTransformer", "GenericUnivariateSelect", "HashingVectorizer", "KNNImputer"),
    *("KNeighborsClassifier", "KNeighborsRegressor", "KNeighborsTransformer", "KernelDensity"),
    *("LabelBinarizer", "LabelEncoder", "LocalOutlierFactor", "LocallyLinearEmbedding", "MDS"),
    *("MissingIndicator", "MultiLabelBinarizer", "NearestNeighbors", "Normalizer", "OPTICS"),
    *("OneHotEncoder", "OrdinalEncoder", "PatchExtractor", "PolynomialFeatures", "TSNE"),
    *("RadiusNeighborsClassifier", "RadiusNeighborsRegressor", "RadiusNeighborsTransformer"),
    *("SelectFdr", "SelectFpr", "SelectFwe", "SelectKBest", "SelectPercentile", "SparseCoder"),
    *("SequentialFeatureSelector", "SpectralBiclustering", "SpectralClustering"),
    *("SpectralCoclustering", "SpectralEmbedding", "VarianceThreshold"),
}


SEARCH = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, refit=False)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, D))
    return x, np.digitize(x[:, 0] + 0.3 * rng.standard_normal(N), [-0.5, 0.5])


@pytest.mark.filterwarnings("ignore")
@every_estimator
def test_every_estimator_is_counted_or_unknown(name, kind):
    estimator = fitted_or_skip(kind)
    size = census(estimator, n_train=24)
    if name in WITHOUT_PARAMETERS:
        assert (size.n_params, size.is_complete) == (0, True)
    else:
        assert size.n_params != 0
        assert size.is_complete, size.notes
    if not size.is_complete:
        assert size.n_params is None
        assert size.regime is None


MIXTURE_COUNTS = {"full": 9, "tied": 3, "diag": 6, "spherical": 3}


@pytest.mark.parametrize(
    ("model", "n_params", "n_kept"),
    [
        *((GaussianMixture(3, covariance_type=c), 2 + 6 + n, 0) for c, n in MIXTURE_COUNTS.items()),
        (MultinomialNB(), 3 * 2 + 3, 0),
        (QuadraticDiscriminantAnalysis(), 3 * (2 + 3 + 1), 0),
        (StandardScaler(), 2 * 2, 0),
        (StandardScaler(with_mean=False), 2, 0),
        (PowerTransformer(), 2 + 4, 0),
        (GaussianProcessRegressor(), N, 2 * N),
        (GaussianProcessClassifier(), 3 * N, 3 * 2 * N),
        (MinMaxScaler(), 4, 0),
    ],
)  # fmt: skip
def test_counts_by_definition(model, n_params, n_kept):
    x = np.abs(np.random.default_rng(0).standard_normal((N, 2)))
    size = census(model.fit(x, np.arange(N) % 3), n_train=N)
    assert (size.n_params, size.n_buffers, size.is_complete) == (n_params, n_kept, True)


def test_mixtures_agree_with_scikit_learn_itself(data):
    for kind in MIXTURE_COUNTS:
        model = GaussianMixture(2, covariance_type=kind).fit(data[0])
        assert census(model).n_params == model._n_parameters()


def test_isotonic_regression_is_its_thresholds_and_values(data):
    model = IsotonicRegression().fit(data[0][:, 0], data[0][:, 1])
    assert census(model).n_params == len(model.X_thresholds_) + len(model.y_thresholds_)


def test_what_wraps_others_is_as_large_as_they_are(data):
    x, y = data
    linear = LogisticRegression().fit(x, y)
    tree = census(DecisionTreeClassifier(max_depth=2, random_state=0).fit(x, y)).n_params
    stump = DecisionTreeClassifier(max_depth=2, random_state=0)
    pairs = OneVsOneClassifier(LogisticRegression())
    cases = {
        3 * (LINEAR + 2 * K): CalibratedClassifierCV(LogisticRegression(), cv=3),
        LINEAR + 2 * K: CalibratedClassifierCV(FrozenEstimator(linear)),
        5 * LINEAR: BaggingClassifier(LogisticRegression(), n_estimators=5),
        LINEAR + tree: VotingClassifier(
            [("a", LogisticRegression()), ("b", stump), ("c", "drop")]
        ),
        LINEAR + (K + 1) * K: StackingClassifier([("a", LogisticRegression())]),
        K * (D + 1): OneVsRestClassifier(LogisticRegression()),
        3 * (D + 1) + 2 * D: make_pipeline(StandardScaler(), pairs),
    }  # fmt: skip
    for n_params, model in cases.items():
        assert census(model.fit(x, y)).n_params == n_params, model
    codes = OutputCodeClassifier(GaussianNB(), random_state=0).fit(x, y)
    learned = sum(census(member).n_params for member in codes.estimators_)
    n_codes = int(1.5 * K)  # drawn, for each class
    assert (census(codes).n_trainable, census(codes).n_frozen) == (learned, K * n_codes)
    nested = GridSearchCV(
        make_pipeline(StandardScaler(), BaggingClassifier(LinearSVC(), 2)),
        {"baggingclassifier__n_estimators": [2]},
    )
    assert census(nested.fit(x, y)).n_params == 2 * D + 2 * LINEAR
    union = FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]).fit(x)
    assert census(union).n_params == 4 * D
    columns = ColumnTransformer([("a", StandardScaler(), [0])], remainder=MinMaxScaler()).fit(x)
    assert census(columns).n_params == 2 + 2 * (D - 1)
    target = TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(x, x[:, 0])
    assert census(target).n_params == D + 1 + 2
    assert census(FrozenEstimator(linear)).n_params == LINEAR
    both = np.c_[y > 0, y > 1]
    assert census(MultiOutputClassifier(LogisticRegression()).fit(x, both)).n_params == 2 * (D + 1)
    assert census(MultiOutputRegressor(Ridge()).fit(x, x[:, :2])).n_params == 2 * (D + 1)
    chain = ClassifierChain(LogisticRegression()).fit(x, both)
    assert census(chain).n_params == D + 1 + D + 2


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (SEARCH, "keeps no fitted estimator"),
        (make_pipeline(StandardScaler(), SEARCH), "Pipeline.gridsearchcv keeps no fitted"),
    ],
)  # fmt: skip
def test_what_keeps_nothing_is_unknown(data, model, words):
    size = census(model.fit(*data), n_train=N, n_outputs=K)
    assert (size.n_params, size.is_complete, size.regime) == (None, False, None)
    assert any(words in note for note in size.notes)
    assert size.table()[-1][2:] == (None,) * 4


class Booster:
    """As libraries that compute outside of Python keep what they learned: behind a handle."""

    __slots__ = ("handle",)


class Wrapper(ClassifierMixin, BaseEstimator):
    """Of another origin than scikit-learn: what `fit` keeps is what the test says."""

    def __init__(self, makes=None, start=None):
        self.makes, self.start = makes, start
        for name, value in (start or {}).items():
            setattr(self, name, value)

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        for name, value in self.makes(x, y).items():
            setattr(self, name, value)
        return self

    def predict(self, x):
        raise NotImplementedError


def own(start=None, **values):
    return Wrapper(lambda x, y: values, start)


@pytest.mark.parametrize(
    ("model", "n_params", "n_kept"),
    [
        (own(booster_=Booster()), None, None),
        (own(booster_=[{"a": Booster()}], mean_=np.zeros(4)), None, None),
        (own(threshold_=0.5), None, None),
        (own(table_=np.arange(4)), None, None),
        (own(coef_=np.zeros(4), intercept_=0.0), 5, 0),
        (own(coef_=np.zeros(4), hidden_=[np.zeros((4, 2)), np.zeros(2)]), 14, 0),
        (own(X_train_=np.zeros((60, 4)), alpha_=np.zeros(60)), 60, 240),
        (own(net_=torch.zeros(3)), 3, 0),
        (own(start={"coef_": None}, coef_=np.zeros(4)), 4, 0),
        (own(model_=LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])), 5, 0),
        (own(models_={"a": LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])}), 5, 0),
        (own(module_=nn.Linear(4, 2), optimizer_=Booster(), mean_=np.zeros(4)), 14, 0),
        (own(module_=nn.LazyLinear(2)), None, None),
    ],
)
def test_estimators_of_other_origin(data, model, n_params, n_kept):
    model.fit(*data)
    size = census(model, n_train=N, n_outputs=1)
    assert (size.n_params, size.n_buffers) == (n_params, n_kept), size.notes
    assert size.is_complete == (n_params is not None)


@pytest.mark.parametrize(
    "start", [{"coef_": None, "intercept_": None}, {"coef_": None, "intercept_": 0.0},
              {"coef_": np.zeros(4)}, {}]
)  # fmt: skip
def test_attributes_that_a_constructor_sets_do_not_make_it_fitted(start):
    size = census(own(start=start), n_train=10)
    assert (size.n_params, size.is_complete) == (None, False)
    assert any("not fitted" in note for note in size.notes)


def test_a_subclass_with_its_own_fit_is_not_what_its_ancestor_is(data):
    class Wider(LinearRegression):
        def fit(self, x, y):
            super().fit(np.c_[x, x**2], y)
            self.shift_ = np.zeros(3)
            return self

    assert census(Wider(), n_train=N, input_shape=(D,), n_outputs=1).n_params is None
    assert census(Wider().fit(data[0], data[0][:, 0])).n_params == 2 * D + 1 + 3

    class Same(LinearRegression):
        pass

    assert census(Same(), n_train=N, input_shape=(D,), n_outputs=1).n_params == D + 1


class Odd(RegressorMixin, BaseEstimator):
    """Its properties, its texts and its settings raise."""

    def __init__(self, setting=None):
        self.setting = setting

    def fit(self, x, y):
        self.coef_ = np.zeros(3)
        return self

    @property
    def tree_(self):
        raise RuntimeError("not now")

    @property
    def classes_(self):
        raise RuntimeError("not now")

    n_outputs_ = estimators_ = support_vectors_ = n_features_in_ = classes_


def test_properties_and_texts_that_raise(data):
    class Mute:
        def __repr__(self):
            raise RuntimeError("no text")

    assert census(Odd().fit(*data)).n_params == 3
    told = dict(census(Odd(setting=Mute()).fit(*data)).hyperparameters)["setting"]
    assert "Mute, whose text cannot be made: RuntimeError: no text" in told


@pytest.mark.parametrize(
    ("model", "labels", "n_outputs"),
    [
        (LogisticRegression(), lambda y: y, K),
        (LogisticRegression(), lambda y: y > 0, 1),
        (make_pipeline(StandardScaler(), LogisticRegression()), lambda y: y > 0, 1),
        (GridSearchCV(LogisticRegression(), {"C": [1]}), lambda y: y > 0, 1),
        (DecisionTreeClassifier(), lambda y: y > 0, 1),
        (DecisionTreeClassifier(), lambda y: np.c_[y, y > 0], K + 1),
        (MultiOutputClassifier(LogisticRegression()), lambda y: np.c_[y > 0, y > 1], 2),
        (MLPClassifier(max_iter=2), lambda y: np.c_[y > 0, y > 1].astype(int), 2),
        (KNeighborsClassifier(), lambda y: y, K),
        (Ridge(), lambda y: np.eye(K)[y], K),
        (Ridge(), lambda y: y, 1),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_outputs_of_fitted_estimators(data, model, labels, n_outputs):
    x, y = data
    assert census(model.fit(x, labels(y))).n_outputs == n_outputs


def test_two_classes_are_one_output_however_they_are_said(data):
    x, y = data
    train_set = make_dataset(x, (y > 0).astype(int))
    ways = [
        census(LogisticRegression(), train_set),
        census(LogisticRegression().fit(x, y > 0), train_set),
        census(LogisticRegression(), n_train=N, n_outputs=2, input_shape=(D,)),
        census(LogisticRegression().fit(x, y > 0), n_train=N),
        census(nn.Linear(D, 1), train_set),
        census(nn.Linear(D, 1), n_train=N, n_outputs=2),
    ]
    for size in ways:
        assert (size.n_params, size.n_outputs, size.interpolation_threshold) == (D + 1, 1, N)
    two_logits = census(nn.Linear(D, 2), train_set)
    assert (two_logits.n_outputs, two_logits.interpolation_threshold) == (2, 2 * N)
