"""What an ensemble is made of: a network with its recipe, an estimator, a function of one's own.

Each is turned into a `Learner` once; from then on a member is fitted and asked in the same way.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from overparam.data.dataset import Dataset
from overparam.data.examples import Examples
from overparam.ensembles.fit_arguments import refuse_rows_of_subsets
from overparam.ensembles.made_twice import largest_gap, weights_of
from overparam.errors import UsageError
from overparam.measures.proxies import cumulative_loss
from overparam.measures.rows_seen import WatchLosses, watchable
from overparam.models.targets import blaming, find_object, find_target, load_target, sources_of
from overparam.streams import Streams, own_generators
from overparam.training.fit_estimator import fit_estimator
from overparam.training.fitted import Fitted
from overparam.training.recipe import Recipe
from overparam.training.train import train

MakeModel = Callable[[], nn.Module]
_BATCH = 64  # rows that a network is tried on where a batch is all rows


class Learner(Protocol):
    """Fits one member of an ensemble.

    Attributes:
        inputs, test_inputs: of all rows, and of the evaluated ones, as `predict` takes them.
        may_keep_state: whether a fit could know of the fits before it, so that this is tried.
        stack_size: members that are fitted side by side.
        is_traced: whether a fit tells what it says of rows along the way, `fit_watched`.
    """

    @property
    def inputs(self) -> Any:
        """All rows."""

    @property
    def test_inputs(self) -> Any:
        """The evaluated rows, or None."""

    @property
    def may_keep_state(self) -> bool:
        """Whether a fit could know of those before it."""

    @property
    def stack_size(self) -> int:
        """Members of one unit of work."""

    @property
    def is_traced(self) -> bool:
        """Whether a fit tells of rows along the way."""

    async def fit(self, rows: np.ndarray, streams: Streams) -> Any:
        """Return a model fitted to some rows, for `predict`."""


@dataclass(frozen=True, eq=False)
class NetworkLearner:
    """Networks, each trained by the recipe from weights of its own.

    Attributes:
        model: a module, or a function that makes one.
        data, test_data: all rows, and the evaluated ones.
    """

    model: nn.Module | MakeModel
    recipe: Recipe
    data: Dataset
    test_data: Dataset | None = None
    is_traced = True
    stack_size = 4  # what a kill costs at most, and enough for two workers from K = 8 on

    @property
    def inputs(self) -> Any:
        """All rows."""
        return self.data.inputs

    @property
    def test_inputs(self) -> Any:
        """The evaluated rows."""
        return None if self.test_data is None else self.test_data.inputs

    @property
    def may_keep_state(self) -> bool:
        """Whether a function makes it: of a module a copy is trained."""
        return not isinstance(self.model, nn.Module)

    async def fit(self, rows: np.ndarray, streams: Streams) -> Any:
        """Train a network on some rows."""
        subset = self.data.subset(torch.from_numpy(rows))
        return await train(self.make(streams), subset, self.recipe, streams)

    async def fit_watched(self, streams: Streams) -> tuple[Fitted, np.ndarray]:
        """Train one network on all rows; return it with each row's loss, summed on the way."""
        recipe = watchable(self.recipe, len(self.data))
        watch = WatchLosses(self.data)
        fitted = await train(self.make(streams), self.data, recipe, streams, watch=watch)
        return fitted, cumulative_loss(np.stack(fitted.trace.watched))

    def make(self, streams: Streams) -> nn.Module:
        """Return the module that is trained: what a function makes draws from its own stream."""
        if isinstance(self.model, nn.Module):
            return self.model
        with streams.global_generators("model"), blaming(name_of(self.model)):
            made = self.model()
        if not isinstance(made, nn.Module):
            raise UsageError(
                f"{name_of(self.model)} made no network",
                got=type(made).__name__,
                allowed="an nn.Module, where a recipe is given",
                remedy="leave out the recipe for an estimator or a fit(rows, seed) of your own",
            )
        return made

    def check_trains(self, made: nn.Module, classes: np.ndarray | None) -> None:
        """Refuse, by one batch, what could be trained on no subset: every member would fail.

        Args:
            made: the network. classes: that occur, which are counted here and nowhere else;
                None of targets.

        Raises:
            UsageError, DataError: as `train`.
        """
        batch = self.data.head(min(len(self.data), self.recipe.batch_size or _BATCH))
        try:
            train(made, batch, self.recipe, Streams(0)).close()
        except UsageError as error:
            if classes is None:
                raise
            named = ", ".join(map(str, classes[:20].tolist()))
            counted = f"an ensemble counts the classes that occur, here {len(classes)}: {named}"
            said = "; ".join(filter(None, [error.remedy, counted]))
            raise UsageError(
                error.what, got=error.got, allowed=error.allowed, remedy=said
            ) from None

    def gap_when_made_again(self, streams: Streams) -> float:
        """Return how far weights are apart that are made twice of equal streams.

        Others are made in between: what a function keeps of them would show.
        """
        first = weights_of(self.make(streams))
        self.make(streams.child("in between"))
        return largest_gap(first, weights_of(self.make(streams)))


@dataclass(frozen=True, eq=False)
class EstimatorLearner:
    """Scikit-learn estimators, or what ``fit(rows, seed) -> predict`` returns.

    Attributes:
        estimator: cloned for each member, or the function. data, test_data: all rows, and the
            evaluated ones. arguments: of fit, such as ``sample_weight``, of all rows.
    """

    estimator: Any
    data: Examples
    test_data: Examples | None = None
    arguments: Mapping[str, Any] | None = None
    stack_size = 1  # nothing is gained by fitting them side by side
    is_traced = False

    @property
    def inputs(self) -> Any:
        """All rows."""
        return self.data.inputs

    @property
    def test_inputs(self) -> Any:
        """The evaluated rows."""
        return None if self.test_data is None else self.test_data.inputs

    @property
    def may_keep_state(self) -> bool:
        """Whether it is the user's own: scikit-learn's are cloned and keep nothing."""
        return type(self.estimator).__module__.partition(".")[0] != "sklearn"

    async def fit(self, rows: np.ndarray, streams: Streams) -> Any:
        """Fit an estimator to some rows."""
        refuse_rows_of_subsets(self.arguments, len(self.data), {len(rows)})
        return await fit_estimator(
            self.estimator, self.data, streams, rows=rows, arguments=self.arguments
        )


@dataclass(frozen=True)
class Named:
    """A function by its name, ``module:make`` or a family, which any process can find.

    Its module is imported apart from the call: that may draw random numbers, once in a process.
    """

    target: str

    @property
    def __name__(self) -> str:
        return self.target

    @property
    def files(self) -> list[Any]:
        """The user's files of which it is made."""
        return sources_of(self.target)


class NamedModel(Named):
    """What makes a model."""

    def __call__(self, **arguments: Any) -> Any:
        """Return the model; arguments win over those in its name."""
        with own_generators():
            make = find_target(self.target)
        return make(**arguments)


class NamedFit(Named):
    """``fit(rows, seed) -> predict``."""

    def __call__(self, rows: np.ndarray, seed: int) -> Any:
        """Return what predicts."""
        with own_generators():
            fit, _ = find_object(self.target)
        return fit(rows, seed)


def named_model(target: str) -> Any:
    """Return the model that a target names, as `subset_ensemble` takes it.

    A network, by its name; an estimator, or what a class or a function makes of one; or
    ``fit(rows, seed) -> predict``, by its name, which is what a function is whose arguments are
    called so.

    Raises:
        UsageError: nothing of this name, it fails, or arguments for what takes rows and a seed.
    """
    found, arguments = find_object(target)
    if not _fits_rows(found):
        made = load_target(target)
        return NamedModel(target) if isinstance(made, nn.Module) else made
    if arguments:
        raise UsageError(
            f"{target} is given rows and a seed, and nothing else",
            got=", ".join(arguments),
            remedy="let it hold what it needs, or name a function that makes it",
        )
    return NamedFit(target)


def made_by(model: Any) -> Any:
    """Return the estimator, or network, that a function without arguments makes; else the model.

    >>> from sklearn.tree import DecisionTreeClassifier
    >>> made_by(lambda: DecisionTreeClassifier(max_depth=2)).max_depth
    2
    """
    if not inspect.isroutine(model):
        return model
    try:
        inspect.signature(model).bind()
    except (TypeError, ValueError):  # it takes rows and a seed; or it has no signature
        return model
    with Streams(0).global_generators("model"), blaming(name_of(model)):
        made = model()
    return made if is_estimator(made) or isinstance(made, nn.Module) else model


def _fits_rows(found: Any) -> bool:
    if not inspect.isroutine(found):
        return False
    try:
        return list(inspect.signature(found).parameters)[:2] == ["rows", "seed"]
    except (TypeError, ValueError):  # some built-in functions have no signature
        return False


def name_of(model: Any) -> str:
    """Return what to call a model, a function or an estimator in one word.

    >>> name_of(nn.Linear(2, 1)), name_of(nn.Linear)
    ('Linear', 'Linear')
    """
    return getattr(model, "__name__", None) or type(model).__name__


def is_estimator(model: Any) -> bool:
    """Whether it is an estimator: it has a ``fit`` and parameters to clone it by."""
    return hasattr(model, "fit") and hasattr(model, "get_params") and not isinstance(model, type)


def own_copy_of(arguments: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return fit arguments that the caller can no longer change."""
    return None if arguments is None else {k: copy.copy(v) for k, v in arguments.items()}
