"""`PrivateSgd`: training with differential privacy, as a function that `fit_estimator` fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from overparam.checks import check_count, check_range
from overparam.data.dataset import Dataset
from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.copies import first_line, precision_of
from overparam.training.initialise import materialise
from overparam.training.losses import loss_values

_MOST_NUMBERS = 2**25  # gradients of single rows that are held at once: 128 MiB

Weights = Mapping[str, Tensor]


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
            families build it) its weights come from the seed. Frozen parameters stay.
        data: all rows, of classes. n_steps: T. sampling_rate: q in (0, 1].
        batch_size: B > 0, usually the number of rows to be expected in a batch.
        clip_norm: C > 0, over all parameters together. noise_multiplier: sigma >= 0.
        learning_rate: eta > 0.

    Raises:
        UsageError: a number out of range, or data without classes. When it is fitted: a model
            whose rows are not treated each by itself, as by batch normalization, or weights that
            become infinite.

    Streams of the seed: ``init``, ``batches``, ``noise``, and ``layers`` for random layers. Whoever
    knows the seed knows the noise, and floating-point noise is not exactly Gaussian: for
    experiments, not to publish models of anybody's data.

    Cost: T q n gradients, one for each row, by `torch.func`. Source: Abadi et al. 2016
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

    def __call__(self, rows: np.ndarray, seed: int) -> Callable[[Any], Tensor]:
        """Train on some rows, positions in `data`, and return the function that predicts."""
        streams = Streams(int(seed))
        module = materialise(self.model, streams, torch.float32).train()
        at = torch.as_tensor(rows)
        inputs = _numbers(self.data.base[self.data.rows[at]])
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


def clipped_sum(
    module: nn.Module, weights: Weights, inputs: Tensor, labels: Tensor, clip_norm: float
) -> dict[str, Tensor]:
    """Return the sum over rows of the gradients of their cross-entropy, each of bounded length.

    A gradient g, over all weights together, becomes g min(1, C / |g|). One row more or less
    changes the sum by no more than length C, whatever the row and the weights.

    Args:
        module: gives all that is not among the weights. weights: by name, as its parameters.
        inputs: `[n, *shape]`, n may be 0. labels: int64 `[n]`. clip_norm: C.

    Raises:
        UsageError: the module does not treat each row by itself.
    """

    def loss(some: Weights, row: Tensor, label: Tensor) -> Tensor:
        outputs = functional_call(module, dict(some), (row[None],))
        return loss_values("cross_entropy", outputs, label[None]).sum()

    gradients_of = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    at_once = max(1, _MOST_NUMBERS // max(1, sum(w.numel() for w in weights.values())))
    for some in torch.arange(len(inputs)).split(at_once) if len(inputs) else ():
        try:
            gradients = gradients_of(weights, inputs[some], labels[some])
        except (RuntimeError, ValueError) as error:
            raise UsageError(
                "the gradient of a single row cannot be taken",
                got=first_line(error),
                allowed="a model from [1, *shape] to [1, K], which treats every row by itself",
                remedy="use group or layer normalization in place of batch normalization",
            ) from error
        squares = sum(g.flatten(1).square().sum(1) for g in gradients.values())
        kept = (clip_norm / torch.as_tensor(squares).sqrt()).clamp(max=1.0)
        for name, each in gradients.items():
            total[name] += torch.tensordot(kept, each, dims=1)
    return total


@torch.no_grad()
def _probabilities(module: nn.Module, inputs: Any) -> Tensor:
    rows = _numbers(inputs if isinstance(inputs, Tensor) else torch.tensor(np.asarray(inputs)))
    return module(rows).double().softmax(1)


def _numbers(inputs: Tensor) -> Tensor:
    """Return inputs in float32, or whole numbers (token ids) as they are."""
    return inputs.to(precision_of(inputs.dtype, torch.float32))
