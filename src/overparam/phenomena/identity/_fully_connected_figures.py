"""Figures of fully connected networks on the identity task, by depth and by number of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overparam.lab.figure import (
    Axis,
    Chart,
    HeatMap,
    NetworkGallery,
    Panel,
    Role,
    Rule,
    Series,
    Table,
)
from overparam.lab.records import Records
from overparam.lab.series import How, series_over_seeds
from overparam.phenomena.identity._figures import network_gallery, similarity_heat_map
from overparam.phenomena.identity._task import IdentityTask

KINDS = {"identity": "linear", "relu": "ReLU"}  # by activation
DEFAULT_GAIN = 1 / 3  # expected energy that a default linear layer passes on, of 1 that comes in

Network = tuple[str, int]  # activation, depth


def network_name(network: Network) -> str:
    """Return what a reader calls a network.

    >>> network_name(("relu", 6)), network_name(("identity", 1))
    ('6 layers, ReLU', '1 layer, linear')
    """
    activation, depth = network
    return f"{depth} layer{'s' if depth > 1 else ''}, {KINDS[activation]}"


def network_scores(records: Records, networks: Sequence[Network], name: str) -> np.ndarray:
    """Return a score `[networks, seeds]`, NaN for networks that did not fit their images."""
    found = np.full((len(networks), len(records.seeds)), np.nan)
    for r in records:
        if r.outcome is not None and r.outcome.learned:
            row = networks.index((r.condition.activation, r.condition.depth))
            found[row, records.seeds.index(r.seed)] = getattr(r.outcome, name)
    return found


def gallery(records: Records, task: IdentityTask, best: float) -> NetworkGallery:
    """Return the first seed's networks, of one image and of the most.

    Args:
        task: with one image, of the first seed. best: share of the way to the identity that the
            network nearest to it goes.
    """
    seed = records.seeds[0]
    first = records.where(lambda r: r.seed == seed)
    many = max(first.levels("n_train"))
    one_image = records.where(n_train=1)
    networks = _networks(one_image)
    constant = _mean(network_scores(one_image, networks, "constant_correlation"), axis=1)
    turned = ", ".join(
        f"{value:.2f} ({network_name(network)})"
        for network, value in zip(networks, constant, strict=True)
    )
    return network_gallery(
        sorted(
            first.where(lambda r: r.condition.n_train in (1, many)),
            key=lambda r: (r.condition.n_train, r.condition.depth),
        ),
        task,
        family=lambda r: (
            "fully connected"
            if r.condition.n_train == 1
            else f"trained on {r.condition.n_train} images"
        ),
        level=lambda r: r.condition.depth,
        label=lambda r: network_name((r.condition.activation, r.condition.depth)),
        title="Trained on one image, the best fully connected network goes "
        f"{round(best, 2) + 0.0:.0%} of the way from the constant to the identity",
        caption="Each row is a network that was trained to return one image, the training image "
        "on the left; each column shows what it makes of an image that it never saw. Correlation "
        f"of what it returns with the training image, all seeds: {turned}. Without biases a "
        "brighter input gives a brighter output: only its shape can be constant. Switch to the "
        f"layer trained on {many} images, of which only the first are shown. Seed {seed}.",
    )


def similarity_maps(records: Records) -> list[HeatMap]:
    """Return correlations to both targets by depth and similarity, linear and ReLU."""
    return [
        similarity_heat_map(
            {kind: records.where(activation=activation)},
            by="depth",
            name=f"similarity_{kind.lower()}",
            title=f"Networks by depth and likeness of the input to the training image, {kind}",
            caption="Mean over seeds and test inputs. A network that returns the training image "
            "has, as its correlation to the input, the value on the horizontal axis; one that "
            "returns the input has 1.",
        )
        for activation, kind in KINDS.items()
        if len(records.where(activation=activation))
    ]


def depth_chart(records: Records) -> Chart:
    """Return correlations to the two targets by depth, linear and ReLU, one training image."""
    networks = _networks(records)
    constant = network_scores(records, networks, "constant_correlation")
    baseline = float(_mean(network_scores(records, networks, "baseline")))
    deepest = {activation: i for i, (activation, _) in enumerate(networks)}
    ends = " and ".join(
        f"{_mean(constant[i]):.3f} ({network_name(networks[i])})" for i in deepest.values()
    )
    lines: list[tuple[str, str, Role]] = [
        ("constant_correlation", "to the training image", "train"),
        ("identity_correlation", "to the input", "test"),
    ]
    return Chart(
        "correlations",
        f"Correlation to the training image goes from {_mean(constant[0]):.2f} "
        f"({network_name(networks[0])}) to {ends}",
        "Correlation of the outputs with the training image and with the input, mean over test "
        "inputs that no network has seen. Unseen inputs are like the training image to some "
        f"degree, {baseline:.2f} on average (rule): an output that is the training image has this "
        "correlation to the input.",
        [
            Panel(
                "",
                Axis("Depth", "layers"),
                Axis("Correlation", zero=True),
                _lines(records, networks, lines),
                [Rule(baseline, "inputs with the training image", axis="y")],
            )
        ],
    )


def response_chart(records: Records) -> Chart:
    """Return how much of what the training image lacks comes through, by depth."""
    networks = _networks(records)
    energy = network_scores(records, networks, "response_energy")
    cosine = network_scores(records, networks, "response_cosine")
    through = ", ".join(
        f"{_mean(row):.2g} ({network_name(network)})"
        for network, row in zip(networks, energy, strict=True)
    )
    return Chart(
        "response",
        f"Of what the training image lacks, {_mean(energy[0]):.2f} of the energy comes "
        f"through one layer, {np.fmin.reduce(_mean(energy, axis=1)):.1g} through the least "
        "permeable network",
        "Energy of the response f(x) - f(P x) to the part x - P x of an input that is orthogonal "
        f"to the training image, relative to that part: {through}; the identity has 1. The theory "
        "for one layer with PyTorch's default start is 1/3 (rule). "
        f"The cosine of response and part is {_mean(cosine[0]):.3f} for one layer and at most "
        f"{np.fmax.reduce(_mean(cosine, axis=1)):.3f} for any; the identity has 1.",
        [
            Panel(
                "",
                Axis("Depth", "layers"),
                Axis("Energy of the response", "of the part's energy", "log"),
                _lines(records, networks, [("response_energy", "", "test")], "geometric"),
                [Rule(DEFAULT_GAIN, "one random layer: 1/3", axis="y")],
            )
        ],
    )


def images_charts(records: Records) -> list[Chart]:
    """Return the error of one linear layer by the number of training images, and the theory.

    None where no such layer was run or fitted.
    """
    one_layer = records.where(lambda r: r.outcome and r.outcome.learned, activation="identity")
    one_layer = one_layer.where(depth=1)
    if not len(one_layer):
        return []
    levels, errors = one_layer.matrix("relative_error", by="n_train")
    lacking = one_layer.matrix("off_span", by="n_train")[1]
    pixels = one_layer[0].condition.side ** 2
    theory = (1 + DEFAULT_GAIN) * _mean(lacking, axis=1)
    chart = Chart(
        "images",
        f"One linear layer needs as many images as pixels: its error falls from "
        f"{_mean(errors[0]):.2f} with one image to {_mean(errors[-1]):.1g} with "
        f"{levels[-1]:.0f}",
        "Squared error of the output against the input, relative to the input, mean over test "
        "inputs. The theory is 4/3 of the share of an input that is orthogonal to all training "
        "images. The one image is a 7; the others are digits and clothes with noise.",
        [
            Panel(
                "",
                Axis("Training images n", "images"),
                Axis("Squared error", "relative to the input", zero=True),
                [
                    series_over_seeds("1 layer, linear", "test", levels, errors, "mean"),
                    Series("theory", "theory", levels, theory),
                ],
                [Rule(pixels, f"as many as pixels, {pixels}")],
            )
        ],
    )
    return [chart]


def networks_table(records: Records) -> Table:
    """Return every network's training and scores, means over the seeds that fitted."""
    rows = []
    for key in dict.fromkeys(_key(r) for r in records):
        found = [r.outcome for r in records if _key(r) == key and r.outcome]
        fitted = [o for o in found if o.learned]
        if not found:
            continue

        def mean(name: str, fitted: Sequence = fitted) -> float:
            return float(np.mean([getattr(o, name) for o in fitted])) if fitted else np.nan

        rows.append(
            (
                network_name((key[0], key[1])),
                key[2],
                found[0].n_params,
                f"{len(fitted)} of {len(found)}",
                int(np.median([o.n_steps for o in found])),
                *(round(mean(name), 4) for name in _COLUMNS.values()),
            )
        )
    headers = ("network", "images", "parameters", "fitted", "updates", *_COLUMNS)
    return Table(
        "scores",
        "Every network, its training and its scores",
        "Means over the seeds whose squared error per pixel on the training images fell to the "
        "target; medians of updates. Preference is 1 for the identity, -1 for the constant. The "
        "response is that to the part of an input that is orthogonal to the training images.",
        dict(zip(headers, zip(*rows, strict=True), strict=True)),
    )


_COLUMNS = {
    "correlation to the input": "identity_correlation",
    "correlation to the training image": "constant_correlation",
    "preference": "preference",
    "energy of the response": "response_energy",
    "its cosine": "response_cosine",
}


def _mean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Return the mean of the values present, NaN where there are none."""
    there = np.isfinite(values)
    count = there.sum(axis)
    total = np.where(there, values, 0.0).sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _key(r: object) -> tuple[str, int, int]:
    c = r.condition  # type: ignore[attr-defined]
    return c.activation, c.depth, c.n_train


def _networks(records: Records) -> list[Network]:
    return list(dict.fromkeys((r.condition.activation, r.condition.depth) for r in records))


def _lines(
    records: Records,
    networks: Sequence[Network],
    lines: Sequence[tuple[str, str, Role]],
    how: How = "mean",
) -> list[Series]:
    """One line for each score and activation over depth; ReLU dashed, and linear from depth 1."""
    series = []
    for activation in dict.fromkeys(a for a, _ in networks):
        some = [network for network in networks if network[0] == activation]
        for name, label, role in lines:
            values = network_scores(records.where(activation=activation), some, name)
            series.append(
                series_over_seeds(
                    ", ".join(filter(None, (KINDS[activation], label))),
                    role,
                    [depth for _, depth in some],
                    values,
                    how,
                    dashed=activation == "relu",
                )
            )
    return series
