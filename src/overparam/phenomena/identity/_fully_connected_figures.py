"""Figures of fully connected networks on the identity task, by depth and by number of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from overparam.lab.verdict import told
from overparam.phenomena.identity._figures import galleries, similarity_heat_map
from overparam.phenomena.identity._fully_connected_summary import (
    KINDS,
    Network,
    network_name,
    network_scores,
    networks_of,
)
from overparam.phenomena.identity._left_out import has_value
from overparam.phenomena.identity._summary import mean_present
from overparam.phenomena.identity._task import IdentityTask
from overparam.streams import Streams

DEFAULT_GAIN = 1 / 3  # expected energy that a default linear layer passes on, of 1 that comes in


def gallery(
    records: Records, task_of: Callable[[Streams], IdentityTask], way: str
) -> list[NetworkGallery]:
    """Return the first seed's networks, of one image and of the most; none where there are none.

    Args:
        task_of: with one image, of a seed. way: share of the way to the identity, in words, that
            the network nearest to it goes; "" where not all of them are known.
    """
    many = max(records.levels("n_train"))
    one_image = records.where(n_train=1)
    networks = networks_of(one_image)
    constant = network_scores(one_image, networks, "constant_correlation")
    turned = ", ".join(
        f"{told(mean_present(row), '.2f')} ({network_name(network)})"
        for network, row in zip(networks, constant, strict=True)
    )
    shown = records.where(lambda r: r.condition.n_train in (1, many))
    return galleries(
        Records(sorted(shown, key=lambda r: (r.condition.n_train, r.condition.depth))),
        task_of,
        family=lambda r: (
            "fully connected"
            if r.condition.n_train == 1
            else f"trained on {r.condition.n_train} images"
        ),
        level=lambda r: r.condition.depth,
        label=lambda r: network_name((r.condition.activation, r.condition.depth)),
        title=f"Trained on one image, the best fully connected network goes {way} of the way from "
        "the constant to the identity"
        if way
        else "What fully connected networks make of images that they never saw",
        hint="Correlation of what it returns with the training image, all seeds: "
        f"{turned or 'not measured'}. Without biases a brighter input gives a brighter output: "
        "only its shape can be constant. Of networks that were trained on many images only the "
        "first are shown.",
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


def depth_charts(records: Records, *, whole: bool) -> list[Chart]:
    """Return correlations to the two targets by depth, linear and ReLU, one training image.

    None where no network was run.

    Args:
        whole: whether every planned network is there, so that a title may tell what they do.
    """
    networks = networks_of(records)
    if not networks:
        return []
    constant = network_scores(records, networks, "constant_correlation")
    baseline = mean_present(network_scores(records, networks, "baseline"))
    deepest = {activation: i for i, (activation, _) in enumerate(networks)}
    title = "Correlation to the training image and to the input, by depth"
    if whole:
        ends = " and ".join(
            f"{told(mean_present(constant[i]), '.3f')} ({network_name(networks[i])})"
            for i in deepest.values()
        )
        title = (
            f"Correlation to the training image goes from {told(mean_present(constant[0]), '.2f')} "
            f"({network_name(networks[0])}) to {ends}"
        )
    lines: list[tuple[str, str, Role]] = [
        ("constant_correlation", "to the training image", "train"),
        ("identity_correlation", "to the input", "test"),
    ]
    chart = Chart(
        "correlations",
        title,
        "Correlation of the outputs with the training image and with the input, mean over test "
        "inputs that no network has seen. Unseen inputs are like the training image to some "
        f"degree, {told(baseline, '.2f')} on average (rule): an output that is the training image "
        "has this correlation to the input.",
        [
            Panel(
                "",
                Axis("Depth", "layers"),
                Axis("Correlation", zero=True, limits=(-1, 1)),
                _lines(records, networks, lines),
                [Rule(baseline, "inputs with the training image", axis="y")]
                if np.isfinite(baseline)
                else [],
            )
        ],
    )
    return [chart]


def response_charts(records: Records, *, whole: bool) -> list[Chart]:
    """Return how much of what the training image lacks comes through, by depth.

    None where no network fitted.

    Args:
        whole: as in `depth_charts`.
    """
    networks = networks_of(records)
    energy = [mean_present(row) for row in network_scores(records, networks, "response_energy")]
    cosine = [mean_present(row) for row in network_scores(records, networks, "response_cosine")]
    if not np.isfinite(energy).any():
        return []
    through = ", ".join(
        f"{told(value, '.2g')} ({network_name(network)})"
        for network, value in zip(networks, energy, strict=True)
    )
    chart = Chart(
        "response",
        f"Of what the training image lacks, {told(energy[0], '.2f')} of the energy comes "
        f"through {network_name(networks[0])}, {np.nanmin(energy):.1g} through the least "
        "permeable network"
        if whole
        else "How much of what the training image lacks comes through, by depth",
        "Energy of the response f(x) - f(P x) to the part x - P x of an input that is orthogonal "
        f"to the training image, relative to that part: {through}; the identity has 1. The theory "
        "for one layer with PyTorch's default start is 1/3 (rule). "
        f"The cosine of response and part is at most {told(float(np.fmax.reduce(cosine)), '.3f')} "
        "in the mean of any network; the identity has 1.",
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
    return [chart]


def images_charts(records: Records, n_seeds: int) -> list[Chart]:
    """Return the error of one linear layer by the number of training images, and the theory.

    None where no such layer was run or fitted.

    Args:
        n_seeds: of the study.
    """
    one_layer = records.where(has_value, activation="identity")
    one_layer = one_layer.where(depth=1)
    if not len(one_layer):
        return []
    levels, errors = one_layer.matrix("relative_error", by="n_train")
    lacking = one_layer.matrix("off_span", by="n_train")[1]
    pixels = one_layer[0].condition.side ** 2
    title = "The error of one linear layer by the number of training images"
    if levels[0] == 1 and levels[-1] > pixels and np.isfinite(errors[[0, -1]]).sum() == 2 * n_seeds:
        title = (
            f"The error of one linear layer is {mean_present(errors[0]):.2f} with 1 image and "
            f"{mean_present(errors[-1]):.1g} with {levels[-1]:.0f}, of {pixels} pixels"
        )
    theory = (1 + DEFAULT_GAIN) * np.array([mean_present(row) for row in lacking])
    chart = Chart(
        "images",
        title,
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
    rows, n_seeds = [], len(records.seeds)
    for key in dict.fromkeys(_key(r) for r in records):
        found = [r for r in records if _key(r) == key]
        fitted = [r.outcome for r in found if has_value(r)]

        def mean(name: str, fitted: Sequence = fitted) -> str:
            return told(mean_present(np.array([getattr(o, name) for o in fitted])), ".4f", "-")

        rows.append(
            (
                network_name((key[0], key[1])),
                key[2],
                found[0].outcome.n_params,
                f"{len(fitted)} of {n_seeds}",
                int(np.median([r.outcome.n_steps for r in found])),
                *(mean(name) for name in _COLUMNS.values()),
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


def _key(r: object) -> tuple[str, int, int]:
    c = r.condition  # type: ignore[attr-defined]
    return c.activation, c.depth, c.n_train


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
