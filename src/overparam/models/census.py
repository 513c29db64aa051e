"""The census: how large a model is, and where it stands against its interpolation threshold."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import nn

from overparam.checks import check_count
from overparam.data.dataset import Dataset
from overparam.errors import UsageError
from overparam.models.census_estimators import count_estimator, n_outputs_of
from overparam.models.census_layers import LayerCount, count_module, last_linear_width

TABLE_HEADER = ("layer", "kind", "weights", "biases", "trainable", "buffers")


@dataclass(frozen=True)
class Census:
    """The size of one model, told without running it.

    Attributes:
        name: type of the model. library: ``"torch"`` or ``"sklearn"``.
        layers: counts by layer.
        hyperparameters: (name, value) pairs, as text.
        n_train: training examples n, or None where unknown.
        n_outputs: outputs K of the model, or None where unknown.
        is_complete: False where the size is known only after fitting or a first forward pass.
        notes: what cannot be known, and how things were counted.

    The parameter counts are None where `is_complete` is False.
    """

    name: str
    library: str
    layers: tuple[LayerCount, ...]
    hyperparameters: tuple[tuple[str, str], ...]
    n_train: int | None
    n_outputs: int | None
    is_complete: bool
    notes: tuple[str, ...]

    @property
    def n_params(self) -> int | None:
        """Weights and biases, shared ones counted once."""
        return self._total("n_params")

    @property
    def n_weights(self) -> int | None:
        """Parameters other than biases."""
        return self._total("n_weights")

    @property
    def n_biases(self) -> int | None:
        """Offsets."""
        return self._total("n_biases")

    @property
    def n_trainable(self) -> int | None:
        """Parameters that are learned."""
        return self._total("n_trainable")

    @property
    def n_frozen(self) -> int | None:
        """Parameters that are not learned."""
        return self._total("n_frozen")

    @property
    def n_buffers(self) -> int | None:
        """Numbers kept but not learned: running statistics, stored rows, support vectors."""
        return self._total("n_buffers")

    @property
    def n_non_embedding(self) -> int | None:
        """Parameters without look-up tables of token vectors; None where there are none."""
        if not any(layer.is_embedding for layer in self.layers) or not self.is_complete:
            return None
        return sum(layer.n_params for layer in self.layers if not layer.is_embedding)

    @property
    def n_nodes(self) -> int | None:
        """Nodes of decision trees; None where there are no trees."""
        return sum(layer.n_nodes for layer in self.layers) or None

    @property
    def n_leaves(self) -> int | None:
        """Leaves of decision trees; None where there are no trees."""
        return sum(layer.n_leaves for layer in self.layers) or None

    @property
    def params_per_example(self) -> float | None:
        """Trainable parameters per training example; None where either is unknown."""
        if self.n_trainable is None or self.n_train is None:
            return None
        return self.n_trainable / self.n_train

    @property
    def interpolation_threshold(self) -> int | None:
        """n_train x n_outputs: as many equations as the training set poses.

        A linear-in-parameters model with this many free parameters can fit any labels; for networks
        trained on squared error it is where the peak was found (Belkin et al. 2019, Fig. 3). With
        cross-entropy the peak is at the effective model complexity, which must be measured.
        """
        if self.n_train is None or self.n_outputs is None:
            return None
        return self.n_train * self.n_outputs

    @property
    def threshold_ratio(self) -> float | None:
        """Trainable parameters over the interpolation threshold; None where either is unknown."""
        if self.n_trainable is None or self.interpolation_threshold is None:
            return None
        return self.n_trainable / self.interpolation_threshold

    @property
    def regime(self) -> str | None:
        """``"below"``, ``"at"`` (equal) or ``"above"`` the interpolation threshold, or None."""
        ratio = self.threshold_ratio
        if ratio is None:
            return None
        return "at" if ratio == 1 else "below" if ratio < 1 else "above"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        derived = {
            name: getattr(self, name)
            for name, member in inspect.getmembers(type(self))
            if isinstance(member, property)
        }
        layers = [dataclasses.asdict(layer) for layer in self.layers]
        return {
            "name": self.name,
            "library": self.library,
            "n_train": self.n_train,
            "n_outputs": self.n_outputs,
            "is_complete": self.is_complete,
            **derived,
            "hyperparameters": dict(self.hyperparameters),
            "layers": layers,
            "notes": list(self.notes),
        }

    def table(self) -> list[tuple[str, str, int, int, int, int]]:
        """Return a row for each layer and, last, the total; columns as in `TABLE_HEADER`."""
        total = LayerCount("total", self.name)
        for layer in self.layers:
            total = total.plus(layer)
        return [
            (row.name, row.kind, row.n_weights, row.n_biases, row.n_trainable, row.n_buffers)
            for row in (*self.layers, total)
        ]

    def _total(self, field: str) -> int | None:
        return sum(getattr(layer, field) for layer in self.layers) if self.is_complete else None


def census(
    target: Any,
    train_set: Dataset | None = None,
    *,
    n_train: int | None = None,
    n_outputs: int | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Census:
    """Count the parameters of a model and place it against its interpolation threshold.

    Args:
        target: an `nn.Module`, or a scikit-learn estimator or pipeline, fitted or not.
        train_set: the training set; gives n_train, n_outputs and input_shape at once.
        n_train: number of training examples, where there is no `train_set`.
        n_outputs: outputs K; where not given, read from the model as far as it tells.
        input_shape: shape of one input; fills in lazy layers, and unfitted linear models and
            networks of scikit-learn.

    Cost: walks the model once; nothing is trained, and the model is left as it was.

    Raises:
        UsageError: a target of another kind, a class in place of an instance, or a count < 1.

    >>> from overparam.models.dense import mlp
    >>> size = census(mlp(784, 50, 10), n_train=4_000)
    >>> size.n_params, size.interpolation_threshold, size.regime
    (39760, 40000, 'below')
    """
    for name, value in (("n_train", n_train), ("n_outputs", n_outputs)):
        if value is not None:
            check_count(name, value)
    n_targets = n_outputs
    if train_set is not None:
        n_train = len(train_set) if n_train is None else n_train
        n_targets = train_set.n_outputs if n_targets is None else n_targets
        input_shape = train_set.input_shape if input_shape is None else input_shape
    if isinstance(target, nn.Module):
        found = n_targets if n_targets is not None else last_linear_width(target)
        layers, notes, is_complete = count_module(target, input_shape)
        library, hyperparameters = "torch", _module_settings(target)
    elif hasattr(target, "get_params") and hasattr(target, "fit") and not isinstance(target, type):
        found = n_outputs_of(target, n_targets)
        n_features = None if input_shape is None else prod(input_shape)
        layers, notes, is_complete = count_estimator(target, n_features, found, n_train)
        library, hyperparameters = "sklearn", target.get_params(deep=True)
    else:
        raise UsageError(
            "cannot take the census of this object",
            got=repr(target)[:80],
            allowed="an nn.Module or a scikit-learn estimator",
            remedy="pass an instance, such as LogisticRegression()"
            if isinstance(target, type)
            else "wrap it in an nn.Module",
        )
    if n_outputs is None:
        n_outputs = found
        if found is not None and found != n_targets:
            notes.append(f"n_outputs = {found} is read from the model")
    if n_train is None:
        notes.append("n_train is not given, so the interpolation threshold is not known")
    elif n_outputs is None:
        notes.append("n_outputs is not known, so neither is the interpolation threshold")
    if train_set is not None:
        notes = [*notes, *train_set.notes]
    return Census(
        type(target).__name__,
        library,
        tuple(layers),
        tuple((key, str(value)) for key, value in sorted(hyperparameters.items())),
        n_train,
        n_outputs,
        is_complete,
        tuple(notes),
    )


def _module_settings(module: nn.Module) -> dict[str, Any]:
    """Return the settings of each layer that has no parts of its own, such as sizes and strides."""
    settings = {}
    for name, part in module.named_modules():
        if next(part.children(), None) is None and part.extra_repr():
            settings[name or "(root)"] = f"{type(part).__name__}({part.extra_repr()})"
    return settings
