"""Which map from images to images a network is: the identity, a constant, or an edge detector.

Source: the evaluation of Zhang et al. 2020, "Identity Crisis" (arXiv:1902.04698); its metrics are
correlation and mean squared error to the two targets. The edge score, the preference and the
likeness are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from overparam.errors import UsageError

_MOST_TARGETS = 10  # training images that count as constant targets one by one
_BLANK = 1e-6  # spread, relative to the image's size, below which it shows nothing


@dataclass(frozen=True)
class MapScores:
    """Scores of a network on n test inputs, float64 `[n]` each; see `score_map`.

    Attributes:
        identity_correlation, identity_mse: of the outputs with the inputs.
        constant_correlation, constant_mse: of the outputs with the training image.
        edge_score: correlation of the outputs with the edges of the inputs.
        baseline: correlation of the inputs with the training image; what the identity map has
            as its `constant_correlation`, and the constant map as its `identity_correlation`.
    """

    identity_correlation: Tensor
    constant_correlation: Tensor
    identity_mse: Tensor
    constant_mse: Tensor
    edge_score: Tensor
    baseline: Tensor

    @property
    def preference(self) -> Tensor:
        """(identity - constant correlation) / (1 - baseline), `[n]`: 1 for the identity map, -1
        for the constant map, whatever the input; 0 prefers neither. Beyond ±1 where an output
        is less like one target than the other target is. NaN where the input is the training
        image.

        It compares two correlations and says nothing of their size: other maps have 1 and -1 too,
        such as one that returns the negative of the training image. See `identity_likeness`."""
        distance = 1 - self.baseline
        raw = (self.identity_correlation - self.constant_correlation) / distance
        return torch.where(distance > _BLANK, raw, torch.nan)

    @property
    def identity_likeness(self) -> Tensor:
        """How like the identity map, `[n]`; see `likeness`."""
        return likeness(self.identity_correlation, self.constant_correlation, self.baseline)

    @property
    def constant_likeness(self) -> Tensor:
        """How like the constant map, `[n]`; see `likeness`."""
        return likeness(self.constant_correlation, self.identity_correlation, self.baseline)


def score_map(outputs: Tensor, inputs: Tensor, training: Tensor) -> MapScores:
    """Return how near a network is to the identity map and to the constant map.

    With x an input, f(x) the output, t the training image and corr the correlation over pixels:
    identity corr(f(x), x) and mean (f(x) - x)^2; constant corr(f(x), t) and mean (f(x) - t)^2;
    edges corr(f(x), |grad x|). With several training images the constant target is, for each
    output, the nearest of them and their mean (correlation and error each take the best); with
    more than 10 it is their mean alone, the constant that fits them best.

    Args:
        outputs, inputs: `[n, ...]` of equal shape. training: `[m, ...]`, m >= 1.

    Returns:
        Correlations in [-1, 1], errors >= 0 in squared pixel units.

    NaN: an output that is not finite has scores NaN; a blank output has correlation 0.

    Raises:
        UsageError: shapes that do not fit.

    Cost: O(n m pixels).

    >>> x = torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]]); t = x.flip(-1)
    >>> scores = score_map(x, x, t)
    >>> scores.identity_correlation.item(), scores.preference.item()
    (1.0, 1.0)
    """
    if outputs.shape != inputs.shape or training.shape[1:] != inputs.shape[1:] or not len(training):
        raise UsageError(
            "outputs, inputs and training images do not fit together",
            got=f"{tuple(outputs.shape)}, {tuple(inputs.shape)} and {tuple(training.shape)}",
            allowed="[n, ...], [n, ...] and [m, ...] with m >= 1",
        )
    f, x, t = (v.detach().double() for v in (outputs, inputs, constant_targets(training)))
    to_targets = torch.stack([correlation(f, one.expand_as(f)) for one in t])
    distances = torch.stack([(f - one).square().flatten(1).mean(1) for one in t])
    return MapScores(
        identity_correlation=correlation(f, x),
        constant_correlation=to_targets.amax(0),
        identity_mse=(f - x).square().flatten(1).mean(1),
        constant_mse=distances.amin(0),
        edge_score=correlation(f, edges(x)),
        baseline=torch.stack([correlation(x, one.expand_as(x)) for one in t]).amax(0),
    )


def likeness(to_target: Tensor, to_other: Tensor, baseline: Tensor) -> Tensor:
    """Return how like a map is to one of two targets, by both of its correlations.

    1 - max(|1 - c|, |c' - b|) / (1 - b), with c the correlation to the target, c' that to the other
    target and b that of the two targets: 1 for the map that is the target, whose correlations are
    1 and b; 0 for the other one, with b and 1; above 0.5 where neither correlation is as much as
    half way off. Negative for what is like neither.

    Args:
        to_target, to_other, baseline: c, c' and b, of one shape; of single inputs, or means.

    Returns:
        At most 1. NaN: where an argument is NaN, and where the targets are one image.

    Cost: O(n).

    >>> likeness(torch.tensor([1.0, 0.2, -1.0]), torch.tensor([0.2, 1.0, -0.2]), torch.tensor(0.2))
    tensor([ 1.0000,  0.0000, -1.5000])
    """
    distance = 1 - baseline
    off = torch.maximum((1 - to_target).abs(), (to_other - baseline).abs())
    return torch.where(distance > _BLANK, 1 - off / distance, torch.nan)


def constant_targets(training: Tensor) -> Tensor:
    """Return the images that a network which ignores its input may put out, `[k, ...]`.

    One training image: itself. Up to 10: each, and their mean. More: their mean.
    """
    mean = training.mean(0, keepdim=True)
    if len(training) == 1:
        return training
    return torch.cat([training, mean]) if len(training) <= _MOST_TARGETS else mean


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Return the Pearson correlation over the pixels of each pair of images, `[n]`.

    sum (a - mean a)(b - mean b) / (|a - mean a| |b - mean b|), in [-1, 1]; 0 where an image is
    blank (its spread is below 1e-6 of its size), NaN where one is not finite.

    >>> correlation(torch.tensor([[1.0, 2.0], [1.0, 1.0]]), torch.tensor([[4.0, 6.0], [0.0, 1.0]]))
    tensor([1., 0.])
    """
    blank = is_blank(a) | is_blank(b)
    a, b = (v - v.mean(1, keepdim=True) for v in (a.flatten(1), b.flatten(1)))
    products = (a * b).sum(1)
    found = (products / (a.norm(dim=1) * b.norm(dim=1))).clamp(-1, 1)
    return torch.where(blank, 0 * products, found)  # NaN too beside a blank image stays NaN


def is_blank(images: Tensor) -> Tensor:
    """Return which images show nothing, `[n]`: their spread is below 1e-6 of their size.

    >>> is_blank(torch.tensor([[1.0, 2.0], [1.0, 1.0], [0.0, 0.0], [1.0, torch.nan]]))
    tensor([False,  True,  True, False])
    """
    pixels = images.flatten(1)
    spread = (pixels - pixels.mean(1, keepdim=True)).norm(dim=1)
    return spread <= _BLANK * pixels.norm(dim=1)


def edges(images: Tensor) -> Tensor:
    """Return the gradient magnitude of images `[n, channels, h, w]` by Sobel's filters.

    The border is continued by its own values, so that the frame is no edge. In units of
    brightness per pixel.

    >>> ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    >>> edges(ramp)[0, 0, 1].tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=images.dtype) / 8
    both = torch.stack([across, across.T])[:, None].to(images.device)
    n, channels, height, width = images.shape
    padded = F.pad(images.reshape(n * channels, 1, height, width), (1, 1, 1, 1), "replicate")
    return F.conv2d(padded, both).norm(dim=1).reshape(images.shape)
