"""Estimators, pipelines and functions in a cell: the numbers of a plain fit."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

import overparam as op
from overparam.data import as_examples
from overparam.errors import DataError, UsageError
from overparam.training.fit_estimator import check_repeatable
from overparam.training.undisturbed import generator_states
from tests.training.small_estimators import RNG, ROWS, TWO, N, Rule, S, X, Y, draws, fitted_to


def seeds_of(forest, streams=S):
    """The same forest with the seed that the streams give."""
    return clone(forest).set_params(random_state=streams.entropy("random_state") % 2**32)


def test_it_is_the_fit_of_a_clone_to_these_rows():
    forest, weights = RandomForestClassifier(5), RNG.uniform(size=N)
    fitted = fitted_to(forest, rows=ROWS, arguments={"sample_weight": weights})
    plain = seeds_of(forest).fit(X[ROWS], Y[ROWS], sample_weight=weights[ROWS])
    order = [plain.classes_.tolist().index(c) for c in fitted.classes]
    assert np.array_equal(fitted.outputs(X), plain.predict_proba(X)[:, order])
    assert fitted.predict(X).tolist() == plain.predict(X).tolist()
    assert np.array_equal(fitted.predict_proba(X), fitted.outputs(X))
    assert not hasattr(forest, "classes_")
    assert (fitted.n_rows, fitted.form, fitted.status) == (30, "probabilities", "done")
    mask = np.isin(np.arange(N), ROWS)
    same = fitted_to(forest, rows=mask, arguments={"sample_weight": pd.Series(weights)})
    assert np.array_equal(same.outputs(X), fitted.outputs(X))


def test_compiled_code_that_asks_for_writable_memory_gets_a_copy():
    X_gaps = X.astype(np.float32)
    X_gaps[::7, 0] = np.nan
    forest = RandomForestClassifier(5)  # whose trees ask so of float32 with missing values
    fitted = op.fit(forest, (X_gaps, Y))
    same = op.fit(forest, (X_gaps.astype(np.float64), Y))
    assert np.array_equal(fitted.outputs(X_gaps), same.outputs(X_gaps.astype(np.float64)))


def test_a_cell_reads_the_same_for_a_forest_and_for_a_network():
    train_set, test_set = op.load_data("digits")
    small = train_set.head(200)

    async def cell(model, recipe):
        if recipe:
            fitted = await op.train(model, small, recipe, S, evaluate={"test": test_set})
        else:
            fitted = await op.fit_estimator(model, small, S, evaluate={"test": test_set})
        outputs = await op.predict(fitted, test_set.inputs)
        right = outputs.argmax(1) == test_set.labels
        assert fitted.error("test") == pytest.approx(1 - right.float().mean().item())
        return fitted, outputs

    network = cell(
        op.models.mlp(64, 30, 10), op.Recipe(epochs=30, learning_rate=0.1, batch_size=20)
    )
    (net, logits), (forest, shares) = op.solve_all(
        [network, cell(RandomForestClassifier(20), None)]
    )
    assert logits.shape == shares.shape == (len(test_set), 10)
    assert (net.form, forest.form) == ("logits", "probabilities")
    assert net.classes.tolist() == forest.classes.tolist() == list(range(10))
    assert max(net.error("test"), forest.error("test")) < 0.25
    assert isinstance(forest.outputs(test_set.inputs.numpy()), np.ndarray)


def test_forms_of_a_network():
    recipe = op.Recipe(epochs=1, loss="squared_error")
    assert op.fit(nn.Linear(4, 1), (X, X[:, 0]), recipe).form == "targets"
    assert op.fit(nn.Linear(4, 1), (X, X[:, 0]), recipe).classes is None
    assert op.fit(nn.Linear(4, 2), (X, TWO), recipe).form == "decision values"


@pytest.mark.parametrize(
    ("estimator", "form"),
    [
        (LogisticRegression(), "probabilities"),
        (LinearSVC(), "decision values"),
        (make_pipeline(StandardScaler(), SGDClassifier()), "decision values"),
    ],
)
def test_a_class_that_the_rows_lack_has_its_column(estimator, form):
    rows = np.flatnonzero(Y != "mid")
    fitted = fitted_to(estimator, rows=rows)
    outputs, absent = fitted.outputs(X), fitted.classes.tolist().index("mid")
    assert fitted.form == form
    assert (outputs[:, absent] == (0.0 if form == "probabilities" else -np.inf)).all()
    plain = fitted.model.predict(X)
    assert fitted.predict(X).tolist() == plain.tolist()
    if form == "decision values":
        others = [i for i in range(3) if i != absent]
        difference = outputs[:, others[1]] - outputs[:, others[0]]
        assert difference == pytest.approx(fitted.model.decision_function(X))
        with pytest.raises(UsageError, match="gives no probabilities; got 'decision values'"):
            fitted.predict_proba(X)


def test_what_only_predicts_and_regression():
    fitted = fitted_to(Rule())
    assert fitted.form == "labels"
    assert fitted.outputs(X).sum(0).tolist() == [N * (c == Y[0]) for c in fitted.classes]
    targets = np.stack([X[:, 0], X[:, 1] + 1], 1)
    line = fitted_to(LinearRegression(), (X, targets), evaluate={"test": (X, targets)})
    assert line.form == "targets"
    assert line.classes is None
    assert np.allclose(line.predict(X), targets)
    assert line.error("test") < 1e-12
    one = op.fit(DecisionTreeRegressor(), (X, X[:, 0]))
    assert one.predict(X).shape == (N,)
    # A regressor decides what whole numbers are; a classifier too.
    assert fitted_to(LinearRegression(), (X, np.arange(N))).form == "targets"
    assert len(fitted_to(DecisionTreeClassifier(), (X, np.arange(N))).classes) == N


def test_pipelines_of_a_frame_of_texts_and_of_a_sparse_matrix():
    frame = pd.DataFrame({"city": ["Rome", "Oslo", "Bonn"] * 20, "size": X[:, 0]})
    hot = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    labels = frame["city"].eq("Rome") ^ frame["size"].gt(0)
    tree = op.fit(
        make_pipeline(hot, DecisionTreeClassifier()), (frame, labels), evaluate=(frame, labels)
    )
    assert tree.error("test") == 0.0
    assert tree.predict(frame.iloc[:3]).tolist() == labels[:3].tolist()
    texts = ["good film", "bad film", "good plot", "bad plot"] * 3
    bag = op.fit(make_pipeline(CountVectorizer(), MultinomialNB()), (texts, [1, 0] * 6))
    assert bag.predict(["a bad one", "a good one"]).tolist() == [0, 1]
    sparse = scipy.sparse.csr_matrix(np.abs(X))
    assert fitted_to(MultinomialNB(), (sparse, Y), rows=ROWS).outputs(sparse).shape == (N, 3)


def test_random_numbers_are_of_the_streams():
    bag = BaggingClassifier(DecisionTreeClassifier(max_features=1), n_estimators=3, random_state=5)
    first = fitted_to(bag)
    assert np.array_equal(first.outputs(X), fitted_to(bag.set_params(random_state=None)).outputs(X))
    assert not np.array_equal(first.outputs(X), fitted_to(bag, streams=op.Streams(4)).outputs(X))
    chosen = first.model.get_params()
    assert chosen["random_state"] == S.entropy("random_state") % 2**32
    assert chosen["estimator__random_state"] == S.entropy("estimator__random_state") % 2**32
    # What is to be the same for every seed is an object.
    held = RandomForestClassifier(3, random_state=np.random.RandomState(0))
    assert np.array_equal(
        fitted_to(held).outputs(X), fitted_to(held, streams=op.Streams(4)).outputs(X)
    )


def test_global_generators_are_the_streams_and_are_put_back():
    before = generator_states()
    first, again, other = (
        fitted_to(draws),
        fitted_to(draws),
        fitted_to(draws, streams=op.Streams(4)),
    )
    assert generator_states() == before
    assert np.array_equal(first.outputs(X), again.outputs(X))
    assert (first.outputs(X) != other.outputs(X)).all()


def test_a_function_of_ones_own():
    seen = []

    def fit(rows, seed):
        seen.append((rows.dtype, rows.tolist(), seed))
        tree = DecisionTreeClassifier(random_state=seed).fit(X[rows], Y[rows])
        return tree.predict_proba

    fitted = fitted_to(fit, rows=ROWS, evaluate={"test": (X, Y)})
    assert seen == [(np.int64, ROWS.tolist(), S.entropy("fit") % 2**32)]
    assert (fitted.form, fitted.name) == ("probabilities", "fit")
    assert fitted.predict(X)[ROWS].tolist() == Y[ROWS].tolist()
    assert fitted.error("test") == pytest.approx((fitted.predict(X) != Y).mean())
    assert "error" in repr(fitted)


def test_forms_of_a_functions_outputs():
    labels = op.fit(lambda rows, seed: lambda inputs: [Y[0]] * len(inputs), (X, Y))
    assert labels.form == "labels"
    assert set(labels.predict(X)) == {Y[0]}
    scores = op.fit(lambda rows, seed: lambda inputs: torch.ones(len(inputs), 3), (X, Y))
    assert scores.form == "decision values"
    numbers = op.fit(lambda rows, seed: lambda inputs: inputs[:, 0], (X, X[:, 0]))
    assert numbers.form == "targets"
    # Data that are no array: it is asked with positions.
    stored = {i: Y[i] for i in range(N)}
    own = op.fit(lambda rows, seed: lambda which: [stored[i] for i in which], (np.arange(N), Y))
    assert own.predict(np.arange(3)).tolist() == Y[:3].tolist()
    # Images of a Dataset keep their shape for a function, and lose it for an estimator.
    images = op.make_dataset(X.reshape(N, 1, 2, 2), TWO)
    shapes = op.fit(lambda rows, seed: lambda inputs: inputs[:, 0, 0] * [1.0, -1.0], images)
    assert shapes.outputs(images.inputs).shape == (N, 2)
    assert op.fit(DecisionTreeClassifier(), images).error_on(as_examples(images)) == 0.0


class Remembers(ClassifierMixin, BaseEstimator):
    """Keeps what it has seen, in its class."""

    seen: list = []  # noqa: RUF012

    def fit(self, inputs, labels):
        self.seen.extend(labels)
        self.classes_ = np.unique(Y)
        return self

    def predict_proba(self, inputs):
        share = np.mean([np.array(self.seen) == c for c in self.classes_], axis=1)
        return np.tile(share, (len(inputs), 1))


def test_state_between_fits_is_found():
    net = nn.Linear(4, 3)

    def carried(rows, seed):
        net.weight.data += 0.1 * len(rows)
        return lambda inputs: net(torch.as_tensor(inputs).float()).detach().numpy()

    for own in (carried, Remembers()):
        with pytest.raises(UsageError, match=r"keeps state between fits.*rows differ.; make"):
            op.solve(check_repeatable(own, (X, Y), S, rows=ROWS))
    op.solve(check_repeatable(RandomForestClassifier(3), (X, Y), S))
    op.solve(check_repeatable(draws, (X, Y), S))


def thresholded(threshold):
    return FixedThresholdClassifier(LogisticRegression(), threshold=threshold, pos_label=1)


@pytest.mark.parametrize("estimator", [thresholded(0.2), SVC(probability=True, random_state=0)])
def test_classes_are_those_that_the_estimator_predicts(estimator):
    """Which are not those of the largest probability."""
    rare = (X[:, 0] > 1).astype(int)
    fitted = op.fit(estimator, (X, rare), seed=0, evaluate={"again": (X, rare)})
    own = fitted.model.predict(X)
    assert (fitted.predict(X) == own).all()
    assert fitted.error("again") == pytest.approx((own != rare).mean())
    assert fitted.chosen(X, fitted.outputs(X)).tolist() == own.tolist()


def test_a_forest_is_asked_once():
    fitted = op.fit(RandomForestClassifier(10), (X, Y), seed=0)
    outputs = fitted.outputs(X)
    fitted.model.predict_proba = None  # which its predictions would call
    assert (fitted.classes[fitted.chosen(X, outputs)] == fitted.classes[outputs.argmax(1)]).all()


def test_half_precision_is_taken_and_asked():
    inputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    labels = (inputs[:, 0] > 0).long()
    halves = inputs.bfloat16()
    fitted = op.fit(LogisticRegression(), (halves, labels), evaluate=(halves, labels))
    assert fitted.error("test") == float((fitted.predict(halves) != labels.numpy()).mean())
    assert op.fit(LogisticRegression(), op.make_dataset(halves, labels)).n_rows == 40

    def own(rows, seed):
        return lambda X: torch.tensor(X[:, :2]).bfloat16()

    assert op.fit(own, (halves, labels)).outputs(halves).dtype == torch.float64


def test_weights_under_the_inputs_index_in_another_order_are_refused():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)))
    weights = pd.Series(np.arange(20.0)).sample(frac=1, random_state=0)
    data = frame, np.arange(20) % 2
    with pytest.raises(DataError, match="inputs and sample_weight have the same index in differ"):
        op.fit(LogisticRegression(), data, arguments={"sample_weight": weights})
    op.fit(LogisticRegression(), data, arguments={"sample_weight": weights.loc[frame.index]})


def test_columns_in_another_order_are_refused_wherever_place_decides():
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [3.0, 0.0, 3.0, 0.0]})
    turned, labels = frame[["b", "a"]], np.array([0, 0, 1, 1])
    said = r"columns are not those of .*got \"'b' at position 0\""

    def fit(rows, seed):
        return lambda asked: (np.asarray(asked)[:, 0] > 1.5).astype(int)

    fitted = op.fit(fit, (frame, labels), evaluate={"same": (frame, labels)})
    assert fitted.predict(frame).tolist() == [0, 0, 1, 1]
    assert fitted.predict(turned.to_numpy()).tolist() == [1, 0, 1, 0]  # nobody can tell
    a_set, a_turned_set = op.make_dataset(frame, labels), op.make_dataset(turned, labels)
    recipe, net = op.Recipe(epochs=1), nn.Linear(2, 2)
    of_a_set = op.fit(DecisionTreeClassifier(), a_set)
    for ask in (
        lambda: fitted.predict(turned),
        lambda: of_a_set.predict(turned),
        lambda: op.fit(fit, (frame, labels), evaluate={"t": (turned, labels)}),
        lambda: op.fit(DecisionTreeClassifier(), a_set, evaluate={"t": (turned, labels)}),
        lambda: op.fit(DecisionTreeClassifier(), a_set, evaluate={"t": a_turned_set}),
        lambda: op.fit(net, a_set, recipe, evaluate={"t": a_turned_set}),
        lambda: op.train(net, a_set, recipe, S, evaluate={"t": a_turned_set}),
        lambda: op.subset_ensemble(fit, frame, labels, evaluate=(turned, labels), workers=0),
    ):
        with pytest.raises(UsageError, match=said):
            ask()


def test_numbers_of_a_mask_are_no_positions():
    mask = np.isin(np.arange(N), ROWS)
    with pytest.raises(DataError, match=r"rows must be positions or a mask.*mask\.astype\(bool\)"):
        fitted_to(DecisionTreeClassifier(), rows=mask.astype(int))
    with pytest.raises(DataError, match="leave_out must be positions or a mask"):
        op.subset_ensemble(DecisionTreeClassifier(), X, Y, leave_out=mask.astype(int), workers=0)
    assert fitted_to(DecisionTreeClassifier(), rows=np.arange(N) % 3).n_rows == N


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            pd.array([True] * (N - 1) + [None], dtype="boolean"),
            "missing values in {}; got .1 of 60",
        ),
        (
            pd.Series([False] * (N - 2) + [None, None], dtype="boolean"),
            "missing values in {}; got .2 of 60.*fillna",
        ),
        ([True] * (N - 1) + [pd.NA], "missing values in {}"),
        (pd.array([3, None], dtype="Int64"), "missing values in {}.*dropna"),
        (np.array([1.0, np.nan]), "missing values in {}"),
        (np.ma.masked_array([3, 4], [False, True]), "{} hold masked values"),
    ],
)
def test_rows_of_which_some_are_missing_are_refused(rows, says):
    with pytest.raises(DataError, match=says.format("rows")):
        fitted_to(DecisionTreeClassifier(), rows=rows)
    with pytest.raises(DataError, match=says.format("leave_out")):
        op.subset_ensemble(DecisionTreeClassifier(), X, Y, leave_out=rows, workers=0)


def test_a_cell_trains_on_any_form_of_data():
    net, recipe = nn.Linear(X.shape[1], len(np.unique(Y))), op.Recipe(epochs=2)
    positions = np.unique(Y, return_inverse=True)[1]
    given, named = np.asarray(X, np.float32), op.make_dataset(np.asarray(X, np.float32), positions)
    pair = op.solve(
        op.train(net, (given, positions), recipe, S, evaluate={"t": (given, positions)})
    )
    whole = op.solve(op.train(net, named, recipe, S))
    assert all(torch.equal(pair.state[k], whole.state[k]) for k in whole.state)
    assert pair.error("t") == pair.train_error
