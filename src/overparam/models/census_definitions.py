"""What each estimator of scikit-learn learns: the numbers that its function is made of.

An estimator keeps much beside its function: counts, paths, scores, and the same numbers in a second
form (a covariance and its inverse). What is counted is said here, a line for each class; a class
that is not here is as its nearest ancestor, or is counted generically.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

Counts = tuple[int, int, int, int]  # weights, biases, kept, and how many weights are only drawn


@dataclass(frozen=True)
class Learned:
    """Names of fitted attributes by what they are.

    Attributes:
        weights, biases: learned numbers. symmetric: matrices of which one triangle is free.
        drawn: numbers drawn at random and never moved. kept: training rows and the like.
        has_parts: whether the estimators among its fitted attributes count too.
        unless: attributes that do not count where a parameter of the estimator is false.
        note: what a reader should know.
    """

    weights: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    symmetric: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    has_parts: bool = False
    unless: tuple[tuple[str, str], ...] = ()
    note: str = ""

    def counts(self, estimator: Any) -> Counts:
        """Return the sizes of these attributes of a fitted estimator."""
        absent = {name for name, switch in self.unless if not getattr(estimator, switch, True)}

        def total(names: tuple[str, ...], size: Callable[[Any], int] = size_of) -> int:
            return sum(size(getattr(estimator, n, None)) for n in names if n not in absent)

        drawn = total(self.drawn)
        weights = total(self.weights) + total(self.symmetric, _triangle) + drawn
        return weights, total(self.biases), total(self.kept), drawn


def definition_of(kind: type) -> Learned | Callable[[Any], Counts] | None:
    """Return what the nearest ancestor of scikit-learn's learns, or None where it is not known."""
    return next((DEFINITIONS[name] for name in lineage(kind) if name in DEFINITIONS), None)


def lineage(kind: type) -> list[str]:
    """Return the classes of scikit-learn that a class descends from, the nearest first.

    None where a class of another origin brings its own `fit`: it is not what its ancestors are.
    """
    names = []
    for ancestor in kind.__mro__:
        if ancestor.__module__.startswith("sklearn."):
            names.append(ancestor.__name__)
        elif "fit" in vars(ancestor):
            return []
    return names


def size_of(value: Any) -> int:
    """Return how many numbers a value holds; a sparse matrix those that it stores."""
    if value is None or isinstance(value, str):
        return 0
    if isinstance(value, list | tuple) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "O"
    ):
        return sum(size_of(entry) for entry in value)
    if isinstance(value, Tensor):
        return value.numel()
    return int(getattr(value, "nnz", np.size(value)))


def _triangle(matrix: Any) -> int:
    width = np.shape(matrix)[-1] if np.ndim(matrix) >= 2 else 0
    return size_of(matrix) // width * (width + 1) // 2 if width else size_of(matrix)


class _Boosted(Learned):
    """Members with a learned weight each; of rounds that were not needed there is none."""

    def counts(self, estimator: Any) -> Counts:
        """Return one weight for each member."""
        return len(estimator.estimators_), 0, 0, 0


def _mixture(m: Any) -> Counts:
    n, d = np.shape(m.means_)
    free = {"full": n * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": n * d, "spherical": n}
    return n * d + free[m.covariance_type] + n - 1, 0, 0, 0  # the weights of components sum to 1


def _quadratic_discriminant(q: Any) -> Counts:
    n, d = np.shape(q.means_)
    return n * d + n * d * (d + 1) // 2 + n, 0, 0, 0


def _gaussian_process(g: Any) -> Counts:
    # One coefficient for each training row; those of the kernel are hyperparameters.
    n_weights = size_of(g.alpha_ if hasattr(g, "alpha_") else g.y_train_)
    n_scales = n_means = 0
    if getattr(g, "normalize_y", False):
        n_scales, n_means = size_of(g._y_train_std), size_of(g._y_train_mean)
    return n_weights + n_scales, n_means, size_of(g.X_train_), 0


def _kernel_machine(s: Any) -> Counts:
    n_calibration = size_of(getattr(s, "_probA", None)) + size_of(getattr(s, "_probB", None))
    # With the linear kernel too: what it holds and predicts with are the dual coefficients.
    n_weights = size_of(s.dual_coef_) + n_calibration
    return n_weights, size_of(s.intercept_), size_of(s.support_vectors_), 0


def _neighbours(n: Any) -> Counts:
    return 0, 0, int(n.n_samples_fit_) * int(n.n_features_in_), 0


def _outlier_neighbours(n: Any) -> Counts:
    # The threshold of `predict`, which there is with novelty=True alone.
    _, _, kept, _ = _neighbours(n)
    return 0, size_of(n.offset_) * bool(n.novelty), kept, 0


def _bisected(k: Any) -> Counts:
    """Count the centres at which a new row turns left or right, those of the groups among them."""
    n_centres, waiting = 0, [k._bisecting_tree]
    while waiting:
        node = waiting.pop()
        below = [n for n in (node.left, node.right) if n is not None]
        n_centres += len(below)
        waiting += below
    return n_centres * np.shape(k.cluster_centers_)[1], 0, 0, 0


def _density(k: Any) -> Counts:
    return 0, 0, size_of(np.asarray(k.tree_.data)), 0


def _splines(s: Any) -> Counts:
    return sum(len(b.t) - 2 * b.k for b in s.bsplines_), 0, 0, 0


LINEAR = Learned(("coef_",), ("intercept_",), unless=(("intercept_", "fit_intercept"),))
_BAYES = Learned(("feature_log_prob_", "class_log_prior_"))
_CENTRES = Learned(("cluster_centers_",))
_COMPONENTS = Learned(("components_",), ("mean_",))
_NO_FUNCTION = "places the training rows and is no function of new ones: it has no parameters"
_EMBEDDED = Learned(kept=("embedding_",), note=_NO_FUNCTION)
_GROUPED = Learned(kept=("labels_",), note=_NO_FUNCTION)
_NAMES = Learned(note="learns names, choices or counts of its inputs: it has no parameters")
_PARTS = Learned(has_parts=True)
_PREDICTS = replace(
    LINEAR, note="is counted by what predict is made of; transform has numbers of its own"
)
_GREW = "its size grows with the training set"

DEFINITIONS: dict[str, Learned | Callable[[Any], Counts]] = {
    # linear models, kernels and networks
    "LinearModel": LINEAR,
    "LinearClassifierMixin": LINEAR,
    "_GeneralizedLinearRegressor": LINEAR,
    "BaseSGD": LINEAR,
    "LinearSVR": LINEAR,
    "HuberRegressor": LINEAR,
    "QuantileRegressor": LINEAR,
    "_PLS": _PREDICTS,
    "LinearDiscriminantAnalysis": _PREDICTS,
    "PLSSVD": Learned(
        ("x_weights_", "y_weights_", "_x_std", "_y_std"),
        ("_x_mean", "_y_mean"),
        unless=(("_x_std", "scale"), ("_y_std", "scale")),
    ),
    "SGDOneClassSVM": Learned(("coef_",), ("offset_",)),
    "KernelRidge": Learned(("dual_coef_",), kept=("X_fit_",), note=f"keeps training rows: {_GREW}"),
    "BaseLibSVM": _kernel_machine,
    "GaussianProcessRegressor": _gaussian_process,
    "_BinaryGaussianProcessClassifierLaplace": _gaussian_process,
    "GaussianProcessClassifier": _PARTS,
    "OutputCodeClassifier": Learned(drawn=("code_book_",), has_parts=True),
    # densities and discriminants
    "BaseMixture": _mixture,
    "GaussianNB": Learned(("theta_", "var_", "class_prior_")),
    "_BaseDiscreteNB": _BAYES,
    "ComplementNB": Learned(("feature_log_prob_",)),  # where there are two classes or more
    "QuadraticDiscriminantAnalysis": _quadratic_discriminant,
    "NearestCentroid": Learned(("centroids_", "within_class_std_dev_", "class_prior_")),
    "EmpiricalCovariance": Learned(("location_", "offset_"), symmetric=("covariance_",)),
    "KernelDensity": _density,
    "DummyClassifier": Learned(biases=("class_prior_",)),
    "DummyRegressor": Learned(biases=("constant_",)),
    # what keeps its training rows
    "NeighborsBase": _neighbours,
    "LocalOutlierFactor": _outlier_neighbours,
    "KNNImputer": Learned(kept=("_fit_X",), note=f"keeps the training set: {_GREW}"),
    "BaseLabelPropagation": Learned(("label_distributions_",), kept=("X_",)),
    "DBSCAN": Learned(kept=("components_",), note=_NO_FUNCTION),
    # thresholds, calibration
    "IsotonicRegression": Learned(("X_thresholds_", "y_thresholds_")),
    "_SigmoidCalibration": Learned(("a_",), ("b_",)),
    "_TemperatureScaling": Learned(("beta_",)),
    "_ConstantPredictor": Learned(biases=("y_",)),
    "TunedThresholdClassifierCV": Learned(("best_threshold_",), has_parts=True),
    # preprocessing
    "StandardScaler": Learned(
        ("scale_",), ("mean_",), unless=(("scale_", "with_std"), ("mean_", "with_mean"))
    ),
    "MinMaxScaler": Learned(("scale_",), ("min_",)),
    "MaxAbsScaler": Learned(("scale_",)),
    "RobustScaler": Learned(
        ("scale_",),
        ("center_",),
        unless=(("scale_", "with_scaling"), ("center_", "with_centering")),
    ),
    "QuantileTransformer": Learned(("quantiles_",)),
    "PowerTransformer": Learned(("lambdas_",), has_parts=True),
    "SplineTransformer": _splines,
    "KBinsDiscretizer": Learned(("bin_edges_",)),
    "SimpleImputer": Learned(("statistics_",)),
    "IterativeImputer": _PARTS,
    "TargetEncoder": Learned(("encodings_",), ("target_mean_",)),
    "TfidfTransformer": Learned(("idf_",)),
    "KernelCenterer": Learned(("K_fit_rows_", "K_fit_all_")),
    "_BaseEncoder": _NAMES,
    "LabelEncoder": _NAMES,
    "LabelBinarizer": _NAMES,
    "MultiLabelBinarizer": _NAMES,
    "MissingIndicator": _NAMES,
    "PolynomialFeatures": _NAMES,
    "CountVectorizer": Learned(has_parts=True, note=_NAMES.note),
    "DictVectorizer": _NAMES,
    "_BaseFilter": _NAMES,
    "VarianceThreshold": _NAMES,
    "SequentialFeatureSelector": _NAMES,
    "SparseCoder": _NAMES,
    # decompositions and feature maps
    "_BasePCA": Learned(
        ("components_", "explained_variance_"),
        ("mean_",),
        unless=(("explained_variance_", "whiten"),),
    ),
    "TruncatedSVD": _COMPONENTS,
    "_BaseNMF": _COMPONENTS,
    "FastICA": _COMPONENTS,
    "FactorAnalysis": Learned(("components_", "noise_variance_"), ("mean_",)),
    "_BaseSparseCoding": _COMPONENTS,
    "_BaseSparsePCA": _COMPONENTS,
    "LatentDirichletAllocation": _COMPONENTS,
    "NeighborhoodComponentsAnalysis": _COMPONENTS,
    "BernoulliRBM": Learned(("components_",), ("intercept_hidden_", "intercept_visible_")),
    "KernelPCA": Learned(("eigenvectors_", "eigenvalues_"), kept=("X_fit_",)),
    "Nystroem": Learned(("normalization_",), kept=("components_",)),
    "RBFSampler": Learned(drawn=("random_weights_", "random_offset_")),
    "SkewedChi2Sampler": Learned(drawn=("random_weights_", "random_offset_")),
    "BaseRandomProjection": Learned(drawn=("components_",)),
    "PolynomialCountSketch": Learned(drawn=("indexHash_", "bitHash_")),
    # groups and embeddings
    "_BaseKMeans": _CENTRES,
    "BisectingKMeans": _bisected,
    "AffinityPropagation": _CENTRES,
    "MeanShift": _CENTRES,
    "Birch": Learned(("subcluster_centers_",)),
    "AgglomerativeClustering": _GROUPED,
    "FeatureAgglomeration": _NAMES,
    "SpectralClustering": _GROUPED,
    "HDBSCAN": _GROUPED,
    "OPTICS": _GROUPED,
    "BaseSpectral": Learned(kept=("row_labels_", "column_labels_"), note=_NO_FUNCTION),
    "TSNE": _EMBEDDED,
    "MDS": _EMBEDDED,
    "ClassicalMDS": _EMBEDDED,
    "SpectralEmbedding": _EMBEDDED,
    "LocallyLinearEmbedding": Learned(kept=("embedding_",), has_parts=True),
    "Isomap": Learned(kept=("embedding_",), has_parts=True),
    # trees: the rest of them is counted node by node
    "BaseWeightBoosting": _Boosted(has_parts=True),
    "BaseGradientBoosting": _PARTS,
    "IsolationForest": Learned(biases=("offset_",), has_parts=True),
    "_BinMapper": Learned(),  # its edges stand again in the nodes of the trees
}
