"""The census: how large a model is, and where it stands against its interpolation threshold."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from math import prod
from textwrap import shorten
from typing import Any

from torch import nn

from overparam.checks import check_count
from overparam.errors import UsageError
from overparam.models.census_estimators import count_estimator
from overparam.models.census_layers import LayerCount, count_module
from overparam.models.census_outputs import estimator_outputs, module_outputs
from overparam.models.census_settings import estimator_settings, module_settings, text_of
from overparam.models.census_train_set import TrainSet, read_train_set
from overparam.models.estimator_attributes import is_estimator
from overparam.models.targets import blaming
from overparam.models.trial import is_lazy

TABLE_HEADER = ("layer", "kind", "weights", "biases", "trainable", "buffers")
_TABLE_FIELDS = ("n_weights", "n_biases", "n_trainable", "n_buffers")
_THRESHOLD_FIELDS = ("interpolation_threshold", "threshold_ratio", "regime")


@dataclass(frozen=True, repr=False)
class Census:
    """The size of one model, told without running it.

    Attributes:
        name: type of the model. library: ``"torch"`` or ``"sklearn"``.
        layers: counts by layer.
        hyperparameters: (name, value) pairs, as text.
        n_train: training examples n, or None where unknown.
        n_outputs: outputs K of the model, or None where unknown.
        is_complete: False where the size is known only after fitting or a first forward pass, or
            where something in the model cannot be counted.
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

    def table(self) -> list[tuple[str, str, int | None, int | None, int | None, int | None]]:
        """Return a row for each layer and, last, the total; columns as in `TABLE_HEADER`."""
        rows = [(x.name, x.kind, *(getattr(x, f) for f in _TABLE_FIELDS)) for x in self.layers]
        return [*rows, ("total", self.name, *(getattr(self, f) for f in _TABLE_FIELDS))]

    def __repr__(self) -> str:
        layers, kept = f"{len(self.layers)} layer(s)", "" if self.is_complete else ", not complete"
        lines = [f"Census of {self.name} ({self.library}): {layers}{kept}"]
        for field in ("n_params", "n_trainable", "n_train", "n_outputs", *_THRESHOLD_FIELDS):
            value = getattr(self, field)
            shown = (
                f"{value:.3g}"
                if isinstance(value, float)
                else f"{value:,}"
                if isinstance(value, int)
                else value
            )
            lines.append(f"  {field:<23} {shown}")
        if self.notes:
            lines.append(f"  notes: {len(self.notes)}, the first: {shorten(self.notes[0], 70)}")
        return "\n".join(lines)

    def _total(self, field: str) -> int | None:
        return sum(getattr(layer, field) for layer in self.layers) if self.is_complete else None


def census(
    target: Any,
    train_set: Any = None,
    *,
    n_train: int | None = None,
    n_outputs: int | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Census:
    """Count the parameters of a model and place it against its interpolation threshold.

    Args:
        target: an `nn.Module`, or an estimator with scikit-learn's interface, fitted or not.
        train_set: the training set, in any form that `fit` takes; gives n_train, input_shape and
            the classes at once.
        n_train: number of training examples, where there is no `train_set`.
        n_outputs: outputs K, where they cannot be read from the model or are to be others. One
            number that tells two classes apart is one output, also where 2 is given here.
        input_shape: shape of one input; with it the outputs are read from a forward pass of a
            copy, lazy layers are filled in, and unfitted linear models are counted.

    Cost: walks the model once, and runs a copy on two inputs; nothing is trained, and the model is
    left as it was.

    Raises:
        UsageError: a target of another kind, a class in place of an instance, a count < 1, or a
            model whose own code fails when it is looked into. DataError: as `fit`.

    >>> from overparam.models.dense import mlp
    >>> size = census(mlp(784, 50, 10), n_train=4_000)
    >>> size.n_params, size.interpolation_threshold, size.regime
    (39760, 40000, 'below')
    """
    for name, value in (("n_train", n_train), ("n_outputs", n_outputs)):
        if value is not None:
            check_count(name, value)
    for value in input_shape or ():
        check_count("input_shape", value)
    if not (isinstance(target, nn.Module) or is_estimator(target)):
        raise UsageError(
            "cannot take the census of this object",
            got=text_of(target)[:80],
            allowed="an nn.Module or a scikit-learn estimator",
            remedy="pass an instance, such as LogisticRegression()"
            if isinstance(target, type)
            else "wrap it in an nn.Module",
        )
    name = type(target).__name__
    if train_set is not None:
        train_set = read_train_set(target, train_set)
        n_train = train_set.n if n_train is None else n_train
        input_shape = train_set.input_shape if input_shape is None else input_shape
    with blaming(f"the census of {name}"):
        if isinstance(target, nn.Module):
            library, settings = "torch", module_settings(target)
            whole = None if train_set is None else train_set.whole
            read, why, filled = module_outputs(target, input_shape, whole)
            counted = filled if filled is not None and is_lazy(target) else target
            layers, notes, is_complete = count_module(counted)
        else:
            library, settings = "sklearn", estimator_settings(target)
            n_targets = train_set.n_outputs if train_set is not None else None
            n_targets = n_outputs if n_outputs is not None else n_targets
            read, why = estimator_outputs(target, n_targets, input_shape)
            n_features = None if input_shape is None else prod(input_shape)
            layers, notes, is_complete = count_estimator(target, n_features, read, n_train)
    n_outputs, words = _agree(read, why, n_outputs, train_set)
    notes += words
    if n_train is None:
        notes.append("n_train is not given, so the interpolation threshold is not known")
    elif n_outputs is None:
        notes.append("n_outputs is not known, so neither is the interpolation threshold")
    if train_set is not None:
        notes = [*notes, *train_set.notes]
    return Census(
        name,
        library,
        tuple(layers),
        tuple(sorted(settings.items())),
        n_train,
        n_outputs,
        is_complete,
        tuple(notes),
    )


def _agree(
    read: int | None, why: list[str], given: int | None, train_set: TrainSet | None
) -> tuple[int | None, list[str]]:
    """Return the outputs and notes, from what was read, what was given, and the training set."""
    if given is not None:
        if read == 1 and given == 2:
            return 1, ["one number tells two classes apart: n_outputs = 1"]
        if read is None or read == given:
            return given, []
        return given, [*why, f"n_outputs = {given} is given; the model returns {read:,} numbers"]
    if read is not None:
        notes = [*why, f"n_outputs = {read} is read from the model"]
        if train_set is not None and read != train_set.n_outputs:
            of = "targets" if train_set.n_classes is None else "classes"
            notes.append(f"the training set has {train_set.n_outputs:,} {of}")
        return read, [] if train_set is not None and len(notes) == 1 else notes
    if train_set is None:
        return None, why
    if train_set.n_classes == 2:
        return None, [*why, "two classes can be told apart by one number or two: give n_outputs"]
    return train_set.n_outputs, [*why, "n_outputs is that of the training set"]
