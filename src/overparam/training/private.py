"""`PrivateSgd`: training with differential privacy, as a function that `fit_estimator` fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.checks import check_count, check_range
from overparam.data.arrays import as_tensor
from overparam.data.dataset import Dataset
from overparam.data.examples import Examples
from overparam.errors import DataError, UsageError
from overparam.streams import Streams
from overparam.training.copies import copy_module, precision_of
from overparam.training.initialise import materialise
from overparam.training.interaction import others_matter
from overparam.training.modes import Modes
from overparam.training.row_gradients import clipped_sum
from overparam.training.undisturbed import undisturbed

_TRIED_ROWS = 16  # by which it is found out whether rows decide each other's outputs
_SHAKEN = 0.1  # standard deviation that weights are moved by first: zeros would hide it


@dataclass(frozen=True, eq=False)
class PrivateSgd:
    """DP-SGD: gradients clipped row by row, and Gaussian noise on their sum.

    In each of T updates every row is drawn with probability q, whatever becomes of the others; the
    gradient of the cross-entropy of each drawn row is cut to length C; and

    w <- w - eta (sum of the cut gradients + sigma C z) / B,   z standard normal.

    B is a number that is given and not counted: how many rows there are is private too. What that
    bounds is said by `overparam.theory.SubsampledGaussian(sigma, q, T)`: neighbours differ by one
    row added or removed. With sigma = 0 it is clipped SGD, and bounds nothing.

    It is ``fit(rows, seed) -> predict``, and so is given to `fit`, `fit_estimator` and
    `subset_ensemble` in place of an estimator, beside the same data; it predicts probabilities.

    Attributes:
        model: from `[n, *shape]` to `[n, K]`; it is not changed. On the meta device (as the
            families build it) its weights come from the seed. Frozen parameters stay, and so
            does a part that is in evaluation mode within a model in training mode.
        data: all rows, of classes. n_steps: T. sampling_rate: q in (0, 1].
        batch_size: B > 0, usually the number of rows to be expected in a batch.
        clip_norm: C > 0, over all parameters together. noise_multiplier: sigma >= 0.
        learning_rate: eta > 0.

    Raises:
        UsageError: a number out of range, or data without classes. When it is fitted: beside other
            rows or labels than `data`; a model that does not treat each row by itself, as batch
            normalization does not; or weights that become infinite.

    Streams of the seed: ``init``, ``batches``, ``noise``, and ``layers`` for random layers. Whoever
    knows the seed knows the noise, and floating-point noise is not exactly Gaussian: for
    experiments, not to publish models of anybody's data.

    Cost: T q n gradients, one for each row, by `torch.func` where it can map the model over rows
    and else one after another, and a few passes of sixteen rows. Source: Abadi et al. 2016
    (arXiv:1607.00133), algorithm 1.

    >>> from overparam.data.dataset import make_dataset
    >>> from overparam.training.fit import fit
    >>> data = make_dataset([[-1.0], [1.0]] * 50, [0, 1] * 50, name="two places")
    >>> private = PrivateSgd(
    ...     nn.Linear(1, 2), data, n_steps=50, sampling_rate=0.5, batch_size=50, clip_norm=1.0,
    ...     noise_multiplier=1.0, learning_rate=0.5,
    ... )
    >>> fit(private, data).predict(data.inputs[:2]).tolist()
    [0, 1]
    """

    model: nn.Module
    data: Dataset
    n_steps: int
    sampling_rate: float
    batch_size: float
    clip_norm: float
    noise_multiplier: float
    learning_rate: float

    def __post_init__(self) -> None:
        check_count("n_steps", self.n_steps)
        check_range("sampling_rate", self.sampling_rate, 0, 1, open_low=True)
        check_range("noise_multiplier", self.noise_multiplier, 0)
        for name in ("batch_size", "clip_norm", "learning_rate"):
            check_range(name, getattr(self, name), 0, open_low=True)
        classes = getattr(self.data, "n_classes", None)
        if not isinstance(self.data, Dataset) or classes is None:
            raise UsageError(
                "DP-SGD needs rows of classes",
                got=repr(self.data) if isinstance(self.data, Dataset) else type(self.data).__name__,
                allowed="a Dataset with n_classes",
                remedy="write op.make_dataset(X, y, n_classes=K)",
            )

    def check_data(self, examples: Examples) -> None:
        """Refuse to be fitted beside other rows than its own: it would be judged by them.

        Raises:
            UsageError: inputs or labels are others, or stand in another order.
        """
        differs = _difference(self.data, examples)
        if differs:
            raise UsageError(
                "private training has its own data, and is fitted beside others",
                got=differs,
                allowed=f"the rows and labels of {self.data!r}, in their order",
                remedy="give the Dataset itself, or make PrivateSgd of the data that it is fitted "
                "beside",
            )

    def __call__(self, rows: np.ndarray, seed: int) -> Callable[[Any], Tensor]:
        """Train on some rows, positions in `data`, and return the function that predicts."""
        streams = Streams(int(seed))
        module = materialise(self.model, streams, torch.float32)
        modes, at = Modes(module), torch.as_tensor(rows)
        inputs = _numbers(self.data.base[self.data.rows[at]])
        _refuse_interaction(module, modes, inputs)
        modes.set(True)
        with streams.global_generators("layers"):
            self._train(module, inputs, self.data.labels[at], streams)
        if not all(bool(torch.isfinite(p).all()) for p in module.parameters()):
            raise UsageError(
                "weights became infinite in private training",
                got=f"learning_rate={self.learning_rate:g}",
                remedy="use a smaller learning_rate",
            )
        return partial(_probabilities, module.eval())

    def _train(self, module: nn.Module, inputs: Tensor, labels: Tensor, streams: Streams) -> None:
        weights = {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}
        batches, noise = streams.torch("batches"), streams.torch("noise")
        spread, rate = self.noise_multiplier * self.clip_norm, self.learning_rate / self.batch_size
        for _ in range(self.n_steps):
            drawn = torch.rand(len(inputs), generator=batches) < self.sampling_rate
            total = clipped_sum(module, weights, inputs[drawn], labels[drawn], self.clip_norm)
            for name, weight in weights.items():  # which share memory with the module's own
                step = total[name] + spread * torch.randn(weight.shape, generator=noise)
                weight -= rate * step


def _difference(own: Dataset, examples: Examples) -> str:
    """Return what differs between data, in a few words; of what is equal nothing."""
    if len(examples) != len(own):
        return f"{len(examples):,} rows"
    try:
        given = _numbers(as_tensor("inputs", examples.inputs)).reshape(len(own), -1)
    except DataError:
        return "inputs that are no numbers"
    inputs = _numbers(own.inputs).reshape(len(own), -1)
    if given.shape != inputs.shape:
        return f"{given.shape[1]} numbers in each row"
    apart = int((given != inputs).any(1).sum())
    if apart:
        return f"other inputs in {apart:,} of {len(own):,} rows"
    if examples.classes is None:
        return "targets in place of classes"
    apart = int((torch.as_tensor(examples.labels) != own.labels).sum())
    return f"other labels in {apart:,} of {len(own):,} rows" if apart else ""


def _refuse_interaction(module: nn.Module, modes: Modes, inputs: Tensor) -> None:
    """Refuse a model of which a row's outputs depend on other rows, in training or when asked.

    Raises:
        UsageError: they do.
    """
    spread = torch.linspace(0, len(inputs) - 1, min(_TRIED_ROWS, len(inputs))).long()
    for training in (True, False):
        modes.set(training)
        trial = copy_module(module)
        with undisturbed(), torch.no_grad():
            for parameter in trial.parameters():
                parameter.add_(_SHAKEN * torch.randn_like(parameter))
        if others_matter(trial, inputs[spread]):
            raise UsageError(
                "private training is of models that treat every row by itself",
                got=f"{type(module).__name__}, of which a row's outputs "
                f"{'in training' if training else 'when it is asked'} depend on other rows",
                allowed="no mean, maximum, softmax or attention over the rows of a batch",
                remedy="use group or layer normalization in place of batch normalization, or keep "
                "it in evaluation mode; say batch_first=True where a layer has it",
            )


@torch.no_grad()
def _probabilities(module: nn.Module, inputs: Any) -> Tensor:
    rows = _numbers(inputs if isinstance(inputs, Tensor) else torch.tensor(np.asarray(inputs)))
    return module(rows).double().softmax(1)


def _numbers(inputs: Tensor) -> Tensor:
    """Return inputs in float32, or whole numbers (token ids) as they are."""
    return inputs.to(precision_of(inputs.dtype, torch.float32))
