"""Images that probe which map a network has learned: unseen digits, blends, clothes, patterns.

They are the kinds of test input of Zhang et al. 2020, "Identity Crisis" (arXiv:1902.04698): some
like the training image, some like nothing that was ever photographed. Patterns are drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from overparam.checks import check_count
from overparam.data.dataset import Dataset
from overparam.data.embedded_sets import load_embedded
from overparam.errors import UsageError
from overparam.streams import Streams, check_streams

SMALLEST_SIDE = 8  # pixels; below it the patterns cannot be told apart
BLEND_WEIGHTS = (0.25, 0.5, 0.75)
_MNIST_SIDE = 28


@dataclass(frozen=True)
class ProbeImages:
    """Test inputs with what they are.

    Attributes:
        images: float32 `[n, channels, side, side]` in [0, 1].
        kinds: ``digit``, ``blend``, ``clothing`` or ``pattern``, one each.
        labels: what is to be seen, such as "digit 3" or "ring with crescent", one each.
    """

    images: Tensor
    kinds: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


def make_probe_images(
    streams: Streams,
    side: int = 28,
    *,
    n_channels: int = 1,
    n_digits: int = 20,
    n_clothes: int = 10,
) -> ProbeImages:
    """Return test inputs of every kind.

    Unseen digits and clothes come from the test parts of the embedded sets, evenly over their
    classes; blends are weight x digit + (1 - weight) x another digit at the weights 0.25, 0.5
    and 0.75 for two pairs of digits; the patterns are those of `draw_patterns`.

    Args:
        streams: uses ``probe images``: the same seed gives the same images at every size.
        side: height and width in pixels, >= 8.
        n_channels: 1, or more to repeat the grey image.
        n_digits, n_clothes: how many of each, 1 to 100 and 1 to 1,000.

    Raises:
        UsageError: a size out of range.

    >>> probe = make_probe_images(Streams(0), side=14, n_digits=10, n_clothes=5)
    >>> tuple(probe.images.shape), probe.kinds.count("blend"), probe.labels[-1]
    ((28, 1, 14, 14), 6, 'ellipse')
    """
    check_count("n_channels", n_channels)
    digits, digit_names = _draw("mnist_small", n_digits, streams)
    clothes, clothes_names = _draw("fashion_mnist_small", n_clothes, streams)
    blends, blend_names = _blends(streams)
    natural = resize_images(torch.cat([digits, blends, clothes]), side)
    patterns = draw_patterns(side)
    images = torch.cat([natural, torch.stack(list(patterns.values()))])
    kinds = (
        *["digit"] * n_digits,
        *["blend"] * len(blends),
        *["clothing"] * n_clothes,
        *["pattern"] * len(patterns),
    )
    labels = (*digit_names, *blend_names, *clothes_names, *patterns)
    return ProbeImages(images.repeat(1, n_channels, 1, 1), kinds, labels)


def draw_digits(
    n: int, streams: Streams, side: int = 28, *, digit: int | None = 7, n_channels: int = 1
) -> Tensor:
    """Return `n` training images of MNIST as float32 `[n, n_channels, side, side]` in [0, 1].

    Args:
        n: 1 to 40 of one digit; 1 to 400 of all.
        streams: uses ``training images``; the images of a smaller n are the first of a larger.
        digit: 0 to 9, or None for any.

    Raises:
        UsageError: more images than there are, or an unknown digit.

    >>> draw_digits(1, Streams(0), side=14).shape
    torch.Size([1, 1, 14, 14])
    """
    train = _embedded("mnist_small")[0]
    among = torch.arange(len(train)) if digit is None else (train.labels == digit).nonzero()[:, 0]
    if not len(among):
        raise UsageError("no such digit", got=digit, allowed="0 to 9, or None")
    check_count("n", n, high=len(among))
    order = torch.randperm(len(among), generator=check_streams(streams).torch("training images"))
    chosen = train.inputs[among[order[:n]]]
    return resize_images(_as_images(chosen), side).repeat(1, n_channels, 1, 1)


def draw_clothes(n: int, streams: Streams, side: int = 28, *, n_channels: int = 1) -> Tensor:
    """Return `n` training images of Fashion-MNIST, of all classes, shaped as `draw_digits`'s.

    Args:
        n: 1 to 4,000. streams: uses ``training images``.

    Raises:
        UsageError: more images than there are.

    >>> draw_clothes(2, Streams(0), side=14).shape
    torch.Size([2, 1, 14, 14])
    """
    train = _embedded("fashion_mnist_small")[0]
    check_count("n", n, high=len(train))
    order = torch.randperm(len(train), generator=check_streams(streams).torch("training images"))
    chosen = resize_images(_as_images(train.inputs[order[:n]]), side)
    return chosen.repeat(1, n_channels, 1, 1)


def resize_images(images: Tensor, side: int) -> Tensor:
    """Return images `[n, channels, h, w]` at `side` x `side`.

    Smaller by averaging over areas, larger by bilinear interpolation; the range is kept.

    >>> resize_images(torch.eye(4)[None, None], 8).shape
    torch.Size([1, 1, 8, 8])
    """
    check_count("side", side, low=SMALLEST_SIDE)
    if side <= min(images.shape[-2:]):
        return F.adaptive_avg_pool2d(images, side)
    return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)


def draw_patterns(side: int) -> dict[str, Tensor]:
    """Return the drawn test inputs by name, each float32 `[1, side, side]` in [0, 1].

    A small white square, thin (1 pixel) and thick (an eighth of the side) vertical stripes, a
    horizontal gradient, a grid of dots, a ring with a crescent in it, an ellipse. Shapes are
    placed relative to the side, so that they look alike at every size.

    Source: the test inputs in the figures of Zhang et al. 2020 (arXiv:1902.04698); the exact
    pixels are not published.

    >>> draw_patterns(8)["horizontal gradient"][0, 0].tolist()[::7]
    [0.0, 1.0]
    """
    check_count("side", side, low=SMALLEST_SIDE)
    pixel = torch.arange(side)
    # Pixel centres from -1 to 1, rightwards and downwards.
    axis = (pixel + 0.5) * 2 / side - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    columns = pixel.expand(side, side)
    dots = pixel % max(3, side // 7) == 1
    ring = ((x**2 + y**2).sqrt() - 0.75).abs() < 0.13
    crescent = (x**2 + y**2 < 0.4**2) & ((x - 0.25) ** 2 + y**2 > 0.35**2)
    drawn = {
        "small white square": (x.abs() < 0.25) & (y.abs() < 0.25),
        "thin stripes": columns % 2 == 0,
        "thick stripes": columns // max(2, side // 8) % 2 == 0,
        "horizontal gradient": columns / (side - 1),
        "grid of dots": dots[:, None] & dots[None, :],
        "ring with crescent": ring | crescent,
        "ellipse": (x / 0.8) ** 2 + (y / 0.5) ** 2 < 1,
    }
    return {name: image.float()[None] for name, image in drawn.items()}


def _draw(name: str, n: int, streams: Streams) -> tuple[Tensor, list[str]]:
    """Return n test images, evenly over the classes, and their labels."""
    test = _embedded(name)[1]
    check_count("n_digits" if name == "mnist_small" else "n_clothes", n, high=len(test))
    order = torch.randperm(len(test), generator=check_streams(streams).torch("probe images"))
    # The first of every class in random order, then the second of every class, and so on.
    labels = test.labels[order]
    nth = torch.stack([(labels[: i + 1] == labels[i]).sum() for i in range(len(order))])
    chosen = order[torch.argsort(nth * test.n_outputs + labels, stable=True)[:n]]
    prefix = "digit " if name == "mnist_small" else ""
    names = [f"{prefix}{_CLASSES.get(name, _DIGITS)[int(k)]}" for k in test.labels[chosen]]
    return _as_images(test.inputs[chosen]), names


def _blends(streams: Streams) -> tuple[Tensor, list[str]]:
    digits, names = _draw("mnist_small", 10, streams)
    pairs = ((3, 8), (1, 4))  # two that overlap, two that hardly do
    images, labels = [], []
    for a, b in pairs:
        for weight in BLEND_WEIGHTS:
            images.append(weight * digits[a] + (1 - weight) * digits[b])
            labels.append(f"{weight:g} {names[a]} + {1 - weight:g} {names[b]}")
    return torch.stack(images), labels


def _as_images(inputs: Tensor) -> Tensor:
    return inputs.reshape(-1, 1, _MNIST_SIDE, _MNIST_SIDE).float()


@lru_cache(maxsize=2)
def _embedded(name: str) -> tuple[Dataset, Dataset]:
    return load_embedded(name)


_DIGITS = tuple("0123456789")
_CLASSES = {
    "fashion_mnist_small": (
        *("T-shirt", "trousers", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    )
}
