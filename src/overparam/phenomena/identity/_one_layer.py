"""One linear layer on the identity task, as the matrices in which the theory speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from overparam.errors import UsageError
from overparam.theory.identity_map import (
    expected_error,
    image_patches,
    learned_map,
    off_span,
    principal_directions,
    remaining_error,
)

NOTHING = 1e-12  # share of an input's energy off the span below which the span holds all of it
BIN_EDGES = np.sqrt([0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0])  # of the correlation
BINS = tuple(zip(BIN_EDGES[:-1].tolist(), BIN_EDGES[1:].tolist(), strict=True))


@dataclass(frozen=True)
class LayerProblem:
    """What a layer f(x) = W x starts from, learns on and is tested on; float64.

    For a fully connected layer a row is an image and d its pixels; for a convolution a row is the
    patch at one pixel, and the target picks its centre.

    Attributes:
        start: W0 `[k, d]`. training: `[rows, d]`. inputs: `[n * rows an image, d]`.
        target: A `[k, d]`. n_inputs: n. n_examples: training images, over which the loss averages.
    """

    start: np.ndarray
    training: np.ndarray
    inputs: np.ndarray
    target: np.ndarray
    n_inputs: int
    n_examples: int

    @property
    def energies(self) -> np.ndarray:
        """Energies of the training rows along the directions that they span, `[rank]`."""
        return principal_directions(self.training)[0]

    def limit(self) -> np.ndarray:
        """Outputs after endless gradient descent, `[n, numbers an image]`."""
        return self._by_image(
            learned_map(self.start, self.training, self.inputs, target=self.target)
        )

    def after(self, n_steps: int, learning_rate: float, momentum: float = 0.0) -> np.ndarray:
        """Outputs after this many updates, `[n, numbers an image]`."""
        left = remaining_error(
            self.energies, n_steps, learning_rate, momentum=momentum, n_examples=self.n_examples
        )
        found = learned_map(
            self.start, self.training, self.inputs, target=self.target, remaining=left
        )
        return self._by_image(found)

    def projected(self) -> np.ndarray:
        """What is right in the outputs, A P x, `[n, numbers an image]`."""
        complement = off_span(self.training, self.inputs)
        return self._by_image((self.inputs - complement) @ self.target.T)

    def noise(self) -> np.ndarray:
        """Energy of W0 (x - P x) that a default start is expected to have, `[n]`.

        PyTorch draws the entries of linear and convolutional layers from U(-h, h), h = 1 / sqrt(d),
        of variance 1 / 3d.
        """
        k, d = self.start.shape
        complement = off_span(self.training, self.inputs)
        return self._by_image((complement**2).sum(1) * k / (3 * d)).sum(1)

    def predicted_errors(self, default_start: bool = True) -> np.ndarray:
        """Squared errors |f(x) - x|^2 expected over default starts, or from zero, `[n]`."""
        half_width = self.start.shape[1] ** -0.5 if default_start else 0.0
        complement = off_span(self.training, self.inputs)
        return self._by_image(expected_error(complement, half_width, self.target).mean).sum(1)

    def _by_image(self, rows: np.ndarray) -> np.ndarray:
        return rows.reshape(self.n_inputs, -1)


def layer_problem(model: nn.Module, training: Tensor, inputs: Tensor) -> LayerProblem:
    """Return the problem of a model that is one bias-free linear or convolutional layer.

    Args:
        model: with the weights that it starts from. training, inputs: `[n, 1, side, side]`.

    Raises:
        UsageError: more than one layer with weights, or another kind of layer.

    >>> images = Tensor(3, 1, 8, 8).zero_()
    >>> layer_problem(nn.Conv2d(1, 1, 5, bias=False), images[:1], images).inputs.shape
    (192, 25)
    """
    layers = [part for part in model.modules() if [*part.parameters(recurse=False)]]
    kinds = ", ".join(type(part).__name__ for part in layers)
    if len(layers) != 1 or not isinstance(layers[0], nn.Linear | nn.Conv2d):
        raise UsageError(
            "the formula is one of a single layer",
            got=kinds or "no layer with weights",
            allowed="one nn.Linear or nn.Conv2d",
        )
    weight = layers[0].weight.detach().double().flatten(1).numpy()
    if isinstance(layers[0], nn.Linear):
        rows = [images.flatten(1).double().numpy() for images in (training, inputs)]
        target = np.eye(weight.shape[1])
    else:
        size = int(layers[0].kernel_size[0])
        rows = [image_patches(images.double().numpy(), size) for images in (training, inputs)]
        target = np.zeros((1, size**2))
        target[0, size**2 // 2] = 1.0
    return LayerProblem(weight, rows[0], rows[1], target, len(inputs), len(training))


def cosines(images: Tensor, image: Tensor) -> np.ndarray:
    """Return <x, t> / |x| |t| of images `[n, ...]` with one image `[1, ...]`, `[n]`.

    >>> cosines(Tensor([[3.0, 4.0], [0.0, 2.0]]), Tensor([[1.0, 0.0]])).tolist()
    [0.6, 0.0]
    """
    x, t = images.flatten(1).double(), image.flatten(1).double()
    return nn.functional.cosine_similarity(x, t).numpy()


def means_by_bin(outcomes: Sequence[Any]) -> np.ndarray:
    """Return means over the test inputs in each bin of correlation, `[3, bins, seeds]`.

    Of the squared correlation, the error and the predicted error; NaN where a bin is empty.

    Args:
        outcomes: with `cosines`, `errors` and `predicted` of the same number of inputs.
    """
    n_bins = len(BIN_EDGES) - 1
    found = np.full((3, n_bins, len(outcomes)), np.nan)
    if not outcomes:
        return found
    cosine = np.stack([o.cosines for o in outcomes])
    errors, predicted = (
        np.stack([getattr(o, n) for o in outcomes]) for n in ("errors", "predicted")
    )
    bins, values = np.digitize(cosine, BIN_EDGES[1:-1]), np.stack([cosine**2, errors, predicted])
    for i in range(n_bins):
        inside = bins == i
        count = inside.sum(1)
        found[:, i, count > 0] = np.where(inside, values, 0).sum(2)[:, count > 0] / count[count > 0]
    return found
