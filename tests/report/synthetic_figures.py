"""Made-up galleries and heat maps: images blended from input to training image, known scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overparam.lab.figure import Axis, HeatMap, NetworkGallery, NetworkView

SCORES = ("correlation to the input", "correlation to the training image", "edge score")


def draw_shapes(count: int, side: int) -> np.ndarray:
    """Return `[count, side, side]` images in [0, 1]: rings and stripes of many kinds."""
    i, j = np.mgrid[0:side, 0:side] / (side - 1) - 0.5
    images = [
        np.exp(-((np.hypot(i, j) - 0.1 - 0.03 * k) ** 2) / 0.004)
        if k % 2
        else (np.sin((6 + 3 * k) * (i * np.cos(k) + j * np.sin(k))) > 0).astype(float)
        for k in range(count)
    ]
    return np.array(images)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation of two images; NaN for a constant one."""
    a, b = a.ravel() - a.mean(), b.ravel() - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm else float("nan")


def make_gallery(
    levels: Sequence[float] = (1, 3, 7, 14, 20),
    inputs: np.ndarray | None = None,
    training: np.ndarray | None = None,
    labels: Sequence[str] | None = None,
    families: Sequence[str] = ("convolutional", "fully connected"),
    with_layers: bool = True,
) -> NetworkGallery:
    """Return networks that go from the identity (shallow) to a constant (deep)."""
    rng = np.random.default_rng(7)
    inputs = draw_shapes(6, 14) if inputs is None else inputs
    training = draw_shapes(8, inputs.shape[-1])[-1:] if training is None else training
    views = []
    for family in families:
        for level in levels:
            share = level / (max(levels) + 1)
            noise = rng.normal(0, 0.03, inputs.shape)
            outputs = (1 - share) * inputs + share * training[0] + noise
            layers = [
                (3 + k) * (inputs * (1 - share * k / level) - 0.4 + noise * k)
                for k in range(1, int(level))
            ]
            scores = [
                [correlation(o, i) for o, i in zip(outputs, inputs, strict=True)],
                [correlation(o, training[0]) for o in outputs],
                [float(np.abs(np.diff(o)).mean()) for o in outputs],
            ]
            views.append(
                NetworkView(
                    family,
                    f"{level:g} layer{'' if level == 1 else 's'}",
                    level,
                    outputs,
                    dict(zip(SCORES, map(np.array, scores), strict=True)),
                    layers if with_layers else [],
                    [f"layer {k}" for k in range(1, int(level))] if with_layers else [],
                    "did not train: loss 0.02" if level == 14 and family != families[0] else "",
                )
            )
    return NetworkGallery(
        "identity_gallery",
        "Shallow networks return what they see, deep ones what they learned",
        "Rows are networks trained on the image in the corner alone, columns what they were shown.",
        views,
        inputs,
        labels or [f"shape {k}" for k in range(len(inputs))],
        training,
        [f"ring {k}" for k in range(len(training))],
    )


def make_heat(rows: int = 6, columns: int = 5, edges: bool = False) -> HeatMap:
    """Return two panels of correlations against depth and similarity, one cell empty."""
    depth, similarity = np.mgrid[0:rows, 0:columns]
    identity = 1 - depth / rows + 0.03 * similarity
    constant = depth / rows * (0.7 + 0.3 * similarity / columns)
    constant[0, 0] = np.nan
    axis = {"x_labels": [f"class {c}" for c in range(columns)]}
    if edges:
        axis = {"x_edges": np.linspace(-0.2, 1, columns + 1)}  # type: ignore[dict-item]
    return HeatMap(
        "depth_and_similarity",
        "Depth moves a network from its input to the training image",
        "Each cell is the mean over test images of like similarity to the training image.",
        Axis("Correlation of the input with the training image"),
        Axis("Depth", "layers"),
        [str(k + 1) for k in range(rows)],
        [("To the input", identity), ("To the training image", constant)],
        "Correlation of the output",
        **axis,  # type: ignore[arg-type]
    )
