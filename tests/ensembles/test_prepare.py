"""What no ensemble can be made of is refused, with what to do, before anything is trained."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

import overparam as op
from overparam.ensembles.fit_arguments import refuse_rows_of_subsets
from overparam.ensembles.prepare import prepare
from overparam.errors import DataError, UsageError
from tests.ensembles.made import N_ROWS, points, tree_ensemble

INPUTS, LABELS = points()
RECIPE = op.Recipe(epochs=2)
NET = op.models.mlp(3, 4, 2)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (NET, {}, "trained by a recipe, and nothing else is; got 'mlp|trained by a recipe"),
        (NET, {"recipe": "sgd"}, "got .*recipe=str"),
        (DecisionTreeClassifier(), {"recipe": RECIPE}, "leave the recipe out"),
        (DecisionTreeClassifier, {}, "a class is made an estimator by calling it"),
        ("mlp", {}, "models that can be fitted again and again"),
        (lambda: nn.Linear(3, 2), {}, "trained by a recipe, and nothing else is"),
        (lambda: 1 / 0, {}, "<lambda> failed; got 'ZeroDivisionError"),
        (lambda: DecisionTreeClassifier(), {"recipe": RECIPE}, "made no network"),
        (NET, {"recipe": RECIPE, "arguments": {"sample_weight": 1}}, "are for estimators"),
        (NET, {"recipe": RECIPE, "ratio": 1.0}, "ratio leaves no row in, or none out"),
        (NET, {"recipe": RECIPE, "ratio": []}, "no ratio is given"),
        (NET, {"recipe": RECIPE, "seed": -1}, "seed"),
    ],
)
def test_models_and_settings_that_are_refused(model, options, message):
    with pytest.raises(UsageError, match=message):
        prepare(model, INPUTS, LABELS, **options)


@pytest.mark.parametrize("batch_size", [32, None])
@pytest.mark.parametrize("network", [op.models.mlp(3, 4, 4), lambda: nn.Linear(3, 4)])
def test_a_network_that_fits_no_subset_is_refused_before_any_is_trained(network, batch_size):
    recipe = op.Recipe(epochs=2, batch_size=batch_size)
    says = r"output size differs.*got 4; allowed: 2; an ensemble counts .* occur, here 2: 1, 3"
    with pytest.raises(UsageError, match=says):  # op.fit wants 4 outputs, of the classes 0 to 3
        prepare(network, INPUTS, 1 + 2 * LABELS, recipe=recipe)
    with pytest.raises(UsageError, match=r"does not take the inputs|input size differs"):
        prepare(op.models.mlp(2, 4, 2), INPUTS, LABELS, recipe=recipe)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((INPUTS, np.zeros(N_ROWS, int)), "one class"),
        ((op.make_dataset(INPUTS, np.zeros(N_ROWS, int), 2), None), "of one class, so every"),
        ((INPUTS, INPUTS[:, 0]), "targets of regression"),
        ((INPUTS, LABELS[:-1]), "differ in length"),
    ],
)
def test_data_that_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        prepare(DecisionTreeClassifier(), *data)


def test_rows_without_a_label_are_refused_where_minus_one_is_none():
    labels = np.where(np.arange(N_ROWS) % 4, LABELS, -1)
    learner = make_pipeline(StandardScaler(), SelfTrainingClassifier(GaussianNB()))
    with pytest.raises(DataError, match=r"no right and wrong.*30 rows of -1.*fit\(rows, seed\)"):
        prepare(learner, INPUTS, labels)
    assert prepare(learner, INPUTS, LABELS).notes == ()
    notes = prepare(DecisionTreeClassifier(), INPUTS, labels).notes
    assert any("labels of -1 are taken as a class of their own" in note for note in notes)


def test_an_estimator_that_does_not_fit_the_labels_is_refused_before_any_fit():
    with pytest.raises(UsageError, match="is a regressor, and the labels are classes"):
        prepare(DecisionTreeRegressor(), INPUTS, LABELS, task="classes")


def test_evaluated_rows_of_a_class_that_the_data_have_not():
    with pytest.raises(DataError, match="outside the classes"):
        prepare(DecisionTreeClassifier(), INPUTS, LABELS, evaluate=(INPUTS[:2], [0, 5]))


def test_groups_that_do_not_fit_the_rows():
    with pytest.raises(DataError, match="groups do not fit the rows"):
        tree_ensemble(4, groups=np.arange(5))


def test_subsets_of_classes_are_told_from_those_drawn_in_the_way_before():
    """They had the same identity but for the name of the way."""
    plain, shared = (
        prepare(DecisionTreeClassifier(), INPUTS, LABELS, by_class=b).identity
        for b in (False, True)
    )
    assert set(shared) - set(plain) == {"way of drawing shares of classes"}


def test_values_of_rows_under_the_inputs_index_in_another_order_are_refused():
    frame = pd.DataFrame(INPUTS)
    turned = pd.Series(np.arange(N_ROWS) // 2).sample(frac=1, random_state=0)
    with pytest.raises(DataError, match="inputs and groups have the same index in different ord"):
        tree_ensemble(4, data=(frame, LABELS), groups=turned)
    with pytest.raises(DataError, match="inputs and sample_weight have the same index"):
        tree_ensemble(4, data=(frame, LABELS), arguments={"sample_weight": turned})
    mask = turned < 3
    with pytest.raises(DataError, match="inputs and leave_out have the same index"):
        tree_ensemble(4, data=(frame, LABELS), leave_out=mask)
    fit = op.fit_estimator(DecisionTreeClassifier(), (frame, LABELS), op.Streams(0), rows=mask)
    with pytest.raises(DataError, match="inputs and rows have the same index"):
        op.solve(fit)
    without = tree_ensemble(4, data=(frame, LABELS), leave_out=mask.loc[frame.index])
    assert np.flatnonzero(~without.in_subset.any(0)).tolist() == [0, 1, 2, 3, 4, 5]
    joined = tree_ensemble(4, data=(frame, LABELS), groups=turned.loc[frame.index])
    assert (joined.in_subset[:, ::2] == joined.in_subset[:, 1::2]).all()


def test_groups_of_several_columns_are_refused():
    with pytest.raises(DataError, match="groups must be one value for each row"):
        tree_ensemble(4, groups=np.zeros((N_ROWS, 2)))


def test_half_precision_is_taken_by_all():
    halves = torch.tensor(INPUTS).bfloat16()
    assert tree_ensemble(4, data=(halves, LABELS)).n_models == 4
    found = op.subset_ensemble(NET, halves, LABELS, 4, recipe=RECIPE, workers=0)
    assert found.n_models == 4


def test_a_number_of_models_that_is_none():
    with pytest.raises(UsageError, match="n_models"):
        tree_ensemble(0)


def test_a_function_that_makes_networks_makes_another_for_each_member():
    made = []

    def make():
        made.append(nn.Linear(3, 2))
        return made[-1]

    op.subset_ensemble(make, INPUTS, LABELS, 4, recipe=RECIPE, workers=0)
    weights = {tuple(net.weight.detach().flatten().tolist()) for net in made}
    assert len(weights) >= 5  # those of the members, and one between two calls that must agree


def test_a_function_that_makes_an_estimator_is_as_good_as_the_estimator():
    def make():
        torch.rand(1)
        return DecisionTreeClassifier(max_depth=2)

    before = torch.get_rng_state()
    made, given = (prepare(m, INPUTS, LABELS) for m in (make, DecisionTreeClassifier(max_depth=2)))
    assert torch.equal(torch.get_rng_state(), before)
    assert made.digest == given.digest
    assert made.model == "DecisionTreeClassifier"


def test_a_module_with_weights_starts_from_them_in_every_member():
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    still = op.Recipe(epochs=1, learning_rate=1e-12)
    found = op.subset_ensemble(net, INPUTS, LABELS, 4, recipe=still, workers=0)
    margins = found.columns["margin"]
    np.testing.assert_allclose(margins, np.tile(margins[:1], (4, 1)), rtol=1e-5)


def test_whole_numbers_become_floating_for_a_network_that_takes_none():
    whole = (INPUTS * 10).astype(int)
    found = op.subset_ensemble(NET, whole, LABELS, 4, recipe=RECIPE, workers=0)
    assert any("given as floating" in note for note in found.notes)


def test_subsets_have_their_share_of_every_class():
    found = tree_ensemble(10, by_class=True)
    shares = found.in_subset[:, found.labels == 1].mean(1)
    assert np.ptp(found.in_subset[:, found.labels == 1].sum(1)) <= 1
    assert np.ptp(found.in_subset.sum(1)) <= 1
    assert np.ptp(shares) < np.ptp(tree_ensemble(10).in_subset[:, found.labels == 1].mean(1))


class Weighed(DecisionTreeClassifier):
    """Fails where weights are not those of the rows."""

    def fit(self, X, y, sample_weight):
        np.testing.assert_array_equal(sample_weight, X[:, 0])
        return super().fit(X, y)


def test_fit_arguments_are_cut_to_the_rows():
    found = tree_ensemble(6, model=Weighed(), arguments={"sample_weight": INPUTS[:, 0]})
    assert found.n_models == 6
    assert found.findings == ()


def test_fit_arguments_are_of_all_rows_and_never_of_a_subset():
    n, size = len(INPUTS), round(0.7 * len(INPUTS))
    for name, value in (("sample_weight", np.ones(size)), ("offset", [1.0] * size)):
        with pytest.raises(UsageError, match=f"{name} has not one value.*as a subset has rows"):
            tree_ensemble(4, model=Weighed(), arguments={name: value})
    with pytest.raises(
        UsageError, match=f"sample_weight has not one value.*got '{size + 1}'; allo"
    ):
        tree_ensemble(4, model=Weighed(), arguments={"tree__sample_weight": np.ones(size + 1)})
    refuse_rows_of_subsets({"names": ["a"] * size, "cost": 2.0, "by": {0: 1}}, n, {size})
