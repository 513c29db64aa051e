"""Census: modules and estimators whose size is known by hand; fitted, unfitted, shared, lazy."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, RANSACRegressor, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from overparam.data.dataset import make_dataset
from overparam.errors import DataError, UsageError
from overparam.models import convnet5, mlp, preact_resnet18
from overparam.models.census import TABLE_HEADER, census

N, D, K = 60, 4, 3


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, D))
    return x, np.digitize(x[:, 0] + 0.3 * rng.standard_normal(N), [-0.5, 0.5])


def test_mlp_by_layer():
    size = census(mlp(784, 50, 10), n_train=4_000)
    assert [(x.name, x.kind, x.n_weights, x.n_biases) for x in size.layers] == [
        ("1", "Linear", 39_200, 50),
        ("3", "Linear", 500, 10),
    ]
    assert (size.n_params, size.n_weights, size.n_biases) == (39_760, 39_700, 60)
    assert (size.n_trainable, size.n_frozen, size.n_buffers) == (39_760, 0, 0)
    assert size.params_per_example == 9.94
    assert (size.interpolation_threshold, size.threshold_ratio) == (40_000, 0.994)
    assert size.regime == "below"
    assert "n_outputs = 10 is read from the model" in size.notes
    assert dict(size.hyperparameters)["1"] == (
        "Linear(in_features=784, out_features=50, bias=True)"
    )


@pytest.mark.parametrize("model", [convnet5(3), preact_resnet18(2)])
def test_counts_are_the_modules_own(model):
    size = census(model)
    assert size.n_params == sum(p.numel() for p in model.parameters())
    assert size.n_buffers == sum(b.numel() for b in model.buffers())


@pytest.mark.parametrize(("n_train", "regime"), [(5, "above"), (6, "at"), (7, "below")])
def test_regime(n_train, regime):
    assert census(nn.Linear(5, 2), n_train=n_train).regime == regime  # 12 parameters, 2 outputs


def test_frozen_parameters_do_not_count_against_the_threshold():
    model = nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.Linear(100, 1))
    model[0].requires_grad_(False)
    size = census(model, n_train=200)
    assert (size.n_params, size.n_trainable, size.n_frozen) == (1_201, 101, 1_100)
    assert size.regime == "below"


def test_shared_parameters_and_embeddings():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(11, 4)
            self.body = nn.Linear(4, 4)
            self.head = nn.Linear(4, 11, bias=False)
            self.head.weight = self.embed.weight

    size = census(Tied())
    assert (size.n_params, size.n_non_embedding) == (44 + 20, 20)
    assert size.layers[-1].n_shared == 44
    assert any("counted once" in note for note in size.notes)
    assert census(nn.Linear(2, 2)).n_non_embedding is None


def test_biases_of_attention_and_complex_numbers():
    size = census(nn.MultiheadAttention(8, 2))
    assert (size.n_weights, size.n_biases) == (4 * 64, 4 * 8)
    root = nn.ParameterList([nn.Parameter(torch.zeros(3, dtype=torch.complex64))])
    assert census(root).n_params == 6


def test_lazy_layers():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    unknown = census(model, n_train=10)
    assert (unknown.n_params, unknown.regime, unknown.is_complete) == (None, None, False)
    assert any("first forward pass (1.weight, 1.bias)" in note for note in unknown.notes)
    before = torch.random.get_rng_state()
    filled = census(model, n_train=10, input_shape=(2, 5))
    assert filled.n_params == 33
    torch.testing.assert_close(torch.random.get_rng_state(), before)
    assert isinstance(model[1].weight, nn.UninitializedParameter)
    failed = census(nn.Sequential(nn.LazyLinear(3), nn.Linear(5, 1)), input_shape=(2,))
    assert any("trial forward pass" in note and "failed" in note for note in failed.notes)


def test_train_set_gives_everything():
    train_set = make_dataset(torch.randn(9, 2, 2), [0, 1, 2] * 3)
    size = census(nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), train_set)
    assert (size.n_train, size.n_outputs, size.n_params) == (9, 3, 15)
    assert census(nn.Linear(4, 3), train_set, n_train=5).interpolation_threshold == 15


def test_linear_estimators(data):
    x, y = data
    fitted = census(LogisticRegression().fit(x, y), n_train=N)
    assert (fitted.n_weights, fitted.n_biases, fitted.n_outputs) == (D * K, K, K)
    binary = census(LogisticRegression().fit(x, y > 0), n_train=N)
    assert (binary.n_params, binary.n_outputs, binary.interpolation_threshold) == (D + 1, 1, N)
    no_intercept = census(Ridge(fit_intercept=False).fit(x, y), n_train=N, n_outputs=1)
    assert (no_intercept.n_params, no_intercept.n_biases) == (D, 0)
    assert dict(no_intercept.hyperparameters)["fit_intercept"] == "False"


@pytest.mark.parametrize(
    "model", [LogisticRegression(), LinearSVC(), MLPClassifier((7, 5), max_iter=5), Ridge()]
)
@pytest.mark.parametrize("n_classes", [2, K])
def test_what_is_known_before_fit_agrees_with_what_is_found_after(data, model, n_classes):
    x, y = data
    y = np.minimum(y, n_classes - 1)
    if isinstance(model, Ridge):
        y = np.eye(n_classes)[y]
    before = census(model, n_train=N, input_shape=(D,), n_outputs=n_classes)
    assert before.is_complete
    assert any("not fitted" in note for note in before.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = type(model)(**model.get_params()).fit(x, y)
    assert census(model).n_params == before.n_params


def test_network_estimator(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier((7,), max_iter=3).fit(*data)
    size = census(model, n_train=N)
    assert [x.n_params for x in size.layers] == [(D + 1) * 7, 8 * K]
    assert size.regime == "below"


def test_trees_and_forests(data):
    tree = DecisionTreeClassifier(random_state=0).fit(*data)
    size = census(tree)
    leaves = tree.get_n_leaves()
    assert (size.n_leaves, size.n_nodes) == (leaves, 2 * leaves - 1)
    assert size.n_params == (leaves - 1) + leaves * K
    forest = RandomForestClassifier(5, random_state=0).fit(*data)
    size = census(forest)
    assert len(size.layers) == 1
    assert size.layers[0].name == "RandomForestClassifier.5 x DecisionTreeClassifier"
    assert size.n_leaves == sum(t.get_n_leaves() for t in forest.estimators_)
    assert size.n_params == sum(census(t).n_params for t in forest.estimators_)


def test_boosting(data):
    model = GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=0).fit(*data)
    leaves = sum(t.get_n_leaves() for t in model.estimators_.ravel())
    size = census(model)
    assert (size.n_leaves, size.n_params) == (
        leaves,
        leaves - 4 * K + leaves + K,
    )  # K: where it starts
    histogram = HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=4).fit(*data)
    size = census(histogram)
    assert size.n_nodes == 2 * size.n_leaves - 3 * K  # in each tree one split less than leaves
    assert 3 * K <= size.n_leaves <= 3 * K * 4
    stumps = census(
        AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=3).fit(*data)
    )
    assert stumps.n_leaves == 2 * 3
    assert stumps.n_params == 3 * (1 + 2 * K) + 3  # and the weight of each
    one = AdaBoostClassifier(DecisionTreeClassifier(), n_estimators=9).fit(*data)
    assert len(one.estimators_) == 1  # which makes no error, so no other follows
    assert census(one).n_params == census(one.estimators_[0]).n_params + 1


def test_kernels_and_neighbours(data):
    x, y = data
    machine = SVC().fit(x, y)
    size = census(machine)
    n_support = len(machine.support_vectors_)
    assert size.n_params == n_support * (K - 1) + K
    assert size.n_buffers == n_support * D
    assert any("support vectors" in note for note in size.notes)
    linear = SVC(kernel="linear").fit(x, y)
    assert census(linear).n_params == len(linear.support_vectors_) * (K - 1) + K
    neighbours = census(KNeighborsClassifier().fit(x, y))
    assert (neighbours.n_params, neighbours.n_buffers) == (0, N * D)
    assert any("stores the training set" in note for note in neighbours.notes)


def test_composed_estimators(data):
    x, y = data
    scaled = census(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y))
    assert [row.name for row in scaled.layers] == [
        "Pipeline.standardscaler",
        "Pipeline.logisticregression",
    ]
    assert scaled.n_params == 2 * D + (D + 1) * K  # mean and scale
    columns = ColumnTransformer([("a", StandardScaler(), [0]), ("b", "passthrough", [1])]).fit(x)
    assert census(columns).n_params == 2
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit(x, y)
    assert census(search).n_params == (D + 1) * K
    stack = StackingClassifier([("nb", GaussianNB())], LogisticRegression(), cv=2).fit(x, y)
    bayes = 2 * K * D + K  # means and variances by class, and the class priors
    assert census(stack).n_params == bayes + (K + 1) * K
    assert census(RANSACRegressor(random_state=0).fit(x, x[:, 0])).n_params == D + 1


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LinearRegression(), "give input_shape and n_outputs"),
        (make_pipeline(StandardScaler(), Ridge()), "only after fit"),
        (RandomForestClassifier(50, max_leaf_nodes=8), r"50 round\(s\), at most 8 leaves"),
        (DecisionTreeClassifier(max_depth=3), r"1 round\(s\), at most 8 leaves"),
        (DecisionTreeClassifier(), r"at most 60 leaves"),
        (SVC(), "at most 60 support vectors"),
        (KNeighborsClassifier(), "store the training set"),
        (GaussianNB(), "known only after fit"),
    ],
)
def test_what_cannot_be_known_before_fit_is_said(model, words):
    size = census(model, n_train=N)
    assert (size.n_params, size.is_complete, size.regime) == (None, False, None)
    assert any(re.search(words, note) for note in size.notes)


def test_dict_and_table():
    size = census(mlp(4, 3, 2), n_train=10)
    read_back = json.loads(json.dumps(size.to_dict()))
    assert read_back["n_params"] == 23
    assert read_back["interpolation_threshold"] == 20
    assert [row["n_weights"] for row in read_back["layers"]] == [12, 6]
    rows = size.table()
    assert all(len(row) == len(TABLE_HEADER) for row in rows)
    assert rows[-1] == ("total", "Sequential", 18, 5, 23, 0)


def test_what_is_not_known_is_none():
    size = census(nn.ReLU())
    assert (size.n_params, size.n_outputs, size.interpolation_threshold) == (0, None, None)
    assert (size.params_per_example, size.n_nodes, size.n_leaves) == (None, None, None)
    assert any("n_train is not given" in note for note in size.notes)
    assert any("n_outputs is not known" in note for note in census(nn.ReLU(), n_train=3).notes)


@pytest.mark.parametrize("target", ["resnet", 3, nn.Linear, LogisticRegression, None])
def test_other_targets(target):
    remedy = "pass an instance" if isinstance(target, type) else "wrap it in an nn.Module"
    with pytest.raises(UsageError, match=f"cannot take the census of this object.*{remedy}"):
        census(target)


def test_counts_out_of_range():
    with pytest.raises(UsageError, match="n_train is out of range"):
        census(nn.Linear(2, 2), n_train=0)
    with pytest.raises(UsageError, match="n_outputs must be a whole number"):
        census(nn.Linear(2, 2), n_outputs=1.5)


def test_the_training_set_may_have_any_form_that_fit_takes():
    rows, labels = np.ones((6, 4)), np.arange(6) % 3
    size = census(mlp(4, 5, 3), (rows, labels))
    assert (size.n_train, size.n_outputs) == (6, 3)
    with pytest.raises(DataError, match="differ in length"):
        census(mlp(4, 5, 3), (rows, labels[:5]))


def test_of_an_estimator_the_training_set_may_hold_texts():
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    words = ["no", "yes", "no", "perhaps"]
    size = census(LogisticRegression(), (frame, words))
    assert (size.n_params, size.n_outputs, size.n_train) == (3 * (2 + 1), 3, 4)
    assert size == census(LogisticRegression(), (frame.assign(label=words), "label"))
    mixed = frame.assign(kind=words)
    assert census(LogisticRegression().fit(frame, words), (mixed, words)).n_params == 9
    texts = census(make_pipeline(StandardScaler(), LogisticRegression()), (words, [0, 1, 0, 1]))
    assert (texts.n_train, texts.interpolation_threshold, texts.is_complete) == (4, 4, False)
    targets = census(LinearRegression(), (frame, [1, 2, 3, 4]))
    assert (targets.n_outputs, targets.n_params) == (1, 3)
